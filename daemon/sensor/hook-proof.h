/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Actions of the daemon that make hooks fire, since a hook can be attached and never fire. None needs
 * privilege, sends a packet or leaves anything behind. Each returns 0, or a negative errno if it could not
 * be done: the hook is then not tested. */

int act_open(void);
/* Sends a message with a descriptor over a socket pair, and receives it. */
int act_pass_descriptor(void);
/* Maps memory and changes its protection. */
int act_map(void);
int act_time(void);
/* Connects to a unix socket with an abstract name that the kernel chooses, and accepts the connection. */
int act_connect(void);
/* Submits a no-op to an io_uring. -EPERM, -ENOSYS: the daemon may not use io_uring, so at most root can
 * (kernel.io_uring_disabled). */
int act_uring(void);
/* Forks a child, reads its entry in /proc, and lets it exit. */
int act_child(void);
