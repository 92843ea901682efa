/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reads a BPF ring buffer (kernel/bpf/ringbuf.c), and frees its records only when the owner commits them.
 * The reader of libbpf frees each record when its callback returns, and a process that is killed then has
 * lost what it had not passed on. Does not know the content of records. */

#include <stddef.h>

#include "basic/util.h"

typedef struct RecordRing RecordRing;

/* fd: of the map, which stays the caller's and is readable (poll(2)) while there are records that are not
 * freed; size: its max_entries. Starts with the oldest record that is not freed, even if a process has read
 * it before. -EBADMSG: its content cannot come from the kernel. */
int record_ring_new(int fd, size_t size, RecordRing **ret);
RecordRing *record_ring_free(RecordRing *r);
DEFINE_CLEANUP(RecordRing, record_ring_free);

/* Returns the next record: 1; 0: there is none yet; -EBADMSG. *ret is aligned to 8 bytes, and
 * valid until record_ring_commit(). */
int record_ring_next(RecordRing *r, const void **ret, size_t *ret_size);

/* Frees all records that record_ring_next() has returned. Call that again before sleeping: the kernel only
 * notifies of a new record when all earlier ones were free. */
void record_ring_commit(RecordRing *r);

/* Goes back to the oldest record that is not freed. */
void record_ring_rewind(RecordRing *r);

/* Positions in bytes since the ring was made: of what is written or being written, and of what
 * record_ring_next() has returned. */
unsigned long record_ring_written(const RecordRing *r);
unsigned long record_ring_read(const RecordRing *r);

/* Returns what record_ring_next() will return, without consuming it. *offset: the position, 0 at first. */
int record_ring_peek(const RecordRing *r, size_t *offset, const void **ret, size_t *ret_size);
