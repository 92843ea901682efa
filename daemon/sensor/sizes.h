/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* How large the kernel's tables are: from the machine and the policy. Pure. */

#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"

/* What a machine is, as far as it matters. */
typedef struct Machine {
        unsigned cpus;         /* possible ones: LRU tables keep free entries to themselves on each */
        uint64_t memory_bytes; /* all of it */
} Machine;

/* What the policy asks for. */
typedef struct SensorLimits {
        unsigned marks_max;     /* MaxMarks=; 0: from the machine */
        unsigned processes_max; /* MaxProcesses=; 0: from the machine */
        uint64_t ring_bytes;    /* RingBuffer=, a power of two; 0: from the machine */
        size_t cells;           /* the policy's need */
} SensorLimits;

typedef struct SensorSizes {
        /* Entries that each shared table may have, by enum bw_share_of, and what one user may have of it. */
        uint32_t limit[BW_SHARE_TABLES];
        uint32_t user_share[BW_SHARE_TABLES];
        uint32_t marks_max; /* as it was asked for: the limit is 90 % of it */
        uint32_t marks_pressure;
        uint32_t contents_limit;
        uint32_t suspects_max;
        uint32_t marks_entries; /* of the LRU hash, with room for free lists */
        uint32_t drafts;
        uint32_t activity;  /* entries of the table of activity; a power of two */
        uint32_t lru_spare; /* room that an LRU table needs beside the entries that are wanted */
        uint32_t cells;     /* of each copy of the policy, with room to grow; a power of two */
        uint64_t ring_bytes;
        unsigned cpus; /* for tables with a part for each */
} SensorSizes;

/* memory_bytes 0: not known, the smallest sizes are taken. */
SensorSizes sensor_sizes(const Machine *m, const SensorLimits *limits);

/* The machine that this is. */
Machine machine_read(void);
