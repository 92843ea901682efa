/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Correlates egress with marks: whether the process is marked, within the window, not permitted to this
 * destination by its rules, and not reported already; then it makes a record. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/loopback.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/share.bpf.h"
#include "process/identity.bpf.h"
#include "process/shm.bpf.h"
#include "egress/destination.bpf.h"
#include "egress/enforce.bpf.h"
#include "egress/permitted.bpf.h"
#include "egress/record.bpf.h"
#include "egress/refused.bpf.h"

/* The places of a mark with files of these classes that no report of this claim (a hash of its key) has
 * named within its window, as bits. until: the end of a new report's window: it names them all; 0: there is
 * none. The opener's executable counts, its PID does not, as a loop that starts cat again and again opens
 * the same file. */
__noinline __u32 files_unnamed(__u64 holder, __u64 classes, __u64 claim, __u64 until) {
        const struct mark *m = mark_get(holder);
        __u64 now = bpf_ktime_get_ns();
        __u32 unnamed = 0;

        if (!m)
                return 0;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *f = &m->files[i];
                if (!(f->classes & classes))
                        continue;
                __u64 key = hash_mix(hash_mix(claim, f->path), f->exe);
                const __u64 *named = bpf_map_lookup_elem(&bw_named, &key);
                if (!named || *named <= now)
                        unnamed |= 1U << i;
                /* May fail: then a repeat is an alert of its own, as after an eviction. */
                if (until)
                        bpf_map_update_elem(&bw_named, &key, &until, BPF_ANY);
        }
        return unnamed;
}

static __always_inline __u64 claim_hash(const struct reported_key *key) {
        const __u64 *words = (const void *)key;
        __u64 hash = shared.name_seed;

        for (__u32 i = 0; i < sizeof(*key) / sizeof(*words); i++)
                hash = hash_mix(hash, words[i]);
        return hash;
}

/* Whether this correlation was reported within its window: then it is a repeat, and counted in shared
 * memory. Not if it can have sent a file that no report has named: of a process, that is; what a flood's and
 * a suspicion's report stands for is more than it names. */
static __always_inline bool repeat_count(
                const struct correlation *c, const struct reported_key *key, bool goes_on) {
        struct reported_value *v = bpf_map_lookup_elem(&bw_reported, key);

        if (!v || bpf_ktime_get_ns() >= v->until_mono_ns)
                return false;
        if (v->n_files == c->n_files) {
                if (goes_on)
                        return true;
        } else if (key->evidence < REPORT_FLOOD &&
                        files_unnamed(c->holder, key->classes, claim_hash(key), 0)) {
                return false;
        }
        v->n_files = c->n_files;
        count(BW_COUNT_REPEATS);
        struct bw_repeat *r = bpf_map_lookup_elem(&bw_repeats, &v->slot);
        if (r && r->boot_ns == v->boot_ns && r->cpu == v->cpu)
                ATOMIC_ADD(&r->count, 1);
        else
                report_loss(BW_LOSS_REPEAT_GONE);
        return true;
}

/* Slots that are tried before one in use is taken. That so many in a row, of 1,024, belong to processes that
 * still run and to others takes a CPU on which most slots do: then some repeats are lost anyway, and counted
 * (repeat_gone). */
#define REPEAT_TRIES 16

/* Whether the record that this slot belongs to can still be repeated. Those of `holder` may be replaced by
 * its own newer ones, so that one process with many destinations takes nobody else's slot. */
static __always_inline bool repeat_lives(const struct bw_repeat *r, __u64 holder, __u64 now) {
        if (now >= r->until_mono_ns || r->holder == holder)
                return false;
        const struct mark *m = mark_get(r->holder);
        return m && m->start_boot_ns == r->start_boot_ns;
}

/* The slot for the repeats of a new record of `holder`: the CPU's next one whose process has exited, whose
 * window is over, or that is its own. A flood's are used in turn. */
