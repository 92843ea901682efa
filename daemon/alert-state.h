/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told about detection itself: something was lost. The same sentence in text and in JSON:
 *
 * kind ("state"), state ("loss"), time (RFC 3339, UTC), cause, count (since it was told last), total, summary. */

#include <stdint.h>

typedef struct StateAlert {
        const char *cause;   /* CounterInfo.name, or "recursion_misses" */
        const char *meaning; /* CounterInfo.meaning */
        const char *remedy;  /* or NULL */
        uint64_t count, total;
        uint64_t realtime_usec;
} StateAlert;

/* One sentence, newly allocated; NULL when memory is short. */
char *state_alert_sentence(const StateAlert *a);
/* One line without newline, newly allocated; NULL when memory is short. */
char *state_alert_json(const StateAlert *a);
