/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* From the built-in object to programs and tables in the kernel: what a sensor is made of, as plain descriptors. The only
 * module that includes the skeleton. It logs what is wrong, as it is the one who knows which feature is missing. */

#include <stddef.h>
#include <stdint.h>

#include "hooks.h"

/* The tables that the daemon uses, or that other programs may go on with; the rest lives as long as its programs do. */
typedef enum SensorMap {
        SENSOR_MAP_SHARED, /* .bss: struct bw_shared */
        SENSOR_MAP_RING,
        SENSOR_MAP_TABLE,
        SENSOR_MAP_CELLS,
        SENSOR_MAP_REPORTED,
        SENSOR_MAP_REPEATS,
        SENSOR_MAP_REPEAT_NEXT,
        SENSOR_MAP_MARKS,
        SENSOR_MAP_MARKED,
        SENSOR_MAP_HOPS,
        SENSOR_MAP_PROCESSES,
        SENSOR_MAP_HOST,
        SENSOR_MAP_EXE_NAMES,
        SENSOR_MAP_FILE_NAMES,
        SENSOR_MAP_LONG_NAMES,
        SENSOR_MAPS,
} SensorMap;

/* As the kernel tells of it: of a ring, `entries` are bytes. */
typedef struct SensorShape {
        uint32_t type, key_bytes, value_bytes, entries;
} SensorShape;

/* For two processes that may be marked there may be one marked object. */
#define SENSOR_OBJECTS_SHARE 2

typedef struct SensorLimits {
        unsigned marks_max;     /* marks are refused above 90 % of this */
        unsigned processes_max;
        uint64_t ring_bytes;    /* power of two */
        size_t cells;           /* the policy's need; the table gets room to grow */
} SensorLimits;

typedef struct SensorParts {
        SensorKind kind;
        int maps[SENSOR_MAPS];
        SensorShape shapes[SENSOR_MAPS];
        int programs[BW_HOOK_MAX]; /* -1: the kernel has no such hook, or it is not of this sensor */
        int links[BW_HOOK_MAX];    /* -1: not attached */
        int iterator;              /* takes in the processes that run; -1: not loaded here */
        int file_iterator;         /* and the files they have open */
        int map_iterator;          /* and mapped; -1 before 5.12 */
} SensorParts;

/* What each table is called where it outlives the daemon, with the number of its layout. */
extern const char *const sensor_map_names[SENSOR_MAPS];

#define STRING(x) #x
#define STRING_OF(x) STRING(x)
#define SENSOR_RING_NAME "ring." STRING_OF(BW_EVENT_VERSION)

#define SENSOR_IDENTITY_SIZE 17

/* What will be loaded, without loading it. */
typedef struct SensorPlan {
        char identity[SENSOR_IDENTITY_SIZE]; /* hex: the same programs, asked for in the same way, with the same tables */
        SensorShape shapes[SENSOR_MAPS];
} SensorPlan;

/* kind: as it was asked for, SENSOR_AUTO included. */
int sensor_plan(SensorKind kind, const SensorLimits *limits, SensorPlan *ret);

struct btf; /* <bpf/btf.h>: the kernel's types */
void btf_freep(struct btf **btf);

/* Does this kernel run programs of this kind at all? Loads the smallest one there is, attaches it and makes it run.
 * Returns 0, or: -EPERM not allowed; -EOPNOTSUPP the kernel has no such programs; -ENODATA it takes them and does not run
 * them. Logs nothing: it may be one of several that are tried. */
int sensor_kind_probe(SensorKind kind, const struct btf *types);
const char *sensor_kind_obstacle(SensorKind kind, int r);

/* Is there BTF and a ring buffer, and may we load programs? -EOPNOTSUPP, -EPERM, or what reading it failed with. */
int sensor_kernel_check(struct btf **ret_types);

/* Loads all programs of a sensor and its tables, but for the ones that are there already (`reuse`: descriptors or -1;
 * NULL: none); hooks that this kernel does not have are left out, unless they are
 * essential. -EOPNOTSUPP: this kernel cannot; -EPERM; -ENOMEM. */
int sensor_load(SensorKind kind, const struct btf *types, const SensorLimits *limits, const int *reuse, SensorParts *ret);

/* A copy of a descriptor, for whoever has the first one may close it. */
int descriptor_keep(int fd, int *ret);

void sensor_parts_init(SensorParts *p);
void sensor_parts_done(SensorParts *p); /* closes everything */
