/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "sensor/cgroup-root.h"
#include "basic/fdinfo.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "sensor/carry.h"
#include "sensor/private.h"

/* See sensor_tables(). */
#define NOTHING (-1)

/* The overhead of an entry of a hash (kernel/bpf/hashtab.c struct htab_elem). */
#define ENTRY_BYTES 48

/* A mapping of an array map: each value padded to 8 bytes (kernel/bpf/arraymap.c), all of them to pages. */
static int sensor_map(Sensor *s, SensorMap map, int protection, void *ret) {
        size_t page = sysconf(_SC_PAGESIZE);
        size_t size = (s->parts.shapes[map].value_bytes + 7) / 8 * 8 * (size_t)s->parts.shapes[map].entries;

        size = (size + page - 1) / page * page;
        void *p = mmap(NULL, size, protection, MAP_SHARED, s->parts.maps[map], 0);
        if (p == MAP_FAILED)
                return -errno;
        memcpy(ret, &p, sizeof(p));
        s->map_bytes[map] = size;
        return 0;
}

/* When this process began, in BW_START_TICK_NS of the boot clock (proc_pid_stat(5)); 0: unknown. */
static uint64_t start_ticks(void) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/stat", "re");
        char line[1024], *field = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

        /* The second field is the name, which may contain anything. */
        for (unsigned i = 2; i < 22 && field; i++)
                field = strchr(field + 1, ' ');
        return field ? strtoull(field, NULL, 10) : 0;
}

Sensor *sensor_make(const SensorSizes *sizes) {
        Sensor *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        sensor_parts_init(&s->parts);
        s->sizes = *sizes;
        s->start_ticks = start_ticks();
        s->old_ring_map = s->rings = -1;
        return s;
}

int sensor_open(Sensor *s) {
        s->n_cells = s->parts.shapes[SENSOR_MAP_CELLS].value_bytes / sizeof(struct bw_cell);
        s->n_repeats = s->parts.shapes[SENSOR_MAP_REPEATS].entries;
        int r = sensor_map(s, SENSOR_MAP_SHARED, PROT_READ | PROT_WRITE, &s->shared);
        if (r >= 0)
                r = sensor_map(s, SENSOR_MAP_TABLE, PROT_READ | PROT_WRITE, &s->tables);
        if (r >= 0)
                r = sensor_map(s, SENSOR_MAP_CELLS, PROT_READ | PROT_WRITE, &s->cells);
        if (r >= 0)
                r = sensor_map(s, SENSOR_MAP_REPEATS, PROT_READ, &s->repeats);
        if (r >= 0)
                r = sensor_map(s, SENSOR_MAP_ACTIVITY, PROT_READ | PROT_WRITE, &s->activity);
        if (r >= 0)
                r = record_ring_new(s->parts.maps[SENSOR_MAP_RING], s->parts.shapes[SENSOR_MAP_RING].entries,
                                &s->ring);
        if (r < 0)
                return log_error_errno(r, "Failed to map BPF maps: %m");
        /* A previous instance may have been killed meanwhile. */
        s->shared->list_number = s->shared->list_quiet = s->shared->names_swept = 0;
        s->shared->activity_wanted = 0;
        memcpy(s->losses_reported, s->shared->losses_reported, sizeof(s->losses_reported));
        s->repeats_reported = s->shared->repeats_reported;
        return 0;
}

int sensor_new(SensorKind kind, struct btf *types, const SensorSizes *sizes, const int *reuse,
                Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = sensor_make(sizes);

        if (!s)
                return log_oom();
        int r = sensor_load(kind, types, sizes, reuse, &s->parts);
        if (r >= 0)
                r = sensor_open(s);
        if (r >= 0)
                *ret = STEAL_PTR(s);
        return r;
}

void sensor_detach(Sensor *s) {
        for (size_t i = 0; i < BW_HOOK_MAX; i++) {
                closep(&s->parts.links[i]);
                s->parts.links[i] = -1;
        }
}

static void hook_done(Hook *h) {
        closep(&h->fdinfo);
        hook_watch_close(&h->watch);
        free(h->obstacle);
}

