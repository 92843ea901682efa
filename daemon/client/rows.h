/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts of any number of hosts, as little of each as a listing shows and outbreaks are found by: some
 * hundred thousand fit. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "basic/util.h"
#include "policy/types.h"

/* Texts are in the AlertRows, equal ones once: they are equal where their pointers are. */
typedef struct AlertRow {
        uint64_t usec, repeats;
        const char *id, *incident; /* not shared */
        const char *host;          /* "": of this host */
        const char *comm, *classes /* joined by commas */, *file, *destination;
        const char *program; /* the script and its size, or the executable */
        const char *address; /* "192.0.2.7 443"; "": none that other hosts can reach, too */
        char *line;          /* JSON text, owned; NULL: not wanted, or no room */
        size_t sequence;     /* in which order it was added */
        int score;
        Severity severity, before; /* before: it was raised by an outbreak */
        uint32_t pid, uid;
        unsigned outbreak; /* its number, from 1 on; 0: of none */
        bool selected;     /* to be listed */
        bool selftest;     /* or a record of severity info: of no outbreak */
} AlertRow;

typedef struct AlertRows {
        AlertRow *items;
        size_t n, n_allocated;
        size_t n_line_bytes;
        Severity least;  /* lines of lower ones are dropped first: only an outbreak could raise them */
        json_t *strings; /* text → the address of its copy */
        struct TextBlock *blocks;
} AlertRows;

/* JSON texts are kept of the newest alerts that fit into so many bytes, and of what is below `least` only if
 * there is room. */
#define ALERT_ROWS_LINE_BYTES_MAX (32U * 1024 * 1024)

void alert_rows_done(AlertRows *rows);

/* Adds an alert; one that lacks a member of every alert is left out. line: copied, or NULL. -ENOMEM. */
int alert_rows_add(AlertRows *rows, const json_t *alert, const char *line, bool selected);

/* Brings them into the order of their times. Of an alert that was written several times, the one with the
 * highest count of repeats remains. Only what says the same is such a copy: each host writes its own
 * journal, and could otherwise replace the alerts of another one, or its own ones from before it had an
 * intruder. -ENOMEM. */
int alert_rows_sort(AlertRows *rows);

/* A copy of the text, the same one for equal texts. NULL: out of memory. */
const char *alert_rows_text(AlertRows *rows, const char *text);
