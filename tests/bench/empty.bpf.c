/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The yardstick: programs on the hooks that barbwire uses, which do nothing. What barbwire costs beyond
 * these is its own doing; what these cost is the kernel's. */

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define EMPTY(section, name, verdict)                                                                       \
        SEC(section) int name(void *ctx) {                                                                  \
                (void)ctx;                                                                                  \
                return verdict;                                                                             \
        }

EMPTY("tp_btf/sys_exit", empty_sys_exit, 0)
EMPTY("tp_btf/sched_process_fork", empty_fork, 0)
EMPTY("tp_btf/sched_process_exec", empty_exec, 0)
EMPTY("tp_btf/sched_process_exit", empty_exit, 0)
EMPTY("cgroup/connect4", empty_connect4, 1)
EMPTY("cgroup/connect6", empty_connect6, 1)
EMPTY("cgroup/sendmsg4", empty_sendmsg4, 1)
EMPTY("cgroup/sendmsg6", empty_sendmsg6, 1)
EMPTY("tp_btf/sock_send_length", empty_send_length, 0)
