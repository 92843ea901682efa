/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <wchar.h>

#include "ctl-output.h"
#include "json-line.h"
#include "text.h"

/* A cell that is cut keeps at least this much, and the line gets too long: less would tell nothing. */
#define CELL_WIDTH_MIN 4
/* A pager's command line has no more. */
#define PAGER_WORDS_MAX 15
/* Where neither $COLUMNS nor the terminal tells. */
#define TERMINAL_WIDTH_DEFAULT 80

static struct {
        JsonMode mode;
        bool pager, terminal, colour;
        size_t width; /* of the terminal; 0: not one */
        pid_t pager_pid;
} output;

static bool environment_false(const char *value) {
        static const char *const names[] = {"0", "no", "n", "false", "f", "off"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcasecmp(value, names[i]) == 0)
                        return true;
        return false;
}

/* As systemd's: $SYSTEMD_COLORS decides, even where there is no terminal; then $NO_COLOR (no-color.org),
 * then TERM. */
static bool environment_wants_colour(bool terminal) {
        const char *colours = getenv("SYSTEMD_COLORS"), *no_colour = getenv("NO_COLOR"),
                   *term = getenv("TERM");

        if (colours && strncmp(colours, "auto", 4) != 0)
                return !environment_false(colours);
        return terminal && !(no_colour && no_colour[0]) && term && strcmp(term, "dumb") != 0;
}

void ctl_output_open(JsonMode mode, bool pager) {
        const char *columns = getenv("COLUMNS");
        struct winsize size = {};

        output.mode = mode;
        output.terminal = isatty(STDOUT_FILENO);
        output.pager = pager;
        output.colour = environment_wants_colour(output.terminal);
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
        return ferror(stdout) ? -EIO : 0; /* an earlier write: what was wrong is forgotten by now */
}

