/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>

/* Before the skeleton, which has struct bw_shared in it. */
#include "abi/activity.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "abi/shared.h"
#include "barbwire.skel.h"
#include "sensor/hook-proof.h"
#include "basic/log.h"
#include "sensor/btrfs.h"
#include "sensor/load.h"
#include "basic/util.h"

/* Alerts whose repeats can be counted at one time, per CPU. */
#define REPEAT_SLOTS_PER_CPU 1024

_Static_assert(sizeof(((struct barbwire_bpf *)NULL)->bss->shared) ==
                                sizeof(*((struct barbwire_bpf *)NULL)->bss),
                "all that is in .bss is struct bw_shared");

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

#define NOT_PRIVILEGED                                                                                      \
        "Not permitted to load BPF programs: start barbwired as root, or with CAP_BPF, CAP_PERFMON and "    \
        "CAP_NET_ADMIN."

/* Before 5.11 BPF memory counts against RLIMIT_MEMLOCK; systemd sets it from the unit, a terminal does not.
 */
static void memlock_raise(void) {
        struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

        (void)setrlimit(RLIMIT_MEMLOCK, &all);
}

/* kernel_lockdown(7): "none integrity [confidentiality]". Where securityfs is not mounted nothing is known.
 */
static bool kernel_is_confidential(void) {
        _cleanup_close_ int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);
        char text[64];

        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = 0;
        return strstr(text, "[confidentiality]");
}

/* Parts of programs are called by bpf_tail_call(), which programs with functions may use only if they are
 * compiled. Most kernels compile all (CONFIG_BPF_JIT_ALWAYS_ON). */
static bool kernel_interprets(void) {
        _cleanup_close_ int fd = open("/proc/sys/net/core/bpf_jit_enable", O_RDONLY | O_CLOEXEC);
        char text;

        return fd >= 0 && read(fd, &text, 1) == 1 && text == '0';
}

int sensor_kernel_check(struct btf **ret_types) {
        libbpf_set_print(on_libbpf_print);
        memlock_raise();

        if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
                log_error("This kernel has no BTF (/sys/kernel/btf/vmlinux): use one built with "
                          "CONFIG_DEBUG_INFO_BTF=y, as distribution kernels are.");
                return -EOPNOTSUPP;
        }

        if (kernel_is_confidential()) {
                log_error("This kernel is locked down (lockdown=confidentiality) and BPF programs may not "
                          "read its memory: boot with lockdown=integrity.");
                return -EOPNOTSUPP;
        }

        if (kernel_interprets()) {
                log_error("This kernel does not compile BPF programs: set the sysctl "
                          "net.core.bpf_jit_enable=1.");
                return -EOPNOTSUPP;
        }

        /* Distinguishes an unprivileged caller from a kernel that is too old. */
        _cleanup_close_ int fd =
                        bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bw_probe", 0, 0, sysconf(_SC_PAGESIZE), NULL);
        if (fd < 0 && errno == EPERM) {
                log_error(NOT_PRIVILEGED);
                return -EPERM;
        }
        if (fd < 0) {
                log_error("This kernel has no BPF ring buffer: %m. Linux 5.10 or newer is required.");
                return -EOPNOTSUPP;
        }

        struct btf *types = btf__load_vmlinux_btf();
        if (!types)
                return log_error_errno(errno, "Failed to read the kernel's BTF: %m");
        *ret_types = types;
        return 0;
}

/* ---- the kinds of programs that this kernel runs ---- */

/* Whether this kernel has the hook of a program's section, by the kernel's types. "lsm/file_open": function
 * bpf_lsm_file_open; "fexit/security_file_open": that function; "tp_btf/sys_exit": typedef
 * btf_trace_sys_exit. Every kernel has the hooks of cgroups. */
static bool kernel_has_hook(const struct btf *btf, const char *section) {
        static const struct {
                const char *section, *prefix;
                uint32_t kind;
        } places[] = {
                { "lsm/", "bpf_lsm_", BTF_KIND_FUNC },
                { "fexit/", "", BTF_KIND_FUNC },
                { "fmod_ret/", "", BTF_KIND_FUNC },
                { "tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF },
        };
        char name[128];

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                size_t n = strlen(places[i].section);
                if (strncmp(section, places[i].section, n) != 0)
                        continue;
                snprintf(name, sizeof(name), "%s%s", places[i].prefix, section + n);
                return btf__find_by_name_kind(btf, name, places[i].kind) > 0;
        }
        return true;
}

