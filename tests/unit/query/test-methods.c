/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each method, what its filters let through, what is refused, and that no batch is larger than it may be. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/interface.h"
#include "query/varlink.h"
#include "../query-fixture.h"

/* What a batch has beside alerts. */
#define ENVELOPE_BYTES 100

static json_t *status_reply(void *userdata) {
        (void)userdata;
        return json_pack("{s:s}", "state", "ok");
}

static json_t *rules_reply(void *userdata) {
        (void)userdata;
        return NULL;
}

/* What ListMarks answers from; NULL: it is gone. */
static MarkList *listing;
static unsigned n_listings;

static uint64_t marks_begin(void *userdata) {
        (void)userdata;
        n_listings++;
        return 5;
}

static const MarkList *marks_get(uint64_t number, void *userdata) {
        (void)userdata;
        assert_int_equal(number, 5);
        return listing;
}

static int setup(void **state) {
        QuerySource *s = calloc(1, sizeof(*s));
        AlertRing *ring;

        if (!s || alert_ring_new(1000, &ring) < 0)
                return -1;
        *s = (QuerySource){ .ring = ring,
                .status = status_reply,
                .rules = rules_reply,
                .marks_begin = marks_begin,
                .marks = marks_get };
        *state = s;
        return 0;
}

static int teardown(void **state) {
        QuerySource *s = *state;

        alert_ring_free((AlertRing *)s->ring);
        free(s);
        return 0;
}

static AlertRing *ring_of(void **state) {
        return (AlertRing *)((QuerySource *)*state)->ring;
}

static Query *query_of(void **state, const char *call) {
        Query *q = NULL;

        assert_int_equal(query_new(*state, call, strlen(call), &q), 0);
        return q;
}

