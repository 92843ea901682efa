/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "alert-journal.h"

#define JOURNALD_SOCKET "/run/systemd/journal/socket"

struct AlertJournal {
        int fd;
        struct sockaddr_un address;
        bool connected;
};

static int data_to_memfd(const char *data, size_t size, int *ret_fd) {
        _cleanup_close_ int fd = memfd_create("barbwire-journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -errno;
        while (size > 0) {
                ssize_t n = write(fd, data, size);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        data += n;
                        size -= (size_t)n;
                }
        }
        /* All four, or journald copies it (or, where it is older, refuses it). */
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_fd = STEAL_FD(fd);
        return 0;
}

static int message_send(int fd, const struct msghdr *message) {
        while (sendmsg(fd, message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

static int entry_send_memfd(int fd, const char *data, size_t size) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };
        _cleanup_close_ int memfd = -1;

        int r = data_to_memfd(data, size, &memfd);
        if (r < 0)
                return r;
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &memfd, sizeof(memfd));
        return message_send(fd, &message);
}

static int entry_send(int fd, const char *data, size_t size) {
        struct iovec iov = { .iov_base = (char *)data, .iov_len = size };
        const struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        int r = message_send(fd, &message);
        if (r == -EMSGSIZE || r == -ENOBUFS)
                return entry_send_memfd(fd, data, size);
        return r;
}

ssize_t alert_journal_send(const char *data, size_t size, void *journal) {
        AlertJournal *j = journal;

        if (!j->connected && connect(j->fd, (const struct sockaddr *)&j->address, sizeof(j->address)) < 0)
                return -ENOTCONN;
        int r = entry_send(j->fd, data, size);
        /* Whatever else it is, journald may have been restarted. */
        j->connected = r >= 0 || r == -EAGAIN;
        return !j->connected ? -ENOTCONN : r < 0 ? r : (ssize_t)size;
}

int alert_journal_new(const char *socket_path, AlertJournal **ret) {
        _cleanup_(alert_journal_freep) AlertJournal *j = calloc(1, sizeof(*j));
        const char *path = socket_path ?: JOURNALD_SOCKET;

        if (!j)
                return -ENOMEM;
        j->address.sun_family = AF_UNIX;
        j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (j->fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(j->address.sun_path))
                return -ENAMETOOLONG;
        strcpy(j->address.sun_path, path);
        *ret = STEAL_PTR(j);
        return 0;
}

AlertJournal *alert_journal_free(AlertJournal *j) {
        if (!j)
                return NULL;
        if (j->fd >= 0)
                close(j->fd);
        free(j);
        return NULL;
}

int alert_journal_fd(const AlertJournal *j) {
        return j->fd;
}
