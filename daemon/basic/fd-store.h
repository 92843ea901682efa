/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* systemd's file descriptor store (sd_pid_notify_with_fds(3)): a descriptor in it outlives the process,
 * however that ends, until the service is stopped. Each has a name: "bw-", the identity of those that belong
 * together (16 hex digits), "-", and its purpose. Outside a service there is no store: it stays empty. */

#include <stdbool.h>
#include <stddef.h>

#include "basic/util.h"

/* 16 hex digits and a NUL. */
#define FD_STORE_IDENTITY_SIZE 17

typedef struct FdStore FdStore;

/* Gets the descriptors that systemd passed (sd_listen_fds(3)), and clears the variables that announce them.
 */
int fd_store_new(FdStore **ret);
FdStore *fd_store_free(FdStore *s);
DEFINE_CLEANUP(FdStore, fd_store_free);

/* Descriptors that were passed and are not in the store: sockets. Returns their number; *ret_fd: the last.
 */
int fd_store_sockets(const FdStore *s, int *ret_fd);

/* False if the store is empty. */
bool fd_store_keeps(const FdStore *s);

/* Gets an identity in the store other than this one. False: there is none. */
bool fd_store_other(const FdStore *s, const char *identity, char ret[static FD_STORE_IDENTITY_SIZE]);

/* Finds a descriptor of this identity; NULL: of any. what: a purpose, or, if it ends with '.', the beginning
 * of one. The store still owns the descriptor. -1: not found. */
int fd_store_find(const FdStore *s, const char *identity, const char *what);

/* The nth descriptor of this purpose, of any identity. -1: there are fewer. */
int fd_store_nth(const FdStore *s, const char *what, size_t n);

/* Puts a descriptor into the store; the caller's stays open. systemd refuses one that it already has under
 * any name: remove that first. */
int fd_store_put(const FdStore *s, const char *identity, const char *what, int fd);

/* Removes descriptors of this identity (NULL: of all) and purpose (NULL: of all; see fd_store_find()). but:
 * a purpose to keep, or NULL. */
void fd_store_remove(FdStore *s, const char *identity, const char *what, const char *but);

/* Waits until systemd has processed all of it. What was removed is closed by then, or, since systemd 254,
 * which closes in a thread, shortly after. */
void fd_store_sync(const FdStore *s);
