/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A process reaches for the network: is it marked, is the mark within its window, does a rule make this destination
 * quiet, was it reported already, and if not, report it whole. */

#include "record.bpf.h"

/* Was this correlation reported within its window? Then it is a repeat, counted where user space reads it. */
static __always_inline bool repeat_count(const struct correlation *c, const struct reported_key *key, bool goes_on) {
        struct reported_value *v = bpf_map_lookup_elem(&bw_reported, key);

        if (!v || bpf_ktime_get_ns() >= v->until_mono_ns)
                return false;
        if (goes_on && v->n_files == c->n_files)
                return true;
        v->n_files = c->n_files;
        count(BW_COUNT_REPEATS);
        struct bw_repeat *r = bpf_map_lookup_elem(&bw_repeats, &v->slot);
        if (r && r->boot_ns == v->boot_ns && r->cpu == v->cpu)
                __sync_fetch_and_add(&r->count, 1);
        else
                count_and_tell(BW_LOSS_REPEAT_GONE);
        return true;
}

/* Claims the right to report a correlation: of several threads that come here at once, one gets it, the others have
 * made repeats. The claim is complete when it becomes visible, so they can be counted at once. */
static __always_inline bool report_claim(struct correlation *c) {
        __u32 which = c->key.late == RECORD_FLOOD, *next = bpf_map_lookup_elem(&bw_repeat_next, &which);

        if (!next)
                return false;
        c->when = moment_now();
        c->slot = which ? repeat_slots + (c->when.cpu * BW_FLOOD_SLOTS_PER_CPU + (*next)++ % BW_FLOOD_SLOTS_PER_CPU) %
                                        (repeat_slots / repeat_slots_per_cpu * BW_FLOOD_SLOTS_PER_CPU) :
                             (c->when.cpu * repeat_slots_per_cpu + (*next)++ % repeat_slots_per_cpu) % repeat_slots;

        struct bw_repeat *repeat = bpf_map_lookup_elem(&bw_repeats, &c->slot);
        if (repeat) {
                repeat->count = 0;
                repeat->boot_ns = c->when.boot_ns;
                repeat->cpu = c->when.cpu;
        }
        struct reported_value value = {
                .until_mono_ns = bpf_ktime_get_ns() + c->window_ns,
                .boot_ns = c->when.boot_ns,
                .cpu = c->when.cpu,
                .slot = c->slot,
                .n_files = c->n_files,
        };
        if (bpf_map_update_elem(&bw_reported, &c->key, &value, BPF_NOEXIST) == 0)
                return true;
        if (repeat_count(c, &c->key, c->goes_on))
                return false;
        /* An old claim whose window has passed: who removes it may take its place. */
        if (bpf_map_delete_elem(&bw_reported, &c->key) == 0 &&
            bpf_map_update_elem(&bw_reported, &c->key, &value, BPF_NOEXIST) == 0)
                return true;
        (void)repeat_count(c, &c->key, c->goes_on); /* of whoever was quicker */
        return false;
}

/* ---- floods ---- */

/* One user's program that finds a new destination for every packet makes more records than anybody can read, and would
 * keep another's theft waiting, or push it out. As long as the daemon keeps up each is told. When a quarter of the ring
 * waits, a program, and a user with all their programs, have shares of an interval; what is beyond is counted as repeats of
 * one record for each set of classes, which is told at once. The last eighth of the ring is for those who have hardly
 * reported anything. */
#define FLOOD_INTERVAL_NS 10000000000ULL
#define FLOOD_SHARE_EXE 64
#define FLOOD_SHARE_USER 256
#define FLOOD_SHARE_LAST 4

/* User namespaces can be nested this deep (include/linux/user_namespace.h: level is below 33). */
#define USER_NAMESPACES_MAX 33

/* Who pays: in a user namespace, who made the outermost one. Inside, one person has thousands of uids (subuid(5)). */
static __always_inline __u32 budget_user(struct task_struct *task) {
        const struct user_namespace *ns = BPF_CORE_READ(task, cred, user_ns);
        __u32 uid = BPF_CORE_READ(task, cred, uid.val);

        for (__u32 i = 0; i < USER_NAMESPACES_MAX; i++) {
                const struct user_namespace *parent = BPF_CORE_READ(ns, parent);
                if (!parent)
                        break;
                uid = BPF_CORE_READ(ns, owner.val);
                ns = parent;
        }
        return uid;
}

/* What was reported under a key in the interval that is running: of one executable, or, of_all, of all the user's.
 * add: counts one more. */