int sensor_kind_probe(SensorKind kind, const struct btf *types) {
        if (kind == SENSOR_TRACEPOINT)
                return 0;

        const char *name = kind == SENSOR_LSM ? "bpf_lsm_file_open" : "security_file_open";
        int id = btf__find_by_name_kind(types, name, BTF_KIND_FUNC);
        if (id < 0)
                return -EOPNOTSUPP;

        _cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bw_probe", 4, 8, 1, NULL);
        if (map < 0)
                return -errno;
        /* *value = 1; return 0 */
        const struct bpf_insn program[] = {
                { .code = BPF_LD | BPF_DW | BPF_IMM,
                                .dst_reg = BPF_REG_1,
                                .src_reg = BPF_PSEUDO_MAP_VALUE,
                                .imm = map },
                {},
                { .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .imm = 1 },
                { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
                { .code = BPF_JMP | BPF_EXIT },
        };
        LIBBPF_OPTS(bpf_prog_load_opts, options, .attach_btf_id = id,
                        .expected_attach_type = kind == SENSOR_LSM ? BPF_LSM_MAC : BPF_TRACE_FEXIT);
        _cleanup_close_ int fd =
                        bpf_prog_load(kind == SENSOR_LSM ? BPF_PROG_TYPE_LSM : BPF_PROG_TYPE_TRACING,
                                        "bw_probe", "GPL", program, ELEMENTSOF(program), &options);
        if (fd < 0)
                return errno == EPERM ? -EPERM : -EOPNOTSUPP;
        _cleanup_close_ int link = bpf_raw_tracepoint_open(NULL, fd);
        if (link < 0 && (errno == E2BIG || errno == EBUSY))
                return 0; /* others are in the way, which attaching the sensor's own programs names */
        if (link < 0)
                return errno == EPERM ? -EPERM : -EOPNOTSUPP;

        uint32_t key = 0;
        uint64_t value = 0;
        (void)act_open();
        if (bpf_map_lookup_elem(map, &key, &value) < 0)
                return -errno;
        return value == 1 ? 0 : -ENODATA;
}

const char *sensor_kind_obstacle(SensorKind kind, int r) {
        if (r == -EPERM)
                return "loading programs of this type is not permitted";
        if (r == -ENODATA)
                return kind == SENSOR_LSM ? "\"bpf\" is not among the active LSMs, so BPF LSM programs load "
                                            "but never run: boot with lsm=…,bpf (/sys/kernel/security/lsm "
                                            "lists the active ones)"
                                          : "such programs load but never run";
        return kind == SENSOR_LSM ? "this kernel does not support BPF LSM programs (CONFIG_BPF_LSM)"
                                  : "this kernel does not support fexit programs (BPF trampolines)";
}

/* ---- loading ---- */

/* A name contains the version of the layout. Raise it when the meaning of an entry changes and its size does
 * not: tables of another version are not adopted. */
const char *const sensor_map_names[SENSOR_MAPS] = {
        [SENSOR_MAP_SHARED] = "shared.5",
        [SENSOR_MAP_RING] = SENSOR_RING_NAME,
        [SENSOR_MAP_TABLE] = "table.2",
        [SENSOR_MAP_CELLS] = "cells.1",
        /* Old and new programs both claim reports here: while this table is kept, no report is written
           twice. */
        [SENSOR_MAP_REPORTED] = "reported.2",
        [SENSOR_MAP_REPEATS] = "repeats.1",
        [SENSOR_MAP_REPEAT_NEXT] = "repeat-next.1",
        [SENSOR_MAP_ACTIVITY] = "activity.1",
        [SENSOR_MAP_TAILS] = "tails.1",
        [SENSOR_MAP_MARKS] = "marks.4",
        [SENSOR_MAP_MARKED] = "marked.3",
        [SENSOR_MAP_OBJECTS] = "objects.1",
        [SENSOR_MAP_OBJECT_QUEUE] = "object-queue.1",
        [SENSOR_MAP_SENSITIVE] = "sensitive.2",
        [SENSOR_MAP_SENSITIVE_QUEUE] = "sensitive-queue.1",
        [SENSOR_MAP_SENSITIVE_NAMES] = "sensitive-names.1",
        [SENSOR_MAP_HOPS] = "hops.1",
        [SENSOR_MAP_PROCESSES] = "processes.4",
        [SENSOR_MAP_MAPPINGS] = "mappings.1",
        [SENSOR_MAP_HOST] = "host.2",
        [SENSOR_MAP_CHARGES] = "charges.2",
        [SENSOR_MAP_NAMES] = "path-names.1",
        [SENSOR_MAP_NAME_QUEUE] = "path-name-queue.1",
        [SENSOR_MAP_SPARE_NAMES] = "spare-names.1",
        [SENSOR_MAP_RINGS] = "rings.1",
        [SENSOR_MAP_RING_QUEUE] = "ring-queue.1",
        [SENSOR_MAP_LONG_NAMES] = "long-names.1",
        [SENSOR_MAP_REFUSED] = "refused.1",
        [SENSOR_MAP_REFUSED_QUEUE] = "refused-queue.1",
};

void sensor_parts_init(SensorParts *p) {
        *p = (SensorParts){ .iterator = -1, .file_iterator = -1, .map_iterator = -1 };
        for (size_t i = 0; i < SENSOR_MAPS; i++)
                p->maps[i] = -1;
        for (size_t i = 0; i < BW_HOOK_MAX; i++)
                p->programs[i] = p->links[i] = -1;
}

void sensor_parts_done(SensorParts *p) {
        for (size_t i = 0; i < SENSOR_MAPS; i++)
                closep(&p->maps[i]);
        for (size_t i = 0; i < BW_HOOK_MAX; i++) {
                closep(&p->programs[i]);
                closep(&p->links[i]);
        }
        closep(&p->iterator);
        closep(&p->file_iterator);
        closep(&p->map_iterator);
        sensor_parts_init(p);
}

static void skeleton_configure(struct barbwire_bpf *b, const SensorSizes *sizes) {
        unsigned cpus = sizes->cpus, spare = sizes->lru_spare;

        b->rodata->cells_mask = sizes->cells - 1;
        memcpy((void *)b->rodata->table_limit, sizes->limit, sizeof(sizes->limit));
        memcpy((void *)b->rodata->user_share, sizes->user_share, sizeof(sizes->user_share));
        b->rodata->marks_pressure = sizes->marks_pressure;
        b->rodata->contents_limit = sizes->contents_limit;
        b->rodata->suspects_max = sizes->suspects_max;
        b->rodata->repeat_slots_per_cpu = REPEAT_SLOTS_PER_CPU;
        b->rodata->repeat_slots = REPEAT_SLOTS_PER_CPU * cpus;
        /* Without randomness (very early boot) ids are predictable, nothing else. */
        uint64_t seed = 0;
        (void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
        b->bss->shared.name_seed = seed;

        bpf_map__set_value_size(b->maps.bw_cells, sizes->cells * sizeof(struct bw_cell));
        bpf_map__set_max_entries(b->maps.bw_marks, sizes->marks_entries);
        /* A key stays in its queue until it is popped, even if its entry has gone. */
        bpf_map__set_max_entries(b->maps.bw_marked, 2 * sizes->marks_entries);
        bpf_map__set_max_entries(b->maps.bw_objects, sizes->limit[BW_SHARE_OBJECTS]);
        bpf_map__set_max_entries(b->maps.bw_object_queue, 2 * sizes->limit[BW_SHARE_OBJECTS]);
        bpf_map__set_max_entries(b->maps.bw_sensitive, sizes->limit[BW_SHARE_FILES]);
        bpf_map__set_max_entries(b->maps.bw_sensitive_names, sizes->limit[BW_SHARE_FILES]);
        bpf_map__set_max_entries(b->maps.bw_sensitive_queue, 2 * sizes->limit[BW_SHARE_FILES]);
        bpf_map__set_max_entries(
                        b->maps.bw_host_mounts, bpf_map__max_entries(b->maps.bw_host_mounts) + spare);
        bpf_map__set_max_entries(b->maps.bw_hops, bpf_map__max_entries(b->maps.bw_hops) + spare);
        bpf_map__set_max_entries(b->maps.bw_flowed, bpf_map__max_entries(b->maps.bw_flowed) + spare);
        bpf_map__set_max_entries(b->maps.bw_processes, sizes->limit[BW_SHARE_LINEAGES]);
        bpf_map__set_max_entries(b->maps.bw_mappings, sizes->limit[BW_SHARE_MAPPINGS]);
        bpf_map__set_max_entries(b->maps.bw_names, sizes->limit[BW_SHARE_NAMES]);
        bpf_map__set_max_entries(b->maps.bw_name_queue, sizes->limit[BW_SHARE_NAMES]);
        bpf_map__set_max_entries(
                        b->maps.bw_file_places, bpf_map__max_entries(b->maps.bw_file_places) + spare);
        bpf_map__set_max_entries(b->maps.bw_reported, bpf_map__max_entries(b->maps.bw_reported) + spare);
        bpf_map__set_max_entries(b->maps.bw_named, bpf_map__max_entries(b->maps.bw_named) + spare);
        bpf_map__set_max_entries(b->maps.bw_rings, sizes->limit[BW_SHARE_RINGS]);
        /* An entry may be removed, and made again, before its turn comes. */
        bpf_map__set_max_entries(b->maps.bw_ring_queue, 2 * sizes->limit[BW_SHARE_RINGS]);
        bpf_map__set_max_entries(b->maps.bw_budgets, bpf_map__max_entries(b->maps.bw_budgets) + spare);
        bpf_map__set_max_entries(b->maps.bw_repeats, (REPEAT_SLOTS_PER_CPU + BW_FLOOD_SLOTS_PER_CPU) * cpus);
        bpf_map__set_max_entries(b->maps.bw_ring, sizes->ring_bytes);

        b->rodata->activity_sets_mask = sizes->activity / BW_ACTIVITY_WAYS - 1;
        bpf_map__set_max_entries(b->maps.bw_activity, sizes->activity);
        b->rodata->drafts_mask = sizes->drafts - 1;
        bpf_map__set_max_entries(b->maps.bw_drafts, sizes->drafts);
        bpf_map__set_max_entries(b->maps.bw_draft_claims, 2 * sizes->drafts);
}

static struct bpf_map *skeleton_map(const struct barbwire_bpf *b, SensorMap map) {
        struct bpf_map *const maps[SENSOR_MAPS] = {
                [SENSOR_MAP_SHARED] = b->maps.bss,
                [SENSOR_MAP_RING] = b->maps.bw_ring,
                [SENSOR_MAP_TABLE] = b->maps.bw_table,
                [SENSOR_MAP_CELLS] = b->maps.bw_cells,
                [SENSOR_MAP_REPORTED] = b->maps.bw_reported,
                [SENSOR_MAP_REPEATS] = b->maps.bw_repeats,
                [SENSOR_MAP_REPEAT_NEXT] = b->maps.bw_repeat_next,
                [SENSOR_MAP_ACTIVITY] = b->maps.bw_activity,
                [SENSOR_MAP_TAILS] = b->maps.bw_tails,
                [SENSOR_MAP_MARKS] = b->maps.bw_marks,
                [SENSOR_MAP_MARKED] = b->maps.bw_marked,
                [SENSOR_MAP_OBJECTS] = b->maps.bw_objects,
                [SENSOR_MAP_OBJECT_QUEUE] = b->maps.bw_object_queue,
                [SENSOR_MAP_SENSITIVE] = b->maps.bw_sensitive,
                [SENSOR_MAP_SENSITIVE_QUEUE] = b->maps.bw_sensitive_queue,
                [SENSOR_MAP_SENSITIVE_NAMES] = b->maps.bw_sensitive_names,
                [SENSOR_MAP_HOPS] = b->maps.bw_hops,
                [SENSOR_MAP_PROCESSES] = b->maps.bw_processes,
                [SENSOR_MAP_MAPPINGS] = b->maps.bw_mappings,
                [SENSOR_MAP_HOST] = b->maps.bw_host,
                [SENSOR_MAP_CHARGES] = b->maps.bw_charges,
                [SENSOR_MAP_NAMES] = b->maps.bw_names,
                [SENSOR_MAP_NAME_QUEUE] = b->maps.bw_name_queue,
                [SENSOR_MAP_SPARE_NAMES] = b->maps.bw_spare_names,
                [SENSOR_MAP_RINGS] = b->maps.bw_rings,
                [SENSOR_MAP_RING_QUEUE] = b->maps.bw_ring_queue,
                [SENSOR_MAP_LONG_NAMES] = b->maps.bw_long_names,
                [SENSOR_MAP_REFUSED] = b->maps.bw_refused,
                [SENSOR_MAP_REFUSED_QUEUE] = b->maps.bw_refused_queue,
        };

        return maps[map];
}

static void skeleton_shapes(const struct barbwire_bpf *b, SensorShape ret[static SENSOR_MAPS]) {
        for (size_t i = 0; i < SENSOR_MAPS; i++) {
                const struct bpf_map *map = skeleton_map(b, i);

                ret[i] = (SensorShape){
                        .type = bpf_map__type(map),
                        .key_bytes = bpf_map__key_size(map),
                        .value_bytes = bpf_map__value_size(map),
                        .entries = bpf_map__max_entries(map),
                };
        }
}

static struct bpf_program *skeleton_program(
                const struct barbwire_bpf *b, SensorKind kind, enum bw_hook hook) {
        const char *section = hook_infos[hook].sections[kind];
        struct bpf_program *p;

        if (section)
                bpf_object__for_each_program(
                                p, b->obj) if (strcmp(bpf_program__section_name(p), section) == 0 &&
                                               !tail_is(bpf_program__name(p))) return p;
        return NULL;
}

static bool kernel_has_member(const struct btf *btf, const char *type, const char *member) {
        const struct btf_type *t = btf__type_by_id(
                        btf, (uint32_t)MAX(btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT), 0));

        for (uint32_t i = 0; t && i < btf_vlen(t); i++)
                if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member) == 0)
                        return true;
        return false;
}

