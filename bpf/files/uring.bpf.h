/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* io_uring, for the sensor that is attached to system calls: its operations do not make any.
 *
 * Opens: the file goes to a descriptor, or to a slot of the ring's own table (a "direct" one, which has no
 * descriptor).
 *
 * The completion of an open is posted in a thread of the process that submitted it: its own, its worker, or
 * the ring's poller, which are threads of it since 5.12 (and in the stable 5.10 since 5.10.162). But a batch
 * is posted after all of it has run, so pending opens are examined again at each further submission: a
 * process that opens, reads and sends in one batch is marked before it sends.
 *
 * Missed: a worker opens the file, another thread takes it before the completion is posted, and puts another
 * file in its place. Opens that are to be posted only on failure, and those whose completion did not fit
 * into the queue, are counted as a loss.
 *
 * Reads and writes: the object that is written to is marked before the request is carried out, and again
 * when it is posted, as a process that opens, reads and writes in one chain of requests is not marked
 * before. A reader is marked when the request is posted. One that is posted repeatedly (multishot) is not
 * known then: all of the ring that do so count. Missed: before 5.19 those that were blocked. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/requests.h"
#include "mark/activity.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/pass.bpf.h"
#include "egress/egress.bpf.h"
#include "files/fanotify.bpf.h"
#include "files/file.bpf.h"
#include "files/flow.bpf.h"
#include "files/messages.bpf.h"
#include "files/rings.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/io_uring_types.h; before 6.0 everything is in fs/io_uring.c. */
struct io_cqe {
        __s32 res;
        int fd; /* before it is carried out: the descriptor, or the slot, that it is about */
};

struct io_splice {
        int splice_fd_in;
        unsigned int flags;
};

/* Of a receive; as many bits as the oldest kernels have. */
struct io_sr_msg {
        unsigned int flags;
        void *umsg;
};

struct io_open {
        __u32 file_slot; /* 0: to a descriptor; the slot's number + 1; ~0: a slot of the kernel's choice */
};

/* The operation of a request; since 6.0 it has no type of its own. */
struct io_cmd_data {
        struct file *file;
};

/* A slot's lower bits are flags. */
struct io_rsrc_node {
        unsigned long file_ptr;
};

struct io_rsrc_data {
        unsigned int nr;
        struct io_rsrc_node **nodes;
};

struct io_file_table {
        struct io_rsrc_data data;
};

struct io_fixed_file {
        unsigned long file_ptr;
};

struct io_file_table___before_6_13 {
        struct io_fixed_file *files;
};

struct io_ring_ctx {
        struct io_file_table file_table;
        unsigned int nr_user_files; /* before 6.13 */
        unsigned int nr_user_bufs;  /* before 6.13 */
        struct io_rsrc_data buf_table;
        struct mm_struct *mm_account; /* of the process that made it */
        unsigned int compat : 1;
};

struct io_uring_task {
        struct file *registered_rings[16]; /* since 5.18 */
};

struct io_kiocb {
        struct io_cmd_data cmd;
        __u8 opcode;
        unsigned int flags;
        struct io_cqe cqe; /* since 5.19 */
        struct io_ring_ctx *ctx;
};

struct io_kiocb___before_6_0 {
        struct file *file;
        struct io_open open;
        __u32 result;
};

#pragma clang attribute pop

/* What an operation does, by the table of lib/requests.h. */
enum operation {
        OPERATION_UNKNOWN, /* not in the table: it may read and write */
        OPERATION_NOTHING, /* these four have no body, see lib/calls.h */
        OPERATION_ELSEWHERE,
        OPERATION_HOLE,
        OPERATION_FEW,
        OPERATION_OPEN,
        OPERATION_INSTALL, /* gives a descriptor to a file of the ring's own table */
        OPERATION_CONNECT,
        OPERATION_READ,
        OPERATION_WRITE,
        OPERATION_MOVE, /* from one file to another */
};

