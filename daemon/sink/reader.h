/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts read back from the journal: of this machine, or from journal files of any number of machines. Does
 * not log. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <systemd/sd-journal.h>

/* Which entries are read. Without a directory, files and root: this machine's own journal, or with `merge`
 * every journal below /var/log/journal and /run/log/journal, also those received from other machines. */
typedef struct JournalSource {
        const char *directory;
        const char *const *files; /* NULL-terminated, or NULL */
        const char *root; /* of another system: its journals below root/var/log/journal and root/run */
        bool merge;
        bool by_file; /* one file after the other, in no order among them; not of this machine's own journal
                       */
        uint64_t since_usec, until_usec; /* by the time of the alert, both inclusive; until_usec 0: no end */
        const char *id; /* only the alert with this id, or with this part after the boot id; NULL: all */
} JournalSource;

/* What was read, for messages. */
typedef struct JournalCounts {
        uint64_t n_alerts;
        uint64_t n_malformed;  /* entries of the service that hold no alert */
        uint64_t n_foreign;    /* entries that a login user's process wrote */
        uint64_t n_unreadable; /* files that are damaged, or that this user may not read */
        uint64_t n_cut;        /* files with more hosts than are read of one */
} JournalCounts;

/* Gets an alert with a member "host" (the host's name, "" where the entry has none), the oldest first. line:
 * its JSON text, without "host". An alert that was repeated comes again, with the same id. A negative value
 * ends the reading. */
typedef int (*JournalReaderHandler)(json_t *alert, const char *line, void *userdata);

/* 0, -ENOENT: no such file, or no journal that this user may read; or what the handler returned. */
int journal_read_alerts(
                const JournalSource *s, JournalReaderHandler handler, void *userdata, JournalCounts *ret);

/* ---- one entry, also for the other readers of this folder ---- */

/* Whether journald says that no login user's process wrote it. */
bool journal_entry_is_of_service(sd_journal *j);

/* The complete entry of an alert, with its host. 0: *ret is NULL, as it holds none or was counted as
 * foreign. */
int journal_entry_read(sd_journal *j, JournalCounts *c, char **ret_line, json_t **ret);

/* The value of a field of the current entry, newly allocated. */
int journal_entry_get(sd_journal *j, const char *field, char **ret, size_t *ret_size);

/* Parses the JSON text of an alert. id: what it has to be, or NULL. -EBADMSG: it is not the alert with this
 * id. */
int journal_alert_parse(const char *id, const char *line, size_t size, json_t **ret);

/* Has all of the alert that the fields of the current entry say. *ret_line: newly allocated. */
int journal_entry_alert(sd_journal *j, char **ret_line, size_t *ret_size, json_t **ret);
