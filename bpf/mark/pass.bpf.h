/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Passes marks on from holder to holder: which classes flow, which of them stay bound to a rule, and the
 * files that they came from. */

#include "abi/event.h"
#include "abi/policy.h"
#include "abi/shared.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/activity.bpf.h"
#include "mark/mark.bpf.h"

/* Stores the hop by the process of the task at `giver` that follows hop `before`. Returns its key. */
static __always_inline __u64 hop_learn(__u64 before, __u32 via, __u64 giver) {
        struct task_struct *task = (struct task_struct *)giver;
        struct hop hop = { .before = before, .via = via };

        hop.pid = BPF_CORE_READ(task, tgid);
        BPF_CORE_READ_INTO(
                        &hop.comm, task, group_leader, comm); /* not that of a thread that serves io_uring */
        __u64 id = hash_mix(hash_mix(shared.name_seed, before),
                        hash_mix((__u64)via << 32 | hop.pid, task_start(task)));
        /* May fail: then the alert says that its route is cut, as after an eviction. */
        bpf_map_update_elem(&bw_hops, &id, &hop, BPF_ANY);
        return id;
}

enum flow {
        FLOW_NOTHING, /* there is nothing to pass on */
        FLOW_DONE,
        FLOW_REFUSED, /* the target could not be marked: counted */
        FLOW_AGAIN,   /* the policy changed meanwhile, nothing was done: try again */
};

/* What flows in addition to plain classes: */
#define FLOW_BOUND 0x100 /* classes bound by a rule, whatever it passes */
/* Those that every rule of the giver passes this way. */
#define FLOW_PASSED(flag) ((flag) << 8)
#define FLOW_OUTPUT FLOW_PASSED(BW_RULE_OUTPUT)
#define FLOW_FILES FLOW_PASSED(BW_RULE_FILES)
#define FLOW_CHILDREN FLOW_PASSED(BW_RULE_CHILDREN)
#define FLOW_VIA(what) ((what)&0xff)

/* Copies file number `index` of holder `from` to holder `to`, unless that has it already, by another route
 * or by an open of its own. Returns whether it was added. See mark_flow(). */
__noinline int file_pass(__u64 from, __u64 to, __u32 index, __u32 what, __u64 giver) {
        const struct mark *source = mark_get(from);
        struct mark *m = mark_get(to);

        if (!source || !m)
                return false;
        const struct touched_file *file = &source->files[index % BW_FILES_MAX];
        struct touched_file *f = mark_place(m, file->path, file->pid);
        /* Out of a process's memory it comes whatever its rule passes. */
        const __u8 kept = what & FLOW_BOUND ? (__u8)~FILE_RULED : 0xff;
        if (f->classes && f->path == file->path && f->pid == file->pid) {
                f->flags &= ~FILE_RULED | (file->flags & kept);
                if (FLOW_VIA(what) != BW_VIA_LOOPBACK)
                        f->flags &= ~BW_FILE_LOOPBACK | file->flags;
                return false;
        }
        /* Without a file that makes room for it, loopback_brought() must not become true of a process. */
        const __u8 flags = f->classes && !(f->flags & BW_FILE_LOOPBACK) ? file->flags & ~BW_FILE_LOOPBACK
                                                                        : file->flags;
        *f = *file;
        f->flags = flags & kept;
        f->via = FLOW_VIA(what);
        name_touch(f->path);
        name_touch(f->real);
        name_touch(f->exe);
        name_touch(f->run);
        if (giver) {
                f->route = hop_learn(file->route, FLOW_VIA(what), giver);
                f->flags |= BW_FILE_HANDED_OVER | (FLOW_VIA(what) == BW_VIA_LOOPBACK) * BW_FILE_LOOPBACK;
                f->hops++;
        }
        if (!(to & BW_HOLDER_OBJECT) && f->generation < 255)
                f->generation++;
        return true;
}

/* What flows, see mark_flow(). */
struct flow_scope {
        __u64 plain, bound; /* the classes */
        __u32 hops_max;     /* of files that do */
};

