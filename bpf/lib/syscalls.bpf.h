/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Classifies system calls by the tables of lib/calls.h and reads their arguments, mostly for the sensor
 * "tracepoint", which has no hooks inside the kernel. Each ABI has its own numbers. */

#include "lib/calls.h"
#include "lib/kernel.bpf.h"

enum call {
        CALL_UNKNOWN, /* not in the tables: it may move anything */
        CALL_NOTHING, /* these four have no body, see lib/calls.h */
        CALL_ELSEWHERE,
        CALL_HOLE,
        CALL_FEW,
        CALL_EXEC,       /* another hook fires, and what the process shares with others ends */
        CALL_NAME,       /* gives a file another name */
        CALL_UNNAME,     /* takes one from it */
        CALL_OPEN,       /* returns a descriptor of a file it opened */
        CALL_FETCH,      /* returns a duplicate of another process's descriptor */
        CALL_READ,       /* from the descriptor in its first argument */
        CALL_READ_PARTS, /* the same, into several buffers */
        CALL_CONNECT,
        CALL_RECEIVE,       /* the same, a message, which may carry descriptors */
        CALL_RECEIVE_MANY,  /* several messages */
        CALL_WRITE,         /* to the first argument */
        CALL_SEND_TO,       /* the same; the address is the fifth */
        CALL_SEND_MESSAGE,  /* the same; a message has the address */
        CALL_VMSPLICE,      /* the same, or from it, if it cannot be written to */
        CALL_SENDFILE,      /* from the second to the first */
        CALL_SPLICE,        /* from the first to the third */
        CALL_TEE,           /* from the first to the second */
        CALL_MAP,           /* maps the fifth argument */
        CALL_VM_READ,       /* from the memory of the process that is the first argument */
        CALL_VM_WRITE,      /* to it */
        CALL_TRACE,         /* ptrace(2): the process is the second */
        CALL_ATTACH,        /* shmat(2): returns an address */
        CALL_FANOTIFY,      /* fanotify_init(2) */
        CALL_QUEUE_SEND,    /* to the message queue that is the first argument */
        CALL_QUEUE_RECEIVE, /* from it */
        CALL_SEMAPHORES,    /* semctl(2): the third argument decides */
        CALL_LOG,           /* syslog(2): reads the kernel's log */
        CALL_SETUP,         /* io_setup(2): maps memory that children have, too */
        CALL_SUBMIT,        /* io_submit(2): reads and writes that the second and third argument describe */
        CALL_IOCTL,         /* the second argument decides, see lib/requests.h */
        CALL_BIND,
        CALL_OPTION,     /* setsockopt(2): the second and third argument decide */
        CALL_REGISTER,   /* io_uring_register(2): the second argument decides, see lib/requests.h */
        CALL_SOCKETCALL, /* these two stand for another call, which call_of() returns */
        CALL_IPC,
};

#define CALLS_MAX 1024 /* a power of two, above all numbers in use */
/* The same of socketcall(2) and ipc(2). Not 32: clang puts constants of 32 bytes into a section of their
 * own, which the kernel's check of the BTF refuses. */
#define INNER_CALLS_MAX 64

