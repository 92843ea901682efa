/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For sensor.c and sensor-start.c only. */

#include "hook-watch.h"
#include "record-ring.h"
#include "sensor-carry.h"
#include "sensor.h"

typedef struct Hook {
        enum bw_hook id;
        const char *name; /* where it hangs: its program's section */
        int fdinfo;       /* of the program, opened while we may; or -1 */
        SensorProof proof;
        HookWatch watch; /* of the link */
} Hook;

struct Sensor {
        SensorParts parts;
        RecordRing *ring;
        RecordRing *old_ring; /* of programs that this daemon has released, read first; or NULL */
        int old_ring_map, rings;
        SensorStore *store;   /* until the old ring is read */
        char old_identity[SENSOR_IDENTITY_SIZE];
        Hook hooks[BW_HOOK_MAX];
        size_t n_hooks;
        bool cgroup_partial;
        char **foreign;
        uint32_t own[SENSOR_CARRY_PROGRAMS_MAX]; /* ids of programs of ours that ran before, which are not foreign */
        size_t n_own;

        /* shared with the kernel programs */
        struct bw_shared *shared;
        struct bw_table *tables; /* BW_TABLES of them */
        struct bw_cell *cells;   /* BW_TABLES × n_cells */
        const struct bw_repeat *repeats;
        size_t map_bytes[SENSOR_MAPS];
        size_t n_cells;
        uint32_t n_repeats;
        uint64_t told[BW_COUNT_MAX], misses_told, marks_dropped; /* before this daemon */
};

/* Of nothing; NULL: memory is short. */
Sensor *sensor_make(void);

/* Maps the tables, and begins to read the ring. */
int sensor_open(Sensor *s);

/* The root cgroup's directory, and whether it is the machine's. */
int sensor_open_cgroup(Sensor *s, int *ret);

/* The hook is in the list from now on, attached or not. */
Hook *sensor_add_hook(Sensor *s, enum bw_hook id);

/* Makes every hook run once that an act of ours makes run. */
int sensor_prove(Sensor *s);
