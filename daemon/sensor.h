/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The kernel side, as the daemon sees it: attach, policy tables, records, counters. With sensor-load.[ch] the only module
 * that knows libbpf. It logs what is wrong, as it is the one who knows which feature is missing. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/event.h"
#include "hooks.h"
#include "losses.h"
#include "policy-compile.h"
#include "sensor-load.h"
#include "sensor-store.h"
#include "util.h"

typedef struct Sensor Sensor;

/* Takes over the programs that systemd has kept for us, if they are the same, and gives them the policy. Otherwise loads,
 * writes the policy, attaches every hook, takes in the processes that are running and makes every hook run once that can
 * be made to; programs that were kept run until then, and what they know goes on. All of it is handed to the store, with
 * `names` (policy-names.h). SENSOR_AUTO: the best kind that works; the log says why a better one does not. Needs CAP_BPF,
 * CAP_PERFMON, CAP_NET_ADMIN (or root).
 * -EOPNOTSUPP: this kernel cannot, the log names the missing feature; -EPERM: not privileged. */
int sensor_start(SensorKind kind, const SensorLimits *limits, const PolicyTables *tables, SensorStore *store, int names,
        Sensor **ret);
Sensor *sensor_free(Sensor *s);
DEFINE_CLEANUP(Sensor, sensor_free);

/* Two parts of it, for tests. kind: not SENSOR_AUTO; types: see sensor_kernel_check(); reuse: see sensor_load(). The policy must
 * be written between them. */
struct btf;
int sensor_new(SensorKind kind, const struct btf *types, const SensorLimits *limits, const int *reuse, Sensor **ret);
int sensor_attach(Sensor *s);

SensorKind sensor_kind(const Sensor *s);
unsigned sensor_n_hooks(const Sensor *s);

typedef enum SensorProof {
        SENSOR_UNTRIED,   /* nothing the daemon may do makes it run */
        SENSOR_PROVED,    /* it has run */
        SENSOR_DISPROVED, /* it should have run and did not */
} SensorProof;

typedef struct SensorHook {
        const char *name;   /* where it hangs: "lsm/file_open" */
        const char *blinds; /* what is not seen without it */
        bool attached; /* and still so */
        SensorProof proof;
        uint64_t misses; /* times its program was skipped because it was running on that CPU already */
} SensorHook;

SensorHook sensor_hook(const Sensor *s, unsigned i);

/* Hooks that somebody else has taken from us (hook-watch.h). */
unsigned sensor_n_hooks_gone(const Sensor *s);

/* Programs of others on the same hooks, as they were before we came (hook-watch.h): texts, NULL-terminated. */
char *const *sensor_foreign(const Sensor *s);

/* Cells a policy may need: what the table was made for. */
size_t sensor_max_cells(const Sensor *s);

/* Writes the idle copy of the tables and switches to it. Needs no privilege. Returns the generation that records carry
 * from now on. */
uint32_t sensor_policy_write(Sensor *s, const PolicyTables *t);
uint32_t sensor_generation(const Sensor *s);

/* Where it can see less than it should, though every hook is attached. */
typedef struct SensorGaps {
        bool cgroup_partial; /* in a cgroup namespace: only the network below its cgroup */
        bool host_unknown;   /* no rule holds that asks for the host's file system */
        uint64_t lacking;    /* BW_LACKS_* */
} SensorGaps;

SensorGaps sensor_gaps(const Sensor *s);

/* Detaches every hook: nothing new comes, what is in the ring can still be consumed. */
void sensor_detach(Sensor *s);

/* For poll(2): readable while records wait. */
int sensor_fd(const Sensor *s);

/* 0: what it says is told, and the record is freed. -EINPROGRESS: not all of it is told yet; it is freed by the next
 * sensor_consume(). -EAGAIN: not taken, and given again by the next sensor_consume(). Both end this one. */
typedef int (*SensorRecordHandler)(const void *record, size_t size, void *userdata);

/* Hands over at most `max` records. What one before has begun must have been told: its record is freed now. Returns how
 * many are told; -EBADMSG: the ring cannot be read any more. */
int sensor_consume(Sensor *s, unsigned max, SensorRecordHandler handler, void *userdata);

/* Correlations that are still in the ring, and when (CLOCK_MONOTONIC) the first was made. Looks at each. */
size_t sensor_waiting(const Sensor *s, uint64_t *ret_since_usec);

/* The kernel's counters, by enum bw_counter. Losses and repeats: what is not told by a daemon before this one. */
void sensor_counters(const Sensor *s, uint64_t ret[static BW_COUNT_MAX]);

/* The sum of all hooks' misses: opens, forks or sends that nobody judged. The same holds. */
uint64_t sensor_recursion_misses(const Sensor *s);

/* How much of those is told now: a daemon that takes over begins there, however this one ends. n_repeats_untold: those in
 * losses that are not the kernel's. */
void sensor_told(Sensor *s, const Losses *losses, uint64_t n_repeats, uint64_t n_repeats_untold);

/* Marks that were there before this daemon and could not be carried on. */
uint64_t sensor_marks_dropped(const Sensor *s);

/* Repeats of the correlation whose record had this slot, boot_ns and cpu. false: its slot was given away. */
bool sensor_repeats(const Sensor *s, uint32_t slot, uint64_t boot_ns, uint32_t cpu, uint64_t *ret_count);
