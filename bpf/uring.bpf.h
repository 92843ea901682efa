/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Files opened through io_uring, for the sensor that hangs on the end of system calls: these have none. The file is in a
 * descriptor, or in a slot of the ring's own table (a "direct" one, which no descriptor leads to).
 *
 * That an open is done is told when its completion is posted, in a thread of the process that asked: itself, its worker, or
 * the ring's poller, which are threads of it since 5.12 (and in the stable 5.10 since 5.10.162). But a batch is posted
 * when all of it has run, so an open that was submitted before is looked at once more each time another is: who opens, reads
 * and sends in one batch is marked before the sending begins.
 *
 * Not seen in time: who lets a worker open the file, takes it from another thread before the completion is posted, and puts
 * another file in its place. An open that asked to be told of only if it fails, and one whose completion did not fit into
 * the ring, are counted as not judged. */

#include "file.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/io_uring_types.h; before 6.0 in fs/io_uring.c, as all of it. */
struct io_cqe {
        __s32 res;
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
        struct io_open open;
        __u32 result;
};

#pragma clang attribute pop

/* include/uapi/linux/io_uring.h */
#define IORING_OP_OPENAT 18
#define IORING_OP_OPENAT2 28
#define IOSQE_CQE_SKIP_SUCCESS (1U << 6)

#define SLOT_CHOSEN (~0U) /* IORING_FILE_INDEX_ALLOC */
#define SLOT_FLAGS 7UL    /* fs/io_uring.c FFS_MASK, io_uring/filetable.h: what fits below a pointer */

/* The arguments of the three tracepoints have changed: at 6.0 the first became the request, and at 5.19 its result. */
static __always_inline __u64 uring_submitted(const unsigned long long *ctx) {
        return bpf_core_type_exists(struct io_cmd_data) ? ctx[0] : ctx[1];
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

/* What an open with this slot and result has made. Returns 0 where there is nothing. */
__noinline int uring_opened(__u64 ring, __u32 slot, __s32 result) {
        struct file *file = NULL;

        if (slot == 0)
                file = descriptor_file(current_task(), result);
        else if (slot != SLOT_CHOSEN)
                file = uring_slot_file((const struct io_ring_ctx *)ring, slot - 1);
        else if (result >= 0)
                file = uring_slot_file((const struct io_ring_ctx *)ring, result);
        if (!file)
                return 0;
        on_file_open(file, BW_VIA_OPEN);
        return 1;
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

/* A request is about to be carried out. Its ring is locked: no other is submitted to it meanwhile. */
static __always_inline void on_uring_submit(const struct io_kiocb *request) {
        __u64 ring = (__u64)BPF_CORE_READ(request, ctx);
        struct uring_opens *opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);

        if (opens)
                uring_opens_look(opens, ring);
        if (!uring_request_opens(request))
                return;
        if (!opens) {
                __u32 zero = 0;
                const void *empty = bpf_map_lookup_elem(&bw_zero, &zero);
                if (!empty || bpf_map_update_elem(&bw_uring_opens, &ring, empty, BPF_ANY))
                        return;
                opens = bpf_map_lookup_elem(&bw_uring_opens, &ring);
                if (!opens)
                        return;
        }
        __u32 place = opens->n++ % URING_OPENS_MAX;
        opens->slot[place] = uring_open_slot(request);
        opens->request[place] = address_of(request);
        if (BPF_CORE_READ(request, flags) & IOSQE_CQE_SKIP_SUCCESS)
                count_and_tell(BW_LOSS_FILE_GONE);
}

/* A completion is posted; the process does not see it yet. */
static __always_inline void on_uring_complete(const struct io_kiocb *request) {
        if (!uring_request_opens(request))
                return;
        __u64 ring = (__u64)BPF_CORE_READ(request, ctx), address = address_of(request);
        int result = uring_result(request);

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
