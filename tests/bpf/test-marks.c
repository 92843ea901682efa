/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The mark table against the real kernel, where the daemon cannot be driven from outside: an entry that an
 * earlier owner of a PID left behind must not accuse the next one; a table at its limit refuses, counts, and
 * never evicts. */

#include <ifaddrs.h>
#include <linux/sched.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/syscall.h>

#include "layout.h"
#include "marks-fixture.h"

#define MARKS_MAX 256
/* A cgroup of one user has an eighth of the table. */
#define CROWD_UID 65000
#define CGROUP_SHARE (MARKS_MAX * 90 / 100 / 4 / 2)

static int setup(void **state) {
        const SensorSizes sizes = fixture_sizes(MARKS_MAX);

        (void)state;
        return fixture_open(&sizes, "60s");
}

static int setup_shared(void **state) {
        return fixture_share(state, setup);
}

static void test_thief_is_seen(void **state) {
        Child c = child_start();

        (void)state;
        child_order(&c, 's');
        assert_int_equal(correlations(), 0);
        child_order(&c, 'o');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.process.pid, c.pid);
        assert_int_equal(fixture.last.correlation.destination.port, 9);
        child_end(&c);
        assert_int_equal(correlations(), 0);
}

/* Waiting until the window has passed makes an egress late, not silent. */
static void test_late_is_reported(void **state) {
        Child c = child_start();

        (void)state;
        child_order(&c, 'o');
        child_order(&c, 's');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.classes, 1);
        assert_int_equal(fixture.last.correlation.fresh, 1);
        assert_int_equal(fixture.last.correlation.window_ns, UINT64_C(1000000000));

        usleep(1200 * 1000);
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.classes, 1);
        assert_int_equal(fixture.last.correlation.fresh, 0);
        assert_int_equal(fixture.last.correlation.window_ns, UINT64_C(60000000000));

        /* A late correlation is reported once; it does not hold back a fresh one. */
        child_order(&c, 's');
        assert_int_equal(correlations(), 0);
        child_order(&c, 'o');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.fresh, 1);
        child_end(&c);
}

/* What was in the memory of a program ended with it. */
static void test_exec_is_noted(void **state) {
        Child c = child_start();

        (void)state;
        child_order(&c, 'e');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.n_files, 1);
        assert_true(fixture.last.correlation.files[0].execed);
        child_order(&c, 'o');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_false(fixture.last.correlation.files[0].execed);
        child_end(&c);
}

/* A listening socket for IPv4 and IPv6; returns its port. */
static uint16_t listener_open(void) {
        struct sockaddr_in6 at = { .sin6_family = AF_INET6 };
        socklen_t size = sizeof(at);

        fixture.listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fixture.listener, (struct sockaddr *)&at, size), 0);
        assert_int_equal(listen(fixture.listener, 16), 0);
        assert_int_equal(getsockname(fixture.listener, (struct sockaddr *)&at, &size), 0);
        return ntohs(at.sin6_port);
}

/* By IPv4, which the listener sees as ::ffff:a.b.c.d. */
static int client_connect(in_addr_t address, uint16_t port) {
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        return fd;
}

static int client_connect6(uint16_t port) {
        struct sockaddr_in6 to = {
                .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT
        };
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        return fd;
}

/* An address of this machine that is not that of the loopback interface; 0: it has none. */
static in_addr_t own_address(void) {
        struct ifaddrs *all = NULL;
        in_addr_t found = 0;

        assert_int_equal(getifaddrs(&all), 0);
        for (const struct ifaddrs *i = all; i; i = i->ifa_next)
                if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !(i->ifa_flags & IFF_LOOPBACK))
                        found = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr;
        freeifaddrs(all);
        return found;
}

/* All connections that a listening socket accepts are one correlation: of any peer, whatever is sent on
 * them, and when they are closed. Only those of this host, which score less, are one of their own. */
static void test_accepted(void **state) {
        const uint16_t port = listener_open();
        const in_addr_t own = own_address();
        Child c = child_start();
        (void)state;

        child_order(&c, 'o');
        for (unsigned i = 0; i < 3; i++) {
                int client = client_connect(htonl(INADDR_LOOPBACK), port);

                child_order(&c, 'l');
                child_order(&c, 'w');
                child_order(&c, 'w');
                close(client);
        }
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.destination.act, BW_ACT_ACCEPT);
        assert_int_equal(fixture.last.correlation.destination.port, port);
        assert_int_equal(fixture.last.correlation.destination.address[0], 127);

        /* The other family, another address of this host. */
        int client6 = client_connect6(port);
        child_order(&c, 'l');
        child_order(&c, 'w');
        close(client6);
        int client = client_connect(htonl(INADDR_LOOPBACK + 1), port);
        child_order(&c, 'l');
        child_order(&c, 'w');
        assert_int_equal(correlations(), 0);

        /* The peer has closed it, and resets it when data comes, before send(2) ends: it has no port any
         * more. It would reset it at once if it left data unread. */
        close(client);
        client = client_connect(htonl(INADDR_LOOPBACK), port);
        child_order(&c, 'l');
        close(client);
        child_order(&c, 'w');
        child_order(&c, 'w');
        assert_int_equal(correlations(), 0);

        /* Clients on this host do not hold back others. */
        for (unsigned i = 0; own && i < 2; i++) {
                client = client_connect(own, port);
                child_order(&c, 'l');
                child_order(&c, 'w');
                close(client);
        }
        assert_int_equal(correlations(), own ? 1 : 0);
        if (own) {
                assert_memory_equal(fixture.last.correlation.destination.address, &own, sizeof(own));
                assert_int_equal(fixture.last.correlation.destination.port, port);
        }
        child_end(&c);
        close(fixture.listener);
}

