/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sink/stdout.h"

struct Output {
        int fd;
        bool owned, colour;
};

int output_new(Output **ret) {
        _cleanup_(output_freep) Output *o = calloc(1, sizeof(*o));
        const char *term = getenv("TERM");
        struct stat st;

        if (!o)
                return -ENOMEM;
        o->fd = STDOUT_FILENO;
        o->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;

        if (fstat(STDOUT_FILENO, &st) < 0)
                return -errno;
        /* Writing to a file does not block, and reopening it would start at its beginning. */
        if (!S_ISREG(st.st_mode)) {
                /* O_NONBLOCK is a flag of the open file, which other processes may share (a shell its
                 * terminal), so reopen it. A socket cannot be reopened: its flag is shared. */
                int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                if (fd >= 0) {
                        o->fd = fd;
                        o->owned = true;
                } else if (fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK) < 0) {
                        return -errno;
                }
        }
        *ret = STEAL_PTR(o);
        return 0;
}

Output *output_free(Output *o) {
        if (!o)
                return NULL;
        if (o->owned)
                close(o->fd);
        free(o);
        return NULL;
}

int output_fd(const Output *o) {
        return o->fd;
}

bool output_wants_colour(const Output *o) {
        return o->colour;
}

ssize_t output_send(const char *data, size_t size, void *output) {
        const Output *o = output;
        size_t done = 0;

        while (done < size) {
                ssize_t n = write(o->fd, data + done, size - done);
                if (n >= 0)
                        done += (size_t)n;
                else if (errno == EAGAIN)
                        return done > 0 ? (ssize_t)done : -EAGAIN;
                else if (errno != EINTR)
                        return errno == EPIPE ? -EPIPE : -EIO;
        }
        return (ssize_t)size;
}
