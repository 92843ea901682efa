/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Against the kernel's own ring buffer, written by a program of ours (where BPF is allowed), and against one
 * that the test writes itself, with what the kernel never would. */

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "sensor/ring.h"
#include "basic/util.h"

/* The smallest ring there is: every test goes around it some times. */
#define RING_SIZE 4096

typedef struct Fixture {
        int fd;
        RecordRing *ring;
        /* a ring of ours */
        unsigned long *consumer, *producer;
        char *data;
        /* the kernel's */
        int outputs[2], discards;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        f->fd = f->outputs[0] = f->outputs[1] = f->discards = -1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        record_ring_free(f->ring);
        if (f->consumer)
                munmap(f->consumer, 2 * 4096 + 2 * RING_SIZE);
        closep(&f->fd);
        closep(&f->outputs[0]);
        closep(&f->outputs[1]);
        closep(&f->discards);
        free(f);
        return 0;
}

static void ring_open(Fixture *f) {
        f->ring = record_ring_free(f->ring);
        assert_int_equal(record_ring_new(f->fd, RING_SIZE, &f->ring), 0);
}

/* ---- a ring of ours ---- */

static void ours_make(Fixture *f, unsigned long begin) {
        size_t size = 2 * 4096 + 2 * RING_SIZE;

        f->fd = memfd_create("ring", MFD_CLOEXEC);
        assert_true(f->fd >= 0);
        assert_int_equal(ftruncate(f->fd, (off_t)size), 0);
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
        assert_ptr_not_equal(p, MAP_FAILED);
        f->consumer = (unsigned long *)p;
        f->producer = (unsigned long *)(p + 4096);
        f->data = p + 2 * 4096;
        *f->consumer = *f->producer = begin;
}

static void ours_write(Fixture *f, unsigned long at, const void *bytes, size_t size) {
        for (size_t i = 0; i < size; i++) {
                size_t place = (at + i) % RING_SIZE;

                f->data[place] = f->data[RING_SIZE + place] = ((const char *)bytes)[i];
        }
}

static void ours_set_header(Fixture *f, unsigned long at, uint32_t length) {
        ours_write(f, at, &length, sizeof(length));
}

/* Returns where its header is. */
static unsigned long ours_put(Fixture *f, uint32_t flags, const char *text) {
        unsigned long at = *f->producer;

        ours_set_header(f, at, (uint32_t)strlen(text) | flags);
        ours_write(f, at + BPF_RINGBUF_HDR_SZ, text, strlen(text));
        *f->producer += (BPF_RINGBUF_HDR_SZ + strlen(text) + 7) / 8 * 8;
        return at;
}

static void assert_next(Fixture *f, const char *text) {
        const void *data;
        size_t size;

        assert_int_equal(record_ring_next(f->ring, &data, &size), 1);
        assert_int_equal(size, strlen(text));
        assert_memory_equal(data, text, size);
        assert_int_equal((uintptr_t)data % 8, 0);
}

static void assert_none(Fixture *f, int error) {
        const void *data = f;
        size_t size = 4711;

        assert_int_equal(record_ring_next(f->ring, &data, &size), error);
        assert_ptr_equal(data, f);
        assert_int_equal(size, 4711);
}

static void test_order_and_commit(void **state) {
        Fixture *f = *state;

        ours_make(f, 0);
        ring_open(f);
        assert_none(f, 0);
        ours_put(f, 0, "one");
        ours_put(f, 0, "");
        ours_put(f, 0, "twelve bytes");
        assert_next(f, "one");
        assert_next(f, "");
        assert_int_equal(*f->consumer, 0);
        record_ring_commit(f->ring);
        assert_int_equal(*f->consumer, 16 + 8);
        assert_next(f, "twelve bytes");
        assert_none(f, 0);
        record_ring_rewind(f->ring);
        assert_next(f, "twelve bytes");
        assert_int_equal(*f->consumer, 24);

        /* The next daemon reads what this one has not freed. */
        ring_open(f);
        assert_next(f, "twelve bytes");
        record_ring_commit(f->ring);
        assert_none(f, 0);
        assert_int_equal(*f->consumer, *f->producer);
}

