/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/copy.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "client/rows.h"

/* Texts are never freed one by one. */
#define BLOCK_BYTES (64U * 1024)

typedef struct TextBlock {
        struct TextBlock *next;
        size_t used, size;
        char data[];
} TextBlock;

void alert_rows_done(AlertRows *rows) {
        for (size_t i = 0; i < rows->n; i++)
                free(rows->items[i].line);
        free(rows->items);
        json_decref(rows->strings);
        for (TextBlock *b = rows->blocks, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        *rows = (AlertRows){};
}

static const char *text_copy(AlertRows *rows, const char *text) {
        size_t size = strlen(text) + 1;
        TextBlock *b = rows->blocks;

        if (!b || b->size - b->used < size) {
                size_t room = MAX(size, (size_t)BLOCK_BYTES);

                b = malloc(sizeof(*b) + room);
                if (!b)
                        return NULL;
                *b = (TextBlock){ .next = rows->blocks, .size = room };
                rows->blocks = b;
        }
        char *copy = memcpy(b->data + b->used, text, size);
        b->used += size;
        return copy;
}

const char *alert_rows_text(AlertRows *rows, const char *text) {
        if (!rows->strings && !(rows->strings = json_object()))
                return NULL;
        const json_t *known = json_object_get(rows->strings, text);
        if (known)
                return (const char *)(intptr_t)json_integer_value(known);
        const char *copy = text_copy(rows, text);
        if (!copy || json_object_set_new(rows->strings, copy, json_integer((json_int_t)(intptr_t)copy)) < 0)
                return NULL;
        return copy;
}

static const char *member(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key)) ?: "";
}

static long long number(const json_t *o, const char *key) {
        return json_integer_value(json_object_get(o, key));
}

static bool file_has_class(const json_t *file, const char *class) {
        const json_t *item;
        size_t i;

        json_array_foreach(json_object_get(file, "classes"), i,
                        item) if (strcmp(json_string_value(item) ?: "", class) == 0) return true;
        return false;
}

/* The newest file of the worst class, as in the sentence; else the newest. NULL: there is none. */
static const json_t *main_file(const json_t *alert) {
        const json_t *files = json_object_get(alert, "files"), *class, *file;
        size_t i, k;

        json_array_foreach(json_object_get(alert, "classes"), i, class) json_array_foreach(files, k,
                        file) if (file_has_class(file, json_string_value(class) ?: "")) return file;
        return json_array_get(files, 0);
}

static const char *put_text(AlertRows *rows, const char *first, const char *second) {
        _cleanup_free_ char *text = NULL;

        return asprintf(&text, "%s%s", first, second) < 0 ? NULL : alert_rows_text(rows, text);
}

static const char *put_classes(AlertRows *rows, const json_t *classes) {
        TextStream text;
        const json_t *item;
        size_t i;

        if (!text_open(&text))
                return NULL;
        json_array_foreach(classes, i, item)
                        fprintf(text.stream, "%s%s", i > 0 ? "," : "", json_string_value(item) ?: "");
        _cleanup_free_ char *joined = text_take(&text);
        return joined ? alert_rows_text(rows, joined) : NULL;
}

static bool is_internet(const json_t *destination) {
        const char *family = member(destination, "family");

        return strcmp(family, "inet") == 0 || strcmp(family, "inet6") == 0;
}

static const char *put_destination(AlertRows *rows, const json_t *d) {
        const char *family = member(d, "family"), *address = member(d, "address");
        const char *path = json_string_value(json_object_get(d, "path"));
        _cleanup_free_ char *text = NULL;
        bool v6 = strcmp(family, "inet6") == 0;

        if (strcmp(family, "none") == 0)
                return alert_rows_text(rows, "(open)");
        int n = is_internet(d) ? asprintf(&text, "%s%s%s:%lld", v6 ? "[" : "", address, v6 ? "]" : "",
                                                 number(d, "port"))
                               : asprintf(&text, "%s %s", family,
                                                 path
                                                                 ?: address[0] ? path ?: address
                                                                               : "-");
        return n < 0 ? NULL : alert_rows_text(rows, text);
}