#define OPERATION_CHECK_ROW(name, number, moves, body)                                                      \
        _Static_assert((MOVES_##moves == MOVES_NONE) == (OPERATION_##body == OPERATION_NOTHING), #name);
BW_OPERATIONS(OPERATION_CHECK_ROW)

#define OPERATIONS_MAX 128 /* a power of two, above all numbers in use */
#define OPERATION_ROW(name, number, moves, body) [number] = OPERATION_##body,
static const __u8 operations[OPERATIONS_MAX] = { BW_OPERATIONS(OPERATION_ROW) };

static __always_inline enum operation uring_operation(const struct io_kiocb *request) {
        __u8 opcode = BPF_CORE_READ(request, opcode);

        return opcode < OPERATIONS_MAX ? operations[opcode & (OPERATIONS_MAX - 1)] : OPERATION_UNKNOWN;
}

#define OPERATION_NUMBER(name, number, moves, body) IORING_OP_##name = number,
enum { BW_OPERATIONS(OPERATION_NUMBER) };

#define FLAG_FOLLOWED(flag, number) flag = number,
#define FLAG_IGNORED(flag, number)
#define REQUEST_FLAG(name, number, body) FLAG_##body(IOSQE_##name, number)
#define SOCKET_FLAG(name, number, body) FLAG_##body(IORING_##name, number)
#define RING_FLAG(name, number, body) FLAG_##body(IORING_SETUP_##name, number)
enum { BW_REQUEST_FLAGS(REQUEST_FLAG) BW_SOCKET_FLAGS(SOCKET_FLAG) BW_RING_FLAGS(RING_FLAG) };

#define SPLICE_F_FD_IN_FIXED (1U << 31) /* include/uapi/linux/io_uring.h */

/* What a request of io_uring_register(2) registers, by the table of lib/requests.h. */
enum registration {
        REGISTRATION_UNKNOWN, /* not in the table: it may be buffers */
        REGISTRATION_NOTHING, /* these four have no body, see lib/calls.h */
        REGISTRATION_ELSEWHERE,
        REGISTRATION_HOLE,
        REGISTRATION_FEW,
        REGISTRATION_BUFFERS,
};

#define REGISTRATION_CASE(name, number, moves, body)                                                        \
        case number:                                                                                        \
                return REGISTRATION_##body;

#define REGISTERED_RING (1U << 31) /* IORING_REGISTER_USE_REGISTERED_RING, since 6.3 */

static __always_inline enum registration registration_of(__u32 request) {
        switch (request & ~REGISTERED_RING) {
                BW_REGISTRATIONS(REGISTRATION_CASE)
        default:
                return REGISTRATION_UNKNOWN;
        }
}

#define SLOT_CHOSEN (~0U) /* IORING_FILE_INDEX_ALLOC */
#define SLOT_FLAGS 7UL    /* fs/io_uring.c FFS_MASK, io_uring/filetable.h: what fits below a pointer */

/* The arguments of the three tracepoints have changed: since 6.0 the first is the request. The compiler must
 * not merge the two reads into one of ctx at a variable offset, which the verifier refuses. */
static __always_inline __u64 uring_submitted(const unsigned long long *ctx) {
        __u64 request;

        if (bpf_core_type_exists(struct io_cmd_data)) {
                request = ctx[0];
                asm volatile("" : "+r"(request) : : "memory");
        } else {
                request = ctx[1];
                barrier_var(request);
        }
        return request;
}

/* A request that reads each time that there is something, and posts what it read without itself. */
static __always_inline bool uring_reads_on(const struct io_kiocb *request) {
        __u8 opcode = BPF_CORE_READ(request, opcode);

        if (!bpf_core_type_exists(struct io_cmd_data)) /* since 6.0 */
                return false;
        if (opcode != IORING_OP_RECV && opcode != IORING_OP_RECVMSG)
                return opcode == IORING_OP_READ_MULTISHOT || opcode == IORING_OP_RECV_ZC;
        const struct io_sr_msg *receive =
                        (const void *)request + bpf_core_field_offset(struct io_kiocb, cmd);
        return BPF_CORE_READ(receive, flags) & IORING_RECV_MULTISHOT;
}

static __always_inline __u32 uring_open_slot(const struct io_kiocb *request) {
        if (!bpf_core_type_exists(struct io_cmd_data)) {
                const struct io_kiocb___before_6_0 *before = (const void *)request;
                return BPF_CORE_READ(before, open.file_slot);
        }
        const struct io_open *open = (const void *)request + bpf_core_field_offset(struct io_kiocb, cmd);
        return BPF_CORE_READ(open, file_slot);
}

/* A descriptor, or the slot that the kernel chose, or negative; undefined before the open is done. */
static __always_inline int uring_result(const struct io_kiocb *request) {
        if (bpf_core_field_exists(request->cqe))
                return BPF_CORE_READ(request, cqe.res);
        const struct io_kiocb___before_6_0 *before = (const void *)request;
        return BPF_CORE_READ(before, result);
}

static __always_inline struct file *uring_slot_file(const struct io_ring_ctx *ring, __u32 slot) {
        unsigned long file = 0;

        if (bpf_core_field_exists(ring->file_table.data)) {
                struct io_rsrc_node **nodes = BPF_CORE_READ(ring, file_table.data.nodes), *node = NULL;
                if (slot >= BPF_CORE_READ(ring, file_table.data.nr) ||
                                bpf_probe_read_kernel(&node, sizeof(node), nodes + slot))
                        return NULL;
                file = BPF_CORE_READ(node, file_ptr);
        } else {
                const struct io_file_table___before_6_13 *table =
                                (const void *)ring + bpf_core_field_offset(struct io_ring_ctx, file_table);
                struct io_fixed_file *files = BPF_CORE_READ(table, files);
                if (slot < BPF_CORE_READ(ring, nr_user_files))
                        bpf_probe_read_kernel(&file, sizeof(file), files + slot);
        }
        return (struct file *)(file & ~SLOT_FLAGS);
}

/* Judges the file of an open with this slot and result. Returns enum opened. */
__noinline int uring_judge(__u64 ring, __u32 slot, __s32 result) {
        struct file *file = NULL;

        if (slot == 0)
                file = descriptor_file(current_task(), result);
        else if (slot != SLOT_CHOSEN)
                file = uring_slot_file((const struct io_ring_ctx *)ring, slot - 1);
        else if (result >= 0)
                file = uring_slot_file((const struct io_ring_ctx *)ring, result);
        if (!file)
                return OPENED_GONE;
        if (activity_wanted())
                activity_current(ACTIVITY_OPEN);
        return file_judge(current_task(), file, BW_VIA_OPEN) ? OPENED_SENSITIVE : OPENED;
}

static __always_inline bool uring_opened(__u64 ring, __u32 slot, __s32 result) {
        int r = uring_judge(ring, slot, result);

        if (r == OPENED_SENSITIVE)
                current_spread(false);
        return r != OPENED_GONE;
}

/* Judges the pending opens of this ring that are done. One that is not still has the result of an earlier
 * request, which may be the number of another descriptor: then that is judged again. */
static __always_inline void uring_opens_look(const struct uring_ring *opens, __u64 ring) {
        for (__u32 i = 0; i < URING_OPENS_MAX; i++) {
                const struct io_kiocb *request = (const void *)opens->open[i];
                if (!request)
                        continue;
                int result = uring_result(request);
                if (result >= 0)
                        uring_opened(ring, opens->slot[i], result);
        }
}

/* Records a submitted open. */
__noinline int uring_open_add(__u64 request_address) {
        const struct io_kiocb *request = (const struct io_kiocb *)request_address;
        struct uring_ring *r = ring_take((__u64)BPF_CORE_READ(request, ctx));

        if (!r)
                return 0;
        __u32 place = r->opens++ % URING_OPENS_MAX;
        r->slot[place] = uring_open_slot(request);
        r->open[place] = request_address;
        if (BPF_CORE_READ(request, flags) & IOSQE_CQE_SKIP_SUCCESS)
                report_loss(BW_LOSS_FILE_GONE);
        return 0;
}

static __always_inline struct file *uring_file(const struct io_kiocb *request, int fd, bool fixed) {
        return fixed ? uring_slot_file(BPF_CORE_READ(request, ctx), fd)
                     : descriptor_file(current_task(), fd);
}

/* The file of a request: set at submission before 5.19, and since then when the request is carried out. */
static __always_inline struct file *uring_request_file(const struct io_kiocb *request, bool done) {
        const struct io_kiocb___before_6_0 *before = (const void *)request;

        if (!bpf_core_field_exists(request->cqe))
                return BPF_CORE_READ(before, file);
        if (done)
                return BPF_CORE_READ(request, cmd.file);
        return uring_file(request, BPF_CORE_READ(request, cqe.fd),
                        BPF_CORE_READ(request, flags) & IOSQE_FIXED_FILE);
}

/* The current, marked process writes to it. */
__noinline int uring_leaves(__u64 request_address, __u32 done) {
        const struct file *file = uring_request_file((const struct io_kiocb *)request_address, done);

        if (file) {
                on_socket_written(file, ACT_DENIED_LATER, true);
                on_device_written(file, ACT_DENIED_LATER);
                on_memory_file(file, true);
        }
        return 0;
}

__noinline int uring_gives(__u64 request_address, __u32 done) {
        const struct file *file = uring_request_file((const struct io_kiocb *)request_address, done);

        if (file)
                file_given(file, NULL, ACT_DENIED_LATER);
        return 0;
}

/* It has read from it, or moves data from one file to another. */
__noinline int uring_takes(__u64 request_address, __u32 done) {
        const struct io_kiocb *request = (const struct io_kiocb *)request_address;
        const struct io_splice *splice = (const void *)request + bpf_core_field_offset(struct io_kiocb, cmd);
        const struct file *file;

        if (uring_operation(request) == OPERATION_MOVE && bpf_core_type_exists(struct io_cmd_data))
                file = uring_file(request, BPF_CORE_READ(splice, splice_fd_in),
                                BPF_CORE_READ(splice, flags) & SPLICE_F_FD_IN_FIXED);
        else
                file = uring_request_file(request, done);
        if (!file)
                return 0;
        on_memory_file(file, false);
        on_file_read(file);
        return 0;
}

/* It may have read events of fanotify(7), which are not parsed here: counts a loss. */
__noinline int uring_read_fanotify(__u64 request_address) {
        const struct file *file = uring_request_file((const struct io_kiocb *)request_address, true);

        if (file && file_is_fanotify(file))
                report_loss(BW_LOSS_FILE_GONE);
        return 0;
}

/* A connect is done, which may be to an agent. */
__noinline int uring_connected(__u64 request_address) {
        struct file *file = uring_request_file((const struct io_kiocb *)request_address, true);

        return file ? file_judge(current_task(), file, BW_VIA_OPEN) : false;
}

/* Buffers that a process registers with a ring are its memory, and each process that has the ring can read
 * and write them by it. The ring stands for them: what uses it shares memory. */
__noinline int ring_shared(__u64 ring) {
        struct object o = {};

        object_set(&o, BW_VIA_MEMORY, ring,
                        (__u64)BPF_CORE_READ((const struct io_ring_ctx *)ring, mm_account), 0);
        on_memory_shared(&o, SHARES_CHILDREN);
        return 0;
}

/* The current process submits to a ring of another one, which has buffers that it may use. */
static __always_inline bool ring_is_foreign(const struct io_ring_ctx *ring) {
        if (BPF_CORE_READ(ring, mm_account) == BPF_CORE_READ(current_task(), mm))
                return false;
        return bpf_core_field_exists(ring->buf_table) ? BPF_CORE_READ(ring, buf_table.nr)
                                                      : BPF_CORE_READ(ring, nr_user_bufs);
}

/* The address of the ring that io_uring_register(2) was about: of a descriptor, or of the rings that the
 * process has registered. */
__noinline __u64 descriptor_ring(int fd, __u32 request) {
        const struct file *file = NULL;

        if (!(request & REGISTERED_RING)) {
                file = descriptor_file(current_task(), fd);
        } else if (bpf_core_field_exists(struct io_uring_task, registered_rings)) {
                const struct io_uring_task *own = BPF_CORE_READ(current_task(), io_uring);
                bpf_probe_read_kernel(&file, sizeof(file),
                                (const void *)own +
                                                bpf_core_field_offset(
                                                                struct io_uring_task, registered_rings) +
                                                (fd & 15) * sizeof(file));
        }
        return file ? (__u64)BPF_CORE_READ(file, private_data) : 0;
}

/* It reads from a file of the ring's own table, which another process may have opened or registered, or sent
 * there from a ring of its own (IORING_OP_MSG_RING): as if it had opened it itself. */
__noinline int uring_fixed_judge(__u64 request_address) {
        struct file *file = uring_request_file((const struct io_kiocb *)request_address, false);

        return file ? file_judge(current_task(), file, BW_VIA_OPEN) : false;
}

static __always_inline void uring_moves(
                const struct io_kiocb *request, enum operation operation, bool done) {
        bool unknown = operation == OPERATION_UNKNOWN, moves = unknown || operation == OPERATION_MOVE,
             reads = moves || operation == OPERATION_READ, writes = moves || operation == OPERATION_WRITE;
        __u64 address = address_of(request);

        if (reads && (shared.reads_checked || anything_is_marked(BW_COUNT_OBJECTS_LIVE)))
                uring_takes(address, done);
        if (reads && done && shared.reads_checked)
                uring_read_fanotify(address);
        if (writes && current_holds()) {
                if (!done)
                        uring_leaves(address, done);
                uring_gives(address, done);
                if (unknown && done)
                        report_loss(BW_LOSS_CALL_UNKNOWN);
        }
}

/* Records a request that reads on, so that what it posts without itself is not missed. */
__noinline int uring_reads_add(__u64 request_address) {
        const struct io_kiocb *request = (const struct io_kiocb *)request_address;
        struct uring_ring *r = ring_take((__u64)BPF_CORE_READ(request, ctx));

        if (r)
                r->read[r->reads++ % URING_READS_MAX] = request_address;
        return 0;
}

/* One of the requests of this ring that read on has read: any of them may be the one. */
static __always_inline void uring_read_on(__u64 ring) {
        const struct uring_ring *r = ring_get(ring);

        if (!r || !(shared.reads_checked || anything_is_marked(BW_COUNT_OBJECTS_LIVE)))
                return;
        for (__u32 i = 0; i < URING_READS_MAX; i++) {
                __u64 address = r->read[i];
                if (address)
                        uring_takes(address, true);
        }
}

/* A request is about to be carried out. */
static __always_inline void on_uring_submit(const struct io_kiocb *request) {
        __u64 ring = (__u64)BPF_CORE_READ(request, ctx);
        const struct uring_ring *opens = ring_get(ring);
        enum operation operation = uring_operation(request);

        if (opens)
                uring_opens_look(opens, ring);
        if (ring_is_foreign((const struct io_ring_ctx *)ring))
                ring_shared(ring);
        if (operation == OPERATION_OPEN) {
                uring_open_add(address_of(request));
                return;
        }
        if (operation == OPERATION_READ && uring_reads_on(request))
                uring_reads_add(address_of(request));
        if ((operation == OPERATION_READ || operation == OPERATION_UNKNOWN) &&
                        BPF_CORE_READ(request, flags) & IOSQE_FIXED_FILE &&
                        uring_fixed_judge(address_of(request)))
                current_spread(false);
        uring_moves(request, operation, false);
}

/* RECVMSG is done; the kernel has written to the message whose address the request has. Missed: descriptors
 * that come with a request that reads on, as the hook does not know into which buffer. */
static __always_inline void uring_received(const struct io_kiocb *request, int result) {
        const struct io_sr_msg *receive =
                        (const void *)request + bpf_core_field_offset(struct io_kiocb, cmd);
        const struct io_ring_ctx *ring = BPF_CORE_READ(request, ctx);

        if (bpf_core_type_exists(struct io_cmd_data) && !uring_reads_on(request))
                messages_received((__u64)BPF_CORE_READ(receive, umsg), 1,
                                bpf_core_field_exists(ring->compat)
                                                ? BPF_CORE_READ_BITFIELD_PROBED(ring, compat)
                                                : 0);
        if (result > 0)
                uring_moves(request, OPERATION_READ, true);
}

/* A completion is about to be posted. request: NULL, if it will post more. */
static __always_inline void on_uring_complete(__u64 ring, const struct io_kiocb *request) {
        if (!request) {
                uring_read_on(ring);
                return;
        }
        int result = uring_result(request);
        enum operation operation = uring_operation(request);

        if (operation != OPERATION_OPEN) {
                if (operation == OPERATION_INSTALL && result >= 0)
                        uring_opened(ring, 0, result);
                else if (result >= 0 && BPF_CORE_READ(request, opcode) == IORING_OP_RECVMSG)
                        uring_received(request, result);
                else if (result > 0)
                        uring_moves(request, operation, true);
                else if (result == 0 && operation == OPERATION_CONNECT &&
                                uring_connected(address_of(request)))
                        current_spread(false);
                return;
        }
        __u64 address = address_of(request);

        if (result >= 0 && !uring_opened(ring, uring_open_slot(request), result))
                report_loss(BW_LOSS_FILE_GONE);
        struct uring_ring *r = ring_get(ring);
        if (!r)
                return;
        for (__u32 i = 0; i < URING_OPENS_MAX; i++)
                if (r->open[i] == address)
                        r->open[i] = 0;
}

/* The same before 5.19, where the request is not known: a number of bytes or another result may be taken for
 * a descriptor, see uring_opens_look(). */
static __always_inline void on_uring_result(__u64 ring, int result) {
        const struct uring_ring *opens = ring_get(ring);

        if (!opens || result < 0)
                return;
        uring_opened(ring, 0, result);
        uring_opens_look(opens, ring);
}

/* The completion queue is full, and the request is not known. */
static __always_inline void on_uring_overflow(__u64 ring) {
        const struct uring_ring *r = ring_get(ring);

        if (r && r->opens)
                report_loss(BW_LOSS_FILE_GONE);
}
