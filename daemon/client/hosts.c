/* SPDX-License-Identifier: GPL-2.0-or-later */

/* hosts: what each host said last, those that need attention first. Silence is what an intruder makes. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/state.h"
#include "basic/json-util.h"
#include "basic/time-util.h"
#include "client/ctl.h"
#include "client/output.h"
#include "client/table.h"

/* The worst first, which is the order of the list. */
typedef enum HostState {
        HOST_SILENT,
        HOST_CLOCK,
        HOST_STOPPED,
        HOST_DEGRADED,
        HOST_POLICY,
        HOST_OK,
        _HOST_MAX,
} HostState;

static const char *const state_names[_HOST_MAX] = {
        [HOST_SILENT] = "silent",
        [HOST_CLOCK] = "clock",
        [HOST_STOPPED] = "stopped",
        [HOST_DEGRADED] = "degraded",
        [HOST_POLICY] = "policy",
        [HOST_OK] = "ok",
};

typedef struct Host {
        json_t *json; /* as journal_read_hosts() gives it */
        HostState state;
} Host;

typedef struct Hosts {
        json_t *known; /* host and machine → the same */
        Host *items;
        size_t n;
        uint64_t now_usec;
        const char *policy; /* of most of them */
} Hosts;

/* The later heartbeat counts; the last entry may be in another file. */
static int on_host(const json_t *host, void *userdata) {
        _cleanup_free_ char *key = NULL;
        Hosts *h = userdata;

        if (asprintf(&key, "%s %s", ctl_string(host, "host", ""), ctl_string(host, "machine", "")) < 0)
                return -ENOMEM;
        const json_t *known = json_object_get(h->known, key);
        long long seen = MAX(ctl_number(host, "seen_usec"), ctl_number(known, "seen_usec"));
        bool later = !known || ctl_number(host, "usec") > ctl_number(known, "usec");
        json_auto_t *kept = json_deep_copy(later ? host : known);

        if (!kept || json_object_set_new(kept, "seen_usec", json_integer(seen)) < 0 ||
                        json_object_set(h->known, key, kept) < 0)
                return -ENOMEM;
        return 0;
}

static HostState state_of(const Hosts *h, const json_t *host) {
        uint64_t usec = (uint64_t)ctl_number(host, "usec");

        if (usec == 0 || usec + 2 * HEARTBEAT_USEC < h->now_usec)
                return usec > 0 && strcmp(ctl_string(host, "event", ""), "stop") == 0 ? HOST_STOPPED
                                                                                      : HOST_SILENT;
        /* Its clock is ahead: it would not be noticed when it falls silent. */
        if (usec > h->now_usec + HEARTBEAT_USEC)
                return HOST_CLOCK;
        if (strcmp(ctl_string(host, "event", ""), "stop") == 0)
                return HOST_STOPPED;
        if (strcmp(ctl_string(host, "health", ""), "ok") != 0)
                return HOST_DEGRADED;
        return strcmp(ctl_string(host, "policy", ""), h->policy) != 0 ? HOST_POLICY : HOST_OK;
}

/* What most of the hosts have that are neither silent nor stopped; of two, the first by name. */
static int policy_choose(Hosts *h) {
        json_auto_t *counts = json_object();
        const char *key;
        json_t *host;
        long long most = 0;

        if (!counts)
                return -ENOMEM;
        h->policy = "";
        json_object_foreach(h->known, key, host) {
                const char *policy = ctl_string(host, "policy", "");
                long long n = ctl_number(counts, policy) + 1;

                if (state_of(h, host) == HOST_SILENT || state_of(h, host) == HOST_STOPPED)
                        continue;
                if (json_object_set_new(counts, policy, json_integer(n)) < 0)
                        return -ENOMEM;
                if (n > most || (n == most && strcmp(policy, h->policy) < 0)) {
                        most = n;
                        h->policy = policy;
                }
        }
        return 0;
}

static int by_state(const void *a, const void *b) {
        const Host *x = a, *y = b;

        if (x->state != y->state)
                return x->state < y->state ? -1 : 1;
        return strcmp(ctl_string(x->json, "host", ""), ctl_string(y->json, "host", ""));
}

static int hosts_sort(Hosts *h) {
        const char *key;
        json_t *host;

        h->items = calloc(json_object_size(h->known) + 1, sizeof(*h->items));
        if (!h->items || policy_choose(h) < 0)
                return -ENOMEM;
        json_object_foreach(h->known, key, host) h->items[h->n++] =
                        (Host){ .json = host, .state = state_of(h, host) };
        if (h->n > 0)
                qsort(h->items, h->n, sizeof(*h->items), by_state);
        return 0;
}

