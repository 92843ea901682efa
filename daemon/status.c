/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "barbwire-config.h"
#include "status.h"
#include "status-json.h"
#include "basic/log.h"
#include "basic/time-util.h"

size_t status_waiting(const StatusSource *s, uint64_t *ret_since_usec) {
        uint64_t ring_usec, queue_usec;
        size_t n = sensor_waiting(s->sensor, &ring_usec) +
                   alert_queue_waiting(alert_sink_queue(s->sink), &queue_usec);

        *ret_since_usec = ring_usec == 0 || queue_usec == 0 ? MAX(ring_usec, queue_usec)
                                                            : MIN(ring_usec, queue_usec);
        return n;
}

void status_update_losses(const StatusSource *s) {
        uint64_t counts[LOSSES_MAX] = {}, n_repeats, since_usec;

        sensor_losses(s->sensor, counts);
        n_repeats = sensor_count(s->sensor, BW_COUNT_REPEATS);
        /* With no alert outstanding, here or in the ring, every repeat has been written, or never will be,
         * since its alert was dropped early or replaced. */
        if (s->watches->n == 0 && sensor_waiting(s->sensor, &since_usec) == 0 &&
                        n_repeats > s->counts->n_repeats + counts[BW_LOSS_REPEAT_GONE])
                s->counts->n_repeats_unreported = MAX(s->counts->n_repeats_unreported,
                                n_repeats - s->counts->n_repeats - counts[BW_LOSS_REPEAT_GONE]);
        counts[BW_LOSS_REPEAT_GONE] += s->counts->n_repeats_unreported;
        counts[LOSS_RECURSION_MISSES] = sensor_recursion_misses(s->sensor);
        counts[LOSS_HOOK_GONE] = sensor_n_hooks_gone(s->sensor);
        counts[LOSS_MALFORMED] = s->counts->n_malformed;
        counts[LOSS_UNWRITTEN] = alert_queue_n_unwritten(alert_sink_queue(s->sink));
        counts[LOSS_MARKS_DROPPED] = sensor_marks_dropped(s->sensor);
        losses_update(s->losses, counts, time_now_usec(CLOCK_MONOTONIC), time_now_usec(CLOCK_REALTIME));
}

void status_log_summary(const StatusSource *s) {
        uint64_t since_usec, waiting = status_waiting(s, &since_usec);
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return;
        fprintf(f, "stopped: alerts=%" PRIu64 " repeats=%" PRIu64 " lost=%" PRIu64 " waiting=%" PRIu64,
                        s->counts->n_alerts, s->counts->n_repeats, losses_sum(s->losses) + waiting, waiting);
        for (unsigned i = 0; i < LOSSES_MAX; i++)
                fprintf(f, " %s=%" PRIu64, loss_info(i)->name, s->losses->counts[i]);
        if (fflush(f) == 0)
                log_notice("%s", text);
}

json_t *status_query(const StatusSource *s) {
        SensorHook hooks[BW_HOOK_MAX];
        SensorGaps gaps = sensor_gaps(s->sensor);
        uint64_t waiting_usec;
        size_t n_waiting = status_waiting(s, &waiting_usec);
        unsigned n_hooks = sensor_n_hooks(s->sensor);
        SensorTable tables[SENSOR_TABLES];

        status_update_losses(s);
        sensor_tables(s->sensor, tables);
        for (unsigned i = 0; i < n_hooks; i++)
                hooks[i] = sensor_hook(s->sensor, i);

        const Status status = {
                .version = BARBWIRE_VERSION,
                .pid = getpid(),
                .armed_realtime_usec = s->armed_realtime_usec,
                .sensor = sensor_kind(s->sensor),
                .hooks = hooks,
                .n_hooks = n_hooks,
                .foreign = sensor_foreign(s->sensor),
                .passed_over = sensor_passed_over(s->sensor),
                .tables = tables,
                .marks_live = sensor_count(s->sensor, BW_COUNT_MARKS_LIVE),
                .marks_max = tables[0].max,
                .losses = s->losses,
                .now_usec = time_now_usec(CLOCK_MONOTONIC),
                .policy = s->policies->policy,
                .policy_realtime_usec = s->policies->realtime_usec,
                .policy_refused = s->policies->refused,
                .n_patterns = s->policies->n_patterns,
                .cgroup_partial = gaps.cgroup_partial,
                .host_unknown = gaps.host_unknown,
                .lacking = gaps.lacking,
                .n_alerts = s->counts->n_alerts,
                .n_repeats = s->counts->n_repeats,
                .n_ignored = s->counts->n_ignored,
                .n_below = s->counts->n_below,
                .n_info = s->counts->n_info,
                .fallen = sensor_trial(s->sensor).fallen,
                .names = &s->policies->names,
                .n_denied = sensor_count(s->sensor, BW_COUNT_DENIED),
                .n_would_deny = sensor_count(s->sensor, BW_COUNT_WOULD_DENY),
                .n_not_denied = sensor_count(s->sensor, BW_COUNT_NOT_DENIED),
                .n_kept = alert_ring_end(s->ring) - alert_ring_begin(s->ring),
                .n_kept_max = s->policies->alerts_max,
                .n_waiting = n_waiting,
                .waiting_usec = waiting_usec,
                .n_clients = s->query ? query_server_n_clients(s->query) : 0,
        };
        return status_to_json(&status);
}

int status_heartbeat(const StatusSource *s, HeartbeatEvent event) {
        /* A laptop that slept has one when it wakes up. */
        uint64_t now_usec = time_now_usec(CLOCK_BOOTTIME);

        if (event == HEARTBEAT_HOUR && now_usec - s->counts->heartbeat_usec < HEARTBEAT_USEC)
                return 0;
        json_auto_t *status = status_query(s);
        const json_t *degraded = json_object_get(status, "degraded"), *reason;
        _cleanup_free_ const char **reasons = calloc(json_array_size(degraded) + 1, sizeof(*reasons));
        size_t i;

        if (!status || !reasons)
                return -ENOMEM;
        json_array_foreach(degraded, i, reason) reasons[i] = json_string_value(reason);
        const StateAlert a = {
                .kind = STATE_HEARTBEAT,
                .realtime_usec = time_now_usec(CLOCK_REALTIME),
                .event = event,
                .version = BARBWIRE_VERSION,
                .sensor = sensor_kind_to_string(sensor_kind(s->sensor)),
                .reasons = (char *const *)reasons,
                .hash = s->policies->policy->hash,
                .total = losses_sum(s->losses),
        };
        _cleanup_free_ char *line = state_alert_json(&a);
        int r = line ? alert_sink_write_state(s->sink, &a, line) : -ENOMEM;
        if (r >= 0) /* otherwise it is due again a minute later */
                s->counts->heartbeat_usec = now_usec;
        return r;
}
