/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A process reaches for the network: is it marked, is the mark within its window, does a rule make this destination
 * quiet, was it reported already, and if not, report it whole. */

#include "lifecycle.bpf.h"

/* cgroup2 depth told at most. systemd's user services sit at 6, a pod's containers at 5. */
#define CGROUP_DEPTH_MAX 16

/* Room that must be left before a string is written: the verifier adds the largest offset and the largest length. */
#define STRING_SHORT_ROOM 256
#define STRING_LONG_ROOM 4096

/* Offsets and lengths are 64 bits wide where they become addresses: kernels before 6.8 or so do not carry the bounds
 * of a 32-bit comparison over to the whole register.
 *
 * Strings are appended at header.size, which grows with them: what is read back from the record is a new value to
 * the verifier, so that it need not follow every combination of lengths. */

/* Appends a NUL-terminated copy of `length` kernel bytes. */
static __always_inline bool string_put(struct bw_correlation *r,
                                       __u64 capacity,
                                       const __u64 room,
                                       const void *from,
                                       __u64 length,
                                       struct bw_string *ret) {
        __u64 at = r->header.size;

        if (room > capacity || at > capacity - room || length >= room)
                return false;
        if (bpf_probe_read_kernel((void *)r + at, length & (room - 1), from))
                return false;
        *(char *)((void *)r + at + (length & (room - 1))) = 0;
        ret->offset = at;
        ret->length = length;
        r->header.size = at + length + 1;
        return true;
}

/* A function of its own: what it leaves on its stack is gone when it returns, so all ways through it are one to the
 * verifier. */
static __noinline int name_put(
        struct bw_correlation *r, __u64 capacity, __u64 id, const bool of_file, struct bw_string *ret) {
        bool done = true;

        if (!NAME_LENGTH(id))
                return 0;
        if (NAME_LENGTH(id) <= NAME_SHORT_MAX) {
                struct short_name *s =
                        of_file ? bpf_map_lookup_elem(&bw_file_names, &id) : bpf_map_lookup_elem(&bw_exe_names, &id);
                if (s && s->length)
                        done = string_put(r, capacity, STRING_SHORT_ROOM, s->text + (s->start & NAME_SHORT_MAX),
                                s->length, ret);
                else
                        r->flags |= BW_CORRELATION_NAME_LOST;
        } else {
                __u32 slot = (id >> 12) % NAME_LONG_SLOTS;
                struct long_name *l = bpf_map_lookup_elem(&bw_long_names, &slot);
                if (l && l->id == id)
                        done = string_put(r, capacity, STRING_LONG_ROOM, l->text + (l->start & NAME_LONG_MAX),
                                l->length, ret);
                else
                        r->flags |= BW_CORRELATION_NAME_LOST;
        }
        if (!done)
                r->flags |= BW_CORRELATION_STRINGS_CUT;
        return 0;
}

/* The path of the process's cgroup2, from the root down. */
static __always_inline void cgroup_put(struct bw_correlation *r, __u64 capacity, struct task_struct *task) {
        struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
        /* The far end of the record, which no string reaches yet, holds the names' addresses meanwhile. */
        const char **names = (void *)r + capacity - CGROUP_DEPTH_MAX * sizeof(*names);
        const __u64 begin = r->header.size;

        r->process.cgroup_id = BPF_CORE_READ(node, id);
        /* Above the root, and of NULL, everything reads as 0; the root's name is empty. */
        for (__u32 i = 0; i < CGROUP_DEPTH_MAX; i++) {
                names[i] = BPF_CORE_READ(node, name);
                node = kernfs_up(node);
        }

        for (int i = CGROUP_DEPTH_MAX - 1; i >= 0; i--) {
                __u64 at = r->header.size;
                if (at > capacity - CGROUP_DEPTH_MAX * sizeof(*names) - STRING_SHORT_ROOM - 2)
                        break;
                *(char *)((void *)r + at) = '/';
                long n = bpf_probe_read_kernel_str((void *)r + at + 1, STRING_SHORT_ROOM, names[i]);
                if (n > 1 && n <= STRING_SHORT_ROOM)
                        r->header.size = at + n;
        }
        for (__u32 i = 0; i < CGROUP_DEPTH_MAX; i++)
                names[i] = NULL; /* kernel addresses are nobody's business */

        __u64 at = r->header.size;
        if (at > capacity - 2) {
                r->flags |= BW_CORRELATION_STRINGS_CUT;
                return;
        }
        if (at == begin) /* the root cgroup */
                *(char *)((void *)r + at++) = '/';
        *(char *)((void *)r + at) = 0;
        r->process.cgroup.offset = begin;
        r->process.cgroup.length = at - begin;
        r->header.size = at + 1;
}

