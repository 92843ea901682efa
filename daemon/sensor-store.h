/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* systemd's descriptor store (sd_pid_notify_with_fds(3)): what is in it outlives the daemon, whatever ends it, until the
 * service is stopped. Descriptors are told apart by name alone: "bw-", the identity of the programs they belong to
 * (SensorPlan), "-", and what it is. Outside a service there is no store: it is empty, and stays so. */

#include <stdbool.h>

#include "sensor-load.h"
#include "util.h"

typedef struct SensorStore SensorStore;

/* Takes what systemd passes (sd_listen_fds(3)), and forgets that it was passed. */
int sensor_store_new(SensorStore **ret);
SensorStore *sensor_store_free(SensorStore *s);
DEFINE_CLEANUP(SensorStore, sensor_store_free);

/* What was passed and was not kept for us: sockets. Returns how many; *ret_fd: the last one. */
int sensor_store_sockets(const SensorStore *s, int *ret_fd);

/* Is anything kept at all? */
bool sensor_store_keeps(const SensorStore *s);

/* An identity in it that is not this one. false: there is none. */
bool sensor_store_other(const SensorStore *s, const char *identity, char ret[static SENSOR_IDENTITY_SIZE]);

/* Of that identity; NULL: of any. what: a name, or, with a '.' at its end, its beginning. The descriptor stays the
 * store's. -1: not there. */
int sensor_store_find(const SensorStore *s, const char *identity, const char *what);

/* The nth of that name, of any identity. -1: there are fewer. */
int sensor_store_nth(const SensorStore *s, const char *what, size_t n);

/* Hands a descriptor to systemd; it stays the caller's, too. systemd does not take one that it has, whatever the name: remove it
 * first. */
int sensor_store_put(const SensorStore *s, const char *identity, const char *what, int fd);

/* identity NULL: of any; what NULL: all of it; otherwise see sensor_store_find(). but: a name that stays, or NULL. */
void sensor_store_remove(SensorStore *s, const char *identity, const char *what, const char *but);

/* Waits until systemd has done it all. What it has removed is closed then, but for newer versions (254), which close in a
 * thread: moments later. */
void sensor_store_sync(const SensorStore *s);
