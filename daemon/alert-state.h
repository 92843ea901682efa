/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told about detection itself. The same sentence in text, in the journal and in JSON:
 *
 * kind ("state"), state ("loss", "policy", "delay", "foreign"), time (RFC 3339, UTC), summary, and
 * of a loss: cause, count (since it was told last), total;
 * of a delay: count (of the alerts that say delayed_ms), longest_ms;
 * of foreign programs: programs[];
 * of a policy: hash (of what is in force), previous|null, refused, files, classes, allows, errors. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum StateKind {
        STATE_LOSS,   /* something was not judged or not told */
        STATE_POLICY, /* another policy is in force, or was refused */
        STATE_FOREIGN, /* programs of others sit where ours do: no loss, but good to know */
        STATE_DELAY,  /* alerts had to wait, and are told now */
} StateKind;

typedef struct StateAlert {
        StateKind kind;
        uint64_t realtime_usec;
        /* a loss */
        const char *cause;   /* CounterInfo.name */
        const char *meaning; /* CounterInfo.meaning */
        const char *remedy;  /* or NULL */
        uint64_t count, total;
        /* foreign programs */
        char *const *programs; /* hook_watch_foreign() */
        /* a delay, besides count */
        uint64_t longest_usec;
        /* a policy */
        const char *hash;     /* in force now: SHA-256, 64 hex digits */
        const char *previous; /* what was in force before; NULL: the first one */
        bool refused;         /* a new one was not used */
        size_t n_files, n_classes, n_allows, n_errors; /* of the one in force */
} StateAlert;

/* One sentence, newly allocated; NULL when memory is short. */
char *state_alert_sentence(const StateAlert *a);
/* One line without newline, newly allocated; NULL when memory is short. */
char *state_alert_json(const StateAlert *a);
