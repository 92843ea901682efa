/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of contents: every program, and why it hangs where it hangs. No logic here: bodies are in the headers
 * and know nothing of the hook that called them. */

#include "egress.bpf.h"
#include "file.bpf.h"
#include "lifecycle.bpf.h"

char LICENSE[] SEC("license") = "GPL"; /* the helpers that read kernel memory are GPL-only; we are GPL-2.0-or-later */

/* ---- sensor "tracepoint": opens ---- */

/* The end of open, creat, openat, openat2, open_by_handle_at: the descriptor is in the table, the caller has not
 * seen it yet. And of mmap: code that was mapped has not run yet. Costs a call on every system call (a tracepoint per system call would need tracefs and perf events).
 * Misses: opens through io_uring, and a descriptor that another thread replaced between open and here. Since 5.5. */
SEC("tp_btf/sys_exit")
int BPF_PROG(bw_sys_exit, struct pt_regs *regs, long ret) {
        on_open_returned(regs, ret);
        on_map_returned(regs, ret);
        return 0;
}

/* ---- every sensor: processes ---- */

/* The child exists and has not run: what it inherits is there before its first instruction. Since 5.5. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(bw_fork, struct task_struct *parent, struct task_struct *child) {
        on_fork(parent, child);
        return 0;
}

/* After the point of no return: the new executable is in mm->exe_file, user space has not run. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(bw_exec, struct task_struct *task) {
        on_exec(task);
        return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(bw_exit, struct task_struct *task) {
        on_exit(task);
        return 0;
}

/* Run once, by the loader: processes that were there before us. Since 5.8. */
SEC("iter/task")
int bw_iter_task(struct bpf_iter__task *ctx) {
        struct task_struct *task = ctx->task;

        if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
                return 0;
        host_learn();
        /* What the fork hook wrote meanwhile is better: it has seen the parent alive. */
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        if (!p || p->depth < 2)
                process_learn(task);
        process_judge_own(BPF_CORE_READ(task, tgid), (__u64)BPF_CORE_READ(task, group_leader));
        return 0;
}

/* ---- sensor "tracepoint": egress ---- */

/* On the root cgroup2 these see every connect(2) and every datagram with an address of every process, whatever its
 * network namespace, io_uring included, before a packet leaves. They miss data on sockets that are connected
 * already, raw sockets, and families other than inet. connect since 4.17, sendmsg since 4.18. */
SEC("cgroup/connect4")
int bw_connect4(struct bpf_sock_addr *ctx) {
        on_sock_addr4(ctx, BW_ACT_CONNECT);
        return 1;
}

SEC("cgroup/connect6")
int bw_connect6(struct bpf_sock_addr *ctx) {
        on_sock_addr6(ctx, BW_ACT_CONNECT);
        return 1;
}

SEC("cgroup/sendmsg4")
int bw_sendmsg4(struct bpf_sock_addr *ctx) {
        on_sock_addr4(ctx, BW_ACT_SEND);
        return 1;
}

SEC("cgroup/sendmsg6")
int bw_sendmsg6(struct bpf_sock_addr *ctx) {
        on_sock_addr6(ctx, BW_ACT_SEND);
        return 1;
}
