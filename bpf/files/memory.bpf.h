/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The memory of another process that is read without its file in /proc: by ptrace(2) or process_vm_readv(2).
 * It has the classes and the name of /proc/PID/mem, though nobody has opened that. */

#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/name.bpf.h"
#include "process/identity.bpf.h"

#define PID_DIGITS 8 /* PID_MAX_LIMIT (include/linux/threads.h) has 7 */

/* A component as path_word() takes it: its last byte is the highest. */
#define WORD_MEM 0x6d656d0000000000ULL
#define WORD_PROC 0x636f727000000000ULL

/* The digits of a PID in the same way; *ret_n: how many. */
static __always_inline __u64 pid_word(__u32 pid, __u32 *ret_n) {
        __u64 word = 0;
        __u32 n = 0;

        for (__u32 i = 0; i < PID_DIGITS && pid; i++) {
                word |= (__u64)('0' + pid % 10) << (56 - 8 * i);
                pid /= 10;
                n++;
        }
        *ret_n = n;
        return word;
}

/* One component and the '/' before it; what path_slash() returns. */
__noinline __u64 memory_component(__u32 table, __u32 state, __u64 word, __u32 n) {
        __u32 after = path_word(table, BW_AUTOMATON_FILE, state, word, n);
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);

        return t && cells ? path_slash(t, cells, BW_AUTOMATON_FILE, after) : 0;
}

/* The classes of the memory of process `pid`. */
__noinline __u64 memory_classes(__u32 table, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u32 n;

        if (!t)
                return 0;
        __u64 digits = pid_word(pid, &n);
        __u64 mem = memory_component(table, t->start[BW_AUTOMATON_FILE], WORD_MEM, 3);
        __u64 number = memory_component(table, COMPONENT_STATE(mem), digits, n);
        __u64 proc = memory_component(table, COMPONENT_STATE(number), WORD_PROC, 4);
        const struct bw_output *first = &t->outputs[COMPONENT_OUTPUT(mem) % BW_OUTPUTS_MAX],
                               *second = &t->outputs[COMPONENT_OUTPUT(number) % BW_OUTPUTS_MAX],
                               *last = &t->outputs[COMPONENT_OUTPUT(proc) % BW_OUTPUTS_MAX];
        __u64 in = first->sticky.word[BW_FILE_WORD_INCLUDE] | second->sticky.word[BW_FILE_WORD_INCLUDE] |
                   last->sticky.word[BW_FILE_WORD_INCLUDE] | last->final.word[BW_FILE_WORD_INCLUDE],
              out = first->sticky.word[BW_FILE_WORD_EXCLUDE] | second->sticky.word[BW_FILE_WORD_EXCLUDE] |
                    last->sticky.word[BW_FILE_WORD_EXCLUDE] | last->final.word[BW_FILE_WORD_EXCLUDE];
        return in & ~out;
}

static __always_inline __u32 text_byte(struct draft *d, __u32 at, __u8 byte) {
        at = (at - 1) & LENGTH_MASK;
        barrier_var(at);
        d->text[at & NAME_LONG_MAX] = byte;
        return at;
}

/* The name id of "/proc/PID/mem", whose text it stores; `start` tells processes with the same PID apart, and
 * `task` is charged. */
__noinline __u64 memory_name(__u32 pid, __u64 start, __u64 task) {
        __u32 draft = draft_claim(DRAFT_TRIES_NAME), at = TEXT_END;
        struct draft *d = draft_get(draft);

        if (!d) {
                count_loss(BW_LOSS_NAME_LOST);
                return 0;
        }
        __u64 hash = hash_mix(hash_mix(shared.name_seed, start), pid);
        at = text_byte(d, at, 'm');
        at = text_byte(d, at, 'e');
        at = text_byte(d, at, 'm');
        at = text_byte(d, at, '/');
        for (__u32 i = 0; i < PID_DIGITS && pid; i++) {
                at = text_byte(d, at, '0' + pid % 10);
                pid /= 10;
        }
        at = text_byte(d, at, '/');
        at = text_byte(d, at, 'c');
        at = text_byte(d, at, 'o');
        at = text_byte(d, at, 'r');
        at = text_byte(d, at, 'p');
        at = text_byte(d, at, '/');
        __u64 id = hash << 12 | ((TEXT_END - at) & NAME_LONG_MAX);
        name_keep(d, id, at, 0, task);
        draft_release(draft);
        return id;
}

/* Whether the current process, `pid`, is an ancestor of the process of `other`: that is what a debugger
 * starts. */
__noinline int memory_is_childs(__u32 pid, __u64 start, __u64 other) {
        const struct task_struct *task = (const struct task_struct *)other;
        const struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start((void *)other));
        __u32 found = 0;

        if (!p)
                return false;
        for (__u32 i = 0; i < BW_LINEAGE_MAX; i++)
                found |= p->lineage[i].pid == pid && p->lineage[i].start_boot_ns == start;
        return found;
}

/* Whether the current process and that of `other` share their memory, or are workers that one program has
 * started in one session from one executable: those of MPI copy messages so. */
__noinline int memory_is_shared(__u64 other_address) {
        struct task_struct *task = current_task(), *other = (struct task_struct *)other_address;
        const void *mm = BPF_CORE_READ(task, mm);

        if (mm == BPF_CORE_READ(other, mm))
                return true;
        return BPF_CORE_READ(task, mm, exe_file, f_inode) == BPF_CORE_READ(other, mm, exe_file, f_inode) &&
               BPF_CORE_READ(task, signal, pids[PIDTYPE_SID]) ==
                               BPF_CORE_READ(other, signal, pids[PIDTYPE_SID]) &&
               BPF_CORE_READ(task, group_leader, real_parent, tgid) ==
                               BPF_CORE_READ(other, group_leader, real_parent, tgid);
}

/* The classes of the memory of another process that the current one has read; 0: it may be expected to. */
__noinline __u64 memory_read_classes(__u32 table, __u64 other) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ((struct task_struct *)other, tgid);
        __u64 classes = memory_classes(table, pid);

        if (!classes || memory_is_shared(other) ||
                        memory_is_childs(BPF_CORE_READ(task, tgid), task_start(task), other))
                return 0;
        return classes;
}
