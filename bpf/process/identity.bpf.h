/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The identity of a process: the rules that its executable may use. A path is only a name, and anyone can
 * create a file of that name, so a rule applies to an object: a file that root owns and only root may write,
 * executed in the host's file system, by a process that was not made to run other code. The conditions of a
 * rule are checked in addition.
 *
 * Properties that are fixed at exec are determined there (process_judge()); those that can change, when they
 * are needed (process_rules()). */

#include "abi/event.h"
#include "abi/policy.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "process/exec-env.bpf.h"

/* No user: the same as (uid_t)-1. */
#define OWNER_NONE (~0U)

static __always_inline struct process *process_find(__u32 pid, __u64 start) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        return p && p->start_boot_ns == start ? p : NULL;
}

/* Whether the process of an entry still exists. Its leader may exit before its other threads do. Memory that
 * was a task_struct does not say that it is that process; a copy of the parent's entry, which the fork hook
 * has not completed, has the parent's task. */
/* Name id of the script that it runs; 0: none, or not known. */
static __always_inline __u64 process_script(const struct process *p) {
        return p && !p->awaits ? p->run_name : 0;
}

static __always_inline bool process_exists(const struct process *p, __u32 pid) {
        const struct task_struct *task = (const struct task_struct *)p->task;

        if (!task)
                return true;
        if (BPF_CORE_READ(task, start_boottime) != p->start_boot_ns)
                return false;
        if (BPF_CORE_READ(task, tgid) != (int)pid)
                return true;
        int state = BPF_CORE_READ(task, exit_state);
        return !state || (state == EXIT_ZOMBIE && BPF_CORE_READ(task, signal, live.counter) > 0);
}

/* Identifies the exec of a process by its file and the opening of it: shows that there was another exec even
 * if our program was skipped for it (a program that interrupts itself is skipped). */
static __always_inline __u64 process_image(struct task_struct *task) {
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);

        return file ? hash_mix((__u64)file, file_salt(BPF_CORE_READ(file, f_inode))) : 0;
}

/* ---- the host ---- */

static __always_inline const struct host *host_get(void) {
        __u32 zero = 0;
        return bpf_map_lookup_elem(&bw_host, &zero);
}

/* Which users the owners of files are shown as by a mount: a pointer to compare. */
static __always_inline __u64 mount_idmap(const struct vfsmount *mount) {
        if (bpf_core_field_exists(struct vfsmount, mnt_idmap))
                return (__u64)BPF_CORE_READ(mount, mnt_idmap);

        const struct vfsmount___before_6_2 *before = (const struct vfsmount___before_6_2 *)mount;
        if (bpf_core_field_exists(before->mnt_userns))
                return (__u64)BPF_CORE_READ(before, mnt_userns);
        return 0;
}

/* Learns the host's namespaces and root from the init process of the current PID namespace: runs in
 * barbwired. */
static __always_inline void host_learn(void) {
        struct pid_namespace *namespace = task_pid_namespace(current_task());
        struct task_struct *init = BPF_CORE_READ(namespace, child_reaper);
        __u32 zero = 0;

        struct host *h = bpf_map_lookup_elem(&bw_host, &zero);
        if (!h)
                return;
        h->mount_namespace = (__u64)BPF_CORE_READ(init, nsproxy, mnt_ns);
        h->user_namespace = (__u64)BPF_CORE_READ(init, nsproxy, mnt_ns, user_ns);
        h->root = (__u64)BPF_CORE_READ(init, fs, root.dentry);
        h->idmap = mount_idmap(BPF_CORE_READ(init, fs, root.mnt));
        h->cgroup = (__u64)BPF_CORE_READ(init, nsproxy, cgroup_ns, root_cset, dfl_cgrp, kn);
        shared.host_known = h->mount_namespace && h->root;
}

/* Whether a task sees the host's file system: its mount namespace is the host's, or was made by the host's
 * root, as for services with PrivateTmp=, and then has a clone of the host's root mount. A container has
 * another root, and so has a chroot(2); a user who makes a mount namespace needs a user namespace for it. */
