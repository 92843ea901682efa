/* SPDX-License-Identifier: GPL-2.0-or-later */

/* alerts, show, follow. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "alert/details.h"
#include "alert/alert.h"
#include "client/client.h"
#include "client/digest.h"
#include "client/ocsf.h"
#include "client/output.h"
#include "client/table.h"
#include "client/ctl.h"
#include "basic/json-util.h"
#include "basic/escape.h"
#include "basic/time-util.h"

/* "…/id_ed25519": the name of the file tells more than its class or the destination. */
#define FILE_WIDTH_LEAST 13

/* Skips the boot id, which is the same for nearly all. */
static const char *alert_short_id(const json_t *alert) {
        const char *id = ctl_string(alert, "id", "-"), *dash = strchr(id, '-');

        return dash && dash[1] ? dash + 1 : id;
}

static const char *time_of(const json_t *entry, char ret[static TIME_TEXT_SIZE]) {
        uint64_t usec;

        return json_to_time(json_object_get(entry, "time"), &usec) < 0 ? "-" : time_format_short(usec, ret);
}

static bool file_has_class(const json_t *file, const char *class) {
        const json_t *item;
        size_t i;

        json_array_foreach(json_object_get(file, "classes"), i,
                        item) if (json_is_string(item) &&
                                  strcmp(json_string_value(item), class) == 0) return true;
        return false;
}

/* The newest file of the worst class, as in the sentence; else the newest. NULL: there is none. */
static const json_t *json_main_file(const json_t *alert) {
        const json_t *files = json_object_get(alert, "files"), *class, *file;
        size_t i, k;

        json_array_foreach(json_object_get(alert, "classes"), i, class) json_array_foreach(
                        files, k, file) if (json_is_string(class) &&
                                            file_has_class(file, json_string_value(class))) return file;
        return json_array_get(files, 0);
}

static void destination_add(CtlTable *t, const json_t *d) {
        const char *family = ctl_string(d, "family", ""), *address = ctl_string(d, "address", "-");
        bool v6 = strcmp(family, "inet6") == 0;

        if (strcmp(family, "none") == 0)
                ctl_table_add(t, CTL_PLAIN, "(open)");
        else if (v6 || strcmp(family, "inet") == 0)
                ctl_table_add(t, CTL_PLAIN, "%s%s%s:%lld", v6 ? "[" : "", address, v6 ? "]" : "",
                                ctl_number(d, "port"));
        else
                ctl_table_add(t, CTL_PLAIN, "%s %s", family, ctl_string(d, "path", address));
}

/* count: alerts that the row stands for; time: of the latest of them; host: with its name. */
static void row_add(CtlTable *t, const json_t *alert, size_t count, const json_t *latest, bool host) {
        const json_t *process = json_object_get(alert, "process"), *file = json_main_file(alert);
        const char *severity = ctl_string(alert, "severity", "-");
        char date[TIME_TEXT_SIZE];

        if (host)
                ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(alert, "host", "-"));
        ctl_table_add(t, CTL_PLAIN, "%s", time_of(latest, date));
        if (count > 1)
                ctl_table_add(t, ctl_severity_colour(severity), "%s ×%zu", severity, count);
        else
                ctl_table_add(t, ctl_severity_colour(severity), "%s", severity);
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(alert, "score"));
        ctl_table_add(t, CTL_PLAIN, "%s[%lld]", ctl_string(process, "comm", "-"),
                        ctl_number(process, "pid"));
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(process, "uid"));
        ctl_table_add_list(t, json_object_get(alert, "classes"));
        ctl_table_add(t, CTL_PLAIN, "%s%s", json_is_true(json_object_get(file, "truncated")) ? "…" : "",
                        ctl_string(file, "path", "(name lost)"));
        destination_add(t, json_object_get(alert, "destination"));
        ctl_table_add(t, CTL_PLAIN, "%s", alert_short_id(alert));
}

