/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "alert-journal.h"
#include "alert-show.h"
#include "alert-sink.h"
#include "log.h"
#include "output.h"

struct AlertSink {
        AlertFormat format;
        AlertJournal *journal; /* or: */
        Output *output;
};

int alert_sink_new(sd_event *event,
        AlertFormat format,
        AlertSinkCongestionHandler handler,
        void *userdata,
        AlertSink **ret) {
        _cleanup_(alert_sink_freep) AlertSink *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->format = format;
        if (format == ALERT_FORMAT_JOURNAL)
                r = alert_journal_new(event, NULL, handler, userdata, &s->journal);
        else
                r = output_new(event, handler, userdata, &s->output);
        if (r < 0) {
                log_error("Cannot use %s: %s",
                        format == ALERT_FORMAT_JOURNAL ? "the journal" : "standard output", strerror(-r));
                return r;
        }
        *ret = STEAL_PTR(s);
        return 0;
}

AlertSink *alert_sink_free(AlertSink *s) {
        if (!s)
                return NULL;
        alert_journal_free(s->journal);
        output_free(s->output);
        free(s);
        return NULL;
}

/* Adds the newline that ends a line of JSON. */
static int sink_print_line(AlertSink *s, const char *line) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s\n", line) < 0)
                return -ENOMEM;
        return output_write(s->output, text, strlen(text));
}

int alert_sink_tell(AlertSink *s, const Alert *a, const json_t *object, const char *line) {
        _cleanup_free_ char *text = NULL;

        switch (s->format) {
        case ALERT_FORMAT_JOURNAL:
                return alert_journal_send(s->journal, a, line);
        case ALERT_FORMAT_JSON:
                return sink_print_line(s, line);
        case ALERT_FORMAT_TEXT:
                text = alert_show(object, output_wants_colour(s->output));
                return text ? output_write(s->output, text, strlen(text)) : -ENOMEM;
        }
        return -EINVAL;
}

int alert_sink_tell_state(AlertSink *s, const StateAlert *a, const char *line) {
        if (s->format == ALERT_FORMAT_JOURNAL)
                return alert_journal_send_state(s->journal, a);

        _cleanup_free_ char *sentence = state_alert_sentence(a);
        log_message(a->kind == STATE_LOSS ? LOG_WARNING : LOG_INFO, "%s", sentence ?: a->meaning ?: a->hash);
        return s->format == ALERT_FORMAT_JSON ? sink_print_line(s, line) : 0;
}

void alert_sink_drain(AlertSink *s, uint64_t timeout_usec) {
        if (s->journal)
                alert_journal_drain(s->journal, timeout_usec);
        else
                output_drain(s->output, timeout_usec);
}

size_t alert_sink_n_waiting(const AlertSink *s) {
        return s->journal ? alert_journal_n_waiting(s->journal) : output_n_waiting(s->output);
}

uint64_t alert_sink_waiting_usec(const AlertSink *s) {
        return s->journal ? alert_journal_waiting_usec(s->journal) : output_waiting_usec(s->output);
}

uint64_t alert_sink_n_unwritten(const AlertSink *s) {
        return s->output ? output_n_unwritten(s->output) : 0;
}