__noinline __u32 repeat_slot(__u32 cpu, __u32 of_flood, __u64 holder) {
        __u32 *next = bpf_map_lookup_elem(&bw_repeat_next, &of_flood), slot = 0;
        __u64 now = bpf_ktime_get_ns();

        if (!next)
                return 0;
        if (of_flood)
                return repeat_slots +
                       (cpu * BW_FLOOD_SLOTS_PER_CPU + (*next)++ % BW_FLOOD_SLOTS_PER_CPU) %
                                       (repeat_slots / repeat_slots_per_cpu * BW_FLOOD_SLOTS_PER_CPU);
        for (__u32 i = 0; i < REPEAT_TRIES; i++) {
                slot = (cpu * repeat_slots_per_cpu + (*next)++ % repeat_slots_per_cpu) % repeat_slots;
                const struct bw_repeat *r = bpf_map_lookup_elem(&bw_repeats, &slot);
                if (!r || !repeat_lives(r, holder, now))
                        break;
        }
        return slot;
}

/* Claims the right to report a correlation: of several threads one gets it, and the others' are repeats. The
 * claim is complete when it becomes visible, so that repeats can be counted at once. A function of its own,
 * whose stack the composing of the record can use again. */
static __noinline bool report_claim(struct correlation *c) {
        __u64 until = bpf_ktime_get_ns() + c->window_ns;

        c->when = moment_now();
        c->slot = repeat_slot(c->when.cpu, c->key.evidence == REPORT_FLOOD, c->holder);
        struct bw_repeat *repeat = bpf_map_lookup_elem(&bw_repeats, &c->slot);
        if (repeat) {
                const struct mark *m = mark_get(c->holder);
                repeat->count = 0;
                repeat->boot_ns = c->when.boot_ns;
                repeat->cpu = c->when.cpu;
                repeat->until_mono_ns = until;
                repeat->holder = c->holder;
                repeat->start_boot_ns = m ? m->start_boot_ns : 0;
        }
        struct reported_value value = {
                .until_mono_ns = until,
                .boot_ns = c->when.boot_ns,
                .cpu = c->when.cpu,
                .slot = c->slot,
                .n_files = c->n_files,
        };
        /* If the kernel has no room for the claim, this is reported, as its repeats will be. */
        if (MAP_INSERT(&bw_reported, &c->key, &value) != -EEXIST)
                return true;
        if (repeat_count(c, &c->key, c->how & ACT_GOES_ON))
                return false;
        /* An old claim whose window has passed: the program that removes it may replace it. */
        if (bpf_map_delete_elem(&bw_reported, &c->key) == 0 &&
                        MAP_INSERT(&bw_reported, &c->key, &value) != -EEXIST)
                return true;
        (void)repeat_count(c, &c->key, c->how & ACT_GOES_ON); /* another thread replaced it */
        return false;
}

/* ---- floods ---- */

/* A program that uses a new destination for every packet makes more records than anyone can read, and would
 * delay or displace the alerts of others. While the daemon keeps up, each is reported. When a quarter of the
 * ring is pending, an executable of a user, and the user in total, have a budget per interval; correlations
 * beyond it are counted as repeats of one record for each set of classes. The last eighth of the ring is
 * reserved for those with hardly any report. */
#define FLOOD_INTERVAL_NS 10000000000ULL
#define FLOOD_SHARE_EXE 64
#define FLOOD_SHARE_USER 256
#define FLOOD_SHARE_LAST 4

/* Reports in the current interval: of one executable or, with of_all, of all of the user's. add: counts one
 * more. */
static __always_inline __u64 budget_count(__u64 exe, __u32 uid, bool of_all, bool add) {
        struct budget_key key = { .exe = exe, .uid = uid, .of_all = of_all };
        __u64 now = bpf_ktime_get_ns();
        struct budget *b = bpf_map_lookup_elem(&bw_budgets, &key);

        if (b && now < b->until_mono_ns) {
                if (add)
                        ATOMIC_ADD(&b->count, 1);
                return b->count;
        }
        if (add) {
                const struct budget first = { .until_mono_ns = now + FLOOD_INTERVAL_NS, .count = 1 };
                /* May fail: then more alerts are written one by one. */
                bpf_map_update_elem(&bw_budgets, &key, &first, BPF_ANY);
        }
        return 0;
}

/* Whether this user's executable has exhausted its budget. */
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

/* Whether this correlation is one of a flood's, and counted as a repeat of its record; otherwise it becomes
 * that record, if the budget is spent. */
static __always_inline bool correlation_floods(struct correlation *c, __u32 uid, __u64 exe, __u16 act) {
        if (!flood_spent(uid, exe))
                return false;
        __builtin_memset(&c->key.destination, 0, sizeof(c->key.destination));
        c->key.destination.act = act;
        c->key.pid = uid;
        c->key.start_boot_ns = exe;
        c->key.evidence = REPORT_FLOOD;
        c->window_ns = FLOOD_INTERVAL_NS;
        if (!repeat_count(c, &c->key, false))
                return false;
        count(BW_COUNT_FLOODED);
        return true;
}

