/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <string.h>

#include "alert-state.h"
#include "json-line.h"
#include "util.h"

static int loss_sentence(const StateAlert *a, char **ret) {
        return asprintf(ret, "Detection was not whole, %" PRIu64 " time%s (%" PRIu64 " in all): %s%s%s [%s]", a->count,
                a->count == 1 ? "" : "s", a->total, a->meaning, a->remedy ? "; " : "", a->remedy ?: "", a->cause);
}

static int policy_sentence(const StateAlert *a, char **ret) {
        if (a->refused)
                return asprintf(ret,
                        "A new policy was refused, the one with SHA-256 %s stays in force: barbwired --check says why",
                        a->hash);

        _cleanup_free_ char *errors = NULL;
        if (a->n_errors > 0 &&
                asprintf(&errors, ", %zu error%s whose lines are not used", a->n_errors, a->n_errors == 1 ? "" : "s") < 0) {
                errors = NULL;
                return -1;
        }
        return asprintf(ret, "%s with SHA-256 %s is in force: %zu files, %zu classes, %zu allow rules%s",
                !a->previous                           ? "The policy" :
                        strcmp(a->previous, a->hash) == 0 ? "The unchanged policy" :
                                                            "A changed policy",
                a->hash, a->n_files, a->n_classes, a->n_allows, errors ?: "");
}

static int delay_sentence(const StateAlert *a, char **ret) {
        return asprintf(ret,
                "%" PRIu64 " alert%s told late, the latest %" PRIu64 " s after what it tells of: whoever takes the alerts "
                "had stopped, or was too slow; none of these is missing",
                a->count, a->count == 1 ? " was" : "s were", a->longest_usec / (uint64_t)USEC_PER_SEC);
}

static int foreign_sentence(const StateAlert *a, char **ret) {
        size_t size;
        FILE *f = open_memstream(ret, &size);

        if (!f)
                return -1;
        fputs("Other programs sit on the network hooks, and can refuse or redirect what Barbwire sees: ", f);
        for (char *const *p = a->programs; *p; p++)
                fprintf(f, "%s%s", p == a->programs ? "" : ", ", *p);
        return fclose(f);
}

static json_t *loss_members(const StateAlert *a) {
        return json_pack("{s:s, s:I, s:I}", "cause", a->cause, "count", (json_int_t)a->count, "total", (json_int_t)a->total);
}

static json_t *policy_members(const StateAlert *a) {
        return json_pack("{s:s, s:s?, s:b, s:I, s:I, s:I, s:I}", "hash", a->hash, "previous", a->previous, "refused",
                a->refused, "files", (json_int_t)a->n_files, "classes", (json_int_t)a->n_classes, "allows",
                (json_int_t)a->n_allows, "errors", (json_int_t)a->n_errors);
}

static json_t *delay_members(const StateAlert *a) {
        return json_pack("{s:I, s:I}", "count", (json_int_t)a->count, "longest_ms", (json_int_t)(a->longest_usec / 1000));
}

static json_t *foreign_members(const StateAlert *a) {
        return json_pack("{s:o}", "programs", json_from_strings(a->programs));
}

static const struct {
        const char *name;
        int (*sentence)(const StateAlert *a, char **ret);
        json_t *(*members)(const StateAlert *a);
} kinds[] = {
        [STATE_LOSS] = { "loss", loss_sentence, loss_members },
        [STATE_POLICY] = { "policy", policy_sentence, policy_members },
        [STATE_FOREIGN] = { "foreign", foreign_sentence, foreign_members },
        [STATE_DELAY] = { "delay", delay_sentence, delay_members },
};

char *state_alert_sentence(const StateAlert *a) {
        char *s = NULL;

        return kinds[a->kind].sentence(a, &s) < 0 ? NULL : s;
}

char *state_alert_json(const StateAlert *a) {
        _cleanup_free_ char *sentence = state_alert_sentence(a);
        char *line = NULL;

        if (!sentence)
                return NULL;
        json_auto_t *o = json_pack("{s:s, s:s, s:o, s:s}", "kind", "state", "state", kinds[a->kind].name, "time",
                json_from_time(a->realtime_usec), "summary", sentence);
        json_auto_t *more = kinds[a->kind].members(a);

        if (json_object_update(o, more) < 0 || json_to_line(o, &line) < 0)
                return NULL;
        return line;
}
