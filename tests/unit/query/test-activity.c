/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The views of WatchProcesses: when each of them is due, how much of the table one turn looks at, and what
 * the first one begins with. The table is plain memory, in which this test counts in place of programs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../query-peer.h"
#include "abi/activity.h"
#include "abi/shared.h"
#include "activity.h"
#include "sensor/private.h"

/* The largest table (sensor/sizes.c). */
#define ENTRIES (1U << 18)
/* What a turn may look at, and some. */
#define TURN_ENTRIES 5000
#define INTERVAL_USEC 1000
#define NEVER_USEC (3600 * USEC_PER_SEC)

/* bpf/lib/maps.bpf.h */
#define TICK_SHIFT 24

typedef struct Kernel {
        Sensor sensor;
        struct bw_shared shared;
        PolicyNames names;
        Activity *activity;
        const ActivitySource *source;
        sd_event *event;
        Test *server;       /* or NULL */
        ActivityView *live; /* whose client reads at once, or NULL */
        unsigned n_due, n_live;
} Kernel;

/* The parameters of the next reply. */
static json_t *reply_of(Kernel *k, ActivityView *v) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        assert_int_equal(k->source->write(v, f, k->source->userdata), 0);
        assert_int_equal(fclose(f), 0);
        json_t *reply = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(reply);
        return reply;
}

/* The rest of a sample: the number of its replies. ret: its processes. */
static size_t sample_of(Kernel *k, ActivityView *v, json_t **ret) {
        json_auto_t *all = json_array();
        size_t n = 0;
        bool last;

        do {
                json_auto_t *reply = reply_of(k, v);

                assert_int_equal(json_array_extend(all, json_object_get(reply, "processes")), 0);
                last = json_is_true(json_object_get(reply, "last"));
                assert_int_equal(json_is_object(json_object_get(reply, "table")), last);
                n++;
        } while (!last);
        if (ret)
                *ret = json_incref(all);
        return n;
}

static json_int_t pid_of(const json_t *processes, size_t i) {
        return json_integer_value(json_object_get(json_array_get(processes, i), "pid"));
}

static ActivityView *view_of(Kernel *k, uint64_t interval_usec) {
        ActivityView *v = k->source->begin(interval_usec, k->source->userdata);

        assert_non_null(v);
        return v;
}

static bool is_due(Kernel *k, const ActivityView *v) {
        return k->source->is_due(v, k->source->userdata);
}

static void on_due(void *userdata) {
        Kernel *k = userdata;

        k->n_due++;
        if (k->server)
                query_server_wake(k->server->server);
        if (k->live && is_due(k, k->live)) {
                sample_of(k, k->live, NULL);
                k->n_live++;
        }
}

static void kernel_start(Kernel *k, sd_event *event, uint32_t n) {
        Sensor *s = &k->sensor;

        k->event = sd_event_ref(event);
        s->shared = &k->shared;
        s->parts.shapes[SENSOR_MAP_ACTIVITY].entries = n;
        s->map_bytes[SENSOR_MAP_ACTIVITY] = n * sizeof(*s->activity);
        s->activity = calloc(n, sizeof(*s->activity));
        assert_non_null(s->activity);
        assert_int_equal(activity_new(event, s, &k->names, on_due, k, &k->activity), 0);
        k->source = activity_source(k->activity);
}

static void kernel_start_alone(Kernel *k, uint32_t n) {
        sd_event *event;

        assert_int_equal(sd_event_new(&event), 0);
        kernel_start(k, event, n);
        sd_event_unref(event);
}

static void kernel_stop(Kernel *k) {
        activity_free(k->activity);
        sd_event_unref(k->event);
        free(k->sensor.activity);
}

/* As the programs count. Each sample for a minute has it. */
static void count(Kernel *k, uint32_t i, uint32_t pid) {
        struct bw_activity *a = &k->sensor.activity[i];
        uint32_t tick = (uint32_t)((time_now_usec(CLOCK_MONOTONIC) + 60 * USEC_PER_SEC) * 1000 >>
                                   TICK_SHIFT);

        a->start_boot_ns = 1000;
        a->opens++;
        a->tick = tick;
        a->pid = pid;
        k->shared.activity_live++;
}

/* A view that nobody reads while it is due costs the others nothing, and no time. */
static void test_one_waits(void **state) {
        Kernel k = { 0 };

        (void)state;
        kernel_start_alone(&k, 64);
        ActivityView *slow = view_of(&k, INTERVAL_USEC);
        sample_of(&k, slow, NULL);
        k.live = view_of(&k, INTERVAL_USEC);
        sample_of(&k, k.live, NULL);
        while (k.n_live < 10)
                assert_int_equal(sd_event_run(k.event, PATIENCE_USEC), 1);
        assert_true(is_due(&k, slow));

        k.source->end(k.live, k.source->userdata);
        k.live = NULL;
        k.n_due = 0;
        while (sd_event_run(k.event, 20000) > 0)
                assert_in_range(k.n_due, 0, 2);
        sample_of(&k, slow, NULL); /* its client reads again */
        k.n_due = 0;
        assert_int_equal(sd_event_run(k.event, PATIENCE_USEC), 1);
        assert_int_equal(k.n_due, 1);
        k.source->end(slow, k.source->userdata);
        kernel_stop(&k);
}

