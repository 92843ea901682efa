/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any bytes as a call, answered from a ring with alerts, and the same bytes as a reply. Nothing may crash,
 * and every answer must be valid: complete messages, each a JSON object in ASCII without unknown members,
 * the last one marked as the last. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "query/varlink.h"
#include "../unit/query-fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static json_t *status_reply(void *userdata) {
        (void)userdata;
        return json_pack("{s:s, s:[]}", "state", "ok", "degraded");
}

static json_t *rules_reply(void *userdata) {
        (void)userdata;
        return json_pack("{s:[], s:[]}", "classes", "allows");
}

/* Made once: no method changes it. */
static AlertRing *ring_filled(void) {
        static const TestAlert alerts[] = {
                { "b1-1f-0", "low", "ssh", NULL, 1000000, 1, 1000, 10, NULL },
                { "b1-2f-0", "medium", "caf\xc3\xa9\"\\", "cron.service", 2000000, 2, 1000, 70000, NULL },
                { "b2-1f-0", "high", "ssh", "caf\xc3\xa9\"\\", 3000000, 3, 0, 40000, NULL },
                { "b2-3f-0", "high", "aws", NULL, 4000000, 4, 0, 40000, NULL },
        };
        static AlertRing *ring;

        if (ring)
                return ring;
        check(alert_ring_new(8, &ring) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(alerts); i++)
                check(test_alert_put(ring, alerts + i) >= 0);
        return ring;
}

/* Whether it says that another one follows. */
static bool reply_check(const char *data, size_t size) {
        static const char *const members[] = { "parameters", "error", "continues" };
        size_t n_known = 0;
        VarlinkReply reply;

        for (size_t i = 0; i < size; i++)
                check(data[i] >= 0x20);
        check(varlink_reply_parse(data, size, &reply) == 0);
        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                n_known += json_object_get(reply.message, members[i]) != NULL;
        check(json_object_size(reply.message) == n_known);
        check(reply.parameters && !(reply.error && reply.continues));

        bool continues = reply.continues;
        varlink_reply_done(&reply);
        return continues;
}

/* One sample, in two replies, and a reply of the next one. */
struct ActivityView {
        unsigned n;
};

static unsigned n_views;
static bool view_due;

static ActivityView *view_begin(uint64_t interval_usec, void *userdata) {
        (void)userdata;
        check(interval_usec > 0);
        n_views++;
        return calloc(1, sizeof(ActivityView));
}

static void view_end(ActivityView *v, void *userdata) {
        (void)userdata;
        n_views--;
        free(v);
}

static bool view_is_due(const ActivityView *v, void *userdata) {
        (void)userdata;
        return v->n < 2 || (view_due && v->n == 2);
}

static int view_write(ActivityView *v, FILE *f, void *userdata) {
        (void)userdata;
        fprintf(f, "{\"processes\":[],\"last\":%s}", v->n++ == 1 ? "true" : "false");
        return 0;
}

static void call_try(const QuerySource *source, const char *data, size_t size) {
        _cleanup_(query_freep) Query *q = NULL;
        _cleanup_free_ char *answer = NULL;
        size_t n_answer = 0, n;
        VarlinkCall call;
        bool continues = true, raised = false;

        int r = query_new(source, data, size, &q);
        check(r == varlink_call_parse(data, size, &call));
        if (r < 0) {
                check(r == -EBADMSG);
                return;
        }
        bool oneway = call.oneway, more = call.more;
        view_due = false;
        varlink_call_done(&call);

        while (query_state(q) != QUERY_OVER) {
                _cleanup_free_ char *batch = NULL;

                if (query_state(q) == QUERY_WAITS) {
                        if (raised)
                                break;
                        raised = view_due = true;
                        check(alert_ring_put_state((AlertRing *)source->ring, STATE_LOSS,
                                              "{\"cause\":\"x\"}") >= 0);
                        check(query_state(q) == QUERY_READY);
                }
                check(query_next(q, &batch, &n) == 0);
                answer = realloc(answer, n_answer + n + 1);
                check(answer != NULL);
                memcpy(answer + n_answer, batch, n);
                n_answer += n;
        }

        check(oneway == (n_answer == 0));
        for (size_t begin = 0; begin < n_answer; begin += n) {
                check(continues);
                n = varlink_message_size(answer + begin, n_answer - begin, 0);
                check(n > 0);
                continues = reply_check(answer + begin, n - 1);
                check(more || !continues);
        }
        check(oneway || continues == (query_state(q) != QUERY_OVER));
}

static uint64_t marks_begin(void *userdata) {
        (void)userdata;
        return 1;
}

static const MarkList *marks_get(uint64_t number, void *userdata) {
        static char line[] = "{}", *lines[] = { line };
        static const MarkList list = { .of = { { lines, 1 }, { lines, 1 } },
                .n_bytes = 6,
                .number = 1,
                .done = true,
                .complete = true };

        (void)userdata;
        return number == list.number ? &list : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const ActivitySource activity = {
                .begin = view_begin, .end = view_end, .is_due = view_is_due, .write = view_write
        };
        const QuerySource source = { .ring = ring_filled(),
                .status = status_reply,
                .rules = rules_reply,
                .marks_begin = marks_begin,
                .marks = marks_get,
                .activity = &activity };
        const char *bytes = (const char *)data;
        VarlinkReply reply;
        size_t n;

        int r = varlink_reply_parse(bytes, size, &reply);
        check(r == 0 || r == -EBADMSG);
        if (r == 0)
                varlink_reply_done(&reply);

        while ((n = varlink_message_size(bytes, size, 0)) > 0) {
                call_try(&source, bytes, n - 1);
                check(n_views == 0);
                bytes += n;
                size -= n;
        }
        return 0;
}
