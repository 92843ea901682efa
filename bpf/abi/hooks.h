/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every hook, whichever sensor it belongs to: one line each, in the order in which they are attached.
 * Processes come first, so that every open and every egress finds its process known; opens come last, so
 * that every process that gets marked is monitored. Why a hook is needed and what it misses is said at its
 * program in barbwire.bpf.c.
 *
 * X(enumerator, not monitored without it, sections of its program, …). What follows the sections are further
 * members of HookInfo; only daemon/sensor/hooks.c expands them, and daemon/sensor/hooks.h explains them. */

/* Sections of the sensors lsm, fentry and tracepoint; NULL: the hook is not part of that sensor. */
#define BW_EVERY_SENSOR(section)                                                                            \
        { section, section, section }
#define BW_TRACEPOINT(section)                                                                              \
        { NULL, NULL, section }
#define BW_LSM_HOOK(hook)                                                                                   \
        { "lsm/" hook, "fexit/security_" hook, NULL }
#define BW_FUNCTION(function)                                                                               \
        { "fexit/" function, "fexit/" function, NULL } /* there is no LSM hook */
#define BW_FENTRY(section)                                                                                  \
        { NULL, section, NULL }

/* clang-format off */
#define BW_HOOKS(X)                                                                                        \
        X(FORK, "children of marked processes",                                                            \
                BW_EVERY_SENSOR("tp_btf/sched_process_fork"), .essential = true, .act = act_child)         \
        X(EXEC, "programs that marked processes execute (execve)",                                         \
                BW_EVERY_SENSOR("tp_btf/sched_process_exec"), .essential = true)                           \
        X(EXIT, "the end of processes",                                                                    \
                BW_EVERY_SENSOR("tp_btf/sched_process_exit"), .essential = true, .act = act_child)         \
        /* The daemon may not create an internet socket (RestrictAddressFamilies= of its unit), so it      \
         * cannot make these four fire. */                                                                 \
        X(CONNECT4, "connections over IPv4",                                                               \
                BW_TRACEPOINT("cgroup/connect4"), .essential = true, .cgroup = BPF_CGROUP_INET4_CONNECT)   \
        X(CONNECT6, "connections over IPv6",                                                               \
                BW_TRACEPOINT("cgroup/connect6"), .essential = true, .cgroup = BPF_CGROUP_INET6_CONNECT)   \
        X(SENDMSG4, "datagrams over IPv4",                                                                 \
                BW_TRACEPOINT("cgroup/sendmsg4"), .essential = true, .cgroup = BPF_CGROUP_UDP4_SENDMSG)    \
        X(SENDMSG6, "datagrams over IPv6",                                                                 \
                BW_TRACEPOINT("cgroup/sendmsg6"), .essential = true, .cgroup = BPF_CGROUP_UDP6_SENDMSG)    \
        X(SEND_LENGTH, "data sent on connections older than the open, on accepted connections and on raw sockets", \
                BW_TRACEPOINT("tp_btf/sock_send_length"), .act = act_pass_descriptor)                      \
        /* In every sensor: no other hook fires when pages are moved into or out of a pipe. */             \
        X(SYS_ENTER, "data that marked processes write to pipes, unix sockets and files",                  \
                BW_EVERY_SENSOR("tp_btf/sys_enter"), .act = act_open)                                      \
        X(SYS_EXIT, "opens of sensitive files",                                                            \
                BW_TRACEPOINT("tp_btf/sys_exit"), .essential = true, .act = act_open)                      \
        X(URING_SUBMIT, "files opened and sent through io_uring in one batch",                             \
                BW_TRACEPOINT("tp_btf/io_uring_submit_req"), .formerly = "io_uring_submit_sqe", .act = act_uring) \
        X(URING_COMPLETE, "files opened through io_uring",                                                 \
                BW_TRACEPOINT("tp_btf/io_uring_complete"), .act = act_uring)                               \
        X(URING_OVERFLOW, "files opened through io_uring while its completion queue was full",             \
                BW_TRACEPOINT("tp_btf/io_uring_cqe_overflow"), .dispensable = true)                        \
        /* What an LSM program returns needs no hook of its own. */                                        \
        X(DENY_CONNECT, "connections",                                                                     \
                BW_FENTRY("fmod_ret/security_socket_connect"), .denies = true, .act = act_connect)         \
        X(DENY_SENDMSG, "data sent",                                                                       \
                BW_FENTRY("fmod_ret/security_socket_sendmsg"), .denies = true, .act = act_pass_descriptor) \
        X(DENY_OPEN, "opens of files of classes with Access=allowed",                                      \
                BW_FENTRY("fmod_ret/security_file_open"), .denies = true, .locks = true, .act = act_open)  \
        X(DENY_DATA, "data sent on connections older than the open, on accepted connections and on raw sockets", \
                BW_TRACEPOINT("cgroup_skb/egress"), .denies = true, .cgroup = BPF_CGROUP_INET_EGRESS)      \
        X(SOCKET_CONNECT, "connections",                                                                   \
                BW_LSM_HOOK("socket_connect"), .essential = true, .elsewhere = true, .act = act_connect)   \
        X(SOCKET_SENDMSG, "data sent",                                                                     \
                BW_LSM_HOOK("socket_sendmsg"), .essential = true, .elsewhere = true, .act = act_pass_descriptor) \
        X(SOCK_GRAFT, "accepted connections",                                                              \
                BW_LSM_HOOK("sock_graft"), .act = act_connect)                                             \
        X(PIPE_READ, "data received by a blocked read from a pipe",                                        \
                BW_FUNCTION("anon_pipe_read"), .formerly = "pipe_read", .elsewhere = true, .act = act_child) \
        X(FIFO_READ, "data received by a blocked read from a FIFO",                                        \
                BW_FUNCTION("fifo_pipe_read"), .dispensable = true, .elsewhere = true)                     \
        X(TERMINAL_OPEN, "the creation of pseudo-terminals, which makes their marks stale",                \
                BW_FUNCTION("ptmx_open"), .elsewhere = true)                                               \
        X(TERMINAL_READ, "data received by a blocked read from a terminal",                                \
                BW_FUNCTION("n_tty_read"), .elsewhere = true)                                              \
        X(QUEUE_RECEIVE, "data received from System V message queues",                                     \
                BW_FUNCTION("do_msgrcv"), .dispensable = true, .elsewhere = true)                          \
        X(MQUEUE_RECEIVE, "data received from POSIX message queues",                                       \
                BW_FUNCTION("do_mq_timedreceive"), .dispensable = true, .elsewhere = true)                 \
        X(UNIX_STREAM_CONNECT, "connections to key agents",                                                \
                BW_FUNCTION("unix_stream_connect"), .elsewhere = true)                                     \
        X(UNIX_STREAM_RECVMSG, "data received by a blocked read from an AF_UNIX SOCK_STREAM socket",       \
                BW_FUNCTION("unix_stream_recvmsg"), .elsewhere = true)                                     \
        X(UNIX_SEQPACKET_RECVMSG, "data received by a blocked read from an AF_UNIX SOCK_SEQPACKET socket", \
                BW_FUNCTION("unix_seqpacket_recvmsg"), .elsewhere = true)                                  \
        X(UNIX_DGRAM_RECVMSG, "data received by a blocked read from an AF_UNIX SOCK_DGRAM socket",         \
                BW_FUNCTION("unix_dgram_recvmsg"), .elsewhere = true, .act = act_pass_descriptor)          \
        X(NETLINK_RECVMSG, "data received from another process by a netlink socket",                       \
                BW_FUNCTION("netlink_recvmsg"), .elsewhere = true)                                         \
        /* The daemon may not create an internet socket. */                                                \
        X(INET_RECVMSG, "data received from another process of this host over IPv4",                       \
                BW_FUNCTION("inet_recvmsg"), .elsewhere = true)                                            \
        X(INET6_RECVMSG, "data received from another process of this host over IPv6",                      \
                BW_FUNCTION("inet6_recvmsg"), .dispensable = true, .elsewhere = true)                      \
        X(UNIX_MAY_SEND, "data that marked processes send as AF_UNIX datagrams",                           \
                BW_LSM_HOOK("unix_may_send"), .act = act_pass_descriptor)                                  \
        X(FILE_PERMISSION, "data that marked processes write to pipes and files",                          \
                BW_LSM_HOOK("file_permission"), .elsewhere = true, .act = act_open)                        \
        X(PATH_RENAME, "sensitive files that were renamed before they were opened",                        \
                BW_LSM_HOOK("path_rename"), .elsewhere = true)                                             \
        X(PATH_LINK, "sensitive files that were linked before they were opened",                           \
                BW_LSM_HOOK("path_link"), .elsewhere = true)                                               \
        X(PATH_UNLINK, "the removal of one of several names of a sensitive file",                          \
                BW_LSM_HOOK("path_unlink"), .elsewhere = true)                                             \
        /* The three of them are what a kernel before 6.13 lacks (BW_LACKS_NAMES). */                      \
        X(TIME_CHANGED, "sensitive files that were renamed or linked before they were opened",             \
                BW_TRACEPOINT("tp_btf/ctime_ns_xchg"), .dispensable = true, .act = act_time)               \
        X(TIME_KEPT, "sensitive files that were renamed or linked as soon as they were made",              \
                BW_TRACEPOINT("tp_btf/ctime_xchg_skip"), .dispensable = true, .act = act_time)             \
        X(TIME_SET, "the same on file systems without fine-grained times",                                 \
                BW_TRACEPOINT("tp_btf/inode_set_ctime_to_ts"), .dispensable = true, .act = act_time)       \
        X(MMAP_FILE, "foreign code that a trusted program maps",                                           \
                BW_LSM_HOOK("mmap_file"), .elsewhere = true, .act = act_map)                               \
        X(FILE_MPROTECT, "foreign code that a trusted program maps as data and makes executable later",    \
                BW_LSM_HOOK("file_mprotect"), .act = act_map)                                              \
        X(PTRACE_ACCESS_CHECK, "reads and writes of another process's memory",                             \
                BW_LSM_HOOK("ptrace_access_check"), .act = act_child)                                      \
        X(PTRACE_ACCESS_VM, "reads and writes of the memory of a process that was attached to earlier (ptrace)", \
                BW_FUNCTION("ptrace_access_vm"))                                                           \
        X(FILE_RECEIVE, "sensitive files that another process opened and passed as a descriptor",          \
                BW_LSM_HOOK("file_receive"), .act = act_pass_descriptor)                                   \
        X(FILE_OPEN, "opens of sensitive files",                                                           \
                BW_LSM_HOOK("file_open"), .essential = true, .elsewhere = true, .act = act_open)
/* clang-format on */

#define BW_HOOK_ENUMERATOR(enumerator, ...) BW_HOOK_##enumerator,
enum bw_hook { BW_HOOKS(BW_HOOK_ENUMERATOR) BW_HOOK_MAX };

/* Programs that another program goes on with by bpf_tail_call(), so that the verifier walks each by itself.
 * X(enumerator, the hook of the program that calls it, its name). */
#define BW_TAILS(X)                                                                                         \
        X(DATA, SYS_EXIT, "bw_returned_data")                                                               \
        X(MEMORY, SYS_EXIT, "bw_returned_memory")

#define BW_TAIL_ENUMERATOR(enumerator, hook, program) BW_TAIL_##enumerator,
enum bw_tail { BW_TAILS(BW_TAIL_ENUMERATOR) BW_TAIL_MAX };
