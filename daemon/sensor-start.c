/* SPDX-License-Identifier: GPL-2.0-or-later */

/* How a sensor comes to be: by taking over programs that run, by loading new ones beside them, or from nothing. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "log.h"
#include "sensor-carry.h"
#include "sensor-private.h"

/* Times that what is copied from old tables is compared once more, as both old and new programs write meanwhile: each
 * turn takes milliseconds, and finds what happened in the one before. */
#define COPY_TURNS 8

/* Marks, and what is known of processes, from tables of another size. Returns how much was different. */
static size_t sensor_copy(Sensor *s, SensorCarry *carry, const SensorLimits *limits) {
        static const SensorMap maps[] = { SENSOR_MAP_PROCESSES, SENSOR_MAP_MARKS };
        size_t n = 0, marks = carry->added[SENSOR_MAP_MARKS], objects = carry->added_objects;

        for (size_t i = 0; i < ELEMENTSOF(maps); i++)
                if (carry->copy[maps[i]] >= 0)
                        n += sensor_carry_copy(carry, maps[i], s->parts.maps[maps[i]],
                                i == 0 ? limits->processes_max : limits->marks_max + limits->marks_max / SENSOR_OBJECTS_SHARE);
        marks = carry->added[SENSOR_MAP_MARKS] - marks;
        objects = carry->added_objects - objects;
        __atomic_fetch_add(&s->shared->counters[BW_COUNT_MARKS_LIVE], marks - objects, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->shared->counters[BW_COUNT_OBJECTS_LIVE], objects, __ATOMIC_RELAXED);
        return n;
}

/* One kind: loaded, with its policy, attached, proved. Programs that run already go on meanwhile. */
static int sensor_try(SensorKind kind, const struct btf *types, const SensorLimits *limits, const PolicyTables *tables,
        SensorCarry *carry, Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = NULL;

        int r = sensor_kind_probe(kind, types);
        if (r == 0)
                r = sensor_new(kind, types, limits, carry->reuse, &s);
        else
                log_info("The sensor %s is not to be had: %s.", sensor_kind_to_string(kind), sensor_kind_obstacle(kind, r));
        if (r < 0)
                return r;
        s->n_own = carry->n_programs;
        memcpy(s->own, carry->programs, sizeof(s->own));
        sensor_policy_write(s, tables);
        if (carry->reuse[SENSOR_MAP_PROCESSES] < 0 && carry->copy[SENSOR_MAP_PROCESSES] < 0)
                s->shared->processes_known = 0;
        /* Old programs that run on the same hooks may make these look alive: then they have been proved before. */
        memset(s->shared->fired, 0, sizeof(s->shared->fired));
        s->shared->misses_told = 0;

        (void)sensor_copy(s, carry, limits);
        r = sensor_attach(s);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < COPY_TURNS && sensor_copy(s, carry, limits) > 0; i++)
                ;
        *ret = STEAL_PTR(s);
        return 0;
}

static int sensor_load_best(SensorKind kind, const SensorLimits *limits, const PolicyTables *tables, SensorCarry *carry,
        Sensor **ret) {
        _cleanup_(btf_freep) struct btf *types = NULL; /* read once: it takes tens of milliseconds */
        int r = sensor_kernel_check(&types);

        if (r < 0)
                return r;
        if (kind != SENSOR_AUTO) {
                r = sensor_try(kind, types, limits, tables, carry, ret);
                if (r == -ENODATA || (r == -EPERM && kind != SENSOR_TRACEPOINT))
                        r = -EOPNOTSUPP;
                if (r == -EOPNOTSUPP)
                        log_error("This machine cannot run the sensor %s, see above; --sensor=auto takes the best that works.",
                                sensor_kind_to_string(kind));
                return r;
        }
        for (kind = 0; kind < SENSOR_KINDS; kind++) {
                r = sensor_try(kind, types, limits, tables, carry, ret);
                if (r == 0 || r == -ENOMEM)
                        break;
        }
        return r;
}

/* Takes over programs that run. */
static int sensor_adopt(const SensorPlan *plan, const PolicyTables *tables, const SensorStore *store, Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = sensor_make();
        _cleanup_close_ int cgroup = -1;

        if (!s)
                return -ENOMEM;
        s->n_own = sensor_carry_programs(store, s->own);
        int r = sensor_carry_adopt(store, plan, &s->parts);
        if (r >= 0)
                r = sensor_open(s);
        if (r >= 0 && s->parts.kind == SENSOR_TRACEPOINT)
                r = sensor_open_cgroup(s, &cgroup);
        if (r < 0)
                return r;
        s->misses_told = s->shared->misses_told;
        for (size_t i = 0; i < BW_HOOK_MAX; i++)
                if (hook_infos[i].sections[s->parts.kind] && !(hook_infos[i].dispensable && s->parts.programs[i] < 0))
                        (void)sensor_add_hook(s, i);
        r = sensor_prove(s);
        if (r < 0)
                return r;
        sensor_policy_write(s, tables);
        *ret = STEAL_PTR(s);
        return 0;
}

