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
#include "sink/journal-files.h"
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
static bool uid_is_of_service(const char *uid) {
        char *end;

        unsigned long n = strtoul(uid, &end, 10);
        return end != uid && !*end &&
               (n <= SYSTEM_UID_MAX || (DYNAMIC_UID_MIN <= n && n <= DYNAMIC_UID_MAX));
}

bool journal_entry_is_of_service(sd_journal *j) {
        _cleanup_free_ char *uid = NULL;
        size_t size;

        return journal_entry_get(j, "_UID", &uid, &size) >= 0 && uid_is_of_service(uid);
}

static int alerts_seek(const JournalSource *s, sd_journal *j) {
        _cleanup_free_ char *id = NULL;
        size_t n_dashes = 0;

        for (const char *c = s->id; c && *c; c++)
                n_dashes += *c == '-';
        int r = sd_journal_set_data_threshold(j, 0);
        if (r >= 0)
                r = sd_journal_add_match(j, "MESSAGE_ID=" MESSAGE_ID_ALERT, 0);
        if (r >= 0)
                r = sd_journal_add_match(j, "_SYSTEMD_UNIT=barbwire.service", 0);
        /* A complete id has an index. */
        if (r >= 0 && n_dashes == 2) {
                if (asprintf(&id, "BARBWIRE_ALERT_ID=%s", s->id) < 0)
                        return -ENOMEM;
                r = sd_journal_add_match(j, id, 0);
        }
        if (r >= 0)
                r = s->since_usec > 0 ? sd_journal_seek_realtime_usec(j, s->since_usec)
                                      : sd_journal_seek_head(j);
        return r;
}

/* Without parsing all of it. */
static bool entry_has_id(sd_journal *j, const char *wanted) {
        _cleanup_free_ char *id = NULL;
        size_t size;

        if (!wanted)
                return true;
        if (journal_entry_get(j, "BARBWIRE_ALERT_ID", &id, &size) < 0)
                return false;
        const char *dash = strchr(id, '-');
        return strcmp(id, wanted) == 0 || (dash && strcmp(dash + 1, wanted) == 0);
}

/* The fields of an entry that are read, in one pass: for each that is asked for alone, libsystemd
 * decompresses the beginning of every long field before it. */
typedef struct Fields {
        struct {
                char *text; /* with a NUL behind it */
                size_t size;
        } uid, host, id, json, complete;
} Fields;

static void fields_done(Fields *f) {
        free(f->uid.text);
        free(f->host.text);
        free(f->id.text);
        free(f->json.text);
        free(f->complete.text);
}

static int fields_read(sd_journal *j, Fields *f) {
        struct {
                const char *name;
                char **text;
                size_t *size;
        } wanted[] = {
                { "_UID=", &f->uid.text, &f->uid.size },
                { "_HOSTNAME=", &f->host.text, &f->host.size },
                { "BARBWIRE_ALERT_ID=", &f->id.text, &f->id.size },
                { "BARBWIRE_JSON=", &f->json.text, &f->json.size },
                { "BARBWIRE_JSON_COMPLETE=", &f->complete.text, &f->complete.size },
        };
        const void *data;
        size_t size;
        int r;

        sd_journal_restart_data(j);
        while ((r = sd_journal_enumerate_available_data(j, &data, &size)) > 0)
                for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                        size_t skip = strlen(wanted[i].name);

                        /* Only the first of a field that occurs several times. */
                        if (*wanted[i].text || size < skip || memcmp(data, wanted[i].name, skip) != 0)
                                continue;
                        char *text = malloc(size - skip + 1);
                        if (!text)
                                return -ENOMEM;
                        memcpy(text, (const char *)data + skip, size - skip);
                        text[size - skip] = '\0';
                        *wanted[i].text = text;
                        *wanted[i].size = size - skip;
                        break;
                }
        return r;
}

int journal_entry_read(sd_journal *j, JournalCounts *c, char **ret_line, json_t **ret) {
        _cleanup_(fields_done) Fields f = {};
        json_auto_t *alert = NULL;
        uint64_t usec;

        *ret_line = NULL;
        *ret = NULL;
        int r = fields_read(j, &f);
        if (r == -ENOMEM)
                return r;
        if (!f.uid.text || !uid_is_of_service(f.uid.text)) {
                c->n_foreign++;
                return 0;
        }
        /* A long alert is there in two forms. */
        char **line = f.complete.text ? &f.complete.text : &f.json.text;
        r = r < 0 || !f.id.text || !*line
                            ? -EBADMSG
                            : journal_alert_parse(f.id.text, *line,
                                              f.complete.text ? f.complete.size : f.json.size, &alert);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || json_to_time(json_object_get(alert, "time"), &usec) < 0) {
                c->n_malformed++;
                return 0;
        }
        if (json_object_set_new(alert, "host", json_from_bytes(f.host.text ?: "", f.host.size)) < 0)
                return -ENOMEM;
        *ret_line = STEAL_PTR(*line);
        *ret = STEAL_PTR(alert);
        return 0;
}

/* Hands the current entry to the handler, if it is an alert of the span. */
static int entry_take(const JournalSource *s, sd_journal *j, JournalReaderHandler handler, void *userdata,
                JournalCounts *c) {
        _cleanup_free_ char *line = NULL;
        json_auto_t *alert = NULL;
        uint64_t usec;

        if (!entry_has_id(j, s->id))
                return 0;
        int r = journal_entry_read(j, c, &line, &alert);
        if (r < 0 || !alert)
                return r;
        if (json_to_time(json_object_get(alert, "time"), &usec) < 0 || usec < s->since_usec ||
                        (s->until_usec > 0 && usec > s->until_usec))
                return 0;
        c->n_alerts++;
        return handler(alert, line, userdata);
}

typedef struct Reading {
        const JournalSource *source;
        JournalReaderHandler handler;
        void *userdata;
        JournalCounts counts;
} Reading;

static int on_journal(sd_journal *j, void *userdata) {
        Reading *reading = userdata;
        const JournalSource *s = reading->source;

        int r = alerts_seek(s, j);
        while (r >= 0 && (r = sd_journal_next(j)) > 0) {
                uint64_t usec;

                if (s->until_usec > 0 && sd_journal_get_realtime_usec(j, &usec) >= 0 &&
                                usec > s->until_usec && usec - s->until_usec > ENTRY_LATE_USEC)
                        break;
                r = entry_take(s, j, reading->handler, reading->userdata, &reading->counts);
        }
        return MIN(r, 0);
}

int journal_read_alerts(
                const JournalSource *s, JournalReaderHandler handler, void *userdata, JournalCounts *ret) {
        Reading reading = { .source = s, .handler = handler, .userdata = userdata };
        struct sigaction before;

        /* libsystemd maps the files, which may be cut while they are read. */
        int r = sigbus_guard_begin(&before);
        if (r < 0)
                return r;
        r = s->by_file ? journal_each_file(s, on_journal, &reading, &reading.counts)
                       : journal_all_files(s, on_journal, &reading);
        sigbus_guard_end(&before);
        *ret = reading.counts;
        return r;
}
