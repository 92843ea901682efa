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
#include "files/queues.bpf.h"
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
                current_spread(false);
        if (bytes || opened & OPENED_GONE)
                report_loss(BW_LOSS_FILE_GONE);
}

/* The same by readv(2) and similar: events are put into the first buffer. The next one gets some only if the
 * first was full to its last byte, which is a loss. */
static __always_inline void on_fanotify_read_parts(__u64 at, __u64 bytes, bool compat) {
        const __u32 word_size = compat ? 4 : 8;
        __u64 part[2] = {}; /* struct iovec */

        bpf_probe_read_user(&part[0], word_size & 0xf, (void *)at);
        bpf_probe_read_user(&part[1], word_size & 0xf, (void *)at + word_size);
        if (bytes > part[1]) {
                report_loss(BW_LOSS_FILE_GONE);
                bytes = part[1];
        }
        on_fanotify_read(part[0], bytes);
}

/* ---- programs that are executed ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct___started {
        unsigned long saved_auxv[2]; /* pairs of a type and a value, at least twenty */
};

#pragma clang attribute pop

#define AT_EXECFD 2        /* include/uapi/linux/auxvec.h */
#define AUXILIARY_PAIRS 26 /* AT_EXECFD is among the last of those that every kernel has */

/* The descriptor of the file that was executed, which binfmt_misc(5) passes to an interpreter with
 * credentials or the flag O; -1: there is none. */
__noinline int executed_descriptor(void) {
        const struct mm_struct___started *mm = (const void *)BPF_CORE_READ(current_task(), mm);
        const __u64 at = bpf_core_field_offset(struct mm_struct___started, saved_auxv);
        __u64 pair[2] = {};

        for (__u32 i = 0; i < AUXILIARY_PAIRS; i++) {
                if (bpf_probe_read_kernel(pair, sizeof(pair), (const void *)mm + at + i * sizeof(pair)) ||
                                !pair[0])
                        break;
                if (pair[0] == AT_EXECFD)
                        return pair[1];
        }
        return -1;
}

/* The program is in the memory of the process without a read. */
__noinline int program_opened(void) {
        struct task_struct *task = current_task();
        struct file *file = BPF_CORE_READ(task, mm, exe_file);

        return file && file_judge(task, file, BW_VIA_OPEN);
}

__noinline int program_takes(void) {
        const struct file *file = BPF_CORE_READ(current_task(), mm, exe_file);

        if (file)
                on_file_read(file);
        return 0;
}

static __always_inline void on_executed(void) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        if (program_opened())
                current_spread(false);
        program_takes();
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        int fd = p && p->passed ? executed_descriptor() : -1;
        if (fd < 0)
                return;
        descriptor_opened(fd, BW_VIA_OPEN);
        descriptor_taken(fd);
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

        if (call == CALL_EXEC)
                on_executed();
        else if (call == CALL_MAP)
                on_descriptor_mapped((int)call_argument(regs, task, 4), call_argument(regs, task, 2),
                                call_argument(regs, task, 3));
        else if (call == CALL_SETUP)
                on_mapped_shared(NULL, true);
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

/* BW_TAIL_DATA: the call was successful. The data may have arrived while it was blocked, and with
 * sendfile(2) or splice(2) it was sent at once. */
static __always_inline void on_data_returned(const struct pt_regs *regs, long ret) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);
        bool compat = SYSCALL_IS_COMPAT(task) != 0;

        switch (call) {
        case CALL_READ:
                on_fanotify_read(call_argument(regs, task, 1), ret);
                break;
        case CALL_READ_PARTS:
                on_fanotify_read_parts(call_argument(regs, task, 1), ret, compat);
                break;
        case CALL_RECEIVE:
        case CALL_RECEIVE_MANY:
                messages_received(call_argument(regs, task, 1), call == CALL_RECEIVE ? 1 : ret, compat);
                if (ret > 0)
                        descriptor_taken(call_argument(regs, task, 0));
                break;
        case CALL_QUEUE_RECEIVE:
                on_queue_received(call_argument(regs, task, 0));
                break;
        case CALL_SEMAPHORES:
                semaphores_used(call_argument(regs, task, 0), call_argument(regs, task, 2), false);
                break;
        case CALL_LOG:
                log_taken();
                break;
        case CALL_SUBMIT:
                submissions_take(regs, ret);
                break;
        case CALL_VMSPLICE:
                if (descriptor_writable(call_argument(regs, task, 0)))
                        descriptor_lent(call_argument(regs, task, 0));
                else
                        descriptor_taken(call_argument(regs, task, 0));
                break;
        default:
                descriptor_moved(call_moves(task, regs, call));
        }
}

/* ---- core dumps ---- */

/* The core file of the current process, which ends, is closed, and released after the hook for that
 * (kernel/exit.c do_exit()). For the sensors lsm and fentry, the hook for opens fires before it is written.
 */
static __always_inline void on_dumped(struct task_struct *task) {
        if (!(BPF_CORE_READ(task, flags) & PF_DUMPCORE) || !current_holds())
                return;
        __u64 file = file_released(true);
        if (file)
                file_given((const struct file *)file, NULL, 0);
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
        case CALL_EXEC: /* the number is that of the new program's interface */
        case CALL_SETUP:
        case CALL_TRACE:
                return ret >= 0 ? BW_TAIL_MEMORY : BW_TAIL_MAX;
        case CALL_QUEUE_RECEIVE: /* a message without text still has its type */
        case CALL_SEMAPHORES:
        case CALL_LOG:
                return ret >= 0 ? BW_TAIL_DATA : BW_TAIL_MAX;
        case CALL_SENDFILE:
        case CALL_SPLICE:
        case CALL_TEE:
        case CALL_VMSPLICE:
        case CALL_SUBMIT:
                return ret > 0 ? BW_TAIL_DATA : BW_TAIL_MAX;
        case CALL_RECEIVE:
        case CALL_RECEIVE_MANY:
                return ret >= 0 ? BW_TAIL_DATA : BW_TAIL_MAX;
        case CALL_FANOTIFY:
                shared.reads_checked = 1;
                break;
        case CALL_READ:
        case CALL_READ_PARTS:
                if (ret <= 0)
                        break;
                descriptor_taken(call_argument(regs, task, 0));
                return shared.reads_checked && descriptor_is_fanotify(call_argument(regs, task, 0))
                                       ? BW_TAIL_DATA
                                       : BW_TAIL_MAX;
        default:
                break;
        }
        return BW_TAIL_MAX;
}
