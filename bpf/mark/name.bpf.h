/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Names that alerts report: of executables, scripts and sensitive files. Each is stored once, and marks,
 * processes and remembered files refer to it by its id. Nobody counts references: they are copied at every
 * fork, and a lost one would keep its name for ever. Instead barbwired has all that can refer to a name
 * looked at, round after round (a listing that writes no record, see egress/list.bpf.h), while there are
 * many names. Each name that is seen is stamped with the number of the round, as is one that is stored or
 * that a new reference is made to, and one that was not in two entire rounds is removed.
 *
 * An entry is charged to the user whose process used the name first. Beyond that share, names are kept in
 * places where newer ones replace them. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/share.bpf.h"

/* A name is removed if it was not seen in this many rounds, the latest included. One is not enough: a
 * program may have stored a name and not yet its id, when the round comes by. */
#define NAME_ROUNDS 2

/* With more names than this the daemon is asked to look which of them are in use. Fewer are 0.3 MiB, and
 * half of the smallest share of a cgroup (2,048 of 16,384): dead entries that nobody sweeps refuse nothing.
 */
#define NAMES_REPORTED 1024

/* The text of a path ends here and grows towards the beginning. */
#define TEXT_END NAME_LONG_MAX

static __always_inline bool name_is_short(__u64 id) {
        return NAME_LENGTH(id) && NAME_LENGTH(id) <= NAME_SHORT_MAX;
}

/* Notes that a name is in use. Returns whether it is in the table. */
__noinline int name_touch(__u64 id) {
        struct short_name *n = name_is_short(id) ? bpf_map_lookup_elem(&bw_names, &id) : NULL;

        if (!n)
                return false;
        if (n->round != shared.names_round) /* the cache line stays shared between CPUs */
                n->round = shared.names_round;
        return true;
}

/* The text of a short name; NULL if it was replaced. */
static __always_inline const struct short_name *name_get(__u64 id) {
        const struct short_name *n = bpf_map_lookup_elem(&bw_names, &id);
        __u32 slot = (id >> 12) % NAME_SPARE_SLOTS;

        if (n)
                return n;
        const struct spare_name *s = bpf_map_lookup_elem(&bw_spare_names, &slot);
        return s && s->id == id ? &s->name : NULL;
}

/* Makes the entry of a name whose text is in a draft, and charges `task`. Returns false, and counts it, if
 * the table or the share of its user is full. */
