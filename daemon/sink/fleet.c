/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/message-ids.h"
#include "basic/json-util.h"
#include "basic/sigbus-guard.h"
#include "basic/strv.h"
#include "basic/util.h"
#include "sink/fleet.h"
#include "sink/journal-files.h"

#define UNIT_MATCH "_SYSTEMD_UNIT=barbwire.service"

/* A file has the entries of one host, or of some if their receiver does not split them. */
#define HOSTS_OF_FILE_MAX 65536

typedef struct Reading {
        const JournalSource *source;
        JournalHostHandler handler;
        void *userdata;
        JournalCounts counts;
} Reading;

json_t *journal_entry_json(sd_journal *j, const char *field) {
        _cleanup_free_ char *value = NULL;
        size_t size;

        int r = journal_entry_get(j, field, &value, &size);
        return r >= 0 ? json_from_bytes(value, size) : r == -ENOMEM ? NULL : json_null();
}

static json_t *entry_number(sd_journal *j, const char *field) {
        _cleanup_free_ char *value = NULL;
        size_t size;

        int r = journal_entry_get(j, field, &value, &size);
        return r >= 0 ? json_integer(strtoll(value, NULL, 10)) : r == -ENOMEM ? NULL : json_null();
}

/* All values of a field that may occur several times. */
static json_t *entry_strings(sd_journal *j, const char *field) {
        json_auto_t *array = json_array();
        size_t size, skip = strlen(field) + 1;
        const void *data;

        SD_JOURNAL_FOREACH_DATA(j, data, size) {
                const char *text = data;

                if (size < skip || strncmp(text, field, skip - 1) != 0 || text[skip - 1] != '=')
                        continue;
                if (json_array_append_new(array, json_from_bytes(text + skip, size - skip)) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

/* The names of hosts that the journal has entries of. */
static int hosts_list(sd_journal *j, JournalCounts *c, char ***ret, size_t *n) {
        const void *data;
        size_t size, skip = strlen("_HOSTNAME=");

        int r = sd_journal_query_unique(j, "_HOSTNAME");
        SD_JOURNAL_FOREACH_UNIQUE(j, data, size) {
                if (r >= 0 && *n == HOSTS_OF_FILE_MAX)
                        c->n_cut++;
                if (r < 0 || *n == HOSTS_OF_FILE_MAX)
                        break;
                r = size < skip ? 0 : strv_consume(ret, n, strndup((const char *)data + skip, size - skip));
        }
        return r;
}

/* The last entry that matches, until the end of the span; of `match` and the name of the host. 0: there is
 * none. */
static int seek_last(const JournalSource *s, sd_journal *j, const char *host, const char *match) {
        _cleanup_free_ char *host_match = NULL;

        if (asprintf(&host_match, "_HOSTNAME=%s", host) < 0)
                return -ENOMEM;
        sd_journal_flush_matches(j);
        int r = sd_journal_add_match(j, host_match, 0);
        if (r >= 0 && match)
                r = sd_journal_add_match(j, match, 0);
        if (r >= 0 && match)
                r = sd_journal_add_match(j, UNIT_MATCH, 0);
        if (r >= 0)
                r = s->until_usec > 0 ? sd_journal_seek_realtime_usec(j, s->until_usec + 1)
                                      : sd_journal_seek_tail(j);
        return r < 0 ? r : sd_journal_previous(j);
}

/* 0: it does not say when it was, so that it is none. */
static int heartbeat_read(sd_journal *j, json_t *host) {
        json_auto_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "usec",
                        entry_number(j, "BARBWIRE_TIME"), "event",
                        journal_entry_json(j, "BARBWIRE_HEARTBEAT"), "version",
                        journal_entry_json(j, "BARBWIRE_VERSION"), "sensor",
                        journal_entry_json(j, "BARBWIRE_SENSOR"), "health",
                        journal_entry_json(j, "BARBWIRE_HEALTH"), "policy",
                        journal_entry_json(j, "BARBWIRE_POLICY"), "losses",
                        entry_number(j, "BARBWIRE_TOTAL"), "reasons", entry_strings(j, "BARBWIRE_DEGRADED"));

        if (!o)
                return -ENOMEM;
        if (json_integer_value(json_object_get(o, "usec")) <= 0)
                return 0;
        return json_object_update(host, o) >= 0 ? 1 : -ENOMEM;
}

static int host_read(
                const JournalSource *s, sd_journal *j, const char *name, JournalCounts *c, json_t **ret) {
        uint64_t usec = 0;

        int r = seek_last(s, j, name, NULL);
        if (r <= 0)
                return r;
        r = sd_journal_get_realtime_usec(j, &usec);
        if (r < 0)
                return r;
        json_auto_t *host = json_pack("{s:o, s:o, s:I}", "host", json_from_bytes(name, strlen(name)),
                        "machine", journal_entry_json(j, "_MACHINE_ID"), "seen_usec", (json_int_t)usec);
        if (!host)
                return -ENOMEM;
        r = seek_last(s, j, name, "MESSAGE_ID=" MESSAGE_ID_HEARTBEAT);
        for (bool found = false; r > 0 && !found;) {
                if (!journal_entry_is_of_service(j))
                        c->n_foreign++;
                else {
                        r = heartbeat_read(j, host);
                        found = r > 0;
                        c->n_malformed += r == 0;
                }
                if (r >= 0 && !found)
                        r = sd_journal_previous(j);
        }
        if (r >= 0)
                *ret = STEAL_PTR(host);
        return r;
}

static int on_hosts(sd_journal *j, void *userdata) {
        _cleanup_(strv_freep) char **names = NULL;
        Reading *reading = userdata;
        size_t n = 0;

        int r = hosts_list(j, &reading->counts, &names, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                json_auto_t *host = NULL;

                r = host_read(reading->source, j, names[i], &reading->counts, &host);
                if (r >= 0 && host)
                        r = reading->handler(host, reading->userdata);
        }
        return r;
}

static int on_policies(sd_journal *j, void *userdata) {
        Reading *reading = userdata;
        const JournalSource *s = reading->source;

        int r = sd_journal_add_match(j, "MESSAGE_ID=" MESSAGE_ID_POLICY, 0);
        if (r >= 0)
                r = sd_journal_add_match(j, UNIT_MATCH, 0);
        if (r >= 0)
                r = sd_journal_seek_realtime_usec(j, s->since_usec);
        while (r >= 0 && (r = sd_journal_next(j)) > 0) {
                if (!journal_entry_is_of_service(j)) {
                        reading->counts.n_foreign++;
                        continue;
                }
                json_auto_t *o = json_pack("{s:o, s:o, s:o, s:o}", "host",
                                journal_entry_json(j, "_HOSTNAME"), "usec", entry_number(j, "BARBWIRE_TIME"),
                                "policy", journal_entry_json(j, "BARBWIRE_POLICY"), "previous",
                                journal_entry_json(j, "BARBWIRE_POLICY_BEFORE"));
                if (!o)
                        return -ENOMEM;
                if (s->until_usec > 0 &&
                                (uint64_t)json_integer_value(json_object_get(o, "usec")) > s->until_usec)
                        break;
                r = reading->handler(o, reading->userdata);
        }
        return MIN(r, 0);
}

static int files_read(Reading *reading, JournalVisitor visit, JournalCounts *ret) {
        struct sigaction before;

        int r = sigbus_guard_begin(&before);
        if (r < 0)
                return r;
        r = journal_each_file(reading->source, visit, reading, &reading->counts);
        sigbus_guard_end(&before);
        *ret = reading->counts;
        return r;
}

int journal_read_hosts(
                const JournalSource *s, JournalHostHandler handler, void *userdata, JournalCounts *ret) {
        return files_read(
                        &(Reading){ .source = s, .handler = handler, .userdata = userdata }, on_hosts, ret);
}

int journal_read_policies(
                const JournalSource *s, JournalHostHandler handler, void *userdata, JournalCounts *ret) {
        return files_read(&(Reading){ .source = s, .handler = handler, .userdata = userdata }, on_policies,
                        ret);
}