/* Leaves out programs of other sensors, and those whose hook this kernel does not have. */
static void skeleton_choose(struct barbwire_bpf *b, SensorKind kind, const struct btf *btf) {
        struct bpf_program *p;

        bpf_object__for_each_program(p, b->obj) bpf_program__set_autoload(
                        p, p == b->progs.bw_iter_task || p == b->progs.bw_iter_task_file);
        bool mappings = btf__find_by_name_kind(btf, "bpf_iter__task_vma", BTF_KIND_STRUCT) > 0;
        bool requests = kind != SENSOR_TRACEPOINT || kernel_has_member(btf, "io_kiocb", "cqe");

        bool names = kind != SENSOR_TRACEPOINT || kernel_has_hook(btf, "tp_btf/ctime_ns_xchg");

        bpf_program__set_autoload(b->progs.bw_iter_task_vma, mappings);
        b->bss->shared.lacking = (mappings ? 0 : BW_LACKS_MAPPINGS) | (requests ? 0 : BW_LACKS_REQUESTS) |
                                 (names ? 0 : BW_LACKS_NAMES);
        for (size_t i = 0; i < BW_HOOK_MAX; i++) {
                const char *formerly = hook_infos[i].formerly;

                p = skeleton_program(b, kind, i);
                if (!p)
                        continue;
                bool here = kernel_has_hook(btf, bpf_program__section_name(p));
                bpf_program__set_autoload(p,
                                here || (formerly && bpf_program__set_attach_target(p, 0, formerly) == 0));
        }
        for (size_t i = 0; i < BW_TAIL_MAX; i++) {
                const struct bpf_program *caller = skeleton_program(b, kind, tail_infos[i].hook);

                p = bpf_object__find_program_by_name(b->obj, tail_infos[i].program);
                bpf_program__set_autoload(p, caller && bpf_program__autoload(caller));
        }
}

