/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "client/output.h"
#include "basic/json-util.h"
#include "basic/escape.h"

/* Longer command lines of a pager are cut. */
#define PAGER_WORDS_MAX 15
/* If neither $COLUMNS nor the terminal has a width. */
#define TERMINAL_WIDTH_DEFAULT 80

static struct {
        JsonMode mode;
        bool pager, terminal, colour;
        size_t width; /* of the terminal; 0: not one */
        pid_t pager_pid;
} output;

static bool environment_false(const char *value) {
        static const char *const names[] = { "0", "no", "n", "false", "f", "off" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcasecmp(value, names[i]) == 0)
                        return true;
        return false;
}

/* As in systemd, $SYSTEMD_COLORS decides first, even without a terminal; then $NO_COLOR (no-color.org), then
 * $TERM. */
static bool environment_wants_colour(bool terminal) {
        const char *colours = getenv("SYSTEMD_COLORS"), *no_colour = getenv("NO_COLOR"),
                   *term = getenv("TERM");

        if (colours && strncmp(colours, "auto", 4) != 0)
                return !environment_false(colours);
        return terminal && !(no_colour && no_colour[0]) && term && strcmp(term, "dumb") != 0;
}

void ctl_output_open(JsonMode mode, bool pager) {
        output.mode = mode;
        output.terminal = isatty(STDOUT_FILENO);
        output.pager = pager;
        output.colour = environment_wants_colour(output.terminal);
        ctl_output_resize();
}

void ctl_output_resize(void) {
        const char *columns = getenv("COLUMNS");
        struct winsize size = {};

        if (!output.terminal)
                return;
        if (columns && atoi(columns) > 0)
                output.width = (size_t)atoi(columns);
        else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) >= 0 && size.ws_col > 0)
                output.width = size.ws_col;
        else
                output.width = TERMINAL_WIDTH_DEFAULT;
}

int ctl_output_flush(void) {
        if (fflush(stdout) != 0)
                return -errno;
        return ferror(stdout) ? -EIO : 0; /* the errno of an earlier write is not known */
}

int ctl_output_close(void) {
        int r = ctl_output_flush();

        if (output.pager_pid > 0) {
                /* Ends its input, and waits until it has left the terminal. */
                (void)fclose(stdout);
                while (waitpid(output.pager_pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (r < 0)
                ctl_error("Failed to write the output: %s", strerror(-r));
        return r;
}

size_t ctl_output_width(void) {
        return output.width;
}

bool ctl_wants_json(void) {
        return output.mode != JSON_MODE_OFF;
}

bool ctl_wants_ocsf(void) {
        return output.mode == JSON_MODE_OCSF;
}

bool ctl_wants_colour(void) {
        return output.colour;
}

const char *ctl_colour(CtlColour colour) {
        static const char *const codes[] = {
                [CTL_PLAIN] = "\x1b[0m",
                [CTL_RED] = "\x1b[31m",
                [CTL_YELLOW] = "\x1b[33m",
                [CTL_GREEN] = "\x1b[32m",
                [CTL_BOLD] = "\x1b[1m",
                [CTL_UNDERLINED] = "\x1b[4m",
        };

        return output.colour ? codes[colour] : "";
}

CtlColour ctl_severity_colour(const char *severity) {
        return strcmp(severity, "high") == 0     ? CTL_RED
               : strcmp(severity, "medium") == 0 ? CTL_YELLOW
                                                 : CTL_PLAIN;
}

/* Executes a command, without a shell. Returns only on failure. */
static void command_exec(char *command) {
        char *words[PAGER_WORDS_MAX + 1] = {}, *rest = NULL;
        size_t n = 0;

        for (char *word = strtok_r(command, " \t", &rest); word && n < PAGER_WORDS_MAX;
                        word = strtok_r(NULL, " \t", &rest))
                words[n++] = word;
        if (n > 0)
                execvp(words[0], words);
}

/* LESS as systemd sets it: quit when it fits the screen, keep colours, do not wrap. */
_Noreturn static void pager_exec(char *command) {
        (void)setenv("LESS", getenv("SYSTEMD_LESS") ?: "FRSXMK", 1);
        (void)setenv("LESSCHARSET", getenv("SYSTEMD_LESSCHARSET") ?: "utf-8", 1);
        /* Under sudo(8) the pager must not start a shell. */
        (void)setenv("LESSSECURE", "1", 1);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (command)
                command_exec(command);
        execlp("less", "less", NULL);
        execlp("more", "more", NULL);
        execlp("cat", "cat", NULL);
        _exit(127);
}

void ctl_pager_open(void) {
        char *command = getenv("SYSTEMD_PAGER") ?: getenv("PAGER");
        const char *term = getenv("TERM");
        int fds[2];

        if (!output.pager || !output.terminal || !term || strcmp(term, "dumb") == 0 ||
                        (command && (!command[0] || strcmp(command, "cat") == 0)))
                return;
        if (pipe(fds) < 0)
                return; /* print without a pager */
        output.pager_pid = fork();
        if (output.pager_pid == 0) {
                (void)dup2(fds[0], STDIN_FILENO);
                (void)close(fds[0]);
                (void)close(fds[1]);
                pager_exec(command);
        }
        if (output.pager_pid > 0) {
                (void)dup2(fds[1], STDOUT_FILENO);
                /* Ctrl-C is for the pager: exiting before it would leave it behind on the terminal. */
                (void)signal(SIGINT, SIG_IGN);
        }
        (void)close(fds[0]);
        (void)close(fds[1]);
}

int ctl_print_json(const json_t *o) {
        _cleanup_free_ char *line = NULL;

        if (output.mode == JSON_MODE_PRETTY) {
                /* ASCII, as it may go to a terminal. */
                if (json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0 && !ferror(stdout))
                        return ctl_error_memory();
                putchar('\n');
                return 0;
        }
        if (json_to_line(o, &line) < 0)
                return ctl_error_memory();
        puts(line);
        return 0;
}

char *ctl_format(const char *format, va_list ap) {
        _cleanup_free_ char *raw = NULL;
        TextStream text;

        if (vasprintf(&raw, format, ap) < 0) {
                raw = NULL;
                return NULL;
        }
        if (!text_open(&text))
                return NULL;
        text_put_string(text.stream, raw);
        return text_take(&text);
}

void ctl_print(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        _cleanup_free_ char *text = ctl_format(format, ap);
        va_end(ap);
        puts(text ?: "Out of memory.");
}

void ctl_error(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        _cleanup_free_ char *text = ctl_format(format, ap);
        va_end(ap);
        fprintf(stderr, "%s\n", text ?: "Out of memory.");
}

int ctl_error_option(const char *option, const char *value, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        _cleanup_free_ char *text = ctl_format(format, ap);
        va_end(ap);
        ctl_error("--%s=%s: %s", option, value, text ?: "Out of memory.");
        return -EINVAL;
}

int ctl_error_memory(void) {
        ctl_error("Out of memory.");
        return -ENOMEM;
}

const char *ctl_string(const json_t *o, const char *key, const char *otherwise) {
        return json_string_value(json_object_get(o, key)) ?: otherwise;
}

long long ctl_number(const json_t *o, const char *key) {
        return json_integer_value(json_object_get(o, key));
}
