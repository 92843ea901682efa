/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Files that lose a name, and names that lose their class: what is remembered of an inode before its name is
 * another, and after the policy is. */

#include "abi/policy.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "lib/syscalls.bpf.h"
#include "mark/mark.bpf.h"
#include "process/identity.bpf.h"
#include "files/classify.bpf.h"
#include "files/sensitive.bpf.h"

/* Records the classes of a file by this name, which it may lose, or by another. Returns those for which
 * there was no room. */
__noinline __u64 name_learn_classes(__u64 vfsmount, __u64 dentry_address) {
        const struct dentry *dentry = (const struct dentry *)dentry_address;
        const struct inode *inode = BPF_CORE_READ(dentry, d_inode);
        struct policy_view v;
        bool cut; /* its next open is judged by that */

        if (!inode || !policy_view_get(&v))
                return 0;
        __u64 classes = path_match(v.index, BW_AUTOMATON_FILE, vfsmount, dentry_address);
        if (!classes) {
                __u64 mount = names_mount((__u64)inode, vfsmount);
                if (mount)
                        classes = aliases_match(v.index, inode, mount, &cut);
        }
        if (!classes || !policy_view_held(&v))
                return 0;
        if (!sensitive_learn((__u64)inode, classes, v.table->generation, bpf_get_current_task(), true))
                return classes;
        entry_call((__u64)inode, v.index, vfsmount, dentry_address);
        return 0;
}

static __always_inline void name_changes(__u64 vfsmount, __u64 dentry) {
        __u64 refused = name_learn_classes(vfsmount, dentry);

        if (refused)
                name_suspect(vfsmount, dentry, refused);
}

/* Entries of a directory examined when it is renamed: enough for a home's .ssh or .aws, not for a source
 * tree. */
#define CHILDREN_MAX 128

/* Records the classes of the cached entries of a directory: files that were not accessed since boot are
 * missed. */
__noinline int names_learn_classes(__u64 vfsmount, __u64 dentry) {
        const struct dentry___since_6_8 *newer = (const void *)dentry;
        const struct dentry___before_6_8 *older = (const void *)dentry;
        __u64 node, end, at;

        /* Both are lists whose links begin with the address of the next one. */
        if (bpf_core_field_exists(newer->d_children)) {
                node = (__u64)BPF_CORE_READ(newer, d_children.first);
                end = 0;
                at = bpf_core_field_offset(struct dentry___since_6_8, d_sib);
        } else {
                node = (__u64)BPF_CORE_READ(older, d_subdirs.next);
                end = dentry + bpf_core_field_offset(struct dentry___before_6_8, d_subdirs);
                at = bpf_core_field_offset(struct dentry___before_6_8, d_child);
        }
        for (__u32 i = 0; i < CHILDREN_MAX && node && node != end; i++) {
                name_changes(vfsmount, node - at);
                if (bpf_probe_read_kernel(&node, sizeof(node), (const void *)node))
                        break;
        }
        return 0;
}

/* ---- from hooks that have the kernel's objects ---- */

/* The file of this name is about to be renamed or replaced, or to get a second one on the same mount. */
static __always_inline void on_name_changed(const struct path *directory, const struct dentry *dentry) {
        __u64 mnt = (__u64)BPF_CORE_READ(directory, mnt), address = address_of(dentry);
        __u32 type = BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT;

        if (type == S_IFDIR)
                names_learn_classes(mnt, address);
        else if (type == S_IFREG)
                name_changes(mnt, address);
}

/* It is about to be removed; it matters if the file has others, which were made before barbwired started. */
static __always_inline void on_name_removed(const struct path *directory, const struct dentry *dentry) {
        if (BPF_CORE_READ(dentry, d_inode, i_nlink) > 1)
                on_name_changed(directory, dentry);
}

/* ---- sensor "tracepoint": times of files ---- */

/* What the current process does to the names of files: CALL_NAME, CALL_UNNAME, or something else. A thread
 * of the kernel has no system call. */