static void skeleton_freep(struct barbwire_bpf **b) {
        barbwire_bpf__destroy(*b);
}

void btf_freep(struct btf **btf) {
        btf__free(*btf);
}

int sensor_plan(SensorKind kind, const SensorSizes *sizes, SensorPlan *ret) {
        _cleanup_(skeleton_freep) struct barbwire_bpf *b = barbwire_bpf__open();
        uint8_t digest[(FD_STORE_IDENTITY_SIZE - 1) / 2];
        struct sha256_ctx hash;
        SensorPlan plan = {};
        size_t n_bytes;

        if (!b)
                return log_error_errno(errno, "Failed to open the built-in BPF object: %m");
        skeleton_configure(b, sizes);
        skeleton_shapes(b, plan.shapes);

        const void *bytes = barbwire_bpf__elf_bytes(&n_bytes);
        sha256_init(&hash);
        sha256_update(&hash, n_bytes, bytes);
        sha256_update(&hash, sizeof(kind), (const uint8_t *)&kind);
        sha256_update(&hash, sizeof(plan.shapes), (const uint8_t *)plan.shapes);
        for (size_t i = 0; i < SENSOR_MAPS; i++)
                sha256_update(&hash, strlen(sensor_map_names[i]), (const uint8_t *)sensor_map_names[i]);
        sha256_digest(&hash, sizeof(digest), digest);
        base16_encode_update(plan.identity, sizeof(digest), digest);
        *ret = plan;
        return 0;
}

