/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of what processes do, which the programs fill while the daemon asks for it. */

#include <stddef.h>
#include <string.h>

#include "sensor/private.h"

/* A program that began before the programs were to stop may stand between its two additions to `claims`,
 * which would be 2^32 - 1 for good if it were cleared. Zero is right only when the last of them has ended.
 */
void sensor_activity_clear(Sensor *s, size_t from, size_t n) {
        for (size_t i = from; i < from + n; i++) {
                struct bw_activity *a = &s->activity[i];

                memset(&a->pid, 0, sizeof(*a) - offsetof(struct bw_activity, pid));
        }
}

void sensor_activity_want(Sensor *s, bool wanted) {
        if (wanted && !s->shared->activity_wanted)
                s->shared->activity_live = 0;
        __atomic_store_n(&s->shared->activity_wanted, wanted, __ATOMIC_SEQ_CST);
}

size_t sensor_n_activity(const Sensor *s) {
        return s->parts.shapes[SENSOR_MAP_ACTIVITY].entries;
}

/* The programs write the PID last, and 0 before anything else. */
bool sensor_activity(const Sensor *s, size_t i, struct bw_activity *ret) {
        const struct bw_activity *a = &s->activity[i];
        uint32_t pid = __atomic_load_n(&a->pid, __ATOMIC_ACQUIRE);

        if (pid == 0)
                return false;
        memcpy(ret, a, sizeof(*ret));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return __atomic_load_n(&a->pid, __ATOMIC_RELAXED) == pid && ret->pid == pid;
}

SensorTable sensor_activity_table(const Sensor *s) {
        const struct bw_shared *shared = s->shared;

        return (SensorTable){
                .name = "activity",
                .live = __atomic_load_n(&shared->activity_live, __ATOMIC_RELAXED),
                .max = sensor_n_activity(s),
                .bytes = s->map_bytes[SENSOR_MAP_ACTIVITY],
                .refused = __atomic_load_n(&shared->activity_refused, __ATOMIC_RELAXED),
                .dropped = __atomic_load_n(&shared->activity_dropped, __ATOMIC_RELAXED),
        };
}
