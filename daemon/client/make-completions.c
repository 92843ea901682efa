/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Makes a shell completion: copies a template, and replaces a line "@TABLES@" by what client/verbs.h says,
 * in the language of that shell. Runs on the machine that builds, so it must not need the product's
 * libraries.
 *
 * usage: make-completions bash|zsh TEMPLATE */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/verbs.h"

#define N_ITEMS(x) (sizeof(x) / sizeof((x)[0]))

/* By the name of an argument or value: what bash calls `compgen` with, or a function of the template, and
 * the action of zsh's _arguments. */
static const struct Completion {
        const char *value, *bash, *zsh;
} completions[] = {
        { "PATH", "files", "_files" },
        { "EXE", "files", "_files" },
        { "DIR", "files", "_files -/" },
        { "MACHINE", "nothing", "" },
        { "HOST", "nothing", "_hosts" },
        { "MODE", "words off short pretty ocsf", "(off short pretty ocsf)" },
        { "LEVEL", "words low medium high", "(low medium high)" },
        { "ACTION", "words alert denied stopped killed would-deny not-denied",
                        "(alert denied stopped killed would-deny not-denied)" },
        { "COLUMN", "words process uid opens sensitive given taken egress classes marks",
                        "(process uid opens sensitive given taken egress classes marks)" },
        { "SECONDS", "nothing", "" },
        { "TIME", "words now today yesterday", "(now today yesterday)" },
        { "CLASS", "classes", "_barbwirectl_classes" },
        { "NAME", "rules", "_barbwirectl_rules" },
        { "ID", "ids", "_barbwirectl_ids" },
        { "USER", "users", "_users" },
        { "PID", "nothing", "_pids" },
        { "ADDR[:PORT]", "nothing", "_hosts" },
        { "UNIT", "nothing", "" },
        { "N", "nothing", "" },
};

/* Ends the program: a value whose completion nobody has decided on is a mistake in the table. */
static const struct Completion *completion_of(const char *value) {
        size_t n = strlen(value);
        bool optional = n > 2 && value[0] == '[';

        for (size_t i = 0; i < N_ITEMS(completions); i++)
                if (strlen(completions[i].value) == n - 2 * optional &&
                                strncmp(completions[i].value, value + optional, n - 2 * optional) == 0)
                        return completions + i;
        fprintf(stderr, "make-completions: no completion for %s\n", value);
        exit(1);
}

static void put_arguments(void (*put)(const char *verb, const struct Completion *argument)) {
        for (size_t i = 0; i < N_ITEMS(verb_infos); i++)
                if (verb_infos[i].argument)
                        put(verb_infos[i].name, completion_of(verb_infos[i].argument));
}

static void put_bash_argument(const char *verb, const struct Completion *argument) {
        printf("        %s) echo %s ;;\n", verb, argument->bash);
}

static void put_bash(void) {
        fputs("__barbwirectl_commands='", stdout);
        for (size_t i = 0; i < N_ITEMS(verb_infos); i++)
                printf("%s%s", i > 0 ? " " : "", verb_infos[i].name);
        fputs("'\n\n# The options of a command; of all commands, where there is none yet.\n"
              "__barbwirectl_options() {\n        case $1 in\n",
                        stdout);
        for (size_t i = 0; i <= N_ITEMS(verb_infos); i++) {
                bool any = i == N_ITEMS(verb_infos);
                unsigned groups = any ? ~0U : verb_infos[i].options | OPTIONS_COMMON;

                printf("        %s) echo '", any ? "*" : verb_infos[i].name);
                for (size_t k = 0; k < _OPTION_MAX; k++)
                        if (option_infos[k].groups & groups & ~(unsigned)OPTION_REPEATS)
                                printf(" --%s%s", option_infos[k].name, option_infos[k].value ? "=" : "");
                fputs("' ;;\n", stdout);
        }
        fputs("        esac\n}\n\n# How the argument of a command or the value of an option is completed.\n"
              "__barbwirectl_kind() {\n        case $1 in\n",
                        stdout);
        put_arguments(put_bash_argument);
        for (size_t k = 0; k < _OPTION_MAX; k++)
                if (option_infos[k].value) {
                        fputs("        ", stdout);
                        if (option_infos[k].letter)
                                printf("-%c | ", option_infos[k].letter);
                        printf("--%s) echo %s ;;\n", option_infos[k].name,
                                        completion_of(option_infos[k].value)->bash);
                }
        fputs("        esac\n}\n", stdout);
}

static void put_zsh_argument(const char *verb, const struct Completion *argument) {
        printf("        [[ -n ${words[(r)%s]} ]] && %s\n", verb, argument->zsh);
}

/* Within single quotes. */
static void put_help(const char *help) {
        for (; *help; help++)
                fputs(*help == '\'' ? "'\\''" : (char[]){ *help, 0 }, stdout);
}

static void put_zsh(void) {
        fputs("(( $+functions[_barbwirectl_commands] )) ||\n_barbwirectl_commands() {\n"
              "        local -a commands\n        commands=(\n",
                        stdout);
        for (size_t i = 0; i < N_ITEMS(verb_infos); i++) {
                printf("                '%s:", verb_infos[i].name);
                put_help(verb_infos[i].help);
                fputs("'\n", stdout);
        }
        fputs("        )\n        _describe -t commands 'command' commands\n}\n\n"
              "(( $+functions[_barbwirectl_argument] )) ||\n_barbwirectl_argument() {\n",
                        stdout);
        put_arguments(put_zsh_argument);
        fputs("}\n\n_barbwirectl_options=(\n", stdout);
        for (size_t k = 0; k < _OPTION_MAX; k++) {
                const OptionInfo *o = option_infos + k;
                const char *is = o->value ? "=" : "";

                if (o->groups & OPTION_REPEATS)
                        printf("        '*--%s%s", o->name, is);
                else if (o->letter)
                        printf("        '(-%c --%s)'{-%c%s,--%s%s}'", o->letter, o->name, o->letter,
                                        o->value ? "+" : "", o->name, is);
                else
                        printf("        '--%s%s", o->name, is);
                putchar('[');
                put_help(o->help);
                putchar(']');
                if (o->value)
                        printf(":%s:%s", o->name, completion_of(o->value)->zsh);
                fputs("'\n", stdout);
        }
        fputs(")\n", stdout);
}

int main(int argc, char **argv) {
        char line[1024];
        FILE *f = argc == 3 ? fopen(argv[2], "re") : NULL;

        if (!f) {
                fputs("usage: make-completions bash|zsh TEMPLATE\n", stderr);
                return 2;
        }
        while (fgets(line, sizeof(line), f))
                if (strcmp(line, "@TABLES@\n") != 0)
                        fputs(line, stdout);
                else if (strcmp(argv[1], "bash") == 0)
                        put_bash();
                else
                        put_zsh();
        fclose(f);
        return fflush(stdout) == 0 ? 0 : 1;
}