Sensor *sensor_free(Sensor *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n_hooks; i++)
                hook_done(&s->hooks[i]);
        strv_free(s->foreign);
        free(s->passed_over);
        record_ring_free(s->ring);
        record_ring_free(s->old_ring);
        closep(&s->old_ring_map);
        closep(&s->rings);
        if (s->shared)
                munmap(s->shared, s->map_bytes[SENSOR_MAP_SHARED]);
        if (s->tables)
                munmap(s->tables, s->map_bytes[SENSOR_MAP_TABLE]);
        if (s->cells)
                munmap(s->cells, s->map_bytes[SENSOR_MAP_CELLS]);
        if (s->repeats)
                munmap((void *)s->repeats, s->map_bytes[SENSOR_MAP_REPEATS]);
        if (s->activity)
                munmap(s->activity, s->map_bytes[SENSOR_MAP_ACTIVITY]);
        sensor_parts_done(&s->parts);
        free(s);
        return NULL;
}

/* refused: by shares; a full table counts a loss, but for objects, where the loss is one of them. */
void sensor_tables(const Sensor *s, SensorTable ret[static SENSOR_TABLES]) {
        static const struct {
                const char *name;
                SensorMap map;
                enum bw_count live;
                int refused, full, dropped; /* enum bw_count, enum bw_loss, enum bw_count; NOTHING */
        } tables[BW_SHARE_TABLES] = {
                [BW_SHARE_MARKS] = { "processes", SENSOR_MAP_MARKS, BW_COUNT_MARKS_LIVE,
                                BW_COUNT_MARKS_SUSPECTED, BW_LOSS_MARK_REFUSED, NOTHING },
                [BW_SHARE_OBJECTS] = { "objects", SENSOR_MAP_OBJECTS, BW_COUNT_OBJECTS_LIVE,
                                BW_COUNT_OBJECTS_SUSPECTED, NOTHING, BW_COUNT_OBJECTS_DROPPED },
                [BW_SHARE_FILES] = { "files", SENSOR_MAP_SENSITIVE, BW_COUNT_FILES_LIVE,
                                BW_COUNT_FILES_REFUSED, BW_LOSS_FILE_REFUSED, BW_COUNT_FILES_DROPPED },
                [BW_SHARE_LINEAGES] = { "lineages", SENSOR_MAP_PROCESSES, BW_COUNT_LINEAGES_LIVE,
                                BW_COUNT_LINEAGES_REFUSED, BW_LOSS_LINEAGE_REFUSED, NOTHING },
                [BW_SHARE_MAPPINGS] = { "mappings", SENSOR_MAP_MAPPINGS, BW_COUNT_MAPPINGS_LIVE,
                                BW_COUNT_MAPPINGS_REFUSED, BW_LOSS_MAPPING_REFUSED, NOTHING },
                /* Beyond its share a name has a place that others may take, so that a full table is no loss
                 * yet. */
                [BW_SHARE_NAMES] = { "names", SENSOR_MAP_NAMES, BW_COUNT_NAMES_LIVE, BW_COUNT_NAMES_REFUSED,
                                NOTHING, NOTHING },
                [BW_SHARE_RINGS] = { "rings", SENSOR_MAP_RINGS, BW_COUNT_RINGS_LIVE, NOTHING,
                                BW_LOSS_RING_REFUSED, NOTHING },
        };

        for (size_t i = 0; i < BW_SHARE_TABLES; i++) {
                const SensorShape *shape = &s->parts.shapes[tables[i].map];
                uint64_t live = sensor_count(s, tables[i].live), bytes = shape->key_bytes;

                bytes += shape->value_bytes + ENTRY_BYTES;
                ret[i] = (SensorTable){
                        .name = tables[i].name,
                        .live = live,
                        .max = s->sizes.limit[i],
                        .bytes = bytes * (shape->type == BPF_MAP_TYPE_LRU_HASH ? shape->entries : live),
                };
                if (tables[i].refused != NOTHING)
                        ret[i].refused = sensor_count(s, (enum bw_count)tables[i].refused);
                if (tables[i].full != NOTHING)
                        ret[i].refused += __atomic_load_n(
                                        &s->shared->losses[tables[i].full], __ATOMIC_RELAXED);
                if (tables[i].dropped != NOTHING)
                        ret[i].dropped = sensor_count(s, (enum bw_count)tables[i].dropped);
        }
        ret[BW_SHARE_TABLES] = sensor_activity_table(s);
}

