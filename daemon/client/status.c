/* SPDX-License-Identifier: GPL-2.0-or-later */

/* status */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "client/client.h"
#include "client/output.h"
#include "client/ctl.h"
#include "basic/json-util.h"
#include "basic/time-util.h"

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

/* Prints a label, right-aligned as in systemctl; an empty one continues the list of the previous. */
static void put_label(const char *label) {
        printf("%13s%s ", label, label[0] ? ":" : " ");
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
                const char *name = ctl_string(hook, "name", "?");
                bool attached = json_is_true(json_object_get(hook, "attached"));
                bool still = json_is_false(json_object_get(hook, "fires"));
                long long misses = ctl_number(hook, "misses");

                put_label(i == 0 ? "Hooks" : "");
                put_dot(!attached || still ? CTL_RED : misses > 0 ? CTL_YELLOW : CTL_GREEN);
                if (!attached)
                        ctl_print("%s: not attached", name);
                else if (still)
                        ctl_print("%s: does not fire", name);
                else if (misses > 0)
                        ctl_print("%s: missed %lld times", name, misses);
                else
                        ctl_print("%s", name);
        }
}

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
                puts("none");
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

/* Nothing where no class is enforced, and nothing was ever refused. */
static void put_enforcement(const json_t *e) {
        const char *mode = ctl_string(e, "mode", "off");
        char closed[64] = "";

        if (strcmp(mode, "off") == 0 && ctl_number(e, "denied") + ctl_number(e, "would_deny") == 0)
                return;
        put_label("Enforcement");
        put_dot(strcmp(mode, "on") == 0 ? CTL_GREEN : CTL_YELLOW);
        if (ctl_number(e, "fail_closed") > 0)
                (void)snprintf(closed, sizeof(closed), ", %lld of them fail closed",
                                ctl_number(e, "fail_closed"));
        ctl_print("%s, %lld classes%s; %lld denied, %lld would be denied, %lld could not be denied", mode,
                        ctl_number(e, "classes"), closed, ctl_number(e, "denied"),
                        ctl_number(e, "would_deny"), ctl_number(e, "not_denied"));
        put_list("Not refused", json_object_get(e, "not_refused"));
        put_list("Fell back", json_object_get(e, "fallen"));
}

/* How full the tables are, the memory that they take, and what had no room. */
static void put_tables(const json_t *tables) {
        json_t *table;
        size_t i;

        put_label("Tables");
        json_array_foreach(tables, i, table) {
                if (i > 0)
                        put_label("");
                ctl_print("%lld %s of at most %lld (%.1f MiB); %lld refused, %lld dropped",
                                ctl_number(table, "live"), ctl_string(table, "name", "?"),
                                ctl_number(table, "max"), (double)ctl_number(table, "bytes") / (1024 * 1024),
                                ctl_number(table, "refused"), ctl_number(table, "dropped"));
        }
}

static void status_print(const json_t *status, bool ok) {
        const json_t *alerts = json_object_get(status, "alerts");
        char armed[MOMENT_SIZE];

        put_dot(ok ? CTL_GREEN : CTL_YELLOW);
        ctl_print("barbwired %s - Barbwire Credential Theft Sensor", ctl_string(status, "version", "?"));
        put_label("State");
        printf("%s%s%s\n", ctl_colour(ok ? CTL_GREEN : CTL_YELLOW), ok ? "ok" : "degraded",
                        ctl_colour(CTL_PLAIN));
        put_list("Degraded", json_object_get(status, "degraded"));
        put_label("Armed");
        ctl_print("since %s", moment(json_object_get(status, "armed"), armed));
        put_label("Main PID");
        printf("%lld\n", ctl_number(status, "pid"));
        put_label("Sensor");
        ctl_print("%s", ctl_string(status, "sensor", "?"));
        put_hooks(json_object_get(status, "hooks"));
        put_list("Not monitored", json_object_get(status, "not_monitored"));
        put_list("Other BPF", json_object_get(status, "foreign"));
        put_tables(json_object_get(status, "tables"));
        put_losses(json_object_get(status, "losses"));
        put_policy(json_object_get(status, "policy"));
        put_enforcement(json_object_get(status, "enforcement"));
        put_label("Alerts");
        printf("%lld raised, %lld repeats; %lld of at most %lld kept; %lld waiting\n",
                        ctl_number(alerts, "raised"), ctl_number(alerts, "repeats"),
                        ctl_number(alerts, "kept"), ctl_number(alerts, "max"),
                        ctl_number(alerts, "waiting"));
        put_label("Not raised");
        printf("%lld below Alert=, %lld to ignored destinations\n", ctl_number(alerts, "below"),
                        ctl_number(alerts, "ignored"));
        put_label("Clients");
        printf("%lld\n", ctl_number(status, "clients"));
}

int ctl_status(const Ctl *c, const char *operand) {
        json_auto_t *status = NULL;

        (void)operand;
        int r = ctl_client_ask(c->socket_path, false, "GetStatus", NULL, &status);
        if (r < 0)
                return r;

        const char *state = ctl_string(status, "state", NULL);
        if (!state)
                return ctl_client_malformed();
        bool ok = strcmp(state, "ok") == 0;
        if (ctl_wants_json())
                r = ctl_print_json(status);
        else
                status_print(status, ok);
        return r < 0 ? r : ok ? CTL_OK : CTL_FAILED;
}

int ctl_bridge(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;

        (void)operand;
        int r = ctl_client_new(c->socket_path, false, &client);
        if (r >= 0)
                r = ctl_client_bridge(client);
        return r;
}
