/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cgroup-root.h"
#include "log.h"
#include "sensor-carry.h"
#include "sensor-private.h"

/* A mapping of an array map: each value padded to 8 bytes (kernel/bpf/arraymap.c), the whole to pages. */
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

Sensor *sensor_make(void) {
        Sensor *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        sensor_parts_init(&s->parts);
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
                r = record_ring_new(s->parts.maps[SENSOR_MAP_RING], s->parts.shapes[SENSOR_MAP_RING].entries, &s->ring);
        if (r < 0) {
                log_error("Cannot map the kernel's tables: %s", strerror(-r));
                return r;
        }
        memcpy(s->told, s->shared->told, sizeof(s->told));
        return 0;
}

int sensor_new(SensorKind kind, const struct btf *types, const SensorLimits *limits, const int *reuse, Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = sensor_make();

        if (!s)
                return -ENOMEM;
        int r = sensor_load(kind, types, limits, reuse, &s->parts);
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

Sensor *sensor_free(Sensor *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n_hooks; i++) {
                closep(&s->hooks[i].fdinfo);
                hook_watch_close(&s->hooks[i].watch);
        }
        hook_watch_foreign_free(s->foreign);
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
        sensor_parts_done(&s->parts);
        free(s);
        return NULL;
}

SensorKind sensor_kind(const Sensor *s) {
        return s->parts.kind;
}

unsigned sensor_n_hooks(const Sensor *s) {
        return s->n_hooks;
}

/* From the program's fdinfo (kernel/bpf/syscall.c, since 5.12); 0 on kernels that do not tell. */
static uint64_t hook_misses(const Hook *h) {
        static const char key[] = "recursion_misses:";
        char text[1024];

        ssize_t n = pread(h->fdinfo, text, sizeof(text) - 1, 0);
        if (n <= 0)
                return 0;
        text[n] = 0;
        const char *at = strstr(text, key);
        return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

SensorHook sensor_hook(const Sensor *s, unsigned i) {
        const Hook *h = &s->hooks[i];

        return (SensorHook){
                .name = h->name,
                .blinds = hook_infos[h->id].blinds,
                .attached = s->parts.links[h->id] >= 0 && hook_watch_intact(&h->watch),
                .proof = h->proof,
                .misses = hook_misses(h),
        };
}

unsigned sensor_n_hooks_gone(const Sensor *s) {
        unsigned n = 0;

        for (size_t i = 0; i < s->n_hooks; i++)
                n += s->parts.links[s->hooks[i].id] >= 0 && !hook_watch_intact(&s->hooks[i].watch);
        return n;
}

char *const *sensor_foreign(const Sensor *s) {
        static char *const none[] = { NULL };

        return s->foreign ?: none;
}

size_t sensor_max_cells(const Sensor *s) {
        return s->n_cells;
}

uint32_t sensor_policy_write(Sensor *s, const PolicyTables *t) {
        uint32_t *active = &s->shared->policy_active, idle = *active;
        size_t stride = (sizeof(struct bw_table) + 7) / 8 * 8;
        /* In new tables none is in force. Old programs may look at others by the same index. */
        if (((struct bw_table *)((char *)s->tables + idle * stride))->generation != 0)
                idle = (idle + 1) % BW_TABLES;
        struct bw_table *to = (struct bw_table *)((char *)s->tables + idle * stride);
        struct bw_cell *cells = s->cells + idle * s->n_cells;
        uint32_t seq = to->seq | 1; /* odd: a program that still looks at this copy will look again */

        __atomic_store_n(&to->seq, seq, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* a store alone does not keep later ones behind it */

        size_t after_seq = offsetof(struct bw_table, generation);
        memcpy((char *)to + after_seq, (const char *)t->table + after_seq, sizeof(*to) - after_seq);
        to->generation = ++s->shared->generation;
        memcpy(cells, t->cells, t->n_cells * sizeof(*cells));
        for (size_t i = t->n_cells; i < s->n_cells; i++)
                cells[i] = (struct bw_cell){ .check = BW_IS_HEADER };

        __atomic_store_n(&to->seq, seq + 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(active, idle, __ATOMIC_SEQ_CST);
        return to->generation;
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

/* The program fills the tables itself, what it prints is nothing. */
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

/* Processes that run already. Twice, as a child may come before its parent when PIDs have wrapped. */
static int sensor_learn_processes(Sensor *s) {
        for (int pass = 0; pass < 2; pass++) {
                int r = iterate(s->parts.iterator);
                if (r < 0)
                        return r;
        }
        __atomic_store_n(&s->shared->processes_known, 1, __ATOMIC_SEQ_CST);
        if (!s->shared->host_known)
                log_warning("Cannot see what the init of this PID namespace sees: no [Allow] holds but those with "
                            "Container=yes.");
        return 0;
}

Hook *sensor_add_hook(Sensor *s, enum bw_hook id) {
        Hook *h = &s->hooks[s->n_hooks++];
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->parts.programs[id]);
        *h = (Hook){
                .id = id,
                .name = hook_infos[id].sections[s->parts.kind],
                .fdinfo = s->parts.programs[id] < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC),
                .watch = hook_watch_open(s->parts.links[id]),
        };
        return h;
}

/* Attaches one hook's program. A raw descriptor is what can be handed on to another process, and does for tracepoints,
 * LSM and fexit programs alike (kernel/bpf/syscall.c bpf_raw_tracepoint_open()). */
static int sensor_attach_hook(Sensor *s, enum bw_hook id, int cgroup) {
        const HookInfo *info = &hook_infos[id];
        Hook *h = sensor_add_hook(s, id);
        int program = s->parts.programs[id], *link = &s->parts.links[id], r = -EOPNOTSUPP;

        if (program >= 0) {
                *link = info->cgroup ? bpf_link_create(program, cgroup, info->cgroup, NULL) :
                                       bpf_raw_tracepoint_open(NULL, program);
                r = *link < 0 ? -errno : 0;
        }
        if (r >= 0) {
                s->shared->hooks |= UINT64_C(1) << id;
                h->watch = hook_watch_open(*link);
                return 0;
        }
        *link = -1;
        if (!info->essential) {
                log_warning("This kernel has no hook %s (%s). What is not seen: %s.", h->name, strerror(-r), info->blinds);
                return 0;
        }
        log_error("Cannot attach %s: %s", h->name, strerror(-r));
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
                                log_debug("%s cannot be tried: %s", h->name, strerror(-r));
                        continue;
                }
                h->proof = SENSOR_DISPROVED;
                if (info->essential) {
                        log_error("%s is attached and does not run.", h->name);
                        return -EOPNOTSUPP;
                }
                log_warning("%s is attached and does not run. What is not seen: %s.", h->name, info->blinds);
        }
        return 0;
}