/* Bytes of argv, without the last NUL; 0 for a process that has none. */
static __always_inline __u64 cmdline_size(struct task_struct *task) {
        __u64 begin = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);

        return end > begin ? end - begin - 1 : 0;
}

/* argv as it is in the process's memory now. It may have been overwritten by the process: the executable is what
 * counts, this only helps a person. */
static __always_inline void cmdline_put(struct bw_correlation *r, __u64 capacity, struct task_struct *task) {
        __u64 length = cmdline_size(task);
        __u64 at = r->header.size;

        if (!length || at > capacity - BW_CMDLINE_SIZE)
                return;
        if (length > BW_CMDLINE_SIZE - 1) {
                length = BW_CMDLINE_SIZE - 1;
                r->flags |= BW_CORRELATION_CMDLINE_CUT;
        }
        __u64 n = length & (BW_CMDLINE_SIZE - 1);
        if (bpf_probe_read_user((void *)r + at, n, (void *)BPF_CORE_READ(task, mm, arg_start)))
                return;
        *(char *)((void *)r + at + n) = 0;
        r->process.cmdline.offset = at;
        r->process.cmdline.length = n;
        r->header.size = at + n + 1;
}

static __always_inline void process_put(
        struct bw_correlation *r, __u64 capacity, struct task_struct *task, const struct process *p) {
        struct bw_process *to = &r->process;
        struct inode *exe = BPF_CORE_READ(task, mm, exe_file, f_inode);

        to->start_boot_ns = task_start(task);
        to->exe_inode = BPF_CORE_READ(exe, i_ino);
        to->exe_device = BPF_CORE_READ(exe, i_sb, s_dev);
        to->pid = BPF_CORE_READ(task, tgid);
        to->tid = BPF_CORE_READ(task, pid);
        to->uid = BPF_CORE_READ(task, cred, uid.val);
        to->loginuid = bpf_core_field_exists(struct task_struct, loginuid) ? BPF_CORE_READ(task, loginuid.val) : -1;
        to->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
        struct pid_namespace *pid_namespace = task_pid_namespace(task);
        to->pid_namespace = BPF_CORE_READ(pid_namespace, ns.inum);
        BPF_CORE_READ_INTO(&to->comm, task, comm);
        to->flags = process_flags(to->pid);
        name_put(r, capacity, p ? p->exe : 0, false, &to->exe);
        cmdline_put(r, capacity, task);
        cgroup_put(r, capacity, task);
}

static __always_inline void lineage_put(
        struct bw_correlation *r, __u64 capacity, const struct process *p) {
        if (!p) {
                r->flags |= BW_CORRELATION_NAME_LOST;
                return;
        }
        for (__u32 i = 0; i < BW_LINEAGE_MAX; i++) {
                if (i >= p->depth)
                        return;
                const struct ancestor *from = &p->lineage[(p->depth - 1 - i) % BW_LINEAGE_MAX];
                struct bw_ancestor *to = &r->lineage[i];
                to->start_boot_ns = from->start_boot_ns;
                to->pid = from->pid;
                __builtin_memcpy(to->comm, from->comm, BW_COMM_SIZE);
                name_put(r, capacity, from->exe, false, &to->exe);
                r->n_lineage = i + 1;
        }
        if (p->depth > BW_LINEAGE_MAX)
                r->flags |= BW_CORRELATION_LINEAGE_MORE;
}