/* One sentence, for a person that does not know the states. */
static void reason_put(CtlTable *t, const Hosts *h, const Host *host) {
        const json_t *reasons = json_object_get(host->json, "reasons");
        uint64_t seen = (uint64_t)ctl_number(host->json, "seen_usec");
        bool sends = seen + HEARTBEAT_USEC >= h->now_usec;

        switch (host->state) {
        case HOST_SILENT:
                if (!json_object_get(host->json, "usec"))
                        ctl_table_add(t, CTL_PLAIN, "never had a heartbeat, and %s",
                                        sends ? "sends its journal" : "sends no journal");
                else
                        ctl_table_add(t, CTL_PLAIN, "no heartbeat for two hours or more, %s",
                                        sends ? "but it sends its journal" : "and no other entry");
                return;
        case HOST_CLOCK:
                ctl_table_add(t, CTL_PLAIN, "its clock is ahead of this host's");
                return;
        case HOST_STOPPED:
                ctl_table_add(t, CTL_PLAIN, "barbwired was stopped");
                return;
        case HOST_DEGRADED:
                ctl_table_add_first(t, reasons);
                return;
        case HOST_POLICY:
                ctl_table_add(t, CTL_PLAIN, "most hosts have the policy %.12s", h->policy);
                return;
        case HOST_OK:
        case _HOST_MAX:
                break;
        }
        ctl_table_add(t, CTL_PLAIN, "-");
}

static int hosts_print(const Hosts *h) {
        static const CtlColumn columns[] = {
                { .name = "HOST", .cut = CTL_CUT_END },
                { .name = "STATE" },
                { .name = "HEARTBEAT" },
                { .name = "SENSOR" },
                { .name = "VERSION", .cut = CTL_CUT_END },
                { .name = "POLICY" },
                { .name = "LOSSES", .right = true },
                { .name = "WHY", .cut = CTL_CUT_END },
        };
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;
        size_t n_ok = 0;

        int r = ctl_table_new(columns, ELEMENTSOF(columns), &t);
        if (r < 0)
                return r;
        for (size_t i = 0; i < h->n; i++) {
                const json_t *host = h->items[i].json;
                HostState state = h->items[i].state;
                uint64_t usec = (uint64_t)ctl_number(host, "usec");
                char date[TIME_TEXT_SIZE];

                n_ok += state == HOST_OK;
                ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(host, "host", "-"));
                ctl_table_add(t,
                                state == HOST_OK       ? CTL_GREEN
                                : state == HOST_SILENT ? CTL_RED
                                                       : CTL_YELLOW,
                                "%s", state_names[state]);
                ctl_table_add(t, CTL_PLAIN, "%s", usec > 0 ? time_format_short(usec, date) : "-");
                ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(host, "sensor", "-"));
                ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(host, "version", "-"));
                ctl_table_add(t, CTL_PLAIN, "%.12s", ctl_string(host, "policy", "-"));
                ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(host, "losses"));
                reason_put(t, h, h->items + i);
        }
        ctl_pager_open();
        r = ctl_table_print(t, 0);
        if (r >= 0)
                printf("%zu host%s; %zu need%s attention.\n", h->n, h->n == 1 ? "" : "s", h->n - n_ok,
                                h->n - n_ok == 1 ? "s" : "");
        return r;
}

static json_t *time_or_null(const json_t *host, const char *key) {
        long long usec = ctl_number(host, key);

        return usec > 0 ? json_from_time((uint64_t)usec) : json_null();
}

static json_t *member_or_null(const json_t *host, const char *key) {
        return json_incref(json_object_get(host, key)) ?: json_null();
}

static int hosts_print_json(const Hosts *h) {
        ctl_pager_open();
        for (size_t i = 0; i < h->n; i++) {
                const json_t *host = h->items[i].json;
                json_auto_t *o = json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "host",
                                member_or_null(host, "host"), "machine", member_or_null(host, "machine"),
                                "state", state_names[h->items[i].state], "heartbeat",
                                time_or_null(host, "usec"), "event", member_or_null(host, "event"), "sensor",
                                member_or_null(host, "sensor"), "version", member_or_null(host, "version"),
                                "policy", member_or_null(host, "policy"), "losses",
                                member_or_null(host, "losses"), "reasons", member_or_null(host, "reasons"),
                                "last_entry", time_or_null(host, "seen_usec"));

                int r = o ? ctl_print_json(o) : ctl_error_memory();
                if (r < 0)
                        return r;
        }
        return 0;
}

/* With --since=, hosts that sent nothing since are left out: those that were there for one job only. */
static int old_remove(Hosts *h, uint64_t since_usec) {
        const char *key;
        json_t *host;
        void *next;

        json_object_foreach_safe(h->known, next, key,
                        host) if ((uint64_t)ctl_number(host, "seen_usec") < since_usec &&
                                  json_object_del(h->known, key) < 0) return -ENOMEM;
        return 0;
}

int ctl_hosts(const Ctl *c, const char *operand) {
        _cleanup_(ctl_source_done) CtlSource source = {};
        json_auto_t *known = json_object();
        Hosts h = { .known = known };
        JournalCounts counts = {};

        (void)operand;
        if (!known)
                return ctl_error_memory();
        int r = ctl_journal_open(c, &source);
        if (r < 0)
                return r;
        h.now_usec = source.journal.until_usec ?: time_now_usec(CLOCK_REALTIME);
        r = ctl_journal_end(&source, &counts, journal_read_hosts(&source.journal, on_host, &h, &counts));
        if (r < 0)
                return r;
        if (old_remove(&h, source.journal.since_usec) < 0 || hosts_sort(&h) < 0)
                r = ctl_error_memory();
        else
                r = ctl_wants_json() ? hosts_print_json(&h) : hosts_print(&h);
        /* Of hosts that were left out, it does not know. */
        bool ok = counts.n_cut == 0 && (h.n == 0 || h.items[0].state == HOST_OK);
        free(h.items);
        return r < 0 ? r : ok ? CTL_OK : CTL_FAILED;
}
