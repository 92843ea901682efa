/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Data in shared memory moves without a system call, so no hook fires. Therefore each process has a list of
 * the objects that it shares: mappings, and its address space or descriptors. What a marked process holds
 * flows to all of them at once (memory_spread()). It reaches another process when that needs it: before it
 * writes or sends anything, or executes a program, it looks whether any of its objects has got a content
 * since (memory_arrive()). So no object needs a list of the processes that have it, of which there may be
 * thousands.
 *
 * Unmapping is not tracked: a mapping counts until the process exits or executes another program, or its
 * place is needed and nobody maps the file any more. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "lib/syscalls.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/objects.bpf.h"
#include "mark/pass.bpf.h"
#include "process/identity.bpf.h"

/* Places per process. Servers and interpreters need a few, the main process of a browser up to some
 * hundreds. Without a free one the process is `unlisted`: if it is marked, its user and cgroup are
 * suspected; if data may have reached it, a loss is counted. */
#define MAPPINGS_MAX 256

/* Places that are examined for one to reuse, while there are more. A program that maps thousands of files
 * one after the other needs no more than these. */
#define MAPPINGS_REUSED 16
#define MAPPINGS_TRIED 2

/* A mapping of at least this age exists if it is going to: the hook may fire before it is made. 1 s. Those
 * of the same thread do, whatever their age. */
#define MAPPING_TICKS (1000000000ULL >> TICK_SHIFT)

/* Threads that take places at the same moment: each finds the one of the others, and tries the next. */
#define MAPPING_TRIES 16

#define SHARES_READ 0
#define SHARES_FILE (BW_VIA_MEMORY | FLOW_FILES) /* what it opened itself */
#define SHARES_INHERITED (BW_VIA_MEMORY | FLOW_OUTPUT)
#define SHARES_CHILDREN (BW_VIA_MEMORY | FLOW_CHILDREN) /* no other can get at it */
#define SHARES_DESCRIPTORS (BW_VIA_RECEIVED | FLOW_CHILDREN)
/* A pipe that has pages of its memory: nothing comes back from it. */
#define SHARES_LENT 0x8000
#define SHARES_PIPE (BW_VIA_PIPE | FLOW_FILES | SHARES_LENT)

/* ---- the list of a process ---- */

#define EXT4_SUPER_MAGIC 0xef53
#define XFS_SUPER_MAGIC 0x58465342
#define BTRFS_SUPER_MAGIC 0x9123683e

/* Whether mappings of a file of this inode are in the inode's own list. An overlay maps the file below. */
static __always_inline bool inode_lists_mappings(const struct inode *inode) {
        __u64 magic = BPF_CORE_READ(inode, i_sb, s_magic);

        return magic == TMPFS_MAGIC || magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC ||
               magic == BTRFS_SUPER_MAGIC;
}

/* Whether any process has mapped the file. True if that is not known. */
static __always_inline bool inode_is_mapped(const struct inode *inode) {
        return !inode_lists_mappings(inode) || BPF_CORE_READ(inode, i_mapping, i_mmap.rb_root.rb_node);
}

/* Memory of the kernel that a socket gives access to: the rings of AF_PACKET. Not those of io_uring, whose
 * inode the kernel's other anonymous files have, too: tables of BPF would be ways for data. */
static __always_inline void object_of_rings(struct object *o, const struct inode *inode) {
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK)
                object_set(o, BW_VIA_MEMORY, (__u64)inode, BPF_CORE_READ(inode, i_ino),
                                BPF_CORE_READ(inode, i_sb, s_dev));
}

/* Whether nobody maps the file at this place any more, so that the place can be reused. */
__noinline int mapping_is_over(__u32 pid, __u32 place, __u32 now) {
        const struct mapping_key key = { .pid = pid, .place = place };
        const struct mapping *m = bpf_map_lookup_elem(&bw_mappings, &key);
        struct object o = {};

        if (!m || !m->address)
                return false;
        if (m->thread != (__u16)bpf_get_current_pid_tgid() && (__s32)(now - m->tick) < (__s32)MAPPING_TICKS)
                return false;
        const struct inode *inode = (const struct inode *)m->address;
        object_of_inode(&o, inode);
        return o.holder != m->holder || o.is != m->is || !inode_is_mapped(inode);
}

/* `at` modulo n, below 2 n. A function of its own: what the comparison says of both would else make every
 * iteration of the caller's loop a new one to the verifier of 7.2. */
