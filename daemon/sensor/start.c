/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Starts a sensor: adopts the programs of the previous instance, loads new ones beside them, or loads the
 * first ones. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "basic/log.h"
#include "sensor/carry.h"
#include "sensor/private.h"

/* How often the copy of old tables is compared again, as both old and new programs write meanwhile: each
 * turn takes milliseconds, and finds the changes of the previous one. */
#define COPY_TURNS 8

static void counter_add(Sensor *s, enum bw_count counter, size_t n) {
        __atomic_fetch_add(&s->shared->counts[counter], n, __ATOMIC_RELAXED);
}

/* Copies marks and entries of processes from tables of another size. Returns how many entries differed. */
static size_t sensor_copy(Sensor *s, SensorCarry *carry) {
        static const struct {
                SensorMap map, queue; /* SENSOR_MAPS: none */
        } copies[] = {
                { SENSOR_MAP_PROCESSES, SENSOR_MAPS },
                { SENSOR_MAP_MAPPINGS, SENSOR_MAPS },
                { SENSOR_MAP_MARKS, SENSOR_MAP_MARKED },
                { SENSOR_MAP_OBJECTS, SENSOR_MAP_OBJECT_QUEUE },
                { SENSOR_MAP_SENSITIVE, SENSOR_MAP_SENSITIVE_QUEUE },
                { SENSOR_MAP_SENSITIVE_NAMES, SENSOR_MAPS },
                { SENSOR_MAP_NAMES, SENSOR_MAP_NAME_QUEUE },
                { SENSOR_MAP_RINGS, SENSOR_MAP_RING_QUEUE },
        };
        size_t n = 0, marks = carry->added[SENSOR_MAP_MARKS], contents = carry->added_contents,
               objects = carry->added[SENSOR_MAP_OBJECTS], files = carry->added[SENSOR_MAP_SENSITIVE],
               lineages = carry->added[SENSOR_MAP_PROCESSES], mappings = carry->added[SENSOR_MAP_MAPPINGS],
               names = carry->added[SENSOR_MAP_NAMES], rings = carry->added[SENSOR_MAP_RINGS];

        for (size_t i = 0; i < ELEMENTSOF(copies); i++) {
                SensorMap map = copies[i].map;

                if (carry->copy[map] < 0)
                        continue;
                /* An LRU hash that is filled to the last entry evicts. */
                n += sensor_carry_copy(carry, map, s->parts.maps[map],
                                copies[i].queue == SENSOR_MAPS ? -1 : s->parts.maps[copies[i].queue],
                                s->parts.shapes[map].entries - s->parts.shapes[map].entries / 8);
        }
        contents = carry->added_contents - contents;
        counter_add(s, BW_COUNT_CONTENTS_LIVE, contents);
        counter_add(s, BW_COUNT_MARKS_LIVE, carry->added[SENSOR_MAP_MARKS] - marks - contents);
        counter_add(s, BW_COUNT_OBJECTS_LIVE, carry->added[SENSOR_MAP_OBJECTS] - objects);
        counter_add(s, BW_COUNT_FILES_LIVE, carry->added[SENSOR_MAP_SENSITIVE] - files);
        counter_add(s, BW_COUNT_LINEAGES_LIVE, carry->added[SENSOR_MAP_PROCESSES] - lineages);
        counter_add(s, BW_COUNT_MAPPINGS_LIVE, carry->added[SENSOR_MAP_MAPPINGS] - mappings);
        counter_add(s, BW_COUNT_NAMES_LIVE, carry->added[SENSOR_MAP_NAMES] - names);
        counter_add(s, BW_COUNT_RINGS_LIVE, carry->added[SENSOR_MAP_RINGS] - rings);
        return n;
}

/* Why a sensor did not attach, where other programs are the cause; else NULL. */
static char *sensor_obstacle(const Sensor *s, SensorKind kind) {
        char *text = NULL;

        for (size_t i = 0; i < s->n_hooks && !text; i++)
                if (s->hooks[i].obstacle && hook_infos[s->hooks[i].id].essential &&
                                asprintf(&text,
                                                "Sensor %s is not used, as its hook %s could not be "
                                                "attached: %s",
                                                sensor_kind_to_string(kind), s->hooks[i].name,
                                                s->hooks[i].obstacle) < 0)
                        return NULL;
        return text;
}

/* Loads one kind, writes the policy, attaches and tests its hooks. The programs of the previous instance
 * keep running meanwhile. *obstacle: newly allocated, what was in the way of it; unchanged if nothing was.
 */
