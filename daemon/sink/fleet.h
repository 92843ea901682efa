/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What journals of many hosts have besides alerts. Does not log. */

#include <jansson.h>

#include "sink/reader.h"

/* A negative value ends the reading. */
typedef int (*JournalHostHandler)(const json_t *host, void *userdata);

/* Gets the last heartbeat until until_usec of each host that the journal knows: host, machine (its id, or
 * ""), seen_usec (its last entry of any kind), and of the heartbeat usec, event, version, sensor, health,
 * reasons[], policy, losses; without these, a host that has none. A host comes once for each file that knows
 * it. */
int journal_read_hosts(
                const JournalSource *s, JournalHostHandler handler, void *userdata, JournalCounts *ret);

/* Gets the policies that came into force since since_usec: host, usec, policy, previous (null where it does
 * not say). Of each host in order, if its files are. */
int journal_read_policies(
                const JournalSource *s, JournalHostHandler handler, void *userdata, JournalCounts *ret);

/* Gets every alert and state alert that is written from now on, file by file, until the handler returns a
 * negative value. An alert has its line. A state alert has kind ("state"), host, time, summary, and of a
 * heartbeat event and health. ready is called once nothing will be missed. */
int journal_follow(const JournalSource *s, JournalReaderHandler handler, void (*ready)(void *userdata),
                void *userdata, JournalCounts *ret);

/* Text of a field of the current entry, escaped (basic/json-util.h); null: it has none. NULL: out of memory.
 */
json_t *journal_entry_json(sd_journal *j, const char *field);
