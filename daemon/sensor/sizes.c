/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <unistd.h>

#include <bpf/libbpf.h>

#include "basic/util.h"
#include "policy/compile.h"
#include "sensor/sizes.h"

/* The LRU lists of BPF reserve up to this many free entries on every CPU (kernel/bpf/bpf_lru_list.h
 * LOCAL_FREE_TARGET). The table needs this room in addition, so that no entry is evicted early. */
#define LRU_FREE_PER_CPU 128

/* Drafts of records, 48 KiB each: four for each CPU, since programs can be preempted; more than 128
 * correlations are not being written at one time. */
#define DRAFTS_PER_CPU 4
#define DRAFTS_MIN 32
#define DRAFTS_MAX 128

#define MARKS_LIMIT_PERCENT 90
#define MARKS_PRESSURE_PERCENT 75

/* For two processes that may be marked there may be one content of objects: a process has one for all
 * objects that it writes to while its mark stays the same, and of those that hold a mark half only read
 * (shells that wait, pagers, sessions). */
#define CONTENTS_SHARE 2

/* For eight processes that may be marked, one user and cgroup may be suspected. When a table is full,
 * everybody who reads a sensitive file then is: with 4 GiB 512 of them, a hundred containers and all
 * users' sessions. A further one is counted as a loss. No more, as marks (90 %), contents (45 %) and these
 * (12.5 %) must stay below the entries of the LRU hash (150 %): it evicts without counting. */
#define SUSPECTS_SHARE 8

/* One user has at most a quarter of a table, and one cgroup of a user half of that (bpf/mark/share.bpf.h):
 * three who flood leave room for everybody else, and a container that floods as much as it took for its
 * user's other ones. That is 921 and 460 marks on the smallest machine, where a desktop session has 300
 * processes; a share that grows with what others leave would let the first flooder take all. */
#define USERS_PER_TABLE 4

/* A table smaller than this is not worth a failed reload after the policy grew: 2^16 cells, 512 KiB. */
#define CELLS_MIN (1U << 16)

#define KIB UINT64_C(1024)

/* One entry per that much memory of the machine, within bounds. Marks take 1.3 KiB each from the start; of
 * the others only 16 bytes are allocated then, and 16 more for the queue of an object or file. In use they
 * take 1 KiB per process, which needs at least 20 KiB of the kernel for itself, and about 100 bytes per
 * object or mapping. With 4 GiB, 4,096 processes can be marked and 65,536 be known, of which one user may
 * have 16,384; with 64 GiB, 32,768 and 262,144. A machine of 2 GiB or less gets the minimum of each.
 *
 * On a machine of 4 GiB and eight processors the daemon holds 32 MiB, which tests/vm/guest/test-memory.py
 * checks, and tables that only the programs use take 4 MiB more: of 20,000 processes on it a fifth can be
 * marked at a time, and each can share three mappings. */
typedef struct Scale {
        uint64_t memory_bytes;
        uint32_t least, most;
} Scale;

static const Scale marks = { 1024 * KIB, 4096, 32768 };
static const Scale lineages = { 64 * KIB, 32768, 1 << 18 };
static const Scale objects = { 64 * KIB, 32768, 1 << 19 };
/* Of one class a user has a sixteenth: 1,024 to 8,192 files. */
static const Scale files = { 64 * KIB, 16384, 1 << 17 };
static const Scale mappings = { 64 * KIB, 32768, 1 << 19 };
/* 336 bytes each in use. A container has some ten of its own, as an executable of another file system is
 * another name: a hundred containers leave nine tenths of the smallest table. */
static const Scale names = { 256 * KIB, 16384, 1 << 16 };
/* 320 bytes each in use. Runtimes have a ring for each of their threads, some programs one for each process;
 * without requests of the kinds that matter it has no entry. */
static const Scale rings = { 256 * KIB, 16384, 1 << 16 };
/* What processes do, rounded down to a power of two. 72 bytes each from the start, as the daemon reads it by
 * a mapping: 0.6 MiB with 4 GiB. Sets overflow where more than a third is in use (bpf/abi/activity.h): above
 * 2,700 processes with 4 GiB, and 87,000 with 128 GiB or more; then those that did nothing for longest go.
 */
static const Scale activity = { 512 * KIB, 8192, 1 << 18 };
/* Bytes of the ring, rounded down to a power of two. 4 MiB hold 1,300 ordinary alerts. The daemon maps it
 * twice, as a record that wraps around must be contiguous. */
static const Scale ring = { 1 * KIB, 4 << 20, 8 << 20 };

static uint32_t scaled(const Scale *scale, const Machine *m) {
        uint64_t n = MAX(m->memory_bytes / scale->memory_bytes, (uint64_t)scale->least);

        return (uint32_t)MIN(n, (uint64_t)scale->most);
}

/* The smallest that is not below n. */
static uint32_t power_of_two_above(uint32_t n) {
        uint32_t p = 1;

        while (p < n)
                p *= 2;
        return p;
}

/* The largest that is not above n. */
static uint32_t power_of_two_below(uint32_t n) {
        uint32_t p = power_of_two_above(n);

        return p > n ? p / 2 : p;
}

SensorSizes sensor_sizes(const Machine *m, const SensorLimits *limits) {
        SensorSizes s = {
                .lru_spare = LRU_FREE_PER_CPU * m->cpus,
                .marks_max = limits->marks_max ?: scaled(&marks, m),
                .ring_bytes = limits->ring_bytes ?: power_of_two_below(scaled(&ring, m)),
                .cpus = m->cpus,
        };
        uint32_t drafts = MAX(power_of_two_above(DRAFTS_PER_CPU * m->cpus), (uint32_t)DRAFTS_MIN);
        /* Half as much again as the policy needs, so that a reload of a grown policy fits. */
        size_t cells = MIN(limits->cells + limits->cells / 2, (size_t)POLICY_CELLS_MAX);

        s.drafts = MIN(drafts, (uint32_t)DRAFTS_MAX);
        s.activity = power_of_two_below(scaled(&activity, m));
        s.cells = MAX(power_of_two_above((uint32_t)cells), (uint32_t)CELLS_MIN);
        s.limit[BW_SHARE_MARKS] = (uint64_t)s.marks_max * MARKS_LIMIT_PERCENT / 100;
        s.limit[BW_SHARE_OBJECTS] = scaled(&objects, m);
        s.limit[BW_SHARE_FILES] = scaled(&files, m);
        s.limit[BW_SHARE_LINEAGES] = limits->processes_max ?: scaled(&lineages, m);
        s.limit[BW_SHARE_MAPPINGS] = scaled(&mappings, m);
        s.limit[BW_SHARE_NAMES] = scaled(&names, m);
        s.limit[BW_SHARE_RINGS] = scaled(&rings, m);
        for (unsigned i = 0; i < BW_SHARE_TABLES; i++)
                s.user_share[i] = s.limit[i] / USERS_PER_TABLE;
        s.marks_pressure = (uint64_t)s.marks_max * MARKS_PRESSURE_PERCENT / 100;
        s.contents_limit = s.limit[BW_SHARE_MARKS] / CONTENTS_SHARE;
        s.suspects_max = s.marks_max / SUSPECTS_SHARE;
        s.marks_entries = s.marks_max + s.marks_max / CONTENTS_SHARE + s.lru_spare;
        return s;
}

Machine machine_read(void) {
        long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        int cpus = libbpf_num_possible_cpus();

        return (Machine){
                .cpus = MAX(cpus, 1),
                .memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0,
        };
}