static int sensor_try(SensorKind kind, struct btf *types, const SensorSizes *sizes,
                const PolicyTables *tables, SensorCarry *carry, char **obstacle, Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = NULL;

        int r = sensor_kind_probe(kind, types);
        if (r == 0)
                r = sensor_new(kind, types, sizes, carry->reuse, &s);
        else
                log_info("Sensor %s is not available: %s.", sensor_kind_to_string(kind),
                                sensor_kind_obstacle(kind, r));
        if (r < 0)
                return r;
        assert(s);
        s->n_own = carry->n_programs;
        memcpy(s->own, carry->programs, sizeof(s->own));
        sensor_policy_write(s, tables);
        if (carry->reuse[SENSOR_MAP_PROCESSES] < 0 && carry->copy[SENSOR_MAP_PROCESSES] < 0)
                s->shared->processes_known = 0;
        /* Old programs on the same hooks count as well, so that a new hook may seem to fire: the hook was
         * then proved for the old program. */
        memset(s->shared->fired, 0, sizeof(s->shared->fired));
        s->shared->misses_reported = 0;

        (void)sensor_copy(s, carry);
        r = sensor_attach(s);
        if (r < 0) {
                *obstacle = *obstacle ?: sensor_obstacle(s, kind);
                return r;
        }
        for (unsigned i = 0; i < COPY_TURNS && sensor_copy(s, carry) > 0; i++)
                ;
        *ret = STEAL_PTR(s);
        return 0;
}

static int sensor_load_best(SensorKind kind, const SensorSizes *sizes, const PolicyTables *tables,
                SensorCarry *carry, Sensor **ret) {
        _cleanup_(btf_freep) struct btf *types = NULL; /* read once: it takes tens of milliseconds */
        _cleanup_free_ char *obstacle = NULL;
        int r = sensor_kernel_check(&types);

        if (r < 0)
                return r;
        if (kind != SENSOR_AUTO) {
                r = sensor_try(kind, types, sizes, tables, carry, &obstacle, ret);
                if (r == -ENODATA || (r == -EPERM && kind != SENSOR_TRACEPOINT))
                        r = -EOPNOTSUPP;
                if (r == -EOPNOTSUPP)
                        log_error("Sensor %s is not available, see above; --sensor=auto uses the best that "
                                  "is.",
                                        sensor_kind_to_string(kind));
                return r;
        }
        for (kind = 0; kind < SENSOR_KINDS; kind++) {
                r = sensor_try(kind, types, sizes, tables, carry, &obstacle, ret);
                if (r == 0 || r == -ENOMEM)
                        break;
        }
        if (r == 0)
                (*ret)->passed_over = STEAL_PTR(obstacle);
        return r;
}

/* Adopts the programs of the previous instance. */
static int sensor_adopt(const SensorPlan *plan, const SensorSizes *sizes, const PolicyTables *tables,
                const FdStore *store, Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = sensor_make(sizes);
        _cleanup_close_ int cgroup = -1;

        if (!s)
                return log_oom();
        s->n_own = sensor_carry_programs(store, s->own);
        int r = sensor_carry_adopt(store, plan, &s->parts);
        if (r >= 0)
                r = sensor_open(s);
        if (r >= 0 && s->parts.kind == SENSOR_TRACEPOINT)
                r = sensor_open_cgroup(s, &cgroup);
        if (r < 0)
                return r;
        s->misses_reported = s->shared->misses_reported;
        for (size_t i = 0; i < BW_HOOK_MAX; i++)
                if (hook_infos[i].sections[s->parts.kind] &&
                                !(hook_infos[i].dispensable && s->parts.programs[i] < 0) &&
                                !(hook_infos[i].denies && s->parts.links[i] < 0))
                        (void)sensor_add_hook(s, i);
        r = sensor_prove(s);
        if (r < 0)
                return r;
        sensor_policy_write(s, tables);
        *ret = STEAL_PTR(s);
        return 0;
}

