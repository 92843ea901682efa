/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The way into the ring buffer: reserve → zero the fixed part → stamp → fill → submit, and the counting of what did not
 * get in. */

#include "maps.bpf.h"

/* At most one state record a second for each counter: the counters themselves tell how much. */
#define STATE_INTERVAL_NS 1000000000ULL

/* Strings begin here. */
#define RECORD_FIXED sizeof(struct bw_correlation)

/* When and where a record was made: its id. */
struct moment {
        __u64 boot_ns;
        __u32 cpu;
};

static __always_inline struct moment moment_now(void) {
        return (struct moment){ .boot_ns = bpf_ktime_get_boot_ns(), .cpu = bpf_get_smp_processor_id() };
}

static __always_inline void stamp(struct bw_header *h, __u16 kind, __u32 size, struct moment when) {
        h->version = BW_EVENT_VERSION;
        h->kind = kind;
        h->size = size;
        h->boot_ns = when.boot_ns;
        h->mono_ns = bpf_ktime_get_ns();
        h->cpu = when.cpu;
        h->zero = 0;
}

static __always_inline void count(enum bw_counter c) {
        __sync_fetch_and_add(&shared.counters[c], 1);
}

/* Counts, and tells the daemon once a second. Not for BW_LOSS_RING_FULL: the ring is full. */
static __always_inline void count_and_tell(enum bw_counter c) {
        __u64 now = bpf_ktime_get_ns();

        count(c);
        if (shared.state_told_ns[c] && now - shared.state_told_ns[c] < STATE_INTERVAL_NS)
                return;
        shared.state_told_ns[c] = now;

        struct bw_state *r = bpf_ringbuf_reserve(&bw_ring, sizeof(*r), 0);
        if (!r) {
                count(BW_LOSS_RING_FULL);
                return;
        }
        stamp(&r->header, BW_KIND_STATE, sizeof(*r), moment_now());
        r->count = shared.counters[c];
        r->counter = c;
        r->zero = 0;
        bpf_ringbuf_submit(r, 0);
}

static __always_inline void emit_exit(__u32 pid, __u64 start_boot_ns) {
        struct bw_exit *r = bpf_ringbuf_reserve(&bw_ring, sizeof(*r), 0);
        if (!r) {
                count(BW_LOSS_RING_FULL);
                return;
        }
        stamp(&r->header, BW_KIND_EXIT, sizeof(*r), moment_now());
        r->start_boot_ns = start_boot_ns;
        r->pid = pid;
        r->zero = 0;
        bpf_ringbuf_submit(r, 0);
}