/* Only files of the classes that are reported. */
static __always_inline void files_put(
        struct bw_correlation *r, __u64 capacity, const struct mark *m, __u64 classes) {
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *from = &m->files[i];
                if (!(from->classes & classes))
                        continue;
                struct bw_touched_file *to = &r->files[r->n_files % BW_FILES_MAX];
                to->mono_ns = from->mono_ns;
                to->classes = from->classes;
                to->inode = from->inode;
                to->device = from->device;
                to->pid = from->pid;
                to->uid = from->uid;
                to->hops = from->hops;
                to->via = from->via;
                to->flags = from->flags;
                __builtin_memcpy(to->comm, from->comm, BW_COMM_SIZE);
                name_put(r, capacity, from->path, true, &to->path);
                name_put(r, capacity, from->exe, false, &to->exe);
                r->n_files++;
        }
        if (m->n_files > BW_FILES_MAX)
                r->flags |= BW_CORRELATION_FILES_MORE;
}

/* Bytes the names of a record need, terminators included, and whether one is longer than the short ones. */
static __always_inline __u32 names_size(const struct process *p, const struct mark *m, bool *ret_long) {
        __u32 size = 0, lengths = 0; /* all of them ORed: above NAME_SHORT_MAX if one is */

#define NAME_ADD(id)                                                                                         \
        do {                                                                                                 \
                size += NAME_LENGTH(id) + 1;                                                                 \
                lengths |= NAME_LENGTH(id);                                                                  \
        } while (0)
        if (p) {
                NAME_ADD(p->exe);
                for (__u32 i = 0; i < BW_LINEAGE_MAX; i++)
                        NAME_ADD(p->lineage[i].exe);
        }
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                NAME_ADD(m->files[i].path);
                NAME_ADD(m->files[i].exe);
        }
#undef NAME_ADD
        *ret_long = lengths > NAME_SHORT_MAX;
        return size;
}

/* What a correlation is about, gathered before there is a record to hold it. */
struct correlation {
        struct reported_key key;
        __u32 act; /* enum bw_act: not in the key, as connect(2) and the first send are one theft */
        __u32 zero;
        __u64 fresh;
        __u64 window_ns; /* repeats are not reported for this long */
        struct moment when; /* its id */
        __u32 generation;
        __u32 slot;
};

static __noinline int record_fill(struct bw_correlation *r,
                                  __u64 capacity,
                                  const struct correlation *c,
                                  const struct process *p,
                                  const struct mark *m) {
        __builtin_memset(r, 0, RECORD_FIXED);
        stamp(&r->header, BW_KIND_CORRELATION, RECORD_FIXED, c->when);
        r->classes = c->key.classes;
        r->fresh = c->fresh;
        r->window_ns = c->window_ns;
        r->slot = c->slot;
        r->generation = c->generation;
        r->destination = c->key.destination;
        r->destination.act = c->act;
        process_put(r, capacity, current_task(), p);
        files_put(r, capacity, m, c->key.classes);
        lineage_put(r, capacity, p);
        if (r->flags & (BW_CORRELATION_NAME_LOST | BW_CORRELATION_STRINGS_CUT))
                count(BW_LOSS_NAME_LOST);
        return 0;
}

/* Reserves a record of the smallest size that holds everything, fills and submits it. One place for each size: the
 * verifier wants the reservation's size constant. */
static __always_inline bool record_emit(const struct correlation *c, const struct process *p, const struct mark *m) {
        bool has_long;
        __u64 cmdline = cmdline_size(current_task());
        __u32 need = RECORD_FIXED + names_size(p, m, &has_long) + BW_CGROUP_SIZE +
                (cmdline < BW_CMDLINE_SIZE ? (__u32)cmdline + 1 : BW_CMDLINE_SIZE);
        struct bw_correlation *r;

#define RECORD_OF(capacity)                                                                                  \
        do {                                                                                                 \
                r = bpf_ringbuf_reserve(&bw_ring, (capacity), 0);                                            \
                if (!r)                                                                                      \
                        return false;                                                                        \
                record_fill(r, (capacity), c, p, m);                                                         \
        } while (0)

        if (need + STRING_SHORT_ROOM <= BW_RECORD_SMALL && !has_long)
                RECORD_OF(BW_RECORD_SMALL);
        else if (need + STRING_LONG_ROOM <= BW_RECORD_MEDIUM)
                RECORD_OF(BW_RECORD_MEDIUM);
        else
                RECORD_OF(BW_RECORD_LARGE);
#undef RECORD_OF

        bpf_ringbuf_submit(r, 0);
        return true;
}