int ctl_output_close(void) {
        int r = ctl_output_flush();

        if (output.pager_pid > 0) {
                /* The end of its input; the terminal is ours again when it has ended. */
                (void)fclose(stdout);
                while (waitpid(output.pager_pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (r < 0)
                ctl_error("Cannot write: %s", strerror(-r));
        return r;
}

bool ctl_wants_json(void) {
        return output.mode != JSON_MODE_OFF;
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
        };

        return output.colour ? codes[colour] : "";
}

CtlColour ctl_severity_colour(const char *severity) {
        return strcmp(severity, "high") == 0     ? CTL_RED
               : strcmp(severity, "medium") == 0 ? CTL_YELLOW
                                                 : CTL_PLAIN;
}

/* Executes a command, without a shell. Returns only when it cannot. */
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
        /* Under sudo(8) the pager must not open a shell. */
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
                return; /* it reads without one, too */
        output.pager_pid = fork();
        if (output.pager_pid == 0) {
                (void)dup2(fds[0], STDIN_FILENO);
                (void)close(fds[0]);
                (void)close(fds[1]);
                pager_exec(command);
        }
        if (output.pager_pid > 0) {
                (void)dup2(fds[1], STDOUT_FILENO);
                /* Ctrl-C is the pager's: whoever is gone before it leaves it with the terminal. */
                (void)signal(SIGINT, SIG_IGN);
        }
        (void)close(fds[0]);
        (void)close(fds[1]);
}

int ctl_print_json(const json_t *o) {
        _cleanup_free_ char *line = NULL;

        if (output.mode == JSON_MODE_PRETTY) {
                /* ASCII: it may be printed on a terminal. */
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

/* NULL: memory is short. */
_printf_(1, 0) static char *format_escaped(const char *format, va_list ap) {
        _cleanup_free_ char *raw = NULL, *text = NULL;
        size_t size;

        if (vasprintf(&raw, format, ap) < 0) {
                raw = NULL;
                return NULL;
        }
        FILE *f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        text_put_string(f, raw);
        return text_close(&f) < 0 ? NULL : STEAL_PTR(text);
}

void ctl_print(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        _cleanup_free_ char *text = format_escaped(format, ap);
        va_end(ap);
        puts(text ?: "(memory is short)");
}

void ctl_error(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        _cleanup_free_ char *text = format_escaped(format, ap);
        va_end(ap);
        fprintf(stderr, "%s\n", text ?: "Memory is short.");
}

int ctl_error_memory(void) {
        ctl_error("Memory is short.");
        return -ENOMEM;
}

const char *ctl_string(const json_t *o, const char *key, const char *otherwise) {
        return json_string_value(json_object_get(o, key)) ?: otherwise;
}

long long ctl_number(const json_t *o, const char *key) {
        return json_integer_value(json_object_get(o, key));
}

/* ---- tables ---- */

typedef struct Cell {
        char *text; /* escaped */
        size_t width;
        CtlColour colour;
} Cell;

struct CtlTable {
        const CtlColumn *columns;
        size_t n_columns;
        Cell *cells;
        size_t n_cells, n_allocated;
        bool failed;
};

/* Columns of the terminal that the character at s takes, and its bytes. main() sets a UTF-8 locale; where
 * there is none each byte that is not ASCII counts as one. */
static size_t character_width(const char *s, size_t *ret_bytes) {
        mbstate_t state = {};
        wchar_t c;
        size_t n = mbrtowc(&c, s, strlen(s), &state);

        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
                *ret_bytes = 1;
                return 1;
        }
        *ret_bytes = n;
        return (size_t)MAX(wcwidth(c), 0);
}

static size_t text_width(const char *s) {
        size_t width = 0, n;

        for (; *s; s += n)
                width += character_width(s, &n);
        return width;
}

int ctl_table_new(const CtlColumn *columns, size_t n_columns, CtlTable **ret) {
        CtlTable *t = calloc(1, sizeof(*t));

        if (!t)
                return ctl_error_memory();
        t->columns = columns;
        t->n_columns = n_columns;
        *ret = t;
        return 0;
}

CtlTable *ctl_table_free(CtlTable *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        free(t);
        return NULL;
}

void ctl_table_add(CtlTable *t, CtlColour colour, const char *format, ...) {
        va_list ap;

        if (t->n_cells == t->n_allocated) {
                size_t n = MAX(2 * t->n_allocated, (size_t)64);
                Cell *cells = realloc(t->cells, n * sizeof(Cell));

                t->failed |= !cells;
                if (!cells)
                        return;
                t->cells = cells;
                t->n_allocated = n;
        }
        va_start(ap, format);
        char *text = format_escaped(format, ap);
        va_end(ap);
        t->failed |= !text;
        if (text)
                t->cells[t->n_cells++] = (Cell){.text = text, .width = text_width(text), .colour = colour};
}

void ctl_table_add_list(CtlTable *t, const json_t *array, const char *separator) {
        _cleanup_free_ char *text = NULL;
        const json_t *item;
        size_t size, i;
        FILE *f = open_memstream(&text, &size);

        if (f)
                json_array_foreach(array, i, item)
                                fprintf(f, "%s%s", i > 0 ? separator : "", json_string_value(item) ?: "?");
        if (!f || text_close(&f) < 0 || !text)
                t->failed = true;
        else
                ctl_table_add(t, CTL_PLAIN, "%s", size > 0 ? text : "-");
}

/* "[2066]" of "bash[2066]". NULL: there is none. */
static const char *number_of(const char *text, CtlCut cut) {
        return cut == CTL_CUT_NAME ? strrchr(text, '[') : NULL;
}

/* Prints what fits, with an ellipsis where something is missing. Returns its width. */
static size_t put_cut(const char *s, size_t width, size_t limit, CtlCut cut) {
        const char *number = number_of(s, cut);
        size_t used = 0, n, w;

        if (width <= limit) {
                fputs(s, stdout);
                return width;
        }
        if (cut == CTL_CUT_BEGINNING) {
                for (; width > limit - 1; s += n)
                        width -= character_width(s, &n);
                printf("…%s", s);
                return width + 1;
        }
        limit -= 1 + (number ? text_width(number) : 0);
        for (; (w = character_width(s, &n)) + used <= limit; s += n) {
                fwrite(s, 1, n, stdout);
                used += w;
        }
        printf("…%s", number ?: "");
        return used + 1 + (number ? text_width(number) : 0);
}

/* What a column can do with. */
static size_t width_min(const CtlTable *t, size_t column) {
        size_t min = CELL_WIDTH_MIN;

        for (size_t i = column; i < t->n_cells; i += t->n_columns) {
                const char *number = number_of(t->cells[i].text, t->columns[column].cut);

                if (number)
                        min = MAX(min, 1 + text_width(number));
        }
        return min;
}

/* The widest column that can give way. SIZE_MAX: none. */
static size_t widths_widest(const CtlTable *t, const size_t *widths, const size_t *mins, bool spare) {
        size_t widest = SIZE_MAX;

        for (size_t i = 0; i < t->n_columns; i++)
                if (t->columns[i].cut != CTL_CUT_NEVER &&
                                widths[i] > (spare ? MAX(mins[i], t->columns[i].least) : mins[i]) &&
                                (widest == SIZE_MAX || widths[i] > widths[widest]))
                        widest = i;
        return widest;
}

/* The widest cells give way first. */
static int widths_fit(const CtlTable *t, size_t *widths) {
        _cleanup_free_ size_t *mins = calloc(t->n_columns, sizeof(*mins));
        size_t total = t->n_columns - 1;

        if (!mins)
                return ctl_error_memory();
        for (size_t i = 0; i < t->n_columns; i++) {
                mins[i] = width_min(t, i);
                total += widths[i];
        }
        for (; total > output.width; total--) {
                size_t widest = widths_widest(t, widths, mins, true);

                if (widest == SIZE_MAX)
                        widest = widths_widest(t, widths, mins, false);
                if (widest == SIZE_MAX)
                        break;
                widths[widest]--;
        }
        return 0;
}

static void row_print(const CtlTable *t, const size_t *widths, const Cell *row) {
        size_t pad = 0;

        for (size_t i = 0; i < t->n_columns; i++) {
                const CtlColumn *column = &t->columns[i];
                const char *text = row ? row[i].text : column->name;
                size_t width = row ? row[i].width : strlen(column->name), shown = MIN(width, widths[i]);
                CtlColour colour = row ? row[i].colour : CTL_PLAIN;

                /* Not behind the last one: a line that ends with spaces wraps. */
                pad += column->right ? widths[i] - shown : 0;
                printf("%*s%s", (int)pad, "", colour != CTL_PLAIN ? ctl_colour(colour) : "");
                shown = put_cut(text, width, widths[i], column->cut);
                fputs(colour != CTL_PLAIN ? ctl_colour(CTL_PLAIN) : "", stdout);
                pad = 1 + (column->right ? 0 : widths[i] - shown);
        }
}

int ctl_table_print(const CtlTable *t) {
        if (t->failed)
                return ctl_error_memory();
        if (t->n_cells == 0)
                return 0;

        _cleanup_free_ size_t *widths = calloc(t->n_columns, sizeof(*widths));
        if (!widths)
                return ctl_error_memory();
        for (size_t i = 0; i < t->n_columns; i++)
                widths[i] = strlen(t->columns[i].name);
        for (size_t i = 0; i < t->n_cells; i++)
                widths[i % t->n_columns] = MAX(widths[i % t->n_columns], t->cells[i].width);
        int r = output.width > 0 ? widths_fit(t, widths) : 0;
        if (r < 0)
                return r;

        fputs(output.colour ? "\x1b[4m" : "", stdout); /* underlined */
        row_print(t, widths, NULL);
        printf("%s\n", ctl_colour(CTL_PLAIN));
        for (size_t i = 0; i < t->n_cells; i += t->n_columns) {
                row_print(t, widths, t->cells + i);
                putchar('\n');
        }
        putchar('\n');
        return 0;
}