/* One reply of a batch, which is cut off it. */
static json_t *reply_take(char **data, size_t *size) {
        size_t n = varlink_message_size(*data, *size, 0);

        assert_true(n > 0);
        json_t *reply = json_loadb(*data, n - 1, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(reply);
        *data += n;
        *size -= n;
        return reply;
}

/* The only reply to a call, put together from all batches. */
static json_t *ask(void **state, const char *call) {
        _cleanup_(query_freep) Query *q = query_of(state, call);
        _cleanup_free_ char *all = NULL;
        size_t n_all = 0;

        while (query_state(q) != QUERY_OVER) {
                _cleanup_free_ char *batch = NULL;
                size_t size;

                assert_int_equal(query_state(q), QUERY_READY);
                assert_int_equal(query_next(q, &batch, &size), 0);
                assert_true(size <= QUERY_BATCH_BYTES + ENVELOPE_BYTES);
                all = realloc(all, n_all + size);
                memcpy(all + n_all, batch, size);
                n_all += size;
        }

        char *data = all;
        json_t *reply = reply_take(&data, &n_all);
        assert_int_equal(n_all, 0);
        return reply;
}

static json_t *ask_method(void **state, const char *method, const char *parameters) {
        _cleanup_free_ char *call = NULL;

        assert_true(asprintf(&call, "{\"method\":\"%s\",\"parameters\":%s}", method, parameters) > 0);
        return ask(state, call);
}

static void assert_error(void **state, const char *method, const char *parameters, const char *error,
                const char *name, const char *value) {
        json_auto_t *reply = ask_method(state, method, parameters);
        json_auto_t *wanted = json_pack("{s:s, s:{s:s}}", "error", error, "parameters", name, value);

        if (!json_equal(reply, wanted)) {
                _cleanup_free_ char *text = json_dumps(reply, 0);
                fail_msg("%s(%s): %s", method, parameters, text);
        }
}

/* Ids, joined by blanks. */
static void assert_listed(void **state, const char *parameters, const char *wanted) {
        json_auto_t *reply = ask_method(state, BARBWIRE_INTERFACE ".ListAlerts", parameters);
        const json_t *alerts = json_object_get(json_object_get(reply, "parameters"), "alerts");
        char ids[256] = "";
        size_t i;
        json_t *alert;

        assert_true(json_is_array(alerts));
        json_array_foreach(alerts, i, alert) {
                strcat(ids, i ? " " : "");
                strcat(ids, json_string_value(json_object_get(alert, "id")));
        }
        if (strcmp(ids, wanted) != 0)
                fail_msg("%s: %s instead of %s", parameters, ids, wanted);
}

static void test_filters(void **state) {
        static const TestAlert alerts[] = {
                { "b-1", "low", "ssh", NULL, 10, 1, 100, 0, "b-1" },
                { "b-2", "medium", "aws", "cron.service", 20, 2, 100, 0, "b-0" },
                { "b-3", "high", "ssh", "cron.service", 30, 0, 0, 0, "b-1" },
        };

        assert_listed(state, "{}", "");
        for (size_t i = 0; i < ELEMENTSOF(alerts); i++)
                assert_int_equal(test_alert_put(ring_of(state), alerts + i), 0);
        assert_listed(state, "{}", "b-1 b-2 b-3");
        assert_listed(state, "null", "b-1 b-2 b-3");
        assert_listed(state, "{\"since\":null,\"class\":null,\"limit\":null}", "b-1 b-2 b-3");
        assert_listed(state, "{\"since\":0}", "b-1 b-2 b-3");
        assert_listed(state, "{\"since\":20}", "b-2 b-3");
        assert_listed(state, "{\"until\":20}", "b-1 b-2");
        assert_listed(state, "{\"since\":20,\"until\":20}", "b-2");
        assert_listed(state, "{\"until\":1}", "");
        assert_listed(state, "{\"severity\":\"low\"}", "b-1 b-2 b-3");
        assert_listed(state, "{\"severity\":\"medium\"}", "b-2 b-3");
        assert_listed(state, "{\"severity\":\"high\"}", "b-3");
        assert_listed(state, "{\"class\":\"ssh\"}", "b-1 b-3");
        /* By any of its alerts, and by one that is not kept any more. */
        assert_listed(state, "{\"incident\":\"b-1\"}", "b-1 b-3");
        assert_listed(state, "{\"incident\":\"3\"}", "b-1 b-3");
        assert_listed(state, "{\"incident\":\"b-0\"}", "b-2");
        assert_listed(state, "{\"incident\":\"b-4\"}", "");
        assert_listed(state, "{\"incident\":\"b-1\",\"limit\":1}", "b-3");
        assert_listed(state, "{\"class\":\"\"}", "");
        assert_listed(state, "{\"unit\":\"cron.service\"}", "b-2 b-3");
        assert_listed(state, "{\"pid\":2}", "b-2");
        assert_listed(state, "{\"pid\":0}", "b-3");
        assert_listed(state, "{\"uid\":100}", "b-1 b-2");
        assert_listed(state, "{\"uid\":0}", "b-3");
        assert_listed(state, "{\"limit\":2}", "b-2 b-3");
        assert_listed(state, "{\"limit\":1,\"class\":\"aws\"}", "b-2");
        assert_listed(state, "{\"limit\":9}", "b-1 b-2 b-3");
}

static void test_parameters(void **state) {
        static const struct {
                const char *method, *parameters, *bad;
        } calls[] = {
                { "ListAlerts", "{\"sience\":1}", "sience" },
                { "ListAlerts", "{\"since\":1,\"\":null}", "" },
                { "ListAlerts", "{\"since\":-1}", "since" },
                { "ListAlerts", "{\"since\":1.0}", "since" },
                { "ListAlerts", "{\"since\":\"1\"}", "since" },
                { "ListAlerts", "{\"until\":0}", "until" },
                { "ListAlerts", "{\"until\":true}", "until" },
                { "ListAlerts", "{\"severity\":\"HIGH\"}", "severity" },
                { "ListAlerts", "{\"action\":\"refused\"}", "action" },
                { "ListAlerts", "{\"severity\":2}", "severity" },
                { "ListAlerts", "{\"class\":[\"ssh\"]}", "class" },
                { "ListAlerts", "{\"unit\":{}}", "unit" },
                { "ListAlerts", "{\"pid\":-1}", "pid" },
                { "ListAlerts", "{\"pid\":4294967296}", "pid" },
                { "ListAlerts", "{\"uid\":4294967296}", "uid" },
                { "ListAlerts", "{\"limit\":0}", "limit" },
                { "ListAlerts", "{\"limit\":-1}", "limit" },
                { "GetAlert", "{}", "id" },
                { "GetAlert", "null", "id" },
                { "GetAlert", "{\"id\":null}", "id" },
                { "GetAlert", "{\"id\":1}", "id" },
                { "GetAlert", "{\"id\":\"b-1\",\"x\":1}", "x" },
                { "GetStatus", "{\"x\":null}", "x" },
                { "Follow", "{\"since\":1}", "since" },
                { "ListRules", "{\"x\":1}", "x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                char method[64];

                (void)snprintf(method, sizeof(method), BARBWIRE_INTERFACE ".%s", calls[i].method);
                assert_error(state, method, calls[i].parameters, VARLINK_ERROR_INVALID_PARAMETER,
                                "parameter", calls[i].bad);
        }
        assert_error(state, SERVICE_INTERFACE ".GetInfo", "{\"x\":1}", VARLINK_ERROR_INVALID_PARAMETER,
                        "parameter", "x");
}

static void test_unknown_methods(void **state) {
        static const char *const methods[] = {
                BARBWIRE_INTERFACE ".",
                BARBWIRE_INTERFACE ".getStatus",
                BARBWIRE_INTERFACE ".GetStatusX",
                SERVICE_INTERFACE ".GetStatus",
        };
        static const char *const interfaces[][2] = {
                { "io.barbwire.Barbwir.GetStatus", "io.barbwire.Barbwir" },
                { "io.barbwire.Barbwire", "io.barbwire" },
                { "GetStatus", "" },
                { "", "" },
                { "caf\xc3\xa9.X", "caf\xc3\xa9" },
        };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                assert_error(state, methods[i], "{}", VARLINK_ERROR_METHOD_NOT_FOUND, "method", methods[i]);
        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
                assert_error(state, interfaces[i][0], "{}", VARLINK_ERROR_INTERFACE_NOT_FOUND, "interface",
                                interfaces[i][1]);
}

static void test_get_alert(void **state) {
        static const TestAlert alerts[] = {
                { "boot1-1f-0", "low", "ssh", NULL, 10, 1, 100, 0, NULL },
                { "boot1-2f-0", "low", "ssh", NULL, 20, 1, 100, 0, NULL },
                { "boot2-1f-0", "low", "ssh", NULL, 30, 1, 100, 0, NULL },
        };
        static const char *const found[][2] = {
                { "{\"id\":\"boot2-1f-0\"}", "boot2-1f-0" },
                { "{\"id\":\"2f-0\"}", "boot1-2f-0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(alerts); i++)
                assert_int_equal(test_alert_put(ring_of(state), alerts + i), 0);
        for (size_t i = 0; i < ELEMENTSOF(found); i++) {
                json_auto_t *reply = ask_method(state, BARBWIRE_INTERFACE ".GetAlert", found[i][0]);
                const json_t *alert = json_object_get(json_object_get(reply, "parameters"), "alert");
                assert_string_equal(json_string_value(json_object_get(alert, "id")), found[i][1]);
        }
        assert_error(state, BARBWIRE_INTERFACE ".GetAlert", "{\"id\":\"1f-0\"}",
                        BARBWIRE_INTERFACE ".AmbiguousAlert", "id", "1f-0");
        assert_error(state, BARBWIRE_INTERFACE ".GetAlert", "{\"id\":\"\"}",
                        BARBWIRE_INTERFACE ".NoSuchAlert", "id", "");
}

static void test_service(void **state) {
        json_auto_t *info = ask_method(state, SERVICE_INTERFACE ".GetInfo", "{}");
        const json_t *names = json_object_get(json_object_get(info, "parameters"), "interfaces");

        assert_int_equal(json_array_size(names), QUERY_INTERFACES);
        for (size_t i = 0; i < QUERY_INTERFACES; i++) {
                const char *name = json_string_value(json_array_get(names, i));
                char parameters[64], wanted[64];

                (void)snprintf(parameters, sizeof(parameters), "{\"interface\":\"%s\"}", name);
                (void)snprintf(wanted, sizeof(wanted), "\ninterface %s\n", name);
                json_auto_t *reply =
                                ask_method(state, SERVICE_INTERFACE ".GetInterfaceDescription", parameters);
                const char *text = json_string_value(
                                json_object_get(json_object_get(reply, "parameters"), "description"));
                assert_non_null(strstr(text, wanted));
        }
        assert_error(state, SERVICE_INTERFACE ".GetInterfaceDescription", "{\"interface\":\"x\"}",
                        VARLINK_ERROR_INTERFACE_NOT_FOUND, "interface", "x");
}

static void test_status(void **state) {
        json_auto_t *reply = ask(state, "{\"method\":\"" BARBWIRE_INTERFACE ".GetStatus\",\"more\":true}");
        json_auto_t *wanted = json_pack("{s:{s:s}}", "parameters", "state", "ok");
        const char *call = "{\"method\":\"" BARBWIRE_INTERFACE ".ListRules\"}";
        _cleanup_(query_freep) Query *q = query_of(state, call);
        char *batch = NULL;
        size_t size;

        assert_true(json_equal(reply, wanted));
        /* rules_reply() has no memory. */
        assert_int_equal(query_next(q, &batch, &size), -ENOMEM);
        assert_null(batch);
}

static void test_oneway_and_upgrade(void **state) {
        static const char *const calls[] = {
                "{\"method\":\"" BARBWIRE_INTERFACE ".GetStatus\",\"oneway\":true}",
                "{\"method\":\"" BARBWIRE_INTERFACE ".Follow\",\"oneway\":true,\"more\":true}",
                "{\"method\":\"x\",\"oneway\":true,\"upgrade\":true}",
        };
        json_auto_t *reply =
                        ask(state, "{\"method\":\"" BARBWIRE_INTERFACE ".GetStatus\",\"upgrade\":true}");

        assert_string_equal(json_string_value(json_object_get(reply, "error")),
                        VARLINK_ERROR_METHOD_NOT_IMPLEMENTED);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                _cleanup_(query_freep) Query *q = query_of(state, calls[i]);
                _cleanup_free_ char *batch = NULL;
                size_t size;

                assert_int_equal(query_next(q, &batch, &size), 0);
                assert_int_equal(size, 0);
                assert_int_equal(query_state(q), QUERY_OVER);
        }
}

#define LIST_MORE "{\"method\":\"" BARBWIRE_INTERFACE ".ListAlerts\",\"more\":true}"

/* One batch of a listing with `more`: checks its alerts' ids, counts them. */
static bool list_batch(Query *q, unsigned *n) {
        _cleanup_free_ char *batch = NULL;
        size_t size, i;
        json_t *alert;

        assert_int_equal(query_next(q, &batch, &size), 0);
        assert_true(size <= QUERY_BATCH_BYTES + ENVELOPE_BYTES);
        char *data = batch;
        json_auto_t *reply = reply_take(&data, &size);
        assert_int_equal(size, 0);
        json_array_foreach(json_object_get(json_object_get(reply, "parameters"), "alerts"), i, alert) {
                char id[32];

                (void)snprintf(id, sizeof(id), "boot-%u", (*n)++);
                assert_string_equal(json_string_value(json_object_get(alert, "id")), id);
        }
        bool continues = json_is_true(json_object_get(reply, "continues"));
        assert_int_equal(query_state(q), continues ? QUERY_READY : QUERY_OVER);
        return continues;
}

static void test_list_more(void **state) {
        _cleanup_(query_freep) Query *q = query_of(state, LIST_MORE);
        unsigned n = 0, n_batches = 1;

        assert_int_equal(test_alerts_put(ring_of(state), 0, 1000, 3000), 0);
        while (list_batch(q, &n)) {
                n_batches++;
                assert_true(n > 0);
        }
        assert_int_equal(n, 1000);
        assert_in_range(n_batches, 1000 * 3000 / QUERY_BATCH_BYTES, 1000 * 3000 / QUERY_BATCH_BYTES + 10);
}

static void test_list_complete(void **state) {
        json_auto_t *reply = NULL;

        /* Some 940 KiB, then some 1,060. */
        assert_int_equal(test_alerts_put(ring_of(state), 0, 800, 1100), 0);
        reply = ask(state, "{\"method\":\"" BARBWIRE_INTERFACE ".ListAlerts\"}");
        assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "alerts")),
                        800);
        json_decref(reply);
        assert_int_equal(test_alerts_put(ring_of(state), 800, 120, 1100), 0);
        reply = ask(state, "{\"method\":\"" BARBWIRE_INTERFACE ".ListAlerts\"}");
        assert_string_equal(json_string_value(json_object_get(reply, "error")), VARLINK_ERROR_EXPECTED_MORE);
}

