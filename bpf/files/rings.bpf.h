/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The table of io_uring rings whose requests must be remembered, see files/uring.bpf.h. An entry ends with
 * its ring, of which no hook says that it ends: who makes another one examines some of the oldest. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/share.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/percpu-refcount.h */
struct percpu_ref {
        unsigned long percpu_count_ptr;
        void *data;
};

struct io_ring_ctx___counted {
        struct percpu_ref refs;
};

#pragma clang attribute pop

static __always_inline struct uring_ring *ring_get(__u64 ring) {
        return bpf_map_lookup_elem(&bw_rings, &ring);
}

/* Tells rings apart that had the same address one after another: each has a counter of its own. */
static __always_inline __u64 ring_is(__u64 ring) {
        return (__u64)BPF_CORE_READ((const struct io_ring_ctx___counted *)ring, refs.data);
}

/* Its process has closed it, or has ended (include/linux/percpu-refcount.h, __PERCPU_REF_DEAD). */
static __always_inline bool ring_ends(__u64 ring) {
        return BPF_CORE_READ((const struct io_ring_ctx___counted *)ring, refs.percpu_count_ptr) & 2;
}

/* Removes an entry, and uncharges its user. */
__noinline int ring_forget(__u64 ring) {
        const struct uring_ring *r = ring_get(ring);

        if (!r)
                return 0;
        __u32 uid = r->uid;
        __u64 cgroup = r->cgroup;
        if (bpf_map_delete_elem(&bw_rings, &ring))
                return 0;
        ATOMIC_ADD(&shared.counts[BW_COUNT_RINGS_LIVE], -1);
        share_release(BW_SHARE_RINGS, uid, cgroup);
        return 0;
}

/* Examines up to n of the oldest entries: removes those of rings that have ended. */
__noinline int rings_sweep(__u32 n) {
        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                __u64 ring = 0;
                if (i >= n || bpf_map_pop_elem(&bw_ring_queue, &ring))
                        break;
                const struct uring_ring *r = ring_get(ring);
                if (!r)
                        continue;
                if (r->is != ring_is(ring) || ring_ends(ring))
                        ring_forget(ring);
                else if (bpf_map_push_elem(&bw_ring_queue, &ring, BPF_ANY))
                        report_loss(BW_LOSS_SWEEP_LOST);
        }
        return 0;
}

/* Makes the entry of a ring, and charges the current process. Returns whether there is one. */
__noinline int ring_enter(__u64 ring) {
        __u32 zero = 0;
        const void *empty = bpf_map_lookup_elem(&bw_zero, &zero);
        __u64 task = bpf_get_current_task();

        if (!empty ||
                        *(volatile __u64 *)&shared.counts[BW_COUNT_RINGS_LIVE] >=
                                        table_limit[BW_SHARE_RINGS] ||
                        !share_take(BW_SHARE_RINGS, task))
                return false;
        int error = MAP_INSERT(&bw_rings, &ring, empty);
        if (error) {
                share_release(BW_SHARE_RINGS, task_payer(task), task_cgroup_apart(task));
                return error == -EEXIST; /* another CPU was faster */
        }
        count(BW_COUNT_RINGS_LIVE);
        struct uring_ring *r = ring_get(ring);
        if (r) {
                r->is = ring_is(ring);
                r->uid = task_payer(task);
                r->cgroup = task_cgroup_apart(task);
        }
        if (bpf_map_push_elem(&bw_ring_queue, &ring, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return true;
}

/* The entry of a ring, made if it has none; NULL if there is no room, which is counted. The ring is locked:
 * no other request is submitted to it meanwhile. */
static __always_inline struct uring_ring *ring_take(__u64 ring) {
        struct uring_ring *r = ring_get(ring);

        if (r && r->is == ring_is(ring))
                return r;
        if (r)
                ring_forget(ring);
        rings_sweep(SWEEP_ALWAYS);
        if (!ring_enter(ring)) {
                rings_sweep(SWEEP_FULL);
                if (!ring_enter(ring))
                        report_loss(BW_LOSS_RING_REFUSED);
        }
        return ring_get(ring);
}
