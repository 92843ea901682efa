/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Internet sockets whose other end is a process on this host. What one of them sends is an object, which the
 * other end receives from. No pointer leads from one end to the other, so the object is known by ports: of a
 * datagram, by the port that it is sent to; of a connection, by the lower port and some bits of the higher
 * one. So a process that connects to one port again and again makes at most PORTS_MAX objects, and another
 * connection with the same bits is rare. NAT is not looked through. */

#include "abi/event.h"
#include "abi/shared.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_MPTCP 262

#define PORTS_MAX 64

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common___ends {
        __u32 skc_rcv_saddr;
        struct in6_addr skc_v6_rcv_saddr;
};

#pragma clang attribute pop

/* RFC 4291 2.5.5.2, in network order: 127.0.0.0/8 and ::1, or the address of both ends. */
static __always_inline bool ends_are_here(const __u32 to[4], const __u32 from[4]) {
        bool high = to[0] | to[1];

        if (!high && to[2] == bpf_htonl(0xffff) && (to[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000))
                return true;
        if (!high && !to[2] && to[3] == bpf_htonl(1))
                return true;
        return (high || to[3]) && to[0] == from[0] && to[1] == from[1] && to[2] == from[2] &&
               to[3] == from[3];
}

/* The ports of what passes between this socket and another one: of a datagram, the one that it goes to; of a
 * connection both, the lower one, which is nearly always the server's, in full, and the direction. */
static __always_inline __u64 sock_channel(const struct sock *sk, __u16 protocol, bool writes) {
        const struct inet_sock *inet = (const struct inet_sock *)sk;
        __u64 own = bpf_ntohs(BPF_CORE_READ(inet, inet_sport)),
              peer = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

        if (protocol == PROTOCOL_UDP)
                return writes ? peer : own;
        __u64 low = own < peer ? own : peer, high = own < peer ? peer : own,
              up = own == peer || (own < peer) == writes;
        /* Clients get every second port. */
        return low | (high >> 1) % PORTS_MAX << 16 | up << 32;
}

static __always_inline __u64 channel_key(const struct sock *sk, __u16 protocol, __u64 channel) {
        __u64 namespace = BPF_CORE_READ((const struct sock_common___net *)sk, skc_net.net, ns.inum);

        /* bit 63 is free, see loopback_channel() */
        return (hash_mix(hash_mix(shared.name_seed, namespace << 16 | protocol), channel) >> 1) | 1;
}

#define LOOPBACK_ANSWER (1ULL << 63) /* not of the key: a server writes to a connection that it accepted */

/* What names the object that is written to by this socket, or read from; 0: its other end is not on this
 * host, or not known. */
__noinline __u64 loopback_channel(__u64 address, __u32 writes) {
        const struct sock *sk = (const struct sock *)address;
        const struct sock_common___ends *ends = (const void *)sk;
        __u16 family = READ_OFTEN(sk, __sk_common.skc_family), protocol;
        __u32 to[4] = {}, from[4] = {};

        if (family == AF_INET) {
                to[2] = from[2] = bpf_htonl(0xffff);
                to[3] = READ_OFTEN(sk, __sk_common.skc_daddr);
                from[3] = READ_OFTEN(ends, skc_rcv_saddr);
        } else if (family == AF_INET6 && bpf_core_field_exists(struct sock_common, skc_v6_daddr)) {
                BPF_CORE_READ_INTO(&to, sk, __sk_common.skc_v6_daddr);
                BPF_CORE_READ_INTO(&from, ends, skc_v6_rcv_saddr);
        } else {
                return 0;
        }
        protocol = BPF_CORE_READ(sk, sk_protocol);
        if (protocol == PROTOCOL_MPTCP)
                protocol = PROTOCOL_TCP;
        /* A datagram may come from anywhere. */
        if ((protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) ||
                        ((protocol == PROTOCOL_TCP || writes) && !ends_are_here(to, from)))
                return 0;
        /* As in socket_was_accepted(). Of multipath TCP it is not known. */
        bool answers = writes && BPF_CORE_READ(sk, sk_max_ack_backlog);
        return channel_key(sk, protocol, sock_channel(sk, protocol, writes != 0)) |
               (answers ? LOOPBACK_ANSWER : 0);
}

static __always_inline void object_of_loopback(struct object *o, __u64 channel) {
        if (channel)
                object_set(o, BW_VIA_LOOPBACK, channel, 0, AF_INET);
}

/* Whether all that the holder has came to it, or to one that it has it from, by such a socket. */
__noinline int loopback_brought(__u64 holder) {
        const struct mark *m = mark_get(holder);
        __u32 other = 0;

        if (!m)
                return false;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                __u64 classes = m->files[i].classes;
                other |= (__u32)((classes | -classes) >> 63) & ~(m->files[i].flags / BW_FILE_LOOPBACK);
        }
        return !(other & 1);
}