/* Positions count on beyond the size, and a record may go beyond the end of the data. */
static void test_wraps(void **state) {
        Fixture *f = *state;
        char text[1001];

        ours_make(f, UINT64_C(0xffffff000) + RING_SIZE - 8);
        ring_open(f);
        for (size_t n = 0; n <= 1000; n += 13) {
                memset(text, 'a' + (int)(n % 26), n);
                text[n] = '\0';
                ours_put(f, 0, text);
                ours_put(f, 0, "x");
                assert_next(f, text);
                assert_next(f, "x");
                record_ring_commit(f->ring);
                assert_int_equal(*f->consumer, *f->producer);
        }
}

static void test_busy_and_discarded(void **state) {
        Fixture *f = *state;
        const void *data;
        size_t offset = 0, size;

        ours_make(f, 0);
        ring_open(f);
        ours_put(f, BPF_RINGBUF_DISCARD_BIT, "gone");
        ours_put(f, 0, "one");
        unsigned long busy = ours_put(f, BPF_RINGBUF_BUSY_BIT, "two");
        ours_put(f, 0, "three");

        /* To look does not move. */
        assert_int_equal(record_ring_peek(f->ring, &offset, &data, &size), 1);
        assert_int_equal(record_ring_peek(f->ring, &offset, &data, &size), 0);
        assert_next(f, "one");
        assert_none(f, 0);
        record_ring_commit(f->ring);
        assert_int_equal(*f->consumer, busy);

        ours_set_header(f, busy, 3);
        assert_next(f, "two");
        assert_next(f, "three");
        ours_put(f, BPF_RINGBUF_DISCARD_BIT, "gone, too");
        assert_none(f, 0);
        record_ring_commit(f->ring);
        assert_int_equal(*f->consumer, *f->producer);
}

/* Lengths and positions that would be read beyond the mapping, or mean nothing. */
static void test_hostile(void **state) {
        static const uint32_t lengths[] = { 9, 4096, 0x3fffffff };
        Fixture *f = *state;
        RecordRing *untouched = NULL;

        ours_make(f, 8 * RING_SIZE - 16);
        ring_open(f);
        unsigned long at = ours_put(f, 0, "12345678");
        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                ours_set_header(f, at, lengths[i]);
                assert_none(f, -EBADMSG);
                ours_set_header(f, at, lengths[i] | BPF_RINGBUF_DISCARD_BIT);
                assert_none(f, -EBADMSG);
                assert_int_equal(record_ring_new(f->fd, RING_SIZE, &untouched), -EBADMSG);
                ours_set_header(f, at, lengths[i] | BPF_RINGBUF_BUSY_BIT);
                assert_none(f, 0);
        }
        ours_set_header(f, at, 8);
        *f->producer = at + 4; /* half a header */
        assert_none(f, -EBADMSG);
        *f->producer = at - 8; /* behind us */
        assert_none(f, -EBADMSG);
        *f->producer = at + RING_SIZE + 8;
        assert_none(f, -EBADMSG);
        *f->producer = at + RING_SIZE; /* full */
        assert_next(f, "12345678");

        *f->consumer = at + 1;
        assert_int_equal(record_ring_new(f->fd, RING_SIZE, &untouched), -EBADMSG);
        *f->consumer = at + 3 * RING_SIZE;
        assert_int_equal(record_ring_new(f->fd, RING_SIZE, &untouched), -EBADMSG);
        assert_null(untouched);
        assert_true(record_ring_new(-1, RING_SIZE, &untouched) < 0);
        assert_null(record_ring_free(NULL));
}

/* ---- the kernel's ---- */

#define INSN(c, d, s, o, i)                                                                                 \
        ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* A program that writes a record of `size` bytes, whose first 4 are the length of the packet it is given; or
 * one that reserves a record and discards it. -1: not allowed here. */
static int program_load(int map, int size, bool discards) {
        const struct bpf_insn output[] = {
                INSN(BPF_LDX | BPF_MEM | BPF_W, 6, 1, 0, 0), /* skb->len */
                INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0),
                INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 0),
                INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -24, 0),
                INSN(BPF_STX | BPF_MEM | BPF_W, 10, 6, (short)-size, 0),
                INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
                INSN(0, 0, 0, 0, 0),
                INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
                INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -size),
                INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, size),
                INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
                INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
                INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };
        const struct bpf_insn discard[] = {
                INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
                INSN(0, 0, 0, 0, 0),
                INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, size),
                INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0),
                INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_reserve),
                INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, 0),
                INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 0, 0, 0),
                INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
                INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_discard),
                INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
                INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };

        return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "bw_test", "GPL", discards ? discard : output,
                        discards ? ELEMENTSOF(discard) : ELEMENTSOF(output), NULL);
}