static __always_inline bool host_seen(struct task_struct *task) {
        const struct host *h = host_get();
        __u64 namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);

        if (!h || !shared.host_known)
                return false;
        if (namespace != h->mount_namespace &&
                        (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns, user_ns) != h->user_namespace)
                return false;
        return (__u64)BPF_CORE_READ(task, fs, root.dentry) == h->root;
}

/* Whether a task is in a container that the host's root made: its mount namespace belongs to the host's user
 * namespace, which needs CAP_SYS_ADMIN there, and has another root. That of a rootless container is its
 * user's. Such a container is a system of its own: its programs are judged as the host's are, and may use
 * its own files. What is mounted into it, from the host or elsewhere, is not its own. */
static __always_inline bool container_seen(struct task_struct *task) {
        const struct host *h = host_get();
        __u64 namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);

        return h && shared.host_known && namespace != h->mount_namespace &&
               (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns, user_ns) == h->user_namespace &&
               (__u64)BPF_CORE_READ(task, cred, user_ns) == h->user_namespace &&
               (__u64)BPF_CORE_READ(task, fs, root.dentry) != h->root;
}

/* Whether a path is on the root file system that the task sees. */
static __always_inline bool path_is_on_root(const struct path *path, struct task_struct *task) {
        return BPF_CORE_READ(path, mnt) == BPF_CORE_READ(task, fs, root.mnt);
}

/* ---- the executable ---- */

static __always_inline __u64 file_mount_namespace(const struct file *file) {
        __u64 mount = (__u64)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
        const struct mount *m = (const struct mount *)mount;

        return (__u64)BPF_CORE_READ(m, mnt_ns);
}

/* Whether root alone may change the contents of this file. */
static __always_inline bool inode_is_roots(const struct inode *inode) {
        return BPF_CORE_READ(inode, i_uid.val) == 0 && !(BPF_CORE_READ(inode, i_mode) & 0022);
}

/* Whether only root and this user may. Where every user has a group of the same number, its members may
 * write what she makes (pam_umask(8), "usergroups"): that group is the user. */
static __always_inline bool inode_is_users(const struct inode *inode, __u32 uid) {
        __u32 owner = BPF_CORE_READ(inode, i_uid.val), mode = BPF_CORE_READ(inode, i_mode);

        return (!owner || owner == uid) && !(mode & 0002) &&
               (!(mode & 0020) || BPF_CORE_READ(inode, i_gid.val) == owner);
}

/* The user of a task, unless she has the rights of another for a while; otherwise none. */
static __always_inline __u32 task_owner(const struct task_struct *task) {
        __u32 uid = BPF_CORE_READ(task, cred, uid.val);

        return BPF_CORE_READ(task, cred, euid.val) == uid ? uid : OWNER_NONE;
}

/* Whether the owners and modes that this file system shows are those that the host's root gave: with the
 * next function, what mnt_may_suid() in the kernel's fs/namespace.c asks before it believes them. Programs
 * that serve a file system by FUSE, and other hosts, show what they like. The file system of the host's root
 * directory is believed whatever it is. */
__noinline int owners_are_believed(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct super_block *super = BPF_CORE_READ(file, f_inode, i_sb);
        const struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);
        const struct host *h = host_get();
        __u64 type = 0;

        if (!h)
                return false;
        const struct dentry *root = (const struct dentry *)h->root;
        if (!shared.host_known || super == BPF_CORE_READ(root, d_sb))
                return true;
        if ((__u64)BPF_CORE_READ(super, s_user_ns) != h->user_namespace || mount_idmap(mount) != h->idmap)
                return false;
        if (BPF_CORE_READ(super, s_magic) != FUSE_SUPER_MAGIC)
                return !super_is_remote(super);
        bpf_probe_read_kernel_str(&type, sizeof(type), BPF_CORE_READ(super, s_type, name));
        return type == 0x73666f69747269; /* "virtiof": a directory of the host of this machine */
}

