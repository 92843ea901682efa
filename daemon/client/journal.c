/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Alerts of a journal instead of the daemon's: its files may be those of many hosts. */

#include <errno.h>
#include <string.h>

#include "alert/ring.h"
#include "basic/json-util.h"
#include "client/ctl.h"
#include "client/output.h"

/* As many as the ring's bytes have room for, if they are short. */
#define JOURNAL_ALERTS_MAX 32768

bool ctl_journal_given(const Ctl *c) {
        return c->journal.directory || c->journal.n_files > 0 || c->journal.merge;
}

int ctl_journal_each(const Ctl *c, JournalReaderHandler handler, void *userdata, JournalCounts *ret) {
        JournalSource source = {
                .directory = c->journal.directory,
                .files = c->journal.n_files > 0 ? c->journal.files : NULL,
                .merge = c->journal.merge,
                .since_usec = (uint64_t)ctl_number(c->filter, "since"),
                .until_usec = (uint64_t)ctl_number(c->filter, "until"),
        };
        const char *where = source.files       ? source.files[0]
                            : source.directory ? source.directory
                                               : "/var/log/journal and /run/log/journal";

        int r = journal_read_alerts(&source, handler, userdata, ret);
        if (r == -ENOMEM)
                return ctl_error_memory();
        if (r == -ENOENT || r == -EACCES || r == -EPERM)
                ctl_error("No journal to read in %s: %s", where,
                                source.files || source.directory
                                                ? strerror(-r)
                                                : "root and users in group systemd-journal may read it.");
        else if (r < 0 && r != -ECANCELED)
                ctl_error("Failed to read the journal in %s: %s", where, strerror(-r));
        if (r >= 0 && ret->n_malformed > 0)
                ctl_error("Entries left out, as they hold no alert that this version can read: %llu.",
                                (unsigned long long)ret->n_malformed);
        if (r >= 0 && ret->n_foreign > 0)
                ctl_error("Entries left out, as a login user's process wrote them: %llu.",
                                (unsigned long long)ret->n_foreign);
        return r;
}

static AlertFilter filter_of(const json_t *o) {
        const char *severity = ctl_string(o, "severity", NULL);

        return (AlertFilter){
                .since_usec = (uint64_t)ctl_number(o, "since"),
                .until_usec = (uint64_t)ctl_number(o, "until"),
                .severity = severity ? severity_from_string(severity) : SEVERITY_LOW,
                .class = ctl_string(o, "class", NULL),
                .unit = ctl_string(o, "unit", NULL),
                .by_pid = json_object_get(o, "pid"),
                .by_uid = json_object_get(o, "uid"),
                .pid = (uint32_t)ctl_number(o, "pid"),
                .uid = (uint32_t)ctl_number(o, "uid"),
        };
}

typedef struct Listing {
        AlertRing *ring;
        AlertFilter filter;
} Listing;

static int on_listed(json_t *alert, const char *line, void *userdata) {
        _cleanup_free_ char *with_host = NULL;
        Listing *l = userdata;

        (void)line;
        int r = alert_matches(alert, &l->filter);
        if (r == -EBADMSG || r == 0)
                return 0;
        if (r > 0)
                r = json_to_line(alert, &with_host);
        return r < 0 ? r : alert_ring_put(l->ring, alert, with_host);
}

/* The incident of one of its alerts. */
static const char *incident_of(const AlertRing *ring, const char *id) {
        uint64_t sequence;

        return alert_ring_find(ring, id, &sequence) >= 0 ? alert_ring_incident(ring, sequence) ?: id : id;
}

int ctl_journal_alerts(const Ctl *c, const json_t *filter, json_t **ret) {
        json_auto_t *alerts = json_array();
        Listing l = { .filter = filter_of(filter) };
        const char *incident = ctl_string(filter, "incident", NULL);
        JournalCounts counts;

        if (!alerts || alert_ring_new(JOURNAL_ALERTS_MAX, &l.ring) < 0)
                return ctl_error_memory();
        _cleanup_(alert_ring_freep) AlertRing *ring = l.ring;
        int r = ctl_journal_each(c, on_listed, &l, &counts);
        if (r < 0)
                return r;
        if (incident)
                l.filter.incident = incident_of(ring, incident);
        for (uint64_t s = alert_ring_seek(ring, &l.filter, (size_t)ctl_number(filter, "limit"));
                        s < alert_ring_end(ring); s++) {
                if (!alert_ring_matches(ring, s, &l.filter))
                        continue;
                if (json_array_append_new(alerts, json_loads(alert_ring_line(ring, s), 0, NULL)) < 0)
                        return ctl_error_memory();
        }
        if (alert_ring_begin(ring) > 0)
                ctl_error("Only the newest %llu alerts are shown: choose a shorter time with --since= and "
                          "--until=.",
                                (unsigned long long)(alert_ring_end(ring) - alert_ring_begin(ring)));
        *ret = STEAL_PTR(alerts);
        return 0;
}

typedef struct Search {
        const char *id;
        json_t *found;
} Search;

/* A repeated alert is found again, and the last one has the count. */
static int on_searched(json_t *alert, const char *line, void *userdata) {
        Search *s = userdata;
        const char *id = ctl_string(alert, "id", ""), *dash = strchr(id, '-');

        (void)line;
        if (strcmp(id, s->id) != 0 && !(dash && strcmp(dash + 1, s->id) == 0))
                return 0;
        if (s->found && strcmp(ctl_string(s->found, "id", ""), id) != 0)
                return -ECANCELED;
        json_decref(s->found);
        s->found = json_incref(alert);
        return 0;
}

int ctl_journal_find(const Ctl *c, const char *id, json_t **ret) {
        Search s = { .id = id };
        JournalCounts counts;

        int r = ctl_journal_each(c, on_searched, &s, &counts);
        json_auto_t *found = s.found;
        if (r == -ECANCELED)
                ctl_error("Alerts of several boots have the id %s. Give the complete id, which "
                          "\"barbwirectl "
                          "alerts --json=short\" prints.",
                                id);
        else if (r >= 0 && !found) {
                ctl_error("No alert %s in this journal.", id);
                r = -ENOENT;
        }
        if (r >= 0)
                *ret = STEAL_PTR(found);
        return r;
}
