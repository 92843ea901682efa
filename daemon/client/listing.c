/* SPDX-License-Identifier: GPL-2.0-or-later */

/* alerts: of the daemon, or of a journal of many hosts, with the outbreaks among them. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/time-util.h"
#include "client/client.h"
#include "client/ctl.h"
#include "client/outbreak.h"
#include "client/output.h"
#include "client/rows.h"
#include "client/table.h"

/* "…/id_ed25519": the name of the file tells more than its class or the destination. */
#define FILE_WIDTH_LEAST 13

/* Collects the alerts of all replies in one array. */
static int alerts_receive(CtlClient *client, json_t *alerts) {
        int r;

        do {
                json_auto_t *reply = NULL;
                json_t *alert;
                size_t i;

                r = ctl_client_receive(client, CTL_TIMEOUT_USEC, &reply);
                if (r == -ETIME)
                        ctl_error("barbwired stopped replying; see \"systemctl status barbwire\".");
                if (r < 0)
                        return r;
                if (!json_is_array(json_object_get(reply, "alerts")))
                        return ctl_client_malformed();
                json_array_foreach(json_object_get(reply, "alerts"), i,
                                alert) if (json_array_append(alerts, alert) < 0) return ctl_error_memory();
        } while (r > 0);
        return 0;
}

/* Gets the alerts of the daemon that the filter selects. */
static int alerts_get(const Ctl *c, json_t *filter, json_t **ret) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *alerts = json_array();

        if (!alerts)
                return ctl_error_memory();
        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_send(client, "ListAlerts", filter, true);
        if (r >= 0)
                r = alerts_receive(client, alerts);
        if (r >= 0)
                *ret = STEAL_PTR(alerts);
        return r;
}

/* One line of the listing: an incident, or one alert of it where each is shown. */
typedef struct Line {
        const AlertRow *worst, *latest;
        size_t count;
        unsigned outbreak;
} Line;

static void row_put(CtlTable *t, const Line *line, bool host) {
        const AlertRow *row = line->worst;
        const char *severity = severity_to_string(row->severity), *dash = strchr(row->id, '-');
        char date[TIME_TEXT_SIZE];

        if (host)
                ctl_table_add(t, CTL_PLAIN, "%s", row->host[0] ? row->host : "-");
        ctl_table_add(t, CTL_PLAIN, "%s", time_format_short(line->latest->usec, date));
        if (line->count > 1)
                ctl_table_add(t, ctl_severity_colour(severity), "%s ×%zu", severity, line->count);
        else
                ctl_table_add(t, ctl_severity_colour(severity), "%s", severity);
        ctl_table_add(t, CTL_PLAIN, "%d", row->score);
        ctl_table_add(t, CTL_PLAIN, "%s[%u]", row->comm[0] ? row->comm : "-", row->pid);
        ctl_table_add(t, CTL_PLAIN, "%u", row->uid);
        ctl_table_add(t, CTL_PLAIN, "%s", row->classes[0] ? row->classes : "-");
        ctl_table_add(t, CTL_PLAIN, "%s", row->file);
        ctl_table_add(t, CTL_PLAIN, "%s", row->destination);
        ctl_table_add(t, CTL_PLAIN, "%s", dash && dash[1] ? dash + 1 : row->id);
}

static int by_incident(const void *a, const void *b) {
        const AlertRow *x = *(const AlertRow *const *)a, *y = *(const AlertRow *const *)b;
        int r = strcmp(x->incident, y->incident) ?: strcmp(x->host, y->host);

        return r != 0 ? r : x < y ? -1 : 1;
}

static int by_latest(const void *a, const void *b) {
        const Line *x = a, *y = b;

        return x->latest < y->latest ? -1 : 1;
}

static bool is_worse(const AlertRow *a, const AlertRow *b) {
        return a->severity != b->severity ? a->severity > b->severity : a->score > b->score;
}

/* Makes the lines of a listing, which is the oldest first, as each of them is. A line is where its latest
 * alert is. Of equally bad alerts it has the latest. Returns how many; negative: out of memory. */
