/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "basic/socket-util.h"
#include "basic/util.h"

static void test_address(void **state) {
        char path[UNIX_PATH_BYTES_MAX + 2];
        struct sockaddr_un address;
        (void)state;

        memset(path, 'a', sizeof(path));
        path[UNIX_PATH_BYTES_MAX + 1] = 0;
        assert_int_equal(unix_address(path, &address), -ENAMETOOLONG);
        path[UNIX_PATH_BYTES_MAX] = 0;
        assert_int_equal(unix_address(path, &address), 0);
        assert_int_equal(address.sun_family, AF_UNIX);
        assert_string_equal(address.sun_path, path);
}

/* A datagram without data arrives, with the descriptor of the same file. */
static void test_descriptor(void **state) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct msghdr m = { .msg_control = &control, .msg_controllen = sizeof(control) };
        struct stat sent, got;
        int pair[2], received;
        (void)state;

        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        _cleanup_close_ int from = pair[0], to = pair[1];
        assert_int_equal(descriptor_send(from, from), 0);
        assert_int_equal(recvmsg(to, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 0);
        assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
        memcpy(&received, CMSG_DATA(&control.header), sizeof(received));
        assert_int_equal(fstat(from, &sent), 0);
        assert_int_equal(fstat(received, &got), 0);
        assert_int_equal(sent.st_ino, got.st_ino);
        close(received);

        assert_int_equal(descriptor_send(-1, from), -EBADF);
        assert_int_equal(descriptor_send(from, -1), -EBADF);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_address),
                cmocka_unit_test(test_descriptor) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