static void test_stale_mark_accuses_nobody(void **state) {
        Child thief = child_start(), innocent = child_start();
        uint64_t thief_key = (uint64_t)thief.pid, innocent_key = (uint64_t)innocent.pid;
        uint8_t value[8192];

        (void)state;
        child_order(&thief, 'o');
        assert_int_equal(bpf_map_lookup_elem(fixture.marks, &thief_key, value), 0);
        /* As if the thief's exit had gone unseen and its PID been given to another. */
        assert_int_equal(bpf_map_update_elem(fixture.marks, &innocent_key, value, BPF_NOEXIST), 0);
        child_order(&innocent, 's');
        assert_int_equal(correlations(), 0);
        assert_int_equal(bpf_map_lookup_elem(fixture.marks, &innocent_key, value), -ENOENT);

        child_order(&thief, 's');
        assert_int_equal(correlations(), 1);
        child_end(&innocent);
        child_end(&thief);
}

static void test_marks_end_with_their_process(void **state) {
        uint64_t before = count(BW_COUNT_MARKS_LIVE);

        (void)state;
        for (int i = 0; i < 50; i++) {
                Child c = child_start();
                child_order(&c, 'o');
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), before + 1);
                child_end(&c);
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), before);
        }
}

/* Larger than an entry of either table. */
#define VALUE_MAX 8192

static bool process_get(pid_t pid, uint8_t value[static VALUE_MAX]) {
        return bpf_map_lookup_elem(fixture.processes, &pid, value) == 0;
}

static void test_processes_end(void **state) {
        uint8_t value[VALUE_MAX];

        (void)state;
        Child c = child_start();
        assert_true(process_get(c.pid, value));
        pid_t pid = c.pid;
        child_end(&c);
        assert_false(process_get(pid, value));
}

/* Examines all PIDs. */
static void tend(void) {
        for (unsigned i = 0; i < 1024; i++)
                sensor_tend(fixture.sensor);
}

/* An entry whose process ended unnoticed is found; those of living processes stay. */
static void test_missed_exit_is_swept(void **state) {
        uint8_t value[VALUE_MAX], other[VALUE_MAX];

        (void)state;
        Child living = child_start(), c = child_start();
        pid_t pid = c.pid;
        assert_true(process_get(pid, value));
        child_end(&c);
        tend(); /* sweeps zombies, which the programs found at their start */
        assert_int_equal(bpf_map_update_elem(fixture.processes, &pid, value, BPF_NOEXIST), 0);
        uint64_t swept = count(BW_COUNT_LINEAGES_SWEPT);
        tend();
        assert_int_equal(count(BW_COUNT_LINEAGES_SWEPT), swept + 1);
        assert_false(process_get(pid, value));
        assert_true(process_get(living.pid, other));
        child_end(&living);
}

/* Until then, a process that gets the PID gets an entry of its own. */
static void test_missed_exit_is_replaced(void **state) {
        uint8_t value[VALUE_MAX], other[VALUE_MAX];
        uint64_t before, after;

        (void)state;
        Child c = child_start();
        pid_t pid = c.pid;
        assert_true(process_get(pid, value));
        child_end(&c);
        assert_int_equal(bpf_map_update_elem(fixture.processes, &pid, value, BPF_NOEXIST), 0);

        struct clone_args args = {
                .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1
        };
        long next = syscall(SYS_clone3, &args, sizeof(args));
        if (next == 0)
                for (;;)
                        pause();
        assert_int_equal(next, pid);
        assert_true(process_get(pid, other));
        /* The start of the process is the first member. */
        memcpy(&before, value, sizeof(before));
        memcpy(&after, other, sizeof(after));
        assert_true(after > before);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_false(process_get(pid, other));
}

static void test_full_table_refuses_and_keeps(void **state) {
        const unsigned limit = MARKS_MAX * 90 / 100;
        Child children[MARKS_MAX];
        unsigned n = 0;

        (void)state;
        (void)correlations();
        /* As many users as it takes: each one's share is full. */
        while (loss(BW_LOSS_MARK_REFUSED) == 0 && n < MARKS_MAX) {
                children[n] = child_start_as(CROWD_UID + n / CGROUP_SHARE);
                child_order(&children[n], 'o');
                n++;
        }
        assert_true(loss(BW_LOSS_MARK_REFUSED) > 0);
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), limit);
        assert_int_equal(n, limit + 1);

        /* Every marked one is still known, the refused one by its user's others. */
        (void)correlations();
        for (unsigned i = 0; i < n; i++) {
                child_order(&children[i], 's');
                assert_int_equal(correlations(), 1);
                assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT,
                                i < limit ? 0 : BW_CORRELATION_SUSPECT);
                assert_int_equal(fixture.last.correlation.process.pid, children[i].pid);
        }
        while (n > 0)
                child_end(&children[--n]);
}

