/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The one struct that owns all state, for the files that make up the manager: manager.c, where records go through,
 * manager-query.c, what is answered about it, and manager-reload.c, its policy. */

#include <pthread.h>

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
        PolicyDraft draft;    /* the reader's alone, while it reads */
        pthread_t reader;
        bool reading, reload_again;
        int draft_done; /* an eventfd(2): it has come to the end */
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

/* SIGHUP is a reload from now on. */
int manager_add_reader(Manager *m);
/* Waits for a reload that is under way, and forgets it. */
void manager_end_reader(Manager *m);

/* previous: the hash before; NULL: it is the first. */
void manager_tell_policy(Manager *m, const char *previous);
