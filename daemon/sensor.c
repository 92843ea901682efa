/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "barbwire.skel.h"
#include "cgroup-root.h"
#include "log.h"
#include "sensor.h"

/* BPF's LRU lists keep up to this many free entries to themselves on every CPU (kernel/bpf/bpf_lru_list.h
 * LOCAL_FREE_TARGET): room that must be there beside the entries we want, lest one is evicted before its time. */
#define LRU_FREE_PER_CPU 128
/* Alerts whose repeats can be counted at one time, per CPU. */
#define REPEAT_SLOTS_PER_CPU 1024
/* A table smaller than this is not worth a failed reload after the policy grew: 2^16 cells, 512 KiB. */
#define CELLS_MIN (1U << 16)

#define MARKS_LIMIT_PERCENT 90
#define MARKS_PRESSURE_PERCENT 75

typedef struct Hook {
        const char *name;      /* the program's section: "tp_btf/sys_exit" */
        struct bpf_link *link; /* NULL: not attached */
        int fdinfo;            /* of the program, opened while we may; or -1 */
} Hook;

struct Sensor {
        struct barbwire_bpf *bpf;
        struct ring_buffer *ring;
        Hook *hooks;
        size_t n_hooks;
        bool cgroup_partial;

        /* shared with the kernel programs */
        struct bw_table *tables; /* BW_TABLES of them */
        struct bw_cell *cells;   /* BW_TABLES × n_cells */
        const struct bw_repeat *repeats;
        size_t tables_size, cells_size, repeats_size;
        size_t n_cells;
        uint32_t n_repeats;
        uint32_t generation;

        /* of the sensor_consume() that is running */
        SensorRecordHandler handler;
        void *userdata;
        unsigned left;
};

static _printf_(2, 0) int on_libbpf_print(enum libbpf_print_level level, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;

        if (level == LIBBPF_DEBUG || vasprintf(&text, format, ap) < 0)
                return 0;
        /* A verifier log has many lines. */
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
                if (*line)
                        log_debug("%s", line);
        return 0;
}

/* A mapping of an array map: each value padded to 8 bytes (kernel/bpf/arraymap.c), the whole to pages. */
static int map_mmap(const struct bpf_map *map, bool writable, void **ret, size_t *ret_size) {
        size_t page = sysconf(_SC_PAGESIZE);
        size_t size = (bpf_map__value_size(map) + 7) / 8 * 8 * (size_t)bpf_map__max_entries(map);

        size = (size + page - 1) / page * page;
        void *p = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, bpf_map__fd(map), 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = p;
        *ret_size = size;
        return 0;
}

static size_t power_of_two_above(size_t n) {
        size_t p = 1;

        while (p < n)
                p *= 2;
        return p;
}

#define NOT_PRIVILEGED                                                                                       \
        "Not allowed to load BPF programs: start barbwired as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN."

static void sensor_configure(Sensor *s, const SensorLimits *limits) {
        struct barbwire_bpf *b = s->bpf;
        unsigned cpus = libbpf_num_possible_cpus(), spare = LRU_FREE_PER_CPU * cpus;

        /* Twice what the policy needs, so that a reload of a grown policy fits. */
        s->n_cells = power_of_two_above(MAX(2 * limits->cells, (size_t)CELLS_MIN));
        s->n_cells = MIN(s->n_cells, (size_t)POLICY_CELLS_MAX);
        s->n_repeats = REPEAT_SLOTS_PER_CPU * cpus;

        b->rodata->cells_mask = s->n_cells - 1;
        b->rodata->marks_limit = (uint64_t)limits->marks_max * MARKS_LIMIT_PERCENT / 100;
        b->rodata->marks_pressure = (uint64_t)limits->marks_max * MARKS_PRESSURE_PERCENT / 100;
        b->rodata->repeat_slots_per_cpu = REPEAT_SLOTS_PER_CPU;
        b->rodata->repeat_slots = s->n_repeats;
        /* Without randomness (very early boot) ids are predictable, nothing else. */
        uint64_t seed = 0;
        (void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
        b->rodata->name_seed = seed;

        bpf_map__set_value_size(b->maps.bw_cells, s->n_cells * sizeof(struct bw_cell));
        bpf_map__set_max_entries(b->maps.bw_marks, limits->marks_max + spare);
        bpf_map__set_max_entries(b->maps.bw_processes, limits->processes_max + spare);
        bpf_map__set_max_entries(b->maps.bw_exe_names, bpf_map__max_entries(b->maps.bw_exe_names) + spare);
        bpf_map__set_max_entries(b->maps.bw_file_names, bpf_map__max_entries(b->maps.bw_file_names) + spare);
        bpf_map__set_max_entries(b->maps.bw_file_places, bpf_map__max_entries(b->maps.bw_file_places) + spare);
        bpf_map__set_max_entries(b->maps.bw_reported, bpf_map__max_entries(b->maps.bw_reported) + spare);
        bpf_map__set_max_entries(b->maps.bw_repeats, s->n_repeats);
        bpf_map__set_max_entries(b->maps.bw_ring, limits->ring_bytes);
}

/* Names the feature a kernel lacks, where libbpf would only say "Invalid argument". */
static int kernel_check(void) {
        if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
                log_error("This kernel has no BTF (/sys/kernel/btf/vmlinux): "
                          "it must be built with CONFIG_DEBUG_INFO_BTF=y, as distribution kernels are.");
                return -EOPNOTSUPP;
        }

        /* Tells an unprivileged caller from a kernel that is too old. */
        _cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bw_probe", 0, 0, sysconf(_SC_PAGESIZE), NULL);
        if (fd >= 0)
                return 0;
        if (errno == EPERM) {
                log_error(NOT_PRIVILEGED);
                return -EPERM;
        }
        log_error("This kernel has no BPF ring buffer (%m): it needs to be 5.10 or newer.");
        return -EOPNOTSUPP;
}

