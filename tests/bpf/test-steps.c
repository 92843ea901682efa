/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Two processors that give one object a content at the same moment: each step of the one is the program's
 * own, and what the other did before and after it is written to the tables here. And a process that is
 * counted in a full set of the table of activity. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "abi/activity.h"
#include "abi/shared.h"
#include "layout.h"
#include "steps.skel.h"

#define OBJECT (BW_HOLDER_OBJECT | 1)
/* Contents. What they are made of differs, so that sums of them are no keys. */
#define BEFORE (BW_HOLDER_OBJECT | 0x1234500)
#define FIRST (BW_HOLDER_OBJECT | 0x9876510)
#define SECOND (BW_HOLDER_OBJECT | 0x5551200)
#define UNTIL 1000
/* enum flow of bpf/mark/mark.bpf.h. */
#define FLOW_DONE 1
#define FLOW_AGAIN 3

static struct steps_bpf *steps;
static int marks, objects;

static void content_plant(uint64_t key, uint32_t refs) {
        const Mark m = { .start_boot_ns = key, .until_mono_ns = UNTIL, .refs = refs, .reported = 1 };

        assert_int_equal(bpf_map_update_elem(marks, &key, &m, BPF_ANY), 0);
}

static uint32_t content_refs(uint64_t key) {
        Mark m;

        assert_int_equal(bpf_map_lookup_elem(marks, &key, &m), 0);
        return m.refs;
}

static ObjectRef object_read(void) {
        const uint64_t key = OBJECT;
        ObjectRef ref;

        assert_int_equal(bpf_map_lookup_elem(objects, &key, &ref), 0);
        return ref;
}

static void object_plant(uint64_t content) {
        const uint64_t key = OBJECT;
        const ObjectRef ref = { .is = 1, .content = content, .until_mono_ns = ~UINT64_C(0) };

        assert_int_equal(bpf_map_update_elem(objects, &key, &ref, BPF_ANY), 0);
}

static int setup(void **state) {
        (void)state;
        steps = steps_bpf__open();
        assert_non_null(steps);
        /* One set. */
        steps->rodata->activity_sets_mask = 0;
        assert_int_equal(bpf_map__set_max_entries(steps->maps.bw_activity, BW_ACTIVITY_WAYS), 0);
        assert_int_equal(steps_bpf__load(steps), 0);
        marks = bpf_map__fd(steps->maps.bw_marks);
        objects = bpf_map__fd(steps->maps.bw_objects);
        content_plant(BEFORE, 1);
        content_plant(FIRST, 0);
        content_plant(SECOND, 0);
        object_plant(BEFORE);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        steps_bpf__destroy(steps);
        return 0;
}

/* The object has had the content BEFORE when this writer looked. */
static int object_put(uint64_t content) {
        uint64_t args[] = { OBJECT, content, BEFORE };
        LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

        assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(steps->progs.step_object_put), &run), 0);
        return (int)run.retval;
}

static void activity_plant(uint32_t way, uint32_t pid, uint32_t tick) {
        const struct bw_activity a = { .pid = pid, .tick = tick, .opens = 7, .start_boot_ns = 1 };

        assert_int_equal(bpf_map_update_elem(bpf_map__fd(steps->maps.bw_activity), &way, &a, BPF_ANY), 0);
}

static struct bw_activity activity_read(uint32_t way) {
        struct bw_activity a = {};

        assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(steps->maps.bw_activity), &way, &a), 0);
        return a;
}

static void activity_add(uint64_t pid) {
        uint64_t args[] = { pid };
        LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

        assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(steps->progs.step_activity_add), &run), 0);
}

/* In a full set, the process that was counted in longest ago goes, and is counted as dropped. */
static void test_activity(void **state) {
        const __u64 *dropped = &steps->bss->shared.activity_dropped;
        (void)state;

        for (uint32_t way = 0; way < BW_ACTIVITY_WAYS; way++)
                activity_plant(way, 1000 + way, way == 5 ? 1 : 2 + way);
        activity_add(1003);
        assert_int_equal(activity_read(3).opens, 8);
        assert_int_equal(*dropped, 0);
        activity_add(2000);
        assert_int_equal(*dropped, 1);
        assert_int_equal(activity_read(5).pid, 2000);
        assert_int_equal(activity_read(5).opens, 1);
        activity_add(2001);
        assert_int_equal(*dropped, 2);
        assert_int_equal(activity_read(0).pid, 2001);
        assert_int_equal(activity_read(1).pid, 1001);
        assert_int_equal(steps->bss->shared.activity_refused, 0);
}

static void test_alone(void **state) {
        (void)state;
        assert_int_equal(object_put(FIRST), FLOW_DONE);
        assert_int_equal(object_read().content, FIRST);
        assert_int_equal(object_read().until_mono_ns, UNTIL);
        assert_int_equal(content_refs(FIRST), 1);
        assert_int_equal(content_refs(BEFORE), 0);
}

/* The other one was faster: what it wrote stays, and this one looks again. */
static void test_second_restores(void **state) {
        (void)state;
        content_plant(SECOND, 1);
        object_plant(SECOND);
        content_plant(BEFORE, 0);
        assert_int_equal(object_put(FIRST), FLOW_AGAIN);
        assert_int_equal(object_read().content, SECOND);
        assert_int_equal(content_refs(SECOND), 1);
        assert_int_equal(content_refs(BEFORE), 0);
}

/* Both have added before either read: each restores the other's content. Whichever does so last, the content
 * that stays is counted: a sweep removes one that is not, and with it what the object holds. */
static void test_both_restore(void **state) {
        (void)state;
        /* The second one has counted its content, and added it. */
        content_plant(SECOND, 1);
        object_plant(SECOND);
        assert_int_equal(object_put(FIRST), FLOW_AGAIN);
        assert_int_equal(object_read().content, SECOND);
        assert_in_range(content_refs(SECOND), 1, 2);

        /* It has read the sum before the first one restored, and restores now. */
        object_plant(FIRST);
        assert_in_range(content_refs(object_read().content), 1, 2);
        assert_int_equal(content_refs(BEFORE), 1);
}

static void test_object_is_gone(void **state) {
        const uint64_t key = OBJECT;

        (void)state;
        assert_int_equal(bpf_map_delete_elem(objects, &key), 0);
        assert_int_equal(object_put(FIRST), FLOW_AGAIN);
        assert_int_equal(content_refs(FIRST), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_activity, setup, teardown),
                cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_second_restores, setup, teardown),
                cmocka_unit_test_setup_teardown(test_both_restore, setup, teardown),
                cmocka_unit_test_setup_teardown(test_object_is_gone, setup, teardown),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