__noinline __u32 place_wrapped(__u32 at, __u32 n) {
        return at < n ? at : at - n;
}

/* Removes a mapping that is over and returns its place, or MAPPINGS_MAX. Only one of several threads
 * succeeds in removing it. n: places taken; tries: how many of them to look at. */
__noinline __u32 mapping_reclaim(__u32 pid, __u32 n, __u32 tries) {
        __u32 now = tick_now(), first = n ? now % n : 0;

        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                if (i >= tries || i >= n)
                        break;
                struct mapping_key key = { .pid = pid, .place = place_wrapped(first + i, n) };
                if (mapping_is_over(pid, key.place, now) && bpf_map_delete_elem(&bw_mappings, &key) == 0)
                        return key.place;
        }
        return MAPPINGS_MAX;
}

/* Whether process `pid` has the object in its list; adds what flows there. */
__noinline int mapping_known(__u32 pid, __u64 holder, __u64 is, __u32 n, __u32 what) {
        struct mapping_key key = { .pid = pid };

        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                if (i >= n)
                        break;
                key.place = i;
                struct mapping *m = bpf_map_lookup_elem(&bw_mappings, &key);
                if (!m || m->holder != holder || m->is != is)
                        continue;
                if (m->what < what)
                        m->what = what;
                return true;
        }
        return false;
}

/* In process.unlisted: why it shares memory that is not in its list. */
#define UNLISTED_PLACES 1 /* all places are in use, or the table is full */
#define UNLISTED_SHARE 2  /* the share of its user is full, which is reported */

static __always_inline void mapping_refused(__u32 pid, __u8 why, __u32 what) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p)
                return;
        if (p->unlisted != UNLISTED_PLACES)
                p->unlisted = why;
        if (what)
                p->unlisted_written = 1;
}

/* Records that process `pid` shares an object. Insertion decides which thread has a place, as 5.10 has no
 * compare-and-swap. */
__noinline int memory_share(__u32 pid, __u64 holder, __u64 is, __u64 address, __u32 what) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct mapping m = { .holder = holder, .is = is, .address = address, .what = what };
        struct mapping_key key = { .pid = pid };

        if (!p)
                return 0;
        __u32 n = *(volatile __u32 *)&p->mappings, uid = p->uid;
        __u64 cgroup = p->cgroup;
        if (n && mapping_known(pid, holder, is, n, what))
                return 0;
        m.tick = tick_now();
        m.thread = bpf_get_current_pid_tgid();
        if (n >= MAPPINGS_REUSED) {
                key.place = mapping_reclaim(pid, n, n < MAPPINGS_MAX ? MAPPINGS_TRIED : MAPPINGS_MAX);
                if (key.place < MAPPINGS_MAX) { /* it is charged already */
                        if (bpf_map_update_elem(&bw_mappings, &key, &m, BPF_NOEXIST)) {
                                count(BW_COUNT_MAPPINGS_REFUSED);
                                mapping_refused(pid, UNLISTED_PLACES, what);
                        }
                        return 0;
                }
        }
        if (n >= MAPPINGS_MAX) {
                count(BW_COUNT_MAPPINGS_REFUSED);
                mapping_refused(pid, UNLISTED_PLACES, what);
                return 0;
        }
        if (!share_take_all(BW_SHARE_MAPPINGS, uid, cgroup, 1)) {
                count(BW_COUNT_MAPPINGS_REFUSED);
                mapping_refused(pid, UNLISTED_SHARE, what);
                return 0;
        }
        int r = -EEXIST;
        for (__u32 i = 0; i < MAPPING_TRIES && r == -EEXIST; i++) {
                key.place = n + i;
                r = key.place < MAPPINGS_MAX ? MAP_INSERT(&bw_mappings, &key, &m) : -E2BIG;
        }
        if (r) {
                share_release(BW_SHARE_MAPPINGS, uid, cgroup);
                if (key.place < MAPPINGS_MAX)
                        report_loss(BW_LOSS_MAPPING_REFUSED);
                mapping_refused(pid, UNLISTED_PLACES, what);
                return 0;
        }
        p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (p)
                ATOMIC_ADD(&p->mappings, 1);
        count(BW_COUNT_MAPPINGS_LIVE);
        return 0;
}

/* What process `p` holds is passed on, or cannot be any more: see memory_put_off(). */
static __always_inline void memory_put_off_end(struct process *p) {
        if (!p->put_off)
                return;
        p->put_off = 0;
        ATOMIC_ADD(&shared.put_off, -1);
}

