/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is done through io_uring, for the sensor that hangs on system calls: this has none.
 *
 * Opens: the file is in a descriptor, or in a slot of the ring's own table (a "direct" one, which no descriptor leads to).
 *
 * That an open is done is told when its completion is posted, in a thread of the process that asked: itself, its worker, or
 * the ring's poller, which are threads of it since 5.12 (and in the stable 5.10 since 5.10.162). But a batch is posted
 * when all of it has run, so an open that was submitted before is looked at once more each time another is: who opens, reads
 * and sends in one batch is marked before the sending begins.
 *
 * Not seen in time: who lets a worker open the file, takes it from another thread before the completion is posted, and puts
 * another file in its place. An open that asked to be told of only if it fails, and one whose completion did not fit into
 * the ring, are counted as not judged.
 *
 * Reads and writes: what is written to is marked before the request is carried out, and once more when it is posted, as who
 * opens, reads and writes in one chain of requests is not marked before. Who reads is marked when it is posted; not seen are
 * requests that are posted again and again (multishot), and before 5.19 those that had to wait. */

#include "file.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/io_uring_types.h; before 6.0 in fs/io_uring.c, as all of it. */
struct io_cqe {
        __s32 res;
        int fd; /* before it is carried out: the descriptor, or the slot, that it is about */
};

struct io_splice {
        int splice_fd_in;
        unsigned int flags;
};

struct io_open {
        __u32 file_slot; /* 0: to a descriptor; the slot's number + 1; ~0: a slot of the kernel's choice */
};

/* What a request asks for: since 6.0 without a type of its own. */
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

/* include/uapi/linux/io_uring.h */
#define IORING_OP_READV 1
#define IORING_OP_WRITEV 2
#define IORING_OP_READ_FIXED 4
#define IORING_OP_WRITE_FIXED 5
#define IORING_OP_SENDMSG 9
#define IORING_OP_RECVMSG 10
#define IORING_OP_CONNECT 16
#define IORING_OP_OPENAT 18
#define IORING_OP_READ 22
#define IORING_OP_WRITE 23
#define IORING_OP_SEND 26
#define IORING_OP_RECV 27
#define IORING_OP_OPENAT2 28
#define IORING_OP_SPLICE 30
#define IORING_OP_TEE 33
#define IORING_OP_SEND_ZC 47
#define IORING_OP_SENDMSG_ZC 48
#define IOSQE_FIXED_FILE 1U
#define SPLICE_F_FD_IN_FIXED (1U << 31)
#define IOSQE_CQE_SKIP_SUCCESS (1U << 6)

#define SLOT_CHOSEN (~0U) /* IORING_FILE_INDEX_ALLOC */
#define SLOT_FLAGS 7UL    /* fs/io_uring.c FFS_MASK, io_uring/filetable.h: what fits below a pointer */

/* The arguments of the three tracepoints have changed: since 6.0 the first is the request. The two ways must not be made one
 * that reads ctx at a computed place, which the verifier refuses. */
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

static __always_inline bool uring_request_opens(const struct io_kiocb *request) {
        __u8 opcode = BPF_CORE_READ(request, opcode);

        return opcode == IORING_OP_OPENAT || opcode == IORING_OP_OPENAT2;
}

static __always_inline __u32 uring_open_slot(const struct io_kiocb *request) {
        if (!bpf_core_type_exists(struct io_cmd_data)) {
                const struct io_kiocb___before_6_0 *before = (const void *)request;
                return BPF_CORE_READ(before, open.file_slot);
        }
        const struct io_open *open = (const void *)request + bpf_core_field_offset(struct io_kiocb, cmd);
        return BPF_CORE_READ(open, file_slot);
}

/* A descriptor, or the number of the slot that the kernel chose, or negative; of an open that is not done, anything. */
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

/* What an open with this slot and result has made: enum opened. */
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
        return file_judge(current_task(), file, BW_VIA_OPEN) ? OPENED_SECRET : OPENED;
}

