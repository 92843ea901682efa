/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "output.h"
#include "time-now.h"

/* Above this no more alerts are taken from the ring: some 500 of them. */
#define CONGESTED_BYTES (1024 * 1024)

struct Output {
        int fd;
        bool owned;
        bool colour;
        bool congested;
        char *data;
        size_t size, allocated;
        size_t *ends; /* where each entry that waits ends in data */
        size_t n_ends, ends_allocated;
        uint64_t n_unwritten;
        uint64_t waiting_usec; /* since when data is not empty */
        sd_event_source *source; /* NULL for a file: writing to one does not block */
        OutputCongestionHandler handler;
        void *userdata;
};

/* Writes what waits. 0, or -EPIPE when the reader is gone. */
static int output_flush(Output *o) {
        size_t done = 0, whole = 0;
        int r = 0;

        while (done < o->size) {
                ssize_t n = write(o->fd, o->data + done, o->size - done);
                if (n >= 0) {
                        done += n;
                } else if (errno == EPIPE) {
                        r = -EPIPE;
                        break;
                } else if (errno == EAGAIN) {
                        break;
                } else if (errno != EINTR) {
                        for (size_t i = 0; i < o->n_ends; i++)
                                o->n_unwritten += o->ends[i] > done;
                        done = o->size;
                }
        }

        while (whole < o->n_ends && o->ends[whole] <= done)
                whole++;
        memmove(o->data, o->data + done, o->size - done);
        o->size -= done;
        o->n_ends -= whole;
        for (size_t i = 0; i < o->n_ends; i++)
                o->ends[i] = o->ends[i + whole] - done;
        if (o->size == 0)
                o->waiting_usec = 0;
        return r;
}

static void output_tell(Output *o) {
        bool congested = o->size > CONGESTED_BYTES;

        if (o->source)
                (void)sd_event_source_set_enabled(o->source, o->size > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
        if (congested != o->congested) {
                o->congested = congested;
                o->handler(congested, o->userdata);
        }
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Output *o = userdata;

        (void)fd;
        (void)revents;
        int r = output_flush(o);
        output_tell(o);
        return r < 0 ? sd_event_exit(sd_event_source_get_event(source), r) : 0;
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
        sd_event_source_unref(o->source);
        if (o->owned)
                close(o->fd);
        free(o->ends);
        free(o->data);
        free(o);
        return NULL;
}

bool output_wants_colour(const Output *o) {
        return o->colour;
}

/* Makes room for `want` items of a growing array. */
static int array_reserve(void **array, size_t *allocated, size_t want, size_t item) {
        if (want <= *allocated)
                return 0;
        want = MAX(want, 2 * *allocated);
        void *p = realloc(*array, want * item);
        if (!p)
                return -ENOMEM;
        *array = p;
        *allocated = want;
        return 0;
}

int output_write(Output *o, const char *data, size_t size) {
        bool waiting = o->size > 0;
        void *bytes = o->data, *ends = o->ends;

        int r = array_reserve(&bytes, &o->allocated, o->size + size, 1);
        o->data = bytes;
        if (r >= 0) {
                r = array_reserve(&ends, &o->ends_allocated, o->n_ends + 1, sizeof(*o->ends));
                o->ends = ends;
        }
        if (r < 0) {
                o->n_unwritten++;
                return r;
        }
        if (!waiting)
                o->waiting_usec = time_now_usec(CLOCK_MONOTONIC);
        memcpy(o->data + o->size, data, size);
        o->size += size;
        o->ends[o->n_ends++] = o->size;

        /* While the reader is behind, on_writable() goes on. */
        if (!waiting || !o->source)
                r = output_flush(o);
        output_tell(o);
        return r;
}

void output_drain(Output *o, uint64_t timeout_usec) {
        uint64_t end = time_now_usec(CLOCK_MONOTONIC) + timeout_usec;

        while (o->size > 0 && output_flush(o) == 0 && o->size > 0) {
                uint64_t now = time_now_usec(CLOCK_MONOTONIC);
                struct pollfd p = { .fd = o->fd, .events = POLLOUT };
                if (now >= end || poll(&p, 1, (end - now) / 1000 + 1) <= 0)
                        break;
        }
        o->n_unwritten += o->n_ends;
        o->n_ends = 0;
        o->size = 0;
}

size_t output_n_waiting(const Output *o) {
        return o->n_ends;
}

uint64_t output_waiting_usec(const Output *o) {
        return o->waiting_usec;
}

uint64_t output_n_unwritten(const Output *o) {
        return o->n_unwritten;
}