/* The process exits or executes another program: its mappings are gone. It has one thread left. */
__noinline int memory_leave(__u32 pid) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct mapping_key key = { .pid = pid };

        if (!p)
                return 0;
        p->unlisted = p->unlisted_written = 0;
        memory_put_off_end(p);
        __u32 n = p->mappings, uid = p->uid;
        __u64 cgroup = p->cgroup;
        if (!n)
                return 0;
        p->mappings = 0;
        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                if (i >= n)
                        break;
                key.place = i;
                bpf_map_delete_elem(&bw_mappings, &key);
        }
        share_release_all(BW_SHARE_MAPPINGS, uid, cgroup, n);
        ATOMIC_ADD(&shared.counts[BW_COUNT_MAPPINGS_LIVE], -(__u64)n);
        return 0;
}

/* A child has the mappings of its parent. Returns 0, or why its list is not complete. */
__noinline int mappings_copy(__u32 pid, __u32 parent_pid) {
        const struct process *parent = bpf_map_lookup_elem(&bw_processes, &parent_pid);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct mapping_key from = { .pid = parent_pid }, to = { .pid = pid };
        int r = 0;

        if (!parent || !p)
                return 0;
        __u32 n = parent->mappings, unlisted = parent->unlisted;
        if (!n)
                return unlisted;
        if (!share_take_all(BW_SHARE_MAPPINGS, p->uid, p->cgroup, n)) {
                ATOMIC_ADD(&shared.counts[BW_COUNT_MAPPINGS_REFUSED], (__u64)n);
                return UNLISTED_SHARE;
        }
        p->mappings = n;
        ATOMIC_ADD(&shared.counts[BW_COUNT_MAPPINGS_LIVE], (__u64)n);
        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                if (i >= n)
                        break;
                from.place = to.place = i;
                const struct mapping *m = bpf_map_lookup_elem(&bw_mappings, &from);
                if (m)
                        r |= bpf_map_update_elem(&bw_mappings, &to, m, BPF_ANY);
        }
        if (!r)
                return unlisted;
        report_loss(BW_LOSS_MAPPING_REFUSED);
        return UNLISTED_PLACES;
}

/* Records what a child shares: its parent's mappings and, with CLONE_VM or CLONE_FILES, the address space or
 * descriptors. For a child of vfork(2) see memory_put_off(): it is not known as one yet. */
__noinline int memory_inherit(__u32 pid, __u64 child_address) {
        struct task_struct *child = (struct task_struct *)child_address, *parent = current_task();
        __u32 parent_pid = BPF_CORE_READ(parent, tgid);
        struct object o;

        __u8 unlisted = mappings_copy(pid, parent_pid);
        if (unlisted)
                mapping_refused(pid, unlisted, true);
        const void *mm = BPF_CORE_READ(child, mm), *files = BPF_CORE_READ(child, files);
        if (mm && mm == BPF_CORE_READ(parent, mm)) {
                object_set(&o, BW_VIA_MEMORY, (__u64)mm, 0, 0);
                memory_share(parent_pid, o.holder, o.is, 0, SHARES_CHILDREN);
                memory_share(pid, o.holder, o.is, 0, SHARES_CHILDREN);
        }
        if (files && files == BPF_CORE_READ(parent, files)) {
                object_set(&o, BW_VIA_MEMORY, (__u64)files, 0, 0);
                memory_share(parent_pid, o.holder, o.is, 0, SHARES_DESCRIPTORS);
                memory_share(pid, o.holder, o.is, 0, SHARES_DESCRIPTORS);
        }
        return 0;
}

/* ---- from a process to what it shares ---- */

/* Shared memory got another content: every process looks at what it shares. */
static __always_inline void memory_changed_until(__u64 until_mono_ns) {
        __u32 until = (until_mono_ns >> TICK_SHIFT) + 1, before = *(volatile __u32 *)&shared.memory_until;

        if (!before || (__s32)(until - before) > 0)
                shared.memory_until = until ?: 1;
        ATOMIC_ADD(&shared.memory_changes, 1);
}

/* The current process has written to a file that others may have mapped. */
__noinline int memory_file_written(__u64 inode_address) {
        const struct inode *inode = (const struct inode *)inode_address;
        const struct mark *m = mark_get(bpf_get_current_pid_tgid() >> 32);

        if (m && inode_is_mapped(inode))
                memory_changed_until(m->until_mono_ns);
        return 0;
}

