/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "alert/repeats.h"

static uint32_t ended[2 * REPEAT_WATCHES_MAX];
static unsigned n_ended;

static void on_ended(RepeatWatch *w, void *userdata) {
        assert_ptr_equal(userdata, &n_ended);
        ended[n_ended++] = w->pid;
}

static RepeatWatches *watches_new(void) {
        RepeatWatches *all = calloc(1, sizeof(*all));

        assert_non_null(all);
        n_ended = 0;
        return all;
}

#define FLOOD UINT32_MAX

static Alert ordinary, flood = { .flood = true };

static void add(RepeatWatches *all, uint32_t pid, uint64_t until) {
        const RepeatWatch w = {
                .alert = pid == FLOOD ? &flood : &ordinary, .pid = pid, .until_mono_ns = until
        };

        repeat_watches_add(all, &w, on_ended, &n_ended);
}

static void test_ends_what_is_over(void **state) {
        _cleanup_free_ RepeatWatches *all = watches_new();

        (void)state;
        assert_true(repeat_watches_next(all) == UINT64_MAX);
        add(all, 1, 30);
        add(all, 2, 10);
        add(all, 3, 20);
        add(all, 4, 40);
        assert_int_equal(repeat_watches_next(all), 10);

        repeat_watches_end(all, 20, REPEAT_WATCHES_MAX, on_ended, &n_ended);
        assert_int_equal(n_ended, 2);
        assert_int_equal(ended[0], 2);
        assert_int_equal(ended[1], 3);
        assert_int_equal(repeat_watches_next(all), 30);

        repeat_watches_end(all, 20, REPEAT_WATCHES_MAX, on_ended, &n_ended);
        assert_int_equal(n_ended, 2);

        repeat_watches_end(all, UINT64_MAX, REPEAT_WATCHES_MAX, on_ended, &n_ended);
        assert_int_equal(n_ended, 4);
        assert_int_equal(ended[2], 1);
        assert_int_equal(ended[3], 4);
        assert_int_equal(all->n, 0);
        assert_true(repeat_watches_next(all) == UINT64_MAX);
}

static void test_the_oldest_makes_room(void **state) {
        _cleanup_free_ RepeatWatches *all = watches_new();

        (void)state;
        for (uint32_t i = 0; i < REPEAT_WATCHES_MAX; i++)
                add(all, i, 100);
        assert_int_equal(n_ended, 0);
        add(all, REPEAT_WATCHES_MAX, 100);
        add(all, REPEAT_WATCHES_MAX + 1, 100);
        assert_int_equal(n_ended, 2);
        assert_int_equal(ended[0], 0);
        assert_int_equal(ended[1], 1);
        assert_int_equal(all->n, REPEAT_WATCHES_MAX);
        assert_int_equal(all->items[0].pid, 2);
        assert_int_equal(all->items[REPEAT_WATCHES_MAX - 1].pid, REPEAT_WATCHES_MAX + 1);
}

static void test_ends_with_its_process(void **state) {
        _cleanup_free_ RepeatWatches *all = watches_new();

        (void)state;
        add(all, 7, 100);
        add(all, 8, 100);
        add(all, 7, 50);
        all->items[2].start_boot_ns = 70; /* another one with that PID */
        repeat_watches_expire(all, 7, 0);
        repeat_watches_end(all, 0, REPEAT_WATCHES_MAX, on_ended, &n_ended);
        assert_int_equal(n_ended, 1);
        assert_int_equal(all->n, 2);
        assert_int_equal(all->items[0].pid, 8);
        repeat_watches_expire(all, 7, 70);
        assert_int_equal(repeat_watches_next(all), 0);
        repeat_watches_end(all, 0, REPEAT_WATCHES_MAX, on_ended, &n_ended);
        assert_int_equal(n_ended, 2);
}

/* Ending a few at a time reaches each once. */
static void test_ends_some_at_a_time(void **state) {
        _cleanup_free_ RepeatWatches *all = watches_new();

        (void)state;
        for (uint32_t i = 0; i < 10; i++)
                add(all, i, i % 2 ? 10 : 100);
        repeat_watches_end(all, 20, 3, on_ended, &n_ended);
        assert_int_equal(n_ended, 3);
        assert_int_equal(repeat_watches_next(all), 10);
        repeat_watches_end(all, 20, 3, on_ended, &n_ended);
        assert_int_equal(n_ended, 5);
        assert_int_equal(repeat_watches_next(all), 100);
        for (uint32_t i = 0; i < 5; i++) {
                assert_int_equal(ended[i], 2 * i + 1);
                assert_int_equal(all->items[i].pid, 2 * i);
        }
}

/* The count of a flood is written only when its interval is over, so it must be kept until then. */
static void test_a_flood_stays(void **state) {
        _cleanup_free_ RepeatWatches *all = watches_new();

        (void)state;
        add(all, FLOOD, 100);
        for (uint32_t i = 1; i < REPEAT_WATCHES_MAX; i++)
                add(all, i, 100);
        add(all, 5000, 100);
        assert_int_equal(n_ended, 1);
        assert_int_equal(ended[0], 1);
        assert_true(all->items[0].pid == FLOOD);
        assert_int_equal(all->items[all->n - 1].pid, 5000);

        all->n = 0;
        for (uint32_t i = 0; i <= REPEAT_WATCHES_MAX; i++) /* nothing but floods: the oldest */
                add(all, FLOOD, 100);
        assert_int_equal(all->n, REPEAT_WATCHES_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ends_what_is_over),
                cmocka_unit_test(test_ends_with_its_process),
                cmocka_unit_test(test_ends_some_at_a_time),
                cmocka_unit_test(test_the_oldest_makes_room),
                cmocka_unit_test(test_a_flood_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
