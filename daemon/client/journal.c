/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Alerts of a journal instead of the daemon's: its files may be those of many hosts. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/copy.h"
#include "alert/ring.h"
#include "basic/json-util.h"
#include "client/ctl.h"
#include "client/output.h"
#include "policy/load.h"
#include "policy/match.h"

bool ctl_journal_given(const Ctl *c) {
        return c->journal.directory || c->journal.n_files > 0 || c->journal.merge || c->journal.machine;
}

/* systemd-machined(8) has a file for each machine, whose first process shows its root directory. */
static int machine_root(const char *machine, char **ret) {
        _cleanup_free_ char *path = NULL, *line = NULL;
        size_t n_allocated = 0;
        long leader = 0;

        if (strchr(machine, '/') || asprintf(&path, "/run/systemd/machines/%s", machine) < 0)
                return strchr(machine, '/') ? -EINVAL : -ENOMEM;
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        if (!f)
                return -errno;
        while (leader <= 0 && getline(&line, &n_allocated, f) > 0)
                if (strncmp(line, "LEADER=", strlen("LEADER=")) == 0)
                        leader = strtol(line + strlen("LEADER="), NULL, 10);
        if (leader <= 0)
                return -ENXIO;
        return asprintf(ret, "/proc/%ld/root", leader) < 0 ? -ENOMEM : 0;
}

int ctl_journal_open(const Ctl *c, CtlSource *ret) {
        JournalSource source = {
                .directory = c->journal.directory,
                .files = c->journal.n_files > 0 ? c->journal.files : NULL,
                .merge = c->journal.merge,
                .since_usec = (uint64_t)ctl_number(c->filter, "since"),
                .until_usec = (uint64_t)ctl_number(c->filter, "until"),
        };
        _cleanup_free_ char *root = NULL;

        if (c->journal.machine) {
                int r = machine_root(c->journal.machine, &root);
                if (r < 0) {
                        ctl_error("No journal of machine %s, which \"machinectl list\" must show: %s",
                                        c->journal.machine, strerror(-r));
                        return r;
                }
        }
        *ret = (CtlSource){ .journal = source, .root = STEAL_PTR(root) };
        ret->journal.root = ret->root;
        return 0;
}

void ctl_source_done(CtlSource *s) {
        free(s->root);
}

int ctl_journal_end(const CtlSource *source, const JournalCounts *counts, int r) {
        const JournalSource *s = &source->journal;
        const char *where = s->files       ? s->files[0]
                            : s->directory ? s->directory
                            : s->root      ? s->root
                                           : "/var/log/journal and /run/log/journal";

        if (r == -ENOMEM)
                return ctl_error_memory();
        if (r == -ENOENT || r == -EACCES || r == -EPERM)
                ctl_error("No journal to read in %s: %s", where,
                                s->files || s->directory || s->root
                                                ? strerror(-r)
                                                : "root and users in group systemd-journal may read it.");
        else if (r < 0 && r != -ECANCELED)
                ctl_error("Failed to read the journal in %s: %s", where, strerror(-r));
        if (r >= 0 && counts->n_malformed > 0)
                ctl_error("Entries left out, as they hold no alert or heartbeat that this version can read: "
                          "%llu.",
                                (unsigned long long)counts->n_malformed);
        if (r >= 0 && counts->n_foreign > 0)
                ctl_error("Entries left out, as a login user's process wrote them: %llu.",
                                (unsigned long long)counts->n_foreign);
        if (r >= 0 && counts->n_unreadable > 0)
                ctl_error("Journal files left out, as they are damaged or may not be read: %llu.",
                                (unsigned long long)counts->n_unreadable);
        if (r >= 0 && counts->n_cut > 0)
                ctl_error("Journal files with more hosts than are read of one file, so that hosts are left "
                          "out: %llu.",
                                (unsigned long long)counts->n_cut);
        return r;
}

