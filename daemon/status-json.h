/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What GetStatus answers: how the watch is doing. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "losses.h"
#include "policy-file.h"
#include "sensor.h"

typedef struct Status {
        const char *version;
        SensorKind sensor;
        pid_t pid;
        uint64_t armed_realtime_usec, policy_realtime_usec;
        uint64_t now_usec; /* CLOCK_MONOTONIC, as Losses has it */
        const SensorHook *hooks;
        size_t n_hooks;
        char *const *foreign; /* programs of others on the same hooks; NULL-terminated */
        uint64_t marks_live, marks_max;
        const Losses *losses;
        const Policy *policy;
        size_t n_patterns;
        uint64_t n_alerts, n_repeats;
        uint64_t n_ignored, n_below; /* correlations that the policy does not want told */
        size_t n_kept, n_kept_max, n_waiting, n_clients;
        uint64_t waiting_usec; /* since when the oldest of them waits, CLOCK_MONOTONIC; 0: none does */
        bool policy_refused;   /* the last reload was: an older policy is in force */
        bool cgroup_partial;   /* only the network below the daemon's cgroup is seen */
        bool host_unknown;     /* no rule holds that asks for the host's file system */
        uint64_t lacking;      /* BW_LACKS_*: what the kernel has not, and a newer one has */
} Status;

/* An alert that waits longer than this has a reader that does not read: journald takes one in microseconds. */
#define STATUS_WAITING_USEC DELAYS_TELL_USEC

/* A loss makes detection count as degraded for this long: it cannot be made good, and who looks once an hour is to see
 * it. */
#define STATUS_LOSS_RECENT_USEC (UINT64_C(3600) * 1000000)

/* NULL: memory is short. */
json_t *status_to_json(const Status *s);
