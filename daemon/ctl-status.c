/* SPDX-License-Identifier: GPL-2.0-or-later */

/* status, rules. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctl-client.h"
#include "ctl-output.h"
#include "ctl-time.h"
#include "ctl.h"
#include "json-line.h"
#include "time-now.h"

/* "Sun 2026-11-22 13:07:42 UTC; 2h 5min ago" */
#define MOMENT_SIZE (2 * TIME_TEXT_SIZE)

static const char *moment(const json_t *time, char ret[static MOMENT_SIZE]) {
        char date[TIME_TEXT_SIZE], ago[TIME_TEXT_SIZE];
        uint64_t usec;

        if (json_to_time(time, &usec) < 0)
                return "at an unknown time";
        (void)snprintf(ret, MOMENT_SIZE, "%s; %s", time_format(usec, date),
                        time_format_ago(usec, time_now_usec(CLOCK_REALTIME), ago));
        return ret;
}

/* "     Armed: ", right-aligned as systemctl has it; none: one more line of the same. */
static void put_label(const char *label) {
        printf("%11s%s ", label, label[0] ? ":" : " ");
}

static void put_dot(CtlColour colour) {
        printf("%s●%s ", ctl_colour(colour), ctl_colour(CTL_PLAIN));
}

static void put_list(const char *label, const json_t *strings) {
        const json_t *item;
        size_t i;

        json_array_foreach(strings, i, item) {
                put_label(i == 0 ? label : "");
                ctl_print("%s", json_string_value(item) ?: "?");
        }
}

static void put_hooks(const json_t *hooks) {
        const json_t *hook;
        size_t i;

        json_array_foreach(hooks, i, hook) {
                bool attached = json_is_true(json_object_get(hook, "attached"));
                long long misses = ctl_number(hook, "misses");

                put_label(i == 0 ? "Hooks" : "");
                put_dot(!attached ? CTL_RED : misses > 0 ? CTL_YELLOW : CTL_GREEN);
                ctl_print(misses > 0 ? "%s%s, skipped %lld times" : "%s%s", ctl_string(hook, "name", "?"),
                                attached ? "" : ", not attached", misses);
        }
}

/* Those that there were. */
static void put_losses(const json_t *losses) {
        char last[MOMENT_SIZE];
        const json_t *loss;
        bool none = true;
        size_t i;

        json_array_foreach(losses, i, loss) {
                const char *remedy = ctl_string(loss, "remedy", NULL);

                if (ctl_number(loss, "count") == 0)
                        continue;
                put_label(none ? "Losses" : "");
                put_dot(CTL_YELLOW);
                ctl_print("%s, %lld: %s%s%s (last %s)", ctl_string(loss, "cause", "?"),
                                ctl_number(loss, "count"), ctl_string(loss, "meaning", "?"),
                                remedy ? "; " : "", remedy ?: "",
                                moment(json_object_get(loss, "last"), last));
                none = false;
        }
        if (none) {
                put_label("Losses");
                puts("no losses");
        }
}

static void put_policy(const json_t *policy) {
        const json_t *loaded = json_object_get(policy, "loaded");
        char when[MOMENT_SIZE];

        put_label("Policy");
        put_dot(ctl_number(policy, "errors") > 0 ? CTL_RED : CTL_GREEN);
        printf("%lld classes, %lld patterns, %lld allow rules, %lld errors\n", ctl_number(policy, "classes"),
                        ctl_number(policy, "patterns"), ctl_number(policy, "allows"),
                        ctl_number(policy, "errors"));
        put_label("");
        ctl_print("loaded %s", moment(loaded, when));
        put_label("");
        ctl_print("%s", ctl_string(policy, "hash", "?"));
        put_list("", json_object_get(policy, "files"));
}

static void status_print(const json_t *status, bool whole) {
        const json_t *marks = json_object_get(status, "marks"), *alerts = json_object_get(status, "alerts");
        char armed[MOMENT_SIZE];

        put_dot(whole ? CTL_GREEN : CTL_YELLOW);
        ctl_print("barbwired %s - Barbwire Credential Theft Sensor", ctl_string(status, "version", "?"));
        put_label("Watch");
        printf("%s%s%s\n", ctl_colour(whole ? CTL_GREEN : CTL_YELLOW), whole ? "whole" : "degraded",
                        ctl_colour(CTL_PLAIN));
        put_list("Degraded", json_object_get(status, "degraded"));
        put_label("Armed");
        ctl_print("since %s", moment(json_object_get(status, "armed"), armed));
        put_label("Main PID");
        printf("%lld\n", ctl_number(status, "pid"));
        put_label("Sensor");
        ctl_print("%s", ctl_string(status, "sensor", "?"));
        put_hooks(json_object_get(status, "hooks"));
        put_label("Marks");
        printf("%lld of at most %lld\n", ctl_number(marks, "live"), ctl_number(marks, "max"));
        put_losses(json_object_get(status, "losses"));
        put_policy(json_object_get(status, "policy"));
        put_label("Alerts");
        printf("%lld raised, %lld repeats; %lld of at most %lld kept; %lld waiting\n",
                        ctl_number(alerts, "raised"), ctl_number(alerts, "repeats"),
                        ctl_number(alerts, "kept"), ctl_number(alerts, "max"),
                        ctl_number(alerts, "waiting"));
        put_label("Clients");
        printf("%lld\n", ctl_number(status, "clients"));
}

