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
                bool still = json_is_false(json_object_get(hook, "runs"));
                long long misses = ctl_number(hook, "misses");

                put_label(i == 0 ? "Hooks" : "");
                put_dot(!attached || still ? CTL_RED : misses > 0 ? CTL_YELLOW : CTL_GREEN);
                ctl_print(misses > 0 ? "%s%s, skipped %lld times" : "%s%s", ctl_string(hook, "name", "?"),
                                !attached ? ", not attached" : still ? ", does not run" : "", misses);
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
        put_list("Not seen", json_object_get(status, "blind"));
        put_list("Others", json_object_get(status, "foreign"));
        put_label("Marks");
        printf("%lld of at most %lld\n", ctl_number(marks, "live"), ctl_number(marks, "max"));
        put_losses(json_object_get(status, "losses"));
        put_policy(json_object_get(status, "policy"));
        put_label("Alerts");
        printf("%lld raised, %lld repeats; %lld of at most %lld kept; %lld waiting\n",
                        ctl_number(alerts, "raised"), ctl_number(alerts, "repeats"),
                        ctl_number(alerts, "kept"), ctl_number(alerts, "max"),
                        ctl_number(alerts, "waiting"));
        put_label("Not told");
        printf("%lld below Alert=, %lld to ignored destinations\n", ctl_number(alerts, "below"),
                        ctl_number(alerts, "ignored"));
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

/* Do the members stand in the array from i on, one behind the other, all with the same port? Returns the port
 * as it is written (":443", or ""); NULL: they do not. */
static const char *networks_find(const json_t *array, size_t i, const char *const *members) {
        const char *first = json_string_value(json_array_get(array, i)), *port = NULL;
        size_t n = strlen(members[0]);

        if (first && strncmp(first, members[0], n) == 0 && (!first[n] || first[n] == ':'))
                port = first + n;
        for (size_t k = 1; port && members[k]; k++) {
                bool bracketed = port[0] && strchr(members[k], ':');
                const char *item = json_string_value(json_array_get(array, i + k));
                char wanted[96];

                (void)snprintf(wanted, sizeof(wanted), "%s%s%s%s", bracketed ? "[" : "", members[k],
                                bracketed ? "]" : "", port);
                if (!item || strcmp(item, wanted) != 0)
                        port = NULL;
        }
        return port;
}

/* As they are written in the policy, which knows names for some: "any:443". has_ports: each is one of a network and
 * ports, so that every port needs to be written. */
static void networks_add(CtlTable *t, const json_t *networks, bool has_ports) {
        static const struct {
                const char *name;
                const char *members[5]; /* up to NULL; an IPv4 network first */
        } known[] = {
                        {"any", {"0.0.0.0/0", "::/0"}},
                        {"loopback", {"127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"}},
        };
        json_auto_t *names = json_array();
        size_t n;

        for (size_t i = 0; i < json_array_size(networks); i += n) {
                json_t *name = json_incref(json_array_get(networks, i));

                n = 1;
                for (size_t k = 0; k < ELEMENTSOF(known); k++) {
                        const char *port = networks_find(networks, i, known[k].members);

                        if (!port)
                                continue;
                        json_decref(name);
                        name = json_sprintf("%s%s", known[k].name, port[0] || !has_ports ? port : ":*");
                        while (known[k].members[n])
                                n++;
                        break;
                }
                if (json_array_append_new(names, name) < 0) {
                        ctl_table_add_list(t, networks, " "); /* memory is short */
                        return;
                }
        }
        if (json_array_size(names) > 0)
                ctl_table_add_list(t, names, " ");
        else
                ctl_table_add(t, CTL_PLAIN, "any");
}

/* What else must be true, as it is written in the policy: "Script=/usr/bin/wg-quick User=root". Without it a rule looks
 * as if it held for whatever the executable runs. */
static void conditions_add(CtlTable *t, const json_t *allow) {
        static const char *const keys[][2] = {
                        {"scripts", "Script="},
                        {"units", "Unit="},
                        {"users", "User="},
                        {"ancestors", "Ancestor="},
        };
        json_auto_t *conditions = json_array();
        const json_t *item;
        bool failed = false;
        size_t k;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                json_array_foreach(json_object_get(allow, keys[i][0]), k, item)
                                failed |= json_array_append_new(conditions,
                                                  json_sprintf("%s%s", k == 0 ? keys[i][1] : "",
                                                                  json_string_value(item) ?: "?")) < 0;
        if (json_is_true(json_object_get(allow, "container")))
                failed |= json_array_append_new(conditions, json_string("Container=yes")) < 0;
        if (json_is_true(json_object_get(allow, "terminal")))
                failed |= json_array_append_new(conditions, json_string("Terminal=yes")) < 0;
        if (failed)
                ctl_table_add(t, CTL_RED, "(memory is short)");
        else
                ctl_table_add_list(t, conditions, " ");
}

static void allow_add(CtlTable *t, const json_t *allow) {
        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(allow, "name", "-"));
        ctl_table_add_list(t, json_object_get(allow, "classes"), " ");
        ctl_table_add_list(t, json_object_get(allow, "exes"), " ");
        conditions_add(t, allow);
        networks_add(t, json_object_get(allow, "destinations"), true);
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(allow, "origin", "-"));
}

