/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where alerts go: the journal, or standard output for people or for programs. */

#include <stdbool.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include "alert-state.h"
#include "alert.h"
#include "util.h"

typedef enum AlertFormat {
        ALERT_FORMAT_TEXT,    /* standard output */
        ALERT_FORMAT_JSON,    /* standard output, one object a line */
        ALERT_FORMAT_JOURNAL, /* journald, by its native protocol */
} AlertFormat;

typedef struct AlertSink AlertSink;

/* Called when whoever takes the alerts is too slow, and when they have caught up. */
typedef void (*AlertSinkCongestionHandler)(bool congested, void *userdata);

/* Takes over standard output, unless alerts go to the journal. Must come before privileges are dropped. */
int alert_sink_new(sd_event *event,
        AlertFormat format,
        AlertSinkCongestionHandler handler,
        void *userdata,
        AlertSink **ret);
AlertSink *alert_sink_free(AlertSink *s);
DEFINE_CLEANUP(AlertSink, alert_sink_free);

/* One alert, with its JSON as object and as text. -EPIPE: nobody reads standard output any more; -ENOMEM. */
int alert_sink_tell(AlertSink *s, const Alert *a, const json_t *object, const char *line);

/* A state alert, and its JSON. In text it is a diagnostic message. */
int alert_sink_tell_state(AlertSink *s, const StateAlert *a, const char *line);

/* Waits for the reader, up to a time: for the end. */
void alert_sink_drain(AlertSink *s, uint64_t timeout_usec);

/* Entries that wait to be taken, and those that standard output did not take. */
size_t alert_sink_n_waiting(const AlertSink *s);
/* Since when (CLOCK_MONOTONIC) some entry waits without a pause; 0: none does. */
uint64_t alert_sink_waiting_usec(const AlertSink *s);
uint64_t alert_sink_n_unwritten(const AlertSink *s);
