/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* System calls that end, for the sensor that is attached to them. What is rare is not done by the program
 * itself, but by one that it goes on with (BW_TAILS in abi/hooks.h): the verifier of 6.1 walks 700,000
 * instructions of all together, and refuses a program at a million. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/hooks.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/syscalls.bpf.h"
#include "process/ptrace.bpf.h"
#include "files/fanotify.bpf.h"
#include "files/file.bpf.h"
#include "files/flow.bpf.h"
#include "files/messages.bpf.h"
#include "files/uring.bpf.h"

/* ---- descriptors that were received ---- */

/* A fanotify listener has read so many bytes of events. Files that could not be found among them were opened
 * and are not judged: that counts as one loss. */
static __always_inline void on_fanotify_read(__u64 at, __u64 bytes) {
        __u32 opened = 0;

        for (__u32 i = 0; i < FANOTIFY_EVENTS_MAX; i++) {
                __u64 event = fanotify_event(at, bytes);
                if (!event)
                        break;
                if ((int)event >= 0)
                        opened |= descriptor_judge((int)event, BW_VIA_OPEN);
                at += event >> 32;
                bytes -= event >> 32;
        }
        if (opened & OPENED_SENSITIVE)
                current_spread();
        if (bytes || opened & OPENED_GONE)
                report_loss(BW_LOSS_FILE_GONE);
}

/* BW_TAIL_MESSAGES: the call was successful. */
static __always_inline void on_messages_returned(const struct pt_regs *regs, long ret) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);

        if (call == CALL_READ) {
                on_fanotify_read(call_argument(regs, task, 1), ret);
                return;
        }
        messages_received(call_argument(regs, task, 1), call == CALL_RECEIVE ? 1 : ret,
                        SYSCALL_IS_COMPAT(task) != 0);
        if (ret > 0)
                descriptor_taken(call_argument(regs, task, 0));
}

/* ---- memory ---- */

static __always_inline void on_buffers_registered(int fd, __u32 request) {
        __u64 ring = descriptor_ring(fd, request);

        if (ring)
                ring_shared(ring);
}

/* BW_TAIL_MEMORY: the call was successful. */
static __always_inline void on_memory_returned(const struct pt_regs *regs) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);

        if (call == CALL_MAP)
                on_descriptor_mapped((int)call_argument(regs, task, 4), call_argument(regs, task, 2),
                                call_argument(regs, task, 3));
        else if (call == CALL_ATTACH)
                segment_attached(call_argument(regs, task, 0));
        else if (call == CALL_REGISTER)
                on_buffers_registered(call_argument(regs, task, 0), call_argument(regs, task, 1));
        else
                on_memory_read(on_trace_done(regs, task, call));
}

/* ---- data that is moved without a read ---- */

__noinline int descriptor_moved(int fd) {
        const struct file *file = current_may_leak() ? descriptor_file(current_task(), fd) : NULL;

        on_socket_moved(file);
        return 0;
}

/* BW_TAIL_MOVES: the call was successful. The data may have arrived while it was blocked, and with
 * sendfile(2) or splice(2) it was sent at once. */
static __always_inline void on_moves_returned(const struct pt_regs *regs, long ret) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);

        if (call == CALL_QUEUE_RECEIVE)
                on_queue_received(call_argument(regs, task, 0));
        else if (call == CALL_SUBMIT)
                submissions_take(regs, ret);
        else if (call == CALL_VMSPLICE)
                descriptor_taken(call_argument(regs, task, 0));
        else
                descriptor_moved(call_moves(task, regs, call));
}

/* ---- every call ---- */

/* A call that no table lists has returned; its descriptors are not known. A kernel that does not know it
 * either says ENOSYS or, to socketcall(2) and ipc(2), EINVAL. Of unmarked processes it is not counted: any
 * of them may have received data so, and all of them would be. */
static __always_inline void on_unknown_call(long ret) {
        if (ret != -ENOSYS && ret != -EINVAL && anything_is_marked(BW_COUNT_MARKS_LIVE) &&
                        current_is_marked())
                report_loss(BW_LOSS_CALL_UNKNOWN);
}

/* Returns the part of the program that goes on with the call (enum bw_tail); BW_TAIL_MAX: none does. */
static __always_inline __u32 on_call_returned(const struct pt_regs *regs, long ret) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);

        switch (call) {
        case CALL_UNKNOWN:
                on_unknown_call(ret);
                break;
        case CALL_OPEN:
                on_open_returned(SYSCALL_NUMBER(regs), ret, BW_VIA_OPEN);
                break;
        case CALL_FETCH:
                on_open_returned(SYSCALL_NUMBER(regs), ret, BW_VIA_RECEIVED);
                break;
        case CALL_CONNECT:
                if (ret == 0 && descriptor_is_unix(call_argument(regs, task, 0)))
                        descriptor_opened(call_argument(regs, task, 0), BW_VIA_OPEN);
                break;
        case CALL_MAP:
        case CALL_ATTACH:
                return (__u64)ret < (__u64)-MAX_ERRNO ? BW_TAIL_MEMORY : BW_TAIL_MAX;
        case CALL_VM_READ:
        case CALL_VM_WRITE:
                return ret > 0 ? BW_TAIL_MEMORY : BW_TAIL_MAX;
        case CALL_REGISTER:
                switch (registration_of(call_argument(regs, task, 1))) {
                case REGISTRATION_UNKNOWN:
                        on_unknown_call(ret);
                        return ret >= 0 ? BW_TAIL_MEMORY : BW_TAIL_MAX;
                case REGISTRATION_BUFFERS:
                        return ret >= 0 ? BW_TAIL_MEMORY : BW_TAIL_MAX;
                default:
                        return BW_TAIL_MAX;
                }
        case CALL_TRACE:
                return ret >= 0 ? BW_TAIL_MEMORY : BW_TAIL_MAX;
        case CALL_QUEUE_RECEIVE: /* a message without text still has its type */
                return ret >= 0 ? BW_TAIL_MOVES : BW_TAIL_MAX;
        case CALL_SENDFILE:
        case CALL_SPLICE:
        case CALL_TEE:
        case CALL_SUBMIT:
                return ret > 0 ? BW_TAIL_MOVES : BW_TAIL_MAX;
        case CALL_RECEIVE:
        case CALL_RECEIVE_MANY:
                return ret >= 0 ? BW_TAIL_MESSAGES : BW_TAIL_MAX;
        case CALL_VMSPLICE: /* a pipe has two ends, and this is the one to read from */
                return ret > 0 && !descriptor_writable(call_argument(regs, task, 0)) ? BW_TAIL_MOVES
                                                                                     : BW_TAIL_MAX;
        case CALL_FANOTIFY:
                shared.reads_checked = 1;
                break;
        case CALL_READ:
        case CALL_READ_PARTS:
                if (ret <= 0)
                        break;
                descriptor_taken(call_argument(regs, task, 0));
                if (!shared.reads_checked || !descriptor_is_fanotify(call_argument(regs, task, 0)))
                        break;
                if (call == CALL_READ)
                        return BW_TAIL_MESSAGES;
                /* several buffers, each with its own events; no known listener does that */
                report_loss(BW_LOSS_FILE_GONE);
                break;
        default:
                break;
        }
        return BW_TAIL_MAX;
}
