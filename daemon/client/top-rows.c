/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/json-util.h"
#include "basic/time-util.h"
#include "client/top-rows.h"

/* A process is not mistaken for another one of its PID, which cannot come within this time: the kernel takes
 * all other numbers first. Start times are converted with clocks that may be set meanwhile. */
#define START_SLACK_USEC USEC_PER_SEC

/* A power of two: ten processes each, of the most that the daemon counts. */
#define BUCKETS (1U << 15)

enum { AT_OPENS, AT_GIVEN, AT_TAKEN, AT_EGRESS };

#define TOP_INFO(identifier, name, key, sort, falls) [TOP_##identifier] = { name, sort, key, falls },
const TopColumnInfo top_columns[_TOP_COLUMNS_MAX] = { TOP_COLUMNS(TOP_INFO) };
#undef TOP_INFO

struct TopRows {
        TopRow *buckets[BUCKETS];
        size_t n;
        bool compared; /* the first sample is complete */
        uint64_t sampled_usec;
};

int top_column_from_string(const char *name) {
        for (int i = 0; i < _TOP_COLUMNS_MAX; i++)
                if (strcmp(top_columns[i].sort, name) == 0)
                        return i;
        return -EINVAL;
}

int top_rows_new(TopRows **ret) {
        TopRows *rows = calloc(1, sizeof(*rows));

        if (!rows)
                return -ENOMEM;
        *ret = rows;
        return 0;
}

static void row_done(TopRow *row) {
        free(row->comm);
        json_decref(row->classes);
        json_decref(row->classes_at);
        json_decref(row->marks);
        json_decref(row->bound);
}

static void row_free(TopRow *row) {
        row_done(row);
        free(row);
}

TopRows *top_rows_free(TopRows *rows) {
        if (!rows)
                return NULL;
        for (size_t i = 0; i < BUCKETS; i++)
                for (TopRow *row = rows->buckets[i], *next; row; row = next) {
                        next = row->next;
                        row_free(row);
                }
        free(rows);
        return NULL;
}

/* Empties a row for a process. */
static int row_begin(TopRow *row, uint32_t pid, uint64_t start_ns, uint64_t start_usec) {
        TopRow *next = row->next;

        row_done(row);
        *row = (TopRow){ .next = next, .pid = pid, .start_ns = start_ns, .start_usec = start_usec };
        row->classes = json_object();
        row->classes_at = json_object();
        return row->classes && row->classes_at ? 0 : -ENOMEM;
}

static bool row_is(const TopRow *row, uint64_t start_ns, uint64_t start_usec) {
        uint64_t apart = MAX(row->start_usec, start_usec) - MIN(row->start_usec, start_usec);

        if (row->start_ns != 0 && start_ns != 0)
                return row->start_ns == start_ns;
        return apart < START_SLACK_USEC;
}

/* The row of a process, which takes the place of an earlier one of its PID. NULL: out of memory. */
static TopRow *row_get(TopRows *rows, uint32_t pid, uint64_t start_ns, uint64_t start_usec) {
        TopRow **bucket = &rows->buckets[pid & (BUCKETS - 1)], *row = *bucket;

        while (row && row->pid != pid)
                row = row->next;
        if (row && row_is(row, start_ns, start_usec)) {
                row->start_ns = row->start_ns ?: start_ns;
                return row;
        }
        if (!row) {
                row = calloc(1, sizeof(*row));
                if (!row)
                        return NULL;
                row->next = *bucket;
                *bucket = row;
                rows->n++;
        }
        return row_begin(row, pid, start_ns, start_usec) < 0 ? NULL : row;
}

static int row_name(TopRow *row, const char *comm) {
        if (row->comm && strcmp(row->comm, comm) == 0)
                return 0;
        char *copy = strdup(comm);
        if (!copy)
                return -ENOMEM;
        free(row->comm);
        row->comm = copy;
        return 0;
}

/* What was added since the count that the row has. One that is lower was begun anew, as the kernel had
 * dropped it; of the first sample nothing is new. */
static uint64_t count_new(const TopRows *rows, uint64_t *at, uint64_t now) {
        uint64_t new = now >= *at ? now - *at : now;

        *at = now;
        return rows->compared ? new : 0;
}

/* The classes as one string. */
static char *classes_join(const json_t *classes) {
        char *text = NULL;
        size_t size, i;
        FILE *f = open_memstream(&text, &size);
        const json_t *class;

        if (!f)
                return NULL;
        json_array_foreach(classes, i, class) fprintf(f, "%s ", json_string_value(class) ?: "?");
        return fclose(f) == 0 ? text : NULL;
}

static int number_add(json_t *object, const char *key, uint64_t n) {
        n += (uint64_t)json_integer_value(json_object_get(object, key));
        return json_object_set_new(object, key, json_integer((json_int_t)n)) < 0 ? -ENOMEM : 0;
}

