/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Entries to journald, by its native protocol (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md) on a socket of our own:
 * sd_journal_sendv() blocks when journald does, and a watcher must not. The fields are documented in
 * barbwire.journal-fields(7). */

#include <stddef.h>
#include <sys/types.h>

#include "util.h"

typedef struct AlertJournal AlertJournal;

/* socket_path NULL: /run/systemd/journal/socket. It is connected when there is something to send, and again whenever
 * journald was restarted: that journald is away is no error here. */
int alert_journal_new(const char *socket_path, AlertJournal **ret);
AlertJournal *alert_journal_free(AlertJournal *j);
DEFINE_CLEANUP(AlertJournal, alert_journal_free);

int alert_journal_fd(const AlertJournal *j);

/* Sends a whole entry (journal-entry.h), and returns its size: then it is with journald. -ENOTCONN: not now. An AlertQueueSend. */
ssize_t alert_journal_send(const char *data, size_t size, void *journal);
