/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The sensor: loads, attaches and tests the BPF programs, fills their tables, keeps them over a restart, and
 * reads the ring buffer. The only folder that uses libbpf.
 *
 * This folder may include policy/, what policy/ includes, and bpf/abi/. It must not know alerts: a record is
 * bytes that it passes to a callback.
 *
 * This header is what the daemon uses of it. Errors are logged here, where the missing feature is known. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"
#include "sensor/hooks.h"
#include "event/counters.h"
#include "policy/compile.h"
#include "sensor/load.h"
#include "basic/fd-store.h"
#include "basic/util.h"

typedef struct Sensor Sensor;

/* A table of marks, or of remembered files: how many entries live, how many there may be, about how much
 * memory that takes, how many were refused since the tables were made, and how many made room for others. */
typedef struct SensorTable {
        const char *name; /* as share_table_name() has it */
        uint64_t live, max, bytes, refused, dropped;
} SensorTable;

/* Those that have shares, and that of activity. */
#define SENSOR_TABLES (BW_SHARE_TABLES + 1)

/* Adopts the programs in the descriptor store if they are the same, and writes the policy to their tables.
 * Otherwise loads new programs, writes the policy, attaches every hook, enters the running processes into
 * the tables, and makes every hook fire that can be tested; until then the programs of the previous instance
 * keep running, and their marks are kept. Stores all of it, with `names` (policy/names.h). SENSOR_AUTO: the
 * best kind that works; the log says why a better one does not. Needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN
 * (or root). -EOPNOTSUPP: not supported by this kernel, the log names the missing feature; -EPERM. */
int sensor_start(SensorKind kind, const SensorLimits *limits, const PolicyTables *tables, FdStore *store,
                int names, Sensor **ret);
Sensor *sensor_free(Sensor *s);
DEFINE_CLEANUP(Sensor, sensor_free);

/* Two steps of sensor_start(), for tests. kind: not SENSOR_AUTO; types: see sensor_kernel_check(); sizes:
 * see sensor_sizes(); reuse: see sensor_load(). The policy must be written between them. */
struct btf;
int sensor_new(SensorKind kind, struct btf *types, const SensorSizes *sizes, const int *reuse, Sensor **ret);
int sensor_attach(Sensor *s);

SensorKind sensor_kind(const Sensor *s);

void sensor_tables(const Sensor *s, SensorTable ret[static SENSOR_TABLES]);

/* Whether more objects than a few are marked, or more files or names than that remembered. */
bool sensor_wants_sweep(const Sensor *s);

/* Removes entries of what has ended, by system calls of our own that the programs take as a request: does a
 * part of a sweep, and begins one if sensor_wants_sweep(). Returns whether a part is left. Needs no
 * privilege. */
bool sensor_sweep(Sensor *s);

/* The number of entries that sensor_sweep() has to look at, but for names, which have a pace of their own.
 */
uint64_t sensor_n_swept(const Sensor *s);

/* Removes entries of processes whose end was missed, some at a time, by system calls of our own: a call each
 * minute examines every PID within a day. Ends the look at shared memory while no marked process has written
 * to any for so long that it does not matter, and that for suspected users when the last suspicion has
 * ended. Needs no privilege. */
void sensor_tend(Sensor *s);

/* Begins a listing: a record of each mark (BW_KIND_MARK) and account (BW_KIND_ACCOUNT) is written to the
 * ring by the calls of sensor_list_step(), and by others. Returns its number, which they carry. Needs no
 * privilege. */
uint32_t sensor_list_begin(Sensor *s);

/* Lists some more marks, unless many records wait in the ring. Returns true once all are listed, and
 * sensor_consume() has passed on their records. */
bool sensor_list_step(Sensor *s);

/* Ends the listing. Returns how many records had no room. */
uint64_t sensor_list_end(Sensor *s);
unsigned sensor_n_hooks(const Sensor *s);

/* Has the programs count what each process does (bpf/abi/activity.h), or ends that. Needs no privilege. */
void sensor_activity_want(Sensor *s, bool wanted);

/* Empties `n` entries of that table, before the programs are to count. */
void sensor_activity_clear(Sensor *s, size_t from, size_t n);

/* The number of entries of that table. */
size_t sensor_n_activity(const Sensor *s);

/* Copies an entry. False: it is not in use, or was being made anew. */
struct bw_activity;
bool sensor_activity(const Sensor *s, size_t i, struct bw_activity *ret);

/* It as one of sensor_tables(): live: since the programs began to count. */
SensorTable sensor_activity_table(const Sensor *s);

typedef enum SensorProof {
        SENSOR_UNTRIED,   /* the daemon cannot make it fire */
        SENSOR_PROVED,    /* it has fired */
        SENSOR_DISPROVED, /* it should have fired and did not */
} SensorProof;

