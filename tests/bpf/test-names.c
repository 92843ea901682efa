/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of names that alerts report: names leave it when nothing refers to them any more, and not
 * before; a user who fills their share costs others no name. */

#include "marks-fixture.h"

#define MARKS_MAX 1024
#define FLOODER_UID 65000

/* The share of a cgroup of root, which is a user's in all cgroups, and half of it for one. */
#define SHARE 4096
/* More than that, and than the daemon leaves alone. */
#define FLOOD (SHARE + 500)
/* Rounds until what is not used is gone, and some more. */
#define SWEEPS 5

static int names;

static int setup(void **state) {
        SensorSizes sizes = fixture_sizes(MARKS_MAX);

        (void)state;
        sizes.limit[BW_SHARE_NAMES] = 4 * SHARE;
        sizes.user_share[BW_SHARE_NAMES] = SHARE;
        int r = fixture_open(&sizes, "600s");
        names = map_find("bw_names");
        assert_true(names >= 0);
        return r;
}

static int close_names(void **state) {
        close(names);
        return teardown(state);
}

/* As on_sweep_timer() does it, but without pauses. Consumes the records, so that the ring has room. */
static void sweep(unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                fixture.sensor->names.next_usec = 0;
                while (sensor_sweep(fixture.sensor))
                        ;
                (void)correlations();
        }
}

static void child_order_often(const Child *c, char order, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                child_order(c, order);
}

