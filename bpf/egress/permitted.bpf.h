/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which classes the rules of a process allow to go to a destination. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "process/identity.bpf.h"
#include "egress/destination.bpf.h"

/* The verifier walks 16 iterations in one function and 16 around it, instead of 256. Divides BW_NETS_MAX. */
#define NETS_AT_ONCE 16

/* Classes of those of these rules that name this destination, among NETS_AT_ONCE destinations of the table.
 * Arithmetic instead of branches, so that the loop's body has one path. */
static __always_inline __u64 nets_permit(const struct bw_table *t, const struct bw_net *nets,
                const struct bw_bits *rules, __u64 address_low, __u64 address_high, __u64 packed) {
        /* connect(2) of a datagram socket to port 0 moves nothing: resolvers do it to learn the route to an
         * address that they are about to use (RFC 6724), so any port of a rule will do. */
        __u64 strict = (packed & 0xffff) || packed >> 48 != BW_ACT_CONNECT, permitted = 0;
        /* One word for port, family, `strict` (bit 63), and whether the family is another than the two of
         * BW_NET_ANY, which differ in one bit (bit 62): each would take its own place on the stack. */
        __u64 wanted = (packed & 0xffffffff) | strict << 63 |
                       is_set((packed >> 16 & 0xffff & ~(__u64)(AF_INET ^ AF_INET6)) ^ AF_INET) << 62;

        for (__u32 i = 0; i < NETS_AT_ONCE; i++) {
                const struct bw_net *n = nets + i;
                __u32 rule = n->rule % BW_RULES_MAX;
                if (!n->family)
                        break;
                barrier_var(wanted);
                __u64 port = wanted & 0xffff, any = ((__u64)n->family + 1) >> 16;
                __u64 other = ((n->family ^ (wanted >> 16 & 0xffff)) * (1 - any)) | (wanted >> 62 & any) |
                              ((address_low & n->mask[0]) ^ n->address[0]) |
                              ((address_high & n->mask[1]) ^ n->address[1]) |
                              (~rules->word[rule / 64] >> rule % 64 & 1);
                /* bit 63 of a difference: the port is below the first, or above the last */
                other |= (((port - n->port_first) | (n->port_last - port)) & wanted) >> 63;
                __u64 differs = (other | -other) >> 63;
                permitted |= t->rules[rule].classes & (differs - 1);
        }
        return permitted;
}

/* Rules of the mark of process `pid`; of 0: those in the current thread's scratch. The barriers keep the
 * compiler from adding to a pointer before it is compared with NULL, see CHECKED_FIRST(). */
static __always_inline const struct bw_bits *rules_of(__u32 pid) {
        __u64 key = pid;

        if (pid) {
                const struct mark *m = bpf_map_lookup_elem(&bw_marks, &key);
                if (!m)
                        return NULL;
                barrier_var(m);
                return &m->rules;
        }
        key = bpf_get_current_pid_tgid();
        const struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &key);
        if (!s)
                return NULL;
        barrier_var(s);
        return &s->bits;
}

/* Classes that these rules allow to go to this destination, from some destinations of the table: the upper
 * half of `at` says which. */
__noinline __u64 permitted_some(__u64 at, __u32 pid, __u64 address_low, __u64 address_high, __u64 packed) {
        __u32 table = at;
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_bits *rules = rules_of(pid);

        if (!t || !rules)
                return 0;
        return nets_permit(t, &t->nets[(at >> 32) % (BW_NETS_MAX / NETS_AT_ONCE) * NETS_AT_ONCE], rules,
                        address_low, address_high, packed);
}

/* The port of an accepted connection is the local one, which no rule refers to. */
static __always_inline bool destination_was_accepted(__u64 packed) {
        return (packed >> 48 & ~(__u64)ACT_FLAGS) == BW_ACT_ACCEPT;
}

/* No hook saw the address of a raw packet: it is not this host's, which a rule may allow, but any other.
 * This one is of no network (RFC 1112 section 4, RFC 6666), so that only a rule for any address permits it.
 */
static __always_inline __u64 address_presumed(__u64 address_low, __u64 address_high, __u64 packed) {
        bool known = address_low | address_high | (packed & 0xffff) | (packed >> 48 ^ BW_ACT_SEND);

        return known ? address_low : (packed >> 16 & 0xffff) == AF_INET ? 240 : 1; /* the first byte */
}

/* Classes that they allow to go anywhere. */
__noinline __u64 permitted_anywhere(__u32 table, __u32 pid) {
        const struct bw_bits *rules = rules_of(pid);

        return rules ? rules_classes(table, rules, RULES_ANYWHERE) : 0;
}

/* Classes that the rules of process `pid` allow to go to this destination; of 0: see rules_of(). */
__noinline __u64 permitted_classes(
                __u32 table, __u32 pid, __u64 address_low, __u64 address_high, __u64 packed) {
        __u64 permitted = 0;

        if (destination_was_accepted(packed))
                return permitted_anywhere(table, pid);
        address_low = address_presumed(address_low, address_high, packed);
        for (__u64 i = 0; i < BW_NETS_MAX / NETS_AT_ONCE; i++)
                permitted |= permitted_some(i << 32 | table, pid, address_low, address_high, packed);
        return permitted | permitted_anywhere(table, pid);
}

/* ---- suspicion ---- */

/* Classes that rules allow the current process to read, and to send to this destination. None if the active
 * policy has not judged it, see suspect_ready(). */
__noinline __u64 suspect_permitted(__u64 address_low, __u64 address_high, __u64 packed) {
        struct task_struct *task = current_task();
        const struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        struct policy_view v;
        struct bw_bits rules;

        if (!p || !policy_view_get(&v) || p->generation != v.table->generation ||
                        p->image != process_image(task))
                return 0;
        process_rules(&v, task, p, false, OWNER_NONE, &rules);
        __u64 permitted = 0;
        struct scratch *s = scratch_get();
        if (s) {
                s->bits = rules;
                permitted = permitted_classes(v.index, 0, address_low, address_high, packed);
                scratch_put();
        }
        return policy_view_held(&v) ? permitted : 0;
}

enum suspect_may {
        SUSPECT_MAY_NOT,
        SUSPECT_MAY_SEND,
        SUSPECT_MAY_SEND_CLOSED, /* what is of a class with FailClosed=yes, but not everything */
};

/* Whether the current process may send everything that its user and cgroup are suspected of to this
 * destination: such a program is no reason for an alert, whatever others of them have read. Called before
 * correlate(), which has no stack left for it. */
__noinline int suspect_may_send(__u64 address_low, __u64 address_high, __u64 packed) {
        __u64 holder = current_suspect();
        struct policy_view v;

        if (!holder || !policy_view_get(&v))
                return SUSPECT_MAY_NOT;
        __u64 classes = mark_live(v.index, holder, 0) | mark_live(v.index, holder, LIVE_BOUND);
        if (!classes)
                return SUSPECT_MAY_NOT;
        classes &= ~suspect_permitted(address_low, address_high, packed);
        if (classes)
                return classes & v.table->closes ? SUSPECT_MAY_NOT : SUSPECT_MAY_SEND_CLOSED;
        count(BW_COUNT_EGRESS_ALLOWED);
        return SUSPECT_MAY_SEND;
}