/* More than a batch: alone in its own. */
static void test_list_large(void **state) {
        const TestAlert large = { "boot-2", "high", "ssh", NULL, 1, 1, 1, 200000, NULL };
        _cleanup_(query_freep) Query *q = query_of(state, LIST_MORE);
        static const size_t sizes[] = { 2, 1, 2 };

        assert_int_equal(test_alerts_put(ring_of(state), 0, 2, 0), 0);
        assert_int_equal(test_alert_put(ring_of(state), &large), 0);
        assert_int_equal(test_alerts_put(ring_of(state), 3, 2, 0), 0);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_free_ char *batch = NULL;
                size_t size;

                assert_int_equal(query_next(q, &batch, &size), 0);
                char *data = batch;
                json_auto_t *reply = reply_take(&data, &size);
                assert_int_equal(json_array_size(json_object_get(
                                                 json_object_get(reply, "parameters"), "alerts")),
                                sizes[i]);
        }
        assert_int_equal(query_state(q), QUERY_OVER);
}

/* Everything that was to be listed is pushed out after the first batch. */
static void test_list_overtaken(void **state) {
        for (unsigned more = 0; more < 2; more++) {
                const char *call = more ? LIST_MORE
                                        : "{\"method\":\"" BARBWIRE_INTERFACE ".ListAlerts\",\"parameters\":"
                                          "{\"limit\":100}}";
                _cleanup_(query_freep) Query *q = query_of(state, call);
                char all[2 * QUERY_BATCH_BYTES];
                size_t n_all = 0;
                unsigned n_put = 2000 * more;

                assert_int_equal(test_alerts_put(ring_of(state), n_put, 1000, 3000), 0);
                while (query_state(q) != QUERY_OVER) {
                        _cleanup_free_ char *batch = NULL;
                        size_t size;

                        assert_int_equal(query_next(q, &batch, &size), 0);
                        assert_true(n_all + size <= sizeof(all));
                        memcpy(all + n_all, batch, size);
                        n_all += size;
                        assert_int_equal(test_alerts_put(ring_of(state), n_put + 1000, 1000, 0), 0);
                }
                for (char *data = all; n_all > 0;)
                        json_decref(reply_take(&data, &n_all));
        }
}