static __always_inline bool name_enter(struct draft *d, __u64 id, __u64 task) {
        const __u64 *live = &shared.counts[BW_COUNT_NAMES_LIVE];

        if (*(volatile __u64 *)live >= table_limit[BW_SHARE_NAMES] || !share_take(BW_SHARE_NAMES, task)) {
                count(BW_COUNT_NAMES_REFUSED);
                return false;
        }
        d->name.uid = task_payer(task);
        d->name.cgroup = task_cgroup_apart(task);
        d->name.round = shared.names_round;
        int r = MAP_INSERT(&bw_names, &id, &d->name);
        if (r) {
                share_release(BW_SHARE_NAMES, d->name.uid, d->name.cgroup);
                if (r == -EEXIST) /* another CPU was faster */
                        return true;
                count(BW_COUNT_NAMES_REFUSED);
                return false;
        }
        count(BW_COUNT_NAMES_LIVE);
        if (*(volatile __u64 *)live > NAMES_REPORTED)
                report_count(BW_COUNT_NAMES_LIVE, &shared.objects_record_ns);
        if (bpf_map_push_elem(&bw_name_queue, &id, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return true;
}

static __always_inline void object_read(struct bw_object *to, __u64 dentry) {
        const struct inode *inode = BPF_CORE_READ((const struct dentry *)dentry, d_inode);

        to->inode = BPF_CORE_READ(inode, i_ino);
        to->ctime_ns = inode_ctime_ns(inode);
        to->device = BPF_CORE_READ(inode, i_sb, s_dev);
        to->zero = 0;
}

/* Stores the text of a name, text[at … TEXT_END), and which file it is, unless it is stored already. */
static __always_inline void name_keep(struct draft *d, __u64 id, __u64 at, __u64 dentry, __u64 task) {
        __u64 length = TEXT_END - at;
        __u32 slot;

        if (NAME_LENGTH(id) > NAME_SHORT_MAX) {
                slot = (id >> 12) % NAME_LONG_SLOTS;
                struct long_name *l = bpf_map_lookup_elem(&bw_long_names, &slot);
                if (!l || l->id == id)
                        return;
                l->id = 0;
                object_read(&l->object, dentry);
                bpf_probe_read_kernel(l->text, length & NAME_LONG_MAX, d->text + (at & NAME_LONG_MAX));
                l->length = length;
                l->id = id;
                return;
        }
        if (name_touch(id))
                return;
        bpf_probe_read_kernel(d->name.text, length & NAME_SHORT_MAX, d->text + (at & NAME_LONG_MAX));
        d->name.length = length;
        object_read(&d->name.object, dentry);
        if (name_enter(d, id, task))
                return;
        slot = (id >> 12) % NAME_SPARE_SLOTS;
        struct spare_name *s = bpf_map_lookup_elem(&bw_spare_names, &slot);
        if (!s || s->id == id)
                return;
        s->id = 0;
        __builtin_memcpy(&s->name, &d->name, sizeof(s->name));
        s->id = id;
}

/* Masking keeps the range of a running sum the same in every iteration, so that the verifier walks each
 * once, not once per path to it. */
#define LENGTH_MASK 0xffff

/* One step of name_learn(), in its draft. Returns 0 after the last. */
__noinline int name_step(__u32 draft) {
        struct draft *d = draft_get(draft);
        struct dentry_head head;

        if (!d)
                return 0;
        struct name_walk *w = &d->walk;
        enum path_move move = path_up(&w->cursor, &head);
        if (move == PATH_MOUNT)
                return 1;
        if (move == PATH_ROOT)
                w->complete = 1;
        if (move != PATH_COMPONENT)
                return 0;

        __u32 n = head.hash_len >> 32, at = w->at;
        if (n > NAME_MAX || n + 1 > at)
                return 0;
        at = (at - n) & LENGTH_MASK;
        barrier_var(at);
        if (bpf_probe_read_kernel(d->text + (at & NAME_LONG_MAX), n & NAME_MAX, (void *)head.name))
                return 0;
        at = (at - 1) & LENGTH_MASK;
        barrier_var(at);
        d->text[at & NAME_LONG_MAX] = '/';
        w->at = at;
        w->hash = hash_mix(w->hash, head.hash_len);
        return 1;
}

/* The name id of a path, whose text it stores; `salt` is device and inode, and `task` is charged. Without a
 * free draft it counts a loss and returns 0. */
__noinline __u64 name_learn(__u64 vfsmount, __u64 dentry, __u64 salt, __u64 task) {
        __u32 draft = draft_claim(DRAFT_TRIES_NAME);
        struct draft *d = draft_get(draft);

        if (!d) {
                count_loss(BW_LOSS_NAME_LOST);
                return 0;
        }
        struct name_walk *w = &d->walk;
        path_cursor_init(&w->cursor, vfsmount, dentry);
        w->hash = hash_mix(shared.name_seed, salt);
        w->at = TEXT_END;
        w->complete = 0;
        for (__u32 i = 0; i < BW_PATH_STEPS_MAX; i++)
                if (!name_step(draft))
                        break;

        __u32 at = w->at;
        __u64 id = w->hash << 12 | (w->complete ? (TEXT_END - at) & NAME_LONG_MAX : NAME_LONG_MAX);
        if (NAME_LENGTH(id))
                name_keep(d, id, at, dentry, task);
        draft_release(draft);
        return id;
}

/* Examines a name that was taken from the queue: removes it if nothing has referred to it in the last rounds
 * up to `round`, otherwise puts it back. */
__noinline int name_examine(__u64 id, __u32 round) {
        const struct short_name *n = bpf_map_lookup_elem(&bw_names, &id);

        if (!n)
                return 0;
        __u32 uid = n->uid;
        __u64 cgroup = n->cgroup;
        if ((__s32)(round - n->round) < NAME_ROUNDS) {
                if (bpf_map_push_elem(&bw_name_queue, &id, BPF_ANY))
                        report_loss(BW_LOSS_SWEEP_LOST);
                return 0;
        }
        if (bpf_map_delete_elem(&bw_names, &id))
                return 0;
        ATOMIC_ADD(&shared.counts[BW_COUNT_NAMES_LIVE], -1);
        share_release(BW_SHARE_NAMES, uid, cgroup);
        return 0;
}

/* Names that one system call of the daemon examines. */
#define SWEEP_NAMES 64

__noinline int names_sweep(void) {
        __u32 round = shared.names_swept;
        __u64 id;

        if (!round)
                return 0;
        for (__u32 i = 0; i < SWEEP_NAMES; i++) {
                id = 0;
                if (bpf_map_pop_elem(&bw_name_queue, &id))
                        break;
                name_examine(id, round);
        }
        return 0;
}
