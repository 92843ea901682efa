/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts to journald, by its native protocol (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md) on a socket of our own:
 * sd_journal_sendv() blocks when journald does, and a watcher must not. What journald does not take waits here, in
 * order; when too much waits the owner stops taking alerts from the kernel's ring, where they are safe until it is
 * full. The fields are documented in barbwire.journal-fields(7). */

#include <stdbool.h>

#include <systemd/sd-event.h>

#include "alert-state.h"
#include "alert.h"
#include "util.h"

typedef struct AlertJournal AlertJournal;

/* Called when the queue has become congested, and when it has cleared. */
typedef void (*AlertJournalCongestionHandler)(bool congested, void *userdata);

/* socket_path NULL: /run/systemd/journal/socket. It is connected at once, and again whenever journald was restarted:
 * that journald is away is no error. */
int alert_journal_new(sd_event *event,
        const char *socket_path,
        AlertJournalCongestionHandler handler,
        void *userdata,
        AlertJournal **ret);
AlertJournal *alert_journal_free(AlertJournal *j); /* sends what waits, as far as that does not block */
DEFINE_CLEANUP(AlertJournal, alert_journal_free);

/* Queues and sends as much as is taken. json: the alert's (alert-json.h). -ENOMEM. */
int alert_journal_send(AlertJournal *j, const Alert *a, const char *json);
int alert_journal_send_state(AlertJournal *j, const StateAlert *a);

/* Waits for journald, up to a time: for the end. */
void alert_journal_drain(AlertJournal *j, uint64_t timeout_usec);

/* Entries that wait for journald, for status. */
size_t alert_journal_n_waiting(const AlertJournal *j);
/* Since when (CLOCK_MONOTONIC) some entry waits; 0: none does. */
uint64_t alert_journal_waiting_usec(const AlertJournal *j);