/* One line of the listing: an incident, or one alert of it where each is shown. */
typedef struct Line {
        const json_t *worst, *latest;
        size_t count;
} Line;

static bool alert_is_worse(const json_t *a, const json_t *b) {
        Severity of_a = severity_from_string(ctl_string(a, "severity", "")),
                 of_b = severity_from_string(ctl_string(b, "severity", ""));

        return of_a != of_b ? of_a > of_b : ctl_number(a, "score") > ctl_number(b, "score");
}

/* The line of the alert's incident; NULL: it has none yet, or the alert is of no incident. places: the index
 * of each incident's line. */
static Line *line_of(Line *lines, const json_t *places, const json_t *alert) {
        const json_t *place = json_object_get(places, ctl_string(alert, "incident", ""));

        return place ? &lines[json_integer_value(place)] : NULL;
}

/* Makes the lines of a listing, which is the oldest first, as each of them is. A line is where its latest
 * alert is. Returns how many; negative: out of memory. */
static ssize_t lines_make(const json_t *alerts, bool all, Line *lines) {
        json_auto_t *places = json_object();
        size_t n = json_array_size(alerts), n_lines = n;

        if (!places)
                return ctl_error_memory();
        /* From the latest on, at the end of the array. */
        for (size_t i = n; i-- > 0;) {
                const json_t *alert = json_array_get(alerts, i);
                const char *incident = ctl_string(alert, "incident", "");
                Line *line = all ? NULL : line_of(lines, places, alert);

                if (line) {
                        line->count++;
                        if (alert_is_worse(alert, line->worst))
                                line->worst = alert;
                        continue;
                }
                lines[--n_lines] = (Line){ .worst = alert, .latest = alert, .count = 1 };
                if (!all && incident[0] &&
                                json_object_set_new(places, incident, json_integer((json_int_t)n_lines)) < 0)
                        return ctl_error_memory();
        }
        memmove(lines, lines + n_lines, (n - n_lines) * sizeof(*lines));
        return (ssize_t)(n - n_lines);
}

/* "3 alerts.", "51 alerts in 2 incidents." */
static void total_print(size_t n_alerts, size_t n_lines) {
        if (n_alerts == n_lines)
                printf("%zu alert%s.\n", n_alerts, n_alerts == 1 ? "" : "s");
        else
                printf("%zu alerts in %zu incident%s; --all shows each.\n", n_alerts, n_lines,
                                n_lines == 1 ? "" : "s");
}

static int alerts_print(const Ctl *c, const json_t *alerts, size_t lines_max) {
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
        size_t n_shown = 0;

        _cleanup_free_ Line *lines = calloc(json_array_size(alerts) + 1, sizeof(*lines));
        if (!lines)
                return ctl_error_memory();
        ssize_t n = lines_make(alerts, c->all, lines);
        if (n < 0)
                return (int)n;
        int r = ctl_table_new(columns + !host, ELEMENTSOF(columns) - !host, &t);
        if (r < 0)
                return r;
        size_t n_lines = MIN((size_t)n, lines_max), first = (size_t)n - n_lines;
        for (size_t i = 0; i < n_lines; i++) {
                const Line *line = &lines[c->reverse ? (size_t)n - 1 - i : first + i];

                row_add(t, line->worst, line->count, line->latest, host);
                n_shown += line->count;
        }
        ctl_pager_open();
        r = ctl_table_print(t, 0);
        if (r < 0)
                return r;
        total_print(n_shown, n_lines);
        return 0;
}

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

/* The name of this machine, of which the daemon's alerts are; empty: not known. */
static void host_read(char ret[static HOST_NAME_MAX + 1]) {
        if (gethostname(ret, HOST_NAME_MAX) < 0)
                ret[0] = '\0';
        ret[HOST_NAME_MAX] = '\0';
}

