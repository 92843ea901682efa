/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "basic/socket-util.h"
#include "sink/journal-socket.h"

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
        /* Without all four, journald copies the data; older versions refuse it. */
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_fd = STEAL_FD(fd);
        return 0;
}

static int entry_send_memfd(int fd, const char *data, size_t size) {
        _cleanup_close_ int memfd = -1;

        int r = data_to_memfd(data, size, &memfd);
        return r < 0 ? r : descriptor_send(fd, memfd);
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
        /* After any other error, connect again: journald may have been restarted. */
        j->connected = r >= 0 || r == -EAGAIN;
        return !j->connected ? -ENOTCONN : r < 0 ? r : (ssize_t)size;
}

int alert_journal_new(const char *socket_path, AlertJournal **ret) {
        _cleanup_(alert_journal_freep) AlertJournal *j = calloc(1, sizeof(*j));

        if (!j)
                return -ENOMEM;
        j->fd = -1;
        int r = unix_address(socket_path ?: JOURNALD_SOCKET, &j->address);
        if (r < 0)
                return r;
        j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (j->fd < 0)
                return -errno;
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
