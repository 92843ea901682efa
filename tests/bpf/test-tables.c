/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The tables of marks at their limits: what must make room becomes a suspicion, what cannot be counted
 * exactly is repaired, every refusal is counted, and a table that was filled is empty after its windows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "abi/shared.h"
#include "layout.h"
#include "marks-fixture.h"

#define MARKS_MAX 1024
#define CROWD_UID 65000
/* bpf/lib/maps.bpf.h */
#define TICK_SHIFT 24
#define TICKS_MINUTE (UINT64_C(60000000000) >> TICK_SHIFT)
/* SWEEP_FULL of bpf/mark/mark.bpf.h. */
#define SWEEP_FULL 64

static struct bw_shared *shared;
static int objects, object_queue, marked;

static int tables_open(const SensorSizes *sizes, const char *late) {
        int r = fixture_open(sizes, late), bss = map_find("barbwire.bss");

        assert_true(bss >= 0);
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, bss, 0);
        assert_ptr_not_equal(shared, MAP_FAILED);
        close(bss);
        objects = map_find("bw_objects");
        object_queue = map_find("bw_object_queue");
        marked = map_find("bw_marked");
        assert_true(objects >= 0 && object_queue >= 0 && marked >= 0);
        return r;
}

static int setup(void **state) {
        const SensorSizes sizes = fixture_sizes(MARKS_MAX);

        (void)state;
        return tables_open(&sizes, "60s");
}

/* Room for all contents that two writers make. */
static int setup_large(void **state) {
        const SensorSizes sizes = fixture_sizes(65536);

        (void)state;
        return tables_open(&sizes, "60s");
}

static int close_tables(void **state) {
        munmap(shared, sizeof(*shared));
        close(objects);
        close(object_queue);
        close(marked);
        return teardown(state);
}

/* Waits for another CPU, which may be the one that sweeps. */
static void assert_count(enum bw_count c, uint64_t wanted) {
        for (time_t end = time(NULL) + 10; count(c) != wanted && time(NULL) < end;)
                ;
        assert_int_equal(count(c), wanted);
}

/* The next system call of any process sweeps as if a table were full. */
static void sweep_full(void) {
        do
                __atomic_store_n(&shared->sweep_due, SWEEP_FULL, __ATOMIC_RELAXED);
        while (getppid() < 0 || __atomic_load_n(&shared->sweep_due, __ATOMIC_RELAXED) == SWEEP_FULL);
}

/* A file that is not in the kernel's cache gives up its entry when the table is full; then its user and
 * cgroup are suspected of what it held. */
static void test_evicted_file_is_suspected(void **state) {
        Child writer = child_start_as(CROWD_UID), other = child_start_as(CROWD_UID),
              stranger = child_start_as(CROWD_UID + 1);
        ObjectRef ref;
        uint64_t key;

        (void)state;
        child_order(&writer, 'o');
        child_order(&writer, 'f');
        assert_int_equal(count(BW_COUNT_OBJECTS_LIVE), 1);
        assert_int_equal(bpf_map_get_next_key(objects, NULL, &key), 0);
        assert_int_equal(bpf_map_lookup_elem(objects, &key, &ref), 0);
        assert_int_equal(ref.via, BW_VIA_FILE);
        assert_int_equal(ref.uid, CROWD_UID);

        /* As long as it is in the cache it stays. */
        sweep_full();
        assert_int_equal(count(BW_COUNT_OBJECTS_LIVE), 1);
        child_order(&other, 's');
        assert_int_equal(correlations(), 0);

        ref.address = 0;
        assert_int_equal(bpf_map_update_elem(objects, &key, &ref, BPF_EXIST), 0);
        sweep_full();
        assert_count(BW_COUNT_OBJECTS_LIVE, 0);
        SensorTable tables[SENSOR_TABLES];
        sensor_tables(fixture.sensor, tables);
        assert_int_equal(tables[BW_SHARE_OBJECTS].dropped, 1);
        assert_int_equal(tables[BW_SHARE_OBJECTS].refused, 0);
        child_order(&stranger, 's');
        assert_int_equal(correlations(), 0);
        child_order(&other, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, BW_CORRELATION_SUSPECT);
        assert_int_equal(fixture.last.correlation.classes, 1);
        child_end(&stranger);
        child_end(&other);
        child_end(&writer);
}

