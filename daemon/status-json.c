/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <string.h>

#include "abi/shared.h"
#include "basic/json-util.h"
#include "status-json.h"
#include "basic/util.h"

_printf_(2, 3) static int reasons_add(json_t *reasons, const char *format, ...) {
        _cleanup_free_ char *text = FORMAT_ARGUMENTS(format);

        return text ? json_array_append_new(reasons, json_string(text)) : -1;
}

/* At 90 % of the table new marks are refused; bpf/mark/mark.bpf.h warns at 75 %. */
static bool marks_are_scarce(const Status *s) {
        return s->marks_live >= s->marks_max / 4 * 3;
}

static int hook_reasons_add(json_t *reasons, const SensorHook *hook) {
        if (hook->denies && (!hook->attached || hook->proof == SENSOR_DISPROVED))
                return reasons_add(reasons,
                                "Hook %s %s, and is needed to enforce the policy. Not refused: %s. Restart "
                                "barbwired.",
                                hook->name, hook->attached ? "does not fire" : "is not attached",
                                hook->not_monitored);
        if (!hook->attached)
                return reasons_add(reasons, "Hook %s is not attached%s%s. Not monitored: %s.", hook->name,
                                hook->obstacle ? ": " : "", hook->obstacle ?: "", hook->not_monitored);
        if (hook->proof == SENSOR_DISPROVED)
                return reasons_add(reasons, "Hook %s is attached but does not fire. Not monitored: %s.",
                                hook->name, hook->not_monitored);
        return 0;
}

static int loss_reasons_add(json_t *reasons, const LossInfo *info, uint64_t count) {
        if (info->remedy)
                return reasons_add(reasons,
                                "Detection gap within the last hour (%s, %" PRIu64 " in total): %s; %s.",
                                info->name, count, info->meaning, info->remedy);
        return reasons_add(reasons, "Detection gap within the last hour (%s, %" PRIu64 " in total): %s.",
                        info->name, count, info->meaning);
}

static const PolicyClass *class_fallen(const Status *s, unsigned bit) {
        return s->fallen >> bit & 1 ? policy_class_by_bit(s->policy, s->names, bit) : NULL;
}

