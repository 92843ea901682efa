/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Loads the built-in BPF object: programs and tables, as plain descriptors. The only file that includes the
 * skeleton. Errors are logged here, where the missing feature is known. */

#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"
#include "basic/fd-store.h"
#include "sensor/hooks.h"
#include "sensor/sizes.h"

/* The tables that the daemon uses, or that the programs of the next instance can share. The others are
 * released with their programs. */
typedef enum SensorMap {
        SENSOR_MAP_SHARED, /* .bss: struct bw_shared */
        SENSOR_MAP_RING,
        SENSOR_MAP_TABLE,
        SENSOR_MAP_CELLS,
        SENSOR_MAP_REPORTED,
        SENSOR_MAP_REPEATS,
        SENSOR_MAP_REPEAT_NEXT,
        SENSOR_MAP_ACTIVITY, /* of processes, while a client looks */
        SENSOR_MAP_TAILS,    /* parts of the programs: of these alone */
        SENSOR_MAP_MARKS,
        SENSOR_MAP_MARKED,
        SENSOR_MAP_OBJECTS,
        SENSOR_MAP_OBJECT_QUEUE,
        SENSOR_MAP_SENSITIVE,
        SENSOR_MAP_SENSITIVE_QUEUE,
        SENSOR_MAP_SENSITIVE_NAMES,
        SENSOR_MAP_HOPS,
        SENSOR_MAP_PROCESSES,
        SENSOR_MAP_MAPPINGS, /* of these processes */
        SENSOR_MAP_NAMES,
        SENSOR_MAP_NAME_QUEUE,
        SENSOR_MAP_RINGS, /* of io_uring */
        SENSOR_MAP_RING_QUEUE,
        SENSOR_MAP_REFUSED, /* sockets whose data is refused */
        SENSOR_MAP_REFUSED_QUEUE,
        SENSOR_MAP_HOST,
        SENSOR_MAP_CHARGES,
        SENSOR_MAP_SPARE_NAMES,
        SENSOR_MAP_LONG_NAMES,
        SENSOR_MAPS,
} SensorMap;

/* Map geometry from fdinfo; for a ring buffer, `entries` is its size in bytes. */
typedef struct SensorShape {
        uint32_t type, key_bytes, value_bytes, entries;
} SensorShape;

typedef struct SensorParts {
        SensorKind kind;
        int maps[SENSOR_MAPS];
        SensorShape shapes[SENSOR_MAPS];
        int programs[BW_HOOK_MAX]; /* -1: the kernel has no such hook, or it is not of this sensor */
        int links[BW_HOOK_MAX];    /* -1: not attached */
        int iterator;              /* enters running processes into the tables; -1: not loaded */
        int file_iterator;         /* and the files that they have open */
        int map_iterator;          /* and mapped; -1 before 5.12 */
} SensorParts;

/* The name of each table in the descriptor store, with the version of its layout. */
extern const char *const sensor_map_names[SENSOR_MAPS];

#define STRING(x) #x
#define STRING_OF(x) STRING(x)
#define SENSOR_RING_NAME "ring." STRING_OF(BW_EVENT_VERSION)

/* What will be loaded, without loading it. */
typedef struct SensorPlan {
        char identity[FD_STORE_IDENTITY_SIZE]; /* hex: equal for the same programs, --sensor= and sizes of
                                                tables */
        SensorShape shapes[SENSOR_MAPS];
} SensorPlan;

/* kind: the value of --sensor=, which may be SENSOR_AUTO. */
int sensor_plan(SensorKind kind, const SensorSizes *sizes, SensorPlan *ret);

struct btf; /* <bpf/btf.h>: the kernel's types */
void btf_freep(struct btf **btf);

/* Tests whether this kernel runs programs of this kind: loads a minimal one, attaches it and makes it fire.
 * Returns 0; -EPERM: not permitted; -EOPNOTSUPP: not supported; -ENODATA: the program was attached and did
 * not fire. Does not log, since the caller may try several kinds. */
int sensor_kind_probe(SensorKind kind, const struct btf *types);
const char *sensor_kind_obstacle(SensorKind kind, int r);

/* Checks that the kernel has BTF and ring buffers, and that the daemon may load programs. -EOPNOTSUPP,
 * -EPERM, or the error of reading BTF. */
int sensor_kernel_check(struct btf **ret_types);

/* Loads all programs of a sensor, and all tables except those in `reuse` (descriptors, or -1; NULL: none).
 * Hooks that this kernel does not have are left out, unless they are essential. -EOPNOTSUPP: not supported
 * by this kernel; -EPERM; -ENOMEM. */
int sensor_load(SensorKind kind, struct btf *types, const SensorSizes *sizes, const int *reuse,
                SensorParts *ret);

void sensor_parts_init(SensorParts *p);
void sensor_parts_done(SensorParts *p); /* closes everything */
