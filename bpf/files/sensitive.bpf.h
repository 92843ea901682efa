/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The memory of sensitive inodes: a file that matched by one of its names is known by every other name, also
 * after that one is gone. An entry ends with its file. A file that has left the kernel's cache is not gone:
 * dropping caches must not make a renamed key unknown.
 *
 * Each entry is charged to the user whose process opened the file first, and to its class, so that no number
 * of ".env" files costs the memory of keys, and no user that of another. If an account is full, entries of
 * deleted files make room, then those of files that are not in the cache and still have the name that they
 * matched by, oldest first, and otherwise the new file is not remembered: what a flood adds is worth less
 * than what was there before. A file that may be known by its entry alone gives way only to another whose
 * name changes, as nobody notices when it is deleted while it is not in the cache. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/objects.bpf.h"
#include "mark/share.bpf.h"
#include "process/identity.bpf.h"
#include "egress/list.bpf.h"

struct sensitive {
        __u64 is; /* the second hash, see object_set() */
        __u64 classes;
        __u64 address;    /* of the inode; 0: it has left the cache */
        __u64 cgroup;     /* charged for the entry, with uid and class; 0: all of the user's */
        __u32 generation; /* of the policy */
        __u32 uid;
        __u8 class;       /* the lowest one of `classes` when the entry was made */
        __u8 memory_only; /* FLOW_TO_MEMORY */
        __u8 named;       /* 1: it had several names, or its name was about to change */
        __u8 nameless;    /* 1: there was no room for the name by which it is known */
        __u8 zero[4];
};

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 16384);
        __type(key, __u64);
        __type(value, struct sensitive);
} bw_sensitive SEC(".maps");

/* The id of the first name of such a file that was found to be of a class. A table of its own, as the stack
 * has no room for it where an entry is made. Without an entry the name is not reported. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 16384);
        __type(key, __u64);
        __type(value, __u64);
} bw_sensitive_names SEC(".maps");

/* One class has at most this part of what its user may have: the files of three classes leave room for
 * others. */
#define CLASS_PART 4
/* The account of a class. */
#define SHARE_OF_CLASS(class) (BW_SHARE_FILES | ((class) + 1) << 8)
#define CLASS_NONE (~0U)

/* Entries examined when an account is full. A process that opens thousands of files pays for it each time.
 */
#define SENSITIVE_SWEEP_FULL 16

static __always_inline struct sensitive *sensitive_get(__u64 holder) {
        return bpf_map_lookup_elem(&bw_sensitive, &holder);
}

__noinline int sensitive_charge(__u32 uid, __u64 cgroup, __u32 class) {
        __u32 limit = user_share[BW_SHARE_FILES];

        if (!share_add(BW_SHARE_FILES, uid, cgroup, limit, 1))
                return false;
        if (share_add(SHARE_OF_CLASS(class), uid, cgroup, limit / CLASS_PART, 1))
                return true;
        share_subtract(BW_SHARE_FILES, uid, cgroup, 1);
        return false;
}

static __always_inline void sensitive_uncharge(__u32 uid, __u64 cgroup, __u32 class) {
        share_subtract(BW_SHARE_FILES, uid, cgroup, 1);
        share_subtract(SHARE_OF_CLASS(class), uid, cgroup, 1);
}

/* Removes an entry, and uncharges its user. */
__noinline int sensitive_forget(__u64 holder) {
        const struct sensitive *s = sensitive_get(holder);

        if (!s)
                return 0;
        __u32 uid = s->uid, class = s->class;
        __u64 cgroup = s->cgroup;
        if (bpf_map_delete_elem(&bw_sensitive, &holder))
                return 0;
        bpf_map_delete_elem(&bw_sensitive_names, &holder);
        ATOMIC_ADD(&shared.counts[BW_COUNT_FILES_LIVE], -1);
        sensitive_uncharge(uid, cgroup, class);
        return 0;
}

/* Takes the next entry out of the queue. Returns 0 if that is empty. */
static __always_inline __u64 sensitive_next(void) {
        __u64 holder = 0;

        if (bpf_map_pop_elem(&bw_sensitive_queue, &holder))
                return 0;
        return holder;
}

/* Notes that the name by which a file is known is in use. */
__noinline int sensitive_name_touch(__u64 holder) {
        const __u64 *name = bpf_map_lookup_elem(&bw_sensitive_names, &holder);

        return name ? name_touch(*name) : false;
}

/* Examines an entry that was taken from the queue: removes it if its file does not exist any more, otherwise
 * puts it back. class: that of the account that needs room, CLASS_NONE if none does; named: for a file whose
 * name changes. */