/* Whether programs on the connections of a cgroup may call bpf_send_signal(). */
static bool cgroup_signals(void) {
        /* bpf_send_signal(0); return 1 */
        const struct bpf_insn program[] = {
                { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1 },
                { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_send_signal },
                { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
                { .code = BPF_JMP | BPF_EXIT },
        };
        LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
        _cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "bw_probe", "GPL", program,
                        ELEMENTSOF(program), &options);

        return fd >= 0;
}

/* The verifier walks millions of instructions at each start, and takes no lock for a privileged process
 * (bpf_check() in kernel/bpf/verifier.c): a second thread halves the wait, where there is a second CPU. */
typedef struct Load {
        struct barbwire_bpf *maps;      /* and, without halves, all programs */
        struct barbwire_bpf *halves[2]; /* of the programs; NULL: not wanted */
        int result;                     /* of the second half */
} Load;

/* Until they are loaded, each has descriptors of all maps and of its programs. */
#define HALVES_DESCRIPTORS 512

static bool halves_wanted(const SensorSizes *sizes) {
        struct rlimit limit;

        return sizes->cpus > 1 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
               limit.rlim_cur >= HALVES_DESCRIPTORS;
}

static void load_done(Load *l) {
        barbwire_bpf__destroy(l->maps);
        for (size_t i = 0; i < ELEMENTSOF(l->halves); i++)
                barbwire_bpf__destroy(l->halves[i]);
}

