/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The script that an interpreter runs: which file it was when the interpreter opened it. Unlike what
 * process/program.bpf.h determines, it may be anybody's, and no rule applies by it: barbwired compares it
 * with what it has seen (alert/first-sight.h). So where anything is unclear, there is none.
 *
 * "#!" names the interpreter, or env(1), which looks it up: then the kernel has opened the script, and the
 * interpreter opens the same file again. "python3 x.py": the first file that is opened by the name in the
 * arguments, which are reliable at exec only, but an interpreter runs no other code before. */

#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/name.bpf.h"
#include "process/identity.bpf.h"
#include "process/program.bpf.h"

/* What the file that is awaited is known by. 0: none is awaited. */
enum awaits {
        AWAITS_NAME = 1,   /* the name in the arguments: run_name is its address, run.size its length */
        AWAITS_OBJECT = 2, /* device and inode */
        AWAITS_ENV = 3,    /* the same, once env(1) has executed the interpreter */
};

/* Processes that have not opened their script yet, by PID, each for some ten milliseconds. If another
 * process takes its place meanwhile, its script is not known. A variable, as every open looks here: that
 * takes a load, and an entry of a map a dozen instructions. */
#define AWAITED_SLOTS 1024
__u32 awaited[AWAITED_SLOTS] SEC(".data.awaited");

static __always_inline __u32 *awaited_slot(__u32 pid) {
        return &awaited[INDEX_BELOW(pid, AWAITED_SLOTS)];
}

/* ---- exec ---- */

/* Shells are none: they read a secret by other programs. */
static __always_inline bool task_is_interpreter(struct task_struct *task) {
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        const void *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
        __u32 head = 0;

        bpf_probe_read_kernel(&head, sizeof(head), name);
        return head == 0x68747970 /* "pyth", the first byte lowest */ || head == 0x65646f6e /* "node" */ ||
               head == 0x79627572 /* "ruby" */ || head == 0x6c726570 /* "perl" */ ||
               (head & 0xffffff) == 0x706870 /* "php" */;
}

/* Reads the argument at this address of the current process into the scratch of its thread. Returns the
 * address of the next one; 0: it is the last, too long, or cannot be read. */
static __always_inline __u64 word_read(struct scratch *s, __u64 at, __u64 end) {
        long n = bpf_probe_read_user_str(s->text, TEXT_MAX, (void *)at);

        if (n <= 0 || n >= TEXT_MAX || at + n > end)
                return 0;
        s->length = n - 1;
        return at + n;
}

#define ARGUMENT_IS_OPTION(s) ((s)->text[0] == '-')

/* The current process, an interpreter, was started with the name of a script: notes where. The options -u
 * and -w have no argument, and run no other code, in any of these interpreters. */
static __always_inline bool script_await_name(struct process *p, struct task_struct *task) {
        __u64 at = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
        struct scratch *s = scratch_get();

        if (!s)
                return false;
        __u64 next = word_read(s, at, end);
        at = next;
        next = next ? word_read(s, at, end) : 0;
        if (next && s->length == 2 && ARGUMENT_IS_OPTION(s) && (s->text[1] == 'u' || s->text[1] == 'w')) {
                at = next;
                next = word_read(s, at, end);
        }
        bool good = next && s->length > 0 && !ARGUMENT_IS_OPTION(s);
        __u32 skip = s->length > 2 && s->text[0] == '.' && s->text[1] == '/' ? 2 : 0;
        p->run_name = at + skip;
        p->run.size = s->length - skip;
        scratch_put();
        return good;
}

/* The current process has executed another program: finds out which file its interpreter will open. */
__noinline int script_await(__u64 bprm_address) {
        const struct linux_binprm *bprm = (const struct linux_binprm *)bprm_address;
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p)
                return 0;
        const bool from_env = p->awaits == AWAITS_ENV;
        const struct inode *inode = BPF_CORE_READ((const struct file *)program_file(bprm), f_inode);
        p->awaits = 0;
        if (inode) {
                __builtin_memset(&p->run, 0, sizeof(p->run));
                p->run.inode = BPF_CORE_READ(inode, i_ino);
                p->run.device = BPF_CORE_READ(inode, i_sb, s_dev);
                p->run_name = 0;
                p->awaits = program_asks_env(bprm) ? AWAITS_ENV : AWAITS_OBJECT;
        } else if (from_env) {
                p->awaits = AWAITS_OBJECT;
        } else {
                __builtin_memset(&p->run, 0, sizeof(p->run));
                p->run_name = 0;
        }
        if (p->awaits == AWAITS_ENV)
                return 0;
        if (!task_is_interpreter(task))
                p->awaits = 0;
        else if (!p->awaits && script_await_name(p, task))
                p->awaits = AWAITS_NAME;
        if (!p->awaits) {
                __builtin_memset(&p->run, 0, sizeof(p->run));
                p->run_name = 0;
                return 0;
        }
        *awaited_slot(pid) = pid;
        return 0;
}

/* ---- its open ---- */

/* A longer name of a script is not known. A power of two. */
#define SCRIPT_NAME_MAX 64

/* Whether the last component of a file's path is that of the text in the memory of the current process: most
 * files that an interpreter opens are not. */
