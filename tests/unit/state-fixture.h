/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A state alert of each kind. */

#include "alert/state.h"
#include "event-fixture.h"

static char *const programs[] = { "cgroup/connect4: program 12 (x)", "cgroup/sendmsg6: program 7", NULL };

static char *const degraded[] = { "Hook x.", "Policy y.", NULL };

static const EventShare full_share = { FULL_SHARE };

static const StateAlert loss = {
        .cause = "ring_full",
        .meaning = "an alert could not be handed over",
        .remedy = "raise RingBuffer=",
        .count = 3,
        .total = 7,
        .realtime_usec = 1795341901023456,
};

static const StateAlert policy_change = {
        .kind = STATE_POLICY,
        .hash = "aa",
        .previous = "bb",
        .realtime_usec = 1795341901023456,
};

static const StateAlert foreign = {
        .kind = STATE_FOREIGN, .programs = programs, .realtime_usec = 1795341901023456
};

static const StateAlert delay = {
        .kind = STATE_DELAY,
        .count = 12,
        .longest_usec = 31999000,
        .realtime_usec = 1795341901023456,
};

static const StateAlert share = {
        .kind = STATE_SHARE,
        .share = &full_share,
        .realtime_usec = 1795341901023456,
};

static const StateAlert heartbeat = {
        .kind = STATE_HEARTBEAT,
        .event = HEARTBEAT_HOUR,
        .version = "9",
        .sensor = "lsm",
        .hash = "aa",
        .reasons = degraded,
        .total = 5,
        .realtime_usec = 1795341901023456,
};
