/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <string.h>

#include "json-line.h"
#include "status-json.h"
#include "util.h"

_printf_(2, 3) static int reasons_add(json_t *reasons, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        int r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return -1;
        }
        return json_array_append_new(reasons, json_string(text));
}

/* Marks are refused above 90 % of the table, and it is told at three quarters (bpf/taint.bpf.h). */
static bool marks_are_scarce(const Status *s) {
        return s->marks_live >= s->marks_max / 4 * 3;
}

static json_t *degraded_to_json(const Status *s) {
        json_auto_t *reasons = json_array();
        int r = 0;

        for (size_t i = 0; i < s->n_hooks && r >= 0; i++)
                if (!s->hooks[i].attached || s->hooks[i].proof == SENSOR_DISPROVED)
                        r = reasons_add(reasons, "The hook %s %s. What is not seen: %s.", s->hooks[i].name,
                                s->hooks[i].attached ? "is attached and does not run" : "is not attached", s->hooks[i].blinds);
        if (r >= 0 && s->cgroup_partial)
                r = reasons_add(reasons, "The daemon is in a cgroup namespace: it sees the network of processes below its "
                                         "cgroup only.");
        if (r >= 0 && s->host_unknown)
                r = reasons_add(reasons, "What the host's file system is could not be found out: no [Allow] holds but those "
                                         "with Container=yes.");
        if (r >= 0 && s->waiting_usec != 0 && s->now_usec - s->waiting_usec > STATUS_WAITING_USEC)
                r = reasons_add(reasons,
                        "%zu alerts wait, since %" PRIu64 " s: the journal, or whoever reads standard output, does not take "
                        "them. They are kept in the kernel until its ring buffer is full.",
                        s->n_waiting, (uint64_t)((s->now_usec - s->waiting_usec) / USEC_PER_SEC));
        if (r >= 0 && s->policy->n_classes == 0)
                r = reasons_add(reasons, "Nothing is watched: the policy has no class.");
        if (r >= 0 && s->policy->n_errors > 0)
                r = reasons_add(reasons,
                        "The policy has %zu error%s: barbwired --check names every one; what is wrong is not used.",
                        s->policy->n_errors, s->policy->n_errors == 1 ? "" : "s");
        if (r >= 0 && s->policy_refused)
                r = reasons_add(reasons,
                        "The last reload was refused, and an older policy is in force: barbwired --check says why.");
        if (r >= 0 && marks_are_scarce(s))
                r = reasons_add(reasons,
                        "%" PRIu64 " processes are marked, of %" PRIu64
                        " that can be: raise MaxMarks= in [Correlator].",
                        s->marks_live, s->marks_max);
        for (unsigned i = 0; i < LOSSES_MAX && r >= 0; i++) {
                const CounterInfo *info = loss_info(i);

                if (info->name && s->losses->counts[i] > 0 &&
                        s->now_usec - s->losses->grown_usec[i] < STATUS_LOSS_RECENT_USEC)
                        r = reasons_add(reasons, "Within the last hour, %s (%s, %" PRIu64 " in all)%s%s.",
                                info->meaning, info->name, s->losses->counts[i], info->remedy ? "; " : "",
                                info->remedy ?: "");
        }
        return r < 0 ? NULL : STEAL_PTR(reasons);
}

static json_t *hooks_to_json(const Status *s) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < s->n_hooks; i++) {
                const SensorHook *h = &s->hooks[i];

                json_t *hook = json_pack("{s:s, s:b, s:o, s:I, s:s}",
                        "name", h->name,
                        "attached", h->attached,
                        "runs", h->proof == SENSOR_UNTRIED ? json_null() : json_boolean(h->proof == SENSOR_PROVED),
                        "misses", (json_int_t)h->misses,
                        "without", h->blinds);
                if (json_array_append_new(array, hook) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

/* What cannot be seen here, and a better sensor or a newer kernel would show. */
static json_t *blind_to_json(const Status *s) {
        static const struct {
                uint64_t lacking;
                const char *what;
        } kernels[] = {
                { BW_LACKS_MAPPINGS, "files that were mapped and closed before Barbwire started" },
                { BW_LACKS_REQUESTS, "agents that io_uring connects to, and what io_uring reads that had to be waited for" },
        };
        json_auto_t *array = json_array();

        for (size_t i = 0; i < ELEMENTSOF(kernels); i++)
                if (s->lacking & kernels[i].lacking && json_array_append_new(array, json_string(kernels[i].what)) < 0)
                        return NULL;
        for (size_t i = 0; s->sensor == SENSOR_TRACEPOINT && i < BW_HOOK_MAX; i++)
                if (hook_infos[i].sections[SENSOR_LSM] && !hook_infos[i].sections[SENSOR_TRACEPOINT] &&
                    !hook_infos[i].elsewhere && json_array_append_new(array, json_string(hook_infos[i].blinds)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *losses_to_json(const Losses *l) {
        json_auto_t *array = json_array();

        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                const CounterInfo *info = loss_info(i);

                if (!info->name)
                        continue;
                json_t *o = json_pack("{s:s, s:I, s:s, s:s?, s:o}", "cause", info->name, "count",
                        (json_int_t)l->counts[i], "meaning", info->meaning, "remedy", info->remedy, "last",
                        l->counts[i] > 0 ? json_from_time(l->grown_realtime_usec[i]) : json_null());
                if (json_array_append_new(array, o) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

static json_t *files_to_json(const Policy *p) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < p->n_files; i++)
                if (json_array_append_new(array, json_from_bytes(p->files[i], strlen(p->files[i]))) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

json_t *status_to_json(const Status *s) {
        json_t *degraded = degraded_to_json(s);
        bool whole = json_array_size(degraded) == 0;

        /* A NULL among the objects makes json_pack() fail, and free the others. */
        return json_pack("{s:s, s:I, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:o,"
                         " s:{s:s, s:o, s:o, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:I}",
                "version", s->version,
                "pid", (json_int_t)s->pid,
                "armed", json_from_time(s->armed_realtime_usec),
                "sensor", sensor_kind_to_string(s->sensor),
                "whole", whole,
                "degraded", degraded,
                "hooks", hooks_to_json(s),
                "blind", blind_to_json(s),
                "foreign", json_from_strings(s->foreign),
                "marks", "live", (json_int_t)s->marks_live, "max", (json_int_t)s->marks_max,
                "losses", losses_to_json(s->losses),
                "policy", "hash", s->policy->hash,
                "loaded", json_from_time(s->policy_realtime_usec),
                "files", files_to_json(s->policy),
                "classes", (json_int_t)s->policy->n_classes,
                "patterns", (json_int_t)s->n_patterns,
                "allows", (json_int_t)s->policy->n_allows,
                "errors", (json_int_t)s->policy->n_errors,
                "alerts", "raised", (json_int_t)s->n_alerts,
                "repeats", (json_int_t)s->n_repeats,
                "ignored", (json_int_t)s->n_ignored,
                "below", (json_int_t)s->n_below,
                "kept", (json_int_t)s->n_kept,
                "max", (json_int_t)s->n_kept_max,
                "waiting", (json_int_t)s->n_waiting,
                "clients", (json_int_t)s->n_clients);
}
