/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of contents: every program, and why it is attached where it is. No logic: the bodies are in the
 * headers and do not know which hook called them. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/hooks.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/terminal.bpf.h"
#include "process/identity.bpf.h"
#include "process/lifecycle.bpf.h"
#include "process/ptrace.bpf.h"
#include "egress/egress.bpf.h"
#include "files/access.bpf.h"
#include "files/called.bpf.h"
#include "files/classify.bpf.h"
#include "files/file.bpf.h"
#include "files/flow.bpf.h"
#include "files/names.bpf.h"
#include "files/queues.bpf.h"
#include "files/returned.bpf.h"
#include "files/uring.bpf.h"

char LICENSE[] SEC("license") =
                "GPL"; /* the helpers that read kernel memory are GPL-only; we are GPL-2.0-or-later */

/* Shows the daemon that the hook fires. Reads first, so that the cache line stays shared between CPUs. */
#define HOOK_FIRED(hook)                                                                                    \
        do {                                                                                                \
                if (!shared.fired[hook])                                                                    \
                        shared.fired[hook] = 1;                                                             \
        } while (0)

/* ---- sensor "tracepoint": opens ---- */

/* Return of open, creat, openat, openat2, open_by_handle_at: the descriptor is in the table, and the caller
 * has not used it yet. Of mmap: mapped code has not run yet. Of read and similar, while any object is
 * marked: the caller has not seen the data yet. Costs a call on every system call (a tracepoint per system
 * call would need tracefs and perf events). Misses a descriptor that another thread replaced between open
 * and here. Since 5.5. */
SEC("tp_btf/sys_exit")
int BPF_PROG(bw_sys_exit, struct pt_regs *regs, long ret) {
        HOOK_FIRED(BW_HOOK_SYS_EXIT);
        __u32 tail = on_call_returned(regs, ret);
        if (tail < BW_TAIL_MAX) {
                bpf_tail_call(ctx, &bw_tails, tail);
                report_loss(BW_LOSS_CALL_UNKNOWN); /* it returns only if the table is empty */
        }
        return 0;
}

/* Parts of it, by BW_TAILS; no hook calls these. They may make no tail call themselves, and are in the array
 * of this one program's hook: since 6.12 the kernel takes no others. In programs that call functions they
 * need 5.10 on x86_64 and 6.0 on arm64. */