/* What moves nothing has no body, and only that. */
enum { MOVES_NONE, MOVES_IN, MOVES_OUT, MOVES_BOTH };
#define CALL_CHECK(moves, body)                                                                             \
        _Static_assert((MOVES_##moves == MOVES_NONE) == (CALL_##body == CALL_NOTHING), #body);
#define CALL_CHECK_ROW(name, x86_64, i386, x32, arm64, arm, moves, body) CALL_CHECK(moves, body)
#define INNER_CHECK_ROW(name, number, moves, body) CALL_CHECK(moves, body)
BW_CALLS(CALL_CHECK_ROW)
BW_SOCKET_CALLS(INNER_CHECK_ROW)
BW_IPC_CALLS(INNER_CHECK_ROW)

/* The last place is what NA stands for, again and again. x32 has numbers of its own from 512 on, and
 * otherwise those of x86_64. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
#define INNER_CALL(name, number, moves, body) [number] = CALL_##body,
#if defined(__TARGET_ARCH_x86)
#define CALL_NATIVE(name, x86_64, i386, x32, arm64, arm, moves, body)                                       \
        [x86_64] = CALL_##body, [x32] = CALL_##body,
#define CALL_COMPAT(name, x86_64, i386, x32, arm64, arm, moves, body) [i386] = CALL_##body,
#define CALL_NUMBER_MASK (~0x40000000) /* x32 */
#define CALL_IS_PRIVATE(number) false
static const __u8 socket_calls[INNER_CALLS_MAX] = { BW_SOCKET_CALLS(INNER_CALL) };
static const __u8 ipc_calls[INNER_CALLS_MAX] = { BW_IPC_CALLS(INNER_CALL) };
#elif defined(__TARGET_ARCH_arm64)
#define CALL_NATIVE(name, x86_64, i386, x32, arm64, arm, moves, body) [arm64] = CALL_##body,
#define CALL_COMPAT(name, x86_64, i386, x32, arm64, arm, moves, body) [arm] = CALL_##body,
#define CALL_NUMBER_MASK (~0)
#define CALL_IS_PRIVATE(number)                                                                             \
        ((number) >= 0xf0000) /* arch/arm64/include/asm/unistd.h: caches and threads of arm */
#endif
static const __u8 calls[CALLS_MAX + 1] = { BW_CALLS(CALL_NATIVE) };
static const __u8 calls_compat[CALLS_MAX + 1] = { BW_CALLS(CALL_COMPAT) };
#pragma clang diagnostic pop

/* Numbers of i386 whose arguments are not in the registers of their position. */
#define I386_MMAP 90        /* in memory at the first register */
#define I386_SOCKETCALL 102 /* in memory at the second */
#define I386_IPC 117        /* one register later */

#if defined(__TARGET_ARCH_x86)
/* Argument n of a call by the 32-bit interface, from 0. What is in memory another thread may change
 * meanwhile. */
__noinline __u64 compat_argument(__u64 regs_address, __u32 n) {
        const struct pt_regs *regs = (const struct pt_regs *)regs_address;
        __u32 number = BPF_CORE_READ(regs, orig_ax), argument = 0;

        if (number == I386_MMAP || number == I386_SOCKETCALL) {
                __u64 at = (__u32)(number == I386_MMAP ? BPF_CORE_READ(regs, bx) : BPF_CORE_READ(regs, cx));
                bpf_probe_read_user(&argument, sizeof(argument), (void *)(at + n * sizeof(argument)));
                return argument;
        }
        if (number == I386_IPC)
                n++;
        return (__u32)(n == 0    ? BPF_CORE_READ(regs, bx)
                        : n == 1 ? BPF_CORE_READ(regs, cx)
                        : n == 2 ? BPF_CORE_READ(regs, dx)
                        : n == 3 ? BPF_CORE_READ(regs, si)
                                 : BPF_CORE_READ(regs, di));
}

/* The call that socketcall(2) and ipc(2) stand for. The upper half of ipc's number is a version. */
static __always_inline enum call call_inner(const struct pt_regs *regs, enum call call) {
        __u32 number = (__u32)regs->bx;

        if (call == CALL_IPC)
                number &= 0xffff;
        if (number >= INNER_CALLS_MAX)
                return CALL_UNKNOWN;
        __u64 inner = INDEX_BELOW(number, INNER_CALLS_MAX);
        return call == CALL_IPC ? ipc_calls[inner] : socket_calls[inner];
}
#endif

/* The system call that the current task is in. A negative number is of a call that a tracer or a filter has
 * answered instead of the kernel, or of a signal handler that returns. */
static __always_inline enum call call_of(const struct pt_regs *regs, struct task_struct *task) {
        int as_given = SYSCALL_NUMBER(regs);
        __u32 number = as_given & CALL_NUMBER_MASK;

        if (number >= CALLS_MAX)
                return as_given < 0 || CALL_IS_PRIVATE(number) ? CALL_NOTHING : CALL_UNKNOWN;
        __u64 index = INDEX_BELOW(number, CALLS_MAX);
        if (!SYSCALL_IS_COMPAT(task))
                return calls[index];
#if defined(__TARGET_ARCH_x86)
        enum call call = calls_compat[index];
        return call == CALL_SOCKETCALL || call == CALL_IPC ? call_inner(regs, call) : call;
#else
        return calls_compat[index];
#endif
}

/* Argument n of it, from 0; valid at its return, too. The upper half of the register is undefined where the
 * call takes an int. */
static __always_inline __u64 call_argument(const struct pt_regs *regs, struct task_struct *task, __u32 n) {
#if defined(__TARGET_ARCH_x86)
        if (SYSCALL_IS_COMPAT(task))
                return compat_argument(address_of(regs), n);
        return n == 0 ? regs->di : n == 1 ? regs->si : n == 2 ? regs->dx : n == 3 ? regs->r10 : regs->r8;
#else
        return n == 0 ? regs->orig_x0 : regs->regs[n]; /* at its return the first register has the result */
#endif
}

/* The same in a function that has only the address of the registers: n from 0 to 2. */
static __always_inline __u64 argument_read(__u64 regs_address, __u32 n) {
        const struct pt_regs *regs = (const struct pt_regs *)regs_address;
#if defined(__TARGET_ARCH_x86)
        if (SYSCALL_IS_COMPAT(current_task()))
                return compat_argument(regs_address, n);
        return n == 0 ? BPF_CORE_READ(regs, di) : n == 1 ? BPF_CORE_READ(regs, si) : BPF_CORE_READ(regs, dx);
#else
        return n == 0   ? BPF_CORE_READ(regs, orig_x0)
               : n == 1 ? BPF_CORE_READ(regs, regs[1])
                        : BPF_CORE_READ(regs, regs[2]);
#endif
}
