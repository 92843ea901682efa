/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Submits records to the ring buffer (reserve, stamp, fill, submit), and counts losses. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/maps.bpf.h"

/* At most one record a second for each loss: the daemon reads how much from struct bw_shared. */
#define STATE_INTERVAL_NS 1000000000ULL

/* Strings begin here. */
#define RECORD_FIXED sizeof(struct bw_correlation)

/* In two steps, by words: compilers write out what clears at most 128 words, of bytes where they do not know
 * better, and call a function for more. */
static __always_inline void record_clear(struct bw_correlation *r) {
        const __u32 head = __builtin_offsetof(struct bw_correlation, lineage);
        __u64 *words = (__u64 *)r;

        __builtin_memset(words, 0, head);
        barrier();
        __builtin_memset(words + head / sizeof(*words), 0, RECORD_FIXED - head);
}

/* When and on which CPU a record was made: its id. */
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

static __always_inline void count(enum bw_count c) {
        ATOMIC_ADD(&shared.counts[c], 1);
}

static __always_inline void count_loss(enum bw_loss l) {
        ATOMIC_ADD(&shared.losses[l], 1);
}

/* Submits a struct bw_state. The value is read last, so that it takes no stack meanwhile. */
static __always_inline void emit_state(__u16 kind, __u32 number, const __u64 *value) {
        struct bw_state *r = bpf_ringbuf_reserve(&bw_ring, sizeof(*r), 0);
        if (!r) {
                count_loss(BW_LOSS_RING_FULL);
                return;
        }
        stamp(&r->header, kind, sizeof(*r), moment_now());
        r->value = *value;
        r->number = number;
        r->zero = 0;
        bpf_ringbuf_submit(r, 0);
}

/* Counts a loss, and wakes the daemon once a second. Not for BW_LOSS_RING_FULL: the ring is full. */
static __always_inline void report_loss(enum bw_loss l) {
        __u64 now = bpf_ktime_get_ns();

        count_loss(l);
        if (shared.loss_record_ns[l] && now - shared.loss_record_ns[l] < STATE_INTERVAL_NS)
                return;
        shared.loss_record_ns[l] = now;
        emit_state(BW_KIND_LOSS, l, &shared.losses[l]);
}

/* Reports that a table fills up, at most once per interval. last_ns: the time of the latest report. */
static __always_inline void report_count(enum bw_count c, __u64 *last_ns) {
        __u64 now = bpf_ktime_get_ns();

        if (*last_ns && now - *last_ns < STATE_INTERVAL_NS)
                return;
        *last_ns = now;
        emit_state(BW_KIND_COUNT, c, &shared.counts[c]);
}

static __always_inline void emit_exit(__u32 pid, __u64 start_boot_ns) {
        struct bw_exit *r = bpf_ringbuf_reserve(&bw_ring, sizeof(*r), 0);
        if (!r) {
                count_loss(BW_LOSS_RING_FULL);
                return;
        }
        stamp(&r->header, BW_KIND_EXIT, sizeof(*r), moment_now());
        r->start_boot_ns = start_boot_ns;
        r->pid = pid;
        r->zero = 0;
        bpf_ringbuf_submit(r, 0);
}