SEC("tp_btf/sys_exit")
int BPF_PROG(bw_returned_memory, struct pt_regs *regs, long ret) {
        on_memory_returned(regs);
        return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(bw_returned_data, struct pt_regs *regs, long ret) {
        on_data_returned(regs, ret);
        return 0;
}

/* Entry of write, send, splice and similar: the object that a marked process writes to is marked before the
 * data is there, as its reader may return before this call does. While nothing is marked it costs a look at
 * two counters. Misses io_uring. Since 5.5. */
SEC("tp_btf/sys_enter")
int BPF_PROG(bw_sys_enter, struct pt_regs *regs, long id) {
        HOOK_FIRED(BW_HOOK_SYS_ENTER);
        on_call(regs);
        return 0;
}

/* Opens through io_uring do not return from a system call, see files/uring.bpf.h. A request before it is
 * carried out: called io_uring_submit_sqe before 6.3, which the loader knows. */
SEC("tp_btf/io_uring_submit_req")
int bw_uring_submit(unsigned long long *ctx) {
        HOOK_FIRED(BW_HOOK_URING_SUBMIT);
        on_uring_submit((const struct io_kiocb *)uring_submitted(ctx));
        return 0;
}

/* Its completion, before the process sees it. Since 5.10, with its result; with the request itself
 * since 5.19. */
SEC("tp_btf/io_uring_complete")
int bw_uring_complete(unsigned long long *ctx) {
        HOOK_FIRED(BW_HOOK_URING_COMPLETE);
        if (bpf_core_field_exists(struct io_kiocb, cqe))
                on_uring_complete(address_of((const void *)ctx[0]), (const struct io_kiocb *)ctx[1]);
        else
                on_uring_result(ctx[0], ctx[2]);
        return 0;
}

/* A completion that does not fit into the queue: before 5.18 the hook above fires for it, too. */
SEC("tp_btf/io_uring_cqe_overflow")
int bw_uring_overflow(unsigned long long *ctx) {
        HOOK_FIRED(BW_HOOK_URING_OVERFLOW);
        on_uring_overflow(address_of((const void *)ctx[0]));
        return 0;
}

/* The time of the last change of a file is set: by rename, link and unlink before they are done, so that the
 * file is still known by the name that it loses. Three places for one thing: the time is set to another, it
 * is the same already, or the file system has no fine-grained times. Misses file systems whose server keeps
 * the times (NFS, FUSE). Since 6.13; before, no tracepoint has the file. */
SEC("tp_btf/ctime_ns_xchg")
int BPF_PROG(bw_time_changed, struct inode *inode) {
        HOOK_FIRED(BW_HOOK_TIME_CHANGED);
        on_inode_changing(inode);
        return 0;
}

SEC("tp_btf/ctime_xchg_skip")
int BPF_PROG(bw_time_kept, struct inode *inode) {
        HOOK_FIRED(BW_HOOK_TIME_KEPT);
        on_inode_changing(inode);
        return 0;
}

SEC("tp_btf/inode_set_ctime_to_ts")
int BPF_PROG(bw_time_set, struct inode *inode) {
        HOOK_FIRED(BW_HOOK_TIME_SET);
        on_inode_changing(inode);
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
int BPF_PROG(bw_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm) {
        HOOK_FIRED(BW_HOOK_EXEC);
        on_exec(task, bprm);
        on_script(bprm);
        return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(bw_exit, struct task_struct *task) {
        HOOK_FIRED(BW_HOOK_EXIT);
        on_dumped(task);
        on_exit(task);
        return 0;
}

/* Run once by the loader: processes that were there before us. Since 5.8. */
SEC("iter/task")
int bw_iter_task(struct bpf_iter__task *ctx) {
        struct task_struct *task = ctx->task;

        if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
                return 0;
        host_learn();
        /* An entry that the fork hook wrote meanwhile is better: it saw the parent alive. */
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        if (!p || p->depth < 2) {
                process_forget(BPF_CORE_READ(task, tgid));
                process_learn(task);
        }
        process_judge_own(BPF_CORE_READ(task, tgid), (__u64)BPF_CORE_READ(task, group_leader));
        return 0;
}

/* Run once by the loader, after all hooks are attached: files that are mapped, as those may be closed by
 * now. Since 5.12. */
SEC("iter/task_vma")
int bw_iter_task_vma(struct bpf_iter__task_vma *ctx) {
        struct task_struct *task = ctx->task;
        struct vm_area_struct *area = ctx->vma;
        struct file *file = task && area ? BPF_CORE_READ(area, vm_file) : NULL;

        if (file)
                on_file_found((struct task_struct *)address_of(task), file);
        return 0;
}

/* Run once by the loader, after all hooks are attached: files that were open before us. A descriptor table
 * that threads share comes once (kernel/bpf/task_iter.c). Misses files in transit in a socket or registered
 * with io_uring. Since 5.8. */
SEC("iter/task_file")
int bw_iter_task_file(struct bpf_iter__task_file *ctx) {
        struct task_struct *task = ctx->task;
        struct file *file = ctx->file;

        if (task && file)
                on_file_found((struct task_struct *)address_of(task), (struct file *)address_of(file));
        return 0;
}

/* ---- sensor "tracepoint": egress ---- */

/* On the root cgroup2 these fire for every connect(2) and every datagram with an address, of any process in
 * any network namespace, io_uring included, before a packet leaves. They miss data on connected sockets, raw
 * sockets, and families other than inet. connect since 4.17, sendmsg since 4.18. */
SEC("cgroup/connect4")
int bw_connect4(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_CONNECT4);
        return !on_sock_addr4(ctx, BW_ACT_CONNECT);
}

SEC("cgroup/connect6")
int bw_connect6(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_CONNECT6);
        return !on_sock_addr6(ctx, BW_ACT_CONNECT);
}

SEC("cgroup/sendmsg4")
int bw_sendmsg4(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_SENDMSG4);
        bool refused = on_sock_addr4(ctx, BW_ACT_SEND);
        if (!refused)
                datagram_allowed(address_of(ctx->sk));
        return !refused;
}