/* The share of one user of remembered files, and the part of it that one class has. */
#define FILES_SHARE 16
#define FILES_OF_CLASS (FILES_SHARE / 4)

/* The only entry of the table, of a file that has left the kernel's cache. */
static uint64_t file_leave_cache(int files) {
        uint64_t key, more;
        Sensitive s;

        assert_int_equal(count(BW_COUNT_FILES_LIVE), 1);
        assert_int_equal(bpf_map_get_next_key(files, NULL, &key), 0);
        assert_int_equal(bpf_map_get_next_key(files, &key, &more), -ENOENT);
        assert_int_equal(bpf_map_lookup_elem(files, &key, &s), 0);
        s.address = 0;
        assert_int_equal(bpf_map_update_elem(files, &key, &s, BPF_EXIST), 0);
        return key;
}

/* A file that is not in the kernel's cache gives up its entry when its user's share is full, but not if it
 * has got another name since: nothing else is known of it. */
static void test_renamed_file_stays(void **state) {
        char moved[160];

        (void)state;
        for (unsigned renamed = 0; renamed < 2; renamed++) {
                SensorSizes sizes = fixture_sizes(MARKS_MAX);
                Sensitive s;

                sizes.user_share[BW_SHARE_FILES] = FILES_SHARE;
                assert_int_equal(tables_open(&sizes, "60s"), 0);
                const int files = map_find("bw_sensitive");
                Child c = child_start_as(CROWD_UID);
                child_order(&c, 'o');
                if (renamed) {
                        (void)snprintf(moved, sizeof(moved), "%s/file-moved", fixture.directory);
                        assert_int_equal(rename(fixture.secret, moved), 0);
                }
                uint64_t key = file_leave_cache(files);
                for (unsigned i = 0; i < 2 * FILES_OF_CLASS; i++)
                        child_order(&c, 'a');
                assert_int_equal(count(BW_COUNT_FILES_LIVE), FILES_OF_CLASS);
                assert_int_equal(count(BW_COUNT_FILES_DROPPED), !renamed);
                assert_int_equal(count(BW_COUNT_FILES_REFUSED), FILES_OF_CLASS + renamed);
                assert_int_equal(bpf_map_lookup_elem(files, &key, &s), renamed ? 0 : -ENOENT);
                child_end(&c);
                close(files);
                if (!renamed)
                        assert_int_equal(close_tables(state), 0);
        }
}

/* Two processes on two CPUs give one file a new content again and again. The one that it has is there, and
 * counts it; no content counts less than none, which would keep it, or more than the writes that collided.
 */
static void test_two_writers(void **state) {
        enum { ROUNDS = 3 };
        Child writers[2] = { child_start(), child_start() };
        uint64_t key, previous, *at = NULL;
        ObjectRef ref;
        eventfd_t answer;
        Mark m;

        (void)state;
        for (unsigned i = 0; i < ELEMENTSOF(writers); i++) {
                cpu_set_t one;

                CPU_ZERO(&one);
                CPU_SET(i, &one);
                if (sched_setaffinity(writers[i].pid, sizeof(one), &one) < 0)
                        print_message("# one CPU: the writers take turns\n");
        }
        for (unsigned i = 0; i < ROUNDS; i++) {
                assert_int_equal(write(writers[0].orders, "x", 1), 1);
                child_order(&writers[1], 'x');
                assert_int_equal(eventfd_read(writers[0].done, &answer), 0);
        }
        assert_int_equal(count(BW_COUNT_OBJECTS_LIVE), 1);
        assert_int_equal(bpf_map_get_next_key(objects, NULL, &key), 0);
        assert_int_equal(bpf_map_lookup_elem(objects, &key, &ref), 0);
        assert_int_equal(bpf_map_lookup_elem(fixture.marks, &ref.content, &m), 0);
        assert_in_range(m.refs, 1, 2);
        for (; bpf_map_get_next_key(fixture.marks, at, &key) == 0; previous = key, at = &previous)
                if (key & BW_HOLDER_OBJECT && bpf_map_lookup_elem(fixture.marks, &key, &m) == 0)
                        assert_in_range(m.refs, 0, 2);
        for (unsigned i = ELEMENTSOF(writers); i > 0; i--)
                child_end(&writers[i - 1]);
}

