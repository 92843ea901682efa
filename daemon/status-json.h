/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Makes the reply of GetStatus: the state of the sensor. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "alert/losses.h"
#include "policy/types.h"
#include "sensor/sensor.h"

typedef struct Status {
        const char *version;
        SensorKind sensor;
        pid_t pid;
        uint64_t armed_realtime_usec, policy_realtime_usec;
        uint64_t now_usec; /* CLOCK_MONOTONIC, as in Losses */
        const SensorHook *hooks;
        size_t n_hooks;
        char *const *foreign;      /* BPF programs of others on the same hooks; NULL-terminated */
        const char *passed_over;   /* why a better sensor is not used; or NULL */
        const SensorTable *tables; /* SENSOR_TABLES of them */
        uint64_t marks_live, marks_max;
        const Losses *losses;
        const Policy *policy;
        size_t n_patterns;
        uint64_t n_alerts, n_repeats;
        uint64_t n_ignored, n_below; /* correlations that raise no alert */
        uint64_t n_info;             /* those that are written as records of severity info */
        uint64_t fallen;             /* classes that fell back to a dry run, see alert/trial.h; if not 0: */
        const PolicyNames *names;
        uint64_t n_denied, n_would_deny, n_not_denied;
        size_t n_kept, n_kept_max, n_waiting, n_clients;
        uint64_t waiting_usec; /* since when the oldest waits, CLOCK_MONOTONIC; 0: none does */
        bool policy_refused;   /* the last reload failed: the previous policy is in force */
        bool cgroup_partial;   /* network access is monitored below the daemon's cgroup only */
        bool host_unknown;     /* only rules with Container=yes apply */
        uint64_t lacking;      /* BW_LACKS_*: features that this kernel lacks */
} Status;

/* If an alert waits longer, its receiver does not read: journald accepts one in microseconds. */
#define STATUS_WAITING_USEC DELAYS_REPORT_USEC

/* For this long a loss degrades the state: a monitoring system that checks once an hour must see it. */
#define STATUS_LOSS_RECENT_USEC (UINT64_C(3600) * 1000000)

/* NULL: out of memory. */
json_t *status_to_json(const Status *s);

/* A Table of the interface. NULL: out of memory. */
json_t *status_table_to_json(const SensorTable *t);