/* The same address on two hosts is the same peer, but for those that each host has for itself. */
static const char *put_address(AlertRows *rows, const json_t *d) {
        static const char *const own[] = { "127.", "0.", "169.254.", "::", "fe80:", "ff" };
        const char *address = member(d, "address");
        _cleanup_free_ char *text = NULL;
        bool local = !is_internet(d) || !address[0];

        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                local |= strncmp(address, own[i], strlen(own[i])) == 0;
        if (local)
                return alert_rows_text(rows, "");
        return asprintf(&text, "%s %lld", address, number(d, "port")) < 0 ? NULL
                                                                          : alert_rows_text(rows, text);
}

/* "DEVICE/INODE/CTIME/SIZE" of a script has its size; an executable's is not recorded. */
static const char *put_program(AlertRows *rows, const json_t *process) {
        const char *script = member(process, "script"),
                   *size = strrchr(member(process, "script_object"), '/');
        _cleanup_free_ char *text = NULL;

        if (!script[0])
                return alert_rows_text(rows, member(process, "exe"));
        if (!size)
                return alert_rows_text(rows, script);
        return asprintf(&text, "%s (%s bytes)", script, size + 1) < 0 ? NULL : alert_rows_text(rows, text);
}

/* Those first that are asked for whatever the others are. */
static int by_usec_descending(const void *a, const void *b, void *userdata) {
        const AlertRow *x = *(const AlertRow *const *)a, *y = *(const AlertRow *const *)b;
        const AlertRows *rows = userdata;
        bool x_certain = x->severity >= rows->least, y_certain = y->severity >= rows->least;

        if (x_certain != y_certain)
                return x_certain ? -1 : 1;
        return x->usec != y->usec ? (x->usec < y->usec ? 1 : -1) : 0;
}

/* Drops the texts of the oldest alerts, down to half of what is allowed, so that it is seldom done. */
static int lines_drop(AlertRows *rows) {
        size_t n_kept = 0;

        _cleanup_free_ AlertRow **order = calloc(rows->n, sizeof(AlertRow *));
        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < rows->n; i++)
                order[i] = rows->items + i;
        qsort_r(order, rows->n, sizeof(*order), by_usec_descending, rows);
        for (size_t i = 0; i < rows->n; i++) {
                size_t size = order[i]->line ? strlen(order[i]->line) : 0;

                if (size == 0)
                        continue;
                n_kept += size;
                if (n_kept <= ALERT_ROWS_LINE_BYTES_MAX / 2)
                        continue;
                rows->n_line_bytes -= size;
                free(STEAL_PTR(order[i]->line));
        }
        return 0;
}