/* Takes all replies of a Follow's batch off; the last one's continues must be true, too. */
static void assert_followed(Query *q, const char *wanted) {
        _cleanup_free_ char *batch = NULL;
        char seen[256] = "";
        size_t size;

        assert_int_equal(query_state(q), QUERY_READY);
        assert_int_equal(query_next(q, &batch, &size), 0);
        for (char *data = batch; size > 0;) {
                json_auto_t *reply = reply_take(&data, &size);
                const json_t *parameters = json_object_get(reply, "parameters");
                const json_t *alert = json_object_get(parameters, "alert"),
                             *loss = json_object_get(parameters, "loss"),
                             *policy = json_object_get(parameters, "policy");
                const json_t *missed = json_object_get(parameters, "missed");
                size_t n = strlen(seen);

                assert_true(json_is_true(json_object_get(reply, "continues")));
                assert_true(json_object_size(parameters) <= 1);
                (void)snprintf(seen + n, sizeof(seen) - n, "%s%s",
                                alert    ? json_string_value(json_object_get(alert, "id"))
                                : loss   ? json_string_value(json_object_get(loss, "cause"))
                                : policy ? json_string_value(json_object_get(policy, "hash"))
                                         : "",
                                size > 0 ? " " : "");
                if (missed)
                        (void)snprintf(seen + n, sizeof(seen) - n, "missed:%d%s",
                                        (int)json_integer_value(missed), size > 0 ? " " : "");
        }
        assert_string_equal(seen, wanted);
}