/* The opens of files of some classes. */
static int row_add_classes(const TopRows *rows, TopRow *row, const json_t *classes, uint64_t opens) {
        _cleanup_free_ char *key = classes_join(classes);
        const json_t *class;
        size_t i;

        if (!key)
                return -ENOMEM;
        uint64_t at = (uint64_t)json_integer_value(json_object_get(row->classes_at, key));
        uint64_t new = count_new(rows, &at, opens);
        if (json_object_set_new(row->classes_at, key, json_integer((json_int_t)at)) < 0)
                return -ENOMEM;
        row->sensitive += new;
        json_array_foreach(classes, i,
                        class) if (new > 0 && number_add(row->classes, json_string_value(class) ?: "?",
                                                              new) < 0) return -ENOMEM;
        return 0;
}

static uint64_t number_of(const json_t *o, const char *key) {
        return (uint64_t)json_integer_value(json_object_get(o, key));
}

static int row_add(TopRows *rows, const json_t *process) {
        const json_t *classes = json_object_get(process, "classes");
        const char *comm = json_string_value(json_object_get(process, "comm"));
        uint64_t start_usec;

        if (!json_is_integer(json_object_get(process, "pid")) || !comm ||
                        json_to_time(json_object_get(process, "start_time"), &start_usec) < 0)
                return -EBADMSG;
        TopRow *row = row_get(rows, (uint32_t)number_of(process, "pid"), number_of(process, "start_ns"),
                        start_usec);
        if (!row || row_name(row, comm) < 0)
                return -ENOMEM;
        row->uid = (uint32_t)number_of(process, "uid");
        if (json_is_array(classes))
                return row_add_classes(rows, row, classes, number_of(process, "opens"));
        uint64_t new = count_new(rows, &row->at[AT_OPENS], number_of(process, "opens"));
        row->opens += new;
        row->opens_new += new;
        row->given += count_new(rows, &row->at[AT_GIVEN], number_of(process, "given"));
        row->taken += count_new(rows, &row->at[AT_TAKEN], number_of(process, "taken"));
        row->egress += count_new(rows, &row->at[AT_EGRESS], number_of(process, "egress"));
        return 0;
}

int top_rows_add(TopRows *rows, const json_t *processes) {
        const json_t *process;
        int r = json_is_array(processes) ? 0 : -EBADMSG;
        size_t i;

        json_array_foreach(processes, i, process) {
                r = row_add(rows, process);
                if (r < 0)
                        break;
        }
        return r;
}

void top_rows_end_sample(TopRows *rows, uint64_t now_usec) {
        double seconds = (double)(now_usec - rows->sampled_usec) / USEC_PER_SEC;

        for (size_t i = 0; i < BUCKETS; i++)
                for (TopRow *row = rows->buckets[i]; row; row = row->next) {
                        row->opens_rate = seconds > 0 ? (double)row->opens_new / seconds : 0;
                        row->opens_new = 0;
                }
        rows->compared = true;
        rows->sampled_usec = now_usec;
}

void top_rows_restart(TopRows *rows) {
        rows->compared = false;
}

int top_rows_set_marks(TopRows *rows, const json_t *marks) {
        const json_t *mark;
        uint64_t start_usec;
        size_t i;

        for (i = 0; i < BUCKETS; i++)
                for (TopRow *row = rows->buckets[i]; row; row = row->next) {
                        json_decref(row->marks);
                        json_decref(row->bound);
                        row->marks = row->bound = NULL;
                }
        if (!json_is_array(marks))
                return -EBADMSG;
        json_array_foreach(marks, i, mark) {
                if (json_is_true(json_object_get(mark, "suspect")))
                        continue;
                if (json_to_time(json_object_get(mark, "start_time"), &start_usec) < 0)
                        return -EBADMSG;
                TopRow *row = row_get(rows, (uint32_t)number_of(mark, "pid"), 0, start_usec);
                if (!row || (!row->comm && row_name(row, json_string_value(json_object_get(mark, "comm"))
                                                                           ?: "")))
                        return -ENOMEM;
                if (row->start_ns == 0)
                        row->uid = (uint32_t)number_of(mark, "uid");
                json_decref(row->marks);
                json_decref(row->bound);
                row->marks = json_incref(json_object_get(mark, "classes"));
                row->bound = json_incref(json_object_get(mark, "bound"));
        }
        return 0;
}

void top_rows_forget(TopRows *rows, bool (*has_ended)(uint32_t pid)) {
        for (size_t i = 0; i < BUCKETS; i++)
                for (TopRow **row = &rows->buckets[i], *ended; *row;) {
                        if (!has_ended((*row)->pid)) {
                                row = &(*row)->next;
                                continue;
                        }
                        ended = *row;
                        *row = ended->next;
                        row_free(ended);
                        rows->n--;
                }
}