static __always_inline __u64 budget_count(__u64 exe, __u32 uid, bool of_all, bool add) {
        struct budget_key key = { .exe = exe, .uid = uid, .of_all = of_all };
        __u64 now = bpf_ktime_get_ns();
        struct budget *b = bpf_map_lookup_elem(&bw_budgets, &key);

        if (b && now < b->until_mono_ns) {
                if (add)
                        __sync_fetch_and_add(&b->count, 1);
                return b->count;
        }
        if (add) {
                const struct budget first = { .until_mono_ns = now + FLOOD_INTERVAL_NS, .count = 1 };
                bpf_map_update_elem(&bw_budgets, &key, &first, BPF_ANY);
        }
        return 0;
}

/* Has this user's executable used up its share? */
__noinline int flood_spent(__u32 uid, __u64 exe) {
        __u64 waiting = bpf_ringbuf_query(&bw_ring, BPF_RB_AVAIL_DATA);
        __u64 size = bpf_ringbuf_query(&bw_ring, BPF_RB_RING_SIZE);

        if (waiting < size / 4)
                return 0;
        __u64 own = budget_count(exe, uid, false, false);
        return own >= (waiting < size - size / 8 ? FLOOD_SHARE_EXE : FLOOD_SHARE_LAST) ||
                budget_count(0, uid, true, false) >= FLOOD_SHARE_USER;
}

__noinline int flood_count(__u32 uid, __u64 exe) {
        budget_count(exe, uid, false, true);
        budget_count(0, uid, true, true);
        return 0;
}

/* The verifier follows 16 turns in one function and 16 around it, instead of 256 in one. Divides BW_NETS_MAX. */
#define NETS_AT_ONCE 16

/* Classes that the rules which process `pid` holds allow at this destination, by some of the table's: which ones is the upper half
 * of `at`. Arithmetic instead of branches: there is one way through the loop's body. */
__noinline __u64 permitted_some(__u64 at, __u32 pid, __u64 address_low, __u64 address_high, __u64 packed) {
        __u32 table = at;
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct mark *m = mark_get(pid);
        __u64 port = packed & 0xffff, family = packed >> 16 & 0xffff, permitted = 0;
        /* connect(2) of a datagram socket to port 0 moves nothing: resolvers do it to learn the route to an address
         * that they are about to use (RFC 6724), so any port of a rule will do. */
        __u64 strict = port || packed >> 48 != BW_ACT_CONNECT;

        if (!t || !m)
                return 0;
        const struct bw_net *nets = &t->nets[(at >> 32) % (BW_NETS_MAX / NETS_AT_ONCE) * NETS_AT_ONCE];
        for (__u32 i = 0; i < NETS_AT_ONCE; i++) {
                const struct bw_net *n = nets + i;
                __u32 rule = n->rule % BW_RULES_MAX;
                if (!n->family)
                        break;
                __u64 other = (n->family ^ family) | ((address_low & n->mask[0]) ^ n->address[0]) |
                        ((address_high & n->mask[1]) ^ n->address[1]) | (~m->rules.word[rule / 64] >> rule % 64 & 1);
                /* bit 63 of a difference: the port is below the first, or above the last */
                other |= ((port - n->port_first) | (n->port_last - port)) >> 63 & strict;
                __u64 differs = (other | -other) >> 63;
                permitted |= t->rules[rule].classes & (differs - 1);
        }
        return permitted;
}

__noinline __u64 permitted_classes(__u32 table, __u32 pid, __u64 address_low, __u64 address_high, __u64 packed) {
        __u64 permitted = 0;

        /* The port of an accepted connection is our own: no destination that a rule could mean. */
        if ((packed >> 48 & ~(__u64)ACT_GOES_ON) == BW_ACT_ACCEPT)
                return 0;
        for (__u64 i = 0; i < BW_NETS_MAX / NETS_AT_ONCE; i++)
                permitted |= permitted_some(i << 32 | table, pid, address_low, address_high, packed);
        return permitted;
}