/* A suspected user and cgroup is reported once per interval for each set of classes. */
#define SUSPECT_INTERVAL_NS 60000000000ULL

enum judgement {
        JUDGEMENT_NONE,  /* nothing is held */
        JUDGEMENT_RULED, /* what is held, rules permit here */
        JUDGEMENT_FOUND,
};

/* Sets c->key.classes, c->fresh and the window to the classes of the mark that no rule permits at this
 * destination. Returns enum judgement: FOUND if there are any; -1 if the policy changed meanwhile. */
static __always_inline int correlation_judge(
                struct correlation *c, __u64 address_low, __u64 address_high, __u64 packed) {
        const __u64 holder = c->holder;
        struct policy_view v;

        if (!policy_view_get(&v))
                return JUDGEMENT_NONE;
        __u64 plain = mark_live(v.index, holder, 0), bound = mark_live(v.index, holder, LIVE_BOUND),
              quiet = 0;
        /* A rule does not apply if the process has run other code since. Local services and files are
         * permitted, whatever its destinations are. */
        if (!(holder & BW_HOLDER_OBJECT))
                quiet = family_has_path(c->key.destination.family) ? bound
                        : bound && !process_strayed(holder) ? permitted_classes(v.index, holder, address_low,
                                                                              address_high, packed)
                                                            : 0;
        c->key.classes = plain | (bound & ~quiet);
        plain = c->key.classes & mark_live(v.index, holder, LIVE_FRESH);
        c->bound = c->key.classes & mark_live(v.index, holder, LIVE_FRESH | LIVE_BOUND) & ~quiet & ~plain;
        /* What came from a bound holder is bound, but to no rule of this one. */
        const __u64 ruled = plain ? plain & mark_ruled(holder) : 0;
        c->bound |= ruled;
        plain &= ~ruled;
        c->fresh = plain | c->bound;
        c->key.evidence = !plain + !c->fresh;
        /* Never late evidence. */
        c->key.action = c->fresh & v.table->denies ? enforce(v.index, holder & BW_HOLDER_OBJECT ? 0 : holder,
                                                                     c->how, c->fresh)
                                                   : BW_ACTION_ALERT;
        c->window_ns = longest_window(v.index, c->fresh ?: c->key.classes, c->fresh != 0);
        c->generation = v.table->generation;
        if (!policy_view_held(&v))
                return -1;
        return c->key.classes ? JUDGEMENT_FOUND : bound ? JUDGEMENT_RULED : JUDGEMENT_NONE;
}

/* Notes that everything that process `pid` holds is permitted everywhere, if it is: what a server sends need
 * not be judged each time. Also what is over counts, which takes no look at the windows: there is no stack
 * left for that. */
__noinline int mark_note_free(__u32 pid) {
        struct mark *m = mark_get(pid);
        __u64 bound = 0, plain = 0;
        struct policy_view v;

        if (!m || !policy_view_get(&v))
                return 0;
        __u64 state = (__u64) * (volatile __u32 *)&m->changes << 32 | v.table->generation;
#pragma clang loop unroll(disable)
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                plain |= *(volatile __u32 *)&m->last[c];
                bound |= is_set(*(volatile __u32 *)&m->bound_last[c]) << c;
        }
        bound &= ~rules_classes(v.index, &m->rules, RULES_ANYWHERE);
        if (!(plain | bound) && policy_view_held(&v))
                m->idle_ns = state;
        return 0;
}

/* Whether that was noted, nothing has changed since, and the current process has run no other code. */
__noinline int current_is_free(void) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;
        const struct mark *m = mark_get(pid);

        return m && !process_strayed(pid) && m->idle_ns == ((__u64)m->changes << 32 | shared.generation);
}

/* A server that sends sensitive data is one correlation, however many clients it has: the key of an accepted
 * connection has the listening socket's port, and of the peer only whether it is this host. That scores
 * less, and must not hold back what others fetch. */
static __always_inline void key_as_accepted(struct bw_destination *d) {
        const bool inet = d->family == AF_INET || d->family == AF_INET6, here = destination_is_here(d);

        __builtin_memset(d->address, 0, 4);
        if (inet) {
                __builtin_memset(d->address + 4, 0, 12);
                d->address[0] = here;
                d->family = AF_INET; /* a socket may listen to both */
        }
        d->act = BW_ACT_ACCEPT;
}