/* Entries of a queue that no mark belongs to. */
static void queue_fill(int queue) {
        uint64_t holder = BW_HOLDER_OBJECT | 1;

        while (bpf_map_update_elem(queue, NULL, &holder, BPF_ANY) == 0)
                ;
        assert_int_equal(errno, E2BIG);
}

/* A new child obeys, with the queue full: another CPU may sweep a few entries just before, then the next
 * does. */
static void assert_lost(int queue, const char *orders) {
        enum { TRIES = 20 };
        uint64_t before = loss(BW_LOSS_SWEEP_LOST);

        for (unsigned i = 0; i < TRIES && loss(BW_LOSS_SWEEP_LOST) == before; i++) {
                Child c = child_start_as(CROWD_UID);

                for (const char *order = orders; *order; order++) {
                        queue_fill(queue);
                        child_order(&c, *order);
                }
                /* The mark is as good as any, and ends with its process. */
                (void)correlations();
                child_order(&c, 's');
                assert_int_equal(correlations(), 1);
                child_end(&c);
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), 0);
        }
        assert_true(loss(BW_LOSS_SWEEP_LOST) > before);
}

static void test_full_queue_is_counted(void **state) {
        (void)state;
        assert_lost(marked, "o");
        assert_lost(object_queue, "of");
}

/* Contents have a limit of their own, below which every user's share is larger than what is asked for. */
static void test_limit_of_contents(void **state) {
        enum { LIMIT = 20 };
        SensorSizes sizes = fixture_sizes(MARKS_MAX);

        (void)state;
        sizes.contents_limit = LIMIT;
        assert_int_equal(tables_open(&sizes, "60s"), 0);
        Child c = child_start_as(CROWD_UID), other = child_start_as(CROWD_UID);
        for (unsigned i = 0; i < LIMIT; i++)
                child_order(&c, 'p');
        assert_int_equal(count(BW_COUNT_CONTENTS_LIVE), LIMIT);
        assert_int_equal(loss(BW_LOSS_OBJECT_REFUSED), 0);
        assert_int_equal(count(BW_COUNT_OBJECTS_SUSPECTED), 0);
        child_order(&c, 'p');
        assert_int_equal(loss(BW_LOSS_OBJECT_REFUSED), 1);
        assert_int_equal(count(BW_COUNT_OBJECTS_SUSPECTED), 1);
        assert_int_equal(count(BW_COUNT_CONTENTS_LIVE), LIMIT + 1); /* the suspicion itself */
        (void)correlations();
        child_order(&other, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, BW_CORRELATION_SUSPECT);
        child_end(&other);
        child_end(&c);
}

/* Entries that nobody is charged for, until the kernel refuses another: from now on an insert fails, as it
 * does when the kernel has no memory. */
static void table_fill(int table, size_t key_bytes) {
        const uint8_t value[8192] = {};
        uint64_t key = UINT64_C(1) << 40 | 1 << 30; /* of no PID, in either half of it */

        assert_in_range(key_bytes, 4, sizeof(key));
        while (bpf_map_update_elem(table, &key, value, BPF_NOEXIST) == 0)
                key++;
        assert_int_equal(errno, E2BIG);
}

/* Entries of a table that is filled. */
#define SMALL 1024

/* A table that takes no entry, although every user's share has room. Each is counted, and what cannot be
 * marked is attributed to its user. */