/* Users may mount a disk of their own, whose files may be anybody's, without set-user-ID (udisks); in a
 * mount namespace of their own, services see the host's file systems like that (systemd), and nobody brings
 * files along with one that has no disk (/tmp, /run). Where files of users are asked for, that does not
 * matter: homes are often mounted like that, too. */
__noinline int mount_is_users(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct super_block *super = BPF_CORE_READ(file, f_inode, i_sb);
        const struct host *h = host_get();

        if (!h)
                return false;
        const struct dentry *root = (const struct dentry *)h->root;
        return BPF_CORE_READ(file, f_path.mnt, mnt_flags) & MNT_NOSUID && BPF_CORE_READ(super, s_bdev) &&
               file_mount_namespace(file) == h->mount_namespace && super != BPF_CORE_READ(root, d_sb);
}

static __always_inline bool file_is_roots(const struct file *file) {
        return inode_is_roots(BPF_CORE_READ(file, f_inode)) && owners_are_believed(address_of(file)) &&
               !mount_is_users(address_of(file));
}

static __always_inline bool file_is_users(const struct file *file, __u32 uid) {
        return inode_is_users(BPF_CORE_READ(file, f_inode), uid) && owners_are_believed(address_of(file));
}

/* Components and mounts of a path: a program far below a home has a dozen. */
#define DIRECTORIES_MAX 32
#define S_ISVTX 01000

/* Whether only root can change which file is at this path: the directories above it are root's. Or root and
 * this user: then also a directory of root's in which nobody can replace the file of another (/tmp). */
__noinline int directories_are_kept(__u64 mount, __u64 dentry, __u64 uid) {
        struct path_cursor cursor;
        struct dentry_head head;

        path_cursor_init(&cursor, mount, dentry);
        for (__u32 i = 0; i < DIRECTORIES_MAX; i++) {
                enum path_move move = path_up(&cursor, &head);
                const struct dentry *at = (const struct dentry *)cursor.dentry;
                const struct inode *inode = BPF_CORE_READ(at, d_inode);
                if (move == PATH_ROOT)
                        return true;
                if (move == PATH_MOUNT) /* what a mount covers does not matter */
                        continue;
                if (move != PATH_COMPONENT)
                        return false;
                if (uid == OWNER_NONE ? !inode_is_roots(inode)
                                      : !inode_is_users(inode, uid) &&
                                                                (BPF_CORE_READ(inode, i_uid.val) ||
                                                                                !(BPF_CORE_READ(inode,
                                                                                                  i_mode) &
                                                                                                S_ISVTX)))
                        return false;
        }
        return false;
}

/* Whether the user of the task may have put the file at this address where it is, and nobody but root and
 * she. */
__noinline int object_is_users(__u64 file_address, __u64 task_address) {
        const struct file *file = (const struct file *)file_address;
        __u32 uid = task_owner((const struct task_struct *)task_address);

        return uid != OWNER_NONE && file_is_users(file, uid) &&
               directories_are_kept((__u64)BPF_CORE_READ(file, f_path.mnt),
                               (__u64)BPF_CORE_READ(file, f_path.dentry), uid);
}

/* Examines the file that `task` executes. A file that was removed after exec is still trusted (an upgrade
 * does that); one that was removed before has no path. Its mount must be in the mount namespace of the
 * process: /proc/PID/root/… of a user's own namespace leads to what that user mounted there. */
__noinline int object_look(__u32 pid, __u64 task_address, __u32 at_exec) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct task_struct *task = (struct task_struct *)task_address;
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        __u64 namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
        bool there = (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG &&
                     !(at_exec && BPF_CORE_READ(inode, i_nlink) == 0);

        if (!p)
                return 0;
        p->object = there && file_is_roots(file)                          ? FINDING_GOOD
                    : there && object_is_users((__u64)file, task_address) ? FINDING_USERS
                                                                          : FINDING_BAD;
        p->host = file_mount_namespace(file) != namespace                                ? FINDING_BAD
                  : host_seen(task)                                                      ? FINDING_GOOD
                  : container_seen(task) && file && path_is_on_root(&file->f_path, task) ? FINDING_INSIDE
                                                                                         : FINDING_BAD;
        return 0;
}