static __always_inline bool uring_opened(__u64 ring, __u32 slot, __s32 result) {
        int r = uring_judge(ring, slot, result);

        if (r == OPENED_SECRET)
                current_spread();
        return r != OPENED_GONE;
}

/* The opens of this ring that have not been posted yet, if they are done. One that is not has the result of a request before
 * it in its place, which may be the number of another descriptor: then that is judged, as it was when it was opened. */
static __always_inline void uring_opens_look(const struct uring_opens *opens, __u64 ring) {
        for (__u32 i = 0; i < URING_OPENS_MAX; i++) {
                const struct io_kiocb *request = (const void *)opens->request[i];
                if (!request)
                        continue;
                int result = uring_result(request);
                if (result >= 0)
                        uring_opened(ring, opens->slot[i], result);
        }
}

/* An open was submitted. Its ring is locked: no other request is submitted to it meanwhile. */
__noinline int uring_open_add(__u64 request_address) {
        const struct io_kiocb *request = (const struct io_kiocb *)request_address;
        __u64 ring = (__u64)BPF_CORE_READ(request, ctx);
        struct uring_opens *opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);
        __u32 zero = 0;

        if (!opens) {
                const void *empty = bpf_map_lookup_elem(&bw_zero, &zero);
                if (!empty || bpf_map_update_elem(&bw_uring_opens, &ring, empty, BPF_ANY))
                        return 0;
                opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);
                if (!opens)
                        return 0;
        }
        __u32 place = opens->n++ % URING_OPENS_MAX;
        opens->slot[place] = uring_open_slot(request);
        opens->request[place] = request_address;
        if (BPF_CORE_READ(request, flags) & IOSQE_CQE_SKIP_SUCCESS)
                count_and_tell(BW_LOSS_FILE_GONE);
        return 0;
}

static __always_inline struct file *uring_file(const struct io_kiocb *request, int fd, bool fixed) {
        return fixed ? uring_slot_file(BPF_CORE_READ(request, ctx), fd) : descriptor_file(current_task(), fd);
}

/* The file a request is about; before 5.19 it is known from the beginning, later when it was carried out. */
static __always_inline struct file *uring_request_file(const struct io_kiocb *request, bool done) {
        const struct io_kiocb___before_6_0 *before = (const void *)request;

        if (!bpf_core_field_exists(request->cqe))
                return BPF_CORE_READ(before, file);
        if (done)
                return BPF_CORE_READ(request, cmd.file);
        return uring_file(request, BPF_CORE_READ(request, cqe.fd), BPF_CORE_READ(request, flags) & IOSQE_FIXED_FILE);
}

/* The current process, which is marked, writes to it. */
__noinline int uring_leaves(__u64 request_address, __u32 done) {
        const struct file *file = uring_request_file((const struct io_kiocb *)request_address, done);

        if (file) {
                on_socket_written(file);
                on_device_written(file);
        }
        return 0;
}

__noinline int uring_gives(__u64 request_address, __u32 done) {
        const struct file *file = uring_request_file((const struct io_kiocb *)request_address, done);

        if (file)
                file_given(file, NULL);
        return 0;
}

/* It has read from it; or moves from one file to another. */
__noinline int uring_takes(__u64 request_address, __u32 done) {
        const struct io_kiocb *request = (const struct io_kiocb *)request_address;
        const struct io_splice *splice = (const void *)request + bpf_core_field_offset(struct io_kiocb, cmd);
        __u8 opcode = BPF_CORE_READ(request, opcode);
        const struct file *file;

        if ((opcode == IORING_OP_SPLICE || opcode == IORING_OP_TEE) && bpf_core_type_exists(struct io_cmd_data))
                file = uring_file(request, BPF_CORE_READ(splice, splice_fd_in),
                        BPF_CORE_READ(splice, flags) & SPLICE_F_FD_IN_FIXED);
        else
                file = uring_request_file(request, done);
        if (file)
                file_taken(file);
        return 0;
}