int ctl_journal_each(const Ctl *c, JournalReaderHandler handler, void *userdata, JournalCounts *ret) {
        _cleanup_(ctl_source_done) CtlSource source = {};

        int r = ctl_journal_open(c, &source);
        if (r < 0)
                return r;
        r = journal_read_alerts(&source.journal, handler, userdata, ret);
        return ctl_journal_end(&source, ret, r);
}

static AlertFilter filter_of(const json_t *o) {
        const char *action = ctl_string(o, "action", NULL);

        return (AlertFilter){
                .since_usec = (uint64_t)ctl_number(o, "since"),
                .until_usec = (uint64_t)ctl_number(o, "until"),
                .severity = SEVERITY_INFO, /* an outbreak raises it */
                .class = ctl_string(o, "class", NULL),
                .unit = ctl_string(o, "unit", NULL),
                .by_pid = json_object_get(o, "pid"),
                .by_uid = json_object_get(o, "uid"),
                .by_action = action,
                .action = action ? action_from_string(action) : 0,
                .pid = (uint32_t)ctl_number(o, "pid"),
                .uid = (uint32_t)ctl_number(o, "uid"),
        };
}

typedef struct Listing {
        AlertRows *rows;
        AlertFilter filter;
        json_t *incidents; /* the ids of those that are asked for, as keys; NULL: all */
        bool with_lines;
} Listing;

static bool is_wanted(const Listing *l, const char *incident) {
        return !l->incidents || json_object_get(l->incidents, incident);
}

