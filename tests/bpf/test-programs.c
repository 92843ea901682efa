/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of hooks and the BPF object have the same programs: a section without a program would be
 * reported as a hook that this kernel lacks, and a program without a line in the table would never be
 * attached. Loads nothing. Usage: test-programs OBJECT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <cmocka.h>

#include "basic/util.h"
#include "sensor/hooks.h"

/* sensor/load.c finds these by name, so that one that is missing does not compile. */
#define ITERATOR "iter/"

static struct bpf_object *object;

static unsigned programs_of(const char *section) {
        struct bpf_program *p;
        unsigned n = 0;

        bpf_object__for_each_program(p, object) n +=
                        strcmp(bpf_program__section_name(p), section) == 0 && !tail_is(bpf_program__name(p));
        return n;
}

static void test_each_section_has_a_program(void **state) {
        (void)state;
        for (size_t i = 0; i < BW_HOOK_MAX; i++)
                for (size_t k = 0; k < SENSOR_KINDS; k++) {
                        const char *section = hook_infos[i].sections[k];

                        if (section && programs_of(section) != 1)
                                fail_msg("bpf/abi/hooks.h has the section %s, and %u programs are in it",
                                                section, programs_of(section));
                }
}

static bool section_is_listed(const char *section) {
        for (size_t i = 0; i < BW_HOOK_MAX; i++)
                for (size_t k = 0; k < SENSOR_KINDS; k++)
                        if (hook_infos[i].sections[k] && strcmp(hook_infos[i].sections[k], section) == 0)
                                return true;
        return false;
}

static void test_each_program_is_listed(void **state) {
        struct bpf_program *p;
        unsigned n = 0;

        (void)state;
        bpf_object__for_each_program(p, object) {
                const char *section = bpf_program__section_name(p);

                n++;
                if (strncmp(section, ITERATOR, strlen(ITERATOR)) != 0 && !section_is_listed(section))
                        fail_msg("%s is in the section %s, which bpf/abi/hooks.h does not have",
                                        bpf_program__name(p), section);
        }
        assert_true(n >= BW_HOOK_MAX);
}

static void test_each_tail_has_a_program(void **state) {
        (void)state;
        for (size_t i = 0; i < BW_TAIL_MAX; i++) {
                const TailInfo *tail = &tail_infos[i];
                const struct bpf_program *p = bpf_object__find_program_by_name(object, tail->program);
                const char *of = hook_infos[tail->hook].sections[SENSOR_TRACEPOINT];

                if (!p || !of || strcmp(bpf_program__section_name(p), of) != 0)
                        fail_msg("bpf/abi/hooks.h has the part %s, and no program of that name is in the "
                                 "section of its hook",
                                        tail->program);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_section_has_a_program),
                cmocka_unit_test(test_each_program_is_listed),
                cmocka_unit_test(test_each_tail_has_a_program),
        };

        object = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
        if (!object)
                return 2;
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        bpf_object__close(object);
        return r;
}
