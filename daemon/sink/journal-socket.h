/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Sends entries to journald by its native protocol (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md) on a socket
 * of its own: sd_journal_sendv() blocks when journald does, and the event loop must not. */

#include <stddef.h>
#include <sys/types.h>

#include "basic/util.h"

typedef struct AlertJournal AlertJournal;

/* socket_path NULL: /run/systemd/journal/socket. The socket is connected when there is something to send,
 * and again after journald was restarted: an absent journald is not an error here. */
int alert_journal_new(const char *socket_path, AlertJournal **ret);
AlertJournal *alert_journal_free(AlertJournal *j);
DEFINE_CLEANUP(AlertJournal, alert_journal_free);

int alert_journal_fd(const AlertJournal *j);

/* Sends an entry (sink/entry.h) and returns its size once journald has it. -EAGAIN: no room in the socket;
 * -ENOTCONN: journald is absent. An AlertQueueSend. */
ssize_t alert_journal_send(const char *data, size_t size, void *journal);