typedef struct SensorHook {
        const char *name;          /* its program's section: "lsm/file_open" */
        const char *not_monitored; /* without it; of one that only refuses egress, what is not refused */
        bool denies;               /* it is such a one */
        bool attached;             /* and not detached since */
        SensorProof proof;
        const char *obstacle; /* why it was not attached, with the remedy; NULL: not known */
        uint64_t misses;      /* times its program was skipped because it was running on that CPU already */
} SensorHook;

SensorHook sensor_hook(const Sensor *s, unsigned i);

/* The number of hooks that another program detached or replaced (sensor/hook-watch.h). */
unsigned sensor_n_hooks_gone(const Sensor *s);

/* Why a better sensor was not used, where other programs were in its way; NULL: they were not. */
const char *sensor_passed_over(const Sensor *s);

/* Other programs that were on the same hooks at startup (sensor/hook-watch.h): texts, NULL-terminated. */
char *const *sensor_foreign(const Sensor *s);

/* The largest number of cells that a policy may have. */
size_t sensor_max_cells(const Sensor *s);

/* Writes the idle copy of the tables and switches to it. Needs no privilege. Returns the generation that
 * records carry from now on. */
uint32_t sensor_policy_write(Sensor *s, const PolicyTables *t);

/* Has the files that the programs remember judged by the policy that was written last, while the one before
 * it is still there: one that was renamed keeps its classes, one that is not named any more loses them. */
void sensor_policy_apply(Sensor *s);

/* Attaches the hooks that only refuse egress, if the policy that was written last refuses any and the sensor
 * has such hooks. Before 5.19 only a privileged daemon can: logs what follows from that. */
void sensor_enforce(Sensor *s);

/* The policy in force, as the kernel has it. */
typedef struct SensorTrial {
        uint64_t policy;     /* its identity, see PolicyTables */
        uint64_t until_usec; /* its first hour ends then, CLOCK_MONOTONIC */
        uint64_t enforced;   /* classes with Action=deny or Access=allowed */
        uint64_t fallen;     /* of these those that fell back to a dry run */
} SensorTrial;

SensorTrial sensor_trial(const Sensor *s);

/* From now on, and until another policy is written, also by later instances of the daemon, it is only said
 * of these classes that something would be refused. */
void sensor_fall_back(Sensor *s, uint64_t classes);

uint32_t sensor_generation(const Sensor *s);

/* What is not monitored although every hook is attached. */
typedef struct SensorGaps {
        bool cgroup_partial; /* in a cgroup namespace: only the network below its cgroup is monitored */
        bool host_unknown;   /* no rule applies that needs the file system of the host */
        uint64_t lacking;    /* BW_LACKS_* */
} SensorGaps;

SensorGaps sensor_gaps(const Sensor *s);

/* Detaches every hook. Records in the ring can still be consumed. */
void sensor_detach(Sensor *s);

/* For poll(2): readable while records wait. */
int sensor_fd(const Sensor *s);

/* 0: the record was handled, and is freed. -EINPROGRESS: it is not completely handled yet; the next
 * sensor_consume() frees it. -EAGAIN: it was not accepted; the next sensor_consume() passes it again. Both
 * errors end the current sensor_consume(). */
typedef int (*SensorRecordHandler)(const void *record, size_t size, void *userdata);

/* Passes at most `max` records to the handler. A record that was in progress must have been handled by now,
 * and is freed. Returns the number of handled records; -EBADMSG: the ring is corrupt. */
int sensor_consume(Sensor *s, unsigned max, SensorRecordHandler handler, void *userdata);

/* The number of correlations in the ring, and when the first of them happened (CLOCK_MONOTONIC). Reads every
 * record. */
size_t sensor_waiting(const Sensor *s, uint64_t *ret_since_usec);

/* The kernel's losses that no previous instance has reported, by enum bw_loss. */
void sensor_losses(const Sensor *s, uint64_t ret[static BW_LOSS_MAX]);

/* One of the kernel's counts; of BW_COUNT_REPEATS, what no previous instance has reported. */
uint64_t sensor_count(const Sensor *s, enum bw_count count);

/* The sum of all hooks' misses (opens, forks, sends that were not judged) that no previous instance has
 * reported. */
uint64_t sensor_recursion_misses(const Sensor *s);

/* Stores how many losses and repeats have been reported, so that the next instance continues from there,
 * however this one ends. losses: Losses.reported. n_repeats_unreported: the part of BW_LOSS_REPEAT_GONE that
 * the daemon counts itself. */
void sensor_reported(Sensor *s, const uint64_t losses[static LOSSES_MAX], uint64_t n_repeats,
                uint64_t n_repeats_unreported);

/* The number of marks of the previous instance that could not be kept. */
uint64_t sensor_marks_dropped(const Sensor *s);

/* Repeats of the correlation whose record had this slot, boot_ns and cpu. False: its slot was reused. */
bool sensor_repeats(const Sensor *s, uint32_t slot, uint64_t boot_ns, uint32_t cpu, uint64_t *ret_count);