static int on_listed(json_t *alert, const char *line, void *userdata) {
        Listing *l = userdata;

        int r = alert_matches(alert, &l->filter);
        if (r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;
        /* An outbreak raises an alert by one. */
        bool may_show = r > 0 && l->with_lines && is_wanted(l, ctl_string(alert, "incident", "")) &&
                        severity_from_string(ctl_string(alert, "severity", "")) + 1 >= (int)l->rows->least;
        return alert_rows_add(l->rows, alert, may_show ? line : NULL, r > 0);
}

static int on_member(json_t *alert, const char *line, void *userdata) {
        (void)line;
        return json_object_set_new(userdata, ctl_string(alert, "incident", ""), json_true()) < 0 ? -ENOMEM
                                                                                                 : 0;
}

/* The incidents of all alerts with this id: entries that say different things may have it, and hosts or
 * boots may have the same short one. An incident is also asked for by its own id, when its first alert is
 * not in the journal any more. */
static int incidents_find(const JournalSource *source, const char *id, json_t **ret) {
        json_auto_t *incidents = json_object();
        JournalSource s = *source;
        JournalCounts counts;

        if (!incidents || json_object_set_new(incidents, id, json_true()) < 0)
                return -ENOMEM;
        s.id = id;
        int r = journal_read_alerts(&s, on_member, incidents, &counts);
        if (r < 0)
                return r;
        /* Alerts that belong to no incident are not one. */
        (void)json_object_del(incidents, "");
        *ret = STEAL_PTR(incidents);
        return 0;
}

/* The policy of the host that collects, which is usually that of the others. */
static bool address_is_named(const char *address, void *userdata) {
        const char *space = strchr(address, ' ');
        struct bw_destination to = { .protocol = 6, .act = BW_ACT_CONNECT };
        Policy **policy = userdata;
        char text[INET6_ADDRSTRLEN];

        /* Only now, as most listings have no outbreak. Without a policy, no rule names it. */
        if (!*policy && policy_load(NULL, NULL, NULL, policy) < 0)
                return false;
        if (!space || (size_t)(space - address) >= sizeof(text) || !*policy)
                return false;
        (void)snprintf(text, sizeof(text), "%.*s", (int)(space - address), address);
        to.family = strchr(text, ':') ? AF_INET6 : AF_INET;
        to.port = (uint16_t)strtoul(space + 1, NULL, 10);
        if (inet_pton(to.family, text, to.address) != 1)
                return false;
        for (size_t i = 0; i < (*policy)->n_allows; i++) {
                const PolicyAllow *a = (*policy)->allows + i;

                if (a->n_destinations > 0 && policy_match_address(a->destinations, a->n_destinations, &to))
                        return true;
        }
        return false;
}

typedef struct Changes {
        const AlertRows *rows;
        Outbreak *outbreaks;
        size_t n;
        json_t *firsts;   /* host → [outbreak, time of the host's first alert in it]… */
        json_t *policies; /* host → the policy that its last entry named */
        json_t *counted;  /* "outbreak host": it counts once */
} Changes;

static int change_count(Changes *ch, const char *host, uint64_t usec) {
        const json_t *firsts = json_object_get(ch->firsts, host);

        for (size_t i = 0; i + 1 < json_array_size(firsts); i += 2) {
                Outbreak *o = ch->outbreaks + json_integer_value(json_array_get(firsts, i));
                uint64_t first = (uint64_t)json_integer_value(json_array_get(firsts, i + 1));
                _cleanup_free_ char *key = NULL;

                if (usec > first || first - usec > OUTBREAK_POLICY_USEC)
                        continue;
                if (asprintf(&key, "%zu %s", (size_t)(o - ch->outbreaks), host) < 0)
                        return -ENOMEM;
                if (o->n_changed == 0 || usec > o->changed_usec) {
                        o->changed_usec = usec;
                        o->changed_host = json_object_iter_key(json_object_iter_at(ch->firsts, host));
                }
                o->n_changed += !json_object_get(ch->counted, key);
                if (json_object_set_new(ch->counted, key, json_true()) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* An entry at the start of the daemon does not say which policy was there before: the host's entry before it
 * does. */
static int on_policy(const json_t *entry, void *userdata) {
        Changes *ch = userdata;
        const char *host = ctl_string(entry, "host", ""), *policy = ctl_string(entry, "policy", "");
        const char *before = ctl_string(entry, "previous", ctl_string(ch->policies, host, NULL));
        bool changed = before && strcmp(before, policy) != 0;

        if (json_object_set_new(ch->policies, host, json_string(policy)) < 0)
                return -ENOMEM;
        return changed ? change_count(ch, host, (uint64_t)ctl_number(entry, "usec")) : 0;
}

/* Which outbreaks came after a policy change. */
static int changes_find(const CtlSource *source, const AlertRows *rows, Outbreak *outbreaks, size_t n) {
        json_auto_t *firsts = json_object(), *policies = json_object(), *counted = json_object();
        Changes ch = { .rows = rows,
                .outbreaks = outbreaks,
                .n = n,
                .firsts = firsts,
                .policies = policies,
                .counted = counted };
        JournalSource s = source->journal;
        JournalCounts counts;
        uint64_t last_usec = 0;

        if (!firsts || !policies || !counted)
                return -ENOMEM;
        s.since_usec = UINT64_MAX;
        for (size_t i = 0; i < rows->n; i++) {
                const AlertRow *row = rows->items + i;
                json_t *of_host = json_object_get(firsts, row->host);

                if (row->outbreak == 0)
                        continue;
                uint64_t since_usec = row->usec - MIN(row->usec, 2 * OUTBREAK_POLICY_USEC);
                s.since_usec = MIN(s.since_usec, since_usec);
                last_usec = MAX(last_usec, row->usec);
                if (!of_host && json_object_set_new(firsts, row->host, of_host = json_array()) < 0)
                        return -ENOMEM;
                /* Rows are in the order of time. */
                bool known = false;
                for (size_t k = 0; k < json_array_size(of_host) && !known; k += 2)
                        known = json_integer_value(json_array_get(of_host, k)) ==
                                (json_int_t)row->outbreak - 1;
                if (!known && (json_array_append_new(of_host, json_integer((json_int_t)row->outbreak - 1)) <
                                                              0 ||
                                              json_array_append_new(of_host,
                                                              json_integer((json_int_t)row->usec)) < 0))
                        return -ENOMEM;
        }
        s.until_usec = last_usec;
        int r = journal_read_policies(&s, on_policy, &ch, &counts);
        for (size_t i = 0; r >= 0 && i < rows->n; i++) {
                Outbreak *o = rows->items[i].outbreak > 0 ? outbreaks + rows->items[i].outbreak - 1 : NULL;

                if (o && o->n_changed > 0 && strcmp(o->changed_host, rows->items[i].host) == 0)
                        o->changed_host = rows->items[i].host;
        }
        return r;
}

static void rows_select(const Listing *l) {
        for (size_t i = 0; i < l->rows->n; i++) {
                AlertRow *row = l->rows->items + i;

                row->selected &= row->severity >= l->rows->least && is_wanted(l, row->incident);
        }
}

int ctl_journal_rows(const Ctl *c, const json_t *filter, AlertRows *rows, Outbreak **ret, size_t *ret_n) {
        _cleanup_(ctl_source_done) CtlSource source = {};
        Listing l = { .rows = rows, .filter = filter_of(filter), .with_lines = ctl_wants_json() };
        const char *severity = ctl_string(filter, "severity", NULL),
                   *incident = ctl_string(filter, "incident", NULL);
        json_auto_t *incidents = NULL;
        Policy *policy = NULL;
        JournalCounts counts = {};

        rows->least = severity ? severity_from_string(severity) : SEVERITY_LOW;
        int r = ctl_journal_open(c, &source);
        if (r < 0)
                return r;
        /* An outbreak may have begun before the span, and may go on after it. */
        source.journal.by_file = true;
        source.journal.since_usec -= MIN(source.journal.since_usec, OUTBREAK_USEC);
        if (source.journal.until_usec > 0)
                source.journal.until_usec += OUTBREAK_USEC;
        if (incident)
                r = incidents_find(&source.journal, incident, &incidents);
        l.incidents = incidents;
        if (r >= 0)
                r = journal_read_alerts(&source.journal, on_listed, &l, &counts);
        r = ctl_journal_end(&source, &counts, r);
        if (r < 0)
                return r;
        r = alert_rows_sort(rows);
        if (r >= 0)
                r = outbreaks_find(rows, address_is_named, &policy, ret, ret_n);
        policy_free(policy);
        if (r >= 0 && *ret_n > 0)
                r = changes_find(&source, rows, *ret, *ret_n);
        if (r >= 0)
                rows_select(&l);
        return r == -ENOMEM ? ctl_error_memory() : r;
}

typedef struct Search {
        const char *id;
        json_t *found;
        size_t n_others; /* with the same id, which say something else */
} Search;

/* A repeated alert is found again, and the last one has the count. Of entries that say different things, the
 * first of the worst is shown, so that none hides a worse one. */
static int on_searched(json_t *alert, const char *line, void *userdata) {
        Search *s = userdata;
        const char *id = ctl_string(alert, "id", "");

        (void)line;
        if (s->found && strcmp(ctl_string(s->found, "id", ""), id) != 0)
                return -ECANCELED;
        int copy = s->found ? alert_is_copy(s->found, alert) : true;
        if (copy < 0)
                return copy;
        s->n_others += copy == 0;
        if (s->found && copy > 0 && ctl_number(s->found, "repeats") > ctl_number(alert, "repeats"))
                return 0;
        if (copy == 0 && severity_from_string(ctl_string(s->found, "severity", "")) >=
                                         severity_from_string(ctl_string(alert, "severity", "")))
                return 0;
        json_decref(s->found);
        s->found = json_incref(alert);
        return 0;
}

int ctl_journal_find(const Ctl *c, const char *id, json_t **ret) {
        _cleanup_(ctl_source_done) CtlSource source = {};
        Search s = { .id = id };
        JournalCounts counts;

        int r = ctl_journal_open(c, &source);
        if (r < 0)
                return r;
        source.journal.by_file = true;
        source.journal.id = id;
        r = ctl_journal_end(
                        &source, &counts, journal_read_alerts(&source.journal, on_searched, &s, &counts));
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
        if (r >= 0 && s.n_others > 0)
                ctl_error("Other entries with this id say something else: %zu. One of the highest severity "
                          "is shown; \"barbwirectl alerts --all\" lists each.",
                                s.n_others);
        if (r >= 0)
                *ret = STEAL_PTR(found);
        return r;
}
