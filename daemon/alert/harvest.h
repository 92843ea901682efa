/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Classes that each lineage accessed within the last minutes, across alerts: a harvester that forks a
 * program for each file accesses one class in each of them. Pure. */

#include "event/decode.h"

#define HARVEST_WINDOW_SEC 300
/* Processes and ancestors remembered; the least recently used is replaced. Each child of a harvester renews
 * the harvester's entry. Searching 512 takes microseconds. */
#define HARVEST_ENTRIES 512

typedef struct HarvestEntry {
        uint64_t start_boot_ns;
        uint64_t turn; /* of the last use, as HarvestWatch counts them; 0: unused */
        uint32_t pid;
        uint32_t class_sec[64]; /* when it was accessed last, seconds + 1; 0: never */
} HarvestEntry;

typedef struct HarvestWatch {
        HarvestEntry entries[HARVEST_ENTRIES];
        uint64_t turn; /* counts uses: a second is too coarse to order them */
} HarvestWatch;

/* Adds the event's classes to its process and its near ancestors. Returns the classes that any of them
 * accessed within HARVEST_WINDOW_SEC, the event's included. mono_ns: of the event; must not decrease. */
uint64_t harvest_watch_touch(HarvestWatch *w, const EventCorrelation *e, uint64_t mono_ns);
