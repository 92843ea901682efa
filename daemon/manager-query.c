/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>
#include <unistd.h>

#include "barbwire-config.h"
#include "log.h"
#include "manager-internal.h"
#include "policy-json.h"
#include "query-socket.h"
#include "status-json.h"
#include "time-now.h"

size_t manager_waiting(const Manager *m, uint64_t *ret_since_usec) {
        uint64_t ring_usec, queue_usec;
        size_t n = sensor_waiting(m->sensor, &ring_usec) + alert_queue_waiting(alert_sink_queue(m->sink), &queue_usec);

        *ret_since_usec = ring_usec == 0 || queue_usec == 0 ? MAX(ring_usec, queue_usec) : MIN(ring_usec, queue_usec);
        return n;
}

static json_t *query_status(void *userdata) {
        Manager *m = userdata;
        uint64_t counters[BW_COUNT_MAX];
        SensorHook hooks[BW_HOOK_MAX];
        SensorGaps gaps = sensor_gaps(m->sensor);
        uint64_t waiting_usec;
        size_t n_waiting = manager_waiting(m, &waiting_usec);
        unsigned n_hooks = sensor_n_hooks(m->sensor);

        manager_update_losses(m);
        sensor_counters(m->sensor, counters);
        for (unsigned i = 0; i < n_hooks; i++)
                hooks[i] = sensor_hook(m->sensor, i);

        const Status s = {
                .version = BARBWIRE_VERSION,
                .pid = getpid(),
                .armed_realtime_usec = m->armed_realtime_usec,
                .sensor = sensor_kind(m->sensor),
                .hooks = hooks,
                .n_hooks = n_hooks,
                .foreign = sensor_foreign(m->sensor),
                .marks_live = counters[BW_COUNT_MARKS_LIVE],
                .marks_max = m->policies.limits.marks_max,
                .losses = &m->losses,
                .now_usec = time_now_usec(CLOCK_MONOTONIC),
                .policy = m->policies.policy,
                .policy_realtime_usec = m->policies.realtime_usec,
                .policy_refused = m->policies.refused,
                .n_patterns = m->policies.n_patterns,
                .cgroup_partial = gaps.cgroup_partial,
                .host_unknown = gaps.host_unknown,
                .lacking = gaps.lacking,
                .n_alerts = m->n_alerts,
                .n_repeats = m->n_repeats,
                .n_ignored = m->n_ignored,
                .n_below = m->n_below,
                .n_kept = alert_ring_end(m->ring) - alert_ring_begin(m->ring),
                .n_kept_max = m->policies.alerts_max,
                .n_waiting = n_waiting,
                .waiting_usec = waiting_usec,
                .n_clients = query_server_n_clients(m->query),
        };
        return status_to_json(&s);
}

static json_t *query_rules(void *userdata) {
        Manager *m = userdata;

        return policy_to_json(m->policies.policy);
}

int manager_open_query(Manager *m) {
        _cleanup_close_ int fd = -1;

        int r = query_socket_open(m->options->listen_path, m->store, &fd);
        if (r < 0 || fd < 0)
                return r;
        m->query_source = (QuerySource){
                .ring = m->ring,
                .status = query_status,
                .rules = query_rules,
                .userdata = m,
        };
        r = query_server_new(m->event, fd, &m->query_source, &m->query);
        if (r < 0)
                log_error("Cannot answer queries: %s", strerror(-r));
        else
                fd = -1;
        return r;
}