/* A user who fills a share is alone with it: that user is judged by class, others as before. */
static void test_full_share_costs_its_user(void **state) {
        Child crowd[CGROUP_SHARE], refused, another, other;

        (void)state;
        for (unsigned i = 0; i < CGROUP_SHARE; i++) {
                crowd[i] = child_start_as(CROWD_UID);
                child_order(&crowd[i], 'o');
        }
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), 0);
        refused = child_start_as(CROWD_UID);
        another = child_start_as(CROWD_UID);
        other = child_start_as(CROWD_UID + 1);
        child_order(&another, 's'); /* nobody is suspected yet */
        assert_int_equal(correlations(), 0);
        child_order(&refused, 'o');
        child_order(&other, 'o');
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), 1);
        assert_int_equal(loss(BW_LOSS_MARK_REFUSED), 0);

        child_order(&other, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, 0);
        child_order(&refused, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, BW_CORRELATION_SUSPECT);
        assert_int_equal(fixture.last.correlation.classes, 1);
        /* Once a minute, and not once per process. */
        child_order(&another, 's');
        assert_int_equal(correlations(), 0);
        assert_int_equal(fixture.shares_reported, 1);
        assert_int_equal(fixture.last_share.uid, CROWD_UID);
        assert_int_equal(fixture.last_share.table, BW_SHARE_MARKS);

        child_end(&other);
        child_end(&another);
        child_end(&refused);
        for (unsigned i = CGROUP_SHARE; i > 0; i--)
                child_end(&crowd[i - 1]);
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), 0);
}

/* Their windows pass, and their processes live on. */
static void windows_end(const Child *children, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                uint64_t key = children[i].pid;
                Mark m;

                assert_int_equal(bpf_map_lookup_elem(fixture.marks, &key, &m), 0);
                m.until_mono_ns = 1;
                assert_int_equal(bpf_map_update_elem(fixture.marks, &key, &m, BPF_EXIST), 0);
        }
}

/* A full share is free again when the windows of its marks have passed: who is refused then sweeps them. */
static void test_full_share_is_swept_free(void **state) {
        Child crowd[CGROUP_SHARE], fresh;
        unsigned tries = 0;

        (void)state;
        for (unsigned i = 0; i < CGROUP_SHARE; i++) {
                crowd[i] = child_start_as(CROWD_UID);
                child_order(&crowd[i], 'o');
        }
        fresh = child_start_as(CROWD_UID);
        child_order(&fresh, 'o');
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), 1);
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), CGROUP_SHARE);
        windows_end(crowd, CGROUP_SHARE);
        /* The process whose open is refused examines SWEEP_FULL entries in its next system call. */
        for (; count(BW_COUNT_MARKS_SUSPECTED) == 1 + tries && tries < 3; tries++)
                child_order(&fresh, 'o');
        assert_in_range(count(BW_COUNT_MARKS_SUSPECTED), 1, 2);
        (void)correlations();
        child_order(&fresh, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, 0);
        /* So is the rest, by the sweeps that each new mark makes. */
        for (unsigned i = 0; i < CGROUP_SHARE / 2; i++) {
                child_order(&crowd[i], 'o');
                child_order(&crowd[i], 's');
                assert_int_equal(correlations(), 1);
                assert_int_equal(fixture.last.correlation.process.pid, crowd[i].pid);
        }
        /* They all send to one socket of this host, whose mark may have had no place either. */
        assert_in_range(count(BW_COUNT_MARKS_SUSPECTED), 1, 3);
        child_end(&fresh);
        for (unsigned i = CGROUP_SHARE; i > 0; i--)
                child_end(&crowd[i - 1]);
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_thief_is_seen, setup_shared),
                cmocka_unit_test_setup(test_late_is_reported, setup_shared),
                cmocka_unit_test_setup(test_exec_is_noted, setup_shared),
                cmocka_unit_test_setup(test_accepted, setup_shared),
                cmocka_unit_test_setup(test_marks_end_with_their_process, setup_shared),
                cmocka_unit_test_setup(test_processes_end, setup_shared),
                cmocka_unit_test_setup(test_missed_exit_is_swept, setup_shared),
                cmocka_unit_test_setup(test_missed_exit_is_replaced, setup_shared),
                /* It enters a mark that no counter knows. */
                cmocka_unit_test_setup_teardown(test_stale_mark_accuses_nobody, setup_shared, teardown),
                cmocka_unit_test_setup_teardown(test_full_table_refuses_and_keeps, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_share_costs_its_user, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_share_is_swept_free, setup, teardown),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