static __always_inline bool task_is_traced(struct task_struct *task) {
        return BPF_CORE_READ(task, ptrace) || BPF_CORE_READ(task, group_leader, ptrace);
}

/* Trust is voided: the process runs other code than its executable's, or this cannot be excluded. */
static __always_inline bool process_is_void(const struct process *p) {
        return p->environment > FINDING_GOOD || p->foreign || p->traced;
}

/* The entry of the process `pid`, and the policy by which it is judged; NULL: there is no entry. */
static __always_inline struct process *process_view_get(__u32 pid, struct policy_view *v) {
        return policy_view_get(v) ? bpf_map_lookup_elem(&bw_processes, &pid) : NULL;
}

/* Stores the rules whose Ancestor= the executable of `task`, the process `pid`, matches, unless the entry
 * has them for the active policy. */
__noinline int process_judge_own(__u32 pid, __u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct policy_view v;
        struct process *p = process_view_get(pid, &v);

        if (!p || p->own_generation == v.table->generation)
                return 0;
        __u32 generation = v.table->generation;

        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        bool own = file && path_match_rules(v.index, BW_AUTOMATON_ANCESTOR, pid, &file->f_path);
        own |= program_match(v.index, BW_AUTOMATON_ANCESTOR, pid);
        if (own && !p->object)
                object_look(pid, task_address, false);
        if (policy_view_held(&v))
                p->own_generation = generation;
        return 0;
}

/* Adds the ancestor rules that a child inherits from its parent's executable. */
static __always_inline void ancestors_add(struct bw_bits *to, const struct process *parent) {
        if (parent->object == FINDING_GOOD && parent->host == FINDING_GOOD && !process_is_void(parent))
                bits_or(to, &parent->own);
}

/* Living ancestors examined; rules from those that exited were inherited by fork. */
#define ANCESTORS_MAX 16

/* Evaluates the ancestors of `task`, the process `pid`, for the active policy. */
__noinline int ancestors_judge(__u32 pid, __u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p)
                return 0;
        for (__u32 i = 0; i < ANCESTORS_MAX; i++) {
                task = BPF_CORE_READ(task, group_leader, real_parent, group_leader);
                __u32 parent_pid = BPF_CORE_READ(task, tgid);
                if (!parent_pid)
                        break;
                struct process *parent = process_find(parent_pid, task_start(task));
                if (!parent)
                        continue;
                process_judge_own(parent_pid, (__u64)task);
                ancestors_add(&p->ancestors, parent);
        }
        return 0;
}

/* When a process is judged. */
enum judged {
        JUDGED_AT_EXEC,
        JUDGED_LATER, /* it opens a sensitive file */
        JUDGED_ASIDE, /* by another process, which cannot read its environment and arguments: these remain
                         to be examined */
};

/* Stores the rules that the executable of `task`, the process `pid`, may use under the active policy and, if
 * there are any, the properties that are fixed at exec. Returns 1 if the policy changed meanwhile: try
 * again. */
