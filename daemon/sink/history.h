/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts of previous instances, read back from the journal. Any process may send BARBWIRE_* fields to
 * journald, so only entries that journald itself attributes to this unit (_SYSTEMD_UNIT=, in the system's
 * own journal) are read. */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Gets one alert, as it was written last; the oldest first. line is its JSON text. -EBADMSG: this is not an
 * alert, and is not counted; any other negative value ends the reading. */
typedef int (*JournalHistoryHandler)(const json_t *alert, const char *line, void *userdata);

/* Reads the last n_max alerts (by id) that this process's own unit wrote, within a bounded time. Returns how
 * many alerts the handler got; -ENXIO: this process is not a system service, so no entry is known to be its
 * own; other negative: the journal could not be read further, after the handler got what was read. Does not
 * log. */
int journal_history_read(size_t n_max, JournalHistoryHandler handler, void *userdata);

/* Returns the service that a process belongs to, by the path of its control group, newly allocated. -ENXIO:
 * it is not in the control group of a system service itself: those of sessions and users' managers are
 * shared, and the names in a delegated one are chosen by its owner. */
int journal_history_unit(const char *cgroup, char **ret);