SEC("cgroup/sendmsg6")
int bw_sendmsg6(struct bpf_sock_addr *ctx) {
        HOOK_FIRED(BW_HOOK_SENDMSG6);
        bool refused = on_sock_addr6(ctx, BW_ACT_SEND);
        if (!refused)
                datagram_allowed(address_of(ctx->sk));
        return !refused;
}

/* Every packet of IP that a process of this machine sends, before it leaves, in the context of the thread
 * that sends it or, on a connection, of whatever makes room for it. Attached only while a class has
 * Action=deny. Misses packets that do not come with the socket that they were sent on: those of multipath
 * TCP, SCTP and packet sockets. Since 4.10. */
SEC("cgroup_skb/egress")
int bw_deny_data(struct __sk_buff *packet) {
        HOOK_FIRED(BW_HOOK_DENY_DATA);
        return !on_packet(packet);
}

/* After data was sent on a socket of any family, by write, send, sendfile, splice or io_uring, in the
 * sender's context. The peer of a connected socket is known here, the address of a single datagram is not;
 * for inet the hooks above have it. Since 6.5. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(bw_send_length, struct sock *sk, int length) {
        HOOK_FIRED(BW_HOOK_SEND_LENGTH);
        memory_arrive();
        on_sent(sk, length);
        return 0;
}

/* ---- sensors "lsm" and "fentry": opens ----
 *
 * The same bodies are attached to two families of hooks. LSM programs run where the kernel asks whether an
 * operation is allowed, before it is carried out; they need "bpf" in the kernel's list of LSMs
 * (security.lsm=, CONFIG_LSM) and CONFIG_BPF_LSM, since 5.7. Where it is not in the list, fexit programs are
 * attached to the functions that ask all LSMs: they see operations that were allowed, and need nothing but
 * BTF, since 5.5. Both cover every path to an operation, io_uring included, and get the kernel's object, not
 * a name. */

/* Every open except O_PATH, before the caller has the descriptor. An overlay asks twice, see
 * on_kernel_open(). */
SEC("lsm/file_open")
int BPF_PROG(bw_lsm_file_open, struct file *file) {
        HOOK_FIRED(BW_HOOK_FILE_OPEN);
        return HOOK_ANSWER(on_kernel_open(file, true), EACCES);
}

SEC("fexit/security_file_open")
int BPF_PROG(bw_fexit_file_open, struct file *file, int ret) {
        HOOK_FIRED(BW_HOOK_FILE_OPEN);
        if (!ret)
                on_kernel_open(file, false);
        return 0;
}

/* Runs before the function, in whose place it gives the answer: see the egress of the sensor fentry below.
 * Attached only while a class has Access=allowed. Misses what any program of this kind misses: opens by
 * which it would interrupt itself, on kernels that preempt everywhere. */
