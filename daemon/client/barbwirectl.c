/* SPDX-License-Identifier: GPL-2.0-or-later */

/* barbwirectl: parses the command line by the tables of client/verbs.h, and runs the command. */

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "barbwire-config.h"
#include "basic/time-util.h"
#include "alert/alert.h"
#include "client/client.h"
#include "client/ctl.h"
#include "client/output.h"
#include "policy/time-parse.h"
#include "client/verbs.h"
#include "policy/types.h"

/* getopt_long(3) returns an option's identifier from here on, beyond all letters. */
#define GETOPT_FIRST 256

#define VERB_FUNCTION(name, argument, options, help) ctl_##name,
static int (*const verb_functions[])(const Ctl *c, const char *argument) = { VERBS(VERB_FUNCTION) };

typedef struct CommandLine {
        Ctl ctl;
        uint64_t given; /* a bit per OptionId */
        const char *since, *until;
        bool no_pager, utc;
        JsonMode json;
} CommandLine;

static void help_options(const char *title, unsigned group) {
        printf("\n%s:\n", title);
        for (size_t i = 0; i < _OPTION_MAX; i++) {
                const OptionInfo *o = option_infos + i;
                char name[64];

                if (!(o->groups & group))
                        continue;
                (void)snprintf(name, sizeof(name), "--%s%s%s", o->name, o->value ? "=" : "", o->value ?: "");
                printf("  %c%c %-18s %s\n", o->letter ? '-' : ' ', o->letter ?: ' ', name, o->help);
        }
}

static void help(void) {
        puts("barbwirectl [OPTIONS...] COMMAND\n\nQuery barbwired, and evaluate its policy.\n\nCommands:");
        for (size_t i = 0; i < ELEMENTSOF(verb_infos); i++)
                printf("  %s %-*s %s\n", verb_infos[i].name, (int)(20 - strlen(verb_infos[i].name)),
                                verb_infos[i].argument ?: "", verb_infos[i].help);
        help_options("Options", OPTIONS_COMMON);
        help_options("Options of alerts", OPTIONS_FILTER);
        help_options("Options of hosts and learn", OPTIONS_SPAN);
        help_options("Options of alerts, show, follow, hosts, suggest and learn", OPTIONS_JOURNAL);
        help_options("Options of status, alerts, show, follow, marks and rules", OPTIONS_REMOTE);
        help_options("Options of explain", OPTIONS_ACCESS);
        help_options("Options of top", OPTIONS_TOP);
        help_options("Options of learn", OPTIONS_LEARN);
        help_options("Options of selftest", OPTIONS_SELFTEST);
        puts("\nExit status: 0 ok, 1 failed (status: degraded), 2 wrong usage, 3 not running.");
}

/* Adds a parameter of ListAlerts; takes the reference. */
static int filter_set(
                CommandLine *l, OptionId option, const char *member, const char *value, json_t *wanted) {
        if (json_object_set_new(l->ctl.filter, member, wanted) < 0)
                return ctl_error_option(option_infos[option].name, value, "not valid UTF-8.");
        return 0;
}

static int filter_number(
                CommandLine *l, OptionId option, const char *member, const char *value, long min, long max) {
        char *end;

        errno = 0;
        long n = strtol(value, &end, 10);
        if (errno != 0 || end == value || *end || n < min || n > max)
                return ctl_error_option(option_infos[option].name, value,
                                "expected a number from %ld to %ld.", min, max);
        return filter_set(l, option, member, value, json_integer(n));
}

static int filter_time(CommandLine *l, OptionId option, const char *value) {
        uint64_t usec;

        if (!value)
                return 0;
        if (time_parse(value, time_now_usec(CLOCK_REALTIME), &usec) < 0)
                return ctl_error_option(option_infos[option].name, value,
                                "not a time. Examples: " TIME_PARSE_EXAMPLES ".");
        /* The interface has no time 0; no alert is as old as that. */
        return filter_set(l, option, option_infos[option].name, value,
                        json_integer((json_int_t)MAX(usec, (uint64_t)1)));
}

