/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A ring with alerts to ask for. */

#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "alert/ring.h"
#include "basic/json-util.h"
#include "query/methods.h"
#include "basic/util.h"

typedef struct TestAlert {
        const char *id, *severity, *class, *unit; /* unit: or NULL */
        uint64_t usec;
        int pid, uid;
        size_t padding;       /* bytes of summary */
        const char *incident; /* or NULL */
} TestAlert;

/* What the ring reads of an alert, and padding. */
static inline int test_alert_put(AlertRing *ring, const TestAlert *a) {
        _cleanup_free_ char *summary = malloc(a->padding + 1), *line = NULL;

        memset(summary, 'x', a->padding);
        summary[a->padding] = '\0';
        json_auto_t *o = json_pack("{s:s, s:s*, s:o, s:s, s:s, s:[s], s:{s:i, s:i, s:s?}}", "id", a->id,
                        "incident", a->incident, "time", json_from_time(a->usec), "severity", a->severity,
                        "summary", summary, "classes", a->class, "process", "pid", a->pid, "uid", a->uid,
                        "unit", a->unit);
        if (!o || json_to_line(o, &line) < 0)
                return -1;
        return alert_ring_put(ring, o, line);
}

/* Alerts boot-0 … boot-(n - 1), one a second. */
static inline int test_alerts_put(AlertRing *ring, unsigned first, unsigned n, size_t padding) {
        for (unsigned i = first; i < first + n; i++) {
                char id[32];
                const TestAlert a = { id, "high", "ssh", NULL, i * USEC_PER_SEC, 1, 1, padding, NULL };

                (void)snprintf(id, sizeof(id), "boot-%u", i);
                if (test_alert_put(ring, &a) < 0)
                        return -1;
        }
        return 0;
}
