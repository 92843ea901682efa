/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <systemd/sd-daemon.h>

#include "log.h"
#include "query-socket.h"
#include "util.h"

/* Clients that connect in the same moment; more wait in connect(2). */
#define BACKLOG 64

static int socket_from_systemd(const SensorStore *passed, int *ret_fd) {
        int fd, n = sensor_store_sockets(passed, &fd);

        if (n > 1 || (n == 1 && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)) {
                log_error("systemd passed %d descriptors: one listening Unix stream socket (barbwire.socket) is all that "
                          "is of use.",
                        n);
                return -EINVAL;
        }
        *ret_fd = n == 0 ? -1 : fd;
        return 0;
}

/* Does a process listen there? */
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
        /* Only a socket that nobody answers is taken away, never a file. */
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

int query_socket_open(const char *path, const SensorStore *passed, int *ret_fd) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (!path)
                return socket_from_systemd(passed, ret_fd);
        if (strlen(path) >= sizeof(address.sun_path)) {
                log_error("--listen=%s: a socket's path has at most %zu bytes.", path, sizeof(address.sun_path) - 1);
                return -ENAMETOOLONG;
        }
        strcpy(address.sun_path, path);
        int r = socket_make(&address, ret_fd);
        if (r == -EADDRINUSE)
                log_error("--listen=%s: another process listens there, or it is not a socket.", path);
        else if (r < 0)
                log_error("--listen=%s: %s", path, strerror(-r));
        return r;
}