int sensor_open_cgroup(Sensor *s, int *ret) {
        bool whole;
        int cgroup = cgroup_root_open(&whole);

        if (cgroup == -ENOENT) {
                log_error("No cgroup2 file system is mounted: mount one (mount -t cgroup2 none /sys/fs/cgroup/unified), "
                          "the network hooks are attached there.");
                return -EOPNOTSUPP;
        }
        if (cgroup < 0) {
                log_error("Cannot open the root of the cgroup2 file system: %s", strerror(-cgroup));
                return cgroup;
        }

        s->cgroup_partial = !whole;
        if (!whole)
                log_warning("This is a cgroup namespace: only the network of processes below its cgroup is watched, the rest of "
                            "the machine is not.");
        int r = hook_watch_foreign(cgroup, s->own, s->n_own, &s->foreign);
        if (r < 0) {
                log_error("Cannot find out who else is on the network hooks: %s", strerror(-r));
                close(cgroup);
                return r;
        }
        *ret = cgroup;
        return 0;
}

int sensor_attach(Sensor *s) {
        _cleanup_close_ int cgroup = -1;
        /* By programs before these, in the same table or one that was copied: who opened what since they have seen. */
        const bool known = s->shared->processes_known;
        bool learned = known;

        s->shared->hooks = 0;
        int r = s->parts.kind == SENSOR_TRACEPOINT ? sensor_open_cgroup(s, &cgroup) : 0;
        for (size_t i = 0; i < BW_HOOK_MAX && r >= 0; i++) {
                if (!hook_infos[i].sections[s->parts.kind] || (hook_infos[i].dispensable && s->parts.programs[i] < 0))
                        continue;
                if (i > BW_HOOK_EXIT && !learned) {
                        r = sensor_learn_processes(s);
                        if (r < 0) {
                                log_error("Cannot take in the running processes: %s", strerror(-r));
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
                        log_error("Cannot look at the files that are open: %s", strerror(-r));
        }
        return r < 0 ? r : sensor_prove(s);
}

int sensor_fd(const Sensor *s) {
        return s->rings >= 0 ? s->rings : s->parts.maps[SENSOR_MAP_RING];
}

/* Returns how many; negative: it ends here. */
static int ring_consume(RecordRing *ring, unsigned max, SensorRecordHandler handler, void *userdata, int *ret_end) {
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
                        log_error("The kernel's ring buffer holds what the kernel cannot have written.");
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

        /* What the last turn had begun to tell is told by now. */
        record_ring_commit(s->ring);
        if (s->old_ring) {
                record_ring_commit(s->old_ring);
                n = ring_consume(s->old_ring, max, handler, userdata, &end);
                if (n == 0 && end == 0 && s->store) {
                        sensor_store_remove(s->store, s->old_identity, SENSOR_RING_NAME, NULL);
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

void sensor_counters(const Sensor *s, uint64_t ret[static BW_COUNT_MAX]) {
        for (size_t i = 0; i < BW_COUNT_MAX; i++)
                ret[i] = __atomic_load_n(&s->shared->counters[i], __ATOMIC_RELAXED) - s->told[i];
}

uint64_t sensor_recursion_misses(const Sensor *s) {
        uint64_t sum = 0;

        for (size_t i = 0; i < s->n_hooks; i++)
                sum += hook_misses(&s->hooks[i]);
        return sum - s->misses_told;
}

void sensor_told(Sensor *s, const Losses *losses, uint64_t n_repeats, uint64_t n_repeats_untold) {
        uint64_t told[BW_COUNT_MAX] = {};

        memcpy(told, losses->told, BW_LOSS_MAX * sizeof(*told));
        told[BW_COUNT_REPEATS] = n_repeats + told[BW_LOSS_REPEAT_GONE];
        told[BW_LOSS_REPEAT_GONE] -= MIN(told[BW_LOSS_REPEAT_GONE], n_repeats_untold);
        for (size_t i = 0; i < BW_COUNT_MAX; i++)
                s->shared->told[i] = s->told[i] + told[i];
        s->shared->misses_told = s->misses_told + losses->told[LOSS_RECURSION_MISSES];
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
