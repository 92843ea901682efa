/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The result of one listing of marks, as lines of JSON, which any number of clients read. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/util.h"

/* A mark with one file is 0.7 KiB. The largest table that a machine gets by default, 32,768 marks
 * (sensor/sizes.c), fits; what does not is left out, and the listing says so. It takes this memory for
 * seconds. */
#define MARK_LIST_BYTES_MAX (24U * 1024 * 1024)

typedef enum MarkListKind {
        MARK_LIST_ACCOUNTS,
        MARK_LIST_MARKS,
        MARK_LIST_KINDS,
} MarkListKind;

typedef struct MarkLines {
        char **lines;
        size_t n;
} MarkLines;

typedef struct MarkList {
        MarkLines of[MARK_LIST_KINDS];
        size_t n_bytes;
        uint64_t number; /* of the listing, never 0 */
        uint64_t realtime_usec;
        bool done;     /* nothing is added any more */
        bool complete; /* it has every mark and account */
} MarkList;

/* NULL: out of memory. */
MarkList *mark_list_new(uint64_t number, uint64_t realtime_usec);
MarkList *mark_list_free(MarkList *l);
DEFINE_CLEANUP(MarkList, mark_list_free);

/* Takes ownership of the line. Without room for it, the list is not complete. */
void mark_list_add(MarkList *l, MarkListKind kind, char *line);