/* Its inode number belongs to another file by now, which is marked. That must not be taken for this one:
 * object_find() would remove its entry. */
static __always_inline bool mapping_is_replaced(const struct mapping *m) {
        const struct object_ref *ref = object_get(m->holder);

        return ref && ref->is != m->is;
}

/* memory_spread_one(): */
#define SPREAD_END 0 /* there are no more mappings */
#define SPREAD_NONE 1
#define SPREAD_DONE 2

/* What process `pid` holds flows to the object that it shares at `place`. */
__noinline int memory_spread_one(__u32 pid, __u64 start, __u64 task, __u32 place) {
        const struct process *p = process_find(pid, start);
        const struct mapping_key key = { .pid = pid, .place = place };

        if (!p || place >= p->mappings)
                return SPREAD_END;
        const struct mapping *m = bpf_map_lookup_elem(&bw_mappings, &key);
        if (!m || !m->what || mapping_is_replaced(m))
                return SPREAD_NONE;
        __u64 holder = m->holder, is = m->is, address = m->address;
        return object_give(task, holder, is, m->what & ~SHARES_LENT, address) == FLOW_DONE ? SPREAD_DONE
                                                                                           : SPREAD_NONE;
}

/* Notes the content that it gave, which must not come back to it: what it holds bound would be unbound.
 * result: of memory_spread_one(); looked at here, as the verifier walks every iteration of the loop. */
__noinline int memory_spread_note(__u32 pid, __u32 place, int result) {
        const struct mapping_key key = { .pid = pid, .place = place };
        struct mapping *m = result == SPREAD_DONE ? bpf_map_lookup_elem(&bw_mappings, &key) : NULL;

        if (!m)
                return 0;
        __u64 content = object_content(m->holder, m->is);
        const struct mark *given = mark_get(content);
        if (!given || m->gave == content)
                return 0;
        m->gave = content;
        memory_changed_until(given->until_mono_ns);
        return 0;
}

/* If a marked process may write to shared memory that is not in its list, suspects its user and cgroup. */
__noinline int memory_spread_unlisted(__u32 pid, __u64 start, __u64 task) {
        const struct process *p = process_find(pid, start);
        struct policy_view v;

        if (p && !p->unlisted_written)
                return 0;
        if (policy_view_get(&v) && mark_live(v.index, pid, 0))
                task_suspect(task, BW_VIA_MEMORY);
        return 0;
}

/* The mark of process `pid`, whose task is at `task`, was made or extended: passes it on to what it shares.
 * Inlined, so that the stack holds one of the steps at a time. */
static __always_inline void memory_spread(__u32 pid, __u64 start, __u64 task) {
        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                int r = memory_spread_one(pid, start, task, i);
                memory_spread_note(pid, i, r);
                if (r == SPREAD_END)
                        break;
        }
        memory_spread_unlisted(pid, start, task);
}

/* A child of vfork(2) borrows its parent's memory until it executes a program, and posix_spawn(3) lets it
 * open files for that: the data of one is in the memory only when the child has read it. Whether what the
 * current process holds since this open is passed on later, before its next call that may read: until then
 * nobody else has the descriptor. */
__noinline int memory_put_off(__u64 task_address) {
        const struct task_struct *task = (const struct task_struct *)task_address;
        __u32 pid = BPF_CORE_READ(task, tgid);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p || !BPF_CORE_READ(task, vfork_done) || BPF_CORE_READ(task, files, count.counter) != 1)
                return false;
        if (!p->put_off) {
                p->put_off = 1;
                ATOMIC_ADD(&shared.put_off, 1);
        }
        return true;
}

/* The current process begins this call. It has one thread: another would have the descriptors, too. */
__noinline int memory_catch_up(__u32 call) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p || !p->put_off || call == CALL_NOTHING || call == CALL_FEW || call == CALL_OPEN ||
                        call == CALL_EXEC)
                return 0;
        memory_put_off_end(p);
        memory_spread(pid, task_start(task), (__u64)task);
        return 0;
}

/* ---- from there to another process ---- */

/* As current_carries(), for another process, with what was determined at its exec. */
__noinline __u64 process_carries(__u32 table, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!t || !p || p->object != FINDING_GOOD || p->generation != t->generation || process_is_void(p))
                return 0;
        return rules_classes(table, &p->rules, RULES_CARRIER);
}

