/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any process may send BARBWIRE_* fields to journald. Of journals of this machine and of those that
 * systemd-journal-remote(8) received, only entries are used that journald itself attributes to the service
 * (_SYSTEMD_UNIT=), and to a user that nobody logs in as. A file that the caller names is believed to be one
 * that journald wrote. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/message-ids.h"
#include "basic/json-util.h"
#include "basic/sigbus-guard.h"
#include "basic/time-util.h"
#include "basic/util.h"
#include "sink/reader.h"

/* An entry may be later than its alert: a repeat is counted until its window ends, and a journal that was
 * stopped gets what waited for it. */
#define ENTRY_LATE_USEC (24 * 3600 * USEC_PER_SEC)

/* Users of services: of packages, and those that are made at their start (systemd, "Users, Groups, UIDs and
 * GIDs"). The daemon itself may have chosen one of the latter (privilege.c). */
#define SYSTEM_UID_MAX 999
#define DYNAMIC_UID_MIN 61184
#define DYNAMIC_UID_MAX 65519

int journal_entry_get(sd_journal *j, const char *field, char **ret, size_t *ret_size) {
        const void *data;
        size_t size, skip = strlen(field) + 1;
        char *value;
        int r;

        r = sd_journal_get_data(j, field, &data, &size);
        if (r < 0)
                return r;
        if (size < skip)
                return -EBADMSG;
        value = malloc(size - skip + 1);
        if (!value)
                return -ENOMEM;
        /* A field may contain NULs, and *ret_size counts them. */
        memcpy(value, (const char *)data + skip, size - skip);
        value[size - skip] = '\0';
        *ret = value;
        *ret_size = size - skip;
        return 0;
}

int journal_alert_parse(const char *id, const char *line, size_t size, json_t **ret) {
        json_auto_t *alert = json_loadb(line, size, 0, NULL);
        const char *its_id = json_string_value(json_object_get(alert, "id"));

        if (!its_id || (id && strcmp(its_id, id) != 0))
                return -EBADMSG;
        *ret = STEAL_PTR(alert);
        return 0;
}

int journal_entry_alert(sd_journal *j, char **ret_line, size_t *ret_size, json_t **ret) {
        _cleanup_free_ char *id = NULL, *line = NULL;
        size_t size;

        int r = journal_entry_get(j, "BARBWIRE_ALERT_ID", &id, &size);
        if (r < 0)
                return r;
        /* A long alert is there in two forms. */
        r = journal_entry_get(j, "BARBWIRE_JSON_COMPLETE", &line, &size);
        if (r == -ENOENT)
                r = journal_entry_get(j, "BARBWIRE_JSON", &line, &size);
        if (r >= 0)
                r = journal_alert_parse(id, line, size, ret);
        if (r < 0)
                return r;
        *ret_line = STEAL_PTR(line);
        *ret_size = size;
        return 0;
}

/* False where a login user's process wrote it. */
static bool entry_is_of_service(sd_journal *j) {
        _cleanup_free_ char *uid = NULL;
        size_t size;
        char *end;

        if (journal_entry_get(j, "_UID", &uid, &size) < 0)
                return false;
        unsigned long n = strtoul(uid, &end, 10);
        return end != uid && !*end &&
               (n <= SYSTEM_UID_MAX || (DYNAMIC_UID_MIN <= n && n <= DYNAMIC_UID_MAX));
}

static int source_open(const JournalSource *s, sd_journal **ret) {
        if (s->files && s->files[0])
                return sd_journal_open_files(ret, (const char **)s->files, 0);
        if (s->directory)
                return sd_journal_open_directory(ret, s->directory, 0);
        return sd_journal_open(ret, s->merge ? 0 : SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
}

static int source_seek(const JournalSource *s, sd_journal *j) {
        int r = sd_journal_set_data_threshold(j, 0);

        if (r >= 0)
                r = sd_journal_add_match(j, "MESSAGE_ID=" MESSAGE_ID_ALERT, 0);
        if (r >= 0)
                r = sd_journal_add_match(j, "_SYSTEMD_UNIT=barbwire.service", 0);
        if (r >= 0)
                r = s->since_usec > 0 ? sd_journal_seek_realtime_usec(j, s->since_usec)
                                      : sd_journal_seek_head(j);
        return r;
}

/* Hands the current entry to the handler, if it is an alert of the span. */
static int entry_take(const JournalSource *s, sd_journal *j, JournalReaderHandler handler, void *userdata,
                JournalCounts *c) {
        _cleanup_free_ char *line = NULL, *host = NULL;
        json_auto_t *alert = NULL;
        size_t size, host_size = 0;
        uint64_t usec;

        if (!entry_is_of_service(j)) {
                c->n_foreign++;
                return 0;
        }
        int r = journal_entry_alert(j, &line, &size, &alert);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || json_to_time(json_object_get(alert, "time"), &usec) < 0) {
                c->n_malformed++;
                return 0;
        }
        if (usec < s->since_usec || (s->until_usec > 0 && usec > s->until_usec))
                return 0;
        r = journal_entry_get(j, "_HOSTNAME", &host, &host_size);
        if (r == -ENOMEM || json_object_set_new(alert, "host", json_from_bytes(host ?: "", host_size)) < 0)
                return -ENOMEM;
        c->n_alerts++;
        return handler(alert, line, userdata);
}

static int source_read(
                const JournalSource *s, JournalReaderHandler handler, void *userdata, JournalCounts *c) {
        uint64_t n_bytes = 0;
        sd_journal *j = NULL;

        int r = source_open(s, &j);
        /* It also succeeds when no file is readable. */
        if (r >= 0)
                r = sd_journal_get_usage(j, &n_bytes);
        if (r >= 0 && n_bytes == 0)
                r = -ENOENT;
        if (r >= 0)
                r = source_seek(s, j);
        while (r >= 0 && (r = sd_journal_next(j)) > 0) {
                uint64_t usec;

                if (s->until_usec > 0 && sd_journal_get_realtime_usec(j, &usec) >= 0 &&
                                usec > s->until_usec && usec - s->until_usec > ENTRY_LATE_USEC)
                        break;
                r = entry_take(s, j, handler, userdata, c);
        }
        sd_journal_close(j);
        return MIN(r, 0);
}

int journal_read_alerts(
                const JournalSource *s, JournalReaderHandler handler, void *userdata, JournalCounts *ret) {
        JournalCounts c = {};
        struct sigaction before;

        /* libsystemd maps the files, which may be cut while they are read. */
        int r = sigbus_guard_begin(&before);
        if (r < 0)
                return r;
        r = source_read(s, handler, userdata, &c);
        sigbus_guard_end(&before);
        *ret = c;
        return r;
}