static json_t *fallen_to_json(const Status *s) {
        json_auto_t *array = json_array();

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const PolicyClass *c = class_fallen(s, bit);

                if (c && json_array_append_new(array, json_from_bytes(c->name, strlen(c->name))) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

static json_t *degraded_to_json(const Status *s) {
        json_auto_t *reasons = json_array();
        int r = 0;

        for (size_t i = 0; i < s->n_hooks && r >= 0; i++)
                r = hook_reasons_add(reasons, &s->hooks[i]);
        if (r >= 0 && s->passed_over)
                r = reasons_add(reasons, "%s; then restart barbwired. Sensor %s monitors less.",
                                s->passed_over, sensor_kind_to_string(s->sensor));
        if (r >= 0 && s->cgroup_partial)
                r = reasons_add(reasons,
                                "The daemon is in a cgroup namespace: network access is monitored only for "
                                "processes below its cgroup.");
        if (r >= 0 && s->host_unknown)
                r = reasons_add(reasons,
                                "Cannot determine the host mount namespace: only [Allow] rules with "
                                "Container=yes apply.");
        if (r >= 0 && s->waiting_usec != 0 && s->now_usec - s->waiting_usec > STATUS_WAITING_USEC)
                r = reasons_add(reasons,
                                "Alerts not delivered for %" PRIu64 " s: %zu. The journal, or the reader of "
                                "standard output, does not accept them; they stay in the kernel's ring "
                                "buffer until it is full.",
                                (uint64_t)((s->now_usec - s->waiting_usec) / USEC_PER_SEC), s->n_waiting);
        if (r >= 0 && s->policy->n_classes == 0)
                r = reasons_add(reasons, "Nothing is monitored: the policy has no class.");
        if (r >= 0 && s->policy->n_errors > 0)
                r = reasons_add(reasons,
                                "Lines of the policy ignored because of errors: %zu. Run barbwired --check "
                                "to "
                                "see them.",
                                s->policy->n_errors);
        if (r >= 0 && s->policy_refused)
                r = reasons_add(reasons,
                                "The last reload failed, and the previous policy is in force. Run barbwired "
                                "--check to see the errors.");
        for (unsigned bit = 0; bit < BW_CLASSES_MAX && r >= 0; bit++)
                if (class_fallen(s, bit))
                        r = reasons_add(reasons,
                                        "Class %s has fallen back to dry-run: in the first hour of the "
                                        "policy it refused trusted programs of several services. Correct "
                                        "its rules, and reload.",
                                        class_fallen(s, bit)->name);
        if (r >= 0 && marks_are_scarce(s))
                r = reasons_add(reasons,
                                "Mark table is at least 75%% full (%" PRIu64 " of %" PRIu64
                                " processes): raise MaxMarks= in [Correlator].",
                                s->marks_live, s->marks_max);
        for (unsigned i = 0; i < LOSSES_MAX && r >= 0; i++)
                if (s->losses->counts[i] > 0 &&
                                s->now_usec - s->losses->grown_usec[i] < STATUS_LOSS_RECENT_USEC)
                        r = loss_reasons_add(reasons, loss_info(i), s->losses->counts[i]);
        return r < 0 ? NULL : STEAL_PTR(reasons);
}

static json_t *hooks_to_json(const Status *s) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < s->n_hooks; i++) {
                const SensorHook *h = &s->hooks[i];

                json_t *hook = json_pack("{s:s, s:b, s:o, s:I, s:s}", "name", h->name, "attached",
                                h->attached, "fires",
                                h->proof == SENSOR_UNTRIED ? json_null()
                                                           : json_boolean(h->proof == SENSOR_PROVED),
                                "misses", (json_int_t)h->misses, "not_monitored", h->not_monitored);
                if (json_array_append_new(array, hook) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

/* What this sensor or kernel does not monitor, and a better sensor or a newer kernel does. */
static json_t *not_monitored_to_json(const Status *s) {
        static const struct {
                uint64_t lacking;
                const char *what;
        } kernels[] = {
                { BW_LACKS_MAPPINGS, "files that were mapped and closed before Barbwire started" },
                { BW_LACKS_REQUESTS, "agents that io_uring connects to, and io_uring reads that have to "
                                     "wait for data" },
                { BW_LACKS_NAMES, "sensitive files that were renamed or linked before they were opened" },
        };
        json_auto_t *array = json_array();

        for (size_t i = 0; i < ELEMENTSOF(kernels); i++)
                if (s->lacking & kernels[i].lacking &&
                                json_array_append_new(array, json_string(kernels[i].what)) < 0)
                        return NULL;
        for (size_t i = 0; s->sensor == SENSOR_TRACEPOINT && i < BW_HOOK_MAX; i++)
                if (hook_infos[i].sections[SENSOR_LSM] && !hook_infos[i].sections[SENSOR_TRACEPOINT] &&
                                !hook_infos[i].elsewhere &&
                                json_array_append_new(array, json_string(hook_infos[i].not_monitored)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

/* What each sensor cannot refuse: egress that it notices when it is too late, or where a program has no say.
 */
#define ONLY(kind) (1U << (kind))
/* Unless the class has FailClosed=yes. */
#define NOT_TRACKED "egress of processes that are not tracked themselves, as the share of their user is full"
static const struct {
        unsigned sensors;
        const char *what;
} not_refused[] = {
        { ONLY(SENSOR_TRACEPOINT),
                        "on connections older than the open: what one chain of io_uring reads and sends, "
                        "and what splice(2) and sendfile(2) wait for" },
        { ONLY(SENSOR_TRACEPOINT),
                        "other families than IPv4 and IPv6, and of these multipath TCP and SCTP" },
        { ~0U, "accepting a connection; what is sent on it is refused" },
        { ONLY(SENSOR_TRACEPOINT), "data for local services that use the network on behalf of others" },
        { ONLY(SENSOR_FENTRY),
                        "datagrams with an address for local services that use the network on behalf of "
                        "others" },
        { ONLY(SENSOR_TRACEPOINT) | ONLY(SENSOR_FENTRY),
                        "data for files on other hosts and for /dev/net/tun" },
        { ONLY(SENSOR_FENTRY),
                        "before Linux 6.5, what sendfile(2) and splice(2) send on connections older than "
                        "the open" },
        { ~0U, "AF_XDP, and mappings of files on other hosts that are older than the open" },
        { ~0U, "core dumps to files on other hosts, and IP options and multicast groups (setsockopt)" },
        { ~0U, NOT_TRACKED },
};

static json_t *enforcement_to_json(const Status *s) {
        json_auto_t *array = json_array();
        bool signals = false, locks = false, denies = false, open = false;
        size_t n = 0, n_closed = 0;

        for (size_t i = 0; i < s->policy->n_classes; i++)
                signals |= s->policy->classes[i].action > POLICY_DENY;
        for (size_t i = 0; i < s->policy->n_classes; i++) {
                const PolicyClass *c = s->policy->classes + i;

                if (strcmp(c->name, POLICY_SELFTEST_CLASS) == 0)
                        continue;
                locks |= policy_class_locks(s->policy, c);
                denies |= policy_class_denies(s->policy, c);
                open |= policy_class_denies(s->policy, c) && !c->fail_closed;
                n_closed += policy_class_closes(s->policy, c);
                n += policy_class_denies(s->policy, c) || policy_class_locks(s->policy, c);
        }
        for (size_t i = 0; denies && i < ELEMENTSOF(not_refused); i++)
                if (not_refused[i].sensors & ONLY(s->sensor) &&
                                (open || strcmp(not_refused[i].what, NOT_TRACKED) != 0) &&
                                json_array_append_new(array, json_string(not_refused[i].what)) < 0)
                        return NULL;
        if (locks && s->sensor == SENSOR_TRACEPOINT &&
                        json_array_append_new(array,
                                        json_string("opens of files of classes with Access=allowed")) < 0)
                return NULL;
        if (n_closed > 0 && s->sensor == SENSOR_TRACEPOINT &&
                        json_array_append_new(array, json_string("opens that FailClosed=yes is to refuse")) <
                                        0)
                return NULL;
        if (n > 0 && signals && s->lacking & BW_LACKS_SIGNALS &&
                        json_array_append_new(array,
                                        json_string("processes, which are neither stopped nor killed")) < 0)
                return NULL;
        return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:o}", "mode",
                        n == 0                                                      ? "off"
                        : s->policy->enforcement.enabled == POLICY_ENFORCED_DRY_RUN ? "dry-run"
                                                                                    : "on",
                        "classes", (json_int_t)n, "fail_closed", (json_int_t)n_closed, "denied",
                        (json_int_t)s->n_denied, "would_deny", (json_int_t)s->n_would_deny, "not_denied",
                        (json_int_t)s->n_not_denied, "not_refused", array, "fallen", fallen_to_json(s));
}

static json_t *losses_to_json(const Losses *l) {
        json_auto_t *array = json_array();

        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                const LossInfo *info = loss_info(i);

                json_t *o = json_pack("{s:s, s:I, s:s, s:s?, s:o}", "cause", info->name, "count",
                                (json_int_t)l->counts[i], "meaning", info->meaning, "remedy", info->remedy,
                                "last",
                                l->counts[i] > 0 ? json_from_time(l->grown_realtime_usec[i]) : json_null());
                if (json_array_append_new(array, o) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

json_t *status_table_to_json(const SensorTable *t) {
        return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", t->name, "live", (json_int_t)t->live,
                        "max", (json_int_t)t->max, "bytes", (json_int_t)t->bytes, "refused",
                        (json_int_t)t->refused, "dropped", (json_int_t)t->dropped);
}

static json_t *tables_to_json(const Status *s) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < SENSOR_TABLES; i++)
                if (json_array_append_new(array, status_table_to_json(&s->tables[i])) < 0)
                        return NULL;
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
        const char *state = json_array_size(degraded) == 0 ? "ok" : "degraded";

        /* A NULL among the objects makes json_pack() fail, and free the others. */
        return json_pack(
                        "{s:s, s:I, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:o, s:o,"
                        " s:{s:s, s:o, s:o, s:I, s:I, s:I, s:I}, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
                        "s:I}, "
                        "s:I}",
                        "version", s->version, "pid", (json_int_t)s->pid, "armed",
                        json_from_time(s->armed_realtime_usec), "sensor", sensor_kind_to_string(s->sensor),
                        "state", state, "degraded", degraded, "hooks", hooks_to_json(s), "not_monitored",
                        not_monitored_to_json(s), "foreign", json_from_strings(s->foreign), "marks", "live",
                        (json_int_t)s->marks_live, "max", (json_int_t)s->marks_max, "tables",
                        tables_to_json(s), "losses", losses_to_json(s->losses), "policy", "hash",
                        s->policy->hash, "loaded", json_from_time(s->policy_realtime_usec), "files",
                        files_to_json(s->policy), "classes", (json_int_t)s->policy->n_classes, "patterns",
                        (json_int_t)s->n_patterns, "allows", (json_int_t)s->policy->n_allows, "errors",
                        (json_int_t)s->policy->n_errors, "enforcement", enforcement_to_json(s), "alerts",
                        "raised", (json_int_t)s->n_alerts, "repeats", (json_int_t)s->n_repeats, "ignored",
                        (json_int_t)s->n_ignored, "below", (json_int_t)s->n_below, "info",
                        (json_int_t)s->n_info, "kept", (json_int_t)s->n_kept, "max",
                        (json_int_t)s->n_kept_max, "waiting", (json_int_t)s->n_waiting, "clients",
                        (json_int_t)s->n_clients);
}