static void test_full_tables_are_counted(void **state) {
        SensorSizes sizes = fixture_sizes(MARKS_MAX);

        (void)state;
        sizes.limit[BW_SHARE_FILES] = sizes.limit[BW_SHARE_OBJECTS] = sizes.limit[BW_SHARE_MAPPINGS] = SMALL;
        assert_int_equal(tables_open(&sizes, "60s"), 0);
        const int files = map_find("bw_sensitive"), mappings = map_find("bw_mappings");
        assert_true(files >= 0 && mappings >= 0);
        Child c = child_start_as(CROWD_UID), other = child_start_as(CROWD_UID);
        table_fill(files, sizeof(uint64_t));
        child_order(&c, 'o');
        assert_int_equal(loss(BW_LOSS_FILE_REFUSED), 1);
        assert_int_equal(count(BW_COUNT_FILES_LIVE), 0);
        (void)correlations();
        child_order(&other, 's');
        assert_int_equal(correlations(), 0);

        table_fill(objects, sizeof(uint64_t));
        child_order(&c, 'f');
        assert_int_equal(loss(BW_LOSS_OBJECT_REFUSED), 1);
        assert_int_equal(count(BW_COUNT_OBJECTS_SUSPECTED), 1);
        assert_int_equal(count(BW_COUNT_OBJECTS_LIVE), 0);
        (void)correlations();
        child_order(&other, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, BW_CORRELATION_SUSPECT);

        table_fill(mappings, sizeof(uint64_t));
        child_order(&c, 'm');
        assert_true(loss(BW_LOSS_MAPPING_REFUSED) > 0);

        table_fill(fixture.processes, sizeof(uint32_t));
        Child unknown = child_start_as(CROWD_UID);
        uint8_t value[8192];
        assert_true(loss(BW_LOSS_LINEAGE_REFUSED) > 0);
        assert_int_equal(bpf_map_lookup_elem(fixture.processes, &unknown.pid, value), -ENOENT);
        /* Its theft is alerted all the same. */
        child_order(&unknown, 'o');
        child_order(&unknown, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.process.pid, unknown.pid);
        /* Its file, and the socket of this host that it sends to. */
        assert_int_equal(loss(BW_LOSS_FILE_REFUSED) + loss(BW_LOSS_OBJECT_REFUSED), 4);
        SensorTable tables[SENSOR_TABLES];
        sensor_tables(fixture.sensor, tables);
        assert_int_equal(tables[BW_SHARE_MARKS].refused, 0);
        assert_int_equal(tables[BW_SHARE_FILES].refused, 2);
        /* Memory that has no entry is an object of its own each time that its process reads a secret. */
        assert_int_equal(tables[BW_SHARE_OBJECTS].refused, count(BW_COUNT_OBJECTS_SUSPECTED));
        assert_int_equal(tables[BW_SHARE_MAPPINGS].refused, loss(BW_LOSS_MAPPING_REFUSED));
        assert_int_equal(tables[BW_SHARE_LINEAGES].refused, loss(BW_LOSS_LINEAGE_REFUSED));

        child_end(&unknown);
        child_end(&other);
        child_end(&c);
        close(files);
        close(mappings);
}

/* ---- fill, expiry, fill ---- */

/* Fills the table with marks of processes that there are not, as the programs would, up to the limit. */
static unsigned marks_fill(const SensorSizes *sizes, uint64_t until_mono_ns) {
        const unsigned limit = sizes->limit[BW_SHARE_MARKS];
        Mark m = { .start_boot_ns = 1, .until_mono_ns = until_mono_ns };

        for (uint64_t pid = 1; pid <= limit; pid++) {
                uint64_t key = 1 << 22 | pid; /* above any PID */

                assert_int_equal(bpf_map_update_elem(fixture.marks, &key, &m, BPF_NOEXIST), 0);
                assert_int_equal(bpf_map_update_elem(marked, NULL, &key, BPF_ANY), 0);
        }
        __atomic_fetch_add(&shared->counts[BW_COUNT_MARKS_LIVE], limit, __ATOMIC_RELAXED);
        return limit;
}

static unsigned marks_there(void) {
        uint64_t key, previous, *at = NULL;
        unsigned n = 0;

        for (; bpf_map_get_next_key(fixture.marks, at, &key) == 0; previous = key, at = &previous)
                n++;
        return n;
}