static int user_parse(OptionId option, const char *value, uint32_t *ret) {
        const struct passwd *pw = getpwnam(value);
        char *end;

        if (pw) {
                *ret = pw->pw_uid;
                return 0;
        }
        errno = 0;
        unsigned long n = strtoul(value, &end, 10);
        if (errno != 0 || strspn(value, "0123456789") == 0 || *end || n >= UINT32_MAX)
                return ctl_error_option(option_infos[option].name, value, "no such user.");
        *ret = (uint32_t)n;
        return 0;
}

/* The name of a unit without its suffix is that of a service. */
static int unit_set(CommandLine *l, const char *value) {
        static const char *const suffixes[] = { ".service", ".socket", ".scope", ".slice", ".mount",
                ".automount", ".swap", ".timer", ".path", ".target", ".device" };
        const char *dot = strrchr(value, '.');
        bool complete = false;

        for (size_t i = 0; dot && i < ELEMENTSOF(suffixes); i++)
                complete |= strcmp(dot, suffixes[i]) == 0;
        return filter_set(l, OPTION_UNIT, "unit", value,
                        json_sprintf("%s%s", value, complete ? "" : ".service"));
}

static int json_mode_parse(CommandLine *l, const char *value) {
        static const char *const names[] = { "off", "short", "pretty", "ocsf" }; /* as in JsonMode */

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(value, names[i]) == 0) {
                        l->json = (JsonMode)i;
                        return 0;
                }
        return ctl_error_option("json", value, "expected off, short, pretty or ocsf.");
}

/* As the interface has it: WatchProcesses in query/methods.c. */
#define DELAY_MIN 0.1
#define DELAY_MAX 3600

static int delay_parse(CommandLine *l, const char *value) {
        char *end;
        double seconds = strtod(value, &end);

        if (end == value || *end || !(seconds >= DELAY_MIN && seconds <= DELAY_MAX))
                return ctl_error_option(
                                "delay", value, "expected seconds from %g to %d.", DELAY_MIN, DELAY_MAX);
        l->ctl.top.delay_usec = (uint64_t)(seconds * USEC_PER_SEC);
        return 0;
}

static int column_parse(CommandLine *l, const char *value) {
        int column = top_column_from_string(value);

        if (column < 0)
                return ctl_error_option("sort", value,
                                "expected process, uid, opens, sensitive, given, taken, egress, classes or "
                                "marks.");
        l->ctl.top.by = (TopColumn)column;
        return 0;
}

