/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A valid record decodes to its values; each check fails when exactly the bytes that it checks are changed.
 */

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "abi/counters.h"
#include "event/decode.h"
#include "basic/util.h"
#include "../event-fixture.h"

#define STRINGS_MAX 512

typedef struct Record {
        struct bw_correlation fixed;
        char strings[STRINGS_MAX];
} Record;

_Static_assert(offsetof(Record, strings) == sizeof(struct bw_correlation), "strings follow the fixed part");

static struct bw_string put(Record *r, const char *s, size_t size) {
        struct bw_string where = { .offset = (uint16_t)r->fixed.header.size, .length = (uint16_t)size };

        assert_true(r->fixed.header.size + size < sizeof(Record));
        memcpy((char *)r + where.offset, s, size);
        r->fixed.header.size += (uint32_t)size + 1;
        return where;
}

#define PUT(r, s) put(r, s, sizeof(s) - 1)

/* n hops, one after the other, at whatever address comes next. */
static struct bw_string put_route(Record *r, size_t n) {
        struct bw_hop hops[BW_HOPS_MAX + 1] = { 0 };

        for (size_t i = 0; i < n; i++) {
                hops[i] = (struct bw_hop){ .pid = 40 + (uint32_t)i, .via = (uint8_t)(BW_VIA_PIPE + i % 2) };
                strcpy(hops[i].comm, i == 0 ? "cat" : "fifteen-bytes-y");
        }
        return put(r, (const char *)hops, n * sizeof(hops[0]));
}

static struct bw_string put_object(Record *r, uint32_t n) {
        const struct bw_object object = { .inode = n, .ctime_ns = n + 1, .device = n + 2 };

        return put(r, (const char *)&object, sizeof(object));
}

static Record record_new(void) {
        Record r = { .fixed = {
                .header = {
                        .version = BW_EVENT_VERSION,
                        .kind = BW_KIND_CORRELATION,
                        .size = sizeof(struct bw_correlation),
                        .boot_ns = 1111,
                        .mono_ns = 2222,
                        .cpu = 3,
                },
                .classes = 0x8000000000000001,
                .fresh = 0x8000000000000002, /* bit 1 is none of the classes */
                .bound = 3, /* the same */
                .passed = 3,
                .window_ns = 4444,
                .slot = 5,
                .generation = 6,
                .flags = BW_CORRELATION_FILES_MORE | BW_CORRELATION_CMDLINE_CUT,
                .process = {
                        .start_boot_ns = 7,
                        .cgroup_id = 8,
                        .exe_inode = 9,
                        .exe_device = 10,
                        .pid = 11,
                        .tid = 12,
                        .uid = 13,
                        .loginuid = 14,
                        .mount_namespace = 15,
                        .group = 16,
                        .flags = BW_PROCESS_NOT_HOST | BW_PROCESS_TRACED,
                        .comm = "python3",
                },
                .destination = {
                        .address = { 192, 0, 2, 7 },
                        .port = 443,
                        .family = AF_INET,
                        .protocol = 6,
                        .act = BW_ACT_SEND,
                },
                .n_lineage = 2,
                .lineage = {
                        { .start_boot_ns = 20, .pid = 21, .comm = "bash" },
                        { .start_boot_ns = 22, .pid = 23, .comm = "fifteen-bytes-x" },
                },
                .n_files = 2,
                .files = {
                        {
                                .mono_ns = 30,
                                .classes = 1,
                                .inode = 31,
                                .device = 32,
                                .pid = 33,
                                .uid = 34,
                                .generation = 35,
                                .via = BW_VIA_FORK,
                                .flags = BW_FILE_PATH_TRUNCATED,
                                .comm = "sh",
                        },
                        { .via = BW_VIA_OPEN, .comm = "cat" },
                },
        } };

        r.fixed.process.exe = PUT(&r, "/usr/bin/python3.11");
        r.fixed.process.cmdline = PUT(&r, "python3\0\0-c\0x");
        r.fixed.process.cgroup = PUT(&r, "/user.slice");
        r.fixed.lineage[0].exe = PUT(&r, "/usr/bin/bash");
        r.fixed.files[0].path = PUT(&r, "/root/.ssh/id\n\x1b\xff");
        r.fixed.files[0].real_path = PUT(&r, "/root/.ssh/id_rsa");
        r.fixed.files[0].script = PUT(&r, "/opt/x.py");
        r.fixed.files[0].exe_object = put_object(&r, 50);
        r.fixed.files[0].script_object = put_object(&r, 60);
        r.fixed.files[0].route = put_route(&r, 2);
        r.fixed.destination_path = PUT(&r, "/run/a.sock");
        r.fixed.files[0].exe = PUT(&r, "/usr/bin/dash");
        return r;
}

