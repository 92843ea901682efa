/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any positions and any data → a ring buffer, as the one before us may have left it: 8 bytes where its
 * reader was, 8 up to where it is written, and what is in it, again and again. What is read lies between the
 * two, is what is there, and looking ahead shows the same. What is read is touched: beyond the mapping there
 * is nothing. */

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "sensor/ring.h"

/* The smallest ring there is. */
#define RING_SIZE 4096U
#define PAGE 4096U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

typedef struct Memory {
        unsigned long consumer, rest[PAGE / sizeof(unsigned long) - 1];
        unsigned long producer, rest_of_producer[PAGE / sizeof(unsigned long) - 1];
        unsigned char data[2 * RING_SIZE]; /* the kernel maps it twice */
} Memory;

/* It goes from `at` to `end`, and says what stands there. */
static void check_record(const Memory *m, unsigned long at, unsigned long end, const unsigned char *record,
                size_t size) {
        unsigned long begin = end - (BPF_RINGBUF_HDR_SZ + size + 7) / 8 * 8 + BPF_RINGBUF_HDR_SZ;

        check(size <= RING_SIZE - BPF_RINGBUF_HDR_SZ && begin - at - BPF_RINGBUF_HDR_SZ < RING_SIZE);
        check(end - at <= m->producer - at && m->producer - at <= RING_SIZE);
        check((uintptr_t)record % 8 == 0);
        for (size_t i = 0; i < size; i++)
                check(record[i] == m->data[(begin + i) % RING_SIZE]);
}

static void ring_read(const Memory *m, RecordRing *ring) {
        unsigned long freed = m->consumer, read = freed;
        size_t offset = 0, ahead_offset, size, next_size, n = 0;
        const void *record, *next;
        int r;

        while ((r = record_ring_peek(ring, &offset, &record, &size)) > 0) {
                check_record(m, read, read + offset, record, size);
                check(++n <= RING_SIZE / BPF_RINGBUF_HDR_SZ);
                ahead_offset = offset;
                (void)record_ring_peek(ring, &ahead_offset, &next, &next_size);
                check(record_ring_next(ring, &next, &next_size) == 1 && next == record && next_size == size);
                read += offset;
                offset = 0;
                check(m->consumer == freed);
                if (size % 2 == 1) { /* now and then */
                        record_ring_commit(ring);
                        freed = read;
                }
                check(m->consumer == freed);
        }
        check(record_ring_next(ring, &next, &next_size) == r && (r == 0 || r == -EBADMSG));

        /* Not for good: it is read once more. */
        record_ring_rewind(ring);
        record_ring_commit(ring);
        check(m->consumer == freed);
        if (read != freed)
                check(record_ring_next(ring, &next, &next_size) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Memory *m;
        static int fd;
        _cleanup_(record_ring_freep) RecordRing *ring = NULL;
        unsigned long positions[2];

        if (size <= sizeof(positions))
                return 0;
        if (!m) {
                fd = memfd_create("ring", MFD_CLOEXEC);
                check(fd >= 0 && ftruncate(fd, sizeof(*m)) == 0);
                m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                check(m != MAP_FAILED);
        }
        memcpy(positions, data, sizeof(positions));
        m->consumer = positions[0];
        m->producer = positions[0] + positions[1];
        data += sizeof(positions);
        size -= sizeof(positions);
        for (size_t i = 0; i < RING_SIZE; i++)
                m->data[(positions[0] + i) % RING_SIZE] = data[i % size];
        memcpy(m->data + RING_SIZE, m->data, RING_SIZE);

        int r = record_ring_new(fd, RING_SIZE, &ring);
        check((r == 0) == (ring != NULL) && (r == 0 || r == -EBADMSG));
        check(m->consumer == positions[0]);
        if (ring)
                ring_read(m, ring);
        return 0;
}