/* Negative: wrong usage, which it has said. */
static int option_set(CommandLine *l, OptionId option, char *value) {
        CtlAccess *a = &l->ctl.access;
        uint32_t uid = 0;
        int r;

        switch (option) {
        case OPTION_SOCKET:
                l->ctl.socket_path = value;
                return 0;
        case OPTION_JSON:
                return json_mode_parse(l, value);
        case OPTION_NO_PAGER:
                l->no_pager = true;
                return 0;
        case OPTION_UTC:
                l->utc = true;
                return 0;
        case OPTION_LINES:
                return filter_number(l, option, "limit", value, 1, INT32_MAX);
        case OPTION_SINCE:
                l->since = value;
                return 0;
        case OPTION_UNTIL:
                l->until = value;
                return 0;
        case OPTION_SEVERITY:
                if (severity_from_string(value) < 0)
                        return ctl_error_option("severity", value, "expected info, low, medium or high.");
                return filter_set(l, option, "severity", value, json_string(value));
        case OPTION_CLASS:
                return filter_set(l, option, "class", value, json_string(value));
        case OPTION_ACTION:
                if (action_from_string(value) < 0)
                        return ctl_error_option("action", value,
                                        "expected alert, denied, stopped, killed, would-deny or "
                                        "not-denied.");
                return filter_set(l, option, "action", value, json_string(value));
        case OPTION_PID:
                return filter_number(l, option, "pid", value, 1, INT32_MAX);
        case OPTION_UID:
                r = user_parse(option, value, &uid);
                if (r < 0)
                        return r;
                a->user_known = true;
                a->uid = uid;
                return filter_set(l, option, "uid", value, json_integer(uid));
        case OPTION_UNIT:
                return unit_set(l, value);
        case OPTION_ALL:
                l->ctl.all = true;
                return 0;
        case OPTION_INCIDENT:
                l->ctl.all = true;
                return filter_set(l, option, "incident", value, json_string(value));
        case OPTION_REVERSE:
                l->ctl.reverse = true;
                return 0;
        case OPTION_SORT:
                return column_parse(l, value);
        case OPTION_DELAY:
                return delay_parse(l, value);
        case OPTION_ONCE:
                l->ctl.top.once = true;
                return 0;
        case OPTION_DIRECTORY:
                l->ctl.journal.directory = value;
                return 0;
        case OPTION_FILE:
                if (l->ctl.journal.n_files == CTL_FILES_MAX)
                        return ctl_error_option(
                                        "file", value, "at most %u files are supported.", CTL_FILES_MAX);
                l->ctl.journal.files[l->ctl.journal.n_files++] = value;
                return 0;
        case OPTION_MERGE:
                l->ctl.journal.merge = true;
                return 0;
        case OPTION_MACHINE:
                l->ctl.journal.machine = value;
                return 0;
        case OPTION_HOST:
                if (!value[0] || value[0] == '-')
                        return ctl_error_option("host", value, "not the name of a host.");
                l->ctl.host = value;
                return 0;
        case OPTION_EXE:
                a->exe = value;
                return 0;
        case OPTION_SCRIPT:
                a->script = value;
                return 0;
        case OPTION_USER:
                a->user_known = true;
                return user_parse(option, value, &a->uid);
        case OPTION_CONTAINER:
                a->container = true;
                return 0;
        case OPTION_ANCESTOR:
                if (a->n_ancestors == BW_LINEAGE_MAX)
                        return ctl_error_option("ancestor", value, "at most %u ancestors are supported.",
                                        BW_LINEAGE_MAX);
                a->ancestors[a->n_ancestors++] = value;
                return 0;
        case OPTION_TO:
                a->to = value;
                return 0;
        case OPTION_POLICY_DIR:
                if (a->n_policy_dirs == CTL_POLICY_DIRS_MAX)
                        return ctl_error_option("policy-dir", value, "at most %u directories are supported.",
                                        CTL_POLICY_DIRS_MAX);
                a->policy_dirs[a->n_policy_dirs++] = value;
                return 0;
        case OPTION_OUTPUT:
                l->ctl.learn.output = value;
                return 0;
        case OPTION_INTERACTIVE:
                l->ctl.learn.interactive = true;
                return 0;
        case OPTION_DRY_RUN:
                l->ctl.learn.dry_run = true;
                return 0;
        case OPTION_MIN_DAYS:
                r = filter_number(l, option, "min-days", value, 1, INT32_MAX);
                l->ctl.learn.min_days = (uint64_t)ctl_number(l->ctl.filter, "min-days");
                return r;
        case OPTION_ALARM:
                l->ctl.alarm = true;
                return 0;
        case OPTION_HELP:
        case OPTION_VERSION:
        case _OPTION_MAX:
                break;
        }
        return 0;
}

/* -1: getopt_long(3) did not know it, and has said so. */
static int option_find(int c) {
        if (c >= GETOPT_FIRST)
                return c - GETOPT_FIRST;
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (option_infos[i].letter == c)
                        return (int)i;
        return -1;
}

/* Negative: go on; otherwise the exit status. */
static int options_parse(CommandLine *l, int argc, char **argv) {
        struct option options[_OPTION_MAX + 1] = {};
        char letters[2 * _OPTION_MAX + 1] = "";
        size_t n = 0;

        for (int i = 0; i < _OPTION_MAX; i++) {
                const OptionInfo *o = option_infos + i;

                options[i] = (struct option){
                        .name = o->name,
                        .has_arg = o->value ? required_argument : no_argument,
                        .val = GETOPT_FIRST + i,
                };
                if (o->letter)
                        letters[n++] = o->letter;
                if (o->letter && o->value)
                        letters[n++] = ':';
        }
        for (int c; (c = getopt_long(argc, argv, letters, options, NULL)) >= 0;) {
                int option = option_find(c);

                if (option == OPTION_HELP) {
                        help();
                        return CTL_OK;
                }
                if (option == OPTION_VERSION) {
                        puts("barbwirectl " BARBWIRE_VERSION);
                        return CTL_OK;
                }
                if (option < 0 || option_set(l, (OptionId)option, optarg) < 0)
                        return CTL_USAGE;
                l->given |= UINT64_C(1) << option;
        }
        return -1;
}