/* Decodes from a heap block of exactly this size at an odd address, so that ASan and UBSan see any slip. */
static int decode(const void *record, size_t size, Event *ret, const char **ret_why, char **ret_block) {
        char *block = malloc(size + 1);
        assert_non_null(block);
        memcpy(block + 1, record, size);
        *ret_block = block;
        return event_decode(block + 1, size, ret, ret_why);
}

static void assert_bytes(Bytes b, const char *expected, size_t size) {
        assert_int_equal(b.size, size);
        assert_memory_equal(b.data, expected, size);
        assert_int_equal(b.data[b.size], '\0');
}

#define ASSERT_BYTES(b, s) assert_bytes(b, s, sizeof(s) - 1)

static void assert_object(const EventObject *o, uint32_t n) {
        assert_int_equal(o->inode, n);
        assert_int_equal(o->ctime_ns, n + 1);
        assert_int_equal(o->device, n + 2);
}

static void test_correlation(void **state) {
        (void)state;
        Record r = record_new();
        _cleanup_free_ char *block = NULL;
        const char *why = NULL;
        Event e;

        assert_int_equal(decode(&r, r.fixed.header.size, &e, &why, &block), 0);
        assert_null(why);

        assert_int_equal(e.kind, BW_KIND_CORRELATION);
        assert_int_equal(e.boot_ns, 1111);
        assert_int_equal(e.mono_ns, 2222);
        assert_int_equal(e.cpu, 3);

        const EventCorrelation *c = &e.correlation;
        assert_true(c->classes == 0x8000000000000001);
        assert_true(c->fresh == 0x8000000000000000);
        assert_true(c->bound == 1);
        assert_true(c->passed == 1);
        assert_int_equal(c->window_ns, 4444);
        assert_int_equal(c->slot, 5);
        assert_int_equal(c->generation, 6);
        assert_int_equal(c->flags, BW_CORRELATION_FILES_MORE | BW_CORRELATION_CMDLINE_CUT);

        assert_int_equal(c->process.start_boot_ns, 7);
        assert_int_equal(c->process.cgroup_id, 8);
        assert_int_equal(c->process.exe_inode, 9);
        assert_int_equal(c->process.exe_device, 10);
        assert_int_equal(c->process.pid, 11);
        assert_int_equal(c->process.tid, 12);
        assert_int_equal(c->process.uid, 13);
        assert_int_equal(c->process.loginuid, 14);
        assert_int_equal(c->process.mount_namespace, 15);
        assert_int_equal(c->process.group, 16);
        assert_int_equal(c->process.flags, BW_PROCESS_NOT_HOST | BW_PROCESS_TRACED);
        ASSERT_BYTES(c->process.comm, "python3");
        ASSERT_BYTES(c->process.exe, "/usr/bin/python3.11");
        ASSERT_BYTES(c->process.cmdline, "python3\0\0-c\0x");
        ASSERT_BYTES(c->process.cgroup, "/user.slice");

        assert_memory_equal(&c->destination, &r.fixed.destination, sizeof(c->destination));

        assert_int_equal(c->n_lineage, 2);
        assert_int_equal(c->lineage[0].start_boot_ns, 20);
        assert_int_equal(c->lineage[0].pid, 21);
        ASSERT_BYTES(c->lineage[0].comm, "bash");
        ASSERT_BYTES(c->lineage[0].exe, "/usr/bin/bash");
        assert_int_equal(c->lineage[1].pid, 23);
        ASSERT_BYTES(c->lineage[1].comm, "fifteen-bytes-x");
        ASSERT_BYTES(c->lineage[1].exe, "");

        assert_int_equal(c->n_files, 2);
        assert_int_equal(c->files[0].mono_ns, 30);
        assert_int_equal(c->files[0].classes, 1);
        assert_int_equal(c->files[0].inode, 31);
        assert_int_equal(c->files[0].device, 32);
        assert_int_equal(c->files[0].pid, 33);
        assert_int_equal(c->files[0].uid, 34);
        assert_int_equal(c->files[0].generation, 35);
        assert_int_equal(c->files[0].via, BW_VIA_FORK);
        assert_true(c->files[0].path_truncated);
        ASSERT_BYTES(c->files[0].path, "/root/.ssh/id\n\x1b\xff");
        ASSERT_BYTES(c->files[0].real_path, "/root/.ssh/id_rsa");
        ASSERT_BYTES(c->files[1].real_path, "");
        ASSERT_BYTES(c->files[0].exe, "/usr/bin/dash");
        ASSERT_BYTES(c->files[0].script, "/opt/x.py");
        assert_object(&c->files[0].exe_object, 50);
        assert_object(&c->files[0].script_object, 60);
        ASSERT_BYTES(c->files[1].script, "");
        assert_int_equal(c->files[1].exe_object.inode, 0);
        ASSERT_BYTES(c->files[0].comm, "sh");
        assert_false(c->files[0].route_cut);
        assert_true(c->files[0].handed_over); /* by its route, though no flag says so */
        assert_int_equal(c->files[0].n_route, 2);
        assert_int_equal(c->files[0].route[0].pid, 40);
        assert_int_equal(c->files[0].route[0].via, BW_VIA_PIPE);
        ASSERT_BYTES(c->files[0].route[0].comm, "cat");
        assert_int_equal(c->files[0].route[1].pid, 41);
        assert_int_equal(c->files[0].route[1].via, BW_VIA_SOCKET);
        ASSERT_BYTES(c->files[0].route[1].comm, "fifteen-bytes-y");
        assert_int_equal(c->files[1].n_route, 0);
        assert_false(c->files[1].handed_over);
        ASSERT_BYTES(c->destination_path, "/run/a.sock");
        assert_int_equal(c->files[1].via, BW_VIA_OPEN);
        assert_false(c->files[1].path_truncated);
        ASSERT_BYTES(c->files[1].path, "");
        ASSERT_BYTES(c->files[1].comm, "cat");
}