__noinline int sensitive_examine(__u64 holder, __u32 uid, __u64 cgroup, __u32 class, __u32 named) {
        struct sensitive *s = list_ends(holder, &shared.files_listed) ? NULL : sensitive_get(holder);

        if (!s)
                return 0;
        if (list_number())
                account_list(BW_SHARE_FILES, s->uid, s->cgroup);
        if (list_any())
                sensitive_name_touch(holder);
        int presence = inode_presence(s->address, s->is, s->memory_only);
        if (presence == OBJECT_UNSEEN) {
                s->address = 0; /* another inode may lie there by now */
                if (class == s->class && uid == s->uid && cgroup == s->cgroup && (named || !s->named)) {
                        count(BW_COUNT_FILES_DROPPED);
                        presence = OBJECT_GONE;
                }
        }
        if (presence == OBJECT_GONE)
                sensitive_forget(holder);
        else if (bpf_map_push_elem(&bw_sensitive_queue, &holder, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return 0;
}

/* The number of the lowest bit. Apart, as the verifier would walk the loop of its caller once for each way
 * through it. */
__noinline __u32 class_lowest(__u64 classes) {
        __u32 n = 0;

        for (__u32 width = BW_CLASSES_MAX / 2; width; width /= 2) {
                __u64 low = classes & ((1ULL << width) - 1), skip = -(__u64)(low == 0);
                n += width & skip;
                classes >>= width & skip;
        }
        return n;
}

/* Examines the oldest entries of the queue. task: whose account for a file of these classes needs room; 0:
 * none does. named: see sensitive_examine(). */
__noinline int sensitive_sweep(__u32 n, __u64 task, __u64 classes, __u32 named) {
        __u32 uid = task ? task_payer(task) : 0, class = task ? class_lowest(classes) : CLASS_NONE;
        __u64 cgroup = task && !uid ? task_cgroup(task) : 0;

        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                __u64 holder = i < n ? sensitive_next() : 0;
                if (!holder)
                        break;
                sensitive_examine(holder, uid, cgroup, class, named);
        }
        return 0;
}

/* Makes an entry, charged to `task`. Returns whether there is one. last: there will be no other try. */
__noinline int sensitive_enter(__u64 inode, __u64 classes, __u32 generation, __u64 task, __u32 last) {
        struct sensitive s = { .classes = classes,
                .address = inode,
                .generation = generation,
                .uid = task_payer(task),
                .class = class_lowest(classes) };
        struct object o = {};

        s.cgroup = s.uid ? 0 : task_cgroup(task);
        if (!sensitive_charge(s.uid, s.cgroup, s.class)) {
                if (last) {
                        count(BW_COUNT_FILES_REFUSED);
                        share_refuse(BW_SHARE_FILES, s.uid, s.cgroup, task);
                }
                return false;
        }
        object_of_inode(&o, (const struct inode *)inode);
        s.is = o.is;
        s.memory_only = (o.via & FLOW_TO_MEMORY) != 0;
        if (bpf_map_update_elem(&bw_sensitive, &o.holder, &s, BPF_NOEXIST)) {
                sensitive_uncharge(s.uid, s.cgroup, s.class);
                if (sensitive_get(o.holder)) /* another CPU was faster */
                        return true;
                if (last)
                        report_loss(BW_LOSS_FILE_REFUSED);
                return false;
        }
        count(BW_COUNT_FILES_LIVE);
        if (shared.counts[BW_COUNT_FILES_LIVE] > OBJECTS_REPORTED)
                report_count(BW_COUNT_FILES_LIVE, &shared.objects_record_ns);
        if (bpf_map_push_elem(&bw_sensitive_queue, &o.holder, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return true;
}

/* Adds classes to the entry of a file. Returns whether it has one, or cannot have one. */
__noinline int sensitive_extend(__u64 inode, __u64 classes, __u32 generation) {
        struct object o = {};

        object_of_inode(&o, (const struct inode *)inode);
        struct sensitive *s = o.holder ? sensitive_get(o.holder) : NULL;
        if (!s)
                return !o.holder;
        if (s->is != o.is) { /* of a deleted file, whose number this one has */
                sensitive_forget(o.holder);
                return false;
        }
        if (s->address != inode)
                s->address = inode;
        if (s->generation == generation && !(classes & ~s->classes))
                return true;
        s->classes = s->generation == generation ? s->classes | classes : classes;
        s->generation = generation;
        ATOMIC_ADD(&shared.sensitive_learnt, 1);
        return true;
}

/* Under which key the classes of a file are remembered; 0: they are not. A function of its own, as its
 * object has no room on the stack of sensitive_known() where clang 23 compiles it. */
__noinline __u64 sensitive_holder(__u64 inode) {
        struct object o = {};

        object_of_inode(&o, (const struct inode *)inode);
        const struct sensitive *s = o.holder ? sensitive_get(o.holder) : NULL;
        return s && s->is == o.is ? o.holder : 0;
}

/* Notes that the entry of a file may be all that is known of it: it has several names or, with `named`, is
 * about to get another. */
__noinline int sensitive_note(__u64 inode, __u32 named) {
        if (!named && BPF_CORE_READ((const struct inode *)inode, i_nlink) < 2)
                return 0;
        __u64 holder = sensitive_holder(inode);
        struct sensitive *s = holder ? sensitive_get(holder) : NULL;
        if (s)
                s->named = 1;
        return 0;
}

/* Remembers the classes of a file that the task `by` opens or, with `named`, gives another name. Returns
 * false if there is no room for it, which is counted and reported. In steps, so that the stack holds one of
 * them at a time. */
__noinline int sensitive_learn(__u64 address, __u64 classes, __u32 generation, __u64 by, __u32 named) {
        if (sensitive_extend(address, classes, generation)) {
                if (named)
                        sensitive_note(address, named);
                return true;
        }
        if (sensitive_enter(address, classes, generation, by, false)) {
                sensitive_sweep(SWEEP_ALWAYS, 0, 0, false);
        } else {
                sensitive_sweep(SENSITIVE_SWEEP_FULL, by, classes, named);
                if (!sensitive_enter(address, classes, generation, by, true))
                        return false;
        }
        /* After the update: voids earlier verdicts. */
        ATOMIC_ADD(&shared.sensitive_learnt, 1);
        sensitive_note(address, named);
        return true;
}

/* The classes of this policy. */
__noinline __u64 classes_exist(__u32 table) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 exist = 0;

        if (!t)
                return 0;
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++)
                exist |= -t->window_ns[c] >> 63 << c; /* windows are below 2^63 */
        return exist;
}

/* The name by which the class of a file is known, if that is not `name`; 0: it is, or none is known;
 * NAME_UNKNOWN: it was not kept. */
__noinline __u64 sensitive_name(__u64 inode, __u64 name) {
        __u64 holder = sensitive_holder(inode);
        const struct sensitive *s = holder ? sensitive_get(holder) : NULL;
        const __u64 *known = s ? bpf_map_lookup_elem(&bw_sensitive_names, &holder) : NULL;

        if (s && s->nameless && !known)
                return NAME_UNKNOWN;
        return known && *known != name ? *known : 0;
}

/* The classes of a file by any name that it has matched by. They outlive the policy, as the file may have
 * lost that name since; but what it had by this name (0: none) and has no more, the new policy has dropped.
 * That is kept, as the table of the policy before is overwritten by the next one. */
__noinline __u64 sensitive_known(__u64 inode, __u32 table, __u64 vfsmount, __u64 dentry) {
        __u32 before = (table + 1) % BW_TABLES;
        const struct bw_table *old = bpf_map_lookup_elem(&bw_table, &before);
        __u64 holder = sensitive_holder(inode);
        struct sensitive *s = holder ? sensitive_get(holder) : NULL;

        if (!s || !old)
                return 0;
        __u64 classes = s->classes;
        __u32 generation = s->generation;
        if (generation == shared.generation)
                return classes;
        classes &= classes_exist(table);
        if (dentry && generation == old->generation) {
                classes &= ~path_match(before, BW_AUTOMATON_FILE, vfsmount, dentry);
                s->classes = classes;
        }
        return classes;
}

/* The current process gives a file of these classes another name, by which it will not be known, or reads a
 * file that may be of any: its user and cgroup are suspected of having read it. */
__noinline int name_suspect(__u64 vfsmount, __u64 dentry_address, __u64 classes) {
        const struct dentry *dentry = (const struct dentry *)dentry_address;
        const struct inode *inode = BPF_CORE_READ(dentry, d_inode);
        struct task_struct *task = current_task();
        const struct bw_bits none = {};
        struct policy_view v;

        if (!policy_view_get(&v))
                return 0;
        __u64 name = name_learn(vfsmount, dentry_address, file_salt(inode), (__u64)task);
        __u64 until = mark_until(v.index, classes), holder = suspect_take_task((__u64)task);
        struct mark *m = holder ? mark_get(holder) : NULL;
        if (!m)
                return 0;
        count(BW_COUNT_NAMES_SUSPECTED);
        suspects_until(until);
        if (m->until_mono_ns < until)
                m->until_mono_ns = until;
        const struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        struct touched_file *f = mark_place(m, name, BPF_CORE_READ(task, tgid));
        touched_file_begin(f, task, inode, name, p ? p->exe : 0, process_script(p), BW_VIA_OPEN);
        f->classes = classes;
        mark_touch(m, classes, 0, &none);
        return 0;
}