/* Correlates egress by the current process with the classes of its mark, or of its suspected user and
 * cgroup. Returns enum bw_action, or ACTION_ASK. */
__noinline int correlate(__u64 address_low, __u64 address_high, __u64 packed) {
        struct task_struct *task = current_task();
        struct correlation c = { .unnamed = (__u16)~0U };
        int r = -1;

        destination_unpack(&c.key.destination, address_low, address_high, packed);
        if (c.key.destination.family ==
                        BW_FAMILY_FILE) /* all files of one file system are one destination */
                __builtin_memset(c.key.destination.address, 0, 8);
        if (destination_was_accepted(packed))
                key_as_accepted(&c.key.destination);
        c.how = packed >> 48 & ACT_FLAGS;
        packed &= ~((__u64)ACT_ENFORCEMENT << 48);
        c.key.pid = BPF_CORE_READ(task, tgid);
        c.key.start_boot_ns = task_start(task);

        const __u32 pid = c.key.pid;
        c.holder = mark_find(pid, c.key.start_boot_ns) ? pid : current_suspect();
        for (__u32 i = 0; i < POLICY_TRIES && r < 0; i++)
                r = c.holder ? correlation_judge(&c, address_low, address_high, packed) : JUDGEMENT_NONE;
        if (r == JUDGEMENT_RULED) {
                count(BW_COUNT_EGRESS_ALLOWED);
                mark_note_free(pid);
        }
        /* If the policy kept changing, the result may mix two policies, and is reported. */
        if (c.key.action == ACTION_ASK)
                return ACTION_ASK;
        if (!c.key.classes || reported_elsewhere(c.key.action, c.how, c.holder & BW_HOLDER_OBJECT))
                return 0;

        struct mark *m = mark_get(c.holder);
        if (!m)
                return 0;
        c.n_files = m->n_files;
        if (c.holder & BW_HOLDER_OBJECT) {
                __builtin_memset(&c.key.destination, 0, sizeof(c.key.destination));
                c.key.pid = 0;
                c.key.start_boot_ns = c.holder;
                c.key.evidence = REPORT_SUSPECT;
                c.window_ns = SUSPECT_INTERVAL_NS;
        }
        if (c.key.action)
                count(action_refuses(c.key.action)                     ? BW_COUNT_DENIED
                                : c.key.action == BW_ACTION_WOULD_DENY ? BW_COUNT_WOULD_DENY
                                                                       : BW_COUNT_NOT_DENIED);
        if (repeat_count(&c, &c.key, c.how & ACT_GOES_ON))
                return c.key.action;

        /* It has an entry since fork, or since it was marked; if that was evicted, the record says that
         * names are missing. To make one here would cost every egress program another 100,000 instructions
         * of the verifier. */
        const struct process *p = process_find(pid, task_start(task));
        __u64 exe = p ? p->exe : 0;
        __u32 uid = task_payer((__u64)task);

        if (correlation_floods(&c, uid, exe, 0))
                return c.key.action;
        if (!report_claim(&c))
                return c.key.action;

        if (!(c.holder & BW_HOLDER_OBJECT))
                m->reported = 1;
        if (c.key.evidence < REPORT_FLOOD)
                c.unnamed = files_unnamed(c.holder, c.key.classes, claim_hash(&c.key),
                                bpf_ktime_get_ns() + c.window_ns);
        if (record_emit(&c, address_low, address_high, packed)) {
                count(BW_COUNT_CORRELATIONS);
                flood_count(uid, exe);
        } else {
                bpf_map_delete_elem(&bw_reported, &c.key); /* the next attempt may be reported */
        }
        return c.key.action;
}

/* Returns whether the egress is to be refused, which it is only to hooks that can do so (ACT_DENIES). */
static __always_inline bool correlate_and_enforce(__u64 address_low, __u64 address_high, __u64 packed) {
        int r = correlate(address_low, address_high, packed);

        if (r == ACTION_ASK)
                r = correlate(address_low, address_high,
                                packed | (__u64)(current_is_exempt() ? ACT_EXEMPT : ACT_ASKED) << 48);
        egress_ends(packed >> 48, r);
        action_signal(r);
        return action_refuses(r);
}

