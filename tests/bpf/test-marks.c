/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The mark table against the real kernel, where the daemon cannot be driven from outside: an entry that an earlier
 * owner of a PID left behind must not accuse the next one; a table at its limit refuses, counts, and never evicts. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <bpf/bpf.h>

#include "event-decode.h"
#include "policy-compile.h"
#include "sensor.h"

#define MARKS_MAX 256

typedef struct Fixture {
        Sensor *sensor;
        char directory[64];
        char secret[128];
        int marks; /* the kernel's mark table */
        Event last;
        unsigned n_correlations;
} Fixture;

/* A child that does one thing when told, so that the test knows its PID before. */
typedef struct Child {
        pid_t pid;
        int tell, told;
} Child;

static Fixture fixture;

/* A map that only the programs hold: the newest of its name, which is our sensor's as it was loaded just now. */
static int map_find(const char *name) {
        int newest = -1;

        for (uint32_t id = 0; bpf_map_get_next_id(id, &id) == 0;) {
                struct bpf_map_info info = {};
                uint32_t size = sizeof(info);
                int fd = bpf_map_get_fd_by_id(id);
                if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && strcmp(info.name, name) == 0) {
                        close(newest);
                        newest = fd;
                } else {
                        close(fd);
                }
        }
        return newest;
}

static int setup(void **state) {
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        const SensorLimits limits = { .marks_max = MARKS_MAX, .processes_max = 4096, .ring_bytes = 1 << 20 };
        PolicyMessage message = {};
        PolicyNames names = {};
        char text[256];

        (void)state;
        strcpy(fixture.directory, "/tmp/barbwire-marks.XXXXXX");
        assert_non_null(mkdtemp(fixture.directory));
        snprintf(fixture.secret, sizeof(fixture.secret), "%s/secret", fixture.directory);
        close(open(fixture.secret, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

        snprintf(text, sizeof(text), "[Class decoy]\nPath=%s\nWindow=1s\nLateWindow=60s\n", fixture.secret);
        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "test.conf", text, strlen(text)), 0);
        assert_int_equal(policy_finish(p), 0);
        assert_int_equal(p->n_errors, 0);
        assert_int_equal(policy_compile(p, &names, 0, &t, &message), 0);
        policy_names_done(&names);

        _cleanup_(btf_freep) struct btf *types = NULL;
        assert_int_equal(sensor_kernel_check(&types), 0);
        assert_int_equal(sensor_new(SENSOR_TRACEPOINT, types, &limits, NULL, &fixture.sensor), 0);
        sensor_policy_write(fixture.sensor, t);
        assert_int_equal(sensor_attach(fixture.sensor), 0);
        fixture.marks = map_find("bw_marks");
        assert_true(fixture.marks >= 0);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        close(fixture.marks);
        fixture.sensor = sensor_free(fixture.sensor);
        unlink(fixture.secret);
        rmdir(fixture.directory);
        return 0;
}

static void open_secret(void) {
        int fd = open(fixture.secret, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                close(fd);
}

static void send_out(void) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)!sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
        close(fd);
}

/* Forks a child that obeys 'o' (open the secret) and 's' (send), answers each by an event, which carries no mark as a pipe
 * would, and ends at end of file. */
static Child child_start(void) {
        int tell[2], told = eventfd(0, EFD_CLOEXEC);
        Child c;

        assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
        assert_true(told >= 0);
        c.pid = fork();
        assert_true(c.pid >= 0);
        if (c.pid == 0) {
                char order;
                close(tell[1]);
                while (read(tell[0], &order, 1) == 1) {
                        if (order == 'o')
                                open_secret();
                        else
                                send_out();
                        (void)eventfd_write(told, 1);
                }
                _exit(0);
        }
        close(tell[0]);
        c.tell = tell[1];
        c.told = told;
        return c;
}

static void child_order(const Child *c, char order) {
        eventfd_t answer;

        assert_int_equal(write(c->tell, &order, 1), 1);
        assert_int_equal(eventfd_read(c->told, &answer), 0);
}

/* The last one started first: it holds the pipes of those before it open. */
static void child_end(Child *c) {
        close(c->tell);
        close(c->told);
        assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
}

static int on_record(const void *record, size_t size, void *userdata) {
        const char *why;
        Event e;

        (void)userdata;
        assert_int_equal(event_decode(record, size, &e, &why), 0);
        if (e.kind == BW_KIND_CORRELATION) {
                fixture.n_correlations++;
                fixture.last = e;
        }
        return 0;
}

/* Everything a child did before it answered is in the ring: programs run in its own context. */
static unsigned correlations(void) {
        fixture.n_correlations = 0;
        while (sensor_consume(fixture.sensor, 64, on_record, NULL) == 64)
                ;
        return fixture.n_correlations;
}

static uint64_t counter(unsigned c) {
        uint64_t all[BW_COUNT_MAX];

        sensor_counters(fixture.sensor, all);
        return all[c];
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
static void test_late_is_told(void **state) {
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

        /* The late report is told once; a fresh one is not held back by it. */
        child_order(&c, 's');
        assert_int_equal(correlations(), 0);
        child_order(&c, 'o');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.fresh, 1);
        child_end(&c);
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
        uint64_t before = counter(BW_COUNT_MARKS_LIVE);

        (void)state;
        for (int i = 0; i < 50; i++) {
                Child c = child_start();
                child_order(&c, 'o');
                assert_int_equal(counter(BW_COUNT_MARKS_LIVE), before + 1);
                child_end(&c);
                assert_int_equal(counter(BW_COUNT_MARKS_LIVE), before);
        }
}

static void test_full_table_refuses_and_keeps(void **state) {
        const unsigned limit = MARKS_MAX * 90 / 100;
        Child children[MARKS_MAX];
        unsigned n = 0;

        (void)state;
        (void)correlations();
        while (counter(BW_LOSS_MARK_REFUSED) == 0 && n < MARKS_MAX) {
                children[n] = child_start();
                child_order(&children[n], 'o');
                n++;
        }
        assert_true(counter(BW_LOSS_MARK_REFUSED) > 0);
        assert_int_equal(counter(BW_COUNT_MARKS_LIVE), limit);
        assert_int_equal(n, limit + 1);

        /* Every marked one is still known, the refused one is not. */
        (void)correlations();
        for (unsigned i = 0; i < n; i++) {
                child_order(&children[i], 's');
                assert_int_equal(correlations(), i < limit ? 1 : 0);
        }
        while (n > 0)
                child_end(&children[--n]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_thief_is_seen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_late_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stale_mark_accuses_nobody, setup, teardown),
                cmocka_unit_test_setup_teardown(test_marks_end_with_their_process, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_table_refuses_and_keeps, setup, teardown),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