/* NULL: the program of this name was not loaded. */
static const struct bpf_program *load_program(const Load *l, const char *name) {
        const struct barbwire_bpf *const all[] = { l->maps, l->halves[0], l->halves[1] };

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                const struct bpf_program *p =
                                all[i] ? bpf_object__find_program_by_name(all[i]->obj, name) : NULL;

                if (p && bpf_program__autoload(p))
                        return p;
        }
        return NULL;
}

static int skeleton_open(SensorKind kind, struct btf *types, const SensorSizes *sizes, bool signals,
                struct barbwire_bpf **ret) {
        struct barbwire_bpf *b = barbwire_bpf__open();
        BtrfsLayout btrfs;

        if (!b)
                return log_error_errno(errno, "Failed to open the built-in BPF object: %m");
        skeleton_configure(b, sizes);
        skeleton_choose(b, kind, types);
        b->rodata->files_deny = kind == SENSOR_LSM;
        b->rodata->packets_deny = kind == SENSOR_TRACEPOINT;
        b->rodata->signals = signals;
        if (!signals)
                b->bss->shared.lacking |= BW_LACKS_SIGNALS;
        if (btrfs_layout(types, &btrfs)) {
                b->rodata->btrfs_root_at = btrfs.root;
                b->rodata->btrfs_id_at = btrfs.id;
        }
        *ret = b;
        return 0;
}

/* Makes the maps but those of `reuse`. */
static int load_maps(Load *l, const int *reuse) {
        int r = 0;

        for (size_t i = 0; reuse && i < SENSOR_MAPS && r == 0; i++)
                if (reuse[i] >= 0)
                        r = bpf_map__reuse_fd(skeleton_map(l->maps, i), reuse[i]);
        return r < 0 ? r : bpf_object__load(l->maps->obj);
}

/* Enters the maps into a half, and leaves it every second program, from `first`: neighbours cost about the
 * same. */
static int load_prepare(const Load *l, size_t first) {
        struct bpf_object *half = l->halves[first]->obj;
        struct bpf_map *map, *to = NULL;
        struct bpf_program *p;
        size_t n = 0;
        int r = 0;

        bpf_object__for_each_map(map, l->maps->obj) {
                to = bpf_object__next_map(half, to);
                if (r == 0)
                        r = bpf_map__reuse_fd(to, bpf_map__fd(map));
        }
        bpf_object__for_each_program(p, half) {
                if (bpf_program__autoload(p) && n++ % ELEMENTSOF(l->halves) != first)
                        bpf_program__set_autoload(p, false);
        }
        return r;
}

