/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Acts of our own that make hooks run, to see whether they do: a hook can be attached and never run. None needs a
 * privilege, sends a packet or leaves anything behind. Each returns 0 when it was done, or a negative errno: then nothing
 * is known of the hook. */

int act_open(void);
/* A socket pair: sends a message with a descriptor, and receives it. */
int act_pass_descriptor(void);
/* Maps memory and changes its protection. */
int act_map(void);
/* A unix socket that listens under a name of the kernel's choice, is connected to, and accepts. */
int act_connect(void);
/* A ring of io_uring that is asked to do nothing. -EPERM, -ENOSYS: this machine has none for us, and nobody else's opens
 * need be seen, or only root's (kernel.io_uring_disabled). */
int act_uring(void);
/* Makes a child, looks at it in /proc, and lets it end. */
int act_child(void);