static void test_full(void **state) {
        (void)state;
        Record r = record_new();
        _cleanup_free_ char *block = NULL;
        const char *why = NULL;
        Event e;

        r.fixed.n_lineage = BW_LINEAGE_MAX;
        r.fixed.n_files = BW_FILES_MAX;
        r.fixed.destination.family = AF_INET6;
        r.fixed.destination.act = BW_ACT_CONNECT;
        for (size_t i = 0; i < BW_FILES_MAX; i++)
                r.fixed.files[i].via = BW_VIA_OPEN;
        r.fixed.lineage[BW_LINEAGE_MAX - 1].pid = 70;
        r.fixed.files[BW_FILES_MAX - 1].path = r.fixed.process.exe;
        /* A string that is present and empty. */
        r.fixed.files[BW_FILES_MAX - 1].exe = PUT(&r, "");

        assert_int_equal(decode(&r, sizeof(r), &e, &why, &block), 0);
        assert_int_equal(e.correlation.lineage[BW_LINEAGE_MAX - 1].pid, 70);
        ASSERT_BYTES(e.correlation.files[BW_FILES_MAX - 1].path, "/usr/bin/python3.11");
        ASSERT_BYTES(e.correlation.files[BW_FILES_MAX - 1].exe, "");
}

/* Any family, and up to the most hops; one more, or a part of one, is not a route. */
static void test_ways(void **state) {
        static const uint16_t families[] = { AF_UNIX, AF_INET6, AF_VSOCK, AF_PACKET, AF_NETLINK, 0xffff };
        const char *why = NULL;
        Event e;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                Record r = record_new();
                _cleanup_free_ char *block = NULL;

                r.fixed.destination.family = families[i];
                assert_int_equal(decode(&r, r.fixed.header.size, &e, &why, &block), 0);
                assert_int_equal(e.correlation.destination.family, families[i]);
        }
        for (size_t n = 0; n <= BW_HOPS_MAX + 1; n++) {
                Record r = record_new();
                _cleanup_free_ char *block = NULL;

                r.fixed.files[1].route = put_route(&r, n);
                r.fixed.files[1].flags = BW_FILE_ROUTE_CUT | BW_FILE_REAL_LOST;
                int error = decode(&r, r.fixed.header.size, &e, &why, &block);
                assert_int_equal(error, n <= BW_HOPS_MAX ? 0 : -EBADMSG);
                if (error < 0)
                        assert_string_equal(why, "a route has an incomplete hop or too many hops");
                else {
                        assert_int_equal(e.correlation.files[1].n_route, n);
                        assert_true(e.correlation.files[1].route_cut);
                        assert_true(e.correlation.files[1].real_lost && !e.correlation.files[0].real_lost);
                        assert_int_equal(e.correlation.files[1].handed_over, n > 0);
                }
        }
}