static void *load_second(void *userdata) {
        Load *l = userdata;

        l->result = bpf_object__load(l->halves[1]->obj);
        return NULL;
}

/* Where no thread can be made, one half is loaded after the other. */
static int load_halves(Load *l) {
        int r = load_prepare(l, 0);
        if (r == 0)
                r = load_prepare(l, 1);
        if (r < 0)
                return r;

        pthread_t thread;
        bool beside = pthread_create(&thread, NULL, load_second, l) == 0;
        r = bpf_object__load(l->halves[0]->obj);
        if (beside)
                (void)pthread_join(thread, NULL);
        else if (r == 0)
                (void)load_second(l);
        return r < 0 ? r : l->result;
}

/* Enters the parts of the programs that were loaded into the table that these call them by. */
static int load_tie(const Load *l) {
        for (uint32_t i = 0; i < BW_TAIL_MAX; i++) {
                const struct bpf_program *p = load_program(l, tail_infos[i].program);
                int fd = p ? bpf_program__fd(p) : -1;

                if (fd >= 0 && bpf_map_update_elem(bpf_map__fd(l->maps->maps.bw_tails), &i, &fd, BPF_ANY) <
                                                0)
                        return log_error_errno(errno,
                                        "Failed to enter the BPF program %s into its table: %m",
                                        tail_infos[i].program);
        }
        return 0;
}

static int load_take_program(const Load *l, const char *name, int *ret) {
        const struct bpf_program *p = load_program(l, name);

        return p ? fd_copy(bpf_program__fd(p), ret) : 0;
}

static int load_take(const Load *l, SensorKind kind, SensorParts *ret) {
        int r = 0;

        ret->kind = kind;
        skeleton_shapes(l->maps, ret->shapes);
        for (size_t i = 0; i < SENSOR_MAPS && r >= 0; i++)
                r = fd_copy(bpf_map__fd(skeleton_map(l->maps, i)), &ret->maps[i]);
        for (size_t i = 0; i < BW_HOOK_MAX && r >= 0; i++) {
                const struct bpf_program *p = skeleton_program(l->maps, kind, i);

                if (p)
                        r = load_take_program(l, bpf_program__name(p), &ret->programs[i]);
        }
        if (r >= 0)
                r = load_take_program(l, "bw_iter_task", &ret->iterator);
        if (r >= 0)
                r = load_take_program(l, "bw_iter_task_file", &ret->file_iterator);
        if (r >= 0)
                r = load_take_program(l, "bw_iter_task_vma", &ret->map_iterator);
        return r;
}

int sensor_load(SensorKind kind, struct btf *types, const SensorSizes *sizes, const int *reuse,
                SensorParts *ret) {
        _cleanup_(load_done) Load l = {};
        SensorParts parts;

        const bool signals = kind != SENSOR_TRACEPOINT || cgroup_signals(), halves = halves_wanted(sizes);
        int r = skeleton_open(kind, types, sizes, signals, &l.maps);
        for (size_t i = 0; halves && i < ELEMENTSOF(l.halves) && r == 0; i++)
                r = skeleton_open(kind, types, sizes, signals, &l.halves[i]);
        if (r < 0)
                return r;

        struct bpf_program *p;
        assert(l.maps);
        bpf_object__for_each_program(p, l.maps->obj) if (halves) bpf_program__set_autoload(p, false);
        r = load_maps(&l, reuse);
        if (r == 0 && halves)
                r = load_halves(&l);
        if (r == -EPERM) {
                log_error(NOT_PRIVILEGED);
                return -EPERM;
        }
        if (r == -ENOMEM) {
                log_error("Out of memory for BPF maps: lower MaxMarks=, MaxProcesses= or RingBuffer= in "
                          "[Correlator].");
                return r;
        }
        if (r < 0) {
                log_error("Failed to load the BPF programs of sensor %s: %s. Run with --log-level=debug to "
                          "see which program was refused and why.",
                                sensor_kind_to_string(kind), strerror(-r));
                return -EOPNOTSUPP;
        }

        sensor_parts_init(&parts);
        r = load_tie(&l);
        if (r < 0)
                return r;
        r = load_take(&l, kind, &parts);
        if (r < 0) {
                log_error("Failed to duplicate BPF file descriptors: %s", strerror(-r));
                sensor_parts_done(&parts);
                return r;
        }
        *ret = parts;
        return 0;
}
