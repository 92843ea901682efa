/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The table of sockets whose data is refused, see egress/refused.bpf.h. */

#include "lib/kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/net/sock.h: what tells sockets apart that had the same address one after another. */
struct net;

struct sock_common___apart {
        struct {
                struct net *net;
        } skc_net;
        struct {
                __s64 counter;
        } skc_cookie;
};

struct sock___apart {
        struct sock_common___apart __sk_common;
};

/* include/linux/skbuff.h */
struct sk_buff {
        struct sock *sk;
};

#pragma clang attribute pop

struct refused_socket {
        __u64 is;            /* which socket it is: another one may have the address later */
        __u64 cookie;        /* the kernel's number of it, once a packet was dropped */
        __u64 start_boot_ns; /* of process `pid` */
        __u64 allowed;       /* the thread whose next datagram was judged by its address, and not refused */
        __u32 pid;           /* whose datagrams are dropped; 0: everybody's */
        __u32 last;   /* the process whose data was refused at last; 0: it has sent other data since */
        __u8 drops;   /* 0: nothing was refused yet */
        __u8 suspect; /* the process holds nothing itself */
        __u8 stays;   /* until the socket ends */
        __u8 zero[5];
};

/* By the address of the socket, which leads from a packet to it: as many as eight processes may
 * have open. Data that there is no room for is not refused, and its alert says so. */
#define REFUSED_SOCKETS_MAX 8192
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, REFUSED_SOCKETS_MAX);
        __type(key, __u64);
        __type(value, struct refused_socket);
} bw_refused SEC(".maps");

/* The same as bw_marked, for bw_refused. */
struct {
        __uint(type, BPF_MAP_TYPE_QUEUE);
        __uint(max_entries, 2 * REFUSED_SOCKETS_MAX);
        __type(value, __u64);
} bw_refused_queue SEC(".maps");
