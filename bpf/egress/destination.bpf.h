/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Destination: converts a sockaddr or a connected socket to struct bw_destination. */

#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "lib/requests.h"
#include "lib/syscalls.bpf.h"

/* In bw_destination.act until correlate(): more data on a connection, which does not count as a repeat. */
#define ACT_GOES_ON 0x8000
#define ACT_FLAGS 0xff00 /* this, and those of egress/enforce.bpf.h */

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

/* Whether a socket of this family can reach beyond this host, by the table of lib/requests.h. A family that
 * it does not list may. Unix sockets are handled elsewhere. */
enum family {
        FAMILY_LEAVES,
        FAMILY_STAYS,
        FAMILY_PATH,
};

#define FAMILIES_MAX 64
#define FAMILY_CHECK_ROW(name, number, moves, body)                                                         \
        _Static_assert((MOVES_##moves == MOVES_NONE) == (FAMILY_##body == FAMILY_STAYS), #name);
BW_FAMILIES(FAMILY_CHECK_ROW)
#define FAMILY_ROW(name, number, moves, body) [number] = FAMILY_##body,
static const __u8 families[FAMILIES_MAX] = { BW_FAMILIES(FAMILY_ROW) };

static __always_inline bool family_leaves(__u16 family) {
        return family >= FAMILIES_MAX || families[family & (FAMILIES_MAX - 1)] == FAMILY_LEAVES;
}

/* Whether its destinations are identified by a path: local services, and files. */
static __always_inline bool family_has_path(__u16 family) {
        return family == AF_UNIX || family == BW_FAMILY_FILE;
}

static __always_inline bool socket_leaves(const struct sock *sk) {
        return family_leaves(BPF_CORE_READ(sk, __sk_common.skc_family));
}

static __always_inline bool socket_is_inet(const struct sock *sk) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

        return family == AF_INET || family == AF_INET6;
}

/* Multipath TCP counts as TCP. Other families have protocol numbers of their own. */
static __always_inline __u16 socket_protocol(const struct sock *sk) {
        __u16 protocol = socket_is_inet(sk) ? BPF_CORE_READ(sk, sk_protocol) : 0;

        return protocol == IPPROTO_MPTCP ? IPPROTO_TCP : protocol;
}

/* RFC 4291 2.5.5.2: ::ffff:a.b.c.d is a.b.c.d. */
static __always_inline void destination_set_inet6(struct bw_destination *d, const __u32 address[4]) {
        if (!address[0] && !address[1] && address[2] == bpf_htonl(0xffff)) {
                d->family = AF_INET;
                __builtin_memcpy(d->address, &address[3], 4);
        } else {
                d->family = AF_INET6;
                __builtin_memcpy(d->address, address, 16);
        }
}

static __always_inline void destination_set_vsock(struct bw_destination *d, __u32 cid, __u32 port) {
        d->family = AF_VSOCK;
        __builtin_memcpy(d->address, &cid, 4);
        __builtin_memcpy(d->address + 4, &port, 4);
}

static __always_inline void destination_set_packet(struct bw_destination *d, __u32 interface) {
        d->family = AF_PACKET;
        __builtin_memcpy(d->address, &interface, 4);
}

/* 127.0.0.0/8 and ::1 */
static __always_inline bool destination_is_here(const struct bw_destination *d) {
        const __u64 low = *(const __u64 *)d->address, high = *(const __u64 *)(d->address + 8);

        return d->family == AF_INET ? d->address[0] == 127
                                    : d->family == AF_INET6 && !low && high == bpf_cpu_to_be64(1);
}

/* The beginning of every supported address (include/uapi/linux/in.h, in6.h, vm_sockets.h, if_packet.h). */
struct vsock_address {
        __u16 family;
        __u16 zero;
        __u32 port;
        __u32 cid;
        __u32 flags;
};

union socket_address {
        __u16 family;
        struct {
                __u16 family;
                __u16 port;
                __u32 address;
                __u32 address6[4];
        } inet;
        struct vsock_address vsock;
        struct {
                __u16 family;
                __u16 protocol;
                __u32 interface;
        } packet;
};

/* The minimum lengths of the kernel itself (net/ipv4/af_inet.c, net/ipv6/af_inet6.c SIN6_LEN_RFC2133,
 * net/vmw_vsock/vsock_addr.c): bytes beyond the given length were not copied from the process. The kernel's
 * buffer has room for the largest. */
#define SOCKADDR_IN_MIN 16
#define SOCKADDR_IN6_MIN 24
#define SOCKADDR_VM_MIN 16
#define SOCKADDR_LL_MIN 8

/* From an address in kernel memory, as `sk` takes it. AF_UNSPEC is 0.0.0.0's family, too, for sendto(2) on
 * an AF_INET socket (net/ipv4/udp.c udp_sendmsg()). */
static __always_inline bool destination_from_address(struct bw_destination *d, const void *address,
                int length, const struct sock *sk, bool sends) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
        union socket_address a = {};

        if (length < (int)sizeof(a.family) || bpf_probe_read_kernel(&a, sizeof(a), address))
                return false;
        if (family == AF_INET || family == AF_INET6) {
                if (length < SOCKADDR_IN_MIN || (a.family == AF_INET6 && length < SOCKADDR_IN6_MIN))
                        return false;
                if (a.family == AF_INET || (sends && a.family == AF_UNSPEC && family == AF_INET)) {
                        d->family = AF_INET;
                        __builtin_memcpy(d->address, &a.inet.address, 4);
                } else if (a.family == AF_INET6) {
                        destination_set_inet6(d, a.inet.address6);
                } else {
                        return false;
                }
                d->port = bpf_ntohs(a.inet.port);
        } else if (family == AF_VSOCK && length >= SOCKADDR_VM_MIN) {
                destination_set_vsock(d, a.vsock.cid, a.vsock.port);
        } else if (family == AF_PACKET && length >= SOCKADDR_LL_MIN &&
                        BPF_CORE_READ(sk, sk_type) != SOCK_PACKET) {
                destination_set_packet(d, a.packet.interface);
        } else {
                d->family = family;
        }
        return true;
}

