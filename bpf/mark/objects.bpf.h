/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Marked objects: which content each has, and whether the kernel object still exists.
 *
 * A content is a mark that does not change once it is made. All objects that a process writes to while its
 * mark stays the same share one content; a second writer makes a new one with both marks. An entry of an
 * object is small, so that a hundred thousand files can be marked. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/activity.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/pass.bpf.h"
#include "mark/share.bpf.h"

/* Besides enum flow: the object has this content already. */
#define FLOW_SAME 16

/* The key of a content follows from what it is made of. */
#define CONTENT_KEY(before, by) (BW_HOLDER_OBJECT | hash_mix(before, by) >> 2)

static __always_inline struct object_ref *object_get(__u64 holder) {
        return bpf_map_lookup_elem(&bw_objects, &holder);
}

static __always_inline void content_release(__u64 content) {
        struct mark *m = mark_get(content);

        if (m)
                ATOMIC_ADD(&m->refs, -1);
}

/* Removes the entry of an object, and uncharges its user. */
__noinline int object_forget(__u64 holder) {
        const struct object_ref *ref = object_get(holder);

        if (!ref)
                return 0;
        __u64 content = *(volatile __u64 *)&ref->content, cgroup = ref->cgroup;
        __u32 uid = ref->uid;
        if (bpf_map_delete_elem(&bw_objects, &holder))
                return 0;
        ATOMIC_ADD(&shared.counts[BW_COUNT_OBJECTS_LIVE], -1);
        share_release(BW_SHARE_OBJECTS, uid, cgroup);
        content_release(content);
        return 0;
}

/* The entry of an object, or NULL. The entry of an earlier object with the same key is removed. */
static __always_inline struct object_ref *object_find(__u64 holder, __u64 is) {
        struct object_ref *ref = object_get(holder);

        if (!ref || ref->is == is)
                return ref;
        object_forget(holder);
        return NULL;
}

/* The content of an object, a key of bw_marks; 0 if it has none. */
__noinline __u64 object_content(__u64 holder, __u64 is) {
        const struct object_ref *ref = object_find(holder, is);

        return ref ? *(volatile __u64 *)&ref->content : 0;
}

/* Looks at the kernel object that is at the recorded address now. The inode of a pipe or socket is in use as
 * long as it exists; a file exists as long as it has links, and can leave the cache before. */
__noinline int object_presence(__u64 holder) {
        const struct object_ref *ref = object_get(holder);
        struct object o = {};

        if (!ref)
                return OBJECT_GONE;
        __u64 address = ref->address, is = ref->is;
        __u32 via = ref->via, memory_only = ref->memory_only;
        if (!address)
                return via == BW_VIA_FILE ? OBJECT_UNSEEN : OBJECT_PRESENT; /* until its windows are over */
        if (via == BW_VIA_SOCKET) {
                const struct sock *sk = (const struct sock *)address;
                object_of_sock(&o, sk, false);
                if (o.is != is)
                        object_of_sock(&o, sk, true);
                return o.is == is && BPF_CORE_READ(sk, __sk_common.skc_refcnt.refs.counter) > 0
                                       ? OBJECT_PRESENT
                                       : OBJECT_GONE;
        }
        const struct inode *inode = (const struct inode *)address;
        if (via != BW_VIA_PIPE)
                return inode_presence(address, is, memory_only);
        object_of_inode(&o, inode);
        return o.is == is && BPF_CORE_READ(inode, i_count.counter) > 0 ? OBJECT_PRESENT : OBJECT_GONE;
}

/* Attributes the content of an object whose entry must make room to its user and cgroup. */
__noinline int object_suspect(__u64 holder) {
        const struct object_ref *ref = object_get(holder);

        if (!ref)
                return 0;
        __u64 content = *(volatile __u64 *)&ref->content;
        __u64 suspect = suspect_take(ref->uid, ref->cgroup);
        const struct mark *m = mark_get(content);
        if (!suspect || !m)
                return 0;
        suspects_until(m->until_mono_ns);
        return mark_flow(content, suspect, BW_VIA_FILE, 0);
}

/* Examines an object that was taken from the queue: removes it if it does not exist any more, otherwise puts
 * it back. full: files that are not in the cache make room, too. */