/* Opens the ring of old programs. map: in the store; -1: there is none, or the new programs use it, too. */
static int sensor_read_old(Sensor *s, int map, const SensorShape *shape) {
        struct epoll_event wanted = { .events = EPOLLIN };

        if (map < 0)
                return 0;
        int r = fd_copy(map, &s->old_ring_map);
        if (r < 0)
                return r;
        _cleanup_close_ int both = epoll_create1(EPOLL_CLOEXEC);
        if (both < 0 || epoll_ctl(both, EPOLL_CTL_ADD, s->old_ring_map, &wanted) < 0 ||
                        epoll_ctl(both, EPOLL_CTL_ADD, s->parts.maps[SENSOR_MAP_RING], &wanted) < 0)
                return -errno;
        r = record_ring_new(s->old_ring_map, shape->entries, &s->old_ring);
        if (r >= 0)
                s->rings = STEAL_FD(both);
        return r;
}

/* Closes programs of other identities; records in their own ring are still read. adopted: the previous
 * instance copied or lost their marks already. */
static void sensor_release(
                Sensor *s, FdStore *store, const SensorPlan *plan, const SensorCarry *carry, bool adopted) {
        char other[FD_STORE_IDENTITY_SIZE];

        if (!fd_store_other(store, plan->identity, other))
                return;
        fd_store_remove(store, other, "link.", NULL);
        fd_store_remove(store, other, "program.", NULL);
        fd_store_sync(store);
        if (!adopted) {
                /* 0: the new programs use the table */
                SensorHeld held = sensor_carry_count(store);

                if (carry->reuse[SENSOR_MAP_SHARED] >= 0) { /* the shared counts include them */
                        counter_add(s, BW_COUNT_MARKS_LIVE, -held.marks);
                        counter_add(s, BW_COUNT_CONTENTS_LIVE, -held.contents);
                        counter_add(s, BW_COUNT_OBJECTS_LIVE, -held.objects);
                        counter_add(s, BW_COUNT_FILES_LIVE, -held.files);
                        counter_add(s, BW_COUNT_LINEAGES_LIVE, -held.lineages);
                        counter_add(s, BW_COUNT_MAPPINGS_LIVE, -held.mappings);
                        counter_add(s, BW_COUNT_NAMES_LIVE, -held.names);
                        counter_add(s, BW_COUNT_RINGS_LIVE, -held.rings);
                }
                s->marks_dropped += carry->copy[SENSOR_MAP_MARKS] >= 0 ? carry->refused
                                                                       : held.marks + held.objects;
        }
        int r = sensor_read_old(
                        s, fd_store_find(store, other, SENSOR_RING_NAME), &carry->shapes[SENSOR_MAP_RING]);
        if (r < 0)
                log_warning("Failed to read pending records of the previous instance: %s", strerror(-r));
        if (s->old_ring) {
                memcpy(s->old_identity, other, sizeof(other));
                s->store = store;
        }
        fd_store_remove(store, other, NULL, s->old_ring ? SENSOR_RING_NAME : NULL);
}

int sensor_start(SensorKind kind, const SensorLimits *limits, const PolicyTables *tables, FdStore *store,
                int names, Sensor **ret) {
        const Machine machine = machine_read();
        const SensorSizes sizes = sensor_sizes(&machine, limits);
        _cleanup_(sensor_freep) Sensor *s = NULL;
        size_t dropped = 0;
        SensorCarry carry;
        SensorPlan plan;

        int r = sensor_plan(kind, &sizes, &plan);
        if (r < 0)
                return r;
        r = sensor_adopt(&plan, &sizes, tables, store, &s);
        bool adopted = r == 0;
        if (r == -EBADMSG) {
                SensorHeld held = sensor_carry_count(store);
                dropped = held.marks + held.objects;
                log_warning("Starting with empty state: activity since the previous instance stopped was "
                            "not monitored.");
                fd_store_remove(store, NULL, NULL, NULL);
                fd_store_sync(store);
        } else if (r < 0 && r != -ENOENT) {
                return r;
        }

        bool others = sensor_carry_find(store, &plan, &carry);
        if (!adopted) {
                r = sensor_load_best(kind, &sizes, tables, &carry, &s);
                if (r >= 0)
                        r = sensor_carry_keep(store, &plan, &s->parts, names);
                if (r < 0)
                        return r;
        }
        assert(s);
        s->marks_dropped = dropped;
        s->kept = store;
        memcpy(s->identity, plan.identity, sizeof(s->identity));
        sensor_enforce(s);
        sensor_release(s, store, &plan, &carry, adopted);
        if (adopted || others)
                log_notice("%s", adopted ? "Adopted the BPF programs of the previous instance."
                                         : "Replaced the BPF programs of the previous instance; marks and "
                                           "process state were migrated.");
        *ret = STEAL_PTR(s);
        return 0;
}