int alert_rows_add(AlertRows *rows, const json_t *alert, const char *line, bool selected) {
        const json_t *process = json_object_get(alert, "process"), *file = main_file(alert),
                     *classes = json_object_get(alert, "classes"),
                     *d = json_object_get(alert, "destination");
        const char *path = json_string_value(json_object_get(file, "path"));
        AlertRow row = {
                .severity = severity_from_string(member(alert, "severity")),
                .repeats = (uint64_t)number(alert, "repeats"),
                .score = (int)number(alert, "score"),
                .pid = (uint32_t)number(process, "pid"),
                .uid = (uint32_t)number(process, "uid"),
                .sequence = rows->n,
                .selected = selected,
        };

        if (row.severity < 0 || !member(alert, "id")[0] ||
                        json_to_time(json_object_get(alert, "time"), &row.usec) < 0)
                return 0;
        row.selftest = row.severity == SEVERITY_INFO ||
                       (json_array_size(classes) == 1 &&
                                       strcmp(json_string_value(json_array_get(classes, 0)) ?: "",
                                                       ALERT_SELFTEST_CLASS) == 0);
        row.before = row.severity;
        if (rows->n == rows->n_allocated) {
                size_t n = MAX(rows->n_allocated * 2, (size_t)256);
                AlertRow *items = reallocarray(rows->items, n, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                rows->items = items;
                rows->n_allocated = n;
        }
        row.id = text_copy(rows, member(alert, "id"));
        row.incident = !row.id || strcmp(member(alert, "incident"), row.id) == 0
                                       ? row.id
                                       : text_copy(rows, member(alert, "incident"));
        row.host = alert_rows_text(rows, member(alert, "host"));
        row.comm = alert_rows_text(rows, member(process, "comm"));
        row.classes = put_classes(rows, classes);
        row.file = put_text(rows, json_is_true(json_object_get(file, "truncated")) ? "…" : "",
                        path ?: "(name lost)");
        row.destination = put_destination(rows, d);
        row.program = put_program(rows, process);
        row.address = put_address(rows, d);
        if (!row.id || !row.incident || !row.host || !row.comm || !row.classes || !row.file ||
                        !row.destination || !row.program || !row.address)
                return -ENOMEM;
        if (line && !(row.line = strdup(line)))
                return -ENOMEM;
        rows->n_line_bytes += line ? strlen(line) : 0;
        rows->items[rows->n++] = row;
        return rows->n_line_bytes > ALERT_ROWS_LINE_BYTES_MAX ? lines_drop(rows) : 0;
}

static int by_number(uint64_t a, uint64_t b) {
        return a == b ? 0 : a < b ? -1 : 1;
}

/* 0: all that is shown of them is equal, and all that they are selected by. */
static int by_content(const AlertRow *x, const AlertRow *y) {
        int r = strcmp(x->id, y->id);

        r = r ?: strcmp(x->host, y->host);
        r = r ?: by_number(x->usec, y->usec);
        r = r ?: by_number((uint64_t)x->severity, (uint64_t)y->severity);
        r = r ?: by_number((uint64_t)x->score, (uint64_t)y->score);
        r = r ?: by_number((uint64_t)x->pid << 32 | x->uid, (uint64_t)y->pid << 32 | y->uid);
        r = r ?: by_number(x->selected, y->selected);
        r = r ?: strcmp(x->comm, y->comm);
        r = r ?: strcmp(x->classes, y->classes);
        r = r ?: strcmp(x->file, y->file);
        r = r ?: strcmp(x->destination, y->destination);
        r = r ?: strcmp(x->program, y->program);
        return r ?: strcmp(x->incident, y->incident);
}

/* Copies of one alert, the last one first: that with the highest count, or what was read last. */
static int by_copy(const void *a, const void *b) {
        const AlertRow *x = a, *y = b;
        int r = by_content(x, y);

        if (r != 0)
                return r;
        if (x->repeats != y->repeats)
                return x->repeats < y->repeats ? 1 : -1;
        return x->sequence < y->sequence ? 1 : -1;
}

/* Where the JSON text is wanted, all of it counts. */
static int row_is_copy(const AlertRow *x, const AlertRow *y) {
        if (by_content(x, y) != 0)
                return false;
        if (!x->line || !y->line)
                return !x->line && !y->line;
        json_auto_t *a = json_loads(x->line, 0, NULL), *b = json_loads(y->line, 0, NULL);
        return a && b ? alert_is_copy(a, b) : -ENOMEM;
}

static int by_time(const void *a, const void *b) {
        const AlertRow *x = a, *y = b;

        if (x->usec != y->usec)
                return x->usec < y->usec ? -1 : 1;
        return strcmp(x->id, y->id) ?: by_number(x->sequence, y->sequence);
}

int alert_rows_sort(AlertRows *rows) {
        size_t n = 0;
        int r = 0;

        if (rows->n == 0)
                return 0;
        qsort(rows->items, rows->n, sizeof(*rows->items), by_copy);
        for (size_t i = 0; i < rows->n; i++) {
                int copy = n > 0 && r >= 0 ? row_is_copy(rows->items + n - 1, rows->items + i) : 0;

                r = MIN(r, copy);
                if (copy > 0)
                        free(rows->items[i].line);
                else
                        rows->items[n++] = rows->items[i];
        }
        rows->n = n;
        qsort(rows->items, rows->n, sizeof(*rows->items), by_time);
        return r;
}