/* FLOW_DONE: something could flow; FLOW_NOTHING, FLOW_AGAIN. */
static __always_inline int flow_get(const struct policy_view *v, const struct mark *source, __u64 from,
                __u32 what, __u64 giver, struct flow_scope *ret) {
        bool object = from & BW_HOLDER_OBJECT;

        ret->plain = mark_live(v->index, from, 0) & ~(object ? giver : 0);
        __u32 passed = what >> 8 & BW_RULE_PASSES;
        ret->bound = object || passed || what & FLOW_BOUND
                                     ? mark_live(v->index, from, LIVE_BOUND) & ~(object ? giver : 0)
                                     : 0;
        if (ret->bound && passed)
                ret->bound &= ~rules_classes(v->index, &source->rules, RULES_KEEPING(passed));
        ret->hops_max = giver && !object ? v->table->hops_max : 256;
        if (!policy_view_held(v))
                return FLOW_AGAIN;
        return ret->plain | ret->bound ? FLOW_DONE : FLOW_NOTHING;
}

/* The classes that would flow; all bits if the policy changed meanwhile. Called before the target is marked.
 */
__noinline __u64 flow_classes(__u64 from, __u32 what, __u64 giver) {
        const struct mark *source = mark_get(from);
        struct policy_view v;
        struct flow_scope flow;

        if (!source || !policy_view_get(&v))
                return 0;
        int r = flow_get(&v, source, from, what, giver, &flow);
        return r == FLOW_AGAIN ? ~0ULL : flow.plain | flow.bound;
}

/* The number of hops after which a file is not passed on; giver: see mark_flow(). */
__noinline __u32 flow_hops_max(__u64 from, __u64 giver) {
        struct policy_view v;

        return giver && !(from & BW_HOLDER_OBJECT) && policy_view_get(&v) ? v.table->hops_max : 256;
}

/* Whether the process `to` has touched file number `index` of holder `from` itself, or got it before: by a
 * loopback connection only is not enough, see loopback_brought(). What it holds bound is not unbound by what
 * its own child says. */
__noinline int file_is_held(__u64 from, __u64 to, __u32 index) {
        const struct mark *source = mark_get(from), *m = mark_get(to);
        __u64 held = false;

        if (!source || !m || to & BW_HOLDER_OBJECT)
                return false;
        const struct touched_file *file = &source->files[index % BW_FILES_MAX];
        __u64 path = file->path, mono_ns = file->mono_ns, nearer = ~file->flags & BW_FILE_LOOPBACK;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                __u64 other = (m->files[i].path ^ path) | (m->files[i].mono_ns ^ mono_ns) |
                              (m->files[i].flags & nearer);
                held |= 1 - ((other | -other) >> 63);
        }
        return held;
}

/* Of bound classes that flow from holder to holder, those that stay bound: an object keeps what it was
 * given, and a process those that a rule of its own lets it read, see receiver_rules(). */
__noinline __u64 bound_kept(__u32 table, __u64 from, __u64 to) {
        const struct mark *m = mark_get(to);

        if (!m || to & BW_HOLDER_SUSPECT)
                return 0;
        if (to & BW_HOLDER_OBJECT)
                return ~0ULL;
        return from & BW_HOLDER_OBJECT ? rules_classes(table, &m->rules, RULES_ALLOW) : 0;
}

