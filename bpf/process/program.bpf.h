/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Scripts as programs. A script whose first line names its interpreter ("#!/usr/bin/perl -wT") is executed
 * by its own path, and a rule may name it as any program. The kernel has replaced it by the interpreter when
 * the exec is reported, and the interpreter opens it again, by the name that the exec was given. So both
 * count: the file that the kernel has opened, and a name by which only root can put another file there. */

#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/name.bpf.h"
#include "process/identity.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* A function that a task calls before it returns to user space. */
struct callback_head {
        struct callback_head *next;
};

/* The call that releases a file after its last use; it was renamed twice. */
struct file___newer {
        struct callback_head f_task_work;
};

struct file___older {
        struct callback_head f_rcuhead;
};

struct file___oldest {
        union {
                struct callback_head fu_rcuhead; /* without a member clang 23 crashes at the offset of f_u */
        } f_u;
};

/* include/linux/binfmts.h: an exec. filename: what the caller asked for; interp: what is run for it. */
struct linux_binprm {
        struct file *executable; /* binfmt_misc(5) keeps it for the interpreter */
        unsigned int have_execfd : 1;
        const char *filename, *interp;
};

#pragma clang attribute pop

/* Files that an exec may have released: the script, those to be closed on exec, the previous executable and
 * the loader. With more of them no rule applies to the script. */
#define RELEASED_MAX 64

/* Bytes from the beginning of a file to the call that releases it. The branches stay branches: the loader
 * takes an offset that this kernel does not have for an error where it is used. */
static __always_inline __u64 release_offset(void) {
        __u64 offset;

        if (bpf_core_field_exists(struct file___newer, f_task_work)) {
                offset = bpf_core_field_offset(struct file___newer, f_task_work);
                barrier_var(offset);
        } else if (bpf_core_field_exists(struct file___older, f_rcuhead)) {
                offset = bpf_core_field_offset(struct file___older, f_rcuhead);
                barrier_var(offset);
        } else {
                offset = bpf_core_field_offset(struct file___oldest, f_u);
                barrier_var(offset);
        }
        return offset;
}

/* Whether a file that this task will release was opened by exec or, with `written`, to be written; other
 * calls can lie there, and then this is no file. Arithmetic instead of branches, as the verifier walks every
 * iteration of the loop around it. */
static __always_inline bool file_was_opened(const struct file *file, bool written) {
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        __u64 wanted = written ? FMODE_WRITE : FMODE_EXEC,
              has = written ? BPF_CORE_READ(file, f_mode) : BPF_CORE_READ(file, f_flags),
              other = (__u64)inode ^ (__u64)BPF_CORE_READ(file, f_path.dentry, d_inode);

        /* The mode of no inode reads as 0. */
        other |= (BPF_CORE_READ(inode, i_mode) & S_IFMT) ^ S_IFREG;
        return !(other | ((has & wanted) ^ wanted));
}

/* The first such file that the current task has closed; 0: none, or it has closed too many. It releases them
 * when it returns to user space or ends (fs/file_table.c fput()), and the latest comes first here. */
__noinline __u64 file_released(__u32 written) {
        __u64 work = (__u64)BPF_CORE_READ(current_task(), task_works), found = 0, offset = release_offset();

        for (__u32 i = 0; i < RELEASED_MAX; i++) {
                if (!work)
                        return found;
                __u64 file = work - offset;
                if (file_was_opened((const struct file *)file, written))
                        found = file;
                work = (__u64)BPF_CORE_READ((const struct callback_head *)work, next);
        }
        return 0;
}

/* The file of the script that the current process executes; NULL: it is none, or cannot be found. The kernel
 * has closed it (fs/exec.c exec_binprm()), and the script was the first. */
static __always_inline __u64 program_file(const struct linux_binprm *b) {
        if (BPF_CORE_READ(b, filename) == BPF_CORE_READ(b, interp))
                return 0;
        return (__u64)BPF_CORE_READ(b, executable) ?: file_released(false);
}

/* Bytes that are compared at once. */
#define SAME_AT_ONCE 32

__noinline int program_text_is(__u64 name, __u32 from) {
        const struct short_name *n = name_get(name);
        __u64 thread = bpf_get_current_pid_tgid();
        const struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);

        if (!n || !s || n->length != s->length)
                return false;
        for (__u32 i = 0; i < SAME_AT_ONCE; i++) {
                __u32 at = (from + i) & NAME_SHORT_MAX;
                if (at >= n->length)
                        break;
                if (n->text[at] != (__u8)s->text[at])
                        return false;
        }
        return true;
}