/* The current process, known to have a mark, reaches for a destination. */
__noinline int correlate(__u64 address_low, __u64 address_high, __u64 packed) {
        struct task_struct *task = current_task();
        struct correlation c = {};
        struct policy_view v;

        destination_unpack(&c.key.destination, address_low, address_high, packed);
        if (c.key.destination.family == BW_FAMILY_FILE) /* all files of one file system are one destination */
                __builtin_memset(c.key.destination.address, 0, 8);
        c.goes_on = packed >> 48 & ACT_GOES_ON;
        c.key.pid = BPF_CORE_READ(task, tgid);
        c.key.start_boot_ns = task_start(task);

        struct mark *m = mark_find(c.key.pid, c.key.start_boot_ns);
        if (!m)
                return 0;
        __u32 strayed = process_strayed(c.key.pid);

        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                if (!policy_view_get(&v))
                        return 0;

                const __u32 pid = c.key.pid;
                __u64 plain = mark_live(v.index, pid, 0), bound = mark_live(v.index, pid, LIVE_BOUND);
                /* A rule that the process held when it opened the file is void if it has run other code since. Local services
                 * it may ask, whatever its destinations are. */
                __u64 quiet = c.key.destination.family == AF_UNIX || c.key.destination.family == BW_FAMILY_FILE ? bound :
                        bound && !strayed ?
                        permitted_classes(v.index, pid, address_low, address_high, packed) :
                        0;
                c.key.classes = plain | (bound & ~quiet);
                c.fresh = c.key.classes & (mark_live(v.index, pid, LIVE_FRESH) |
                                           (mark_live(v.index, pid, LIVE_FRESH | LIVE_BOUND) & ~quiet));
                c.key.late = !c.fresh;
                c.window_ns = longest_window(v.index, c.fresh ?: c.key.classes, c.fresh != 0);
                c.generation = v.table->generation;
                if (!policy_view_held(&v))
                        continue;

                if (!c.key.classes) {
                        if (bound)
                                count(BW_COUNT_EGRESS_ALLOWED);
                        return 0;
                }
                break;
        }
        /* A policy that changes without end: what was read last may be of two policies, and is reported. */
        c.n_files = m->n_files;
        if (!c.key.classes || repeat_count(&c, &c.key, c.goes_on))
                return 0;

        /* Known since its birth, or since it was marked; if it was pushed out since, the record says that names are
         * missing. Learning of it here would cost every egress program another 100,000 steps of the verifier. */
        const struct process *p = process_find(c.key.pid, c.key.start_boot_ns);
        __u64 exe = p ? p->exe : 0;
        __u32 uid = budget_user(task);

        if (flood_spent(uid, exe)) {
                __builtin_memset(&c.key.destination, 0, sizeof(c.key.destination));
                c.key.pid = uid;
                c.key.start_boot_ns = exe;
                c.key.late = RECORD_FLOOD;
                c.window_ns = FLOOD_INTERVAL_NS;
                if (repeat_count(&c, &c.key, false)) {
                        count(BW_COUNT_FLOODED);
                        return 0;
                }
        }
        if (!report_claim(&c))
                return 0;

        m->reported = 1;
        if (record_emit(&c, address_low, address_high, packed)) {
                count(BW_COUNT_CORRELATIONS);
                flood_count(uid, exe);
        } else {
                bpf_map_delete_elem(&bw_reported, &c.key); /* the next attempt may be reported */
        }
        return 0;
}

/* The body of every hook that sees the current process reach for a destination. */
static __always_inline void on_egress(const struct bw_destination *d) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;
        __u64 low, high;

        if (!mark_get(pid))
                return;
        __builtin_memcpy(&low, d->address, 8);
        __builtin_memcpy(&high, d->address + 8, 8);
        correlate(low, high, DESTINATION_PACK(d));
}

/* cgroup/connect4 and sendmsg4 (include/uapi/linux/bpf.h struct bpf_sock_addr: address and port in network order). */
static __always_inline void on_sock_addr4(struct bpf_sock_addr *ctx, enum bw_act act) {
        struct bw_destination d = { .family = AF_INET, .act = act };
        __u32 address = ctx->user_ip4;

        __builtin_memcpy(d.address, &address, 4);
        d.port = bpf_ntohs(ctx->user_port);
        d.protocol = ctx->protocol;
        on_egress(&d);
}

static __always_inline void on_sock_addr6(struct bpf_sock_addr *ctx, enum bw_act act) {
        struct bw_destination d = { .act = act };
        __u32 address[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

        destination_set_inet6(&d, address);
        d.port = bpf_ntohs(ctx->user_port);
        d.protocol = ctx->protocol;
        on_egress(&d);
}

/* ---- sockets, where the hook sees the kernel's own objects ---- */

static __always_inline bool current_is_marked(void) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        return mark_get(pid);
}

/* connect(2), before anything is sent. */
static __always_inline void on_socket_connect(const struct socket *socket, const void *address, int length) {
        struct bw_destination d = { .act = BW_ACT_CONNECT };

        if (!current_is_marked())
                return;
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (!socket_leaves(sk) || !destination_from_address(&d, address, length, sk, false))
                return;
        d.protocol = socket_protocol(sk);
        on_egress(&d);
}