/* Entries beyond the counts are ignored. */
static void test_unused_slots(void **state) {
        (void)state;
        Record r = record_new();
        _cleanup_free_ char *block = NULL;
        const char *why = NULL;
        Event e;

        memset(&r.fixed.lineage[2], 0xff, sizeof(r.fixed.lineage[2]));
        memset(&r.fixed.files[2], 0xff, sizeof(r.fixed.files[2]));
        assert_int_equal(decode(&r, sizeof(r), &e, &why, &block), 0);
}

typedef struct Flip {
        size_t offset, size; /* which bytes of the record … */
        uint64_t value;      /* … become this, native byte order */
        int error;
        const char *why;
} Flip;

#define AT(member) offsetof(struct bw_correlation, member), sizeof(((struct bw_correlation *)NULL)->member)
#define BYTE_AT(offset) (offset), 1

static void assert_flip(const Flip *f) {
        static const Event untouched = { .cpu = 12345 };
        Record r = record_new();
        _cleanup_free_ char *block = NULL;
        const char *why = "none";
        Event e = untouched;

        size_t size = r.fixed.header.size;
        memcpy((char *)&r + f->offset, &f->value, f->size);
        int error = decode(&r, size, &e, &why, &block);
        if (error != f->error || strcmp(why, f->why) != 0)
                fail_msg("offset %zu: %d \"%s\", wanted %d \"%s\"", f->offset, error, why, f->error, f->why);
        assert_memory_equal(&e, &untouched, sizeof(e));
}

