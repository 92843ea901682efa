/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>

#include "alert-state.h"
#include "json-line.h"
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
        char *line = NULL;

        if (!sentence)
                return NULL;
        json_auto_t *o = json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:s}", "kind", "state", "state", "loss", "time",
                json_from_time(a->realtime_usec), "cause", a->cause, "count", (json_int_t)a->count, "total",
                (json_int_t)a->total, "summary", sentence);
        if (!o || json_to_line(o, &line) < 0)
                return NULL;
        return line;
}