/* Whether the current process is marked, or its user and cgroup are suspected. What reached it through
 * shared memory must have been passed on, see memory_arrive(). */
static __always_inline bool current_may_leak(void) {
        return current_is_marked() || (*(volatile __u32 *)&shared.suspects && current_suspect());
}

/* The body of every hook for egress by the current process. Returns whether it is to be refused. */
static __always_inline bool on_egress(const struct bw_destination *d) {
        __u64 low, high;

        if (!current_may_leak())
                return false;
        egress_begins(d->act);
        /* See loopback_given(). */
        if (current_is_free() || ((d->act & ~ACT_FLAGS) == BW_ACT_ACCEPT && destination_is_here(d) &&
                                                 loopback_brought(bpf_get_current_pid_tgid() >> 32))) {
                count(BW_COUNT_EGRESS_ALLOWED);
                return false;
        }
        __builtin_memcpy(&low, d->address, 8);
        __builtin_memcpy(&high, d->address + 8, 8);
        __u64 packed = DESTINATION_PACK(d);
        if (!current_is_marked()) {
                int may = suspect_may_send(low, high, packed & ~((__u64)ACT_ENFORCEMENT << 48));
                if (may == SUSPECT_MAY_SEND)
                        return false;
                if (may == SUSPECT_MAY_SEND_CLOSED)
                        packed |= (__u64)ACT_EXEMPT << 48;
        }
        return correlate_and_enforce(low, high, packed);
}

/* cgroup/connect4 and sendmsg4 (include/uapi/linux/bpf.h struct bpf_sock_addr: address and port in network
 * order). */
static __always_inline bool on_sock_addr4(struct bpf_sock_addr *ctx, enum bw_act act) {
        struct bw_destination d = { .family = AF_INET, .act = act | ACT_DENIES };
        __u32 address = ctx->user_ip4;

        memory_arrive();
        __builtin_memcpy(d.address, &address, 4);
        d.port = bpf_ntohs(ctx->user_port);
        d.protocol = ctx->protocol;
        return on_egress(&d);
}

static __always_inline bool on_sock_addr6(struct bpf_sock_addr *ctx, enum bw_act act) {
        struct bw_destination d = { .act = act | ACT_DENIES };
        __u32 address[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

        memory_arrive();
        destination_set_inet6(&d, address);
        d.port = bpf_ntohs(ctx->user_port);
        d.protocol = ctx->protocol;
        return on_egress(&d);
}

/* ---- sockets, from hooks that have the kernel's objects; how: ACT_ENFORCEMENT ---- */

/* connect(2), before anything is sent. */
static __always_inline bool on_socket_connect(
                const struct socket *socket, const void *address, int length, __u16 how) {
        struct bw_destination d = { .act = BW_ACT_CONNECT | how };

        memory_arrive();
        if (!current_may_leak())
                return false;
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (!socket_leaves(sk) || !destination_from_address(&d, address, length, sk, false))
                return false;
        d.protocol = socket_protocol(sk);
        return on_egress(&d);
}

/* Data is about to be sent on a socket, to an address or, if that is NULL, to its peer. A connected stream
 * ignores the address (tcp(7)). */
static __always_inline bool on_sending(const struct sock *sk, const void *address, int length, __u16 how) {
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), type = BPF_CORE_READ(sk, sk_type);
        bool connected = type == SOCK_STREAM && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE;
        struct bw_destination d = { .protocol = socket_protocol(sk), .act = BW_ACT_SEND | how };
        const struct udp_sock *udp = (const struct udp_sock *)sk;
        int pending = d.protocol == IPPROTO_UDP ? BPF_CORE_READ(udp, pending) : 0;

        if (pending) {
                if (!destination_from_cork(&d, sk, pending))
                        d.family = family;
        } else if (address && !connected && destination_from_address(&d, address, length, sk, true)) {
                /* to it alone */
        } else if (destination_from_socket(&d, sk)) {
                d.act |= ACT_GOES_ON;
                if (type == SOCK_STREAM && socket_was_accepted(sk))
                        destination_as_accepted(&d, sk);
        } else if (type == SOCK_STREAM || d.protocol == IPPROTO_UDP) {
                return false; /* no destination: the call will fail */
        } else {
                d.family = family; /* it leaves, to an unknown destination */
        }
        return on_egress(&d);
}