/* Prints an alert in the mode that --json= asked for. */
static int alert_print_json(const json_t *alert) {
        json_auto_t *finding = NULL;
        char host[HOST_NAME_MAX + 1];

        if (!ctl_wants_ocsf())
                return ctl_print_json(alert);
        host_read(host);
        if (ocsf_from_alert(alert, host[0] ? host : NULL, &finding) < 0)
                return ctl_error_memory();
        return ctl_print_json(finding);
}

static int alerts_print_json(const Ctl *c, const json_t *alerts) {
        size_t n = json_array_size(alerts);

        ctl_pager_open();
        for (size_t i = 0; i < n; i++) {
                int r = alert_print_json(json_array_get(alerts, c->reverse ? n - 1 - i : i));
                if (r < 0)
                        return r;
        }
        return CTL_OK;
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

/* A table has a line for each incident, and -n counts lines; JSON is for programs and has each alert. */
int ctl_alerts(const Ctl *c, const char *operand) {
        json_auto_t *alerts = NULL, *filter = json_copy(c->filter);
        size_t lines_max = SIZE_MAX;

        (void)operand;
        if (!filter)
                return ctl_error_memory();
        if (!ctl_wants_json() && !c->all && json_object_get(filter, "limit")) {
                lines_max = (size_t)json_integer_value(json_object_get(filter, "limit"));
                (void)json_object_del(filter, "limit");
        }
        int r = ctl_journal_given(c) ? ctl_journal_alerts(c, filter, &alerts)
                                     : alerts_get(c, filter, &alerts);
        if (r < 0)
                return r;
        return ctl_wants_json() ? alerts_print_json(c, alerts) : alerts_print(c, alerts, lines_max);
}

int ctl_print_alert(const json_t *alert) {
        if (ctl_wants_json())
                return alert_print_json(alert);

        _cleanup_free_ char *text = alert_details(alert, ctl_wants_colour());
        if (!text)
                return ctl_error_memory();
        fputs(text, stdout);
        return 0;
}

int ctl_get_alert(const Ctl *c, const char *id, json_t **ret) {
        json_auto_t *parameters = json_pack("{s:s}", "id", id), *reply = NULL;

        if (!parameters) {
                ctl_error("\"%s\" is not the id of an alert.", id);
                return CTL_USAGE;
        }
        if (ctl_journal_given(c))
                return ctl_journal_find(c, id, ret);
        int r = ctl_client_ask(c->socket_path, true, "GetAlert", parameters, &reply);
        if (r < 0)
                return r;
        json_t *alert = json_object_get(reply, "alert");
        if (!json_is_object(alert))
                return ctl_client_malformed();
        *ret = json_incref(alert);
        return 0;
}

/* 32 hex digits, as in the id of an alert. */
static bool boot_id_read(char ret[static 33]) {
        _cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
        size_t n = 0;

        for (int c; f && n < 32 && (c = fgetc(f)) != EOF && c != '\n';)
                if (c != '-')
                        ret[n++] = (char)c;
        ret[n] = '\0';
        return n == 32;
}

int ctl_show(const Ctl *c, const char *operand) {
        json_auto_t *alert = NULL;
        char boot_id[33], host[HOST_NAME_MAX + 1];

        int r = ctl_get_alert(c, operand, &alert);
        if (r != 0)
                return r;
        /* Others may not read what others' processes ran; and the files of another host are not here. */
        host_read(host);
        bool here = strcmp(ctl_string(alert, "host", host), host) == 0;
        if (here && geteuid() == 0 && boot_id_read(boot_id) && digest_add(alert, boot_id) < 0)
                return ctl_error_memory();
        ctl_pager_open();
        return ctl_print_alert(alert);
}

/* Ctrl-C ends it. Every line has been flushed by then. */
static void on_interrupt(int sig) {
        (void)sig;
        _exit(CTL_OK);
}

/* Returns the alert or state (alert/state.h) in a reply. NULL: neither. */
static const json_t *reply_entry(const json_t *reply) {
        static const char *const members[] = { "alert", "loss", "policy", "foreign", "delay", "share" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (json_is_object(json_object_get(reply, members[i])))
                        return json_object_get(reply, members[i]);
        return NULL;
}

static CtlColour entry_colour(const json_t *entry, bool is_alert) {
        const json_t *refused = json_object_get(entry, "refused");
        bool good_policy = json_is_false(refused) && ctl_number(entry, "errors") == 0;

        return is_alert      ? ctl_severity_colour(ctl_string(entry, "severity", "-"))
               : good_policy ? CTL_PLAIN
                             : CTL_YELLOW;
}

/* Alerts of the selftest would come several times an hour, and records of severity info are no alerts. */
static bool entry_is_quiet(const json_t *entry) {
        const json_t *classes = json_object_get(entry, "classes");

        if (strcmp(ctl_string(entry, "severity", ""), "info") == 0)
                return true;
        return json_array_size(classes) == 1 &&
               strcmp(json_string_value(json_array_get(classes, 0)) ?: "", ALERT_SELFTEST_CLASS) == 0;
}

/* Prints a line for an alert, for a state, or for what was missed because this program was too slow. */
static int entry_print(const json_t *reply) {
        const json_t *missed = json_object_get(reply, "missed"), *entry = reply_entry(reply);
        bool is_alert = entry && entry == json_object_get(reply, "alert");
        char date[TIME_TEXT_SIZE];

        if (json_is_integer(missed)) {
                json_auto_t *o = json_pack("{s:s, s:O}", "kind", "missed", "missed", missed);

                if (ctl_wants_json() && !ctl_wants_ocsf())
                        return o ? ctl_print_json(o) : ctl_error_memory();
                (ctl_wants_ocsf() ? ctl_error : ctl_print)("%lld entries missed: they were raised faster "
                                                           "than they were read; \"barbwirectl "
                                                           "alerts\" lists them.",
                                ctl_number(reply, "missed"));
                return 0;
        }
        if (!entry || entry_is_quiet(entry))
                return 0;
        /* What is no finding must not be missed, nor be among them. */
        if (ctl_wants_ocsf() && !is_alert) {
                ctl_error("%s", ctl_string(entry, "summary", "(no summary)"));
                return 0;
        }
        if (ctl_wants_json())
                return alert_print_json(entry);

        const char *severity = ctl_string(entry, is_alert ? "severity" : "state", "-");
        CtlColour colour = entry_colour(entry, is_alert);
        printf("%s %s", time_of(entry, date), colour != CTL_PLAIN ? ctl_colour(colour) : "");
        text_put_string(stdout, severity);
        printf("%s ", colour != CTL_PLAIN ? ctl_colour(CTL_PLAIN) : "");
        ctl_print("%s%s%s%s", ctl_string(entry, "summary", "(no summary)"), is_alert ? " (" : "",
                        is_alert ? alert_short_id(entry) : "", is_alert ? ")" : "");
        return 0;
}

/* Tells a person at a terminal since when no output means that nothing happened. */
static void follow_greet(void) {
        char date[TIME_TEXT_SIZE];

        if (isatty(STDERR_FILENO))
                ctl_error("Following alerts since %s; press Ctrl-C to stop.",
                                time_format(time_now_usec(CLOCK_REALTIME), date));
}

int ctl_follow(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        bool confirmed = false;
        int r;

        (void)operand;
        r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_send(client, "Follow", NULL, true);
        (void)signal(SIGINT, on_interrupt);
        (void)signal(SIGTERM, on_interrupt);

        while (r >= 0) {
                json_auto_t *reply = NULL;

                r = ctl_client_receive(client, UINT64_MAX, &reply);
                if (r == 0) {
                        ctl_error("Connection closed by barbwired.");
                        r = -ECONNRESET;
                }
                if (r > 0 && !confirmed)
                        follow_greet();
                confirmed |= r > 0; /* the first reply is empty */
                if (r > 0)
                        r = entry_print(reply);
                if (r >= 0)
                        r = ctl_output_flush();
        }
        return r;
}
