/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For sensor/sensor.c, sensor/start.c and sensor/sweep.c only. */

#include "abi/activity.h"
#include "abi/shared.h"
#include "sensor/hook-watch.h"
#include "sensor/ring.h"
#include "sensor/carry.h"
#include "sensor/sensor.h"

typedef struct Hook {
        enum bw_hook id;
        const char *name; /* its program's section */
        int fdinfo;       /* of the program, opened while privileged; or -1 */
        SensorProof proof;
        HookWatch watch; /* of the link */
        char *obstacle;  /* why it is not attached, by hook_watch_obstacle(); or NULL */
} Hook;

/* The search for names that are in use, see sensor/sweep.c. */
typedef struct Names {
        enum { NAMES_REST, NAMES_LOOK, NAMES_SWEEP } step;
        uint64_t calls; /* made of the look, or left of the sweep */
        uint64_t spent_usec, next_usec;
} Names;

struct Sensor {
        SensorParts parts;
        RecordRing *ring;
        RecordRing *old_ring; /* of programs that this daemon has released, read before `ring`; or NULL
                               */
        int old_ring_map, rings;
        FdStore *store; /* until the old ring is read */
        char old_identity[FD_STORE_IDENTITY_SIZE];
        Hook hooks[BW_HOOK_MAX];
        size_t n_hooks;
        bool cgroup_partial;
        char **foreign;
        char *passed_over; /* why a better sensor was not used: an obstacle to one of its hooks; or NULL */
        uint32_t own[SENSOR_CARRY_PROGRAMS_MAX]; /* ids of Barbwire's own earlier programs, which are not
                                                    foreign */
        size_t n_own;

        /* shared with the kernel programs */
        struct bw_shared *shared;
        struct bw_table *tables; /* BW_TABLES of them */
        struct bw_cell *cells;   /* BW_TABLES × n_cells */
        const struct bw_repeat *repeats;
        struct bw_activity *activity;
        size_t map_bytes[SENSOR_MAPS];
        size_t n_cells;
        uint32_t n_repeats;
        uint64_t sweep_calls; /* that are left of the sweep */
        Names names;
        bool listing;           /* a listing that somebody asked for is being made */
        bool list_written;      /* all records of the listing are in the ring, */
        unsigned long list_end; /* before this position */
        SensorSizes sizes;
        char identity[FD_STORE_IDENTITY_SIZE]; /* of the programs, in `kept` */
        FdStore *kept;
        bool refusing;        /* a class has Action=deny, and it is no dry run */
        bool locking;         /* a class has Access=allowed or FailClosed=yes */
        uint64_t start_ticks; /* of this process, in BW_START_TICK_NS; 0: unknown */
        /* before this daemon */
        uint64_t losses_reported[BW_LOSS_MAX], repeats_reported, misses_reported, marks_dropped;
};

/* Allocates an empty Sensor. NULL: out of memory. */
Sensor *sensor_make(const SensorSizes *sizes);

/* Maps the tables and opens the ring. */
int sensor_open(Sensor *s);

/* Opens the directory of the root cgroup, and notes whether it is that of the machine. */
int sensor_open_cgroup(Sensor *s, int *ret);

/* Makes `n` system calls, by which the programs sweep the tables. */
void sensor_call(Sensor *s, uint64_t n);

/* Adds the hook to the list, attached or not. */
Hook *sensor_add_hook(Sensor *s, enum bw_hook id);

/* Makes every hook fire that the daemon can make fire. */
int sensor_prove(Sensor *s);
