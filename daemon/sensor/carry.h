/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Keeps programs and tables over a restart, in systemd's descriptor store. If the next instance needs the
 * same programs with tables of the same size, it adopts them: they never stop. Otherwise it loads and
 * attaches new programs while those of the previous instance still run. New programs share a table with the
 * old ones if its layout and size are the same (SensorCarry.reuse), so that both see the same marks and
 * reports; a table of another size is copied. */

#include "sensor/load.h"
#include "basic/fd-store.h"

/* Duplicates the descriptors with the identity of the plan. -ENOENT: there are none. -EBADMSG: some are
 * missing, or one has an unexpected type; the log has the reason. */
int sensor_carry_adopt(const FdStore *store, const SensorPlan *plan, SensorParts *ret);

/* Stores the link of one hook, whose program is stored. */
int sensor_carry_link(FdStore *store, const char *identity, const SensorParts *parts, enum bw_hook hook);

/* Stores all programs, links and tables, and the file of names (policy/names.h). A table that is shared with
 * the old programs is stored under the new identity. */
int sensor_carry_keep(FdStore *store, const SensorPlan *plan, const SensorParts *parts, int names);

/* Gets the ids of all programs in the store. Returns their number. */
#define SENSOR_CARRY_PROGRAMS_MAX (2 * BW_HOOK_MAX) /* two versions of them */
size_t sensor_carry_programs(const FdStore *store, uint32_t ret[static SENSOR_CARRY_PROGRAMS_MAX]);

/* What the store has of programs with other identities. The store owns the descriptors; -1: none. */
typedef struct SensorCarry {
        int reuse[SENSOR_MAPS];
        int copy[SENSOR_MAPS]; /* the same layout in another size: marks, processes, the ring (to be read) */
        SensorShape shapes[SENSOR_MAPS];
        size_t added[SENSOR_MAPS]; /* entries copied that the new table did not have */
        size_t added_contents;     /* of those in the table of marks: contents of objects */
        size_t refused;            /* entries for which the new table had no room */
        uint32_t programs[SENSOR_CARRY_PROGRAMS_MAX]; /* their ids */
        size_t n_programs;
} SensorCarry;

/* False if the store has nothing of other identities. */
bool sensor_carry_find(const FdStore *store, const SensorPlan *plan, SensorCarry *ret);

/* Copies up to `room` entries that `to` does not have, and every entry whose value differs there. The keys
 * of new entries are pushed to `queue` as well, unless it is -1. Returns the number of copied entries. */
size_t sensor_carry_copy(SensorCarry *c, SensorMap map, int to, int queue, size_t room);

/* The number of entries in the tables of the store, whatever their size. */
typedef struct SensorHeld {
        size_t marks;    /* of processes */
        size_t contents; /* of objects */
        size_t objects;
        size_t files;    /* sensitive ones that are remembered */
        size_t lineages; /* processes whose ancestors are known */
        size_t mappings; /* what they share */
        size_t names;    /* of executables and files */
        size_t rings;    /* of io_uring */
} SensorHeld;

SensorHeld sensor_carry_count(const FdStore *store);

/* The name in the store of the file of names. */
extern const char sensor_carry_names[];
