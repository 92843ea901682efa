/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of contents: every program, and why it hangs where it hangs. No logic here: bodies are in the headers
 * and know nothing of the hook that called them. */

#include "egress.bpf.h"
#include "file.bpf.h"
#include "flow.bpf.h"
#include "lifecycle.bpf.h"
#include "uring.bpf.h"

char LICENSE[] SEC("license") = "GPL"; /* the helpers that read kernel memory are GPL-only; we are GPL-2.0-or-later */

/* Tells the daemon that the hook works. Read first: the line stays in every CPU's cache. */
#define HOOK_FIRED(hook)                                                                                     \
        do {                                                                                                 \
                if (!shared.fired[hook])                                                                     \
                        shared.fired[hook] = 1;                                                              \
        } while (0)

/* ---- sensor "tracepoint": opens ---- */

/* The end of open, creat, openat, openat2, open_by_handle_at: the descriptor is in the table, the caller has not
 * seen it yet. Of mmap: code that was mapped has not run yet. And of read and its like, when anything is marked that could
 * have been read from: what was read has not been seen yet. Costs a call on every system call (a tracepoint per
 * system call would need tracefs and perf events).
 * Misses: a descriptor that another thread replaced between open and here. Since 5.5. */
SEC("tp_btf/sys_exit")
int BPF_PROG(bw_sys_exit, struct pt_regs *regs, long ret) {
        HOOK_FIRED(BW_HOOK_SYS_EXIT);
        on_call_returned(regs, ret);
        return 0;
}

/* The beginning of write, send, splice and their like: what a marked process writes to is marked before the bytes are there,
 * as whoever reads them may be back before this call is. As long as nobody is marked it costs a look at two counters.
 * Misses: io_uring. Since 5.5. */
SEC("tp_btf/sys_enter")
int BPF_PROG(bw_sys_enter, struct pt_regs *regs, long id) {
        HOOK_FIRED(BW_HOOK_SYS_ENTER);
        on_call(regs);
        return 0;
}

/* Opens through io_uring end no system call, see uring.bpf.h. A request, before it is carried out: called io_uring_submit_sqe
 * before 6.3, which the loader knows. */
SEC("tp_btf/io_uring_submit_req")
int bw_uring_submit(unsigned long long *ctx) {
        HOOK_FIRED(BW_HOOK_URING_SUBMIT);
        on_uring_submit((const struct io_kiocb *)uring_submitted(ctx));
        return 0;
}

/* Its completion, before the process sees it. Since 5.10, with its result; with the request itself since 5.19. */
SEC("tp_btf/io_uring_complete")
int bw_uring_complete(unsigned long long *ctx) {
        HOOK_FIRED(BW_HOOK_URING_COMPLETE);
        if (bpf_core_field_exists(struct io_kiocb, cqe))
                on_uring_complete((const struct io_kiocb *)ctx[1]);
        else
                on_uring_result(ctx[0], ctx[2]);
        return 0;
}

/* A completion for which there is no room: before 5.18 the hook above is told of it, too. */
SEC("tp_btf/io_uring_cqe_overflow")
int bw_uring_overflow(unsigned long long *ctx) {
        HOOK_FIRED(BW_HOOK_URING_OVERFLOW);
        on_uring_overflow(address_of((const void *)ctx[0]));
        return 0;
}

/* ---- every sensor: processes ---- */

/* The child exists and has not run: what it inherits is there before its first instruction. Since 5.5. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(bw_fork, struct task_struct *parent, struct task_struct *child) {
        HOOK_FIRED(BW_HOOK_FORK);
        on_fork(parent, child);
        return 0;
}

/* After the point of no return: the new executable is in mm->exe_file, user space has not run. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(bw_exec, struct task_struct *task) {
        HOOK_FIRED(BW_HOOK_EXEC);
        on_exec(task);
        return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(bw_exit, struct task_struct *task) {
        HOOK_FIRED(BW_HOOK_EXIT);
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

/* Run once, by the loader, when all hooks are there: files that were open before us. Descriptor tables that threads share
 * come once (kernel/bpf/task_iter.c). Misses what is mapped and closed, and what waits in a socket or in a ring of
 * io_uring. Since 5.8. */
/* And of their mappings, as a file that is mapped need not be open any more. Since 5.12. */
SEC("iter/task_vma")
int bw_iter_task_vma(struct bpf_iter__task_vma *ctx) {
        struct task_struct *task = ctx->task;
        struct vm_area_struct *area = ctx->vma;
        struct file *file = task && area ? BPF_CORE_READ(area, vm_file) : NULL;

        if (file)
                on_file_found((struct task_struct *)address_of(task), file);
        return 0;
}

