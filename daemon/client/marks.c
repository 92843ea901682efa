/* SPDX-License-Identifier: GPL-2.0-or-later */

/* marks: a line per marked process, and a line per share of a table, the fullest first. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/ctl.h"
#include "client/output.h"
#include "client/table.h"
#include "basic/json-util.h"
#include "basic/time-util.h"

/* "…/id_ed25519", as in alerts. */
#define FILE_WIDTH_LEAST 13

/* Adds the items of a member of a reply to the same member of `to`. -EBADMSG: it has none. */
static int member_collect(json_t *to, const json_t *reply, const char *member) {
        json_t *from = json_object_get(reply, member);

        if (!json_is_array(from))
                return ctl_client_malformed();
        return json_array_extend(json_object_get(to, member), from) < 0 ? ctl_error_memory() : 0;
}

/* Collects all replies in one object. */
static int marks_receive(CtlClient *client, json_t *marks) {
        int r, k;

        do {
                json_auto_t *reply = NULL;

                r = ctl_client_receive(client, CTL_TIMEOUT_USEC, &reply);
                if (r == -ETIME)
                        ctl_error("barbwired stopped replying; see \"systemctl status barbwire\".");
                if (r < 0)
                        return r;
                k = member_collect(marks, reply, "marks");
                if (k >= 0)
                        k = member_collect(marks, reply, "accounts");
                if (k < 0)
                        return k;
                if (r == 0 && json_object_set(marks, "complete", json_object_get(reply, "complete")) < 0)
                        return ctl_client_malformed();
        } while (r > 0);
        return 0;
}

/* The name of a cgroup, which only its account has. */
static const char *cgroup_name(const json_t *accounts, json_int_t id) {
        const json_t *account;
        size_t i;

        json_array_foreach(accounts, i, account) {
                if (id != 0 && ctl_number(account, "cgroup_id") == id)
                        return ctl_string(account, "cgroup", "-")[0] ? ctl_string(account, "cgroup", "-")
                                                                     : "/";
        }
        return "-";
}

static const char *time_of(const json_t *mark, const char *key, char ret[static TIME_TEXT_SIZE]) {
        uint64_t usec;

        return json_to_time(json_object_get(mark, key), &usec) < 0 ? "-" : time_format_short(usec, ret);
}

/* How the latest file came: "open", "fork", or the last giver: "pipe from cat[71]", and how many were before
 * it. */
static void route_add(CtlTable *t, const json_t *file) {
        const json_t *route = json_object_get(file, "route");
        size_t n = json_array_size(route);
        const json_t *hop = n > 0 ? json_array_get(route, n - 1) : NULL;

        if (!hop)
                ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(file, "via", "-"));
        else if (n == 1)
                ctl_table_add(t, CTL_PLAIN, "%s from %s[%lld]", ctl_string(hop, "via", "?"),
                                ctl_string(hop, "comm", "?"), ctl_number(hop, "pid"));
        else
                ctl_table_add(t, CTL_PLAIN, "%s from %s[%lld] +%zu", ctl_string(hop, "via", "?"),
                                ctl_string(hop, "comm", "?"), ctl_number(hop, "pid"), n - 1);
}

static void files_add(CtlTable *t, const json_t *mark) {
        const json_t *files = json_object_get(mark, "files"), *file = json_array_get(files, 0);
        size_t n = json_array_size(files);
        const char *path = ctl_string(file, "path", file ? "(name lost)" : "-");

        if (n > 1)
                ctl_table_add(t, CTL_PLAIN, "%s +%zu", path, n - 1);
        else
                ctl_table_add(t, CTL_PLAIN, "%s", path);
        route_add(t, file);
}

static void row_add(CtlTable *t, const json_t *mark, const json_t *accounts) {
        bool suspect = json_is_true(json_object_get(mark, "suspect"));
        bool bound = json_array_size(json_object_get(mark, "bound")) ==
                     json_array_size(json_object_get(mark, "classes"));
        char date[TIME_TEXT_SIZE];

        if (suspect)
                ctl_table_add(t, CTL_YELLOW, "(all others)");
        else
                ctl_table_add(t, CTL_PLAIN, "%s[%lld]", ctl_string(mark, "comm", "-"),
                                ctl_number(mark, "pid"));
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(mark, "uid"));
        ctl_table_add_list(t, json_object_get(mark, "classes"));
        ctl_table_add(t, CTL_PLAIN, "%s", bound ? "yes" : "no");
        files_add(t, mark);
        ctl_table_add(t, CTL_PLAIN, "%s", time_of(mark, "since", date));
        ctl_table_add(t, CTL_PLAIN, "%s", time_of(mark, "until", date));
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(mark, "user"));
        ctl_table_add(t, CTL_PLAIN, "%s", cgroup_name(accounts, ctl_number(mark, "cgroup_id")));
}