static ssize_t lines_make(const AlertRows *rows, bool all, Line **ret) {
        _cleanup_free_ const AlertRow **order = calloc(rows->n + 1, sizeof(AlertRow *));
        _cleanup_free_ Line *lines = calloc(rows->n + 1, sizeof(*lines));
        size_t n = 0, n_lines = 0;

        if (!order || !lines)
                return ctl_error_memory();
        for (size_t i = 0; i < rows->n; i++)
                if (rows->items[i].selected)
                        order[n++] = rows->items + i;
        if (n > 0 && !all)
                qsort(order, n, sizeof(*order), by_incident);
        for (size_t i = 0; i < n; i++) {
                bool same = !all && i > 0 && order[i]->incident[0] &&
                            strcmp(order[i]->incident, order[i - 1]->incident) == 0 &&
                            strcmp(order[i]->host, order[i - 1]->host) == 0;

                if (!same)
                        lines[n_lines++] = (Line){ .worst = order[i] };
                Line *line = lines + n_lines - 1;
                if (!is_worse(line->worst, order[i]))
                        line->worst = order[i];
                line->latest = order[i];
                line->count++;
                line->outbreak = line->outbreak ?: order[i]->outbreak;
        }
        if (n_lines > 0)
                qsort(lines, n_lines, sizeof(*lines), by_latest);
        *ret = STEAL_PTR(lines);
        return (ssize_t)n_lines;
}

/* "3 alerts.", "51 alerts in 2 incidents." */
static void total_print(size_t n_alerts, size_t n_lines) {
        if (n_alerts == n_lines)
                printf("%zu alert%s.\n", n_alerts, n_alerts == 1 ? "" : "s");
        else
                printf("%zu alerts in %zu incident%s; --all shows each.\n", n_alerts, n_lines,
                                n_lines == 1 ? "" : "s");
}

/* Lines of one outbreak, or of none (0), at most the newest lines_max. Adds what it shows to the counts. */
static int table_print(const Ctl *c, const Line *lines, size_t n, unsigned outbreak, size_t lines_max,
                size_t *n_alerts, size_t *n_lines) {
        static const CtlColumn columns[] = {
                { .name = "HOST", .cut = CTL_CUT_END }, /* of alerts that a journal has */
                { .name = "TIME" },
                { .name = "SEVERITY" },
                { .name = "SCORE", .right = true },
                { .name = "PROCESS", .cut = CTL_CUT_NAME },
                { .name = "UID", .right = true },
                { .name = "CLASS", .cut = CTL_CUT_END },
                { .name = "FILE", .cut = CTL_CUT_BEGINNING, .least = FILE_WIDTH_LEAST },
                { .name = "DESTINATION", .cut = CTL_CUT_END },
                { .name = "ID" },
        };
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;
        bool host = ctl_journal_given(c);
        size_t n_ours = 0, skip;

        int r = ctl_table_new(columns + !host, ELEMENTSOF(columns) - !host, &t);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                n_ours += lines[i].outbreak == outbreak;
        skip = n_ours > lines_max ? n_ours - lines_max : 0;
        for (size_t i = 0, nth = 0; i < n; i++) {
                const Line *line = lines + (c->reverse ? n - 1 - i : i);

                if (line->outbreak != outbreak)
                        continue;
                nth++;
                if (c->reverse ? nth > n_ours - skip : nth <= skip)
                        continue;
                row_put(t, line, host);
                *n_alerts += line->count;
                ++*n_lines;
        }
        return ctl_table_print(t, 0);
}

static int outbreak_print(const Outbreak *o) {
        char since[TIME_TEXT_SIZE], changed[TIME_TEXT_SIZE];
        _cleanup_free_ char *causes = outbreak_causes(o), *age = NULL;
        TextStream text;

        if (!causes || !text_open(&text))
                return ctl_error_memory();
        text_put_age(text.stream, o->last_usec - o->first_usec);
        age = text_take(&text);
        if (!age)
                return ctl_error_memory();
        printf("%s", ctl_colour(CTL_RED));
        ctl_print("Outbreak: %zu alerts on %zu hosts within %s, since %s", o->n_alerts, o->n_hosts, age,
                        time_format(o->first_usec, since));
        printf("%s", ctl_colour(CTL_PLAIN));
        ctl_print("In common: %s.", causes);
        if (o->n_changed > 0)
                ctl_print("A policy change preceded it: on %zu of these hosts, the last on %s, %s.",
                                o->n_changed, o->changed_host, time_format(o->changed_usec, changed));
        ctl_print("The severity of each is raised by one.");
        return 0;
}

static int rows_print(const Ctl *c, const AlertRows *rows, const Outbreak *outbreaks, size_t n_outbreaks,
                size_t lines_max) {
        _cleanup_free_ Line *lines = NULL;
        size_t n_alerts = 0, n_lines = 0;

        ssize_t n = lines_make(rows, c->all, &lines);
        if (n < 0)
                return (int)n;
        ctl_pager_open();
        int r = 0;
        for (size_t i = 0; i < n_outbreaks && r >= 0; i++) {
                bool any = false;

                for (ssize_t k = 0; k < n && !any; k++)
                        any = lines[k].outbreak == i + 1;
                if (!any)
                        continue;
                r = outbreak_print(outbreaks + i);
                /* -n does not hide a member. */
                if (r >= 0)
                        r = table_print(c, lines, (size_t)n, (unsigned)i + 1, SIZE_MAX, &n_alerts, &n_lines);
        }
        if (r >= 0)
                r = table_print(c, lines, (size_t)n, 0, lines_max, &n_alerts, &n_lines);
        if (r < 0)
                return r;
        total_print(n_alerts, n_lines);
        return 0;
}

