/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which alerts belong together. The root of an alert is one read of one file by one process. An incident
 * joins alerts that share a root or the sender, or whose senders are of one process group and login within
 * INCIDENT_GROUP_SEC. It links alerts and does not silence any. Pure.
 *
 * What is forgotten opens a new incident: two thieves must never look like one. */

#include <stdint.h>

#include <jansson.h>

#include "alert/alert.h"
#include "event/decode.h"

#define INCIDENT_GROUP_SEC 300
/* It closes when it has had no alert for so long, */
#define INCIDENT_QUIET_SEC (15 * 60)
/* or when it is so old. */
#define INCIDENT_AGE_SEC (24 * 3600)

/* Open incidents; the one that has been quiet for longest is closed for a new one. Searching them all takes
 * some 20 microseconds. */
#define INCIDENTS_MAX 256
/* Of each the latest: a harvester's children have one root and one sender each, and are in its group. */
#define INCIDENT_ROOTS 32
#define INCIDENT_SENDERS 16
#define INCIDENT_GROUPS 4

typedef struct IncidentRoot {
        uint64_t opened_ns; /* CLOCK_MONOTONIC; 0: unused */
        uint64_t inode;
        uint32_t device, pid;
} IncidentRoot;

typedef struct IncidentSender {
        uint64_t start_boot_ns;
        uint32_t pid; /* 0: unused */
} IncidentSender;

typedef struct IncidentGroup {
        uint64_t latest_ns; /* CLOCK_MONOTONIC of its latest alert; 0: unused */
        uint32_t group, loginuid;
} IncidentGroup;

typedef struct Incident {
        char id[ALERT_ID_SIZE];                /* of its first alert; empty: unused */
        uint64_t first_ns, latest_ns;          /* CLOCK_MONOTONIC of its alerts */
        unsigned n_roots, n_senders, n_groups; /* so far; each array is a ring */
        IncidentRoot roots[INCIDENT_ROOTS];
        IncidentSender senders[INCIDENT_SENDERS];
        IncidentGroup groups[INCIDENT_GROUPS];
} Incident;

typedef struct Incidents {
        Incident items[INCIDENTS_MAX];
} Incidents;

/* Finds the incident of an alert, or opens one, and adds the alert to it. id: of the alert. Returns the id
 * of the incident, which is valid until the next call. mono_ns: of the event. */
const char *incidents_add(Incidents *all, const EventCorrelation *e, uint64_t mono_ns, const char *id);

/* Adds an alert of before a restart, from its JSON. One of another boot is ignored. The JSON has no process
 * group, and its times are rounded. boot_minus_mono_ns: CLOCK_BOOTTIME - CLOCK_MONOTONIC. */
void incidents_restore(
                Incidents *all, const json_t *alert, const AlertEpoch *epoch, uint64_t boot_minus_mono_ns);
