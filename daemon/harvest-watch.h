/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What each lineage has touched within the last minutes, across alerts: a harvester that forks a program for each
 * file touches one class in each of them. Pure. */

#include "event-decode.h"

#define HARVEST_WINDOW_SEC 300
/* Processes and ancestors remembered; the one that was seen longest ago gives way. A harvester's own entry is renewed
 * by each of its children. 512 of them are looked through in microseconds. */
#define HARVEST_ENTRIES 512

typedef struct HarvestEntry {
        uint64_t start_boot_ns;
        uint64_t turn;          /* the last time, by the watch's count; 0: unused */
        uint32_t pid;
        uint32_t class_sec[64]; /* when it was touched last, seconds + 1; 0: never */
} HarvestEntry;

typedef struct HarvestWatch {
        HarvestEntry entries[HARVEST_ENTRIES];
        uint64_t turn; /* counts up with each look: more than one falls into a second */
} HarvestWatch;

/* Notes the event's classes for its process and its near ancestors. Returns the classes that any of them has touched
 * within HARVEST_WINDOW_SEC, these included. mono_ns: of the event; grows. */
uint64_t harvest_watch_touch(HarvestWatch *w, const EventCorrelation *e, uint64_t mono_ns);