SEC("iter/task_file")
int bw_iter_task_file(struct bpf_iter__task_file *ctx) {
        struct task_struct *task = ctx->task;
        struct file *file = ctx->file;

        if (task && file)
                on_file_found((struct task_struct *)address_of(task), (struct file *)address_of(file));
        return 0;
}

/* ---- sensor "tracepoint": egress ---- */

/* On the root cgroup2 these see every connect(2) and every datagram with an address of every process, whatever its
 * network namespace, io_uring included, before a packet leaves. They miss data on sockets that are connected
 * already, raw sockets, and families other than inet. connect since 4.17, sendmsg since 4.18. */
SEC("cgroup/connect4")
int bw_connect4(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_CONNECT4);
        on_sock_addr4(ctx, BW_ACT_CONNECT);
        return 1;
}

SEC("cgroup/connect6")
int bw_connect6(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_CONNECT6);
        on_sock_addr6(ctx, BW_ACT_CONNECT);
        return 1;
}

SEC("cgroup/sendmsg4")
int bw_sendmsg4(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_SENDMSG4);
        on_sock_addr4(ctx, BW_ACT_SEND);
        return 1;
}

SEC("cgroup/sendmsg6")
int bw_sendmsg6(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_SENDMSG6);
        on_sock_addr6(ctx, BW_ACT_SEND);
        return 1;
}

/* After something was sent on a socket of any family, by write, send, sendfile, splice or io_uring, in the sender's context.
 * It knows whom the socket is connected to, and not the address of a single datagram, which for inet the hooks above see.
 * Since 6.5. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(bw_send_length, struct sock *sk, int length) {
        HOOK_FIRED(BW_HOOK_SEND_LENGTH);
        on_sent(sk, length);
        return 0;
}

/* ---- sensors "lsm" and "fentry": opens ----
 *
 * The same bodies hang on two families of hooks. LSM programs run where the kernel asks whether an act is allowed, before
 * it is done; they need "bpf" in the kernel's list of LSMs (security.lsm=, CONFIG_LSM) and CONFIG_BPF_LSM, since 5.7. Where
 * it is not in the list, fexit programs hang on the functions that ask all LSMs: they see acts that were allowed, and
 * need nothing but BTF, since 5.5. Both see every way to an act, io_uring included, and neither is told of by name. */

/* Every open but of O_PATH descriptors, before the caller has it. Overlays ask twice, see on_kernel_open(). */
SEC("lsm/file_open")
int BPF_PROG(bw_lsm_file_open, struct file *file) {
        HOOK_FIRED(BW_HOOK_FILE_OPEN);
        on_kernel_open(file);
        return 0;
}

SEC("fexit/security_file_open")
int BPF_PROG(bw_fexit_file_open, struct file *file, int ret) {
        HOOK_FIRED(BW_HOOK_FILE_OPEN);
        if (!ret)
                on_kernel_open(file);
        return 0;
}

/* A descriptor comes from another process: SCM_RIGHTS, pidfd_getfd(2), binder. */
SEC("lsm/file_receive")
int BPF_PROG(bw_lsm_file_receive, struct file *file) {
        HOOK_FIRED(BW_HOOK_FILE_RECEIVE);
        on_file_open(file, BW_VIA_RECEIVED);
        return 0;
}

SEC("fexit/security_file_receive")
int BPF_PROG(bw_fexit_file_receive, struct file *file, int ret) {
        HOOK_FIRED(BW_HOOK_FILE_RECEIVE);
        if (!ret)
                on_file_open(file, BW_VIA_RECEIVED);
        return 0;
}

/* ---- sensors "lsm" and "fentry": what is handed on ---- */

/* Every read and write, also by io_uring and splice, before it is done. As long as nobody is marked it costs a look at one
 * counter. */
SEC("lsm/file_permission")
int BPF_PROG(bw_lsm_file_permission, struct file *file, int mask) {
        HOOK_FIRED(BW_HOOK_FILE_PERMISSION);
        on_file_used(file, mask);
        return 0;
}

SEC("fexit/security_file_permission")
int BPF_PROG(bw_fexit_file_permission, struct file *file, int mask, int ret) {
        HOOK_FIRED(BW_HOOK_FILE_PERMISSION);
        if (!ret)
                on_file_used(file, mask);
        return 0;
}

/* A datagram on a unix socket, to an address or not: only here its receiver is known. */
SEC("lsm/unix_may_send")
int BPF_PROG(bw_lsm_unix_may_send, struct socket *socket, struct socket *receiver) {
        HOOK_FIRED(BW_HOOK_UNIX_MAY_SEND);
        on_unix_sending(socket, receiver);
        return 0;
}

