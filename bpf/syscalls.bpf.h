/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a system call does that we want to know of, and where its arguments are: for the sensor "tracepoint", which sees
 * calls, and no hooks inside the kernel. Each ABI numbers them its own way. */

#include "kernel.bpf.h"

enum call {
        CALL_NONE,
        CALL_OPEN,     /* returns a descriptor of a file it opened */
        CALL_FETCH,    /* returns a descriptor of another process's */
        CALL_READ,     /* from its descriptor, the first argument */
        CALL_READ_PARTS, /* the same, to several places */
        CALL_CONNECT,
        CALL_RECEIVE,  /* the same, a message; descriptors may come with it */
        CALL_RECEIVE_MANY, /* several */
        CALL_WRITE,    /* to the first */
        CALL_SENDFILE, /* from the second to the first */
        CALL_SPLICE,   /* from the first to the third */
        CALL_TEE,      /* from the first to the second */
        CALL_MAP,      /* maps the fifth */
        CALL_MAP_OLD,  /* the same, its arguments are in memory */
        CALL_VM_READ,  /* from the memory of the process that is the first argument */
        CALL_VM_WRITE, /* to it */
        CALL_TRACE,    /* ptrace(2): the process is the second */
        CALL_ATTACH,   /* shmat(2): returns an address */
        CALL_WATCH,    /* fanotify_init(2) */
        CALL_QUEUE_SEND, /* to the message queue that is the first argument */
        CALL_QUEUE_RECEIVE, /* from it */
};

#define CALLS_MAX 1024 /* a power of two, above all numbers there are */

/* Higher numbers are the same for all: since 5.1 calls are numbered alike. */
#define CALLS_OF_ALL [437] = CALL_OPEN /* openat2 */, [438] = CALL_FETCH /* pidfd_getfd */

