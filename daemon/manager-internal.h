/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The one struct that owns all state, for the files that make up the manager: manager.c, where records go through, and
 * manager-query.c, what is answered about it. */

#include <systemd/sd-event.h>

#include "alert-ring.h"
#include "alert-sink.h"
#include "alert.h"
#include "harvest-watch.h"
#include "losses.h"
#include "manager.h"
#include "policy-store.h"
#include "query-server.h"
#include "repeat-watch.h"
#include "sensor-store.h"
#include "sensor.h"

struct Manager {
        const ManagerOptions *options;
        sd_event *event;
        SensorStore *store;
        Sensor *sensor;
        PolicyStore policies;
        Policy *policy;       /* until it is in force */
        PolicyTables *tables; /* the same */
        AlertSink *sink;
        AlertRing *ring;
        QuerySource query_source;
        QueryServer *query; /* NULL: nobody asked for a socket */
        AlertEpoch epoch;
        RepeatWatches *watches;
        HarvestWatch *harvests;
        Losses losses;

        sd_event_source *ring_source;
        sd_event_source *repeat_timer;
        sd_event_source *loss_timer;

        uint64_t armed_realtime_usec;
        uint64_t n_alerts, n_repeats, n_ignored, n_below, n_malformed, n_repeats_untold;
        Delays delays;
};

/* Looks at all losses so far, by cause. */
void manager_update_losses(Manager *m);

/* What is not told yet, in the kernel and here, and since when (CLOCK_MONOTONIC; 0: nothing waits). */
size_t manager_waiting(const Manager *m, uint64_t *ret_since_usec);

/* Listens for questions, if anybody wants to ask. Logs. */
int manager_open_query(Manager *m);
