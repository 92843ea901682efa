/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Shares of the tables: whom the programs charge for an entry, also after a process has become another
 * user's or has moved to another cgroup, and by which names a record and a listing say who has filled a
 * share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/prctl.h>

#include "sensor/cgroup-root.h"
#include "layout.h"
#include "marks-fixture.h"

#define MARKS_MAX 1024
#define CROWD_UID 65000

static int charges;

static int setup(void **state) {
        const SensorSizes sizes = fixture_sizes(MARKS_MAX);
        int r = fixture_open(&sizes, "60s");

        (void)state;
        charges = map_find("bw_charges");
        assert_true(charges >= 0);
        return r;
}

static int close_shares(void **state) {
        close(charges);
        return teardown(state);
}

/* The entries of one table that a user is charged for; cgroup 0: in all of them. */
static int64_t charged(uint32_t table, uint32_t uid, uint64_t cgroup) {
        const ChargeKey key = { .cgroup = cgroup, .uid = uid, .table = table };
        Charge c = {};

        return bpf_map_lookup_elem(charges, &key, &c) == 0 ? c.live : 0;
}

/* ---- several cgroups of one user ---- */

#define CGROUPS 3

#define CGROUP_NAME_SIZE 64

static void cgroup_name(unsigned n, char ret[static CGROUP_NAME_SIZE]) {
        (void)snprintf(ret, CGROUP_NAME_SIZE, "barbwire-test-%d-%u", getpid(), n);
}

static int cgroup_make(unsigned n) {
        bool complete;
        char name[CGROUP_NAME_SIZE];
        int root = cgroup_root_open(&complete);

        assert_true(root >= 0);
        cgroup_name(n, name);
        assert_true(mkdirat(root, name, 0755) == 0 || errno == EEXIST); /* of a case that failed */
        int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(root);
        return fd;
}

static void cgroup_remove(unsigned n) {
        bool complete;
        char name[CGROUP_NAME_SIZE];
        int root = cgroup_root_open(&complete);

        cgroup_name(n, name);
        (void)unlinkat(root, name, AT_REMOVEDIR);
        close(root);
}

/* As in records: its inode number. */
static uint64_t cgroup_id(int cgroup) {
        struct stat st;

        assert_int_equal(fstat(cgroup, &st), 0);
        return st.st_ino;
}

static void cgroup_enter(int cgroup, pid_t pid) {
        char text[16];
        int fd = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        int n = snprintf(text, sizeof(text), "%d", pid);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        close(fd);
}

/* The latest report of a full share names the cgroup, and the program that it was full for. */
static void assert_share_names(const int *cgroups, unsigned n) {
        char name[CGROUP_NAME_SIZE], program[16] = "";

        cgroup_name(n, name);
        assert_int_equal(fixture.last_share.cgroup_id, cgroup_id(cgroups[n]));
        assert_string_equal(fixture.last_share.cgroup, name);
        assert_int_equal(prctl(PR_GET_NAME, program), 0);
        assert_string_equal(fixture.last_share.comm, program);
}

/* Each cgroup has a part of the user's share, and all together no more than that share. */
static void test_share_over_cgroups(void **state) {
        const unsigned user = MARKS_MAX * 90 / 100 / 4, part = user / 2;
        Child children[CGROUPS * 130];
        unsigned n = 0;
        int cgroups[CGROUPS];

        (void)state;
        assert_true(CGROUPS * (part + 1) <= ELEMENTSOF(children));
        for (unsigned i = 0; i < CGROUPS; i++)
                cgroups[i] = cgroup_make(i);
        /* Two cgroups fill their parts, and with them the user's share, but for a remainder. */
        for (unsigned i = 0; i < 2; i++)
                for (unsigned k = 0; k <= part; k++, n++) {
                        children[n] = child_start_as(CROWD_UID);
                        cgroup_enter(cgroups[i], children[n].pid);
                        child_order(&children[n], 'o');
                        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), i + (k == part));
                }
        (void)correlations();
        assert_int_equal(fixture.last_share.uid, CROWD_UID);
        assert_share_names(cgroups, 1);
        assert_int_equal(fixture.last_share.live, part);
        for (unsigned k = 0; k <= user % 2; k++, n++) {
                children[n] = child_start_as(CROWD_UID);
                cgroup_enter(cgroups[2], children[n].pid);
                child_order(&children[n], 'o');
        }
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), user);
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), 3);
        (void)correlations();
        assert_int_equal(fixture.last_share.cgroup_id, 0);
        assert_int_equal(fixture.last_share.live, user);
        while (n > 0)
                child_end(&children[--n]);
        for (unsigned i = 0; i < CGROUPS; i++) {
                close(cgroups[i]);
                cgroup_remove(i);
        }
}

