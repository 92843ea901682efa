/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <time.h>

#include <jansson.h>

#include "alert-state.h"
#include "util.h"

char *state_alert_sentence(const StateAlert *a) {
        char *s = NULL;

        if (asprintf(&s, "Detection was not whole, %" PRIu64 " time%s (%" PRIu64 " in all): %s%s%s [%s]", a->count,
                    a->count == 1 ? "" : "s", a->total, a->meaning, a->remedy ? "; " : "", a->remedy ?: "",
                    a->cause) < 0)
                return NULL;
        return s;
}

char *state_alert_json(const StateAlert *a) {
        _cleanup_free_ char *sentence = state_alert_sentence(a);
        time_t seconds = a->realtime_usec / USEC_PER_SEC;
        char date[32], stamp[48];
        struct tm tm;

        if (!sentence || !gmtime_r(&seconds, &tm))
                return NULL;
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(stamp, sizeof(stamp), "%s.%06uZ", date, (unsigned)(a->realtime_usec % USEC_PER_SEC));

        json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "kind", "state", "state", "loss", "time", stamp,
                "cause", a->cause, "count", (json_int_t)a->count, "total", (json_int_t)a->total, "summary", sentence);
        if (!j)
                return NULL;
        char *text = json_dumps(j, JSON_COMPACT);
        json_decref(j);
        return text;
}