/* net/vmw_vsock/af_vsock.h: struct vsock_sock begins with the struct sock, and these. It is a module's, and
 * its types are not in the kernel's BTF. */
struct vsock_peers {
        __u64 transport;
        struct vsock_address local, remote;
};

#define VMADDR_CID_ANY (~0U) /* include/uapi/linux/vm_sockets.h: of a socket that is not connected */
#define VSOCK_UNKNOWN (~1ULL)
#define VSOCK_CID(address) ((__u32)(address))
#define VSOCK_PORT(address) ((__u32)((address) >> 32))

/* One end of a connection; VSOCK_UNKNOWN if this kernel has another layout. A separate function, as its
 * callers have little stack left. */
__noinline __u64 vsock_address_read(__u64 sk, __u32 local) {
        struct vsock_peers peers;

        if (bpf_probe_read_kernel(
                            &peers, sizeof(peers), (const void *)sk + bpf_core_type_size(struct sock)) ||
                        peers.local.family != AF_VSOCK || peers.remote.family != AF_VSOCK)
                return VSOCK_UNKNOWN;
        return local ? peers.local.cid | (__u64)peers.local.port << 32
                     : peers.remote.cid | (__u64)peers.remote.port << 32;
}

/* The peer of a connected socket; false if it is not connected. Of other families only the family is set. */
static __always_inline bool destination_from_socket(struct bw_destination *d, const struct sock *sk) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

        if (family == AF_INET) {
                __u32 address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
                if (!address)
                        return false;
                d->family = AF_INET;
                __builtin_memcpy(d->address, &address, 4);
                d->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
        } else if (family == AF_INET6) {
                __u32 address[4] = {};
                if (bpf_core_field_exists(struct sock_common, skc_v6_daddr))
                        BPF_CORE_READ_INTO(&address, sk, __sk_common.skc_v6_daddr);
                if (!(address[0] | address[1] | address[2] | address[3]))
                        return false;
                destination_set_inet6(d, address);
                d->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
        } else if (family == AF_VSOCK) {
                __u64 peer = vsock_address_read(address_of(sk), false);
                d->family = AF_VSOCK;
                if (peer != VSOCK_UNKNOWN) {
                        if (VSOCK_CID(peer) == VMADDR_CID_ANY)
                                return false;
                        destination_set_vsock(d, VSOCK_CID(peer), VSOCK_PORT(peer));
                }
        } else if (family == AF_PACKET) {
                const struct packet_sock *packet = (const struct packet_sock *)sk;
                destination_set_packet(d,
                                bpf_core_field_exists(packet->ifindex) ? BPF_CORE_READ(packet, ifindex) : 0);
        } else {
                d->family = family;
        }
        return true;
}

/* A stream made by accept(2) has the backlog of the listening socket (net/core/sock.c sk_clone_lock()), one
 * that connected has none. In other families they cannot be distinguished. */
static __always_inline bool socket_was_accepted(const struct sock *sk) {
        return socket_is_inet(sk) && BPF_CORE_READ(sk, sk_max_ack_backlog);
}

/* An accepted connection has the local port, which is kept when the connection ends: skc_num is 0 then. */
static __always_inline void destination_as_accepted(struct bw_destination *d, const struct sock *sk) {
        const struct inet_sock *inet = (const struct inet_sock *)sk;

        if (socket_is_inet(sk)) {
                d->port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
        } else if (d->family == AF_VSOCK) {
                __u64 own = vsock_address_read(address_of(sk), true);
                if (own != VSOCK_UNKNOWN)
                        destination_set_vsock(d, *(__u32 *)d->address, VSOCK_PORT(own));
        }
        d->act = BW_ACT_ACCEPT | (d->act & ACT_FLAGS);
}

/* The destination of a datagram begun with MSG_MORE or UDP_CORK: data added to it keeps the address
 * (net/ipv4/udp.c udp_sendmsg()). The address remains after it was sent, and may be outdated. */
static __always_inline bool destination_from_cork(
                struct bw_destination *d, const struct sock *sk, __u16 family) {
        const struct inet_sock *inet = (const struct inet_sock *)sk;

        if (family == AF_INET) {
                __u32 address = BPF_CORE_READ(inet, cork.fl.u.ip4.daddr);
                if (!address)
                        return false;
                d->family = AF_INET;
                __builtin_memcpy(d->address, &address, 4);
                d->port = bpf_ntohs(BPF_CORE_READ(inet, cork.fl.u.ip4.uli.ports.dport));
                return true;
        }
        __u32 address[4] = {};
        BPF_CORE_READ_INTO(&address, inet, cork.fl.u.ip6.daddr);
        if (!(address[0] | address[1] | address[2] | address[3]))
                return false;
        destination_set_inet6(d, address);
        d->port = bpf_ntohs(BPF_CORE_READ(inet, cork.fl.u.ip6.uli.ports.dport));
        return true;
}