/* The content of the object at `place` of a process; 0: it has none, or the process gave it. */
__noinline __u64 memory_content(__u32 pid, __u32 place) {
        const struct mapping_key key = { .pid = pid, .place = place };
        const struct mapping *m = bpf_map_lookup_elem(&bw_mappings, &key);
        const struct object_ref *ref = m ? object_get(m->holder) : NULL;

        if (!ref || ref->is != m->is || m->what & SHARES_LENT)
                return 0;
        __u64 content = *(volatile __u64 *)&ref->content;
        return content != m->gave ? content : 0;
}

/* The first place from `from` on whose object has such a content; MAPPINGS_MAX: none. */
__noinline __u32 memory_next(__u32 pid, __u32 from, __u32 n) {
        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                if (from + i >= n)
                        break;
                if (memory_content(pid, from + i))
                        return from + i;
        }
        return MAPPINGS_MAX;
}

/* What memory_arrives_one() returns: where to go on, and whether anything flowed. */
#define ARRIVES_AT(r) ((__u32)(r)&0xffff)
#define ARRIVES_ANY 0x10000

/* Data that was written to memory which the process of `task` shares reaches it: from the first place from
 * `from` on where there is any. */
__noinline __u32 memory_arrives_one(__u64 task_address, __u32 from) {
        __u32 pid = BPF_CORE_READ((struct task_struct *)task_address, tgid);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct policy_view v;

        if (!p || !policy_view_get(&v))
                return MAPPINGS_MAX;
        __u64 start = p->start_boot_ns;
        __u32 place = memory_next(pid, from, p->mappings);
        if (place >= MAPPINGS_MAX)
                return MAPPINGS_MAX;
        __u64 content = memory_content(pid, place), stopped = process_carries(v.index, pid);
        if (!content || mark_flow_to(content, pid, start, BW_VIA_MEMORY, stopped) != FLOW_DONE)
                return place + 1;
        count(BW_COUNT_FLOWS);
        return (place + 1) | ARRIVES_ANY;
}

/* The same from all places. Returns whether anything flowed. Inlined, to save a frame. */
static __always_inline __u32 memory_arrives_all(__u64 task) {
        __u32 at = 0, any = 0;

        for (__u32 i = 0; i < MAPPINGS_MAX; i++) {
                __u32 r = memory_arrives_one(task, at);
                any |= r & ARRIVES_ANY;
                at = ARRIVES_AT(r);
                if (at >= MAPPINGS_MAX)
                        break;
        }
        return any;
}

/* Whether any shared memory has changed since process `pid` has looked last. */
__noinline int memory_is_news(__u32 pid) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p || p->arrivals == *(volatile __u32 *)&shared.memory_changes)
                return false;
        if (p->unlisted == UNLISTED_PLACES)
                report_loss(BW_LOSS_FLOW_UNKNOWN);
        return true;
}

/* The current process has looked, after it had changed that often. */
__noinline int memory_is_seen(__u32 pid, __u32 changes) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (p)
                p->arrivals = changes;
        return 0;
}

/* What reached the current process flows on to what it shares. If two threads do this at once, both complete
 * it before they go on. */
__noinline int memory_settle(void) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid), changes = *(volatile __u32 *)&shared.memory_changes;

        if (!memory_is_news(pid))
                return 0;
        if (memory_arrives_all((__u64)task))
                memory_spread(pid, task_start(task), (__u64)task);
        return memory_is_seen(pid, changes);
}

/* The current process is about to pass data on: what was written to memory that it shares reaches it first.
 * Called from the top of a program, as the stack is short elsewhere. */
static __always_inline void memory_arrive(void) {
        if (*(volatile __u32 *)&shared.memory_until)
                memory_settle();
}

/* Whether the current process is marked. */
static __always_inline bool current_holds(void) {
        memory_arrive();
        return anything_is_marked(BW_COUNT_MARKS_LIVE) && current_is_marked();
}

/* The current process has mapped an object that other processes may have mapped, too. */
static __always_inline void on_memory_shared(const struct object *o, __u32 what) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid), any = false;

        memory_share(pid, o->holder, o->is, o->address, what);
        /* What it copies into the new mapping, without a system call, may be from an earlier one. */
        if ((shared.memory_until && memory_is_news(pid)) ||
                        (!(what & SHARES_LENT) && anything_is_marked(BW_COUNT_OBJECTS_LIVE) &&
                                        object_content(o->holder, o->is)))
                any = memory_arrives_all((__u64)task);
        if (any || (what && anything_is_marked(BW_COUNT_MARKS_LIVE) && mark_get(pid)))
                memory_spread(pid, task_start(task), (__u64)task);
}
