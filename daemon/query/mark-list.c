/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdlib.h>
#include <string.h>

#include "query/mark-list.h"

MarkList *mark_list_new(uint64_t number, uint64_t realtime_usec) {
        MarkList *l = calloc(1, sizeof(*l));

        if (l) {
                l->number = number;
                l->realtime_usec = realtime_usec;
                l->complete = true;
        }
        return l;
}

MarkList *mark_list_free(MarkList *l) {
        if (!l)
                return NULL;
        for (size_t kind = 0; kind < MARK_LIST_KINDS; kind++) {
                for (size_t i = 0; i < l->of[kind].n; i++)
                        free(l->of[kind].lines[i]);
                free(l->of[kind].lines);
        }
        free(l);
        return NULL;
}

void mark_list_add(MarkList *l, MarkListKind kind, char *line) {
        size_t size = strlen(line) + 1;
        MarkLines *to = &l->of[kind];
        /* Doubled at each power of two. */
        char **lines = (to->n & (to->n - 1)) != 0
                                       ? to->lines
                                       : realloc(to->lines, MAX(2 * to->n, (size_t)1) * sizeof(*lines));

        if (lines)
                to->lines = lines;
        if (!lines || l->n_bytes + size > MARK_LIST_BYTES_MAX) {
                l->complete = false;
                free(line);
                return;
        }
        to->lines[to->n++] = line;
        l->n_bytes += size;
}