__noinline int process_judge(__u32 pid, __u64 task_address, __u32 when) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct policy_view v;
        struct process *p = process_view_get(pid, &v);

        if (!p)
                return 0;
        __u32 generation = v.table->generation;
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        bool rules = file && path_match_rules(v.index, BW_AUTOMATON_EXE, pid, &file->f_path);
        bool own = file && path_match_rules(v.index, BW_AUTOMATON_ANCESTOR, pid, &file->f_path);
        if (p->program) {
                if (!p->object)
                        object_look(pid, (__u64)task, when == JUDGED_AT_EXEC);
                /* An interpreter of the user's may run anything instead: rules name it, too. */
                if (p->object == FINDING_GOOD)
                        rules |= program_match(v.index, BW_AUTOMATON_EXE, pid);
                own |= program_match(v.index, BW_AUTOMATON_ANCESTOR, pid);
        }
        /* env(1) passes the name of the script on to its interpreter. */
        rules |= p->through_env & p->users_program;
        if (rules | own) {
                if (!p->object)
                        object_look(pid, (__u64)task, when == JUDGED_AT_EXEC);
                if (task_is_traced(task))
                        p->traced = 1;
        } else if (file && !p->object && BPF_CORE_READ(file, f_inode, i_uid.val)) {
                /* For its alert: whether a rule of the user level could name it. */
                object_look(pid, (__u64)task, when == JUDGED_AT_EXEC);
        }
        if (when == JUDGED_ASIDE)
                return !policy_view_held(&v);
        /* Later: for its alert. Of an interpreter that no rule names, for its script. */
        if (!p->environment && (rules | own | p->awaits || when != JUDGED_AT_EXEC))
                environment_look(pid);
        if (bits_meet(&p->rules, &v.table->asks[BW_CONDITION_ARGUMENT]))
                arguments_judge(v.index, pid);
        if (bits_meet(&p->rules, &v.table->asks[BW_CONDITION_SCRIPT])) {
                script_look(v.index, pid);
                program_match(v.index, BW_AUTOMATON_SCRIPT, pid);
        }
        if (!policy_view_held(&v))
                return 1;
        p->generation = p->own_generation = generation;
        return 0;
}

/* The process has executed another file: drops the findings about the previous one. */
static __always_inline void process_forget_findings(struct process *p) {
        p->script_hash = p->program = 0;
        p->through_env = p->users_program = 0;
        p->generation = p->own_generation = 0;
        p->object = p->host = p->environment = p->foreign = p->strange = p->traced = p->roots = 0;
        __builtin_memset(&p->rules, 0, sizeof(p->rules));
        __builtin_memset(&p->script, 0, sizeof(p->script));
        __builtin_memset(&p->own, 0, sizeof(p->own));
}

/* ---- conditions that can change at any time ---- */

/* Levels of the cgroup tree that are walked. A deeper process, which any user with a delegated cgroup can
 * create, has no unit. */
#define UNIT_DEPTH_MAX 32

/* The unit of a task: the outermost component of its cgroup2 path that is not a slice. Names below it are
 * chosen by the user that the cgroup is delegated to (user@1000.service). Returns the automaton's output for
 * it. */
__noinline __u32 unit_match(__u32 table, __u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
        const struct host *h = host_get();

        if (!h)
                return 0;
        struct scratch *s = scratch_get();
        if (!s)
                return 0;
        for (__u32 i = 0; i < UNIT_DEPTH_MAX; i++) {
                struct kernfs_node *parent = kernfs_up(node);
                if (!parent || (__u64)node == h->cgroup) {
                        s->state = 1; /* the root was reached */
                        break;
                }
                __u64 name = (__u64)BPF_CORE_READ(node, name);
                long n = bpf_probe_read_kernel_str(s->text, TEXT_MAX, (void *)name);
                if (n <= 1 || n > TEXT_MAX)
                        break;
                __u64 last = 0; /* seven bytes and the NUL; before a shorter name other bytes are read */
                bpf_probe_read_kernel(&last, sizeof(last), (void *)(name + n - 8));
                bool is_slice = n > 7 && last >> 8 == 0x6563696c732e; /* ".slice" and its NUL, the first byte
                                                                         lowest */
                if (!is_slice) {
                        s->hash = name;
                        s->length = n - 1;
                }
                node = parent;
        }
        __u64 unit = s->state ? s->hash : 0;
        __u32 length = s->length;
        scratch_put();
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        if (!unit || !t)
                return 0;

        __u64 r = path_component(table, BW_AUTOMATON_UNIT, t->start[BW_AUTOMATON_UNIT], unit, length);
        return r & COMPONENT_FAULT ? 0 : COMPONENT_OUTPUT(r);
}

