/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* AF_UNIX sockets (unix(7)): addresses and descriptors in messages. */

#include <sys/socket.h>
#include <sys/un.h>

/* The longest path that an address holds. */
#define UNIX_PATH_BYTES_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* The address of a path. -ENAMETOOLONG. */
int unix_address(const char *path, struct sockaddr_un *ret);

/* Sends without blocking, and again after a signal. Negative errno. */
int message_send(int socket, const struct msghdr *message);

/* Sends fd in a message without data (SCM_RIGHTS). */
int descriptor_send(int socket, int fd);
