/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Action=deny on sockets that exist, for the sensor tracepoint, whose hooks cannot refuse a call. It is
 * decided where the call begins, as at every hook, and the socket gets an entry in a table; a program that
 * sees each packet before it leaves drops what such a socket sends (BW_HOOK_DENY_DATA, attached while a
 * class has Action=deny).
 *
 * A stream is over then: what was refused stays in its queue, in front of whatever is sent later, by
 * anybody, and is sent again and again until the kernel gives up. Packets without data still pass, so that
 * its end does. Of other sockets only the datagrams of the process that was refused are dropped, unless they
 * cannot be distinguished from those of others.
 *
 * An entry ends with its socket, of which no hook says that it ends: who makes another one examines some of
 * the oldest. */

#include "abi/hooks.h"
#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "lib/refused.bpf.h"
#include "mark/mark.bpf.h"
#include "egress/destination.bpf.h"

/* 1: packets can be dropped by their sockets (sensor tracepoint). */
const volatile __u32 packets_deny = 0;

#define IPPROTO_ICMP 1
#define IPPROTO_ICMPV6 58
#define IPPROTO_UDPLITE 136
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define TCP_CLOSED 7 /* include/net/tcp_states.h TCP_CLOSE */

/* Whether the packets of such a socket come with it. Not those of multipath TCP, whose packets have sockets
 * of their own, and of SCTP, which sends for all sockets of a port. */
static __always_inline bool socket_refusable(const struct sock *sk) {
        __u16 protocol = BPF_CORE_READ(sk, sk_protocol), type = BPF_CORE_READ(sk, sk_type);

        if (!packets_deny || !socket_is_inet(sk))
                return false;
        return type == SOCK_RAW || (type == SOCK_STREAM && protocol == IPPROTO_TCP) ||
               (type == SOCK_DGRAM &&
                               (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
                                               protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6));
}

static __always_inline bool socket_is_stream(const struct sock *sk) {
        return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM;
}

/* Data was added to a datagram that is not sent yet (MSG_MORE, UDP_CORK). */
static __always_inline bool datagram_pending(const struct sock *sk) {
        const struct udp_sock *udp = (const struct udp_sock *)sk;
        __u16 protocol = BPF_CORE_READ(sk, sk_protocol);

        return BPF_CORE_READ(sk, sk_type) == SOCK_DGRAM &&
               (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) && BPF_CORE_READ(udp, pending);
}

/* Which socket it is, of those that have this address one after another: a connection by its ends, which it
 * keeps when its process has closed it; connect(2) to nowhere changes them, and empties its queue. Other
 * sockets by their files. */
__noinline __u64 socket_is(__u64 address) {
        const struct sock *sk = (const struct sock *)address;
        const struct sock___apart *apart = (const struct sock___apart *)address;
        const struct inet_sock *inet = (const struct inet_sock *)address;
        __u64 is = hash_mix(shared.name_seed, BPF_CORE_READ(sk, sk_protocol)), peer[2] = {};

        if (bpf_core_field_exists(apart->__sk_common.skc_net.net))
                is = hash_mix(is, (__u64)BPF_CORE_READ(apart, __sk_common.skc_net.net));
        if (!socket_is_stream(sk))
                return hash_mix(hash_mix(is, (__u64)BPF_CORE_READ(sk, sk_socket)),
                                BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino));
        if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
                peer[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
        else if (bpf_core_field_exists(struct sock_common, skc_v6_daddr))
                BPF_CORE_READ_INTO(&peer, sk, __sk_common.skc_v6_daddr);
        is = hash_mix(hash_mix(is, peer[0]), peer[1]);
        return hash_mix(is, (__u64)BPF_CORE_READ(sk, __sk_common.skc_dport) << 16 |
                                            BPF_CORE_READ(inet, inet_sport));
}

static __always_inline bool refused_is(const struct refused_socket *r, __u64 address) {
        const struct sock___apart *sk = (const struct sock___apart *)address;

        return r->is == socket_is(address) &&
               (!r->cookie || r->cookie == (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter));
}

/* The entry of a socket; NULL: it has none. */
static __always_inline struct refused_socket *refused_get(__u64 address) {
        struct refused_socket *r = NULL;

        if (*(volatile __u32 *)&shared.sockets_refused)
                r = bpf_map_lookup_elem(&bw_refused, &address);
        return r && refused_is(r, address) ? r : NULL;
}

static __always_inline void refused_forget(__u64 address) {
        if (bpf_map_delete_elem(&bw_refused, &address) == 0)
                ATOMIC_ADD(&shared.sockets_refused, -1);
}

/* Whether the socket sends nothing any more: it is another one, or was freed, or its queue is empty for
 * good.
 */
static __always_inline bool refused_ends(const struct refused_socket *r, __u64 address) {
        const struct sock *sk = (const struct sock *)address;

        return !refused_is(r, address) || !BPF_CORE_READ(sk, __sk_common.skc_refcnt.refs.counter) ||
               (socket_is_stream(sk) && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSED);
}

/* Examines up to n of the oldest entries. */
__noinline int refused_sweep(__u32 n) {
        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                __u64 address = 0;
                if (i >= n || bpf_map_pop_elem(&bw_refused_queue, &address))
                        break;
                const struct refused_socket *r = bpf_map_lookup_elem(&bw_refused, &address);
                if (!r)
                        continue;
                if (refused_ends(r, address))
                        refused_forget(address);
                else if (bpf_map_push_elem(&bw_refused_queue, &address, BPF_ANY))
                        report_loss(BW_LOSS_SWEEP_LOST);
        }
        return 0;
}