/* send(2), write(2), sendfile(2), io_uring, where the hook sees the message. */
static __always_inline bool on_socket_sendmsg(
                const struct socket *socket, const struct msghdr *message, __u16 how) {
        memory_arrive();
        if (!current_may_leak())
                return false;
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        return socket_leaves(sk) &&
               on_sending(sk, BPF_CORE_READ(message, msg_name), BPF_CORE_READ(message, msg_namelen), how);
}

/* Data is about to be sent on a socket whose packets can be dropped. What is not refused is reported after
 * it was sent, where the kernel has sock_send_length. later: see refused_decide(). */
static __always_inline bool data_refused(const struct sock *sk, bool later) {
        const bool sent = bpf_core_type_exists(btf_trace_sock_send_length);
        bool placed = shared.hooks >> BW_HOOK_DENY_DATA & 1 && refused_place(address_of(sk));

        if (!placed && sent)
                return false;
        bool refused = on_sending(sk, NULL, 0,
                        !placed ? ACT_DENIED_BEFORE
                        : sent  ? ACT_DENIES | ACT_ONLY_DENIES
                                : ACT_DENIES);
        if (placed)
                refused_decide(address_of(sk), refused, later);
        return refused;
}

/* The same when the process is about to write to `file`, for kernels without sock_send_length, and where it
 * is to be refused. The address of a single datagram is not known; for inet other hooks have it. later: see
 * refused_decide(). */
static __always_inline bool on_socket_written(const struct file *file, __u16 how, bool later) {
        const bool sent = bpf_core_type_exists(btf_trace_sock_send_length);

        if ((sent && !packets_deny) || !current_may_leak() ||
                        (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return false;
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (!socket_leaves(sk))
                return false;
        if (socket_refusable(sk))
                return data_refused(sk, later);
        return !sent && on_sending(sk, NULL, 0, how);
}

/* Data was sent on this socket. The destination of a raw socket is not known here, but egress is reported.
 */
static __always_inline void on_sent(const struct sock *sk, int length) {
        struct bw_destination d = { .act = BW_ACT_SEND };

        if (!current_may_leak() || !socket_leaves(sk))
                return;
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
        /* AF_XDP sends data from shared memory: the call itself has none (net/xdp/xsk.c xsk_sendmsg()). */
        if (length < 0 || (length == 0 && family != AF_XDP))
                return;
        if (socket_refusable(sk)) {
                if (refused_before(sk))
                        return;
                d.act |= ACT_DENIED_BEFORE;
        }
        d.protocol = socket_protocol(sk);
        if (destination_from_socket(&d, sk)) {
                d.act |= ACT_GOES_ON;
                if (BPF_CORE_READ(sk, sk_type) == SOCK_STREAM && socket_was_accepted(sk))
                        destination_as_accepted(&d, sk);
        } else if (d.protocol == IPPROTO_UDP) {
                /* The sendmsg hooks have the address, except for data added to a corked datagram. */
                if (!destination_from_cork(&d, sk, family))
                        return;
                d.act |= ACT_GOES_ON;
        } else {
                d.family = family;
        }
        on_egress(&d);
}

/* Data was moved to this file by the call that also read it: the hooks at its entry were too early. */
static __always_inline void on_socket_moved(const struct file *file) {
        if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return;
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        on_sent(BPF_CORE_READ(socket, sk), 1);
}

/* accept(2): the peer may request data from now on. */
static __always_inline void on_accepted(const struct sock *sk) {
        struct bw_destination d = {};

        memory_arrive();
        if (!current_may_leak() || !socket_leaves(sk) || !destination_from_socket(&d, sk))
                return;
        d.protocol = socket_protocol(sk);
        destination_as_accepted(&d, sk);
        on_egress(&d);
}

#define TUN_DEVICE (10 << 20 | 200) /* include/linux/miscdevice.h: MISC_MAJOR, TUN_MINOR */

/* A file is about to be written. A packet written to /dev/net/tun arrives at that interface as if from
 * outside, and is routed on. The interface is not known: the driver is a module, whose types are not in the
 * kernel's BTF. */
static __always_inline bool on_device_written(const struct file *file, __u16 how) {
        struct bw_destination d = { .family = AF_PACKET, .act = BW_ACT_SEND | ACT_GOES_ON | how };

        return current_may_leak() && BPF_CORE_READ(file, f_inode, i_rdev) == TUN_DEVICE && on_egress(&d);
}
