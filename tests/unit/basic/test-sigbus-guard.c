/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A mapped file that has become shorter, with and without the guard. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/sigbus-guard.h"
#include "basic/util.h"

#define PAGES 3

/* All but the first page are gone. */
static const volatile char *mapping_of_shortened_file(size_t *ret_page) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        _cleanup_close_ int fd = memfd_create("shortened", MFD_CLOEXEC);
        char *mapping;

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)(PAGES * page)), 0);
        mapping = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(mapping, MAP_FAILED);
        memset(mapping, 'x', PAGES * page);
        assert_int_equal(ftruncate(fd, (off_t)page), 0);
        *ret_page = page;
        return mapping;
}

static void test_reads_zeros(void **state) {
        struct sigaction before;
        size_t page;
        const volatile char *mapping = mapping_of_shortened_file(&page);

        (void)state;
        assert_int_equal(sigbus_guard_begin(&before), 0);
        assert_int_equal(mapping[0], 'x');
        assert_int_equal(mapping[PAGES * page - 1], 0);
        assert_int_equal(mapping[page + 1], 0);
        assert_int_equal(mapping[page - 1], 'x');
        sigbus_guard_end(&before);
        munmap((void *)mapping, PAGES * page);
}

static bool child_survives(void (*act)(void)) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                /* cmocka would go on with its next test. */
                signal(SIGBUS, SIG_DFL);
                act();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return !WIFSIGNALED(status) || WTERMSIG(status) != SIGBUS;
}

static void act_read_after_guard(void) {
        struct sigaction before;
        size_t page;
        const volatile char *mapping = mapping_of_shortened_file(&page);

        if (sigbus_guard_begin(&before) == 0) {
                (void)mapping[page];
                sigbus_guard_end(&before);
                (void)mapping[2 * page];
        }
}

static void act_sent_under_guard(void) {
        struct sigaction before;

        if (sigbus_guard_begin(&before) == 0)
                kill(getpid(), SIGBUS);
}

static void act_nothing(void) {
        struct sigaction before;

        if (sigbus_guard_begin(&before) == 0)
                sigbus_guard_end(&before);
}

static void test_other_signals_end(void **state) {
        (void)state;
        assert_true(child_survives(act_nothing));
        assert_false(child_survives(act_read_after_guard));
        assert_false(child_survives(act_sent_under_guard));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_zeros),
                cmocka_unit_test(test_other_signals_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
