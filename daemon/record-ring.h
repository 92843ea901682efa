/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reads a BPF ring buffer (kernel/bpf/ringbuf.c) and frees its records only when the owner says so: libbpf's reader
 * frees each as soon as its callback returns, and whoever is killed then has lost what it had not passed on. Knows
 * nothing of what is in a record. */

#include <stddef.h>

#include "util.h"

typedef struct RecordRing RecordRing;

/* fd: of the map, which stays the caller's and is readable (poll(2)) while there are records that are not freed; size:
 * its max_entries. Reads from the oldest record on that is not freed, whoever has read it before. -EBADMSG: what is in
 * it cannot come from the kernel. */
int record_ring_new(int fd, size_t size, RecordRing **ret);
RecordRing *record_ring_free(RecordRing *r);
DEFINE_CLEANUP(RecordRing, record_ring_free);

/* The record after the one it gave last. 1; 0: there is none yet; -EBADMSG. *ret is aligned to 8 bytes, and valid until
 * record_ring_commit(). */
int record_ring_next(RecordRing *r, const void **ret, size_t *ret_size);

/* Frees everything that record_ring_next() has given. Look for a next one before sleeping: the kernel tells of a new
 * record only when all before it were free. */
void record_ring_commit(RecordRing *r);

/* Goes back to the oldest record that is not freed. */
void record_ring_rewind(RecordRing *r);

/* What record_ring_next() will give, without moving on. *offset: how far one has looked, 0 at first. */
int record_ring_peek(const RecordRing *r, size_t *offset, const void **ret, size_t *ret_size);