/* A listing, in which every account has the name of its cgroup. */
static void test_account_is_named(void **state) {
        char name[CGROUP_NAME_SIZE];
        int cgroup = cgroup_make(0);

        (void)state;
        Child c = child_start_as(CROWD_UID);
        cgroup_enter(cgroup, c.pid);
        child_order(&c, 'o');
        fixture.accounts = 0;
        sensor_list_begin(fixture.sensor);
        while (!sensor_list_step(fixture.sensor))
                (void)correlations();
        assert_int_equal(sensor_list_end(fixture.sensor), 0);
        (void)correlations();
        cgroup_name(0, name);
        /* The user's in that cgroup and in all of them. */
        unsigned found = 0, all = 0;
        for (unsigned i = 0; i < fixture.accounts; i++) {
                const EventAccount *a = &fixture.account[i];

                if (a->uid != CROWD_UID || a->table != BW_SHARE_MARKS)
                        continue;
                all += a->cgroup_id == 0;
                if (a->cgroup_id != cgroup_id(cgroup))
                        continue;
                assert_string_equal(a->cgroup, name);
                assert_int_equal(a->live, 1);
                assert_int_equal(a->max, MARKS_MAX * 90 / 100 / 4 / 2);
                found++;
        }
        assert_int_equal(found, 1);
        assert_int_equal(all, 1);
        child_end(&c);
        close(cgroup);
        cgroup_remove(0);
}

/* ---- processes that become another user's ---- */

/* A process of root's in a cgroup of its own, which becomes another user's, and then executes cat(1). */
typedef struct Service {
        pid_t pid;
        int orders, answers;
} Service;

static Service service_start(int cgroup, uid_t uid) {
        int orders[2], answers[2];
        Service s;

        assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
        assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
        s.pid = fork();
        assert_true(s.pid >= 0);
        if (s.pid == 0) {
                char byte;

                if (dup2(orders[0], STDIN_FILENO) < 0 || dup2(answers[1], STDOUT_FILENO) < 0)
                        _exit(1);
                cgroup_enter(cgroup, getpid());
                if (setresuid(uid, uid, uid) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
                                write(STDOUT_FILENO, "", 1) != 1 || read(STDIN_FILENO, &byte, 1) != 1)
                        _exit(1);
                execl("/bin/cat", "cat", NULL);
                _exit(1);
        }
        close(orders[0]);
        close(answers[1]);
        s.orders = orders[1];
        s.answers = answers[0];
        return s;
}

/* Waits until it has got so far: that it is another user's, or after an order that it has executed. */
static void service_wait(const Service *s) {
        char byte;

        assert_int_equal(read(s->answers, &byte, 1), 1);
}

/* One byte for itself, and one that cat(1) sends back. */
static void service_execute(const Service *s) {
        assert_int_equal(write(s->orders, "xx", 2), 2);
        service_wait(s);
}