SensorKind sensor_kind(const Sensor *s) {
        return s->parts.kind;
}

unsigned sensor_n_hooks(const Sensor *s) {
        return s->n_hooks;
}

/* From the program's fdinfo (kernel/bpf/syscall.c, since 5.12); 0 on older kernels. */
static uint64_t hook_misses(const Hook *h) {
        uint64_t misses;

        return fdinfo_read(h->fdinfo, "recursion_misses", &misses) ? misses : 0;
}

SensorHook sensor_hook(const Sensor *s, unsigned i) {
        const Hook *h = &s->hooks[i];

        return (SensorHook){
                .name = h->name,
                .not_monitored = hook_infos[h->id].not_monitored,
                .denies = hook_infos[h->id].denies,
                .attached = s->parts.links[h->id] >= 0 && hook_watch_intact(&h->watch),
                .proof = h->proof,
                .obstacle = h->obstacle,
                .misses = hook_misses(h),
        };
}

unsigned sensor_n_hooks_gone(const Sensor *s) {
        unsigned n = 0;

        for (size_t i = 0; i < s->n_hooks; i++)
                n += s->parts.links[s->hooks[i].id] >= 0 && !hook_watch_intact(&s->hooks[i].watch);
        return n;
}

const char *sensor_passed_over(const Sensor *s) {
        return s->passed_over;
}

char *const *sensor_foreign(const Sensor *s) {
        static char *const none[] = { NULL };

        return s->foreign ?: none;
}

size_t sensor_max_cells(const Sensor *s) {
        return s->n_cells;
}

/* Values of an array are aligned to 8 bytes (kernel/bpf/arraymap.c). */
#define TABLE_STRIDE ((sizeof(struct bw_table) + 7) / 8 * 8)

/* For so long a new policy is on trial. */
#define TRIAL_USEC (60 * 60 * USEC_PER_SEC)

