/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Why not libsmartcols: it cuts a cell at its end only, and without a sign that something is missing. A path
 * says most at its end, and a PID must never be cut. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "client/output.h"
#include "client/table.h"
#include "basic/escape.h"

/* A cell that is cut keeps at least this much, even if the line gets too long: a shorter one is useless. */
#define CELL_WIDTH_MIN 4

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
        char *text = ctl_format(format, ap);
        va_end(ap);
        t->failed |= !text;
        if (text)
                t->cells[t->n_cells++] = (Cell){ .text = text, .width = text_width(text), .colour = colour };
}

void ctl_table_add_list(CtlTable *t, const json_t *array) {
        TextStream stream;
        const json_t *item;
        size_t i;
        FILE *f = text_open(&stream);

        if (f) {
                json_array_foreach(array, i, item) {
                        fprintf(f, "%s%s", i > 0 ? "," : "", json_string_value(item) ?: "?");
                }
        }
        _cleanup_free_ char *text = f ? text_take(&stream) : NULL;
        if (!text)
                t->failed = true;
        else
                ctl_table_add(t, CTL_PLAIN, "%s", *text ? text : "-");
}

void ctl_table_add_first(CtlTable *t, const json_t *array) {
        const char *first = json_string_value(json_array_get(array, 0)) ?: "-";
        size_t n = json_array_size(array);

        if (n > 1)
                ctl_table_add(t, CTL_PLAIN, "%s +%zu", first, n - 1);
        else
                ctl_table_add(t, CTL_PLAIN, "%s", first);
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

/* The width that a column needs to be of use. */
static size_t width_min(const CtlTable *t, size_t column) {
        size_t min = CELL_WIDTH_MIN;

        for (size_t i = column; i < t->n_cells; i += t->n_columns) {
                const char *number = number_of(t->cells[i].text, t->columns[column].cut);

                if (number)
                        min = MAX(min, 1 + text_width(number));
        }
        return min;
}

/* Finds the widest column that can be cut. SIZE_MAX: none. */
static size_t widths_widest(const CtlTable *t, const size_t *widths, const size_t *mins, bool spare) {
        size_t widest = SIZE_MAX;

        for (size_t i = 0; i < t->n_columns; i++)
                if (t->columns[i].cut != CTL_CUT_NEVER &&
                                widths[i] > (spare ? MAX(mins[i], t->columns[i].least) : mins[i]) &&
                                (widest == SIZE_MAX || widths[i] > widths[widest]))
                        widest = i;
        return widest;
}

/* Cuts the widest columns first. */
static int widths_fit(const CtlTable *t, size_t *widths, size_t width) {
        _cleanup_free_ size_t *mins = calloc(t->n_columns, sizeof(*mins));
        size_t total = t->n_columns - 1;

        if (!mins)
                return ctl_error_memory();
        for (size_t i = 0; i < t->n_columns; i++) {
                mins[i] = width_min(t, i);
                total += widths[i];
        }
        for (; total > width; total--) {
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

                /* The last cell is not padded: a line that ends with spaces wraps. */
                pad += column->right ? widths[i] - shown : 0;
                printf("%*s%s", (int)pad, "", colour != CTL_PLAIN ? ctl_colour(colour) : "");
                shown = put_cut(text, width, widths[i], column->cut);
                fputs(colour != CTL_PLAIN ? ctl_colour(CTL_PLAIN) : "", stdout);
                pad = 1 + (column->right ? 0 : widths[i] - shown);
        }
}

int ctl_table_print(const CtlTable *t, size_t width) {
        size_t terminal_width = ctl_output_width();

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
        if (terminal_width > 0)
                width = terminal_width;
        int r = width > 0 ? widths_fit(t, widths, width) : 0;
        if (r < 0)
                return r;

        fputs(ctl_colour(CTL_UNDERLINED), stdout);
        row_print(t, widths, NULL);
        printf("%s\n", ctl_colour(CTL_PLAIN));
        for (size_t i = 0; i < t->n_cells; i += t->n_columns) {
                row_print(t, widths, t->cells + i);
                putchar('\n');
        }
        putchar('\n');
        return 0;
}
