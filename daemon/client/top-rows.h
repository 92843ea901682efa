/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The rows of top: what each process has done since the view began, and what it holds, sorted. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "basic/util.h"

/* X(identifier, name of the column, key, name for --sort=, largest first) */
#define TOP_COLUMNS(X)                                                                                      \
        X(PROCESS, "PROCESS", 'p', "process", false)                                                        \
        X(UID, "UID", 'u', "uid", false)                                                                    \
        X(OPENS, "OPENS/S", 'o', "opens", true)                                                             \
        X(SENSITIVE, "SENSITIVE", 's', "sensitive", true)                                                   \
        X(GIVEN, "GIVEN", 'g', "given", true)                                                               \
        X(TAKEN, "TAKEN", 't', "taken", true)                                                               \
        X(EGRESS, "EGRESS", 'e', "egress", true)                                                            \
        X(CLASSES, "OPENED", 'c', "classes", true)                                                          \
        X(MARKS, "MARKS", 'm', "marks", true)

#define TOP_ENUM(identifier, name, key, sort, falls) TOP_##identifier,
typedef enum TopColumn { TOP_COLUMNS(TOP_ENUM) _TOP_COLUMNS_MAX } TopColumn;
#undef TOP_ENUM

typedef struct TopColumnInfo {
        const char *name, *sort;
        char key;
        bool falls; /* the largest value comes first */
} TopColumnInfo;

extern const TopColumnInfo top_columns[_TOP_COLUMNS_MAX];

/* The column of a name for --sort=; negative: there is none. */
int top_column_from_string(const char *name);

/* What a process has done since the view began. */
typedef struct TopRow {
        struct TopRow *next;
        uint32_t pid, uid;
        uint64_t start_ns;   /* 0: not known */
        uint64_t start_usec; /* wall clock */
        char *comm;
        uint64_t opens, given, taken, egress;
        uint64_t sensitive; /* opens of sensitive files, */
        json_t *classes;    /* and of them those of each class: an object of numbers */
        double opens_rate;  /* in the latest sample, a second */
        json_t *marks;      /* what it holds: an array of strings; NULL: nothing */
        json_t *bound;      /* of it, under rules only */
        uint64_t at[4];     /* the daemon's counts in the latest reply that had them */
        json_t *classes_at; /* the same of sensitive files, by the classes in one string */
        uint64_t opens_new; /* since the latest sample */
} TopRow;

typedef struct TopRows TopRows;

int top_rows_new(TopRows **ret);
TopRows *top_rows_free(TopRows *rows);
DEFINE_CLEANUP(TopRows, top_rows_free);

/* Adds the processes of a reply of WatchProcesses. 0; -EBADMSG: they have another shape; -ENOMEM. */
int top_rows_add(TopRows *rows, const json_t *processes);

/* Ends a sample, which the daemon made at this time (CLOCK_MONOTONIC). The first one is what the others are
 * compared with: it shows nothing that was done. */
void top_rows_end_sample(TopRows *rows, uint64_t now_usec);

/* The daemon counts anew: what comes next is the first sample again. */
void top_rows_restart(TopRows *rows);

/* Replaces what processes hold by the marks of ListMarks. -EBADMSG, -ENOMEM. */
int top_rows_set_marks(TopRows *rows, const json_t *marks);

/* Forgets processes that have ended. */
void top_rows_forget(TopRows *rows, bool (*has_ended)(uint32_t pid));

/* The processes that did anything or hold anything, sorted: an array, newly allocated. -ENOMEM. */
int top_rows_sort(const TopRows *rows, TopColumn by, bool reverse, const TopRow ***ret, size_t *ret_n);

/* "shell-history:2 ssh-private-keys:1", newly allocated; "-" for none. */
char *top_row_classes(const TopRow *row);

/* What it holds; in brackets, what it holds under rules. */
char *top_row_marks(const TopRow *row);

/* A row in JSON. NULL: out of memory. */
json_t *top_row_to_json(const TopRow *row);