/* Makes the entry of a socket, which drops nothing yet: to find out whether there is room before it is said
 * that something is refused. Returns whether it has one. */
__noinline int refused_place(__u64 address) {
        struct refused_socket *r = refused_get(address);
        const struct refused_socket made = { .is = socket_is(address) };

        if (r) {
                if (r->allowed == bpf_get_current_pid_tgid())
                        r->allowed = 0;
                return true;
        }
        refused_forget(address);
        refused_sweep(SWEEP_ALWAYS);
        int error = MAP_INSERT(&bw_refused, &address, &made);
        if (error && error != -EEXIST) {
                refused_sweep(SWEEP_FULL);
                error = MAP_INSERT(&bw_refused, &address, &made);
        }
        if (error)
                return error == -EEXIST;
        ATOMIC_ADD(&shared.sockets_refused, 1);
        if (bpf_map_push_elem(&bw_refused_queue, &address, BPF_ANY)) {
                refused_forget(address);
                return false;
        }
        return true;
}

/* What was decided about data that the current process is about to send on it. later: it may be sent when
 * the call has returned. */
__noinline int refused_decide(__u64 address, __u32 refused, __u32 later) {
        const struct sock *sk = (const struct sock *)address;
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        if (!refused) {
                struct refused_socket *r = refused_get(address);
                if (!r)
                        return 0;
                if (r->last == pid)
                        r->last = 0;
                if (!socket_is_stream(sk) && r->pid == pid && !r->stays && !datagram_pending(sk))
                        r->drops = 0;
                if (!r->drops)
                        refused_forget(address);
                return 0;
        }
        struct refused_socket *r = refused_place(address) ? refused_get(address) : NULL;
        if (!r)
                return 0;
        r->start_boot_ns = task_start(current_task());
        r->last = pid;
        /* Of a raw socket it is not known either whether data waits in it. */
        r->pid = BPF_CORE_READ(sk, sk_type) == SOCK_RAW || (r->drops && r->pid != pid) ? 0 : pid;
        r->suspect = !current_is_marked();
        r->stays |= later || !r->pid;
        r->drops = 1;
        return 0;
}

/* Whether the data that the current process has sent on it was refused, which was reported then. */
static __always_inline bool refused_before(const struct sock *sk) {
        const struct refused_socket *r = packets_deny ? refused_get(address_of(sk)) : NULL;

        return r && r->last == bpf_get_current_pid_tgid() >> 32;
}

/* A datagram to an address, which is judged by that, is not refused: it is the next one of this thread. */
static __always_inline void datagram_allowed(__u64 address) {
        struct refused_socket *r = refused_get(address);

        if (r)
                r->allowed = bpf_get_current_pid_tgid();
}

/* ---- packets ---- */

/* Whether a packet of a connection has data. It begins with the header of IP. One that is not TCP is in
 * another protocol (IPsec), and counts as data. */
static __always_inline bool packet_has_data(struct __sk_buff *packet) {
        __u8 first = 0, protocol = 0, size = 0;

        if (bpf_skb_load_bytes(packet, 0, &first, 1))
                return true;
        const bool four = first >> 4 == 4;
        __u32 at = four ? (first & 15) * 4 : 40;
        if (bpf_skb_load_bytes(packet, four ? 9 : 6, &protocol, 1) || protocol != IPPROTO_TCP ||
                        bpf_skb_load_bytes(packet, at + 12, &size, 1))
                return true;
        return packet->len > at + (size >> 4) * 4;
}

/* Whether a datagram of this socket is one of the process that was refused. Datagrams leave in the context
 * of the thread that sends them. */
static __always_inline bool datagram_refused(struct refused_socket *r, const struct sock *sk) {
        struct task_struct *task = current_task();
        __u64 thread = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);

        if (r->allowed == thread) {
                r->allowed = 0;
                return false;
        }
        if (!r->pid || datagram_pending(sk))
                return true;
        if (r->pid != thread >> 32 || r->start_boot_ns != task_start(task))
                return false;
        if (r->suspect)
                return anybody_is_suspected();
        const struct mark *m = mark_find(r->pid, r->start_boot_ns);
        return r->stays || (m && bpf_ktime_get_ns() < m->until_mono_ns);
}

/* A packet is about to leave. Returns whether it is to be dropped. */
static __always_inline bool on_packet(struct __sk_buff *packet) {
        if (!*(volatile __u32 *)&shared.sockets_refused)
                return false;
        const struct sk_buff *buffer = (const struct sk_buff *)address_of(packet);
        const struct sock *sk = BPF_CORE_READ(buffer, sk);
        struct refused_socket *r = refused_get((__u64)sk);
        struct policy_view v;

        if (!r || !r->drops || !(socket_is_stream(sk) ? packet_has_data(packet) : datagram_refused(r, sk)))
                return false;
        /* Of a policy that refuses nothing any more. */
        if (policy_view_get(&v) && !(v.table->denies & ~v.table->dry))
                return false;
        if (!r->cookie)
                r->cookie = bpf_get_socket_cookie(packet);
        return true;
}