static int verb_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verb_infos); i++)
                if (strcmp(name, verb_infos[i].name) == 0)
                        return (int)i;
        return -1;
}

/* Negative: wrong usage, which it has said. */
static int verb_check(const CommandLine *l, const VerbInfo *verb, int n_arguments) {
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (l->given >> i & 1 && !(option_infos[i].groups & (OPTIONS_COMMON | verb->options))) {
                        ctl_error("Command '%s' does not take the option --%s; see barbwirectl --help.",
                                        verb->name, option_infos[i].name);
                        return -EINVAL;
                }
        if (n_arguments > (verb->argument ? 1 : 0)) {
                ctl_error("Too many arguments for command '%s'; see barbwirectl --help.", verb->name);
                return -EINVAL;
        }
        if (n_arguments == 0 && verb->argument && verb->argument[0] != '[') {
                ctl_error("Command '%s' requires the argument %s; see barbwirectl --help.", verb->name,
                                verb->argument);
                return -EINVAL;
        }
        if (l->json == JSON_MODE_OCSF && !(verb->options & VERB_OCSF)) {
                ctl_error("Command '%s' does not take --json=ocsf, which is for alerts; see barbwirectl "
                          "--help.",
                                verb->name);
                return -EINVAL;
        }
        return 0;
}

/* Runs the command and returns the exit status. */
static int command_run(CommandLine *l, char **arguments, int n_arguments) {
        if (n_arguments == 0) {
                ctl_error("No command given; see barbwirectl --help.");
                return CTL_USAGE;
        }
        int verb = verb_find(arguments[0]);
        if (verb < 0) {
                ctl_error("Unknown command '%s'; see barbwirectl --help.", arguments[0]);
                return CTL_USAGE;
        }
        if (verb_check(l, verb_infos + verb, n_arguments - 1) < 0)
                return CTL_USAGE;

        ctl_output_open(l->json, !l->no_pager);
        int r = verb_functions[verb](&l->ctl, arguments[1]);
        if (ctl_output_close() < 0 && r == CTL_OK)
                r = CTL_FAILED;
        return r >= 0 ? r : r == -ENOTCONN ? CTL_NOT_RUNNING : CTL_FAILED;
}

int main(int argc, char **argv) {
        json_auto_t *filter = json_object();
        CommandLine l = { .ctl = { .socket_path = CTL_SOCKET_PATH,
                                          .filter = filter,
                                          .top = { .by = TOP_OPENS, .delay_usec = USEC_PER_SEC } } };

        /* Names are UTF-8 on every machine; everything else is as in the C locale. */
        (void)setlocale(LC_CTYPE, "C.UTF-8");
        /* The parent process may ignore it; without a reader there is nothing left to do. */
        (void)signal(SIGPIPE, SIG_DFL);

        int r = options_parse(&l, argc, argv);
        if (r >= 0)
                return r;
        /* Times are read when the time zone is known. */
        if (l.utc)
                (void)setenv("TZ", "UTC", 1);
        tzset();
        if (filter_time(&l, OPTION_SINCE, l.since) < 0 || filter_time(&l, OPTION_UNTIL, l.until) < 0)
                return CTL_USAGE;
        if ((l.ctl.journal.directory != NULL) + (l.ctl.journal.n_files > 0) + l.ctl.journal.merge +
                                        (l.ctl.journal.machine != NULL) >
                        1) {
                ctl_error("--directory=, --file=, --merge and --machine= exclude each other.");
                return CTL_USAGE;
        }
        if (l.ctl.host && ctl_journal_given(&l.ctl)) {
                ctl_error("--host= is about the daemon of another host, not about a journal of this one.");
                return CTL_USAGE;
        }
        ctl_client_set_host(l.ctl.host);
        return command_run(&l, argv + optind, argc - optind);
}