static void service_end(const Service *s) {
        close(s->orders);
        close(s->answers);
        assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

/* A service is root's until it executes something as the user and in the cgroup that it is of then. */
static void test_lineage_follows_its_process(void **state) {
        const uint32_t table = BW_SHARE_LINEAGES;
        int cgroup = cgroup_make(0);
        uint64_t id = cgroup_id(cgroup);

        (void)state;
        Service s = service_start(cgroup, CROWD_UID);
        service_wait(&s);
        assert_int_equal(charged(table, CROWD_UID, 0), 0);
        assert_int_equal(charged(table, CROWD_UID, id), 0);
        service_execute(&s);
        assert_int_equal(charged(table, CROWD_UID, 0), 1);
        assert_int_equal(charged(table, CROWD_UID, id), 1);
        assert_int_equal(charged(table, 0, id), 0);
        service_end(&s);
        assert_int_equal(charged(table, CROWD_UID, 0), 0);
        assert_int_equal(charged(table, CROWD_UID, id), 0);

        /* The same user's, in another cgroup. */
        s = service_start(cgroup, 0);
        service_wait(&s);
        assert_int_equal(charged(table, 0, id), 0);
        service_execute(&s);
        assert_int_equal(charged(table, 0, id), 1);
        service_end(&s);
        assert_int_equal(charged(table, 0, id), 0);
        close(cgroup);
        cgroup_remove(0);
}

/* Beyond the share of the new user the former one goes on paying. */
static void test_lineage_of_a_full_share(void **state) {
        const uint32_t table = BW_SHARE_LINEAGES;
        const ChargeKey key = { .uid = CROWD_UID, .table = table };
        const Charge full = { .live = PROCESSES_MAX / 4 };
        int cgroup = cgroup_make(0);
        uint64_t id = cgroup_id(cgroup);

        (void)state;
        assert_int_equal(bpf_map_update_elem(charges, &key, &full, BPF_NOEXIST), 0);
        Service s = service_start(cgroup, CROWD_UID);
        service_wait(&s);
        service_execute(&s);
        assert_int_equal(charged(table, CROWD_UID, 0), full.live);
        assert_int_equal(charged(table, CROWD_UID, id), 0);
        (void)correlations();
        assert_int_equal(fixture.shares_reported, 1);
        assert_int_equal(fixture.last_share.table, table);
        assert_int_equal(fixture.last_share.uid, CROWD_UID);
        assert_int_equal(fixture.last_share.refused, 1);
        uint8_t value[8192];
        assert_int_equal(bpf_map_lookup_elem(fixture.processes, &s.pid, value), 0);
        service_end(&s);
        assert_int_equal(charged(table, CROWD_UID, 0), full.live);
        close(cgroup);
        cgroup_remove(0);
}

/* Of bpf/mark/share.bpf.h. */
#define SHARE_OF_ACCOUNTS 0xff
#define ACCOUNTS_OF_USER 4096

/* The accounts of a user's cgroups are counted, and end. With too many of them a further cgroup has none:
 * the user's share alone counts there. */
static void test_cgroups_of_a_user(void **state) {
        const ChargeKey key = { .uid = CROWD_UID, .table = SHARE_OF_ACCOUNTS };
        const Charge full = { .live = ACCOUNTS_OF_USER };

        (void)state;
        Child c = child_start_as(CROWD_UID);
        child_order(&c, 'o');
        const int64_t accounts = charged(SHARE_OF_ACCOUNTS, CROWD_UID, 0);
        assert_true(accounts >= 2); /* for the mark, and the name of the file */
        child_end(&c);
        for (unsigned i = 0; i < 1000 && charged(SHARE_OF_ACCOUNTS, CROWD_UID, 0) >= accounts; i++)
                sensor_tend(fixture.sensor);
        assert_true(charged(SHARE_OF_ACCOUNTS, CROWD_UID, 0) < accounts);

        assert_int_equal(bpf_map_update_elem(charges, &key, &full, BPF_ANY), 0);
        const int64_t marks = charged(BW_SHARE_MARKS, CROWD_UID, 0);
        int cgroup = cgroup_make(0);
        uint64_t id = cgroup_id(cgroup);
        Service s = service_start(cgroup, CROWD_UID);
        service_wait(&s);
        service_execute(&s);
        assert_int_equal(charged(BW_SHARE_LINEAGES, CROWD_UID, id), 0);
        assert_true(charged(BW_SHARE_LINEAGES, CROWD_UID, 0) > 0);
        assert_int_equal(charged(BW_SHARE_MARKS, CROWD_UID, 0), marks);
        assert_int_equal(loss(BW_LOSS_ACCOUNT_REFUSED), 0);
        (void)correlations();
        assert_int_equal(fixture.shares_reported, 0);
        service_end(&s);
        close(cgroup);
        cgroup_remove(0);
}

/* Accounts of users there are not, until the kernel refuses another. */
static void accounts_fill(void) {
        const Charge c = { .live = 1 };
        ChargeKey key = { .table = BW_SHARE_MARKS };

        for (key.uid = 1 << 24; bpf_map_update_elem(charges, &key, &c, BPF_NOEXIST) == 0; key.uid++)
                ;
        assert_int_equal(errno, E2BIG);
}

/* A user without an account gets no entry: each is counted, and the user suspected. */
static void test_full_accounts_are_counted(void **state) {
        SensorTable tables[SENSOR_TABLES];

        (void)state;
        Child c = child_start_as(CROWD_UID), other = child_start_as(CROWD_UID);
        const uint64_t suspected = count(BW_COUNT_MARKS_SUSPECTED);
        accounts_fill();
        assert_int_equal(loss(BW_LOSS_ACCOUNT_REFUSED), 0);
        child_order(&c, 'o'); /* a mark, the name of the file, and the memory of it */
        assert_int_equal(loss(BW_LOSS_ACCOUNT_REFUSED), 3);
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), suspected + 1);
        sensor_tables(fixture.sensor, tables);
        assert_int_equal(tables[BW_SHARE_MARKS].refused, suspected + 1);
        assert_int_equal(tables[BW_SHARE_FILES].refused, 1);
        assert_int_equal(tables[BW_SHARE_NAMES].refused, 1);
        (void)correlations();
        assert_int_equal(fixture.shares_reported, 0); /* no share is full */
        child_order(&other, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, BW_CORRELATION_SUSPECT);
        child_end(&other);
        child_end(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_share_over_cgroups, setup, close_shares),
                cmocka_unit_test_setup_teardown(test_account_is_named, setup, close_shares),
                cmocka_unit_test_setup_teardown(test_lineage_follows_its_process, setup, close_shares),
                cmocka_unit_test_setup_teardown(test_lineage_of_a_full_share, setup, close_shares),
                cmocka_unit_test_setup_teardown(test_cgroups_of_a_user, setup, close_shares),
                cmocka_unit_test_setup_teardown(test_full_accounts_are_counted, setup, close_shares),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