SEC("fmod_ret/security_file_open")
int BPF_PROG(bw_deny_file_open, struct file *file, int ret) {
        HOOK_FIRED(BW_HOOK_DENY_OPEN);
        if (ret)
                return ret;
        return HOOK_ANSWER(on_kernel_opening(file), EACCES);
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

/* ---- sensors "lsm" and "fentry": propagation ---- */

/* Every read and write, also by io_uring and splice, before it is done. While nothing is marked it costs a
 * look at one counter. */
SEC("lsm/file_permission")
int BPF_PROG(bw_lsm_file_permission, struct file *file, int mask) {
        HOOK_FIRED(BW_HOOK_FILE_PERMISSION);
        return hook_answer(on_file_used(file, mask, ACT_DENIES));
}

SEC("fexit/security_file_permission")
int BPF_PROG(bw_fexit_file_permission, struct file *file, int mask, int ret) {
        HOOK_FIRED(BW_HOOK_FILE_PERMISSION);
        if (!ret)
                on_file_used(file, mask, 0);
        return 0;
}

/* A datagram on a unix socket, with or without an address: only here its receiver is known. */
SEC("lsm/unix_may_send")
int BPF_PROG(bw_lsm_unix_may_send, struct socket *socket, struct socket *receiver) {
        HOOK_FIRED(BW_HOOK_UNIX_MAY_SEND);
        return hook_answer(on_unix_sending(socket, receiver, ACT_DENIES));
}

SEC("fexit/security_unix_may_send")
int BPF_PROG(bw_fexit_unix_may_send, struct socket *socket, struct socket *receiver, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_MAY_SEND);
        if (!ret)
                on_unix_sending(socket, receiver, 0);
        return 0;
}

/* Data that arrives while a reader is blocked is only there when the read returns: file_permission fires too
 * early. The read of a pipe is called anon_pipe_read since 6.14, and FIFOs have their own. */
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