/* A view becomes due while the daemon is busy, and another one ends its sample before the timer's turn. */
static void test_two_at_once(void **state) {
        Kernel k = { 0 };

        (void)state;
        kernel_start_alone(&k, 64);
        ActivityView *other = view_of(&k, NEVER_USEC);
        k.live = view_of(&k, INTERVAL_USEC);
        sample_of(&k, k.live, NULL);
        while (!is_due(&k, k.live))
                ;
        sample_of(&k, other, NULL);
        assert_int_equal(sd_event_run(k.event, PATIENCE_USEC), 1);
        assert_int_equal(k.n_live, 1);
        k.source->end(k.live, k.source->userdata);
        k.source->end(other, k.source->userdata);
        kernel_stop(&k);
}

/* The same with clients of a server: one does not read what it asked for. */
static void test_slow_client(void **state) {
        static const char call[] = "{\"method\":\"" BARBWIRE_INTERFACE
                                   ".WatchProcesses\",\"more\":true,\"parameters\":{\"interval\":100000}}";
        Test *t = *state;
        Kernel k = { .server = t };
        size_t n_bytes = 0;

        kernel_start(&k, t->event, 512);
        t->source.activity = k.source;
        _cleanup_peer_ Peer slow = peer_connect(t), fast = peer_connect(t);
        peer_send(&slow, call);
        peer_send(&fast, call);
        while (!k.shared.activity_wanted)
                (void)turn(t, 10000);
        for (uint32_t i = 0; i < 100; i++)
                count(&k, i, 100 + i);
        /* Each of these samples is one reply, and fifteen of them fill the socket of the other. */
        while (n_bytes < 300000) {
                json_auto_t *reply = peer_receive(&fast);

                assert_true(json_is_true(json_object_get(reply, "continues")));
                n_bytes += json_dumpb(reply, NULL, 0, 0);
        }
        /* That one goes on where it was. */
        while (n_bytes > 0) {
                json_auto_t *reply = peer_receive(&slow);

                n_bytes -= MIN(n_bytes, json_dumpb(reply, NULL, 0, 0));
        }
        query_server_free(t->server);
        t->server = NULL;
        kernel_stop(&k);
}

/* However large the table is, a turn looks at a part of it, empty or not, and no entry is left out. */
static void test_turns(void **state) {
        Kernel k = { 0 };
        json_t *processes;

        (void)state;
        kernel_start_alone(&k, ENTRIES);
        ActivityView *v = view_of(&k, NEVER_USEC);
        size_t n = sample_of(&k, v, &processes);
        assert_int_equal(json_array_size(processes), 0);
        json_decref(processes);
        /* that cleared it, too */
        assert_in_range(n, 2 * (ENTRIES / TURN_ENTRIES), ENTRIES / 1024);

        const uint32_t used[] = { 0, 4095, 4096, 4097, ENTRIES / 2, ENTRIES - 1 };
        for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
                count(&k, used[i], 100 + i);
        n = sample_of(&k, v, &processes);
        assert_in_range(n, ENTRIES / TURN_ENTRIES, ENTRIES / 1024);
        assert_int_equal(json_array_size(processes), sizeof(used) / sizeof(used[0]));
        for (size_t i = 0; i < json_array_size(processes); i++)
                assert_int_equal(pid_of(processes, i), 100 + i);
        json_decref(processes);
        k.source->end(v, k.source->userdata);
        kernel_stop(&k);
}

/* The first view begins with an empty table, also if a look before it ended while that was being emptied.
 * The programs count no sooner, and what one of them holds stays. */
static void test_begins_with_nothing(void **state) {
        Kernel k = { 0 };
        json_t *processes;

        (void)state;
        kernel_start_alone(&k, ENTRIES);
        count(&k, 5, 1);
        count(&k, ENTRIES - 1, 2);
        k.sensor.activity[5].claims = 1; /* a program stands between its two additions */
        ActivityView *gone = view_of(&k, NEVER_USEC);
        json_decref(reply_of(&k, gone));
        assert_int_equal(k.shared.activity_wanted, 0);
        k.source->end(gone, k.source->userdata);

        count(&k, 6, 3); /* what it did meanwhile */
        ActivityView *v = view_of(&k, NEVER_USEC), *second = view_of(&k, NEVER_USEC);
        json_decref(reply_of(&k, v));
        sample_of(&k, second, &processes);
        assert_int_equal(json_array_size(processes), 0);
        json_decref(processes);
        assert_int_equal(k.shared.activity_wanted, 1);
        assert_int_equal(k.shared.activity_live, 0);
        k.sensor.activity[5].claims--;
        assert_int_equal(k.sensor.activity[5].claims, 0);

        count(&k, 7, 4);
        sample_of(&k, v, &processes);
        assert_int_equal(json_array_size(processes), 1);
        assert_int_equal(pid_of(processes, 0), 4);
        json_decref(processes);
        /* A view that comes later sees what is there. */
        ActivityView *third = view_of(&k, NEVER_USEC);
        sample_of(&k, third, &processes);
        assert_int_equal(json_array_size(processes), 1);
        json_decref(processes);
        k.source->end(v, k.source->userdata);
        k.source->end(second, k.source->userdata);
        assert_int_equal(k.shared.activity_wanted, 1);
        k.source->end(third, k.source->userdata);
        assert_int_equal(k.shared.activity_wanted, 0);
        kernel_stop(&k);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_waits),
                cmocka_unit_test(test_two_at_once),
                cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
                cmocka_unit_test(test_turns),
                cmocka_unit_test(test_begins_with_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