/* ---- order ---- */

static double row_value(const TopRow *row, TopColumn by) {
        switch (by) {
        case TOP_UID:
                return row->uid;
        case TOP_OPENS:
                return row->opens_rate;
        case TOP_SENSITIVE:
                return (double)row->sensitive;
        case TOP_GIVEN:
                return (double)row->given;
        case TOP_TAKEN:
                return (double)row->taken;
        case TOP_EGRESS:
                return (double)row->egress;
        case TOP_CLASSES:
                return (double)json_object_size(row->classes);
        case TOP_MARKS:
                return (double)json_array_size(row->marks);
        case TOP_PROCESS:
        case _TOP_COLUMNS_MAX:
                break;
        }
        return 0;
}

typedef struct Order {
        TopColumn by;
        bool reverse;
} Order;

/* Equal ones: those that opened more, then the lower PID, so that rows do not jump. */
static int row_compare(const void *a, const void *b, void *userdata) {
        const TopRow *x = *(const TopRow *const *)a, *y = *(const TopRow *const *)b;
        const Order *order = userdata;
        int r;

        if (order->by == TOP_PROCESS) {
                r = strcmp(x->comm, y->comm);
        } else {
                double vx = row_value(x, order->by), vy = row_value(y, order->by);
                r = (vx > vy) - (vx < vy);
        }
        if (r != 0)
                return order->reverse != top_columns[order->by].falls ? -r : r;
        if (x->opens_rate != y->opens_rate)
                return x->opens_rate < y->opens_rate ? 1 : -1;
        if (x->opens != y->opens)
                return x->opens < y->opens ? 1 : -1;
        return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool row_is_shown(const TopRow *row) {
        return row->opens + row->sensitive + row->given + row->taken + row->egress > 0 ||
               json_array_size(row->marks) > 0;
}

int top_rows_sort(const TopRows *rows, TopColumn by, bool reverse, const TopRow ***ret, size_t *ret_n) {
        const TopRow **sorted = calloc(rows->n + 1, sizeof(*sorted));
        Order order = { by, reverse };
        size_t n = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < BUCKETS; i++)
                for (const TopRow *row = rows->buckets[i]; row; row = row->next)
                        if (row_is_shown(row))
                                sorted[n++] = row;
        qsort_r(sorted, n, sizeof(*sorted), row_compare, &order);
        *ret = sorted;
        *ret_n = n;
        return 0;
}

/* ---- text ---- */

char *top_row_classes(const TopRow *row) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        const char *class, *separator = "";
        json_t *n;

        if (!f)
                return NULL;
        json_object_foreach(row->classes, class, n) {
                fprintf(f, "%s%s:%" JSON_INTEGER_FORMAT, separator, class, json_integer_value(n));
                separator = " ";
        }
        if (!*separator)
                fputc('-', f);
        return fclose(f) == 0 ? text : NULL;
}

static bool array_has(const json_t *array, const json_t *wanted) {
        const json_t *item;
        size_t i;

        json_array_foreach(array, i, item) {
                if (json_equal(item, wanted))
                        return true;
        }
        return false;
}

char *top_row_marks(const TopRow *row) {
        char *text = NULL;
        size_t size, i;
        FILE *f = open_memstream(&text, &size);
        const json_t *class;

        if (!f)
                return NULL;
        json_array_foreach(row->marks, i, class) {
                const char *name = json_string_value(class) ?: "?";

                fprintf(f, array_has(row->bound, class) ? "%s[%s]" : "%s%s", i > 0 ? " " : "", name);
        }
        if (json_array_size(row->marks) == 0)
                fputc('-', f);
        return fclose(f) == 0 ? text : NULL;
}

json_t *top_row_to_json(const TopRow *row) {
        /* A hundredth is as exact as the time of a sample. */
        double rate = (double)(uint64_t)(row->opens_rate * 100 + 0.5) / 100;

        return json_pack("{s:I, s:o, s:s, s:I, s:f, s:I, s:I, s:O, s:I, s:I, s:I, s:o, s:o}", "pid",
                        (json_int_t)row->pid, "start_time", json_from_time(row->start_usec), "comm",
                        row->comm, "uid", (json_int_t)row->uid, "opens_per_second", rate, "opens",
                        (json_int_t)row->opens, "sensitive", (json_int_t)row->sensitive, "classes",
                        row->classes, "given", (json_int_t)row->given, "taken", (json_int_t)row->taken,
                        "egress", (json_int_t)row->egress, "marks",
                        row->marks ? json_incref(row->marks) : json_array(), "bound",
                        row->bound ? json_incref(row->bound) : json_array());
}