/* Sets of operations, by their numbers. */
#define OPERATION(name) (1ULL << IORING_OP_##name)
#define OPERATIONS_MOVE (OPERATION(SPLICE) | OPERATION(TEE))
#define OPERATIONS_READ                                                                                      \
        (OPERATION(READV) | OPERATION(READ_FIXED) | OPERATION(RECVMSG) | OPERATION(READ) | OPERATION(RECV) | OPERATIONS_MOVE)
#define OPERATIONS_WRITE                                                                                     \
        (OPERATION(WRITEV) | OPERATION(WRITE_FIXED) | OPERATION(SENDMSG) | OPERATION(WRITE) | OPERATION(SEND) | \
                OPERATION(SEND_ZC) | OPERATION(SENDMSG_ZC) | OPERATIONS_MOVE)

/* What it has read there are events of fanotify(7): where, is not looked for. */
__noinline int uring_watches(__u64 request_address) {
        const struct file *file = uring_request_file((const struct io_kiocb *)request_address, true);

        if (file && file_is_watch(file))
                count_and_tell(BW_LOSS_FILE_GONE);
        return 0;
}

/* It is connected, to an agent perhaps. */
__noinline int uring_connected(__u64 request_address) {
        struct file *file = uring_request_file((const struct io_kiocb *)request_address, true);

        return file ? file_judge(current_task(), file, BW_VIA_OPEN) : false;
}

static __always_inline void uring_moves(const struct io_kiocb *request, bool done) {
        __u64 operation = 1ULL << (BPF_CORE_READ(request, opcode) & 63), address = address_of(request);

        if (operation & OPERATIONS_READ && anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                uring_takes(address, done);
        if (operation & OPERATIONS_READ && done && shared.reads_watched)
                uring_watches(address);
        if (operation & OPERATIONS_WRITE && anything_is_marked(BW_COUNT_MARKS_LIVE) && current_is_marked()) {
                if (!done)
                        uring_leaves(address, done);
                uring_gives(address, done);
        }
}

/* A request is about to be carried out. */
static __always_inline void on_uring_submit(const struct io_kiocb *request) {
        __u64 ring = (__u64)BPF_CORE_READ(request, ctx);
        const struct uring_opens *opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);

        if (opens)
                uring_opens_look(opens, ring);
        if (uring_request_opens(request))
                uring_open_add(address_of(request));
        else
                uring_moves(request, false);
}

/* A completion is posted; the process does not see it yet. */
static __always_inline void on_uring_complete(const struct io_kiocb *request) {
        int result = uring_result(request);

        if (!uring_request_opens(request)) {
                if (result > 0)
                        uring_moves(request, true);
                else if (result == 0 && BPF_CORE_READ(request, opcode) == IORING_OP_CONNECT && uring_connected(address_of(request)))
                        current_spread();
                return;
        }
        __u64 ring = (__u64)BPF_CORE_READ(request, ctx), address = address_of(request);

        if (result >= 0 && !uring_opened(ring, uring_open_slot(request), result))
                count_and_tell(BW_LOSS_FILE_GONE);
        struct uring_opens *opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);
        if (!opens)
                return;
        for (__u32 i = 0; i < URING_OPENS_MAX; i++)
                if (opens->request[i] == address)
                        opens->request[i] = 0;
}

/* The same before 5.19, where it is not told which request it is of: a number of bytes, or whatever, may be taken for a
 * descriptor, see uring_opens_look(). */
static __always_inline void on_uring_result(__u64 ring, int result) {
        struct uring_opens *opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);

        if (!opens || result < 0)
                return;
        uring_opened(ring, 0, result);
        uring_opens_look(opens, ring);
}

/* The ring of completions is full, and which request this one is of is not told. */
static __always_inline void on_uring_overflow(__u64 ring) {
        if (bpf_map_lookup_elem(&bw_uring_opens, &ring))
                count_and_tell(BW_LOSS_FILE_GONE);
}