/* Before 5.11 BPF memory counts against RLIMIT_MEMLOCK; systemd sets it from the unit, a terminal does not. */
static void memlock_raise(void) {
        struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

        (void)setrlimit(RLIMIT_MEMLOCK, &all);
}

static int on_ring_record(void *userdata, void *record, size_t size) {
        Sensor *s = userdata;

        s->handler(record, size, s->userdata);
        /* libbpf stops at an error, after it has consumed the record */
        return --s->left == 0 ? -EAGAIN : 0;
}

int sensor_new(const SensorLimits *limits, Sensor **ret) {
        _cleanup_(sensor_freep) Sensor *s = NULL;
        int r;

        libbpf_set_print(on_libbpf_print);
        memlock_raise();
        r = kernel_check();
        if (r < 0)
                return r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->bpf = barbwire_bpf__open();
        if (!s->bpf) {
                log_error("Cannot read the built-in BPF programs: %m");
                return -errno;
        }
        sensor_configure(s, limits);

        r = barbwire_bpf__load(s->bpf);
        if (r == -EPERM) {
                log_error(NOT_PRIVILEGED);
                return -EPERM;
        }
        if (r == -ENOMEM) {
                log_error("Not enough memory for the kernel's tables: lower MaxMarks=, MaxProcesses= or RingBuffer= in "
                          "[Correlator].");
                return r;
        }
        if (r < 0) {
                log_error("This kernel does not accept the BPF programs: %s. --log-level=debug tells which and why.",
                        strerror(-r));
                return -EOPNOTSUPP;
        }

        void *tables = NULL, *cells = NULL, *repeats = NULL;
        r = map_mmap(s->bpf->maps.bw_table, true, &tables, &s->tables_size);
        if (r >= 0) {
                s->tables = tables;
                r = map_mmap(s->bpf->maps.bw_cells, true, &cells, &s->cells_size);
        }
        if (r >= 0) {
                s->cells = cells;
                r = map_mmap(s->bpf->maps.bw_repeats, false, &repeats, &s->repeats_size);
        }
        if (r >= 0) {
                s->repeats = repeats;
                s->ring = ring_buffer__new(bpf_map__fd(s->bpf->maps.bw_ring), on_ring_record, s, NULL);
                if (!s->ring)
                        r = -errno;
        }
        if (r < 0) {
                log_error("Cannot map the kernel's tables: %s", strerror(-r));
                return r;
        }

        *ret = STEAL_PTR(s);
        return 0;
}

void sensor_detach(Sensor *s) {
        for (size_t i = 0; i < s->n_hooks; i++) {
                bpf_link__destroy(s->hooks[i].link);
                s->hooks[i].link = NULL;
        }
}

Sensor *sensor_free(Sensor *s) {
        if (!s)
                return NULL;
        sensor_detach(s);
        for (size_t i = 0; i < s->n_hooks; i++)
                closep(&s->hooks[i].fdinfo);
        free(s->hooks);
        ring_buffer__free(s->ring);
        if (s->tables)
                munmap(s->tables, s->tables_size);
        if (s->cells)
                munmap(s->cells, s->cells_size);
        if (s->repeats)
                munmap((void *)s->repeats, s->repeats_size);
        barbwire_bpf__destroy(s->bpf);
        free(s);
        return NULL;
}

const char *sensor_name(const Sensor *s) {
        (void)s;
        return "tracepoint";
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

        return (SensorHook){ .name = h->name, .attached = h->link, .misses = hook_misses(h) };
}

size_t sensor_max_cells(const Sensor *s) {
        return s->n_cells;
}

