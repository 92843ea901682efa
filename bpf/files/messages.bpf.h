/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Descriptors that came with messages, for the sensor that is attached to system calls and requests of
 * io_uring. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "files/file.bpf.h"

/* struct user_msghdr and struct cmsghdr (include/linux/socket.h), which the 32-bit ABI lays out with its
 * word size. */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define CONTROLS_MAX 4 /* messages examined per message; the kernel makes one of each kind */

/* The address of the first descriptor that recvmsg(2) returned, or 0. It is only in the process's memory,
 * which another thread may change meanwhile; the sensors lsm and fentry use the kernel's objects instead.
 * The kernel puts all descriptors into one control message (net/core/scm.c scm_detach_fds()). */
__noinline __u64 message_descriptors(__u64 message, __u32 compat) {
        const __u64 word_size = compat ? 4 : 8, header = word_size + 8;
        __u64 at = 0, length = 0;
        __u32 word[2] = {};

        bpf_probe_read_user(&at, word_size & 0xf, (void *)message + 4 * word_size);
        bpf_probe_read_user(&length, word_size & 0xf, (void *)message + 5 * word_size);
        for (__u32 i = 0; i < CONTROLS_MAX; i++) {
                __u64 size = 0;
                if (!at || length < header || bpf_probe_read_user(&size, word_size & 0xf, (void *)at) ||
                                bpf_probe_read_user(word, sizeof(word), (void *)at + word_size) ||
                                size < header || size > length)
                        break;
                if (word[0] == SOL_SOCKET && word[1] == SCM_RIGHTS)
                        return at + header;
                __u64 step = (size + word_size - 1) & ~(word_size - 1);
                if (step > length)
                        break;
                at += step;
                length -= step;
        }
        return 0;
}

/* The number of a message that recvmmsg(2) returned, and in the lower half that of a descriptor in it. */
#define PLACE_SHIFT 16
/* Messages that are passed over at one time, and descriptors and such times per call. recvmmsg(2) returns up
 * to 1,024 messages (UIO_MAXIOV), and each may have 253 descriptors (SCM_MAX_FD): what exceeds it is a loss.
 */
#define MESSAGES_SOME 64
#define DESCRIPTORS_MAX 1024

/* The first descriptor at `place` or in the messages between it and `end`, or -1, and in the upper half the
 * place behind it. */
__noinline __u64 message_descriptor(__u64 message, __u32 place, __u32 end, __u32 compat) {
        const __u64 word_size = compat ? 4 : 8, stride = compat ? 32 : 64; /* struct mmsghdr */

        for (__u32 i = 0; i < MESSAGES_SOME && place < end; i++) {
                __u64 at = message_descriptors(message + (place >> PLACE_SHIFT) * stride, compat), size = 0;
                __u32 index = place & ((1 << PLACE_SHIFT) - 1), fd = -1;
                if (at)
                        bpf_probe_read_user(&size, word_size & 0xf, (void *)at - word_size - 8);
                if (size >= word_size + 8 + (index + 1) * sizeof(fd)) {
                        bpf_probe_read_user(&fd, sizeof(fd), (void *)at + index * sizeof(fd));
                        return (__u64)(place + 1) << 32 | fd;
                }
                place = ((place >> PLACE_SHIFT) + 1) << PLACE_SHIFT;
        }
        return (__u64)place << 32 | (__u32)-1;
}

static __always_inline void messages_received(__u64 message, __u32 n, __u32 compat) {
        const __u32 end = n << PLACE_SHIFT;
        __u32 place = 0, opened = 0;

        for (__u32 i = 0; i < DESCRIPTORS_MAX && place < end; i++) {
                __u64 r = message_descriptor(message, place, end, compat);
                opened |= descriptor_judge((int)r, BW_VIA_RECEIVED); /* -1: nothing */
                place = r >> 32;
        }
        if (opened & OPENED_SENSITIVE)
                current_spread(false);
        if (place < end)
                report_loss(BW_LOSS_FILE_GONE);
}
