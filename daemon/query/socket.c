/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>

#include "basic/log.h"
#include "basic/socket-util.h"
#include "query/socket.h"
#include "basic/util.h"

/* Clients that connect at the same time; others block in connect(2). */
#define BACKLOG 64

static int socket_from_systemd(const FdStore *passed, int *ret_fd) {
        int fd, n = fd_store_sockets(passed, &fd);

        if (n > 1 || (n == 1 && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)) {
                log_error("Expected exactly one listening AF_UNIX stream socket (barbwire.socket), got %d "
                          "file descriptors.",
                                n);
                return -EINVAL;
        }
        *ret_fd = n == 0 ? -1 : fd;
        return 0;
}

/* Whether a process listens there. */
static bool socket_is_alive(const struct sockaddr_un *address) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        return fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) >= 0 ||
               errno != ECONNREFUSED;
}

static int socket_make(const struct sockaddr_un *address, int *ret_fd) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct stat st;

        if (fd < 0)
                return -errno;
        /* Remove only a socket without a listener, never a file. */
        if (lstat(address->sun_path, &st) >= 0 && S_ISSOCK(st.st_mode) && !socket_is_alive(address))
                (void)unlink(address->sun_path);

        mode_t mask = umask(0177);
        int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
        (void)umask(mask);
        if (r >= 0 && listen(fd, BACKLOG) < 0)
                r = -errno;
        if (r >= 0)
                *ret_fd = STEAL_FD(fd);
        return r;
}

int query_socket_open(const char *path, const FdStore *passed, int *ret_fd) {
        struct sockaddr_un address;

        if (!path)
                return socket_from_systemd(passed, ret_fd);
        int r = unix_address(path, &address);
        if (r < 0) {
                log_error("--listen=%s: the path of a socket has at most %zu bytes.", path,
                                UNIX_PATH_BYTES_MAX);
                return r;
        }
        r = socket_make(&address, ret_fd);
        if (r == -EADDRINUSE)
                log_error("--listen=%s: another process listens on it, or it is not a socket.", path);
        else if (r < 0)
                return log_error_errno(r, "Failed to listen on %s: %m", path);
        return r;
}