__noinline int object_sweep(__u64 holder, __u64 now, __u32 full) {
        struct object_ref *ref = object_get(holder);

        if (!ref)
                return 0;
        __u64 until = *(volatile __u64 *)&ref->until_mono_ns;
        int presence = now > until ? OBJECT_GONE : object_presence(holder);
        if (presence == OBJECT_UNSEEN && full) {
                count(BW_COUNT_OBJECTS_DROPPED);
                object_suspect(holder);
                presence = OBJECT_GONE;
        }
        if (presence == OBJECT_GONE) {
                object_forget(holder);
                return 0;
        }
        if (presence == OBJECT_UNSEEN) {
                ref = object_get(holder);
                if (ref)
                        ref->address = 0; /* another inode may lie there by now */
        }
        if (bpf_map_push_elem(&bw_object_queue, &holder, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return 0;
}

/* ---- what a process writes to an object ---- */

/* Inserts a content as a copy of the content `before`, and charges `task`. `by` identifies its latest
 * writer. Returns FLOW_DONE if it exists and is complete, FLOW_AGAIN if content_make() must complete it, or
 * FLOW_REFUSED. */
__noinline int content_enter(__u64 key, __u64 before, __u64 by, __u64 task) {
        __u32 zero = 0;
        const struct mark *from = before ? mark_get(before) : bpf_map_lookup_elem(&bw_zero, &zero);
        struct mark *m = mark_get(key);

        if (m)
                return m->reported ? FLOW_DONE : FLOW_AGAIN;
        if (!from || *(volatile __u64 *)&shared.counts[BW_COUNT_CONTENTS_LIVE] >= contents_limit) {
                shared.sweep_due = SWEEP_FULL;
                report_loss(BW_LOSS_OBJECT_REFUSED);
                return FLOW_REFUSED;
        }
        if (!share_take(BW_SHARE_MARKS, task))
                return FLOW_REFUSED;
        if (mark_enter(key, from, task))
                count(BW_COUNT_CONTENTS_LIVE);
        else
                share_release(BW_SHARE_MARKS, task_payer(task), task_cgroup(task));
        m = mark_get(key);
        if (!m)
                return FLOW_REFUSED;
        m->reported = 0;
        m->start_boot_ns = by;
        mark_names_touch(key);
        return FLOW_AGAIN;
}

/* Completes a content with the mark of the process of `task`. */
__noinline int content_make(__u64 key, __u64 before, __u32 what, __u64 task) {
        const struct mark *old = before ? mark_get(before) : NULL;
        int r = mark_flow(BPF_CORE_READ((struct task_struct *)task, tgid), key, what, task);
        struct mark *m = mark_get(key);

        if (!m)
                return FLOW_REFUSED;
        if (r == FLOW_DONE && old && m->changes == old->changes)
                r = FLOW_SAME;
        if (r == FLOW_DONE)
                m->reported = 1;
        else if (!m->refs)
                mark_forget(key);
        return r;
}

/* With more objects than this the daemon is asked to sweep, as nothing may be added any more and entries are
 * swept when others are added. Fewer are 0.2 MiB, and a quarter of the smallest share of a cgroup (4,096 of
 * 32,768): dead entries that nobody sweeps refuse nothing. */
#define OBJECTS_REPORTED 1024

/* Makes an entry for an object, without a content as yet, and charges `task`. Returns whether there is one.
 */
__noinline int object_enter(__u64 task, __u64 holder, __u64 is, __u64 address, __u32 what) {
        const __u64 *live = &shared.counts[BW_COUNT_OBJECTS_LIVE];
        struct object_ref ref = { .is = is, .address = address };

        if (object_get(holder))
                return true;
        shared.sweep_due += SWEEP_ALWAYS;
        if (*(volatile __u64 *)live >= table_limit[BW_SHARE_OBJECTS]) {
                shared.sweep_due = SWEEP_FULL;
                report_loss(BW_LOSS_OBJECT_REFUSED);
                return false;
        }
        if (!share_take(BW_SHARE_OBJECTS, task)) {
                shared.sweep_due = SWEEP_FULL;
                return false;
        }
        ref.uid = task_payer(task);
        ref.cgroup = task_cgroup(task);
        ref.via = FLOW_VIA(what);
        ref.memory_only = (what & FLOW_TO_MEMORY) != 0;
        ref.until_mono_ns = ~0ULL; /* until it has a content */
        if (bpf_map_update_elem(&bw_objects, &holder, &ref, BPF_NOEXIST)) {
                share_release(BW_SHARE_OBJECTS, ref.uid, ref.cgroup);
                if (object_get(holder))
                        return true;
                report_loss(BW_LOSS_OBJECT_REFUSED);
                return false;
        }
        count(BW_COUNT_OBJECTS_LIVE);
        if (*(volatile __u64 *)live > OBJECTS_REPORTED)
                report_count(BW_COUNT_OBJECTS_LIVE, &shared.objects_record_ns);
        if (bpf_map_push_elem(&bw_object_queue, &holder, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return true;
}

/* Replaces the content of an object by what the process of `task` gives. Kernel 5.10 has no
 * compare-and-swap: each CPU adds the difference, so that the second of two at once sees that the sum is not
 * its own, restores the other's content, and returns FLOW_AGAIN. If both see that, each restores the
 * other's, and either may be what stays: so neither takes its count back, and the content that did not stay
 * lives until its windows are over. */
__noinline int object_put(__u64 task, __u64 holder, __u64 key, __u64 before) {
        struct object_ref *ref = object_get(holder);
        struct mark *m = mark_get(key);

        if (!ref || !m)
                return FLOW_AGAIN;
        __u64 until = m->until_mono_ns;
        ATOMIC_ADD(&m->refs, 1);
        ATOMIC_ADD(&ref->content, key - before);
        __u64 now = *(volatile __u64 *)&ref->content;
        if (now != key) {
                ref->content = now - key + before;
                return FLOW_AGAIN;
        }
        if (ref->until_mono_ns < until || ref->until_mono_ns == ~0ULL)
                ref->until_mono_ns = until;
        content_release(before);
        if (activity_wanted())
                activity_given(BPF_CORE_READ((struct task_struct *)task, tgid));
        return FLOW_DONE;
}

/* Attributes the mark of the process of `task` to its user and cgroup. */
__noinline int task_suspect(__u64 task, __u32 what) {
        __u32 pid = BPF_CORE_READ((struct task_struct *)task, tgid);
        __u64 suspect = suspect_take_task(task);
        const struct mark *source = mark_get(pid);

        count(BW_COUNT_OBJECTS_SUSPECTED);
        if (!suspect || !source)
                return FLOW_REFUSED;
        suspects_until(source->until_mono_ns);
        return mark_flow(pid, suspect, what & ~FLOW_TO_MEMORY, task);
}

/* Passes the mark of the process of `task` on to an object. what: enum bw_via and FLOW_*, see mark_flow(),
 * and FLOW_TO_MEMORY. address: see struct object_ref. Without room for it, the user and cgroup are
 * suspected. Inlined, and made of steps that are called one after the other, as there may be only eight
 * frames. */
static __always_inline int object_give(__u64 task, __u64 holder, __u64 is, __u32 what, __u64 address) {
        __u32 pid = BPF_CORE_READ((struct task_struct *)task, tgid);
        const struct mark *source = mark_get(pid);

        if (!source || !flow_classes(pid, what, task))
                return FLOW_NOTHING;
        __u64 by = hash_mix(hash_mix(hash_mix(what, shared.generation), source->start_boot_ns),
                        (__u64)source->changes << 32 | pid);
        __u64 kept = object_content(holder, is);
        const struct mark *m = kept ? mark_get(kept) : NULL;
        __u64 before = m ? kept : 0;
        if (m && m->start_boot_ns == by)
                return FLOW_DONE;
        __u64 key = CONTENT_KEY(before, by);
        int r = content_enter(key, before, by, task);
        if (r == FLOW_AGAIN)
                r = content_make(key, before, what, task);
        if (r == FLOW_SAME)
                return FLOW_DONE;
        if (r == FLOW_DONE)
                r = object_enter(task, holder, is, address, what) ? object_put(task, holder, key, kept)
                                                                  : FLOW_REFUSED;
        return r == FLOW_REFUSED ? task_suspect(task, what) : r;
}
