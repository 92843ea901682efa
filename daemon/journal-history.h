/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts of before this start, read back from the journal. Anyone may send BARBWIRE_* fields to journald: only entries
 * that journald itself vouches for (_SYSTEMD_UNIT=, in the system's own journal) are read. */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* One alert, as it was told last; the oldest first. line is its JSON text. -EBADMSG: that is no alert, and is not
 * counted; another negative value ends the reading. */
typedef int (*JournalHistoryHandler)(const json_t *alert, const char *line, void *userdata);

/* Reads the last n_max alerts (by id) that this process's own unit has told, within a bounded time. 0 or the number
 * of alerts handed over; -ENXIO: this process is no system service, so nothing in the journal is known to be its own;
 * other negative: the journal cannot be read any further; what was read of it has been handed over. Does not log. */
int journal_history_read(size_t n_max, JournalHistoryHandler handler, void *userdata);

/* The service that a process is one of, by the path of its control group, newly allocated. -ENXIO: it is not in a
 * system service's own group: a session's or a user's manager's are shared with others, a delegated one is named by
 * whoever it was given to. */
int journal_history_unit(const char *cgroup, char **ret);