static __always_inline enum call current_naming(void) {
        struct task_struct *task = bpf_get_current_task_btf();

        if (task->flags & (PF_KTHREAD | PF_IO_WORKER))
                return CALL_NAME;
        return call_of((const struct pt_regs *)bpf_task_pt_regs(task), current_task());
}

/* Whether the current process holds the directory of this entry for a change of its entries. Of a directory
 * that is renamed this is true, of the directories that it is moved from and to only if they are in each
 * other. */
static __always_inline bool entry_changes(__u64 dentry_address) {
        const struct dentry *dentry = (const struct dentry *)dentry_address;

        if (!bpf_core_field_exists(struct rw_semaphore, owner))
                return true;
        __u64 owner = BPF_CORE_READ(dentry, d_parent, d_inode, i_rwsem.owner.counter);
        return (owner & ~(__u64)RWSEM_OWNER_FLAGS) == bpf_get_current_task();
}

/* The mount below which the names of an inode are looked for: the host's or, if it has none, the root of the
 * current process. */
static __always_inline __u64 names_mount_any(const struct inode *inode) {
        __u64 mount = names_mount(address_of(inode), 0);
        const struct vfsmount *root = BPF_CORE_READ(current_task(), fs, root.mnt);

        return mount ?: BPF_CORE_READ(root, mnt_root, d_sb) == BPF_CORE_READ(inode, i_sb) ? (__u64)root : 0;
}

/* The time of the last change of an inode is set. Every call that changes the names of a file does that
 * before they are others. */
static __always_inline void on_inode_changing(const struct inode *inode) {
        enum call call = current_naming();

        if (call != CALL_NAME && call != CALL_UNNAME)
                return;
        __u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT;
        __u64 alias = (__u64)BPF_CORE_READ(inode, i_dentry.first), dentry = alias - alias_at();
        if (!alias || !BPF_CORE_READ(inode, i_nlink) || (type != S_IFREG && type != S_IFDIR) ||
                        (type == S_IFDIR && !entry_changes(dentry)))
                return;
        __u64 mount = names_mount_any(inode);
        if (!mount)
                return;
        if (type == S_IFDIR)
                names_learn_classes(mount, dentry);
        else if (call == CALL_NAME)
                name_changes(mount, dentry);
        else /* some file systems remove the last name afterwards: that is no reason for a suspicion */
                name_learn_classes(mount, dentry);
}

/* ---- a new policy ---- */

/* An entry that was made by the policy before: gives it the classes that its names have by this one, and
 * leaves it those that no name of it had before, as it was renamed since. Without a name that is known, it
 * waits for the next open, see sensitive_known(). */
__noinline int sensitive_renew(__u64 holder) {
        struct sensitive *s = sensitive_get(holder);
        struct policy_view v;
        bool cut;

        if (!s || s->generation == shared.generation || !policy_view_get(&v) ||
                        inode_presence(s->address, s->is, s->memory_only) != OBJECT_PRESENT)
                return 0;
        __u32 before = (v.index + 1) % BW_TABLES;
        const struct bw_table *old = bpf_map_lookup_elem(&bw_table, &before);
        const struct inode *inode = (const struct inode *)s->address;
        __u64 mount = names_mount((__u64)inode, 0);
        if (!old || old->generation != s->generation || !mount)
                return 0;
        __u64 now = aliases_match(v.index, inode, mount, &cut),
              was = aliases_match(before, inode, mount, &cut);
        if (!policy_view_held(&v))
                return 0;
        s = sensitive_get(holder);
        if (!s)
                return 0;
        now |= s->classes & ~was & classes_exist(v.index);
        if (!now)
                return sensitive_forget(holder);
        s->classes = now;
        s->generation = v.table->generation;
        return 0;
}

/* A part of the sweep that barbwired asks for. */
__noinline int files_sweep(void) {
        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                __u64 holder = sensitive_next();
                if (!holder)
                        break;
                sensitive_renew(holder);
                sensitive_examine(holder, 0, 0, CLASS_NONE, false);
        }
        return 0;
}
