/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "sink/queue.h"
#include "basic/time-util.h"

/* Some 1,300 entries of usual size (3 KiB): all repeats that are being counted (alert/repeats.h) may end at
 * one time, and the policy may change some hundred times meanwhile. */
#define QUEUE_BYTES (4 * 1024 * 1024)

/* A restart of journald takes some 100 ms; a stopped journald costs no more than one attempt in 5 s. */
#define RETRY_MIN_USEC (100 * USEC_PER_SEC / 1000)
#define RETRY_MAX_USEC (5 * USEC_PER_SEC)
#define RETRY_ACCURACY_USEC (10 * USEC_PER_SEC / 1000)

typedef struct Entry Entry;
struct Entry {
        Entry *next;
        uint64_t since_usec;
        size_t size, done;
        char data[];
};

struct AlertQueue {
        int fd;
        AlertQueueSend send;
        void *send_userdata;
        AlertQueueHandler handler;
        void *userdata;

        bool blocked;
        bool for_room; /* while blocked: wait for a writable descriptor, not for the timer */
        uint64_t retry_usec;
        sd_event_source *writable_source; /* NULL: epoll does not support the descriptor (a file), which
                                             never blocks */
        sd_event_source *retry_timer;

        Entry *first, **end; /* end: where to link the next one */
        size_t n_entries, n_bytes;
        uint64_t n_unwritten;
};

/* Blocks the queue after `error`, and arms the event that continues it. */
static void queue_block(AlertQueue *q, int error) {
        int r = 0;

        /* A full receiver becomes writable. Other errors have no event (journald may be absent, the kernel
         * out of memory): poll for their end. */
        q->for_room = error == -EAGAIN && q->writable_source;
        if (q->writable_source)
                r = sd_event_source_set_enabled(
                                q->writable_source, q->for_room ? SD_EVENT_ON : SD_EVENT_OFF);
        if (r >= 0 && !q->for_room) {
                r = sd_event_source_set_time_relative(q->retry_timer, q->retry_usec);
                q->retry_usec = MIN(2 * q->retry_usec, RETRY_MAX_USEC);
        }
        if (r >= 0)
                r = sd_event_source_set_enabled(
                                q->retry_timer, q->for_room ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
        /* Without an event the entries would wait for ever, unnoticed: exit, to be restarted. */
        if (r < 0)
                (void)sd_event_exit(sd_event_source_get_event(q->retry_timer), r);
        if (q->blocked)
                return;
        q->blocked = true;
        q->handler(true, q->userdata);
}

static void queue_unblock(AlertQueue *q) {
        if (q->writable_source)
                (void)sd_event_source_set_enabled(q->writable_source, SD_EVENT_OFF);
        (void)sd_event_source_set_enabled(q->retry_timer, SD_EVENT_OFF);
        q->blocked = false;
        q->handler(false, q->userdata);
}

/* Returns how many bytes are sent or given up. */
static ssize_t queue_send(AlertQueue *q, const char *data, size_t size) {
        ssize_t n = q->send(data, size, q->send_userdata);

        if (n == -EIO) {
                q->n_unwritten++;
                return (ssize_t)size;
        }
        if (n >= 0)
                q->retry_usec = RETRY_MIN_USEC;
        return n;
}

/* 0: no entry waits any more. */
static int queue_flush(AlertQueue *q) {
        while (q->first) {
                Entry *e = q->first;
                ssize_t n = queue_send(q, e->data + e->done, e->size - e->done);

                if (n < 0)
                        return (int)n;
                e->done += (size_t)n;
                if (e->done < e->size)
                        return -EAGAIN;
                q->first = e->next;
                if (!q->first)
                        q->end = &q->first;
                q->n_entries--;
                q->n_bytes -= e->size;
                free(e);
        }
        return 0;
}

static int queue_continue(AlertQueue *q) {
        int r = queue_flush(q);

        if (r == -EPIPE)
                return r;
        if (r < 0)
                queue_block(q, r);
        else
                queue_unblock(q);
        return 0;
}

/* An error ends the loop: the receiver is gone. */
static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void)source;
        (void)fd;
        (void)revents;
        return queue_continue(userdata);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        return queue_continue(userdata);
}

