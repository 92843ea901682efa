/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where alerts go: the journal, or standard output for people or for programs. Never blocks: what is not taken now is
 * the caller's to tell again (an alert, whose record is still in the kernel), or waits here (all else). */

#include <stdbool.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include "alert-queue.h"
#include "alert-state.h"
#include "alert.h"
#include "util.h"

typedef enum AlertFormat {
        ALERT_FORMAT_TEXT,    /* standard output */
        ALERT_FORMAT_JSON,    /* standard output, one object a line */
        ALERT_FORMAT_JOURNAL, /* journald, by its native protocol */
} AlertFormat;

typedef struct AlertSink AlertSink;

/* Takes over standard output, unless alerts go to the journal. Must come before privileges are dropped. The handler is
 * told when nothing is taken any more, and when it is again. */
int alert_sink_new(sd_event *event, AlertFormat format, AlertQueueHandler handler, void *userdata, AlertSink **ret);
AlertSink *alert_sink_free(AlertSink *s);
DEFINE_CLEANUP(AlertSink, alert_sink_free);

/* One alert, with its JSON as object and as text. keep: it waits when it is not taken; otherwise that is -EAGAIN, and
 * nothing has happened. -EPIPE: nobody reads standard output any more; -ENOMEM. */
int alert_sink_tell(AlertSink *s, const Alert *a, const json_t *object, const char *line, bool keep);

/* A state alert, and its JSON: it waits when it is not taken. In text it is a diagnostic message. */
int alert_sink_tell_state(AlertSink *s, const StateAlert *a, const char *line);

/* What waits, is ready, and is lost: alert-queue.h. */
AlertQueue *alert_sink_queue(AlertSink *s);