static void kernels_make(Fixture *f) {
        f->fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bw_test", 0, 0, RING_SIZE, NULL);
        if (f->fd < 0 && errno == EPERM)
                skip();
        assert_true(f->fd >= 0);
        f->outputs[0] = program_load(f->fd, 12, false);
        f->outputs[1] = program_load(f->fd, 24, false);
        f->discards = program_load(f->fd, 40, true);
        assert_true(f->outputs[0] >= 0 && f->outputs[1] >= 0 && f->discards >= 0);
}

/* Runs the program; `number` is at least the 14 bytes of an Ethernet header, which a socket filter does not
 * count. Returns whether there was room. */
static bool kernels_put(int program, uint32_t number) {
        static const char packet[1500];
        LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = number + 14);

        assert_true(number > 0 && number + 14 <= sizeof(packet));
        assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
        return run.retval == 0;
}

static void assert_next_number(Fixture *f, uint32_t number, size_t expected_size) {
        const void *data;
        uint32_t got;
        size_t size;

        assert_int_equal(record_ring_next(f->ring, &data, &size), 1);
        assert_int_equal(size, expected_size);
        memcpy(&got, data, sizeof(got));
        assert_int_equal(got, number);
}

static bool is_readable(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, 0) == 1;
}

static void test_kernel_agrees(void **state) {
        Fixture *f = *state;
        uint32_t next = 1, read = 1;

        kernels_make(f);
        ring_open(f);
        for (unsigned round = 0; round < 50; round++) {
                assert_false(is_readable(f->fd));
                /* Until it is full: what is read but not freed is still there. */
                while (kernels_put(f->outputs[next % 2], next)) {
                        (void)kernels_put(f->discards, 1);
                        assert_true(++next - read < RING_SIZE);
                }
                assert_true(next - read > RING_SIZE / (24 + 32 + 48) / 2);
                for (uint32_t again = read; again < next; again++)
                        assert_next_number(f, again, again % 2 ? 24 : 12);
                assert_none(f, 0);
                assert_false(kernels_put(f->outputs[next % 2], next));
                assert_true(is_readable(f->fd));

                /* Killed here, all of it is read again by the next instance. */
                ring_open(f);
                for (; read < next; read++)
                        assert_next_number(f, read, read % 2 ? 24 : 12);
                assert_none(f, 0);
                record_ring_commit(f->ring);
                if (next > 1000)
                        next = read = 1;
        }
}

#define RACE_RECORDS 200000

static void *race_writer(void *userdata) {
        const Fixture *f = userdata;

        for (uint32_t n = 0; n < RACE_RECORDS;)
                if (kernels_put(f->outputs[0], 1 + n % 1000))
                        n++;
        return NULL;
}

/* The kernel wakes only who has freed all: a reader that frees one after the other, and sleeps when it has
 * seen none, must not sleep for ever. */
static void test_no_wakeup_is_missed(void **state) {
        Fixture *f = *state;
        struct epoll_event event = { .events = EPOLLIN };
        const void *data;
        pthread_t writer;
        size_t size;

        kernels_make(f);
        ring_open(f);
        _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
        assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, f->fd, &event), 0);
        assert_int_equal(pthread_create(&writer, NULL, race_writer, f), 0);
        for (uint32_t n = 0; n < RACE_RECORDS;) {
                assert_int_equal(epoll_wait(epoll, &event, 1, 30000), 1);
                while (record_ring_next(f->ring, &data, &size) > 0) {
                        uint32_t got;

                        memcpy(&got, data, sizeof(got));
                        assert_int_equal(got, 1 + n++ % 1000);
                        record_ring_commit(f->ring);
                }
        }
        assert_int_equal(pthread_join(writer, NULL), 0);
        assert_none(f, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_order_and_commit),
                TEST(test_wraps),
                TEST(test_busy_and_discarded),
                TEST(test_hostile),
                TEST(test_kernel_agrees),
                TEST(test_no_wakeup_is_missed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