int alert_queue_new(sd_event *event, int fd, AlertQueueSend send, void *send_userdata,
                AlertQueueHandler handler, void *userdata, AlertQueue **ret) {
        _cleanup_(alert_queue_freep) AlertQueue *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        *q = (AlertQueue){ .fd = fd,
                .send = send,
                .send_userdata = send_userdata,
                .handler = handler,
                .userdata = userdata };
        q->retry_usec = RETRY_MIN_USEC;
        q->end = &q->first;
        int r = sd_event_add_time(
                        event, &q->retry_timer, CLOCK_MONOTONIC, 0, RETRY_ACCURACY_USEC, on_retry, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->retry_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(q->retry_timer, true);
        if (r < 0)
                return r;

        r = sd_event_add_io(event, &q->writable_source, fd, EPOLLOUT, on_writable, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->writable_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(q->writable_source, true);
        if (r < 0 && r != -EPERM)
                return r;
        *ret = STEAL_PTR(q);
        return 0;
}

AlertQueue *alert_queue_free(AlertQueue *q) {
        if (!q)
                return NULL;
        while (q->first) {
                Entry *e = q->first;
                q->first = e->next;
                free(e);
        }
        sd_event_source_unref(q->writable_source);
        sd_event_source_unref(q->retry_timer);
        free(q);
        return NULL;
}

static void queue_keep(AlertQueue *q, const char *data, size_t size) {
        Entry *e = q->n_bytes + size > QUEUE_BYTES && q->first ? NULL : malloc(sizeof(*e) + size);

        if (!e) {
                q->n_unwritten++;
                return;
        }
        *e = (Entry){ .since_usec = time_now_usec(CLOCK_MONOTONIC), .size = size };
        memcpy(e->data, data, size);
        *q->end = e;
        q->end = &e->next;
        q->n_entries++;
        q->n_bytes += size;
}

int alert_queue_put(AlertQueue *q, const char *data, size_t size, bool keep) {
        ssize_t n = -EAGAIN;

        if (!q->blocked) {
                n = queue_send(q, data, size);
                if (n == (ssize_t)size)
                        return 0;
                if (n == -EPIPE)
                        return -EPIPE;
                queue_block(q, n < 0 ? (int)n : -EAGAIN);
        }
        /* A partly sent entry must be completed, or the next one would be written into the middle of it. */
        if (n < 0 && !keep)
                return -EAGAIN;
        size_t done = n < 0 ? 0 : (size_t)n;
        queue_keep(q, data + done, size - done);
        return 0;
}

bool alert_queue_ready(const AlertQueue *q) {
        return !q->blocked;
}

bool alert_queue_drain(AlertQueue *q, uint64_t end_usec) {
        while (q->blocked) {
                uint64_t now = time_now_usec(CLOCK_MONOTONIC);
                struct pollfd p = { .fd = q->fd, .events = POLLOUT };
                uint64_t pause_usec = MIN(end_usec - now, (uint64_t)RETRY_MIN_USEC);

                /* An absent receiver causes no event when it returns: poll for it. */
                if (now < end_usec)
                        (void)poll(&p, q->for_room ? 1 : 0, (int)(pause_usec / 1000 + 1));
                if (now >= end_usec || queue_continue(q) < 0)
                        return false;
        }
        return true;
}

size_t alert_queue_waiting(const AlertQueue *q, uint64_t *ret_since_usec) {
        *ret_since_usec = q->first ? q->first->since_usec : 0;
        return q->n_entries;
}

uint64_t alert_queue_n_unwritten(const AlertQueue *q) {
        return q->n_unwritten;
}
