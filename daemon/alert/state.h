/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert about detection itself. The same sentence in text, in the journal and in JSON:
 *
 * kind ("state"), state ("loss", "policy", "delay", "foreign", "share", "heartbeat",
 * "fallback"), time (RFC 3339, UTC),
 * summary, and of a loss: cause, count (since the last one of that cause), total; of a delay: count (of the
 * alerts that say delayed_ms), longest_ms; of foreign programs: programs[]; of a fallback: class,
 * services[] (whose programs it refused something); of a share: table ("processes",
 * "objects", "files", "lineages", "mappings", "names", "rings"), uid, cgroup|null (the last component of its
 * path; null: the share of all of the user's cgroups), cgroup_id, pid, comm, live, refused; of a heartbeat:
 * event ("start", "hour", "stop"), version, sensor, health ("ok", "degraded"), reasons[] (why it is
 * degraded), policy (the hash of what is in force), losses (since the start, of all causes); of a policy:
 * hash (of what is in force), previous|null, refused, files, classes, allows, errors. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/decode.h"
#include "policy/types.h"

typedef enum StateKind {
        STATE_LOSS,      /* events could not be judged, or alerts could not be written */
        STATE_POLICY,    /* a policy was loaded, or a reload failed */
        STATE_FOREIGN,   /* other BPF programs are attached to the network hooks; not a loss */
        STATE_DELAY,     /* alerts were delivered late */
        STATE_SHARE,     /* a user has filled its share of a table; not a loss: it is monitored as a whole */
        STATE_HEARTBEAT, /* the sensor runs, or ends; without one, nobody monitors the host */
        STATE_FALLBACK,  /* a class is not enforced any more, see alert/trial.h */
} StateKind;

/* The interval of heartbeats. A host without one for two of them is silent. */
#define HEARTBEAT_USEC (UINT64_C(3600) * 1000000)

typedef enum HeartbeatEvent {
        HEARTBEAT_START,
        HEARTBEAT_HOUR,
        HEARTBEAT_STOP,
        _HEARTBEAT_MAX
} HeartbeatEvent;

/* "start", "hour", "stop". */
const char *heartbeat_event_to_string(HeartbeatEvent event);

typedef struct StateAlert {
        StateKind kind;
        uint64_t realtime_usec;
        /* a loss */
        const char *cause;   /* LossInfo.name */
        const char *meaning; /* LossInfo.meaning */
        const char *remedy;  /* or NULL */
        uint64_t count, total;
        /* foreign programs */
        char *const *programs; /* hook_watch_foreign(); of a fallback: services */
        /* a fallback, besides programs */
        const char *class;
        /* a share */
        const EventShare *share;
        /* a heartbeat, besides hash; total: of all losses */
        HeartbeatEvent event;
        const char *version, *sensor;
        char *const *reasons; /* why the sensor is degraded, NULL-terminated; none: it is not */
        /* a delay, besides count */
        uint64_t longest_usec;
        /* a policy */
        const char *hash;                              /* of the policy in use: SHA-256, 64 hex digits */
        const char *previous;                          /* of the policy before it; NULL: the first one */
        bool refused;                                  /* a reload failed, and this policy was kept */
        size_t n_files, n_classes, n_allows, n_errors; /* of the policy in use */
} StateAlert;

/* Describes that policy p is in use; refused: because a reload failed. previous: the hash of the policy
 * before it, NULL if there is none. Borrows both. */
StateAlert state_alert_policy(const Policy *p, bool refused, const char *previous, uint64_t realtime_usec);

/* Describes programs that others attached to the network hooks (hook_watch_foreign()). Borrows them. */
StateAlert state_alert_foreign(char *const *programs, uint64_t realtime_usec);

/* Describes a full share. Borrows it. */
StateAlert state_alert_share(const EventShare *share, uint64_t realtime_usec);

/* What the entries of a shared table (enum bw_share_of) are called. */
const char *share_table_name(unsigned table);

/* Returns one sentence, newly allocated; NULL when out of memory. */
char *state_alert_sentence(const StateAlert *a);
/* Returns one line without newline, newly allocated; NULL when out of memory. */
char *state_alert_json(const StateAlert *a);