/* Was this correlation reported within its window? Then it is a repeat, counted where user space reads it. */
static __always_inline bool repeat_count(const struct reported_key *key) {
        struct reported_value *v = bpf_map_lookup_elem(&bw_reported, key);

        if (!v || bpf_ktime_get_ns() >= v->until_mono_ns)
                return false;
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
        __u32 zero = 0, *next = bpf_map_lookup_elem(&bw_repeat_next, &zero);

        if (!next)
                return false;
        c->when = moment_now();
        c->slot = (c->when.cpu * repeat_slots_per_cpu + (*next)++ % repeat_slots_per_cpu) % repeat_slots;

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
        };
        if (bpf_map_update_elem(&bw_reported, &c->key, &value, BPF_NOEXIST) == 0)
                return true;
        if (repeat_count(&c->key))
                return false;
        /* An old claim whose window has passed: who removes it may take its place. */
        if (bpf_map_delete_elem(&bw_reported, &c->key) == 0 &&
            bpf_map_update_elem(&bw_reported, &c->key, &value, BPF_NOEXIST) == 0)
                return true;
        (void)repeat_count(&c->key); /* of whoever was quicker */
        return false;
}

/* The destination travels in three words: a global function takes no pointer to the stack before 5.12. */
#define DESTINATION_PACK(d) \
        ((__u64)(d)->port | (__u64)(d)->family << 16 | (__u64)(d)->protocol << 32 | (__u64)(d)->act << 48)

/* Classes that the rules which process `pid` holds allow at this destination. Arithmetic instead of branches: there is
 * one way through the loop's body, and the verifier takes it 256 times. */
__noinline __u64 permitted_classes(__u32 table, __u32 pid, __u64 address_low, __u64 address_high, __u64 packed) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct mark *m = bpf_map_lookup_elem(&bw_marks, &pid);
        __u64 port = packed & 0xffff, family = packed >> 16 & 0xffff, permitted = 0;
        /* connect(2) of a datagram socket to port 0 moves nothing: resolvers do it to learn the route to an address
         * that they are about to use (RFC 6724), so any port of a rule will do. */
        __u64 strict = port || packed >> 48 != BW_ACT_CONNECT;

        if (!t || !m)
                return 0;
        for (__u32 i = 0; i < BW_NETS_MAX; i++) {
                const struct bw_net *n = &t->nets[i];
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

/* The current process, known to have a mark, reaches for a destination. */
__noinline int correlate(__u64 address_low, __u64 address_high, __u64 packed) {
        struct task_struct *task = current_task();
        struct correlation c = {};
        struct policy_view v;
        struct bw_destination *d = &c.key.destination;

        __builtin_memcpy(d->address, &address_low, 8);
        __builtin_memcpy(d->address + 8, &address_high, 8);
        d->port = packed;
        d->family = packed >> 16;
        d->protocol = packed >> 32;
        c.act = packed >> 48;
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
                /* A rule that the process held when it opened the file is void if it has run other code since. */
                __u64 quiet = bound && !strayed ?
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
        if (!c.key.classes || repeat_count(&c.key) || !report_claim(&c))
                return 0;

        /* Known since its birth, or since it was marked; if it was pushed out since, the record says that names are
         * missing. Learning of it here would cost every egress program another 100,000 steps of the verifier. */
        m->reported = 1;
        if (record_emit(&c, process_find(c.key.pid, c.key.start_boot_ns), m)) {
                count(BW_COUNT_CORRELATIONS);
        } else {
                bpf_map_delete_elem(&bw_reported, &c.key); /* the next attempt may be reported */
                count(BW_LOSS_RING_FULL);
        }
        return 0;
}

/* The body of every hook that sees the current process reach for a destination. */
static __always_inline void on_egress(const struct bw_destination *d) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;
        __u64 low, high;

        if (!bpf_map_lookup_elem(&bw_marks, &pid))
                return;
        __builtin_memcpy(&low, d->address, 8);
        __builtin_memcpy(&high, d->address + 8, 8);
        correlate(low, high, DESTINATION_PACK(d));
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

/* struct sockaddr_in and sockaddr_in6 (include/uapi/linux/in.h, in6.h). */
struct inet_address {
        __u16 family;
        __u16 port;
        __u32 address;
        __u32 address6[4];
};

/* From an address in kernel memory, as a socket of `family` takes it. AF_UNSPEC is 0.0.0.0's family, too, for sendto(2)
 * on an AF_INET socket (net/ipv4/udp.c udp_sendmsg()). */
static __always_inline bool destination_from_address(
        struct bw_destination *d, const void *address, int length, __u16 family, bool sends) {
        struct inet_address a = {};

        if (length < 8 || bpf_probe_read_kernel(&a, sizeof(a), address))
                return false;
        if (a.family == AF_INET || (sends && a.family == AF_UNSPEC && family == AF_INET)) {
                d->family = AF_INET;
                __builtin_memcpy(d->address, &a.address, 4);
        } else if (a.family == AF_INET6) {
                destination_set_inet6(d, a.address6);
        } else {
                return false;
        }
        d->port = bpf_ntohs(a.port);
        return true;
}

/* Whom a socket is connected to. */
static __always_inline bool destination_from_socket(struct bw_destination *d, const struct sock *sk) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

        if (family == AF_INET) {
                __u32 address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
                if (!address)
                        return false;
                d->family = AF_INET;
                __builtin_memcpy(d->address, &address, 4);
        } else if (bpf_core_field_exists(struct sock_common, skc_v6_daddr)) {
                __u32 address[4] = {};
                BPF_CORE_READ_INTO(&address, sk, __sk_common.skc_v6_daddr);
                if (!(address[0] | address[1] | address[2] | address[3]))
                        return false;
                destination_set_inet6(d, address);
        }
        d->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
        return true;
}