static void test_flips(void **state) {
        (void)state;
        Record r = record_new();
        size_t size = r.fixed.header.size;
        const struct bw_string exe = r.fixed.process.exe;
        const char *const begins = "a string begins inside the fixed part";
        const char *const ends = "a string ends after the record";
        const char *const comm = "a comm has no terminator";
        const struct bw_string route = r.fixed.files[0].route, object = r.fixed.files[0].script_object;

        const Flip flips[] = {
                { AT(header.version), BW_EVENT_VERSION + 1, -EPROTO, "another version of the format" },
                { AT(header.version), 0, -EPROTO, "another version of the format" },
                { AT(header.kind), 0, -EPROTO, "an unknown kind of record" },
                { AT(header.kind), BW_KIND_ACCOUNT + 1, -EPROTO, "an unknown kind of record" },
                { AT(header.size), size + 1, -EBADMSG, "longer than what arrived" },
                { AT(header.size), UINT32_MAX, -EBADMSG, "longer than what arrived" },
                { AT(header.size), sizeof(r.fixed) - 1, -EBADMSG, "shorter than its kind's fixed part" },
                { AT(header.size), 0, -EBADMSG, "shorter than its kind's fixed part" },
                { AT(header.zero), 1, -EBADMSG, "the header's padding is not zero" },
                { AT(action), BW_ACTION_MAX, -EBADMSG, "the correlation's action is unknown" },
                { AT(files[0].real_path.offset), 8, -EBADMSG, begins },
                { AT(process.flags), BW_PROCESS_FLAGS + 1, -EBADMSG, "the process has an unknown flag" },
                { AT(files[1].zero), 1, -EBADMSG, "a file's padding is not zero" },
                { AT(files[1].zero_end), 1, -EBADMSG, "a file's padding is not zero" },
                { AT(files[0].exe_object.length), sizeof(struct bw_object) - 1, -EBADMSG,
                                "an object has another size" },
                { AT(files[0].script_object.offset), 1, -EBADMSG, begins },
                { BYTE_AT(object.offset + offsetof(struct bw_object, zero) + 1), 1, -EBADMSG,
                                "an object's padding is not zero" },
                { AT(n_lineage), BW_LINEAGE_MAX + 1, -EBADMSG, "more ancestors than a record holds" },
                { AT(n_files), BW_FILES_MAX + 1, -EBADMSG, "more files than a record holds" },
                { AT(destination.family), AF_UNSPEC, -EBADMSG, "the destination has no family" },
                { AT(destination.act), 0, -EBADMSG, "the act is unknown" },
                { AT(destination.act), BW_ACT_OPEN + 1, -EBADMSG, "the act is unknown" },
                { AT(destination.act), BW_ACT_OPEN, -EBADMSG,
                                "an open has a destination, or something else has none" },
                { AT(destination.family), BW_FAMILY_NONE, -EBADMSG,
                                "an open has a destination, or something else has none" },
                { AT(files[1].via), 0, -EBADMSG, "a file has an unknown means" },
                { AT(files[0].via), BW_VIA_LOOPBACK + 1, -EBADMSG, "a file has an unknown means" },

                { AT(process.exe.offset), 1, -EBADMSG, begins },
                { AT(process.exe.offset), sizeof(r.fixed) - 1, -EBADMSG, begins },
                { AT(process.cmdline.offset), 1, -EBADMSG, begins },
                { AT(process.cgroup.offset), 1, -EBADMSG, begins },
                { AT(lineage[0].exe.offset), 1, -EBADMSG, begins },
                { AT(files[0].path.offset), 1, -EBADMSG, begins },
                { AT(files[0].exe.offset), 1, -EBADMSG, begins },

                { AT(process.exe.offset), size, -EBADMSG, ends },
                { AT(process.exe.length), size - exe.offset, -EBADMSG, ends },
                { AT(process.exe.length), UINT16_MAX, -EBADMSG, ends },
                { AT(process.exe.offset), UINT16_MAX, -EBADMSG, ends },
                { AT(process.cmdline.length), UINT16_MAX, -EBADMSG, ends },
                { AT(process.cgroup.length), UINT16_MAX, -EBADMSG, ends },
                { AT(lineage[0].exe.length), UINT16_MAX, -EBADMSG, ends },
                { AT(files[0].path.length), UINT16_MAX, -EBADMSG, ends },
                { AT(files[0].exe.length), UINT16_MAX, -EBADMSG, ends },
                /* The terminator itself must be inside what the header says, not only inside what
                   arrived. */
                { AT(header.size), size - 1, -EBADMSG, ends },

                { BYTE_AT(exe.offset + (size_t)exe.length), 'x', -EBADMSG, "a string has no terminator" },
                { AT(process.exe.length), (uint64_t)exe.length - 1, -EBADMSG, "a string has no terminator" },

                /* Only the last byte of a comm is a NUL where the name has fifteen. */
                { BYTE_AT(offsetof(struct bw_correlation, lineage[1].comm) + 15), 'x', -EBADMSG, comm },

                { AT(destination_path.offset), 1, -EBADMSG, begins },
                { AT(destination_path.length), UINT16_MAX, -EBADMSG, ends },
                { AT(files[0].route.offset), 1, -EBADMSG, begins },
                { AT(files[0].route.length), UINT16_MAX, -EBADMSG, ends },
                { BYTE_AT(route.offset + (size_t)route.length), 'x', -EBADMSG,
                                "a string has no terminator" },
                { AT(files[0].route.length), (uint64_t)route.length - 1, -EBADMSG,
                                "a route has an incomplete hop or too many hops" },
                { BYTE_AT(route.offset + offsetof(struct bw_hop, via)), BW_VIA_FORK, -EBADMSG,
                                "a hop has an unknown means" },
                { BYTE_AT(route.offset + offsetof(struct bw_hop, via)), BW_VIA_LOOPBACK + 1, -EBADMSG,
                                "a hop has an unknown means" },
                { BYTE_AT(route.offset + offsetof(struct bw_hop, zero) + 2), 1, -EBADMSG,
                                "a hop's padding is not zero" },
                { BYTE_AT(route.offset + 2 * sizeof(struct bw_hop) - 1), 'x', -EBADMSG, comm },
        };

        for (size_t i = 0; i < ELEMENTSOF(flips); i++)
                assert_flip(&flips[i]);
}