/* As NETS_AT_ONCE; divides BW_USERS_MAX. */
#define USERS_AT_ONCE 16

/* Rules for this user, one word of them, from some users of the table. Without branches, see
 * permitted_some(). */
__noinline __u64 user_rules_some(__u32 table, __u32 uid, __u32 word, __u32 first) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 rules = 0;

        if (!t)
                return 0;
        for (__u32 i = 0; i < USERS_AT_ONCE; i++) {
                const struct bw_user *u = &t->users[(first + i) % BW_USERS_MAX];
                if (!u->used)
                        break;
                __u64 other = (__u64)(u->uid ^ uid) | (u->rule / 64 ^ word);
                __u64 differs = (other | -other) >> 63;
                rules |= (1 - differs) << u->rule % 64;
        }
        return rules;
}

__noinline __u64 user_rules(__u32 table, __u32 uid, __u32 word) {
        __u64 rules = 0;

        for (__u32 i = 0; i < BW_USERS_MAX; i += USERS_AT_ONCE)
                rules |= user_rules_some(table, uid, word, i);
        return rules;
}

/* ---- all of it ---- */

/* Whether rules of the user level apply to the process of `task`, for a file of this owner: all of it is one
 * user's, and has run no code that others may change. */
__noinline int process_is_users(__u32 pid, __u64 task_address, __u32 owner) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        const struct task_struct *task = (const struct task_struct *)task_address;

        if (!p || owner == OWNER_NONE || task_owner(task) != owner || p->strange)
                return false;
        return p->object == FINDING_GOOD ||
               (p->object == FINDING_USERS &&
                               BPF_CORE_READ(task, mm, exe_file, f_inode, i_uid.val) == owner);
}

/* The rules that the process of `task` may use now. own: in a container, for a file of the container's.
 * owner: of the file; OWNER_NONE: it is none. Its entry was judged by the policy of this view. */
static __always_inline void process_rules(const struct policy_view *v, struct task_struct *task,
                const struct process *p, bool own, __u32 owner, struct bw_bits *ret) {
        const struct bw_bits *asks = v->table->asks;
        bool host = p->host == FINDING_INSIDE ? own : p->host == FINDING_GOOD && host_seen(task);

        __builtin_memset(ret, 0, sizeof(*ret));
        if (p->environment > FINDING_GOOD || p->traced || task_is_traced(task))
                return;
        __u64 system = -(__u64)(p->object == FINDING_GOOD && !p->foreign),
              users = -(__u64)(owner != OWNER_NONE &&
                               process_is_users(BPF_CORE_READ(task, tgid), address_of(task), owner));
        if (!(system | users))
                return;

        for (__u32 i = 0; i < 4; i++) {
                ret->word[i] = p->rules.word[i] & (p->script.word[i] | ~asks[BW_CONDITION_SCRIPT].word[i]) &
                               (p->ancestors.word[i] | ~asks[BW_CONDITION_ANCESTOR].word[i]) &
                               ((asks[BW_CONDITION_OWNER].word[i] & users) |
                                               (~asks[BW_CONDITION_OWNER].word[i] & system));
                if (!host)
                        ret->word[i] &= ~asks[BW_CONDITION_HOST].word[i];
        }
        if (bits_meet(ret, &asks[BW_CONDITION_UNIT])) {
                const struct bw_output *o =
                                &v->table->outputs[unit_match(v->index, (__u64)task) % BW_OUTPUTS_MAX];
                for (__u32 i = 0; i < 4; i++)
                        ret->word[i] &= o->sticky.word[i] | o->final.word[i] |
                                        ~asks[BW_CONDITION_UNIT].word[i];
        }
        __u32 uid = BPF_CORE_READ(task, cred, uid.val);
        for (__u32 i = 0; i < 4; i++)
                if (ret->word[i] & asks[BW_CONDITION_USER].word[i])
                        ret->word[i] &= user_rules(v->index, uid, i) | ~asks[BW_CONDITION_USER].word[i] |
                                        (asks[BW_CONDITION_STARTED].word[i] & -(__u64)p->roots);
}

