/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What goes on when one daemon ends and the next begins, by way of systemd's descriptor store. The same programs with the
 * same tables run on, and the new daemon takes them over (adopt). Others are loaded and attached while the old ones
 * still run: they use the tables of the old ones where these have the same layout and size (SensorCarry.reuse), so that
 * what one has marked or reported the other knows of; tables of another size are copied. */

#include "sensor-load.h"
#include "sensor-store.h"

/* 0: found whole, *ret has its own descriptors. -ENOENT: there is nothing of the plan's identity. -EBADMSG: it is not
 * whole, or not what its name says; the log says what. */
int sensor_carry_adopt(const SensorStore *store, const SensorPlan *plan, SensorParts *ret);

/* Hands all of it to systemd, with the file of names (policy-names.h). What is in use by the old programs, too, is
 * renamed. */
int sensor_carry_keep(SensorStore *store, const SensorPlan *plan, const SensorParts *parts, int names);

/* Ids of all programs in the store. Returns how many. */
#define SENSOR_CARRY_PROGRAMS_MAX (2 * BW_HOOK_MAX) /* two versions of them */
size_t sensor_carry_programs(const SensorStore *store, uint32_t ret[static SENSOR_CARRY_PROGRAMS_MAX]);

/* What programs of other identities have left. Descriptors are the store's, -1: none. */
typedef struct SensorCarry {
        int reuse[SENSOR_MAPS];
        int copy[SENSOR_MAPS]; /* the same layout in another size: marks, processes, the ring (to be read) */
        SensorShape shapes[SENSOR_MAPS];
        size_t added[SENSOR_MAPS]; /* entries that were copied to where they were not */
        size_t added_objects;      /* of those added to the marks */
        size_t refused;            /* there was no room for them */
        uint32_t programs[SENSOR_CARRY_PROGRAMS_MAX]; /* their ids */
        size_t n_programs;
} SensorCarry;

/* Returns whether there is anything. */
bool sensor_carry_find(const SensorStore *store, const SensorPlan *plan, SensorCarry *ret);

/* Copies the entries that `to` does not have, up to `room` of them, and those that it has otherwise. Returns how many. */
size_t sensor_carry_copy(SensorCarry *c, SensorMap map, int to, size_t room);

/* Marks in the store's tables, whatever their layout: of processes, and of objects. Returns how many in all. */
size_t sensor_carry_count_marks(const SensorStore *store, size_t *ret_objects);

/* The file of names, in the store. */
extern const char sensor_carry_names[];