/* A ring of old programs. map: the store's; -1: there is none, or it is in use by the new ones, too. */
static int sensor_read_old(Sensor *s, int map, const SensorShape *shape) {
        struct epoll_event wanted = { .events = EPOLLIN };

        if (map < 0)
                return 0;
        s->old_ring_map = fcntl(map, F_DUPFD_CLOEXEC, 3);
        _cleanup_close_ int both = epoll_create1(EPOLL_CLOEXEC);
        if (s->old_ring_map < 0 || both < 0 || epoll_ctl(both, EPOLL_CTL_ADD, s->old_ring_map, &wanted) < 0 ||
            epoll_ctl(both, EPOLL_CTL_ADD, s->parts.maps[SENSOR_MAP_RING], &wanted) < 0)
                return -errno;
        int r = record_ring_new(s->old_ring_map, shape->entries, &s->old_ring);
        if (r >= 0)
                s->rings = STEAL_FD(both);
        return r;
}

/* Programs of other identities go; what they have put into a ring of their own is still read. adopted: whatever they have
 * marked is in our own tables, or was lost to the daemon before. */
static void sensor_release(Sensor *s, SensorStore *store, const SensorPlan *plan, const SensorCarry *carry, bool adopted) {
        char other[SENSOR_IDENTITY_SIZE];

        if (!sensor_store_other(store, plan->identity, other))
                return;
        sensor_store_remove(store, other, "link.", NULL);
        sensor_store_remove(store, other, "program.", NULL);
        sensor_store_sync(store);
        if (!adopted) {
                /* 0: the table is in use by the new ones, and is not theirs any more */
                size_t objects, marks = sensor_carry_count_marks(store, &objects);

                if (carry->reuse[SENSOR_MAP_SHARED] >= 0) { /* which have counted them */
                        __atomic_fetch_sub(&s->shared->counters[BW_COUNT_MARKS_LIVE], marks - objects, __ATOMIC_RELAXED);
                        __atomic_fetch_sub(&s->shared->counters[BW_COUNT_OBJECTS_LIVE], objects, __ATOMIC_RELAXED);
                }
                s->marks_dropped += carry->copy[SENSOR_MAP_MARKS] >= 0 ? carry->refused : marks;
        }
        int r = sensor_read_old(s, sensor_store_find(store, other, SENSOR_RING_NAME), &carry->shapes[SENSOR_MAP_RING]);
        if (r < 0)
                log_warning("Cannot read what the programs before have left: %s", strerror(-r));
        if (s->old_ring) {
                memcpy(s->old_identity, other, sizeof(other));
                s->store = store;
        }
        sensor_store_remove(store, other, NULL, s->old_ring ? SENSOR_RING_NAME : NULL);
}

int sensor_start(SensorKind kind, const SensorLimits *limits, const PolicyTables *tables, SensorStore *store, int names,
        Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = NULL;
        size_t dropped = 0, objects;
        SensorCarry carry;
        SensorPlan plan;

        int r = sensor_plan(kind, limits, &plan);
        if (r < 0)
                return r;
        r = sensor_adopt(&plan, tables, store, &s);
        bool adopted = r == 0;
        if (r == -EBADMSG) {
                dropped = sensor_carry_count_marks(store, &objects);
                log_warning("The watch begins anew: what happened since the last daemon ended is not told.");
                sensor_store_remove(store, NULL, NULL, NULL);
                sensor_store_sync(store);
        } else if (r < 0 && r != -ENOENT) {
                return r;
        }

        bool others = sensor_carry_find(store, &plan, &carry);
        if (!adopted) {
                r = sensor_load_best(kind, limits, tables, &carry, &s);
                if (r >= 0)
                        r = sensor_carry_keep(store, &plan, &s->parts, names);
                if (r < 0)
                        return r;
        }
        s->marks_dropped = dropped;
        sensor_release(s, store, &plan, &carry, adopted);
        if (adopted || others)
                log_notice("%s", adopted ? "taken over: the programs of the daemon before run on." :
                                           "upgraded: new programs go on with what those of the daemon before know.");
        *ret = STEAL_PTR(s);
        return 0;
}
