/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of io_uring rings: an entry ends with its ring, no number of rings that have ended costs
 * another's, and what has no room is counted. */

#include <linux/io_uring.h>
#include <sys/syscall.h>

#include "marks-fixture.h"

#define MARKS_MAX 1024
#define OWNER_UID 65000
/* What a user may have, and half of it in one cgroup. */
#define SHARE 128

typedef struct Ring {
        int fd;
        size_t sq_bytes, sqe_bytes;
        void *sq, *sqes;
} Ring;

static int setup(void **state) {
        SensorSizes sizes = fixture_sizes(MARKS_MAX);

        (void)state;
        sizes.limit[BW_SHARE_RINGS] = 4 * SHARE;
        sizes.user_share[BW_SHARE_RINGS] = SHARE;
        return fixture_open(&sizes, "60s");
}

/* Submits the open of a file, and does not look at its result. */
static Ring ring_open(const char *path) {
        struct io_uring_params p = {};
        Ring r = { .fd = (int)syscall(SYS_io_uring_setup, 1, &p) };

        if (r.fd < 0)
                return r;
        r.sq_bytes = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
        r.sqe_bytes = p.sq_entries * sizeof(struct io_uring_sqe);
        r.sq = mmap(NULL, r.sq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, IORING_OFF_SQ_RING);
        r.sqes = mmap(NULL, r.sqe_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, IORING_OFF_SQES);
        if (r.sq == MAP_FAILED || r.sqes == MAP_FAILED)
                _exit(1);
        *(struct io_uring_sqe *)r.sqes = (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
                .fd = AT_FDCWD,
                .addr = (uintptr_t)path,
                .open_flags = O_RDONLY | O_CLOEXEC };
        *(uint32_t *)((char *)r.sq + p.sq_off.array) = 0;
        __atomic_store_n((uint32_t *)((char *)r.sq + p.sq_off.tail), 1, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_io_uring_enter, r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        return r;
}

static void ring_close(Ring *r) {
        munmap(r->sq, r->sq_bytes);
        munmap(r->sqes, r->sqe_bytes);
        close(r->fd);
}

/* A process of this user that opens a file by each of so many rings, one after another, or all at a time. It
 * writes how many it had, and ends when `go_on` is closed. */
static pid_t rings_start(unsigned n, bool together, const char *path, int *ret_n, int *ret_go_on) {
        int result[2], go_on[2];

        assert_int_equal(pipe2(result, O_CLOEXEC), 0);
        assert_int_equal(pipe2(go_on, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                unsigned made = 0;
                char byte;

                close(go_on[1]);
                if (setresuid(OWNER_UID, OWNER_UID, OWNER_UID) < 0)
                        _exit(1);
                for (unsigned i = 0; i < n; i++) {
                        Ring r = ring_open(path);
                        /* The kernel gives back the memory of those before a moment after they end. */
                        for (unsigned k = 0; r.fd < 0 && errno == ENOMEM && !together && k < 10000; k++) {
                                usleep(1000);
                                r = ring_open(path);
                        }
                        made += r.fd >= 0;
                        if (!together && r.fd >= 0)
                                ring_close(&r);
                }
                send_out();
                (void)!write(result[1], &made, sizeof(made));
                (void)!read(go_on[0], &byte, 1);
                _exit(0);
        }
        close(result[1]);
        close(go_on[0]);
        *ret_go_on = go_on[1];
        assert_int_equal(read(result[0], ret_n, sizeof(*ret_n)), sizeof(*ret_n));
        close(result[0]);
        return pid;
}

static void rings_end(pid_t pid, int go_on) {
        close(go_on);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Ten times the share, but each ends before the next one begins. */
static void test_ended_rings_make_room(void **state) {
        int n, go_on;
        pid_t pid = rings_start(10 * SHARE, false, "/dev/null", &n, &go_on);

        (void)state;
        if (n == 0) {
                rings_end(pid, go_on);
                skip(); /* this kernel has no io_uring */
        }
        assert_int_equal(n, 10 * SHARE);
        assert_int_equal(loss(BW_LOSS_RING_REFUSED), 0);
        assert_in_range(count(BW_COUNT_RINGS_LIVE), 1, SHARE / 2);
        rings_end(pid, go_on);
        /* The kernel ends rings a moment after their last use. */
        for (unsigned i = 0; i < 100 && count(BW_COUNT_RINGS_LIVE) > 0; i++) {
                usleep(100000);
                sensor_call(fixture.sensor, 4);
        }
        assert_int_equal(count(BW_COUNT_RINGS_LIVE), 0);
}

/* More than the share at a time: the user is named, what has no room is counted, and what such a ring opens
 * is reported all the same, where the kernel says which file it was. */
static void test_share_of_rings(void **state) {
        int n, go_on;
        pid_t pid = rings_start(SHARE / 2 + 10, true, fixture.secret, &n, &go_on);
        SensorTable tables[SENSOR_TABLES];

        (void)state;
        if (n == 0) {
                rings_end(pid, go_on);
                skip();
        }
        assert_int_equal(count(BW_COUNT_RINGS_LIVE), SHARE / 2);
        assert_int_equal(loss(BW_LOSS_RING_REFUSED), n - SHARE / 2);
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last_share.table, BW_SHARE_RINGS);
        assert_int_equal(fixture.last_share.uid, OWNER_UID);
        sensor_tables(fixture.sensor, tables);
        assert_int_equal(tables[BW_SHARE_RINGS].refused, n - SHARE / 2);
        assert_int_equal(tables[BW_SHARE_RINGS].live, SHARE / 2);
        rings_end(pid, go_on);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_ended_rings_make_room, setup, teardown),
                cmocka_unit_test_setup_teardown(test_share_of_rings, setup, teardown),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
