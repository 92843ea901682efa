/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The listening socket for queries: passed by systemd, or made for --listen=. */

#include "sensor-store.h"

/* path NULL: the socket that systemd passed; *ret_fd is -1 when there is none. Else a socket of mode
 * 0600 is made there; one that a daemon left behind is replaced, one that is in use is -EADDRINUSE. Must come before
 * privileges are dropped. Logs its errors. */
int query_socket_open(const char *path, const SensorStore *passed, int *ret_fd);