/* A name that changed while the kernel read it still decodes. */
static void test_nul_ends_a_name(void **state) {
        (void)state;
        Record r = record_new();
        _cleanup_free_ char *block = NULL;
        const char *why = NULL;
        Event e;

        ((char *)&r)[r.fixed.process.exe.offset + 4] = '\0';
        ((char *)&r)[r.fixed.files[0].path.offset] = '\0';
        assert_int_equal(decode(&r, r.fixed.header.size, &e, &why, &block), 0);
        assert_int_equal(e.correlation.process.exe.size, 4);
        assert_int_equal(e.correlation.files[0].path.size, 0);
}

static void test_newest_file_first(void **state) {
        static const uint64_t times[] = { 30, 10, 50, 50, 20 }, sorted[] = { 50, 50, 30, 20, 10 };
        (void)state;
        Record r = record_new();
        _cleanup_free_ char *block = NULL;
        const char *why = NULL;
        Event e;

        r.fixed.n_files = ELEMENTSOF(times);
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                r.fixed.files[i] = r.fixed.files[0];
                r.fixed.files[i].mono_ns = times[i];
                r.fixed.files[i].pid = (uint32_t)i;
        }
        assert_int_equal(decode(&r, r.fixed.header.size, &e, &why, &block), 0);
        for (size_t i = 0; i < ELEMENTSOF(times); i++)
                assert_int_equal(e.correlation.files[i].mono_ns, sorted[i]);
        assert_int_equal(e.correlation.files[0].pid, 2);
        assert_int_equal(e.correlation.files[1].pid, 3);
}

static void test_comm_of_each(void **state) {
        (void)state;
        const size_t offsets[] = {
                offsetof(struct bw_correlation, process.comm),
                offsetof(struct bw_correlation, lineage[0].comm),
                offsetof(struct bw_correlation, files[0].comm),
        };

        for (size_t i = 0; i < ELEMENTSOF(offsets); i++) {
                Record r = record_new();
                _cleanup_free_ char *block = NULL;
                const char *why = NULL;
                Event e;

                memset((char *)&r + offsets[i], 'x', BW_COMM_SIZE);
                assert_int_equal(decode(&r, sizeof(r), &e, &why, &block), -EBADMSG);
                assert_string_equal(why, "a comm has no terminator");
        }
}

static void test_every_truncation(void **state) {
        (void)state;
        Record r = record_new();

        for (size_t size = 0; size < r.fixed.header.size; size++) {
                _cleanup_free_ char *block = NULL;
                const char *why = NULL;
                Event e;

                assert_int_equal(decode(&r, size, &e, &why, &block), -EBADMSG);
                assert_string_equal(why, size < sizeof(struct bw_header) ? "shorter than a header"
                                                                         : "longer than what arrived");
        }
}

static void test_exit(void **state) {
        (void)state;
        struct bw_exit x = {
                .header = { .version = BW_EVENT_VERSION, .kind = BW_KIND_EXIT, .size = sizeof(x), .cpu = 1 },
                .start_boot_ns = 99,
                .pid = 100,
        };
        const char *why = NULL;
        Event e;

        assert_int_equal(event_decode(&x, sizeof(x), &e, &why), 0);
        assert_int_equal(e.kind, BW_KIND_EXIT);
        assert_int_equal(e.cpu, 1);
        assert_int_equal(e.exit.start_boot_ns, 99);
        assert_int_equal(e.exit.pid, 100);

        x.zero = 1;
        assert_int_equal(event_decode(&x, sizeof(x), &e, &why), -EBADMSG);
        assert_string_equal(why, "the exit's padding is not zero");

        x.zero = 0;
        x.header.size--;
        assert_int_equal(event_decode(&x, sizeof(x), &e, &why), -EBADMSG);
        assert_string_equal(why, "shorter than its kind's fixed part");
}

