/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The sizes of tables for machines that this one is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/util.h"
#include "policy/compile.h"
#include "sensor/sizes.h"

#define GIB (UINT64_C(1) << 30)

static void test_machines(void **state) {
        static const struct {
                Machine machine;
                uint32_t marks, lineages, objects, files, mappings, names, activity;
                uint64_t ring_mib;
        } cases[] = {
                { { 1, 0 }, 4096, 32768, 32768, 16384, 32768, 16384, 8192,
                                4 }, /* how large it is is not known */
                { { 2, GIB }, 4096, 32768, 32768, 16384, 32768, 16384, 8192, 4 },
                { { 4, 4 * GIB }, 4096, 65536, 65536, 65536, 65536, 16384, 8192, 4 },
                { { 4, 8 * GIB - 1 }, 8191, 131071, 131071, 131071, 131071, 32767, 8192, 4 },
                { { 32, 64 * GIB }, 32768, 262144, 524288, 131072, 524288, 65536, 131072, 8 },
                { { 512, 4096 * GIB }, 32768, 262144, 524288, 131072, 524288, 65536, 262144, 8 },
        };
        const SensorLimits limits = { 0 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                SensorSizes s = sensor_sizes(&cases[i].machine, &limits);

                assert_int_equal(s.marks_max, cases[i].marks);
                assert_int_equal(s.limit[BW_SHARE_MARKS], cases[i].marks * 9 / 10);
                assert_int_equal(s.limit[BW_SHARE_LINEAGES], cases[i].lineages);
                assert_int_equal(s.limit[BW_SHARE_MAPPINGS], cases[i].mappings);
                assert_int_equal(s.limit[BW_SHARE_OBJECTS], cases[i].objects);
                assert_int_equal(s.limit[BW_SHARE_FILES], cases[i].files);
                assert_int_equal(s.limit[BW_SHARE_NAMES], cases[i].names);
                assert_int_equal(s.limit[BW_SHARE_RINGS], cases[i].names);
                assert_int_equal(s.activity, cases[i].activity);
                assert_int_equal(s.ring_bytes, cases[i].ring_mib << 20);
        }
}

/* Each CPU keeps up to 128 free entries of an LRU hash to itself: without room for them it evicts at once.
 */
static void test_room_for_every_cpu(void **state) {
        static const unsigned cpus[] = { 1, 8, 32, 512 };
        static const unsigned marks[] = { 256, 4096, 65536, 500000, 1 << 20 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cpus); i++)
                for (size_t k = 0; k < ELEMENTSOF(marks); k++) {
                        const Machine machine = { cpus[i], 4 * GIB };
                        const SensorLimits limits = { .marks_max = marks[k] };
                        SensorSizes s = sensor_sizes(&machine, &limits);

                        assert_int_equal(s.marks_max, marks[k]);
                        assert_true(s.marks_entries >= s.limit[BW_SHARE_MARKS] + s.contents_limit +
                                                                       s.suspects_max + 128 * cpus[i]);
                        assert_true(s.marks_pressure < s.limit[BW_SHARE_MARKS]);
                        assert_int_equal(s.lru_spare, 128 * cpus[i]);
                }
}

static void test_shares(void **state) {
        const Machine machine = { 4, 4 * GIB };
        const SensorLimits limits = { .marks_max = 1000, .processes_max = 5000 };
        SensorSizes s = sensor_sizes(&machine, &limits);

        (void)state;
        assert_int_equal(s.limit[BW_SHARE_LINEAGES], 5000);
        for (unsigned i = 0; i < BW_SHARE_TABLES; i++) {
                assert_int_equal(s.user_share[i], s.limit[i] / 4);
                assert_true(s.user_share[i] > 1);
        }
}

/* Half as much again as the policy needs, and never more than a map's value may have. */
static void test_cells(void **state) {
        static const struct {
                size_t policy;
                uint32_t cells;
        } cases[] = {
                { 0, 1 << 16 },
                { (1 << 16) * 2 / 3, 1 << 16 },
                { (1 << 16) * 2 / 3 + 2, 1 << 17 },
                { 1 << 17, 1 << 18 },
                { (1 << 18) + 1, POLICY_CELLS_MAX },
                { POLICY_CELLS_MAX, POLICY_CELLS_MAX },
        };
        const Machine machine = { 4, 4 * GIB };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const SensorLimits limits = { .ring_bytes = 1 << 20, .cells = cases[i].policy };
                SensorSizes s = sensor_sizes(&machine, &limits);

                assert_int_equal(s.cells, cases[i].cells);
                assert_int_equal(s.ring_bytes, 1 << 20);
                assert_int_equal(s.cpus, 4);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_machines),
                cmocka_unit_test(test_room_for_every_cpu),
                cmocka_unit_test(test_shares),
                cmocka_unit_test(test_cells),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