/* Drops the rules of a mark that do not apply to a process which has run code of its own user's. */
__noinline int mark_demote(__u64 holder) {
        struct mark *m = bpf_map_lookup_elem(&bw_marks, &holder);
        struct policy_view v;
        __u64 dropped = 0;

        if (!m || !policy_view_get(&v))
                return 0;
        for (__u32 i = 0; i < BW_WORDS; i++) {
                __u64 word = m->rules.word[i] & v.table->asks[BW_CONDITION_OWNER].word[i];
                dropped |= m->rules.word[i] ^ word;
                m->rules.word[i] = word;
        }
        if (dropped)
                m->changes++;
        return 0;
}

/* Whether the current process, `pid`, has run other code since its exec, so that no rule applies to it. Of
 * the rules in its mark only those that still apply are left. */
__noinline __u32 process_strayed(__u32 pid) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (p && p->foreign)
                mark_demote(pid);
        return task_is_traced(current_task()) || (p && (p->strange || p->traced));
}

/* BW_PROCESS_* of the current process, `pid`. */
__noinline __u32 process_flags(__u32 pid) {
        struct task_struct *task = current_task();
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        __u32 flags = 0;

        if (file && file_mount_namespace(file) == MNT_NS_INTERNAL) {
                /* Owner and mode do not matter: the process that made it may write it. */
                flags |= BW_PROCESS_EXE_MEMORY;
        } else if (file) {
                if (BPF_CORE_READ(inode, i_uid.val) || !owners_are_believed((__u64)file) ||
                                mount_is_users((__u64)file))
                        flags |= BW_PROCESS_EXE_NOT_ROOTS;
                if (BPF_CORE_READ(inode, i_mode) & 0022)
                        flags |= BW_PROCESS_EXE_WRITABLE;
                if (BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_mode) & 0002)
                        flags |= BW_PROCESS_EXE_DIR_WRITABLE;
                if (!BPF_CORE_READ(inode, i_nlink))
                        flags |= BW_PROCESS_EXE_DELETED;
        }
        if ((shared.host_known && !host_seen(task)) || (p && p->host == FINDING_BAD))
                flags |= BW_PROCESS_NOT_HOST;
        if (task_is_traced(task) || (p && p->traced))
                flags |= BW_PROCESS_TRACED;
        if (p && p->environment == FINDING_BAD)
                flags |= BW_PROCESS_INJECTED;
        if (p && p->environment == FINDING_UNSEEN)
                flags |= BW_PROCESS_UNREAD;
        if (p && p->foreign)
                flags |= BW_PROCESS_FOREIGN_CODE;
        if (p && !p->strange && (flags & BW_PROCESS_EXE_NOT_ROOTS ? p->object == FINDING_USERS : p->foreign))
                flags |= BW_PROCESS_USERS;
        if (p && p->program && !p->users_program)
                flags |= BW_PROCESS_SCRIPT;
        return flags;
}

/* ---- foreign code ---- */

/* The current process maps code of this file. If users other than root may change it, trust in the
 * executable is voided; if its own user may, only rules of the user level apply. */
static __always_inline void on_code_mapped(const struct file *file) {
        struct task_struct *task = current_task();
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG || file_is_roots(file))
                return;
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        if (!p)
                return;
        if (!file_is_users(file, task_owner(task)))
                p->strange = 1;
        p->foreign = 1;
        mark_unrule(BPF_CORE_READ(task, tgid));
}

/* A mapping of the current process changes its protection. */
static __always_inline void on_code_protected(const struct vm_area_struct *area, unsigned long prot) {
        const struct file *file = BPF_CORE_READ(area, vm_file);

        if (file && prot & PROT_EXEC)
                on_code_mapped(file);
}
