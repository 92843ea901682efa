/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "sink/journal-socket.h"
#include "alert/details.h"
#include "sink/sink.h"
#include "sink/entry.h"
#include "basic/log.h"
#include "sink/stdout.h"

struct AlertSink {
        AlertFormat format;
        AlertQueue *queue;
        AlertJournal *journal; /* or: */
        Output *output;
};

int alert_sink_new(sd_event *event, AlertFormat format, AlertQueueHandler handler, void *userdata,
                AlertSink **ret) {
        _cleanup_(alert_sink_freep) AlertSink *s = calloc(1, sizeof(*s));
        bool journal = format == ALERT_FORMAT_JOURNAL;

        if (!s)
                return log_oom();
        s->format = format;
        int r = journal ? alert_journal_new(NULL, &s->journal) : output_new(&s->output);
        if (r >= 0)
                r = journal ? alert_queue_new(event, alert_journal_fd(s->journal), alert_journal_send,
                                              s->journal, handler, userdata, &s->queue)
                            : alert_queue_new(event, output_fd(s->output), output_send, s->output, handler,
                                              userdata, &s->queue);
        if (r < 0)
                return journal ? log_error_errno(r, "Failed to open a socket for the journal: %m")
                               : log_error_errno(r, "Failed to open standard output for alerts: %m");
        *ret = STEAL_PTR(s);
        return 0;
}

AlertSink *alert_sink_free(AlertSink *s) {
        if (!s)
                return NULL;
        alert_queue_free(s->queue);
        alert_journal_free(s->journal);
        output_free(s->output);
        free(s);
        return NULL;
}

/* Adds the newline that ends a line of JSON. */
static int sink_put_line(AlertSink *s, const char *line, bool keep) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s\n", line) < 0)
                return -ENOMEM;
        return alert_queue_put(s->queue, text, strlen(text), keep);
}

int alert_sink_write(AlertSink *s, const Alert *a, const json_t *object, const char *line, bool keep) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (s->format == ALERT_FORMAT_JSON)
                return sink_put_line(s, line, keep);
        if (s->format == ALERT_FORMAT_TEXT) {
                text = alert_details(object, output_wants_colour(s->output));
                return text ? alert_queue_put(s->queue, text, strlen(text), keep) : -ENOMEM;
        }
        int r = journal_entry_from_alert(a, line, &text, &size);
        return r < 0 ? r : alert_queue_put(s->queue, text, size, keep);
}

int alert_sink_write_state(AlertSink *s, const StateAlert *a, const char *line) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (s->format == ALERT_FORMAT_JOURNAL) {
                int r = journal_entry_from_state(a, &text, &size);
                return r < 0 ? r : alert_queue_put(s->queue, text, size, true);
        }
        text = state_alert_sentence(a);
        log_message(a->kind == STATE_POLICY || a->kind == STATE_HEARTBEAT ? LOG_INFO : LOG_WARNING, "%s",
                        text ?: a->meaning ?: a->hash ?: "?");
        return s->format == ALERT_FORMAT_JSON ? sink_put_line(s, line, true) : 0;
}

AlertQueue *alert_sink_queue(AlertSink *s) {
        return s->queue;
}