static uint64_t mono_ns(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A table of any size keeps what it has up to its limit, refuses more, and is empty when all windows have
 * passed; then it can be filled again. */
static void fill_twice(unsigned marks_max) {
        const SensorSizes sizes = fixture_sizes(marks_max);

        assert_int_equal(tables_open(&sizes, "60s"), 0);
        Child c = child_start_as(CROWD_UID);
        for (unsigned round = 0; round < 2; round++) {
                uint64_t refused = loss(BW_LOSS_MARK_REFUSED);
                unsigned limit = marks_fill(&sizes, mono_ns() + UINT64_C(3600000000000));

                /* Nothing was evicted. In the second round the suspicion of the first is there. */
                assert_in_range(marks_there(), limit, limit + round);
                child_order(&c, 'o');
                assert_int_equal(loss(BW_LOSS_MARK_REFUSED), refused + 1);
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), limit);

                /* Their windows pass: as if they had been made earlier. */
                Mark m = { .start_boot_ns = 1, .until_mono_ns = 1 };
                for (uint64_t pid = 1; pid <= limit; pid++) {
                        uint64_t key = 1 << 22 | pid;
                        assert_int_equal(bpf_map_update_elem(fixture.marks, &key, &m, BPF_EXIST), 0);
                }
                uint64_t began = mono_ns();
                for (unsigned i = 0; i < 2 * (limit / SWEEP_FULL + 1) && count(BW_COUNT_MARKS_LIVE) > 0; i++)
                        sweep_full();
                print_message("# %u marks swept in %" PRIu64 " ns each\n", limit,
                                (mono_ns() - began) / limit);
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), 0);
                /* What the refused process read is attributed to its user: one entry, for its window. */
                assert_in_range(marks_there(), 0, 1);
                assert_int_equal(loss(BW_LOSS_SWEEP_LOST), 0);
                child_order(&c, 'o');
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), 1);
                assert_int_equal(loss(BW_LOSS_MARK_REFUSED), refused + 1);
                child_end(&c);
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), 0);
                c = child_start_as(CROWD_UID);
        }
        child_end(&c);
}

/* What is looked at only while anybody is suspected ends with the last suspicion, and not before. */
static void test_suspicion_ends(void **state) {
        const uint64_t now = mono_ns() >> TICK_SHIFT;

        (void)state;
        assert_int_equal(shared->suspects, 0);
        ObjectRef ref;
        uint64_t key;
        Child c = child_start_as(CROWD_UID), other = child_start_as(CROWD_UID);
        child_order(&c, 'o');
        child_order(&c, 'f');
        assert_int_equal(bpf_map_get_next_key(objects, NULL, &key), 0);
        assert_int_equal(bpf_map_lookup_elem(objects, &key, &ref), 0);
        ref.address = 0;
        assert_int_equal(bpf_map_update_elem(objects, &key, &ref, BPF_EXIST), 0);
        sweep_full();
        assert_count(BW_COUNT_OBJECTS_LIVE, 0);
        assert_in_range(shared->suspects - (uint32_t)now, TICKS_MINUTE - 2, TICKS_MINUTE + TICKS_MINUTE / 2);
        sensor_tend(fixture.sensor);
        assert_int_not_equal(shared->suspects, 0);
        child_order(&other, 's');
        assert_int_equal(correlations(), 1);

        /* As if the minute were over. */
        shared->suspects = (uint32_t)(mono_ns() >> TICK_SHIFT) - 2;
        shared->memory_until = shared->suspects;
        sensor_tend(fixture.sensor);
        assert_int_equal(shared->suspects, 0);
        assert_int_equal(shared->memory_until, 0);
        child_end(&other);
        child_end(&c);
}

static void test_fill_4096(void **state) {
        (void)state;
        fill_twice(4096);
}

static void test_fill_65536(void **state) {
        (void)state;
        fill_twice(65536);
}

/* The largest MaxMarks=. Takes 900 MiB, which not every machine has. */
static void test_fill_500000(void **state) {
        const Machine machine = machine_read();

        (void)state;
        fill_twice(machine.memory_bytes < UINT64_C(3) << 30 || !getenv("BW_LONG") ? 8192 : 500000);
}

static int setup_nothing(void **state) {
        (void)state;
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_evicted_file_is_suspected, setup, close_tables),
                cmocka_unit_test_setup_teardown(test_renamed_file_stays, setup_nothing, close_tables),
                cmocka_unit_test_setup_teardown(test_two_writers, setup_large, close_tables),
                cmocka_unit_test_setup_teardown(test_full_queue_is_counted, setup, close_tables),
                cmocka_unit_test_setup_teardown(test_limit_of_contents, setup_nothing, close_tables),
                cmocka_unit_test_setup_teardown(test_suspicion_ends, setup, close_tables),
                cmocka_unit_test_setup_teardown(test_full_tables_are_counted, setup_nothing, close_tables),
                cmocka_unit_test_setup_teardown(test_fill_4096, setup_nothing, close_tables),
                cmocka_unit_test_setup_teardown(test_fill_65536, setup_nothing, close_tables),
                cmocka_unit_test_setup_teardown(test_fill_500000, setup_nothing, close_tables),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