int ctl_status(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *status = NULL;

        (void)operand;
        int r = ctl_client_new(c->socket_path, false, &client);
        if (r >= 0)
                r = ctl_client_call(client, "GetStatus", NULL, &status);
        if (r < 0)
                return r;

        if (!json_is_boolean(json_object_get(status, "whole")))
                return ctl_client_malformed();
        bool whole = json_is_true(json_object_get(status, "whole"));
        if (ctl_wants_json())
                r = ctl_print_json(status);
        else
                status_print(status, whole);
        return r < 0 ? r : whole ? CTL_OK : CTL_FAILED;
}

/* "1h 30min", as it is written in the policy. */
static void window_add(CtlTable *t, const json_t *class) {
        static const struct {
                const char *name;
                long long usec;
        } units[] = {{"h", 3600000000}, {"min", 60000000}, {"s", 1000000}, {"ms", 1000}};
        long long usec = ctl_number(class, "window_usec");
        char text[96] = "-";
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(units); usec %= units[i++].usec)
                if (usec >= units[i].usec)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld%s", n > 0 ? " " : "",
                                        usec / units[i].usec, units[i].name);
        ctl_table_add(t, CTL_PLAIN, "%s", text);
}

static void class_add(CtlTable *t, const json_t *class) {
        const char *severity = ctl_string(class, "severity", "by score");

        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(class, "name", "-"));
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(class, "score"));
        ctl_table_add(t, ctl_severity_colour(severity), "%s", severity);
        window_add(t, class);
        ctl_table_add_list(t, json_object_get(class, "techniques"), " ");
        ctl_table_add_list(t, json_object_get(class, "paths"), " ");
        ctl_table_add_list(t, json_object_get(class, "excludes"), " ");
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(class, "origin", "-"));
}

static void allow_add(CtlTable *t, const json_t *allow) {
        const json_t *destinations = json_object_get(allow, "destinations");

        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(allow, "name", "-"));
        ctl_table_add_list(t, json_object_get(allow, "classes"), " ");
        ctl_table_add_list(t, json_object_get(allow, "exes"), " ");
        if (json_array_size(destinations) > 0)
                ctl_table_add_list(t, destinations, " ");
        else
                ctl_table_add(t, CTL_PLAIN, "every");
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(allow, "origin", "-"));
}

static int rules_print(const json_t *rules) {
        static const CtlColumn class_columns[] = {
                        {.name = "CLASS"},
                        {.name = "SCORE", .right = true},
                        {.name = "SEVERITY"},
                        {.name = "WINDOW", .right = true},
                        {.name = "TECHNIQUES", .cut = CTL_CUT_END},
                        {.name = "FILES", .cut = CTL_CUT_END},
                        {.name = "EXCLUDED", .cut = CTL_CUT_END},
                        {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
        };
        static const CtlColumn allow_columns[] = {
                        {.name = "ALLOW"},
                        {.name = "CLASSES", .cut = CTL_CUT_END},
                        {.name = "EXECUTABLES", .cut = CTL_CUT_END},
                        {.name = "DESTINATIONS", .cut = CTL_CUT_END},
                        {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
        };
        const json_t *classes = json_object_get(rules, "classes"),
                     *allows = json_object_get(rules, "allows"), *item;
        _cleanup_(ctl_table_freep) CtlTable *class_table = NULL, *allow_table = NULL;
        size_t i, n_classes = json_array_size(classes), n_allows = json_array_size(allows);

        int r = ctl_table_new(class_columns, ELEMENTSOF(class_columns), &class_table);
        if (r >= 0)
                r = ctl_table_new(allow_columns, ELEMENTSOF(allow_columns), &allow_table);
        if (r < 0)
                return r;
        json_array_foreach(classes, i, item) class_add(class_table, item);
        json_array_foreach(allows, i, item) allow_add(allow_table, item);

        ctl_pager_open();
        r = ctl_table_print(class_table);
        if (r >= 0)
                r = ctl_table_print(allow_table);
        if (r >= 0)
                printf("%zu class%s, %zu allow rule%s.\n", n_classes, n_classes == 1 ? "" : "es", n_allows,
                                n_allows == 1 ? "" : "s");
        return r;
}

int ctl_rules(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *rules = NULL;

        (void)operand;
        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_call(client, "ListRules", NULL, &rules);
        if (r < 0)
                return r;
        if (!json_is_array(json_object_get(rules, "classes")) ||
                        !json_is_array(json_object_get(rules, "allows")))
                return ctl_client_malformed();
        if (!ctl_wants_json())
                return rules_print(rules);
        ctl_pager_open();
        return ctl_print_json(rules);
}