#if defined(__TARGET_ARCH_x86)
/* arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl */
static const __u8 calls[CALLS_MAX] = {
        CALLS_OF_ALL,
        [2] = CALL_OPEN /* open */, [85] = CALL_OPEN /* creat */, [257] = CALL_OPEN /* openat */,
        [304] = CALL_OPEN /* open_by_handle_at */,
        [0] = CALL_READ /* read */, [17] = CALL_READ /* pread64 */, [19] = CALL_READ_PARTS /* readv */,
        [295] = CALL_READ_PARTS /* preadv */, [327] = CALL_READ_PARTS /* preadv2 */,
        [42] = CALL_CONNECT, [45] = CALL_READ /* recvfrom */, [47] = CALL_RECEIVE /* recvmsg */, [299] = CALL_RECEIVE_MANY /* recvmmsg */,
        [1] = CALL_WRITE /* write */, [18] = CALL_WRITE /* pwrite64 */, [20] = CALL_WRITE /* writev */,
        [296] = CALL_WRITE /* pwritev */, [328] = CALL_WRITE /* pwritev2 */, [278] = CALL_WRITE /* vmsplice */,
        [44] = CALL_WRITE /* sendto */, [46] = CALL_WRITE /* sendmsg */, [307] = CALL_WRITE /* sendmmsg */,
        [40] = CALL_SENDFILE, [275] = CALL_SPLICE, [326] = CALL_SPLICE /* copy_file_range */, [276] = CALL_TEE,
        [9] = CALL_MAP /* mmap */, [30] = CALL_ATTACH,
        [310] = CALL_VM_READ, [311] = CALL_VM_WRITE, [101] = CALL_TRACE,
        [300] = CALL_WATCH, [69] = CALL_QUEUE_SEND, [70] = CALL_QUEUE_RECEIVE,
        [242] = CALL_WRITE /* mq_timedsend */, [243] = CALL_READ /* mq_timedreceive */,
        /* x32 has some of its own */
        [515] = CALL_READ_PARTS /* readv */, [534] = CALL_READ_PARTS /* preadv */, [546] = CALL_READ_PARTS /* preadv2 */,
        [517] = CALL_READ /* recvfrom */, [519] = CALL_RECEIVE /* recvmsg */, [537] = CALL_RECEIVE_MANY /* recvmmsg */,
        [516] = CALL_WRITE /* writev */, [535] = CALL_WRITE /* pwritev */, [547] = CALL_WRITE /* pwritev2 */,
        [518] = CALL_WRITE /* sendmsg */, [538] = CALL_WRITE /* sendmmsg */, [532] = CALL_WRITE /* vmsplice */,
        [539] = CALL_VM_READ, [540] = CALL_VM_WRITE, [521] = CALL_TRACE,
};
static const __u8 calls_compat[CALLS_MAX] = {
        CALLS_OF_ALL,
        [5] = CALL_OPEN /* open */, [8] = CALL_OPEN /* creat */, [295] = CALL_OPEN /* openat */,
        [342] = CALL_OPEN /* open_by_handle_at */,
        [3] = CALL_READ /* read */, [180] = CALL_READ /* pread64 */, [145] = CALL_READ_PARTS /* readv */,
        [333] = CALL_READ_PARTS /* preadv */, [378] = CALL_READ_PARTS /* preadv2 */,
        [362] = CALL_CONNECT, [371] = CALL_READ /* recvfrom */, [372] = CALL_RECEIVE /* recvmsg */, [337] = CALL_RECEIVE_MANY /* recvmmsg */,
        [417] = CALL_RECEIVE_MANY /* recvmmsg_time64 */,
        [4] = CALL_WRITE /* write */, [181] = CALL_WRITE /* pwrite64 */, [146] = CALL_WRITE /* writev */,
        [334] = CALL_WRITE /* pwritev */, [379] = CALL_WRITE /* pwritev2 */, [316] = CALL_WRITE /* vmsplice */,
        [369] = CALL_WRITE /* sendto */, [370] = CALL_WRITE /* sendmsg */, [345] = CALL_WRITE /* sendmmsg */,
        [187] = CALL_SENDFILE, [239] = CALL_SENDFILE /* sendfile64 */,
        [313] = CALL_SPLICE, [377] = CALL_SPLICE /* copy_file_range */, [315] = CALL_TEE,
        [192] = CALL_MAP /* mmap2 */, [90] = CALL_MAP_OLD /* mmap */, [397] = CALL_ATTACH,
        [347] = CALL_VM_READ, [348] = CALL_VM_WRITE, [26] = CALL_TRACE,
        [338] = CALL_WATCH, [400] = CALL_QUEUE_SEND, [401] = CALL_QUEUE_RECEIVE,
        [279] = CALL_WRITE /* mq_timedsend */, [280] = CALL_READ /* mq_timedreceive */,
        [418] = CALL_WRITE /* mq_timedsend_time64 */, [419] = CALL_READ /* mq_timedreceive_time64 */,
};
#define CALL_NUMBER_MASK (~0x40000000) /* x32 */
#elif defined(__TARGET_ARCH_arm64)
/* include/uapi/asm-generic/unistd.h, arch/arm/tools/syscall.tbl */
static const __u8 calls[CALLS_MAX] = {
        CALLS_OF_ALL,
        [56] = CALL_OPEN /* openat */, [265] = CALL_OPEN /* open_by_handle_at */,
        [63] = CALL_READ /* read */, [67] = CALL_READ /* pread64 */, [65] = CALL_READ_PARTS /* readv */,
        [69] = CALL_READ_PARTS /* preadv */, [286] = CALL_READ_PARTS /* preadv2 */,
        [203] = CALL_CONNECT, [207] = CALL_READ /* recvfrom */, [212] = CALL_RECEIVE /* recvmsg */, [243] = CALL_RECEIVE_MANY /* recvmmsg */,
        [64] = CALL_WRITE /* write */, [68] = CALL_WRITE /* pwrite64 */, [66] = CALL_WRITE /* writev */,
        [70] = CALL_WRITE /* pwritev */, [287] = CALL_WRITE /* pwritev2 */, [75] = CALL_WRITE /* vmsplice */,
        [206] = CALL_WRITE /* sendto */, [211] = CALL_WRITE /* sendmsg */, [269] = CALL_WRITE /* sendmmsg */,
        [71] = CALL_SENDFILE, [76] = CALL_SPLICE, [285] = CALL_SPLICE /* copy_file_range */, [77] = CALL_TEE,
        [222] = CALL_MAP /* mmap */, [196] = CALL_ATTACH,
        [270] = CALL_VM_READ, [271] = CALL_VM_WRITE, [117] = CALL_TRACE,
        [262] = CALL_WATCH, [189] = CALL_QUEUE_SEND, [188] = CALL_QUEUE_RECEIVE,
        [182] = CALL_WRITE /* mq_timedsend */, [183] = CALL_READ /* mq_timedreceive */,
};
static const __u8 calls_compat[CALLS_MAX] = {
        CALLS_OF_ALL,
        [5] = CALL_OPEN /* open */, [8] = CALL_OPEN /* creat */, [322] = CALL_OPEN /* openat */,
        [371] = CALL_OPEN /* open_by_handle_at */,
        [3] = CALL_READ /* read */, [180] = CALL_READ /* pread64 */, [145] = CALL_READ_PARTS /* readv */,
        [361] = CALL_READ_PARTS /* preadv */, [392] = CALL_READ_PARTS /* preadv2 */,
        [283] = CALL_CONNECT, [292] = CALL_READ /* recvfrom */, [297] = CALL_RECEIVE /* recvmsg */, [365] = CALL_RECEIVE_MANY /* recvmmsg */,
        [417] = CALL_RECEIVE_MANY /* recvmmsg_time64 */,
        [4] = CALL_WRITE /* write */, [181] = CALL_WRITE /* pwrite64 */, [146] = CALL_WRITE /* writev */,
        [362] = CALL_WRITE /* pwritev */, [393] = CALL_WRITE /* pwritev2 */, [343] = CALL_WRITE /* vmsplice */,
        [290] = CALL_WRITE /* sendto */, [296] = CALL_WRITE /* sendmsg */, [374] = CALL_WRITE /* sendmmsg */,
        [187] = CALL_SENDFILE, [239] = CALL_SENDFILE /* sendfile64 */,
        [340] = CALL_SPLICE, [391] = CALL_SPLICE /* copy_file_range */, [342] = CALL_TEE,
        [192] = CALL_MAP /* mmap2 */, [305] = CALL_ATTACH,
        [376] = CALL_VM_READ, [377] = CALL_VM_WRITE, [26] = CALL_TRACE,
        [367] = CALL_WATCH, [301] = CALL_QUEUE_SEND, [302] = CALL_QUEUE_RECEIVE,
        [276] = CALL_WRITE /* mq_timedsend */, [277] = CALL_READ /* mq_timedreceive */,
        [418] = CALL_WRITE /* mq_timedsend_time64 */, [419] = CALL_READ /* mq_timedreceive_time64 */,
};
#define CALL_NUMBER_MASK (~0)
#endif

/* The system call that current is in. */
static __always_inline enum call call_of(const struct pt_regs *regs, struct task_struct *task) {
        __u32 number = SYSCALL_NUMBER(regs) & CALL_NUMBER_MASK;

        if (number >= CALLS_MAX)
                return CALL_NONE;
        number &= CALLS_MAX - 1;
        return SYSCALL_IS_COMPAT(task) ? calls_compat[number] : calls[number];
}

/* An argument of it, counted from 0; also when it returns. Of the upper half of a 64-bit register nothing is known when
 * the call takes an int. */
static __always_inline __u64 call_argument(const struct pt_regs *regs, struct task_struct *task, __u32 n) {
#if defined(__TARGET_ARCH_x86)
        if (SYSCALL_IS_COMPAT(task))
                return (__u32)(n == 0 ? regs->bx : n == 1 ? regs->cx : n == 2 ? regs->dx : n == 3 ? regs->si : regs->di);
        return n == 0 ? regs->di : n == 1 ? regs->si : n == 2 ? regs->dx : n == 3 ? regs->r10 : regs->r8;
#else
        return n == 0 ? regs->orig_x0 : regs->regs[n]; /* the first register holds the result by then */
#endif
}