static __always_inline bool socket_is_inet(const struct sock *sk) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

        return family == AF_INET || family == AF_INET6;
}

static __always_inline bool current_is_marked(void) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        return bpf_map_lookup_elem(&bw_marks, &pid);
}

/* connect(2), before anything is sent. */
static __always_inline void on_socket_connect(const struct socket *socket, const void *address, int length) {
        struct bw_destination d = { .act = BW_ACT_CONNECT };

        if (!current_is_marked())
                return;
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (!socket_is_inet(sk) || !destination_from_address(&d, address, length, 0, false))
                return;
        d.protocol = BPF_CORE_READ(sk, sk_protocol);
        on_egress(&d);
}

/* A connection that was accepted is told by our port: a server that gives a secret away is one theft, however many
 * connections a client makes. A socket that was made by accept(2) has the backlog of the one that listened
 * (net/core/sock.c sk_clone_lock()), one that connected has none. */
static __always_inline void destination_as_accepted(struct bw_destination *d, const struct sock *sk) {
        d->port = BPF_CORE_READ(sk, __sk_common.skc_num);
        d->act = BW_ACT_ACCEPT;
}

/* Data on its way into a socket: send(2), write(2), sendfile(2), io_uring. The address it is sent to is the message's; a
 * connected stream takes none, whatever the message says (tcp(7)). */
static __always_inline void on_socket_sendmsg(const struct socket *socket, const struct msghdr *message) {
        struct bw_destination d = { .act = BW_ACT_SEND };

        if (!current_is_marked())
                return;
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (!socket_is_inet(sk))
                return;
        d.protocol = BPF_CORE_READ(sk, sk_protocol);

        bool connected = BPF_CORE_READ(sk, sk_type) == SOCK_STREAM && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE;
        const void *address = BPF_CORE_READ(message, msg_name);
        if (connected || !address ||
            !destination_from_address(&d, address, BPF_CORE_READ(message, msg_namelen),
                    BPF_CORE_READ(sk, __sk_common.skc_family), true)) {
                if (!destination_from_socket(&d, sk))
                        return;
                if (connected && BPF_CORE_READ(sk, sk_max_ack_backlog))
                        destination_as_accepted(&d, sk);
        }
        on_egress(&d);
}

/* accept(2): the peer may pull from now on. */
static __always_inline void on_accepted(const struct sock *sk) {
        struct bw_destination d = {};

        if (!current_is_marked() || !socket_is_inet(sk) || !destination_from_socket(&d, sk))
                return;
        d.protocol = BPF_CORE_READ(sk, sk_protocol);
        destination_as_accepted(&d, sk);
        on_egress(&d);
}