SEC("fexit/security_unix_may_send")
int BPF_PROG(bw_fexit_unix_may_send, struct socket *socket, struct socket *receiver, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_MAY_SEND);
        if (!ret)
                on_unix_sending(socket, receiver);
        return 0;
}

/* What came while a reader waited is seen when its read ends: the hooks before it are too early. A pipe's read is called
 * anon_pipe_read since 6.14, and FIFOs have one of their own. */
SEC("fexit/anon_pipe_read")
int BPF_PROG(bw_fexit_pipe_read, struct kiocb *iocb, void *to, long ret) {
        HOOK_FIRED(BW_HOOK_PIPE_READ);
        if (ret > 0)
                on_file_read(BPF_CORE_READ(iocb, ki_filp));
        return 0;
}

SEC("fexit/fifo_pipe_read")
int BPF_PROG(bw_fexit_fifo_read, struct kiocb *iocb, void *to, long ret) {
        HOOK_FIRED(BW_HOOK_FIFO_READ);
        if (ret > 0)
                on_file_read(BPF_CORE_READ(iocb, ki_filp));
        return 0;
}

/* A new terminal is there: at the hooks before it is not. */
SEC("fexit/ptmx_open")
int BPF_PROG(bw_fexit_terminal_open, struct inode *inode, struct file *file, int ret) {
        HOOK_FIRED(BW_HOOK_TERMINAL_OPEN);
        if (!ret && anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                terminal_made(address_of(file));
        return 0;
}

/* A terminal's read, also where it fails: before 5.12 it has other arguments behind the file, and its result another place. */
SEC("fexit/n_tty_read")
int BPF_PROG(bw_fexit_terminal_read, struct tty_struct *tty, struct file *file) {
        HOOK_FIRED(BW_HOOK_TERMINAL_READ);
        on_file_read(file);
        return 0;
}

/* Messages of queues; that one is sent is seen when the call begins, see bw_sys_enter. A kernel may be without either kind. */
SEC("fexit/do_msgrcv")
int BPF_PROG(bw_fexit_queue_receive, int id, void *buffer, unsigned long size, long type, int flags, void *fill, long ret) {
        HOOK_FIRED(BW_HOOK_QUEUE_RECEIVE);
        if (ret >= 0)
                on_queue_received(id);
        return 0;
}

SEC("fexit/do_mq_timedreceive")
int BPF_PROG(bw_fexit_mqueue_receive, int fd) {
        HOOK_FIRED(BW_HOOK_MQUEUE_RECEIVE);
        descriptor_taken(fd);
        return 0;
}

/* A unix socket, of a stream or of packets in sequence, is connected: its path may be an agent's. */
SEC("fexit/unix_stream_connect")
int BPF_PROG(bw_fexit_unix_stream_connect, struct socket *socket, void *address, int size, int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_STREAM_CONNECT);
        if (ret == 0)
                on_unix_connected(socket);
        return 0;
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(bw_fexit_unix_stream_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_STREAM_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

SEC("fexit/unix_seqpacket_recvmsg")
int BPF_PROG(bw_fexit_unix_seqpacket_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_SEQPACKET_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

SEC("fexit/unix_dgram_recvmsg")
int BPF_PROG(bw_fexit_unix_dgram_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_DGRAM_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

/* ---- sensors "lsm" and "fentry": names ---- */

/* A file is renamed, or gets a link: under its new name it is what it was. In kernels with CONFIG_SECURITY_PATH. */
SEC("lsm/path_rename")
int BPF_PROG(bw_lsm_path_rename, struct path *from, struct dentry *dentry, struct path *to, struct dentry *replaced) {
        HOOK_FIRED(BW_HOOK_PATH_RENAME);
        on_name_changed(from, dentry);
        on_name_changed(to, replaced); /* they may be exchanged */
        return 0;
}

SEC("fexit/security_path_rename")
int BPF_PROG(bw_fexit_path_rename, struct path *from, struct dentry *dentry, struct path *to, struct dentry *replaced) {
        HOOK_FIRED(BW_HOOK_PATH_RENAME);
        on_name_changed(from, dentry);
        on_name_changed(to, replaced);
        return 0;
}

/* ---- sensors "lsm" and "fentry": code ---- */

/* mmap(2), shmat(2): of a file as code, of what others share. prot: what is granted, which may be more than was asked for (READ_IMPLIES_EXEC). */
SEC("lsm/mmap_file")
int BPF_PROG(bw_lsm_mmap_file, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags) {
        HOOK_FIRED(BW_HOOK_MMAP_FILE);
        on_mapped((struct file *)address_of(file), prot, flags); /* NULL: the verifier takes the argument for one that is not */
        return 0;
}

/* security_mmap_file() has other arguments than the hook: the file and what was asked for. */
SEC("fexit/security_mmap_file")
int BPF_PROG(bw_fexit_mmap_file, struct file *file, unsigned long prot, unsigned long flags, int ret) {
        HOOK_FIRED(BW_HOOK_MMAP_FILE);
        if (!ret)
                on_mapped((struct file *)address_of(file), prot, flags);
        return 0;
}

/* What was mapped as data becomes code. */
SEC("lsm/file_mprotect")
int BPF_PROG(bw_lsm_file_mprotect, struct vm_area_struct *area, unsigned long reqprot, unsigned long prot) {
        HOOK_FIRED(BW_HOOK_FILE_MPROTECT);
        on_code_protected(area, prot);
        return 0;
}

SEC("fexit/security_file_mprotect")
int BPF_PROG(bw_fexit_file_mprotect, struct vm_area_struct *area, unsigned long reqprot, unsigned long prot, int ret) {
        HOOK_FIRED(BW_HOOK_FILE_MPROTECT);
        if (!ret)
                on_code_protected(area, prot);
        return 0;
}

/* ptrace(2) attaches, process_vm_readv(2), process_vm_writev(2), pidfd_getfd(2): access to another process's memory. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(bw_lsm_ptrace_access_check, struct task_struct *child, unsigned int mode) {
        HOOK_FIRED(BW_HOOK_PTRACE_ACCESS_CHECK);
        on_memory_access(child, mode);
        return 0;
}

SEC("fexit/security_ptrace_access_check")
int BPF_PROG(bw_fexit_ptrace_access_check, struct task_struct *child, unsigned int mode, int ret) {
        HOOK_FIRED(BW_HOOK_PTRACE_ACCESS_CHECK);
        if (!ret)
                on_memory_access(child, mode);
        return 0;
}

/* Every read and write of ptrace(2): the one who traces may have come by a secret since it attached, and no LSM is asked
 * again. The traced one is stopped. Since 4.9. */
SEC("fexit/ptrace_access_vm")
int BPF_PROG(bw_fexit_ptrace_access_vm, struct task_struct *child, unsigned long at, void *buffer, int length,
        unsigned int flags, int ret) {
        HOOK_FIRED(BW_HOOK_PTRACE_ACCESS_VM);
        if (ret > 0)
                on_traced_access(child, flags);
        return 0;
}

/* ---- sensors "lsm" and "fentry": egress ---- */

SEC("lsm/socket_connect")
int BPF_PROG(bw_lsm_socket_connect, struct socket *socket, void *address, int length) {
        HOOK_FIRED(BW_HOOK_SOCKET_CONNECT);
        on_socket_connect(socket, address, length);
        return 0;
}

SEC("fexit/security_socket_connect")
int BPF_PROG(bw_fexit_socket_connect, struct socket *socket, void *address, int length, int ret) {
        HOOK_FIRED(BW_HOOK_SOCKET_CONNECT);
        if (!ret)
                on_socket_connect(socket, address, length);
        return 0;
}

/* Every message, on whatever socket it goes out. Kernels before 6.5 send page by page, without a message, what sendfile(2) and
 * splice(2) give to TCP: those calls are seen when they begin, see bw_sys_enter. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(bw_lsm_socket_sendmsg, struct socket *socket, struct msghdr *message) {
        HOOK_FIRED(BW_HOOK_SOCKET_SENDMSG);
        on_socket_sendmsg(socket, message);
        on_unix_sending(socket, NULL);
        return 0;
}

SEC("fexit/security_socket_sendmsg")
int BPF_PROG(bw_fexit_socket_sendmsg, struct socket *socket, struct msghdr *message, int size, int ret) {
        HOOK_FIRED(BW_HOOK_SOCKET_SENDMSG);
        if (!ret) {
                on_socket_sendmsg(socket, message);
                on_unix_sending(socket, NULL);
        }
        return 0;
}

/* The end of accept(2): at security_socket_accept() the peer is not known yet, here it is. */
SEC("lsm/sock_graft")
int BPF_PROG(bw_lsm_sock_graft, struct sock *sk) {
        HOOK_FIRED(BW_HOOK_SOCK_GRAFT);
        on_accepted(sk);
        return 0;
}

SEC("fexit/security_sock_graft")
int BPF_PROG(bw_fexit_sock_graft, struct sock *sk) {
        HOOK_FIRED(BW_HOOK_SOCK_GRAFT);
        on_accepted(sk);
        return 0;
}