static void test_follow(void **state) {
        const char *call = "{\"method\":\"" BARBWIRE_INTERFACE ".Follow\",\"more\":true}";
        _cleanup_(query_freep) Query *q = query_of(state, call);
        json_auto_t *reply = ask(state, "{\"method\":\"" BARBWIRE_INTERFACE ".Follow\"}");

        assert_string_equal(json_string_value(json_object_get(reply, "error")), VARLINK_ERROR_EXPECTED_MORE);

        assert_int_equal(test_alerts_put(ring_of(state), 0, 5, 0), 0);
        assert_followed(q, "");
        assert_int_equal(query_state(q), QUERY_WAITS);

        assert_int_equal(test_alerts_put(ring_of(state), 5, 2, 0), 0);
        assert_int_equal(alert_ring_put_state(ring_of(state), STATE_LOSS, "{\"cause\":\"ring_full\"}"), 0);
        assert_int_equal(alert_ring_put_state(ring_of(state), STATE_POLICY,
                                         "{\"state\":\"policy\",\"hash\":\"aa\"}"),
                        0);
        assert_int_equal(test_alerts_put(ring_of(state), 7, 1, 0), 0);
        assert_followed(q, "boot-5 boot-6 ring_full aa boot-7");
        assert_int_equal(query_state(q), QUERY_WAITS);

        /* The ring, and so its log, has 1,000: the rest was missed. */
        assert_int_equal(test_alerts_put(ring_of(state), 8, 1005, 65000), 0);
        uint64_t n_lost = 1005 - (alert_ring_end(ring_of(state)) - alert_ring_begin(ring_of(state)));
        char wanted[64];
        (void)snprintf(wanted, sizeof(wanted), "missed:%" PRIu64 " boot-%" PRIu64, n_lost, 8 + n_lost);
        assert_true(n_lost > 5);
        assert_followed(q, wanted);
        (void)snprintf(wanted, sizeof(wanted), "boot-%" PRIu64, 9 + n_lost);
        assert_followed(q, wanted);
}

