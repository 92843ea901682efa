/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Memory that processes share and that no name leads to, opened by /proc/PID/map_files (proc(5)): who may do
 * that reads the memory of the processes that have it mapped. */

#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "process/ptrace.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rb_node___both {
        struct rb_node *rb_right;
};

struct vm_area_struct___mapped {
        struct {
                struct rb_node rb;
        } shared;
        struct mm_struct *vm_mm;
};

struct mm_struct___lender { /* CONFIG_MEMCG */
        struct task_struct *owner;
};

#pragma clang attribute pop

/* The name that the kernel gives to shared memory without a file, and to a System V segment: mm/shmem.c
 * shmem_zero_setup(), ipc/shm.c newseg(). The first byte is lowest. */
#define NAME_ZERO 0x6f72657a2f766564ULL /* "dev/zero" */
#define NAME_SEGMENT 0x56535953U        /* "SYSV" */

/* The top of the tree of the mappings of a file without a name, if it is such memory, or 0. */
__noinline __u64 nameless_lenders(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        __u64 name = 0;

        bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
        if (name != NAME_ZERO && (__u32)name != NAME_SEGMENT)
                return 0;
        return (__u64)BPF_CORE_READ(file, f_inode, i_mapping, i_mmap.rb_root.rb_node);
}

/* The same of any file: nearly all have a name. */
static __always_inline __u64 file_lenders(const struct file *file) {
        return READ_OFTEN(file, f_inode, i_nlink) ? 0 : nameless_lenders(address_of(file));
}

/* The task of the process that has the mapping at this node, or at the one below it on a side. */
__noinline __u64 mapping_task(__u64 top, __u32 side) {
        const struct rb_node *node = (const struct rb_node *)top;

        if (side == 1)
                node = BPF_CORE_READ(node, rb_left);
        else if (side == 2)
                node = BPF_CORE_READ((const struct rb_node___both *)node, rb_right);
        if (!node || !bpf_core_field_exists(struct mm_struct___lender, owner))
                return 0;
        const struct vm_area_struct___mapped *area =
                        (const void *)node -
                        bpf_core_field_offset(struct vm_area_struct___mapped, shared.rb);
        const struct mm_struct___lender *mm = (const void *)BPF_CORE_READ(area, vm_mm);
        return (__u64)BPF_CORE_READ(mm, owner);
}

/* The current process has opened such memory: what the processes hold whose mappings are at the top of the
 * tree reaches it. That of others has the same content, see process/shm.bpf.h. */
static __always_inline void memory_lent(__u64 top) {
        for (__u32 i = 0; top && i < 3; i++) {
                __u64 task = mapping_task(top, i);
                if (task)
                        memory_read(task, bpf_get_current_task());
        }
}
