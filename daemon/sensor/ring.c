/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The kernel's side of every rule here is kernel/bpf/ringbuf.c: positions count bytes and never wrap to 0;
 * the data are mapped twice in a row, so that a record is never broken; a record begins with 8 bytes, whose
 * first 4 are its length and two flags, and its span is rounded up to 8. The kernel alone writes the data,
 * but every process with the map may write the consumer's position: what is read is checked against the
 * mapping.
 */

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "sensor/ring.h"

struct RecordRing {
        unsigned long *consumer; /* first page: the position up to which records are freed, written here */
        const unsigned long *producer; /* second page: what is reserved */
        const char *data;
        size_t page, size;
        unsigned long committed, read;
};

typedef struct Record {
        const void *data;
        size_t size, span;
        bool discarded;
} Record;

/* The record at that position. 1; 0: none, or its writer is not done. */
static int ring_look(const RecordRing *r, unsigned long at, Record *ret) {
        unsigned long available = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) - at;
        const char *header = r->data + (at & (r->size - 1));

        if (available == 0)
                return 0;
        if (available > r->size || available < BPF_RINGBUF_HDR_SZ || at % BPF_RINGBUF_HDR_SZ != 0)
                return -EBADMSG;

        uint32_t length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
        if (length & BPF_RINGBUF_BUSY_BIT)
                return 0;
        size_t size = length & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT;
        size_t span = (BPF_RINGBUF_HDR_SZ + size + 7) / 8 * 8;
        if (span > available)
                return -EBADMSG;
        *ret = (Record){ header + BPF_RINGBUF_HDR_SZ, size, span, length & BPF_RINGBUF_DISCARD_BIT };
        return 1;
}

int record_ring_new(int fd, size_t size, RecordRing **ret) {
        _cleanup_(record_ring_freep) RecordRing *r = calloc(1, sizeof(*r));
        Record first;

        if (!r)
                return -ENOMEM;
        r->page = (size_t)sysconf(_SC_PAGESIZE);
        r->size = size;
        void *p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        r->consumer = p;
        p = mmap(NULL, r->page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
        if (p == MAP_FAILED)
                return -errno;
        r->producer = p;
        r->data = (const char *)p + r->page;
        r->read = r->committed = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);

        int e = ring_look(r, r->read, &first);
        if (e < 0)
                return e;
        *ret = STEAL_PTR(r);
        return 0;
}

RecordRing *record_ring_free(RecordRing *r) {
        if (!r)
                return NULL;
        if (r->consumer)
                munmap(r->consumer, r->page);
        if (r->producer)
                munmap((void *)r->producer, r->page + 2 * r->size);
        free(r);
        return NULL;
}

int record_ring_peek(const RecordRing *r, size_t *offset, const void **ret, size_t *ret_size) {
        Record record;
        int e;

        while ((e = ring_look(r, r->read + *offset, &record)) > 0) {
                *offset += record.span;
                if (record.discarded)
                        continue;
                *ret = record.data;
                *ret_size = record.size;
                return 1;
        }
        return e;
}

int record_ring_next(RecordRing *r, const void **ret, size_t *ret_size) {
        size_t offset = 0;
        int e = record_ring_peek(r, &offset, ret, ret_size);

        r->read += offset;
        return e;
}

void record_ring_commit(RecordRing *r) {
        if (r->committed == r->read)
                return;
        r->committed = r->read;
        __atomic_store_n(r->consumer, r->read, __ATOMIC_RELEASE);
        /* A writer that does not see this yet does not wake the reader: its record must be found by the
         * check after this. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

unsigned long record_ring_written(const RecordRing *r) {
        return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

unsigned long record_ring_read(const RecordRing *r) {
        return r->read;
}

void record_ring_rewind(RecordRing *r) {
        r->read = r->committed;
}