/* As the journal has it, with its host and its outbreak. */
static int row_print_json(const AlertRow *row, const Outbreak *outbreaks) {
        json_auto_t *alert = json_loads(row->line, 0, NULL);

        if (!alert || json_object_set_new(alert, "host", json_string(row->host)) < 0)
                return ctl_error_memory();
        if (row->outbreak > 0 &&
                        (json_object_set_new(alert, "severity",
                                         json_string(severity_to_string(row->severity))) < 0 ||
                                        json_object_set_new(alert, "outbreak",
                                                        outbreak_to_json(outbreaks + row->outbreak - 1,
                                                                        row->before)) < 0))
                return ctl_error_memory();
        return ctl_print_alert_json(alert);
}

static int rows_print_json(const Ctl *c, const AlertRows *rows, const Outbreak *outbreaks, size_t limit) {
        size_t n = 0, n_dropped = 0, nth = 0;

        for (size_t i = 0; i < rows->n; i++) {
                n += rows->items[i].selected && rows->items[i].line;
                n_dropped += rows->items[i].selected && !rows->items[i].line;
        }
        size_t skip = n > limit ? n - limit : 0;
        if (n_dropped > 0)
                ctl_error("Only the newest %zu alerts are shown: choose a shorter time with --since= and "
                          "--until=.",
                                n - skip);
        ctl_pager_open();
        for (size_t i = 0; i < rows->n; i++) {
                const AlertRow *row = rows->items + (c->reverse ? rows->n - 1 - i : i);

                if (!row->selected || !row->line)
                        continue;
                nth++;
                if (c->reverse ? nth > n - skip : nth <= skip)
                        continue;
                int r = row_print_json(row, outbreaks);
                if (r < 0)
                        return r;
        }
        return CTL_OK;
}

/* Those of the daemon: of this host, so that there is no outbreak. */
static int daemon_print(const Ctl *c, json_t *filter, size_t lines_max) {
        json_auto_t *alerts = NULL;
        AlertRows rows = {};
        const json_t *alert;
        size_t i;

        int r = alerts_get(c, filter, &alerts);
        if (r >= 0 && ctl_wants_json()) {
                size_t n = json_array_size(alerts);

                ctl_pager_open();
                for (i = 0; i < n && r >= 0; i++)
                        r = ctl_print_alert_json(json_array_get(alerts, c->reverse ? n - 1 - i : i));
                return r;
        }
        /* In the daemon's order, which is that of the kernel's ring buffer. */
        json_array_foreach(alerts, i, alert) if (r >= 0) r = alert_rows_add(&rows, alert, NULL, true);
        if (r == -ENOMEM)
                ctl_error_memory();
        if (r >= 0)
                r = rows_print(c, &rows, NULL, 0, lines_max);
        alert_rows_done(&rows);
        return r;
}

static int journal_print(const Ctl *c, const json_t *filter, size_t lines_max) {
        _cleanup_free_ Outbreak *outbreaks = NULL;
        AlertRows rows = {};
        size_t n = 0;

        int r = ctl_journal_rows(c, filter, &rows, &outbreaks, &n);
        if (r >= 0)
                r = ctl_wants_json() ? rows_print_json(c, &rows, outbreaks, lines_max)
                                     : rows_print(c, &rows, outbreaks, n, lines_max);
        alert_rows_done(&rows);
        return r;
}

/* A table has a line for each incident, and -n counts lines; JSON is for programs and has each alert. */
int ctl_alerts(const Ctl *c, const char *operand) {
        json_auto_t *filter = json_copy(c->filter);
        size_t lines_max = SIZE_MAX;

        (void)operand;
        if (!filter)
                return ctl_error_memory();
        if (json_object_get(filter, "limit") && (ctl_journal_given(c) || (!ctl_wants_json() && !c->all))) {
                lines_max = (size_t)json_integer_value(json_object_get(filter, "limit"));
                (void)json_object_del(filter, "limit");
        }
        return ctl_journal_given(c) ? journal_print(c, filter, lines_max)
                                    : daemon_print(c, filter, lines_max);
}