/* Lines of about a kilobyte: {"n":0,"x":"aaa…"}. */
static void listing_fill(unsigned n_accounts, unsigned n_marks) {
        listing = mark_list_new(5, 0);
        assert_non_null(listing);
        for (unsigned i = 0; i < n_accounts + n_marks; i++) {
                char *line = NULL;

                assert_true(asprintf(&line, "{\"n\":%u,\"x\":\"%01000u\"}", i, i) > 0);
                mark_list_add(listing, i < n_accounts ? MARK_LIST_ACCOUNTS : MARK_LIST_MARKS, line);
        }
}

/* Takes the numbers of one array off a reply; they must go on from *next. */
static void numbers_take(const json_t *reply, const char *member, unsigned *next) {
        const json_t *line;
        size_t i;

        assert_true(json_is_array(json_object_get(reply, member)));
        json_array_foreach(json_object_get(reply, member), i, line) {
                assert_int_equal(json_integer_value(json_object_get(line, "n")), (*next)++);
        }
}

/* It waits until the listing is done; then batches have everything once, and the last says whether it is
 * all. */
static void test_list_marks(void **state) {
        const char *call = "{\"method\":\"" BARBWIRE_INTERFACE ".ListMarks\",\"more\":true}";
        _cleanup_(query_freep) Query *q = query_of(state, call);
        unsigned next = 0, n_replies = 0;

        n_listings = 0;
        listing_fill(100, 200);
        do {
                _cleanup_free_ char *batch = NULL;
                size_t size;

                assert_int_equal(query_next(q, &batch, &size), 0);
                if (!listing->done) {
                        assert_int_equal(size, 0);
                        assert_int_equal(query_state(q), QUERY_WAITS);
                        listing->done = true;
                        assert_int_equal(query_state(q), QUERY_READY);
                        continue;
                }
                assert_true(size <= QUERY_BATCH_BYTES + ENVELOPE_BYTES);
                char *data = batch;
                json_auto_t *reply = reply_take(&data, &size);
                assert_int_equal(size, 0);
                const json_t *parameters = json_object_get(reply, "parameters"),
                             *complete = json_object_get(parameters, "complete");
                numbers_take(parameters, "accounts", &next);
                numbers_take(parameters, "marks", &next);
                bool last = query_state(q) == QUERY_OVER;
                assert_int_equal(json_is_true(json_object_get(reply, "continues")), !last);
                assert_true(last ? json_is_true(complete) : json_is_null(complete));
                n_replies++;
        } while (query_state(q) != QUERY_OVER);
        assert_int_equal(next, 300);
        assert_in_range(n_replies, 4, 6);
        assert_int_equal(n_listings, 1);

        json_auto_t *long_one = ask_method(state, BARBWIRE_INTERFACE ".ListMarks", "{}");
        assert_string_equal(
                        json_string_value(json_object_get(long_one, "error")), VARLINK_ERROR_EXPECTED_MORE);
        listing = mark_list_free(listing);
}

