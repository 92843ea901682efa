/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Writes alerts to the journal, or to standard output as text or JSON; reads past ones from the journal.
 *
 * This folder may include alert/ and what alert/ includes. It must not know the sensor that an alert came
 * from, nor the clients that ask for it.
 *
 * Writing never blocks: when the receiver accepts nothing, the caller writes an alert again later (its
 * record is still in the kernel), and everything else waits in the queue. */

#include <stdbool.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include "sink/queue.h"
#include "alert/state.h"
#include "alert/alert.h"
#include "basic/util.h"

typedef enum AlertFormat {
        ALERT_FORMAT_TEXT,    /* standard output */
        ALERT_FORMAT_JSON,    /* standard output, one object a line */
        ALERT_FORMAT_JOURNAL, /* journald, by its native protocol */
} AlertFormat;

typedef struct AlertSink AlertSink;

/* Makes standard output non-blocking, unless alerts go to the journal. Must be called before privileges are
 * dropped. The handler is called when the receiver stops accepting entries, and when it accepts them again.
 */
int alert_sink_new(sd_event *event, AlertFormat format, AlertQueueHandler handler, void *userdata,
                AlertSink **ret);
AlertSink *alert_sink_free(AlertSink *s);
DEFINE_CLEANUP(AlertSink, alert_sink_free);

/* Writes one alert, given with its JSON as object and as text. When it is not accepted, it waits (keep), or
 * -EAGAIN is returned and nothing has happened. -EPIPE: standard output has no reader any more; -ENOMEM. */
int alert_sink_write(AlertSink *s, const Alert *a, const json_t *object, const char *line, bool keep);

/* Writes a state alert, given with its JSON; it waits when it is not accepted. As text it is a log message.
 */
int alert_sink_write_state(AlertSink *s, const StateAlert *a, const char *line);

/* For what waits, is ready and is lost. */
AlertQueue *alert_sink_queue(AlertSink *s);
