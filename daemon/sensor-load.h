/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* From the built-in object to programs and tables in the kernel: what a sensor is made of, as plain descriptors. The only
 * module that includes the skeleton. It logs what is wrong, as it is the one who knows which feature is missing. */

#include <stddef.h>
#include <stdint.h>

#include "hooks.h"

/* The tables that the daemon uses; those that only the programs use live as long as they do. */
typedef enum SensorMap {
        SENSOR_MAP_RING,
        SENSOR_MAP_TABLE,
        SENSOR_MAP_CELLS,
        SENSOR_MAP_REPEATS,
        SENSOR_MAP_SHARED, /* .bss: struct bw_shared */
        SENSOR_MAPS,
} SensorMap;

typedef struct SensorLimits {
        unsigned marks_max;     /* marks are refused above 90 % of this */
        unsigned processes_max;
        uint64_t ring_bytes;    /* power of two */
        size_t cells;           /* the policy's need; the table gets room to grow */
} SensorLimits;

typedef struct SensorParts {
        SensorKind kind;
        int maps[SENSOR_MAPS];
        size_t map_values[SENSOR_MAPS];  /* bytes of one */
        size_t map_entries[SENSOR_MAPS];
        int programs[BW_HOOK_MAX]; /* -1: the kernel has no such hook, or it is not of this sensor */
        int iterator;              /* takes in the processes that run; -1: not loaded here */
} SensorParts;

/* Does this kernel run programs of this kind at all? Loads the smallest one there is, attaches it and makes it run.
 * Returns 0, or: -EPERM not allowed; -EOPNOTSUPP the kernel has no such programs; -ENODATA it takes them and does not run
 * them. Logs nothing: it may be one of several that are tried. */
int sensor_kind_probe(SensorKind kind);
const char *sensor_kind_obstacle(SensorKind kind, int r);

/* Is there BTF and a ring buffer, and may we load programs? -EOPNOTSUPP, -EPERM. */
int sensor_kernel_check(void);

/* Loads all programs of a sensor and its tables; hooks that this kernel does not have are left out, unless they are
 * essential. -EOPNOTSUPP: this kernel cannot; -EPERM; -ENOMEM. */
int sensor_load(SensorKind kind, const SensorLimits *limits, SensorParts *ret);

void sensor_parts_init(SensorParts *p);
void sensor_parts_done(SensorParts *p); /* closes everything */
