/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "output.h"

/* Above this no more alerts are taken from the ring: some 500 of them. */
#define CONGESTED_BYTES (1024 * 1024)

struct Output {
        int fd;
        bool owned;
        bool colour;
        bool congested;
        char *data;
        size_t size, allocated;
        sd_event_source *source; /* NULL for a file: writing to one does not block */
        OutputCongestionHandler handler;
        void *userdata;
};

/* Writes what waits. 0, or a negative errno when the reader is gone. */
static int output_flush(Output *o) {
        size_t done = 0;
        int r = 0;

        while (done < o->size) {
                ssize_t n = write(o->fd, o->data + done, o->size - done);
                if (n >= 0) {
                        done += n;
                } else if (errno != EINTR) {
                        r = errno == EAGAIN ? 0 : -errno;
                        break;
                }
        }
        memmove(o->data, o->data + done, o->size - done);
        o->size -= done;

        bool congested = o->size > CONGESTED_BYTES;
        if (congested != o->congested) {
                o->congested = congested;
                o->handler(congested, o->userdata);
        }
        if (o->source)
                (void)sd_event_source_set_enabled(o->source, o->size > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
        return r;
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Output *o = userdata;

        (void)source;
        (void)fd;
        (void)revents;
        int r = output_flush(o);
        if (r < 0)
                return sd_event_exit(sd_event_source_get_event(o->source), r);
        return 0;
}

int output_new(sd_event *event, OutputCongestionHandler handler, void *userdata, Output **ret) {
        _cleanup_(output_freep) Output *o = calloc(1, sizeof(*o));
        const char *term = getenv("TERM");
        struct stat st;

        if (!o)
                return -ENOMEM;
        o->fd = STDOUT_FILENO;
        o->handler = handler;
        o->userdata = userdata;
        o->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;

        if (fstat(STDOUT_FILENO, &st) < 0)
                return -errno;
        if (S_ISREG(st.st_mode)) {
                *ret = STEAL_PTR(o);
                return 0;
        }

        /* O_NONBLOCK belongs to the open file, which others may share (a shell its terminal): open it anew.
         * A socket cannot be opened: there it has to be shared. */
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
                o->fd = fd;
                o->owned = true;
        } else if (fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK) < 0) {
                return -errno;
        }

        int r = sd_event_add_io(event, &o->source, o->fd, EPOLLOUT, on_writable, o);
        if (r == -EPERM) { /* /dev/null and its like: never blocks */
                o->source = NULL;
        } else if (r < 0) {
                return r;
        } else {
                r = sd_event_source_set_exit_on_failure(o->source, true);
                if (r >= 0)
                        r = sd_event_source_set_enabled(o->source, SD_EVENT_OFF);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(o);
        return 0;
}

Output *output_free(Output *o) {
        if (!o)
                return NULL;
        if (o->handler && o->size > 0)
                (void)output_flush(o);
        sd_event_source_unref(o->source);
        if (o->owned)
                close(o->fd);
        free(o->data);
        free(o);
        return NULL;
}

bool output_wants_colour(const Output *o) {
        return o->colour;
}

int output_write(Output *o, const char *data, size_t size) {
        if (o->size + size > o->allocated) {
                size_t want = MAX(2 * o->allocated, o->size + size);
                char *p = realloc(o->data, want);
                if (!p)
                        return -ENOMEM;
                o->data = p;
                o->allocated = want;
        }
        memcpy(o->data + o->size, data, size);
        o->size += size;
        /* While the reader is behind, on_writable() goes on. */
        if (o->source && o->size > size)
                return 0;
        return output_flush(o);
}
