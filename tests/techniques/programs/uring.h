/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* io_uring by its system calls, one operation at a time. If the kernel lacks something, the play exits as
 * one that cannot be played there. */

#include <linux/io_uring.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "play.h"

#define URING_ENTRIES 8

typedef struct Uring {
        int fd;
        bool polled; /* a thread of the kernel takes the submissions */
        uint32_t *sq_tail, *sq_mask, *sq_flags, *sq_array, *cq_head, *cq_tail, *cq_mask;
        struct io_uring_sqe *sqes;
        struct io_uring_cqe *cqes;
} Uring;

static inline void *uring_map(int fd, size_t size, off_t what) {
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

        if (at == MAP_FAILED)
                play_die("mmap a ring");
        return at;
}

static inline void uring_open(Uring *u, bool polled) {
        struct io_uring_params params = { .flags = polled ? IORING_SETUP_SQPOLL : 0,
                .sq_thread_idle = 2000 };
        char *sq, *cq;

        u->polled = polled;
        u->fd = (int)syscall(SYS_io_uring_setup, URING_ENTRIES, &params);
        if (u->fd < 0)
                play_exit(PLAY_CANNOT, "io_uring_setup");
        sq = uring_map(u->fd, params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                        IORING_OFF_SQ_RING);
        cq = uring_map(u->fd, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
                        IORING_OFF_CQ_RING);
        u->sqes = uring_map(u->fd, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
        u->sq_tail = (uint32_t *)(sq + params.sq_off.tail);
        u->sq_mask = (uint32_t *)(sq + params.sq_off.ring_mask);
        u->sq_flags = (uint32_t *)(sq + params.sq_off.flags);
        u->sq_array = (uint32_t *)(sq + params.sq_off.array);
        u->cq_head = (uint32_t *)(cq + params.cq_off.head);
        u->cq_tail = (uint32_t *)(cq + params.cq_off.tail);
        u->cq_mask = (uint32_t *)(cq + params.cq_off.ring_mask);
        u->cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
}

/* Performs an operation, and returns its result. */
static inline int uring_do(Uring *u, struct io_uring_sqe sqe) {
        uint32_t tail = *u->sq_tail, place = tail & *u->sq_mask, head = *u->cq_head;
        unsigned flags = IORING_ENTER_GETEVENTS;
        int result;

        u->sqes[place] = sqe;
        u->sq_array[place] = place;
        __atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_SEQ_CST);
        if (u->polled && __atomic_load_n(u->sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
                flags |= IORING_ENTER_SQ_WAKEUP;
        while (__atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE) == head)
                if (syscall(SYS_io_uring_enter, u->fd, 1, 1, flags, NULL, 0) < 0 && errno != EINTR)
                        play_die("io_uring_enter");
        result = u->cqes[head & *u->cq_mask].res;
        __atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
        /* The kernel lacks the operation or its flags. */
        if (result == -EINVAL || result == -EOPNOTSUPP) {
                errno = -result;
                play_exit(PLAY_CANNOT, "io_uring operation %d", sqe.opcode);
        }
        return result;
}

/* The same, for an operation that must succeed. */
static inline size_t uring_must(Uring *u, struct io_uring_sqe sqe) {
        int result = uring_do(u, sqe);

        if (result < 0) {
                errno = -result;
                play_die("io_uring operation %d", sqe.opcode);
        }
        return (size_t)result;
}