uint32_t sensor_policy_write(Sensor *s, const PolicyTables *t) {
        uint32_t *active = &s->shared->policy_active, idle = *active;
        /* In new tables none is in force. Old programs may look at others by the same index. */
        if (((struct bw_table *)((char *)s->tables + idle * TABLE_STRIDE))->generation != 0)
                idle = (idle + 1) % BW_TABLES;
        struct bw_table *to = (struct bw_table *)((char *)s->tables + idle * TABLE_STRIDE);
        struct bw_cell *cells = s->cells + idle * s->n_cells;
        uint32_t seq = to->seq | 1; /* odd: a program that still looks at this copy will look again */

        __atomic_store_n(&to->seq, seq, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* a store alone does not keep later ones behind it */

        size_t after_seq = offsetof(struct bw_table, generation);
        memcpy((char *)to + after_seq, (const char *)t->table + after_seq, sizeof(*to) - after_seq);
        if (s->shared->trial_policy != t->identity) {
                s->shared->trial_policy = t->identity;
                s->shared->trial_until_ns = (time_now_usec(CLOCK_MONOTONIC) + TRIAL_USEC) * NSEC_PER_USEC;
                s->shared->fallen = 0;
        }
        to->dry |= s->shared->fallen;
        to->generation = ++s->shared->generation;
        to->daemon_pid = (uint32_t)getpid();
        to->daemon_start = s->start_ticks;
        s->refusing = to->denies & ~to->dry;
        s->locking = to->locks | to->closes;
        memcpy(cells, t->cells, t->n_cells * sizeof(*cells));
        for (size_t i = t->n_cells; i < s->n_cells; i++)
                cells[i] = (struct bw_cell){ .check = BW_IS_HEADER };

        __atomic_store_n(&to->seq, seq + 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(active, idle, __ATOMIC_SEQ_CST);
        return to->generation;
}

static struct bw_table *sensor_table(const Sensor *s) {
        return (struct bw_table *)((char *)s->tables + s->shared->policy_active % BW_TABLES * TABLE_STRIDE);
}

SensorTrial sensor_trial(const Sensor *s) {
        const struct bw_table *t = sensor_table(s);

        return (SensorTrial){
                .policy = s->shared->trial_policy,
                .until_usec = s->shared->trial_until_ns / NSEC_PER_USEC,
                .enforced = t->denies | t->locks,
                .fallen = s->shared->fallen,
        };
}

void sensor_fall_back(Sensor *s, uint64_t classes) {
        s->shared->fallen |= classes;
        __atomic_fetch_or(&sensor_table(s)->dry, classes, __ATOMIC_SEQ_CST);
}

uint32_t sensor_generation(const Sensor *s) {
        return s->shared->generation;
}

SensorGaps sensor_gaps(const Sensor *s) {
        return (SensorGaps){
                .cgroup_partial = s->cgroup_partial,
                .host_unknown = !s->shared->host_known,
                .lacking = s->shared->lacking,
        };
}

/* The program fills the tables itself, and prints nothing. */
static int iterate(int program) {
        _cleanup_close_ int link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
        char nothing[64];

        if (link < 0)
                return -errno;
        _cleanup_close_ int fd = bpf_iter_create(link);
        if (fd < 0)
                return -errno;
        for (;;) {
                ssize_t n = read(fd, nothing, sizeof(nothing));
                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
        }
}

/* Enters running processes. Twice, as a child may come before its parent when PIDs have wrapped. */
static int sensor_learn_processes(Sensor *s) {
        for (int pass = 0; pass < 2; pass++) {
                int r = iterate(s->parts.iterator);
                if (r < 0)
                        return r;
        }
        __atomic_store_n(&s->shared->processes_known, 1, __ATOMIC_SEQ_CST);
        if (!s->shared->host_known)
                log_warning("Cannot determine the mount namespace of PID 1: only [Allow] rules with "
                            "Container=yes apply.");
        return 0;
}

Hook *sensor_add_hook(Sensor *s, enum bw_hook id) {
        Hook *h = &s->hooks[s->n_hooks++];

        *h = (Hook){
                .id = id,
                .name = hook_infos[id].sections[s->parts.kind],
                .fdinfo = fdinfo_open(s->parts.programs[id]),
                .watch = hook_watch_open(s->parts.links[id]),
        };
        return h;
}

/* Attaches one hook's program. Uses bpf(2) instead of libbpf, since the descriptor has to outlive this
 * process; BPF_RAW_TRACEPOINT_OPEN serves tracepoints, LSM and fexit programs alike (kernel/bpf/syscall.c
 * bpf_raw_tracepoint_open()). */
static int sensor_attach_hook(Sensor *s, enum bw_hook id, int cgroup) {
        const HookInfo *info = &hook_infos[id];
        Hook *h = sensor_add_hook(s, id);
        int program = s->parts.programs[id], *link = &s->parts.links[id], r = -EOPNOTSUPP;

        if (program >= 0) {
                *link = info->cgroup ? bpf_link_create(program, cgroup, info->cgroup, NULL)
                                     : bpf_raw_tracepoint_open(NULL, program);
                r = *link < 0 ? -errno : 0;
        }
        if (r >= 0) {
                s->shared->hooks |= UINT64_C(1) << id;
                h->watch = hook_watch_open(*link);
                return 0;
        }
        *link = -1;
        h->obstacle = hook_watch_obstacle(r, h->name, cgroup, (int)info->cgroup);
        if (!info->essential) {
                log_warning("Failed to attach hook %s: %s. %s: %s.", h->name, h->obstacle ?: strerror(-r),
                                hook_without(info), info->not_monitored);
                return 0;
        }
        log_error("Failed to attach hook %s: %s", h->name, h->obstacle ?: strerror(-r));
        return r == -EPERM ? -EPERM : -EOPNOTSUPP;
}

int sensor_prove(Sensor *s) {
        for (size_t i = 0; i < s->n_hooks; i++) {
                Hook *h = &s->hooks[i];
                const HookInfo *info = &hook_infos[h->id];

                if (s->parts.links[h->id] < 0)
                        continue;
                int r = info->act ? info->act() : -EOPNOTSUPP;
                if (__atomic_load_n(&s->shared->fired[h->id], __ATOMIC_RELAXED)) {
                        h->proof = SENSOR_PROVED;
                        continue;
                }
                if (r < 0) {
                        if (info->act)
                                log_debug("Failed to exercise hook %s: %s", h->name, strerror(-r));
                        continue;
                }
                h->proof = SENSOR_DISPROVED;
                if (info->essential) {
                        log_error("Hook %s is attached but does not fire.", h->name);
                        return -EOPNOTSUPP;
                }
                log_warning("Hook %s is attached but does not fire. %s: %s.", h->name, hook_without(info),
                                info->not_monitored);
        }
        return 0;
}

void sensor_enforce(Sensor *s) {
        _cleanup_close_ int cgroup = -1;
        bool attached = false, complete;

        for (size_t i = 0; i < BW_HOOK_MAX; i++) {
                if (!hook_infos[i].denies || !(hook_infos[i].locks ? s->locking : s->refusing) ||
                                !hook_infos[i].sections[s->parts.kind] || s->parts.links[i] >= 0)
                        continue;
                /* It may have failed at the last reload. */
                for (size_t k = 0; k < s->n_hooks; k++)
                        if (s->hooks[k].id == i) {
                                hook_done(&s->hooks[k]);
                                s->hooks[k] = s->hooks[--s->n_hooks];
                        }
                if (hook_infos[i].cgroup && cgroup < 0)
                        cgroup = cgroup_root_open(&complete);
                if (sensor_attach_hook(s, i, cgroup) < 0 || s->parts.links[i] < 0)
                        continue;
                attached = true;
                if (s->kept && sensor_carry_link(s->kept, s->identity, &s->parts, i) < 0)
                        log_warning("Failed to store hook %s: after a restart of the daemon it is attached "
                                    "anew.",
                                        hook_infos[i].sections[s->parts.kind]);
        }
        if (attached)
                (void)sensor_prove(s);
}

int sensor_open_cgroup(Sensor *s, int *ret) {
        bool complete;
        int cgroup = cgroup_root_open(&complete);

        if (cgroup == -ENOENT) {
                log_error("No cgroup2 file system is mounted, and the network hooks attach to its root: run "
                          "\"mount -t cgroup2 none /sys/fs/cgroup/unified\".");
                return -EOPNOTSUPP;
        }
        if (cgroup < 0)
                return log_error_errno(cgroup, "Failed to open the root of the cgroup2 file system: %m");

        s->cgroup_partial = !complete;
        if (!complete)
                log_warning("Running in a cgroup namespace: network connections of processes outside it are "
                            "not monitored.");
        int r = hook_watch_foreign(cgroup, s->own, s->n_own, &s->foreign);
        if (r < 0) {
                log_error("Failed to query BPF programs attached to the root cgroup: %s", strerror(-r));
                close(cgroup);
                return r;
        }
        *ret = cgroup;
        return 0;
}

int sensor_attach(Sensor *s) {
        _cleanup_close_ int cgroup = -1;
        /* Programs of the previous instance filled this table of processes, or the one that it was copied
         * from, and have seen every open since. */
        const bool known = s->shared->processes_known;
        bool learned = known;

        s->shared->hooks = 0;
        int r = s->parts.kind == SENSOR_TRACEPOINT ? sensor_open_cgroup(s, &cgroup) : 0;
        for (size_t i = 0; i < BW_HOOK_MAX && r >= 0; i++) {
                if (!hook_infos[i].sections[s->parts.kind] || hook_infos[i].denies ||
                                (hook_infos[i].dispensable && s->parts.programs[i] < 0))
                        continue;
                if (i > BW_HOOK_EXIT && !learned) {
                        r = sensor_learn_processes(s);
                        if (r < 0) {
                                log_error("Failed to enumerate running processes: %s", strerror(-r));
                                break;
                        }
                        learned = true;
                }
                r = sensor_attach_hook(s, i, cgroup);
        }
        if (r >= 0 && !known) {
                r = iterate(s->parts.file_iterator);
                if (r >= 0 && s->parts.map_iterator >= 0)
                        r = iterate(s->parts.map_iterator);
                if (r < 0)
                        log_error("Failed to scan files opened before startup: %s", strerror(-r));
        }
        return r < 0 ? r : sensor_prove(s);
}

int sensor_fd(const Sensor *s) {
        return s->rings >= 0 ? s->rings : s->parts.maps[SENSOR_MAP_RING];
}

/* Returns the number of handled records; negative: do not continue. */
static int ring_consume(
                RecordRing *ring, unsigned max, SensorRecordHandler handler, void *userdata, int *ret_end) {
        const void *record;
        unsigned n = 0;
        size_t size;
        int r;

        while (n < max && (r = record_ring_next(ring, &record, &size)) != 0) {
                if (r > 0)
                        r = handler(record, size, userdata);
                if (r == -EAGAIN)
                        record_ring_rewind(ring);
                if (r == -EBADMSG)
                        log_error("BPF ring buffer is corrupted: invalid record header.");
                if (r < 0) {
                        *ret_end = r;
                        break;
                }
                record_ring_commit(ring);
                n++;
        }
        return (int)n;
}

int sensor_consume(Sensor *s, unsigned max, SensorRecordHandler handler, void *userdata) {
        int n = 0, end = 0;

        /* The record that was in progress in the last call has been handled by now. */
        record_ring_commit(s->ring);
        if (s->old_ring) {
                record_ring_commit(s->old_ring);
                n = ring_consume(s->old_ring, max, handler, userdata, &end);
                if (n == 0 && end == 0 && s->store) {
                        fd_store_remove(s->store, s->old_identity, SENSOR_RING_NAME, NULL);
                        s->store = NULL;
                }
        }
        if (end == 0 && n < (int)max)
                n += ring_consume(s->ring, max - n, handler, userdata, &end);
        return end == -EBADMSG ? end : n;
}

static size_t ring_waiting(const RecordRing *ring, uint64_t *ret_since_usec) {
        const void *record;
        size_t n = 0, offset = 0, size;

        while (record_ring_peek(ring, &offset, &record, &size) > 0) {
                const struct bw_header *h = record;
                if (size < sizeof(*h) || h->kind != BW_KIND_CORRELATION)
                        continue;
                if (n++ == 0 && *ret_since_usec == 0)
                        *ret_since_usec = h->mono_ns / NSEC_PER_USEC;
        }
        return n;
}

size_t sensor_waiting(const Sensor *s, uint64_t *ret_since_usec) {
        *ret_since_usec = 0;
        size_t n = s->old_ring ? ring_waiting(s->old_ring, ret_since_usec) : 0;
        return n + ring_waiting(s->ring, ret_since_usec);
}

void sensor_losses(const Sensor *s, uint64_t ret[static BW_LOSS_MAX]) {
        for (size_t i = 0; i < BW_LOSS_MAX; i++)
                ret[i] = __atomic_load_n(&s->shared->losses[i], __ATOMIC_RELAXED) - s->losses_reported[i];
}

uint64_t sensor_count(const Sensor *s, enum bw_count count) {
        return __atomic_load_n(&s->shared->counts[count], __ATOMIC_RELAXED) -
               (count == BW_COUNT_REPEATS ? s->repeats_reported : 0);
}

uint64_t sensor_recursion_misses(const Sensor *s) {
        uint64_t sum = 0;

        for (size_t i = 0; i < s->n_hooks; i++)
                sum += hook_misses(&s->hooks[i]);
        return sum - s->misses_reported;
}

void sensor_reported(Sensor *s, const uint64_t losses[static LOSSES_MAX], uint64_t n_repeats,
                uint64_t n_repeats_unreported) {
        const uint64_t repeats_gone = losses[BW_LOSS_REPEAT_GONE];

        for (size_t i = 0; i < BW_LOSS_MAX; i++)
                s->shared->losses_reported[i] = s->losses_reported[i] + losses[i];
        s->shared->losses_reported[BW_LOSS_REPEAT_GONE] -= MIN(repeats_gone, n_repeats_unreported);
        s->shared->repeats_reported = s->repeats_reported + n_repeats + repeats_gone;
        s->shared->misses_reported = s->misses_reported + losses[LOSS_RECURSION_MISSES];
}

uint64_t sensor_marks_dropped(const Sensor *s) {
        return s->marks_dropped;
}

bool sensor_repeats(const Sensor *s, uint32_t slot, uint64_t boot_ns, uint32_t cpu, uint64_t *ret_count) {
        if (slot >= s->n_repeats)
                return false;
        const struct bw_repeat *r = &s->repeats[slot];
        if (r->boot_ns != boot_ns || r->cpu != cpu)
                return false;
        *ret_count = __atomic_load_n(&r->count, __ATOMIC_RELAXED);
        return true;
}