uint32_t sensor_policy_write(Sensor *s, const PolicyTables *t) {
        uint32_t *active = &s->bpf->bss->policy_active, idle = (*active + 1) % BW_TABLES;
        size_t stride = (sizeof(struct bw_table) + 7) / 8 * 8;
        struct bw_table *to = (struct bw_table *)((char *)s->tables + idle * stride);
        struct bw_cell *cells = s->cells + idle * s->n_cells;
        uint32_t seq = to->seq | 1; /* odd: a program that still looks at this copy will look again */

        __atomic_store_n(&to->seq, seq, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* a store alone does not keep later ones behind it */

        size_t after_seq = offsetof(struct bw_table, generation);
        memcpy((char *)to + after_seq, (const char *)t->table + after_seq, sizeof(*to) - after_seq);
        to->generation = ++s->generation;
        memcpy(cells, t->cells, t->n_cells * sizeof(*cells));
        for (size_t i = t->n_cells; i < s->n_cells; i++)
                cells[i] = (struct bw_cell){ .check = BW_IS_HEADER };

        __atomic_store_n(&to->seq, seq + 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(active, idle, __ATOMIC_SEQ_CST);
        return s->generation;
}

SensorGaps sensor_gaps(const Sensor *s) {
        return (SensorGaps){ .cgroup_partial = s->cgroup_partial, .host_unknown = !s->bpf->bss->host_known };
}

/* Processes that run already: the program fills the table itself, what it prints is nothing. Twice, as a child may
 * come before its parent when PIDs have wrapped. */
static int sensor_learn_processes(Sensor *s) {
        for (int pass = 0; pass < 2; pass++) {
                struct bpf_link *link = bpf_program__attach_iter(s->bpf->progs.bw_iter_task, NULL);
                if (!link)
                        return -errno;

                _cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));
                int r = fd < 0 ? -errno : 0;
                char nothing[64];
                while (r == 0) {
                        ssize_t n = read(fd, nothing, sizeof(nothing));
                        if (n == 0)
                                break;
                        if (n < 0 && errno != EINTR && errno != EAGAIN)
                                r = -errno;
                }
                bpf_link__destroy(link);
                if (r < 0)
                        return r;
        }
        __atomic_store_n(&s->bpf->bss->processes_known, 1, __ATOMIC_SEQ_CST);
        if (!s->bpf->bss->host_known)
                log_warning("Cannot see what the init of this PID namespace sees: no [Allow] holds but those with Container=yes.");
        return 0;
}

static int sensor_attach_program(Sensor *s, struct bpf_program *p, int cgroup) {
        struct bpf_link *link = bpf_program__type(p) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR ?
                bpf_program__attach_cgroup(p, cgroup) :
                bpf_program__attach(p);

        if (!link) {
                int r = -errno;
                log_error("Cannot attach %s (%s): %s", bpf_program__name(p), bpf_program__section_name(p), strerror(-r));
                return r == -EPERM ? -EPERM : -EOPNOTSUPP;
        }

        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_program__fd(p));
        s->hooks[s->n_hooks++] = (Hook){
                .name = bpf_program__section_name(p),
                .link = link,
                .fdinfo = open(path, O_RDONLY | O_CLOEXEC),
        };
        return 0;
}

int sensor_attach(Sensor *s) {
        /* Processes first: then every open and every egress finds its process known. */
        struct bpf_program *const programs[] = {
                s->bpf->progs.bw_fork,     s->bpf->progs.bw_exec,     s->bpf->progs.bw_exit,
                s->bpf->progs.bw_connect4, s->bpf->progs.bw_connect6, s->bpf->progs.bw_sendmsg4,
                s->bpf->progs.bw_sendmsg6, s->bpf->progs.bw_sys_exit,
        };
        _cleanup_close_ int cgroup = -1;
        bool whole;
        int r;

        cgroup = cgroup_root_open(&whole);
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

        s->hooks = calloc(ELEMENTSOF(programs), sizeof(*s->hooks));
        if (!s->hooks)
                return -ENOMEM;

        for (size_t i = 0; i < ELEMENTSOF(programs); i++) {
                if (programs[i] == s->bpf->progs.bw_connect4) {
                        r = sensor_learn_processes(s);
                        if (r < 0) {
                                log_error("Cannot take in the running processes: %s", strerror(-r));
                                return r;
                        }
                }
                r = sensor_attach_program(s, programs[i], cgroup);
                if (r < 0)
                        return r;
        }
        return 0;
}

int sensor_fd(const Sensor *s) {
        return ring_buffer__epoll_fd(s->ring);
}

int sensor_consume(Sensor *s, unsigned max, SensorRecordHandler handler, void *userdata) {
        s->handler = handler;
        s->userdata = userdata;
        s->left = max;
        (void)ring_buffer__consume(s->ring);
        return max - s->left;
}

void sensor_counters(const Sensor *s, uint64_t ret[static BW_COUNT_MAX]) {
        for (size_t i = 0; i < BW_COUNT_MAX; i++)
                ret[i] = __atomic_load_n(&s->bpf->bss->counters[i], __ATOMIC_RELAXED);
}

uint64_t sensor_recursion_misses(const Sensor *s) {
        uint64_t sum = 0;

        for (size_t i = 0; i < s->n_hooks; i++)
                sum += hook_misses(&s->hooks[i]);
        return sum;
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