__noinline int script_is_called(__u64 dentry_address, __u64 text, __u64 length) {
        const struct dentry *dentry = (const struct dentry *)dentry_address;
        __u64 n = BPF_CORE_READ(dentry, d_name.hash_len) >> 32;
        __u64 a[SCRIPT_NAME_MAX / 8] = {}, b[SCRIPT_NAME_MAX / 8] = {}, other = 0;
        char before = '/';

        if (!n || n > length || n >= SCRIPT_NAME_MAX)
                return false;
        n = INDEX_BELOW(n, SCRIPT_NAME_MAX);
        if (bpf_probe_read_user(a, n, (void *)(text + length - n)) ||
                        bpf_probe_read_kernel(b, n, BPF_CORE_READ(dentry, d_name.name)))
                return false;
        if (length > n)
                bpf_probe_read_user(&before, 1, (void *)(text + length - n - 1));
        for (__u32 i = 0; i < SCRIPT_NAME_MAX / 8; i++)
                other |= a[i] ^ b[i];
        return !other && before == '/';
}

/* Whether a name ends with the text in the scratch of the current thread: some bytes of it. */
__noinline int name_ends_some(__u64 name, __u32 from) {
        const struct short_name *n = name_get(name);
        __u64 thread = bpf_get_current_pid_tgid();
        const struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);

        if (!n || !s || n->length < s->length)
                return false;
        const __u32 skip = n->length - s->length;
        for (__u32 i = 0; i < SAME_AT_ONCE; i++) {
                __u32 at = (from + i) & NAME_SHORT_MAX;
                if (at >= s->length)
                        break;
                if (n->text[(skip + at) & NAME_SHORT_MAX] != (__u8)s->text[at])
                        return false;
        }
        return true;
}

/* Bytes of the path of a file below the working directory of the current process; 0: it is not there. */
__noinline __u32 length_below_cwd(__u64 dentry) {
        const __u64 cwd = (__u64)BPF_CORE_READ(current_task(), fs, pwd.dentry);
        __u32 length = 0;

        for (__u32 i = 0; i < WALK_STEPS; i++) {
                if (dentry == cwd)
                        return length - 1;
                const struct dentry *d = (const struct dentry *)dentry;
                length += (BPF_CORE_READ(d, d_name.hash_len) >> 32) + 1;
                dentry = (__u64)BPF_CORE_READ(d, d_parent);
        }
        return 0;
}

/* Whether a file is the one that this text in the memory of the current process names: its path ends with
 * the text, and begins at the root or in the working directory. Links and ".." are not followed. */
__noinline int script_is_at(__u64 file_address, __u64 text, __u64 length) {
        const struct file *file = (const struct file *)file_address;
        __u64 dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
        __u64 name = name_learn((__u64)BPF_CORE_READ(file, f_path.mnt), dentry,
                        file_salt(BPF_CORE_READ(file, f_inode)), bpf_get_current_task());
        const struct short_name *n = name_get(name);
        struct scratch *s = n && length < TEXT_MAX ? scratch_get() : NULL;
        bool same = true;

        if (!s)
                return false;
        if (bpf_probe_read_user(s->text, INDEX_BELOW(length, TEXT_MAX), (void *)text))
                same = false;
        s->length = length;
        const __u32 begins = s->text[0] == '/' ? n->length : length_below_cwd(dentry);
        for (__u32 from = 0; same && from < TEXT_MAX; from += SAME_AT_ONCE)
                same = name_ends_some(name, from);
        scratch_put();
        return same && begins == length;
}

/* Keeps which file it is. */
__noinline int script_keep(__u32 pid, __u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        struct task_struct *task = current_task();
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        const __u32 owner = BPF_CORE_READ(inode, i_uid.val);
        __u32 flags = 0;

        if (!p)
                return 0;
        if ((owner && owner != BPF_CORE_READ(task, cred, uid.val)) || !owners_are_believed(file_address))
                flags |= BW_SCRIPT_OTHERS;
        if (BPF_CORE_READ(inode, i_mode) & 0022)
                flags |= BW_SCRIPT_WRITABLE;
        if (BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_mode) & 0002)
                flags |= BW_SCRIPT_DIR_WRITABLE;
        p->run.inode = BPF_CORE_READ(inode, i_ino);
        p->run.device = BPF_CORE_READ(inode, i_sb, s_dev);
        p->run.size = BPF_CORE_READ((const struct inode___size *)inode, i_size);
        p->run.ctime_ns = inode_ctime_ns(inode);
        p->run.flags = flags;
        p->run_name = name_learn((__u64)BPF_CORE_READ(file, f_path.mnt),
                        (__u64)BPF_CORE_READ(file, f_path.dentry), program_salt(inode), (__u64)task);
        p->awaits = 0;
        *awaited_slot(pid) = 0;
        return 0;
}

/* The current process awaits its script, and opens this file. */
__noinline int script_opened(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        __u32 pid = bpf_get_current_pid_tgid() >> 32;
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p || !(BPF_CORE_READ(file, f_mode) & FMODE_READ) ||
                        (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
                return 0;
        if (p->awaits == AWAITS_OBJECT) {
                if (p->run.inode == BPF_CORE_READ(inode, i_ino) &&
                                p->run.device == BPF_CORE_READ(inode, i_sb, s_dev))
                        script_keep(pid, file_address);
        } else if (p->awaits == AWAITS_NAME) {
                __u64 text = p->run_name, length = p->run.size;
                if (script_is_called((__u64)BPF_CORE_READ(file, f_path.dentry), text, length) &&
                                script_is_at(file_address, text, length))
                        script_keep(pid, file_address);
        }
        return 0;
}

static __always_inline void on_script_opening(const struct file *file) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        if (*awaited_slot(pid) == pid)
                script_opened(address_of(file));
}