static int marks_table(const json_t *marks, const json_t *accounts) {
        static const CtlColumn columns[] = {
                { .name = "PROCESS", .cut = CTL_CUT_NAME },
                { .name = "UID", .right = true },
                { .name = "CLASS", .cut = CTL_CUT_END },
                { .name = "BOUND" },
                { .name = "FILE", .cut = CTL_CUT_BEGINNING, .least = FILE_WIDTH_LEAST },
                { .name = "ROUTE", .cut = CTL_CUT_END },
                { .name = "SINCE" },
                { .name = "UNTIL" },
                { .name = "USER", .right = true },
                { .name = "CGROUP", .cut = CTL_CUT_END },
        };
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;
        const json_t *mark;
        size_t i;

        int r = ctl_table_new(columns, ELEMENTSOF(columns), &t);
        if (r < 0)
                return r;
        json_array_foreach(marks, i, mark) {
                row_add(t, mark, accounts);
        }
        return ctl_table_print(t, 0);
}

/* The fullest first; of equal ones the larger. */
static int account_compare(const void *a, const void *b) {
        const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
        double full_x = (double)ctl_number(x, "live") / (double)MAX(ctl_number(x, "max"), 1),
               full_y = (double)ctl_number(y, "live") / (double)MAX(ctl_number(y, "max"), 1);
        long long live_x = ctl_number(x, "live"), live_y = ctl_number(y, "live");

        if (full_x != full_y)
                return full_x < full_y ? 1 : -1;
        return (live_x < live_y) - (live_x > live_y);
}

static void account_add(CtlTable *t, const json_t *account) {
        bool full = ctl_number(account, "refused") > 0;

        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(account, "table", "-"));
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(account, "user"));
        ctl_table_add(t, CTL_PLAIN, "%s", ctl_string(account, "cgroup", "(all)"));
        ctl_table_add(t, full ? CTL_YELLOW : CTL_PLAIN, "%lld", ctl_number(account, "live"));
        ctl_table_add(t, CTL_PLAIN, "%lld", ctl_number(account, "max"));
        ctl_table_add(t, full ? CTL_YELLOW : CTL_PLAIN, "%lld", ctl_number(account, "refused"));
}

static int accounts_table(const json_t *accounts) {
        static const CtlColumn columns[] = {
                { .name = "TABLE" },
                { .name = "USER", .right = true },
                { .name = "CGROUP", .cut = CTL_CUT_END },
                { .name = "LIVE", .right = true },
                { .name = "MAX", .right = true },
                { .name = "REFUSED", .right = true },
        };
        size_t n = json_array_size(accounts);
        _cleanup_free_ const json_t **sorted = calloc(n + 1, sizeof(*sorted));
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;

        if (!sorted)
                return ctl_error_memory();
        for (size_t i = 0; i < n; i++)
                sorted[i] = json_array_get(accounts, i);
        qsort(sorted, n, sizeof(*sorted), account_compare);
        int r = ctl_table_new(columns, ELEMENTSOF(columns), &t);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                account_add(t, sorted[i]);
        return ctl_table_print(t, 0);
}

static int marks_print(const json_t *all) {
        const json_t *marks = json_object_get(all, "marks"), *accounts = json_object_get(all, "accounts"),
                     *mark;
        size_t n = json_array_size(marks), n_suspects = 0, i;

        json_array_foreach(marks, i, mark) {
                n_suspects += json_is_true(json_object_get(mark, "suspect"));
        }
        ctl_pager_open();
        int r = marks_table(marks, accounts);
        if (r >= 0)
                r = accounts_table(accounts);
        if (r < 0)
                return r;
        printf("%zu marked process%s.\n", n - n_suspects, n - n_suspects == 1 ? "" : "es");
        if (n_suspects > 0)
                printf("%zu full share%s: all other processes of that user and cgroup are judged "
                       "together.\n",
                                n_suspects, n_suspects == 1 ? "" : "s");
        if (!json_is_true(json_object_get(all, "complete")))
                puts("The list is not complete: there was no room for all marks, or another list was made "
                     "meanwhile.");
        return 0;
}

int ctl_marks_ask(const Ctl *c, json_t **ret) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *all = json_pack("{s:[], s:[]}", "marks", "accounts");

        if (!all)
                return ctl_error_memory();
        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_send(client, "ListMarks", NULL, true);
        if (r >= 0)
                r = marks_receive(client, all);
        if (r >= 0)
                *ret = STEAL_PTR(all);
        return r;
}

int ctl_marks(const Ctl *c, const char *operand) {
        json_auto_t *all = NULL;

        (void)operand;
        int r = ctl_marks_ask(c, &all);
        if (r < 0)
                return r;
        if (!ctl_wants_json())
                return marks_print(all);
        ctl_pager_open();
        return ctl_print_json(all);
}