/* A listing that was cut, and one that a newer one replaced while it was read. */
static void test_list_marks_incomplete(void **state) {
        const char *call = "{\"method\":\"" BARBWIRE_INTERFACE ".ListMarks\",\"more\":true}";

        listing_fill(1, 1);
        listing->done = true;
        listing->complete = false;
        json_auto_t *cut = ask(state, call);
        assert_true(json_is_false(json_object_get(json_object_get(cut, "parameters"), "complete")));
        listing = mark_list_free(listing);

        json_auto_t *gone = ask(state, call);
        const json_t *parameters = json_object_get(gone, "parameters");
        assert_true(json_is_false(json_object_get(parameters, "complete")));
        assert_int_equal(json_array_size(json_object_get(parameters, "marks")), 0);
}

static void test_no_call(void **state) {
        Query *q = NULL;

        assert_int_equal(query_new(*state, "{", 1, &q), -EBADMSG);
        assert_null(q);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
                cmocka_unit_test_setup_teardown(test_parameters, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unknown_methods, setup, teardown),
                cmocka_unit_test_setup_teardown(test_get_alert, setup, teardown),
                cmocka_unit_test_setup_teardown(test_service, setup, teardown),
                cmocka_unit_test_setup_teardown(test_status, setup, teardown),
                cmocka_unit_test_setup_teardown(test_oneway_and_upgrade, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list_more, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list_complete, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list_large, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list_overtaken, setup, teardown),
                cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list_marks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list_marks_incomplete, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_call, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