static void test_share(void **state) {
        (void)state;
        struct bw_share s = {
                .header = { .version = BW_EVENT_VERSION, .kind = BW_KIND_SHARE, .size = sizeof(s) },
                FULL_SHARE,
        };
        const EventShare decoded = { FULL_SHARE };
        const char *why = NULL;
        Event e;

        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), 0);
        assert_int_equal(e.kind, BW_KIND_SHARE);
        assert_int_equal(e.share.cgroup_id, decoded.cgroup_id);
        assert_int_equal(e.share.live, decoded.live);
        assert_int_equal(e.share.refused, decoded.refused);
        assert_int_equal(e.share.table, decoded.table);
        assert_int_equal(e.share.uid, decoded.uid);
        assert_int_equal(e.share.pid, decoded.pid);
        assert_string_equal(e.share.comm, decoded.comm);
        assert_string_equal(e.share.cgroup, decoded.cgroup);

        s.zero = 1;
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "the share's padding is not zero");
        s.zero = 0;
        s.table = BW_SHARE_TABLES;
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "the table is unknown");
        s.table = 0;
        memset(s.comm, 'x', sizeof(s.comm));
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "a comm has no terminator");
        s.comm[0] = s.comm[sizeof(s.comm) - 1] = 0;
        memset(s.cgroup, 'x', sizeof(s.cgroup));
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "a cgroup has no terminator");
}

static void check_state(enum bw_kind kind, unsigned n_numbers) {
        struct bw_state s = {
                .header = { .version = BW_EVENT_VERSION, .kind = kind, .size = sizeof(s) },
                .value = 1ULL << 40,
                .number = n_numbers - 1,
        };
        const char *why = NULL;
        Event e;

        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), 0);
        assert_int_equal(e.kind, kind);
        assert_true(e.state.value == 1ULL << 40);
        assert_int_equal(e.state.number, n_numbers - 1);

        s.number = n_numbers;
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "the counter is unknown");

        s.number = 0;
        s.zero = 1;
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "the state's padding is not zero");

        s.zero = 0;
        s.header.size--;
        assert_int_equal(event_decode(&s, sizeof(s), &e, &why), -EBADMSG);
        assert_string_equal(why, "shorter than its kind's fixed part");
}

/* Losses and counts are numbered apart. */
static void test_state(void **state) {
        (void)state;
        check_state(BW_KIND_LOSS, BW_LOSS_MAX);
        check_state(BW_KIND_COUNT, BW_COUNT_MAX);
}

/* The fuzzer's seeds must be complete records of this version: each seed with more than a header is one. */
static void test_seeds(void **state) {
        const char *root = getenv("BW_SOURCE_ROOT");
        _cleanup_free_ char *pattern = NULL;
        size_t n = 0, n_ways = 0;
        glob_t found;

        (void)state;
        if (!root)
                skip();
        assert_true(asprintf(&pattern, "%s/tests/fuzz/corpus/event-decode/*", root) > 0);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                char bytes[sizeof(Record)];
                FILE *file = fopen(found.gl_pathv[i], "re");
                const char *why = "";
                Event e;

                assert_non_null(file);
                size_t size = fread(bytes, 1, sizeof(bytes), file);
                fclose(file);
                if (size <= sizeof(struct bw_header))
                        continue;
                if (event_decode(bytes, size, &e, &why) < 0)
                        fail_msg("%s: %s", found.gl_pathv[i], why);
                n++;
                n_ways += e.kind == BW_KIND_CORRELATION && e.correlation.n_files > 0 &&
                          e.correlation.files[0].n_route > 0;
        }
        globfree(&found);
        assert_true(n >= 13 && n_ways >= 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_correlation),
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_ways),
                cmocka_unit_test(test_seeds),
                cmocka_unit_test(test_unused_slots),
                cmocka_unit_test(test_flips),
                cmocka_unit_test(test_nul_ends_a_name),
                cmocka_unit_test(test_newest_file_first),
                cmocka_unit_test(test_comm_of_each),
                cmocka_unit_test(test_every_truncation),
                cmocka_unit_test(test_exit),
                cmocka_unit_test(test_share),
                cmocka_unit_test(test_state),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