/* Removes the files that children have made by 'a'. */
static void files_remove(void) {
        char pattern[80];
        glob_t files;

        (void)snprintf(pattern, sizeof(pattern), "%s/file-secret-*", fixture.directory);
        assert_int_equal(glob(pattern, GLOB_NOSORT, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc; i++)
                assert_int_equal(unlink(files.gl_pathv[i]), 0);
        globfree(&files);
}

static bool reported, exe_reported;
static unsigned alerts, flags;

static int on_alert(const void *record, size_t size, void *userdata) {
        const char *path = userdata, *why;
        Event e;

        assert_int_equal(event_decode(record, size, &e, &why), 0);
        if (e.kind != BW_KIND_CORRELATION)
                return 0;
        alerts++;
        flags = e.correlation.flags;
        exe_reported = e.correlation.process.exe.size > 0;
        for (unsigned i = 0; i < e.correlation.n_files; i++)
                reported |= strcmp(e.correlation.files[i].path.data, path) == 0;
        return 0;
}

/* The alert of what a child sends now tells its program and this file, and maybe not all names. */
static void assert_tells(const Child *c, char *path) {
        (void)correlations();
        child_order(c, 's');
        reported = exe_reported = false;
        alerts = 0;
        while (sensor_consume(fixture.sensor, 64, on_alert, path) == 64)
                ;
        assert_int_equal(alerts, 1);
        assert_true(reported && exe_reported);
}

static void assert_reported(const Child *c, char *path) {
        assert_tells(c, path);
        assert_int_equal(flags & BW_CORRELATION_NAME_LOST, 0);
}

/* Names of files that nobody holds, and that do not exist any more, leave; that of a file which a process
 * holds stays, as do those of programs that run. */
static void test_names_end_with_their_use(void **state) {
        Child holder = child_start(), reader = child_start();

        (void)state;
        const uint64_t before = count(BW_COUNT_NAMES_LIVE);
        child_order(&holder, 'o');
        child_order_often(&reader, 'a', FLOOD / 2);
        assert_in_range(count(BW_COUNT_NAMES_LIVE), before + FLOOD / 2, before + FLOOD / 2 + 100);
        assert_int_equal(count(BW_COUNT_NAMES_REFUSED), 0);
        child_end(&reader);
        files_remove();
        sweep(SWEEPS);
        /* No round begins for as few. */
        assert_true(count(BW_COUNT_NAMES_LIVE) < before + 100);
        assert_reported(&holder, fixture.secret);
        child_end(&holder);
}

/* As sensor/sweep.c does it, in two parts. */
static void round_begin(void) {
        struct bw_shared *shared = fixture.sensor->shared;

        shared->list_quiet = 1;
        shared->names_round++;
        shared->list_number = shared->list_begun + 1;
        sensor_call(fixture.sensor, 1);
        assert_int_not_equal(shared->marks_listed, shared->list_number);
}

static void round_end(void) {
        struct bw_shared *shared = fixture.sensor->shared;

        /* No longer: what is left of it would come by every mark again. Programs were seen at forks. */
        while (shared->marks_listed != shared->list_number)
                sensor_call(fixture.sensor, 1);
        shared->list_quiet = shared->list_number = 0;
        shared->names_swept = shared->names_round;
        sensor_call(fixture.sensor, count(BW_COUNT_NAMES_LIVE) / 64 + 1);
        shared->names_swept = 0;
        /* The newest mark goes to the end of the queue again. */
        sensor_call(fixture.sensor, 1);
}

/* Marked processes whose marks are looked at before another one's, by one system call. */
#define OTHERS 200

/* A name is reported although each process that holds it ends before a round comes to its mark, and its
 * child's mark is none of this round: the child's copy of the name counts as seen. */
static void test_names_are_inherited(void **state) {
        Child others[OTHERS], holder;
        siginfo_t ended;

        (void)state;
        for (unsigned i = 0; i < OTHERS; i++) {
                others[i] = child_start();
                child_order(&others[i], 'a');
        }
        holder = child_start();
        child_order(&holder, 'o');
        assert_int_equal(unlink(fixture.secret), 0);
        sensor_call(fixture.sensor, 10); /* only the mark knows it now */
        pid_t pid = holder.pid;
        for (unsigned i = 0; i < 4; i++) {
                round_begin();
                child_order(&holder, 'i');
                if (i == 0)
                        assert_int_equal(waitid(P_PID, pid, &ended, WEXITED | WNOWAIT), 0);
                else
                        usleep(100000);
                round_end();
        }
        assert_reported(&holder, fixture.secret);
        child_end(&holder);
        for (unsigned i = OTHERS; i-- > 0;)
                child_end(&others[i]);
}

/* A user who opens more files than their share is named, and what they opened last is reported all the same.
 * It costs another user nothing. */
static void test_flood_costs_the_flooder(void **state) {
        Child flooder = child_start_as(FLOODER_UID), other = child_start_as(FLOODER_UID + 1);
        SensorTable tables[SENSOR_TABLES];

        (void)state;
        assert_int_equal(chmod(fixture.directory, 0777), 0);
        child_order_often(&flooder, 'a', SHARE / 2 + 100);
        (void)correlations();
        assert_int_equal(fixture.last_share.table, BW_SHARE_NAMES);
        assert_int_equal(fixture.last_share.uid, FLOODER_UID);
        assert_in_range(fixture.last_share.live, SHARE / 2 - 1, SHARE / 2);
        sensor_tables(fixture.sensor, tables);
        /* Each open asks twice: for its mark, and for the memory of files. */
        assert_in_range(tables[BW_SHARE_NAMES].refused, 90, 220);
        assert_int_equal(tables[BW_SHARE_NAMES].refused, count(BW_COUNT_NAMES_REFUSED));
        assert_int_equal(tables[BW_SHARE_NAMES].live, count(BW_COUNT_NAMES_LIVE));
        child_order(&flooder, 'o');
        /* Its earlier files may have replaced each other. */
        assert_tells(&flooder, fixture.secret);
        child_order(&other, 'o');
        assert_reported(&other, fixture.secret);
        child_end(&other);
        child_end(&flooder);
        /* The share is free again. */
        files_remove();
        sweep(SWEEPS);
        assert_true(count(BW_COUNT_NAMES_LIVE) < SHARE / 2 - 500);
}

typedef struct Name {
        uint64_t cgroup;
        uint32_t uid, round;
        struct bw_object object;
        uint16_t length;
        uint8_t text[256], zero[6];
} Name;

/* Removes a name, as an eviction would. */
static void name_remove(const char *text) {
        uint64_t key;
        Name n;

        for (int r = bpf_map_get_next_key(names, NULL, &key); r == 0;
                        r = bpf_map_get_next_key(names, &key, &key)) {
                if (bpf_map_lookup_elem(names, &key, &n) < 0 || n.length != strlen(text) ||
                                memcmp(n.text, text, n.length) != 0)
                        continue;
                assert_int_equal(bpf_map_delete_elem(names, &key), 0);
                return;
        }
        fail_msg("%s has no name", text);
}

/* The alert of what a child sends now has the name by which its only file is known, or says that it is
 * lost. */
static void assert_real(const Child *c, const char *real) {
        (void)correlations();
        child_order(c, 's');
        assert_int_equal(correlations(), 1);
        const EventCorrelation *e = &fixture.last.correlation; /* nothing has been written over it yet */
        assert_int_equal(e->n_files, 1);
        assert_string_equal(e->files[0].path.data, fixture.secret);
        assert_string_equal(e->files[0].real_path.data, real ?: "");
        assert_int_equal(e->files[0].real_lost, !real);
        assert_int_equal(e->flags & BW_CORRELATION_NAME_LOST, 0);
}

/* A file is opened by a link: the alert has its other name, too, or says that it was lost. */
static void test_lost_real_name(void **state) {
        char real[sizeof(fixture.secret)];

        (void)state;
        Child opener = child_start();
        child_order(&opener, 'o');
        strcpy(real, fixture.secret);
        (void)snprintf(fixture.secret, sizeof(fixture.secret), "%s/file-link", fixture.directory);
        assert_int_equal(link(real, fixture.secret), 0);
        Child first = child_start(), second = child_start();
        child_order(&first, 'o');
        child_order(&second, 'o');
        assert_real(&first, real);
        name_remove(real);
        assert_real(&second, NULL);
        child_end(&second);
        child_end(&first);
        child_end(&opener);
        assert_int_equal(unlink(real), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_names_end_with_their_use, setup, close_names),
                cmocka_unit_test_setup_teardown(test_names_are_inherited, setup, close_names),
                cmocka_unit_test_setup_teardown(test_flood_costs_the_flooder, setup, close_names),
                cmocka_unit_test_setup_teardown(test_lost_real_name, setup, close_names),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
