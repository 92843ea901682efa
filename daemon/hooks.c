/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "hook-proof.h"
#include "hooks.h"
#include "util.h"

static const char *const kind_names[SENSOR_KINDS + 1] = { "lsm", "fentry", "tracepoint", "auto" };

const char *sensor_kind_to_string(SensorKind kind) {
        return kind_names[kind];
}

int sensor_kind_from_string(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(kind_names); i++)
                if (strcmp(kind_names[i], name) == 0)
                        return i;
        return -EINVAL;
}

#define EVERY_SENSOR(section) { section, section, section }
#define LSM_AND_FENTRY(hook) { "lsm/" hook, "fexit/security_" hook, NULL }
/* Where there is no LSM hook. */
#define LSM_FENTRY_FEXIT(function) { "fexit/" function, "fexit/" function, NULL }
#define TRACEPOINT(section) { NULL, NULL, section }

const HookInfo hook_infos[BW_HOOK_MAX] = {
        [BW_HOOK_FORK] = {
                .sections = EVERY_SENSOR("tp_btf/sched_process_fork"),
                .essential = true,
                .blinds = "children of a process that touched a secret",
                .act = act_child,
        },
        [BW_HOOK_EXEC] = {
                .sections = EVERY_SENSOR("tp_btf/sched_process_exec"),
                .essential = true,
                .blinds = "programs that a process turns into",
        },
        [BW_HOOK_EXIT] = {
                .sections = EVERY_SENSOR("tp_btf/sched_process_exit"),
                .essential = true,
                .blinds = "the end of processes",
                .act = act_child,
        },
        [BW_HOOK_SYS_ENTER] = {
                .sections = EVERY_SENSOR("tp_btf/sys_enter"), /* no hook is asked when pages move into or out of a pipe */
                .blinds = "secrets that a process hands on by a pipe, a unix socket or a file",
                .act = act_open,
        },
        [BW_HOOK_SYS_EXIT] = {
                .sections = TRACEPOINT("tp_btf/sys_exit"),
                .essential = true,
                .blinds = "opens of sensitive files",
                .act = act_open,
        },
        [BW_HOOK_URING_SUBMIT] = {
                .sections = TRACEPOINT("tp_btf/io_uring_submit_req"),
                .formerly = "io_uring_submit_sqe",
                .blinds = "files that are opened through io_uring and sent away in one batch",
                .act = act_uring,
        },
        [BW_HOOK_URING_COMPLETE] = {
                .sections = TRACEPOINT("tp_btf/io_uring_complete"),
                .blinds = "files that are opened through io_uring",
                .act = act_uring,
        },
        [BW_HOOK_URING_OVERFLOW] = {
                .sections = TRACEPOINT("tp_btf/io_uring_cqe_overflow"),
                .dispensable = true,
                .blinds = "that a file was opened through a ring of io_uring that was full",
        },
        /* The daemon may make no internet socket (RestrictAddressFamilies= of its unit): nothing proves these. */
        [BW_HOOK_CONNECT4] = {
                .sections = TRACEPOINT("cgroup/connect4"),
                .cgroup = BPF_CGROUP_INET4_CONNECT,
                .essential = true,
                .blinds = "connections by IPv4",
        },
        [BW_HOOK_CONNECT6] = {
                .sections = TRACEPOINT("cgroup/connect6"),
                .cgroup = BPF_CGROUP_INET6_CONNECT,
                .essential = true,
                .blinds = "connections by IPv6",
        },
        [BW_HOOK_SENDMSG4] = {
                .sections = TRACEPOINT("cgroup/sendmsg4"),
                .cgroup = BPF_CGROUP_UDP4_SENDMSG,
                .essential = true,
                .blinds = "datagrams by IPv4",
        },
        [BW_HOOK_SENDMSG6] = {
                .sections = TRACEPOINT("cgroup/sendmsg6"),
                .cgroup = BPF_CGROUP_UDP6_SENDMSG,
                .essential = true,
                .blinds = "datagrams by IPv6",
        },
        [BW_HOOK_SEND_LENGTH] = {
                .sections = TRACEPOINT("tp_btf/sock_send_length"),
                .blinds = "data sent on connections that were there before the file was opened, accepted connections, raw "
                          "sockets",
                .act = act_pass_descriptor,
        },
        [BW_HOOK_FILE_OPEN] = {
                .sections = LSM_AND_FENTRY("file_open"),
                .essential = true,
                .elsewhere = true,
                .blinds = "opens of sensitive files",
                .act = act_open,
        },
        [BW_HOOK_FILE_RECEIVE] = {
                .sections = LSM_AND_FENTRY("file_receive"),
                .blinds = "sensitive files that another process opened and passed on as a descriptor",
                .act = act_pass_descriptor,
        },
        [BW_HOOK_MMAP_FILE] = {
                .sections = LSM_AND_FENTRY("mmap_file"),
                .elsewhere = true,
                .blinds = "foreign code that an allowed program loads",
                .act = act_map,
        },
        [BW_HOOK_FILE_MPROTECT] = {
                .sections = LSM_AND_FENTRY("file_mprotect"),
                .blinds = "foreign code that an allowed program maps as data first",
                .act = act_map,
        },
        [BW_HOOK_PTRACE_ACCESS_CHECK] = {
                .sections = LSM_AND_FENTRY("ptrace_access_check"),
                .blinds = "secrets that are read from, or written to, another process's memory",
                .act = act_child,
        },
        [BW_HOOK_PTRACE_ACCESS_VM] = {
                .sections = { "fexit/ptrace_access_vm", "fexit/ptrace_access_vm", NULL },
                .blinds = "secrets that are read from, or written to, the memory of a process that was traced before",
        },
        [BW_HOOK_PATH_RENAME] = {
                .sections = LSM_AND_FENTRY("path_rename"),
                .blinds = "sensitive files that were moved elsewhere before they were opened",
        },
        [BW_HOOK_FILE_PERMISSION] = {
                .sections = LSM_AND_FENTRY("file_permission"),
                .elsewhere = true,
                .blinds = "secrets that a process hands on by a pipe or a file",
                .act = act_open,
        },
        [BW_HOOK_UNIX_MAY_SEND] = {
                .sections = LSM_AND_FENTRY("unix_may_send"),
                .blinds = "secrets that a process hands on by a unix datagram",
                .act = act_pass_descriptor,
        },
        [BW_HOOK_PIPE_READ] = {
                .sections = LSM_FENTRY_FEXIT("anon_pipe_read"),
                .formerly = "pipe_read",
                .elsewhere = true,
                .blinds = "secrets that a process waited for at a pipe",
                .act = act_child,
        },
        [BW_HOOK_FIFO_READ] = {
                .sections = LSM_FENTRY_FEXIT("fifo_pipe_read"),
                .dispensable = true,
                .elsewhere = true,
                .blinds = "secrets that a process waited for at a FIFO",
        },
        [BW_HOOK_TERMINAL_OPEN] = {
                .sections = LSM_FENTRY_FEXIT("ptmx_open"),
                .elsewhere = true,
                .blinds = "that a terminal is a new one, with nothing on it",
        },
        [BW_HOOK_TERMINAL_READ] = {
                .sections = LSM_FENTRY_FEXIT("n_tty_read"),
                .elsewhere = true,
                .blinds = "secrets that a process waited for at a terminal",
        },
        [BW_HOOK_QUEUE_RECEIVE] = {
                .sections = LSM_FENTRY_FEXIT("do_msgrcv"),
                .dispensable = true,
                .elsewhere = true,
                .blinds = "secrets that a process received from a message queue of System V's",
        },
        [BW_HOOK_MQUEUE_RECEIVE] = {
                .sections = LSM_FENTRY_FEXIT("do_mq_timedreceive"),
                .dispensable = true,
                .elsewhere = true,
                .blinds = "secrets that a process received from a message queue of POSIX's",
        },
        [BW_HOOK_UNIX_STREAM_CONNECT] = {
                .sections = LSM_FENTRY_FEXIT("unix_stream_connect"),
                .elsewhere = true,
                .blinds = "agents that are asked to use a key",
        },
        [BW_HOOK_UNIX_STREAM_RECVMSG] = {
                .sections = LSM_FENTRY_FEXIT("unix_stream_recvmsg"),
                .elsewhere = true,
                .blinds = "secrets that a process waited for at a unix stream socket",
        },
        [BW_HOOK_UNIX_SEQPACKET_RECVMSG] = {
                .sections = LSM_FENTRY_FEXIT("unix_seqpacket_recvmsg"),
                .elsewhere = true,
                .blinds = "secrets that a process waited for at a unix socket of packets in sequence",
        },
        [BW_HOOK_UNIX_DGRAM_RECVMSG] = {
                .sections = LSM_FENTRY_FEXIT("unix_dgram_recvmsg"),
                .elsewhere = true,
                .blinds = "secrets that a process waited for at a unix datagram socket",
                .act = act_pass_descriptor,
        },
        [BW_HOOK_SOCKET_CONNECT] = {
                .sections = LSM_AND_FENTRY("socket_connect"),
                .essential = true,
                .elsewhere = true,
                .blinds = "connections",
                .act = act_connect,
        },
        [BW_HOOK_SOCKET_SENDMSG] = {
                .sections = LSM_AND_FENTRY("socket_sendmsg"),
                .essential = true,
                .elsewhere = true,
                .blinds = "data sent",
                .act = act_pass_descriptor,
        },
        [BW_HOOK_SOCK_GRAFT] = {
                .sections = LSM_AND_FENTRY("sock_graft"),
                .blinds = "connections that a process accepts",
                .act = act_connect,
        },
};