/* Passes the classes on. */
__noinline int mark_flow_classes(__u64 from, __u64 to, __u32 what, __u64 giver) {
        const struct mark *source = mark_get(from);
        struct policy_view v;
        struct flow_scope flow;
        __u64 carried = 0;

        if (!source || !policy_view_get(&v))
                return FLOW_NOTHING;
        int r = flow_get(&v, source, from, what, giver, &flow);
        if (r != FLOW_DONE)
                return r;
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (source->files[i].hops < flow.hops_max && !file_is_held(from, to, i))
                        carried |= source->files[i].classes;
        if (source->n_files <= BW_FILES_MAX) { /* with more files than places the classes decide */
                flow.plain &= carried;
                flow.bound &= carried;
        }
        if (!(flow.plain | flow.bound)) {
                count(BW_COUNT_FLOWS_STOPPED);
                return FLOW_NOTHING;
        }

        struct mark *m = mark_get(to);
        if (!m)
                return FLOW_AGAIN;
        if (to & BW_HOLDER_SUSPECT)
                suspects_until(source->until_mono_ns);
        if (m->until_mono_ns < source->until_mono_ns)
                m->until_mono_ns = source->until_mono_ns;
        if (m->only != from)
                m->only = m->changes ? 0 : from;
        if (marks_join(to, from, flow.plain, flow.bound, bound_kept(v.index, from, to)))
                m->changes++;
        return FLOW_DONE;
}

/* Passes the files of these classes on. If the policy has just changed, it adds at most a file too many. */
__noinline int mark_flow_files(__u64 from, __u64 to, __u32 what, __u64 giver) {
        const __u64 classes = flow_classes(from, what, giver);
        const __u32 hops_max = flow_hops_max(from, giver);
        const struct mark *source = mark_get(from);
        struct mark *m = mark_get(to);
        __u32 added = 0;

        if (!source || !m)
                return 0;
        if (from & BW_HOLDER_OBJECT)
                giver = 0;
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (source->files[i].classes & classes && source->files[i].hops < hops_max)
                        added |= file_pass(from, to, i, what, giver);
        if (source->n_files > BW_FILES_MAX && m->n_files <= BW_FILES_MAX)
                m->n_files = source->n_files;
        if (added)
                m->changes++;
        return 0;
}

/* Passes the classes of holder `from` that are within their window on to the holder `to`, which has a mark.
 * what: enum bw_via, and FLOW_*. giver: the task that hands the data over; 0 for a fork. If
 * `from` is a content, the hop was recorded when it was written, and `giver` has the classes that must not
 * pass. Inlined, so that the stack holds either of the two steps, not both. */
static __always_inline int mark_flow(__u64 from, __u64 to, __u32 what, __u64 giver) {
        int r = mark_flow_classes(from, to, what, giver);

        if (r == FLOW_DONE)
                mark_flow_files(from, to, what, giver);
        return r;
}

/* The same to a process, which is marked if anything flows. FLOW_REFUSED: its user and cgroup got it, if
 * there was room for them. */
static __always_inline int mark_flow_to(__u64 from, __u32 pid, __u64 start, __u32 what, __u64 giver) {
        if (!flow_classes(from, what, giver))
                return FLOW_NOTHING;
        __u64 to = holder_take(pid, start, bpf_get_current_task());
        int r = to ? mark_flow(from, to, what, giver) : FLOW_REFUSED;
        if (r == FLOW_DONE && activity_wanted() && to == pid)
                activity_flow(from, pid, start, giver && !(from & BW_HOLDER_OBJECT));
        return to & BW_HOLDER_SUSPECT && r == FLOW_DONE ? FLOW_REFUSED : r;
}

/* Passes the mark of process `from` on to process `to`: to a child what the rules pass to children,
 * otherwise all of it. If the policy keeps changing meanwhile, no mark is made, and a loss is counted. */
static __always_inline void mark_pass(__u32 from, __u64 from_start, __u32 to, __u64 to_start,
                enum bw_via via, struct task_struct *giver) {
        if (!mark_find(from, from_start))
                return;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                int r = mark_flow_to(from, to, to_start,
                                via | (via == BW_VIA_FORK ? FLOW_CHILDREN : FLOW_BOUND), (__u64)giver);
                /* A sweep may have found the target's mark expired just before, and have removed it
                 * meanwhile. */
                if (r == FLOW_NOTHING || r == FLOW_REFUSED || (r == FLOW_DONE && mark_get(to)))
                        return;
        }
        report_loss(BW_LOSS_POLICY_BUSY);
}
