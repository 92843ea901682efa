/* SPDX-License-Identifier: GPL-2.0-or-later */

/* alerts, show, follow. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "alert/details.h"
#include "alert/alert.h"
#include "client/client.h"
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
static const json_t *alert_main_file(const json_t *alert) {
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

        if (v6 || strcmp(family, "inet") == 0)
                ctl_table_add(t, CTL_PLAIN, "%s%s%s:%lld", v6 ? "[" : "", address, v6 ? "]" : "",
                                ctl_number(d, "port"));
        else
                ctl_table_add(t, CTL_PLAIN, "%s %s", family, ctl_string(d, "path", address));
}

static void row_add(CtlTable *t, const json_t *alert) {
        const json_t *process = json_object_get(alert, "process"), *file = alert_main_file(alert);
        const char *severity = ctl_string(alert, "severity", "-");
        char date[TIME_TEXT_SIZE];

        ctl_table_add(t, CTL_PLAIN, "%s", time_of(alert, date));
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

static int alerts_print(const json_t *alerts) {
        static const CtlColumn columns[] = {
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
        const json_t *alert;
        size_t i, n = json_array_size(alerts);

        int r = ctl_table_new(columns, ELEMENTSOF(columns), &t);
        if (r < 0)
                return r;
        json_array_foreach(alerts, i, alert) row_add(t, alert);
        ctl_pager_open();
        r = ctl_table_print(t, 0);
        if (r < 0)
                return r;
        printf("%zu alert%s.\n", n, n == 1 ? "" : "s");
        return 0;
}

/* Collects the alerts of all replies in one array. */
static int alerts_receive(CtlClient *client, bool reverse, json_t *alerts) {
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

        for (size_t i = 0, n = json_array_size(alerts); reverse && i < n / 2; i++) {
                json_t *first = json_incref(json_array_get(alerts, i));

                (void)json_array_set(alerts, i, json_array_get(alerts, n - 1 - i));
                (void)json_array_set_new(alerts, n - 1 - i, first);
        }
        return 0;
}

int ctl_alerts(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *alerts = json_array();
        const json_t *alert;
        size_t i;

        (void)operand;
        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_send(client, "ListAlerts", c->filter, true);
        if (r >= 0)
                r = alerts_receive(client, c->reverse, alerts);
        if (r < 0)
                return r;

        if (!ctl_wants_json())
                return alerts_print(alerts);
        ctl_pager_open();
        json_array_foreach(alerts, i, alert) {
                r = ctl_print_json(alert);
                if (r < 0)
                        return r;
        }
        return CTL_OK;
}

int ctl_print_alert(const json_t *alert) {
        if (ctl_wants_json())
                return ctl_print_json(alert);

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
        int r = ctl_client_ask(c->socket_path, true, "GetAlert", parameters, &reply);
        if (r < 0)
                return r;
        json_t *alert = json_object_get(reply, "alert");
        if (!json_is_object(alert))
                return ctl_client_malformed();
        *ret = json_incref(alert);
        return 0;
}

int ctl_show(const Ctl *c, const char *operand) {
        json_auto_t *alert = NULL;

        int r = ctl_get_alert(c, operand, &alert);
        if (r != 0)
                return r;
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

/* Alerts of the selftest would come several times an hour. */
static bool entry_is_selftest(const json_t *entry) {
        const json_t *classes = json_object_get(entry, "classes");

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

                if (ctl_wants_json())
                        return o ? ctl_print_json(o) : ctl_error_memory();
                ctl_print("%lld entries missed: they were raised faster than they were read; \"barbwirectl "
                          "alerts\" lists them.",
                                ctl_number(reply, "missed"));
                return 0;
        }
        if (!entry || entry_is_selftest(entry))
                return 0;
        if (ctl_wants_json())
                return ctl_print_json(entry);

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