static void carrier_add(CtlTable *t, const json_t *carrier) {
        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(carrier, "name", "-"));
        ctl_table_add_list(t, json_object_get(carrier, "exes"), " ");
        conditions_add(t, carrier);
        ctl_table_add_list(t, json_object_get(carrier, "paths"), " ");
        if (json_is_true(json_object_get(carrier, "egress")))
                ctl_table_add(t, CTL_YELLOW, "%+lld", ctl_number(carrier, "score"));
        else
                ctl_table_add(t, CTL_PLAIN, "-");
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(carrier, "origin", "-"));
}

static void lineage_add(CtlTable *t, const json_t *lineage) {
        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(lineage, "name", "-"));
        ctl_table_add(t, CTL_PLAIN, "%+lld", ctl_number(lineage, "score"));
        ctl_table_add_list(t, json_object_get(lineage, "exes"), " ");
        ctl_table_add_list(t, json_object_get(lineage, "units"), " ");
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(lineage, "origin", "-"));
}

static void peer_add(CtlTable *t, const json_t *peer) {
        const json_t *ports = json_object_get(peer, "ports");

        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(peer, "name", "-"));
        if (json_is_true(json_object_get(peer, "ignore")))
                ctl_table_add(t, CTL_YELLOW, "ignored");
        else
                ctl_table_add(t, CTL_PLAIN, "%+lld", ctl_number(peer, "score"));
        networks_add(t, json_object_get(peer, "addresses"), false);
        if (json_array_size(ports) > 0)
                ctl_table_add_list(t, ports, " ");
        else
                ctl_table_add(t, CTL_PLAIN, "*");
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(peer, "origin", "-"));
}

static void scoring_add(CtlTable *t, const json_t *scoring) {
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(scoring, "alert"));
        ctl_table_add(t, ctl_severity_colour("medium"), "%lld", ctl_number(scoring, "medium"));
        ctl_table_add(t, ctl_severity_colour("high"), "%lld", ctl_number(scoring, "high"));
}

/* Each kind of section is a table of its own. */
static const struct RuleTable {
        const char *member; /* of ListRules' reply: an array, or one object */
        void (*add)(CtlTable *t, const json_t *section);
        CtlColumn columns[8]; /* up to the one without a name */
} rule_tables[] = {
        {"classes",
         class_add,
         {
                         {.name = "CLASS"},
                         {.name = "SCORE", .right = true},
                         {.name = "SEVERITY"},
                         {.name = "WINDOW", .right = true},
                         {.name = "TECHNIQUES", .cut = CTL_CUT_END},
                         {.name = "FILES", .cut = CTL_CUT_END},
                         {.name = "EXCLUDED", .cut = CTL_CUT_END},
                         {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
         }},
        {"allows",
         allow_add,
         {
                         {.name = "ALLOW"},
                         {.name = "CLASSES", .cut = CTL_CUT_END},
                         {.name = "EXECUTABLES", .cut = CTL_CUT_END},
                         {.name = "ONLY IF", .cut = CTL_CUT_END},
                         {.name = "DESTINATIONS", .cut = CTL_CUT_END},
                         {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
         }},
        {"carriers",
         carrier_add,
         {
                         {.name = "CARRIER"},
                         {.name = "EXECUTABLES", .cut = CTL_CUT_END},
                         {.name = "ONLY IF", .cut = CTL_CUT_END},
                         {.name = "PATHS", .cut = CTL_CUT_END},
                         {.name = "EGRESS", .right = true},
                         {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
         }},
        {"lineages",
         lineage_add,
         {
                         {.name = "LINEAGE"},
                         {.name = "SCORE", .right = true},
                         {.name = "EXECUTABLES", .cut = CTL_CUT_END},
                         {.name = "UNITS", .cut = CTL_CUT_END},
                         {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
         }},
        {"destinations",
         peer_add,
         {
                         {.name = "DESTINATION"},
                         {.name = "SCORE", .right = true},
                         {.name = "ADDRESSES", .cut = CTL_CUT_END},
                         {.name = "PORTS", .cut = CTL_CUT_END},
                         {.name = "ORIGIN", .cut = CTL_CUT_BEGINNING},
         }},
        {"scoring",
         scoring_add,
         {
                         {.name = "ALERT FROM", .right = true},
                         {.name = "MEDIUM FROM", .right = true},
                         {.name = "HIGH FROM", .right = true},
         }},
};

static int rule_table_print(const struct RuleTable *kind, const json_t *sections) {
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;
        const json_t *section;
        size_t i, n_columns = 0;

        while (n_columns < ELEMENTSOF(kind->columns) && kind->columns[n_columns].name)
                n_columns++;
        int r = ctl_table_new(kind->columns, n_columns, &t);
        if (r < 0)
                return r;
        json_array_foreach(sections, i, section) kind->add(t, section);
        if (json_is_object(sections))
                kind->add(t, sections);
        return ctl_table_print(t);
}

static int rules_print(const json_t *rules) {
        size_t n_classes = json_array_size(json_object_get(rules, "classes")),
               n_allows = json_array_size(json_object_get(rules, "allows"));
        int r = 0;

        ctl_pager_open();
        for (size_t i = 0; i < ELEMENTSOF(rule_tables) && r >= 0; i++)
                r = rule_table_print(&rule_tables[i], json_object_get(rules, rule_tables[i].member));
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
