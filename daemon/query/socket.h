/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Opens the listening socket for queries: passed by systemd, or created for --listen=. */

#include "basic/fd-store.h"

/* path NULL: the socket that systemd passed; *ret_fd is -1 if it passed none. Otherwise, creates a socket of
 * mode 0600 there; one without a listener is replaced, one with a listener is -EADDRINUSE. Call it before
 * privileges are dropped. Logs its errors. */
int query_socket_open(const char *path, const FdStore *passed, int *ret_fd);