/* Data on its way into a socket, to an address or, NULL, to none. A connected stream takes none, whatever the message says
 * (tcp(7)). */
static __always_inline void on_sending(const struct sock *sk, const void *address, int length) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), type = BPF_CORE_READ(sk, sk_type);
        bool connected = type == SOCK_STREAM && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE;
        struct bw_destination d = { .protocol = socket_protocol(sk), .act = BW_ACT_SEND };
        const struct udp_sock *udp = (const struct udp_sock *)sk;
        int pending = d.protocol == IPPROTO_UDP ? BPF_CORE_READ(udp, pending) : 0;

        if (pending) {
                if (!destination_from_cork(&d, sk, pending))
                        d.family = family;
        } else if (address && !connected && destination_from_address(&d, address, length, sk, true)) {
                /* to it alone */
        } else if (destination_from_socket(&d, sk)) {
                d.act |= ACT_GOES_ON;
                if (connected && socket_was_accepted(sk))
                        destination_as_accepted(&d, sk);
        } else if (type == SOCK_STREAM || d.protocol == IPPROTO_UDP) {
                return; /* it goes nowhere: the call will fail */
        } else {
                d.family = family; /* whereto is not known, that it goes out is */
        }
        on_egress(&d);
}

/* send(2), write(2), sendfile(2), io_uring, where the hook sees the message. */
static __always_inline void on_socket_sendmsg(const struct socket *socket, const struct msghdr *message) {
        if (!current_is_marked())
                return;
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (socket_leaves(sk))
                on_sending(sk, BPF_CORE_READ(message, msg_name), BPF_CORE_READ(message, msg_namelen));
}

/* The same where a system call is about to write to `file`, for kernels that do not tell when it is done. To which address a
 * single datagram goes is not known; for inet other hooks see it. */
static __always_inline void on_socket_written(const struct file *file) {
        if (bpf_core_type_exists(btf_trace_sock_send_length) || !current_is_marked() ||
            (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return;
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (socket_leaves(sk))
                on_sending(sk, NULL, 0);
}

/* Something was sent on this socket. Whereto a raw socket sends is not known here; that it did must not be silence. */
static __always_inline void on_sent(const struct sock *sk, int length) {
        struct bw_destination d = { .act = BW_ACT_SEND };

        if (!current_is_marked() || !socket_leaves(sk))
                return;
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
        /* What goes out by AF_XDP lies in memory already, the call has no data of its own (net/xdp/xsk.c xsk_sendmsg()). */
        if (length < 0 || (length == 0 && family != AF_XDP))
                return;
        d.protocol = socket_protocol(sk);
        if (destination_from_socket(&d, sk)) {
                d.act |= ACT_GOES_ON;
                if (BPF_CORE_READ(sk, sk_type) == SOCK_STREAM && socket_was_accepted(sk))
                        destination_as_accepted(&d, sk);
        } else if (d.protocol == IPPROTO_UDP) {
                /* To an address of its own: the sendmsg hooks have it, but for what is added to a datagram. */
                if (!destination_from_cork(&d, sk, family))
                        return;
                d.act |= ACT_GOES_ON;
        } else {
                d.family = family;
        }
        on_egress(&d);
}

/* What was moved to this file came to the process in the same call: nothing before it has seen it. */
static __always_inline void on_socket_moved(const struct file *file) {
        if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return;
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        on_sent(BPF_CORE_READ(socket, sk), 1);
}

/* accept(2): the peer may pull from now on. */
static __always_inline void on_accepted(const struct sock *sk) {
        struct bw_destination d = {};

        if (!current_is_marked() || !socket_leaves(sk) || !destination_from_socket(&d, sk))
                return;
        d.protocol = socket_protocol(sk);
        destination_as_accepted(&d, sk);
        on_egress(&d);
}

#define TUN_DEVICE (10 << 20 | 200) /* include/linux/miscdevice.h: MISC_MAJOR, TUN_MINOR */

/* Something is about to be written to a file. A packet written to /dev/net/tun arrives at that interface as if it came from
 * outside, and is routed on. Which interface is not known: the driver is a module, whose types the kernel's BTF does not
 * have. */
static __always_inline void on_device_written(const struct file *file) {
        struct bw_destination d = { .family = AF_PACKET, .act = BW_ACT_SEND | ACT_GOES_ON };

        if (current_is_marked() && BPF_CORE_READ(file, f_inode, i_rdev) == TUN_DEVICE)
                on_egress(&d);
}
