/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fdinfo.h"
#include "basic/util.h"

static void test_numbers(void **state) {
        _cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC),
                            file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        uint64_t value = 7;
        (void)state;

        assert_int_equal(lseek(file, 23, SEEK_SET), 23);
        _cleanup_close_ int fdinfo = fdinfo_open(file);
        assert_true(fdinfo >= 0);
        assert_true(fdinfo_read(fdinfo, "pos", &value)); /* the first line */
        assert_int_equal(value, 23);
        /* The number of now, though the file was open before. */
        assert_int_equal(lseek(file, 5, SEEK_SET), 5);
        assert_true(fdinfo_read(fdinfo, "pos", &value));
        assert_int_equal(value, 5);
        assert_int_equal(fdinfo_get(file, "pos"), 5);
        assert_true(fdinfo_get(fd, "mnt_id") > 0);
}

static void test_absent(void **state) {
        _cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC);
        uint64_t value = 7;
        (void)state;

        assert_int_equal(fdinfo_get(fd, "os"), -1);
        assert_int_equal(fdinfo_get(fd, "po"), -1);
        assert_int_equal(fdinfo_get(fd, "prog_id"), -1);
        assert_int_equal(fdinfo_get(-1, "pos"), -1);
        assert_false(fdinfo_read(-1, "pos", &value));
        assert_int_equal(value, 7);
        assert_int_equal(fdinfo_open(-1), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers), cmocka_unit_test(test_absent) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