/* After a pseudo-terminal was created: at file_open it does not exist yet. */
SEC("fexit/ptmx_open")
int BPF_PROG(bw_fexit_terminal_open, struct inode *inode, struct file *file, int ret) {
        HOOK_FIRED(BW_HOOK_TERMINAL_OPEN);
        if (!ret && anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                terminal_made(address_of(file));
        return 0;
}

/* The read of a terminal, also a failed one: before 5.12 the function has other arguments after the file, so
 * its result is elsewhere. */
SEC("fexit/n_tty_read")
int BPF_PROG(bw_fexit_terminal_read, struct tty_struct *tty, struct file *file) {
        HOOK_FIRED(BW_HOOK_TERMINAL_READ);
        on_file_read(file);
        return 0;
}

/* Receiving from a message queue; bw_sys_enter handles sending. A kernel may be built without either kind.
 */
SEC("fexit/do_msgrcv")
int BPF_PROG(bw_fexit_queue_receive, int id, void *buffer, unsigned long size, long type, int flags,
                void *fill, long ret) {
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

/* A SOCK_STREAM or SOCK_SEQPACKET unix socket is connected: its path may be an agent's. */
SEC("fexit/unix_stream_connect")
int BPF_PROG(bw_fexit_unix_stream_connect, struct socket *socket, void *address, int size, int flags,
                int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_STREAM_CONNECT);
        if (ret == 0)
                on_unix_connected(socket);
        return 0;
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(bw_fexit_unix_stream_recvmsg, struct socket *socket, struct msghdr *message, __u64 size,
                int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_STREAM_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

SEC("fexit/unix_seqpacket_recvmsg")
int BPF_PROG(bw_fexit_unix_seqpacket_recvmsg, struct socket *socket, struct msghdr *message, __u64 size,
                int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_SEQPACKET_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

SEC("fexit/netlink_recvmsg")
int BPF_PROG(bw_fexit_netlink_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags,
                int ret) {
        HOOK_FIRED(BW_HOOK_NETLINK_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

/* TCP and UDP, within this host. */
SEC("fexit/inet_recvmsg")
int BPF_PROG(bw_fexit_inet_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags,
                int ret) {
        HOOK_FIRED(BW_HOOK_INET_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(bw_fexit_inet6_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags,
                int ret) {
        HOOK_FIRED(BW_HOOK_INET6_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

SEC("fexit/unix_dgram_recvmsg")
int BPF_PROG(bw_fexit_unix_dgram_recvmsg, struct socket *socket, struct msghdr *message, __u64 size,
                int flags, int ret) {
        HOOK_FIRED(BW_HOOK_UNIX_DGRAM_RECVMSG);
        if (ret > 0)
                on_socket_received(socket);
        return 0;
}

/* ---- sensors "lsm" and "fentry": names ---- */

/* A file gets a second name, loses one, or is renamed: it keeps the classes of the names that it had. A link
 * is made on the mount that the file was reached by. These hooks need CONFIG_SECURITY_PATH, and miss what
 * file servers in the kernel do. */
SEC("lsm/path_link")
int BPF_PROG(bw_lsm_path_link, struct dentry *old, struct path *directory) {
        HOOK_FIRED(BW_HOOK_PATH_LINK);
        on_name_changed(directory, old);
        return 0;
}

SEC("fexit/security_path_link")
int BPF_PROG(bw_fexit_path_link, struct dentry *old, struct path *directory) {
        HOOK_FIRED(BW_HOOK_PATH_LINK);
        on_name_changed(directory, old);
        return 0;
}

SEC("lsm/path_unlink")
int BPF_PROG(bw_lsm_path_unlink, struct path *directory, struct dentry *dentry) {
        HOOK_FIRED(BW_HOOK_PATH_UNLINK);
        on_name_removed(directory, dentry);
        return 0;
}

SEC("fexit/security_path_unlink")
int BPF_PROG(bw_fexit_path_unlink, struct path *directory, struct dentry *dentry) {
        HOOK_FIRED(BW_HOOK_PATH_UNLINK);
        on_name_removed(directory, dentry);
        return 0;
}

SEC("lsm/path_rename")
int BPF_PROG(bw_lsm_path_rename, struct path *from, struct dentry *dentry, struct path *to,
                struct dentry *replaced) {
        HOOK_FIRED(BW_HOOK_PATH_RENAME);
        on_name_changed(from, dentry);
        on_name_changed(to, replaced); /* they may be exchanged */
        return 0;
}

SEC("fexit/security_path_rename")
int BPF_PROG(bw_fexit_path_rename, struct path *from, struct dentry *dentry, struct path *to,
                struct dentry *replaced) {
        HOOK_FIRED(BW_HOOK_PATH_RENAME);
        on_name_changed(from, dentry);
        on_name_changed(to, replaced);
        return 0;
}

/* ---- sensors "lsm" and "fentry": code ---- */

/* mmap(2), shmat(2): code, and memory that other processes share. prot: what is granted, which may be more
 * than was requested (READ_IMPLIES_EXEC). */
SEC("lsm/mmap_file")
int BPF_PROG(bw_lsm_mmap_file, struct file *file, unsigned long reqprot, unsigned long prot,
                unsigned long flags) {
        HOOK_FIRED(BW_HOOK_MMAP_FILE);
        /* may be NULL, which the verifier does not expect of the argument */
        return hook_answer(on_mapped((struct file *)address_of(file), prot, flags, ACT_DENIES));
}

/* security_mmap_file() has other arguments than the LSM hook: the file and the requested protection. */
SEC("fexit/security_mmap_file")
int BPF_PROG(bw_fexit_mmap_file, struct file *file, unsigned long prot, unsigned long flags, int ret) {
        HOOK_FIRED(BW_HOOK_MMAP_FILE);
        if (!ret)
                on_mapped((struct file *)address_of(file), prot, flags, 0);
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
int BPF_PROG(bw_fexit_file_mprotect, struct vm_area_struct *area, unsigned long reqprot, unsigned long prot,
                int ret) {
        HOOK_FIRED(BW_HOOK_FILE_MPROTECT);
        if (!ret)
                on_code_protected(area, prot);
        return 0;
}

/* ptrace(2) attaches, process_vm_readv(2), process_vm_writev(2), pidfd_getfd(2): access to another process's
 * memory. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(bw_lsm_ptrace_access_check, struct task_struct *child, unsigned int mode) {
        HOOK_FIRED(BW_HOOK_PTRACE_ACCESS_CHECK);
        on_memory_read(on_memory_access(child, mode));
        return 0;
}

SEC("fexit/security_ptrace_access_check")
int BPF_PROG(bw_fexit_ptrace_access_check, struct task_struct *child, unsigned int mode, int ret) {
        HOOK_FIRED(BW_HOOK_PTRACE_ACCESS_CHECK);
        if (!ret)
                on_memory_read(on_memory_access(child, mode));
        return 0;
}

/* Every read and write by ptrace(2): the tracer may have read a sensitive file since it attached, and no LSM
 * is asked again. The tracee is stopped. Since 4.9. */
SEC("fexit/ptrace_access_vm")
int BPF_PROG(bw_fexit_ptrace_access_vm, struct task_struct *child, unsigned long at, void *buffer,
                int length, unsigned int flags, int ret) {
        HOOK_FIRED(BW_HOOK_PTRACE_ACCESS_VM);
        if (ret > 0)
                on_memory_read(on_traced_access(child, flags));
        return 0;
}

/* ---- sensors "lsm" and "fentry": egress ----
 *
 * What an LSM program returns is the answer to the process. With the sensor fentry, programs that run before
 * the function give the answer in its place (fmod_ret, since 5.7, for functions whose name begins with
 * security_): these are attached only while a class has Action=deny, and look for that alone. The fexit
 * programs run after them, and report everything else. */

SEC("fmod_ret/security_socket_connect")
int BPF_PROG(bw_deny_socket_connect, struct socket *socket, void *address, int length, int ret) {
        HOOK_FIRED(BW_HOOK_DENY_CONNECT);
        if (ret)
                return ret;
        return hook_answer(on_socket_connect(socket, address, length, ACT_DENIES | ACT_ONLY_DENIES));
}

SEC("fmod_ret/security_socket_sendmsg")
int BPF_PROG(bw_deny_socket_sendmsg, struct socket *socket, struct msghdr *message, int size, int ret) {
        HOOK_FIRED(BW_HOOK_DENY_SENDMSG);
        if (ret)
                return ret;
        bool denied = on_socket_sendmsg(socket, message, ACT_DENIES | ACT_ONLY_DENIES);
        return hook_answer(on_unix_sending(socket, NULL, ACT_DENIES | ACT_ONLY_DENIES) || denied);
}

SEC("lsm/socket_connect")
int BPF_PROG(bw_lsm_socket_connect, struct socket *socket, void *address, int length) {
        HOOK_FIRED(BW_HOOK_SOCKET_CONNECT);
        return hook_answer(on_socket_connect(socket, address, length, ACT_DENIES));
}

SEC("fexit/security_socket_connect")
int BPF_PROG(bw_fexit_socket_connect, struct socket *socket, void *address, int length, int ret) {
        HOOK_FIRED(BW_HOOK_SOCKET_CONNECT);
        if (!ret)
                on_socket_connect(socket, address, length, ACT_DENIED_BEFORE);
        return 0;
}

/* Every message on any socket. Before 6.5 sendfile(2) and splice(2) to TCP send pages without a message:
 * bw_sys_enter handles these calls. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(bw_lsm_socket_sendmsg, struct socket *socket, struct msghdr *message) {
        HOOK_FIRED(BW_HOOK_SOCKET_SENDMSG);
        bool denied = on_socket_sendmsg(socket, message, ACT_DENIES);
        return hook_answer(on_unix_sending(socket, NULL, ACT_DENIES) || denied);
}

SEC("fexit/security_socket_sendmsg")
int BPF_PROG(bw_fexit_socket_sendmsg, struct socket *socket, struct msghdr *message, int size, int ret) {
        HOOK_FIRED(BW_HOOK_SOCKET_SENDMSG);
        if (!ret) {
                on_socket_sendmsg(socket, message, ACT_DENIED_BEFORE);
                on_unix_sending(socket, NULL, ACT_DENIED_BEFORE);
        }
        return 0;
}

/* The end of accept(2), where the peer is known; at security_socket_accept() it is not yet. */
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