/* What root alone can have put below these directories, links included. */
static __always_inline bool text_is_roots(const struct scratch *s) {
        __u64 head = *(const __u64 *)s->text;

        return (head & 0xffffffffff) == 0x2f7273752f /* "/usr/", the first byte lowest */ ||
               (head & 0xffffffffff) == 0x2f6e69622f /* "/bin/" */ ||
               (head & 0xffffffffffff) == 0x2f6e6962732f /* "/sbin/" */;
}

/* Whether the name that the exec was given leads to the file of this name, whatever others do. In scratch.
 */
__noinline int program_text_matches(__u64 bprm, __u64 name) {
        struct scratch *s = scratch_get();
        __u64 text = (__u64)BPF_CORE_READ((const struct linux_binprm *)bprm, filename);
        bool same = true;

        if (!s)
                return false;
        long n = bpf_probe_read_kernel_str(s->text, TEXT_MAX, (void *)text);
        s->length = n > 1 && n < TEXT_MAX ? n - 1 : 0;
        text_match(0, BW_AUTOMATON_EXE); /* for the shape of the text */
        bool good = s->length && s->text[0] == '/' && !s->bad;
        if (good && name && !text_is_roots(s))
                for (__u32 from = 0; same && from < TEXT_MAX; from += SAME_AT_ONCE)
                        same = program_text_is(name, from);
        else if (good)
                same = text_is_roots(s);
        scratch_put();
        return good && same;
}

/* Whether a process in a user namespace has the interpreters of binfmt_misc(5) that its owner chose (since
 * 6.7). */
static __always_inline bool task_is_hosts(struct task_struct *task) {
        const struct host *h = host_get();

        return h && (__u64)BPF_CORE_READ(task, cred, user_ns) == h->user_namespace;
}

/* The script file that a rule may name: its name id, otherwise 0. users: that of the current user, who may
 * have it run by any name, as she may change it in any case. */
__noinline __u64 program_of_file(__u64 address, __u64 bprm, __u32 users) {
        const struct file *file = (const struct file *)address;
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        __u64 mount = (__u64)BPF_CORE_READ(file, f_path.mnt),
              dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
        struct task_struct *task = current_task();

        if (!BPF_CORE_READ(inode, i_nlink) || !task_is_hosts(task) || !host_seen(task) ||
                        file_mount_namespace(file) != (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns))
                return 0;
        if (users ? !object_is_users(address, address_of(task))
                  : !file_is_roots(file) || !directories_are_kept(mount, dentry, OWNER_NONE))
                return 0;
        __u64 name = name_learn(mount, dentry, file_salt(inode), address_of(task));
        return name && NAME_LENGTH(name) <= NAME_SHORT_MAX && (users || program_text_matches(bprm, name))
                               ? name
                               : 0;
}

/* The script that the current process executes, or executed before: env(1) only looks its interpreter up in
 * PATH, in the process that the entry describes so far. *ret_users: it is the user's, and not root's. */
static __always_inline __u64 program_of_exec(const struct process *p, __u64 bprm, bool *ret_users) {
        __u64 file = program_file((const struct linux_binprm *)bprm);

        if (file) {
                __u64 program = program_of_file(file, bprm, false);
                *ret_users = !program;
                return program ?: program_of_file(file, bprm, true);
        }
        *ret_users = p->users_program;
        return p->program && p->through_env && p->object == FINDING_GOOD && p->host == FINDING_GOOD &&
                                               p->environment == FINDING_GOOD && !process_is_void(p) &&
                                               !task_is_traced(current_task()) &&
                                               (p->users_program || program_text_matches(bprm, 0))
                               ? p->program
                               : 0;
}

/* Whether the interpreter of the script is env(1). */
static __always_inline bool program_asks_env(const struct linux_binprm *bprm) {
        __u64 text[2] = {};

        bpf_probe_read_kernel_str(text, sizeof(text), BPF_CORE_READ(bprm, interp));
        if ((text[0] & 0xffffffff) == 0x7273752f) { /* "/usr" */
                text[0] = text[0] >> 32 | text[1] << 32;
                text[1] >>= 32;
        }
        return text[0] == 0x766e652f6e69622f && !text[1]; /* "/bin/env" */
}
