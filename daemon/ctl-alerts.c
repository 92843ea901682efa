/* SPDX-License-Identifier: GPL-2.0-or-later */

/* alerts, show, follow. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "alert-show.h"
#include "alert.h"
#include "ctl-client.h"
#include "ctl-output.h"
#include "ctl-time.h"
#include "ctl.h"
#include "json-line.h"
#include "text.h"
#include "time-now.h"

/* "…/id_ed25519": what the file is called says more than its class and where it went. */
#define FILE_WIDTH_LEAST 13

/* "BOOTNS-CPU": without the boot id, which is the same for nearly all. */
static const char *alert_short_id(const json_t *alert) {
        const char *id = ctl_string(alert, "id", "-"), *dash = strchr(id, '-');

        return dash && dash[1] ? dash + 1 : id;
}

static const char *time_of(const json_t *told, char ret[static TIME_TEXT_SIZE]) {
        uint64_t usec;

        return json_to_time(json_object_get(told, "time"), &usec) < 0 ? "-" : time_format_short(usec, ret);
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
        ctl_table_add_list(t, json_object_get(alert, "classes"), ",");
        ctl_table_add(t, CTL_PLAIN, "%s%s", json_is_true(json_object_get(file, "truncated")) ? "…" : "",
                        ctl_string(file, "path", "(name lost)"));
        destination_add(t, json_object_get(alert, "destination"));
        ctl_table_add(t, CTL_PLAIN, "%s", alert_short_id(alert));
}

static int alerts_print(const json_t *alerts) {
        static const CtlColumn columns[] = {
                        {.name = "TIME"},
                        {.name = "SEVERITY"},
                        {.name = "SCORE", .right = true},
                        {.name = "PROCESS", .cut = CTL_CUT_NAME},
                        {.name = "UID", .right = true},
                        {.name = "CLASS", .cut = CTL_CUT_END},
                        {.name = "FILE", .cut = CTL_CUT_BEGINNING, .least = FILE_WIDTH_LEAST},
                        {.name = "DESTINATION", .cut = CTL_CUT_END},
                        {.name = "ID"},
        };
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;
        const json_t *alert;
        size_t i, n = json_array_size(alerts);

        int r = ctl_table_new(columns, ELEMENTSOF(columns), &t);
        if (r < 0)
                return r;
        json_array_foreach(alerts, i, alert) row_add(t, alert);
        ctl_pager_open();
        r = ctl_table_print(t);
        if (r < 0)
                return r;
        printf("%zu alert%s.\n", n, n == 1 ? "" : "s");
        return 0;
}

/* All replies' alerts, in one array. */
static int alerts_receive(CtlClient *client, bool reverse, json_t *alerts) {
        int r;

        do {
                json_auto_t *reply = NULL;
                json_t *alert;
                size_t i;

                r = ctl_client_receive(client, CTL_TIMEOUT_USEC, &reply);
                if (r == -ETIME)
                        ctl_error("Barbwire does not go on answering; \"systemctl status barbwire\" may say "
                                  "why.");
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

        _cleanup_free_ char *text = alert_show(alert, ctl_wants_colour());
        if (!text)
                return ctl_error_memory();
        fputs(text, stdout);
        return 0;
}

int ctl_show(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *parameters = json_pack("{s:s}", "id", operand), *reply = NULL;

        if (!parameters) {
                ctl_error("\"%s\" is no alert's id.", operand);
                return CTL_USAGE;
        }
        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_call(client, "GetAlert", parameters, &reply);
        if (r < 0)
                return r;
        if (!json_is_object(json_object_get(reply, "alert")))
                return ctl_client_malformed();
        ctl_pager_open();
        return ctl_print_alert(json_object_get(reply, "alert"));
}

/* Ctrl-C is how it ends. Nothing is lost: every line has been written by then. */
static void on_interrupt(int sig) {
        (void)sig;
        _exit(CTL_OK);
}

/* What a reply tells of: an alert or a state (alert-state.h). NULL: neither. */
static const json_t *reply_told(const json_t *reply) {
        static const char *const members[] = {"alert", "loss", "policy", "delay"};

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (json_is_object(json_object_get(reply, members[i])))
                        return json_object_get(reply, members[i]);
        return NULL;
}

static CtlColour told_colour(const json_t *told, bool is_alert) {
        const json_t *refused = json_object_get(told, "refused");
        bool good_policy = json_is_false(refused) && ctl_number(told, "errors") == 0;

        return is_alert      ? ctl_severity_colour(ctl_string(told, "severity", "-"))
               : good_policy ? CTL_PLAIN
                             : CTL_YELLOW;
}

/* Nobody who follows wants to hear of it several times an hour. */
static bool told_is_selftest(const json_t *told) {
        const json_t *classes = json_object_get(told, "classes");

        return json_array_size(classes) == 1 &&
               strcmp(json_string_value(json_array_get(classes, 0)) ?: "", ALERT_SELFTEST_CLASS) == 0;
}

/* One line of what a reply tells, which may also be that this program was too slow. */
static int told_print(const json_t *reply) {
        const json_t *missed = json_object_get(reply, "missed"), *told = reply_told(reply);
        bool is_alert = told && told == json_object_get(reply, "alert");
        char date[TIME_TEXT_SIZE];

        if (json_is_integer(missed)) {
                json_auto_t *o = json_pack("{s:s, s:O}", "kind", "missed", "missed", missed);

                if (ctl_wants_json())
                        return o ? ctl_print_json(o) : ctl_error_memory();
                ctl_print("%lld missed, as they came faster than they are read; \"barbwirectl alerts\" has "
                          "them.",
                                ctl_number(reply, "missed"));
                return 0;
        }
        if (!told || told_is_selftest(told))
                return 0;
        if (ctl_wants_json())
                return ctl_print_json(told);

        const char *severity = ctl_string(told, is_alert ? "severity" : "state", "-");
        CtlColour colour = told_colour(told, is_alert);
        printf("%s %s", time_of(told, date), colour != CTL_PLAIN ? ctl_colour(colour) : "");
        text_put_string(stdout, severity);
        printf("%s ", colour != CTL_PLAIN ? ctl_colour(CTL_PLAIN) : "");
        ctl_print("%s%s%s%s", ctl_string(told, "summary", "(no summary)"), is_alert ? " (" : "",
                        is_alert ? alert_short_id(told) : "", is_alert ? ")" : "");
        return 0;
}

/* To a person at a terminal: from when on silence means that nothing happened. */
static void follow_greet(void) {
        char date[TIME_TEXT_SIZE];

        if (isatty(STDERR_FILENO))
                ctl_error("Following since %s; Ctrl-C ends it.", time_format(time_now_usec(CLOCK_REALTIME), date));
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
                        ctl_error("Barbwire has ended the conversation.");
                        r = -ECONNRESET;
                }
                if (r > 0 && !confirmed)
                        follow_greet();
                confirmed |= r > 0; /* the first reply is empty */
                if (r > 0)
                        r = told_print(reply);
                if (r >= 0)
                        r = ctl_output_flush();
        }
        return r;
}
