/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Entries on their way to whoever takes them: in order, and without ever blocking the loop. An alert whose record is
 * still in the kernel's ring is best left there while it is not taken. What comes from nowhere else waits here, up to a
 * limit; what does not fit is lost, and counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-event.h>

#include "util.h"

typedef struct AlertQueue AlertQueue;

/* Hands over what is taken of an entry, at once. Returns how many bytes that is. -EAGAIN: nothing, and the descriptor
 * tells when there is room; -EPIPE: nobody takes anything any more; -EIO: nothing, and it is no use to wait. Any other
 * error: nothing now. */
typedef ssize_t (*AlertQueueSend)(const char *data, size_t size, void *userdata);

/* Called when nothing is taken any more (blocked), and when all that waited is out. */
typedef void (*AlertQueueHandler)(bool blocked, void *userdata);

/* fd: of who takes the entries; both userdata are the callbacks'. */
int alert_queue_new(sd_event *event, int fd, AlertQueueSend send, void *send_userdata, AlertQueueHandler handler,
        void *userdata, AlertQueue **ret);
AlertQueue *alert_queue_free(AlertQueue *q);
DEFINE_CLEANUP(AlertQueue, alert_queue_free);

/* Sends one entry, or what is taken of it; the rest waits. keep: all of it waits when none is taken; otherwise that is
 * -EAGAIN, and the caller comes again when the queue is ready. -EPIPE. Anything else is no error, but may be counted as
 * lost. */
int alert_queue_put(AlertQueue *q, const char *data, size_t size, bool keep);

/* Nothing waits, and nothing was refused since it was last told to be blocked. */
bool alert_queue_ready(const AlertQueue *q);

/* Waits until it is ready, up to that time (CLOCK_MONOTONIC): for the end. Returns whether it is. */
bool alert_queue_drain(AlertQueue *q, uint64_t end_usec);

/* Entries that wait, and since when (CLOCK_MONOTONIC) the first of them. */
size_t alert_queue_waiting(const AlertQueue *q, uint64_t *ret_since_usec);

/* Entries that were lost. */
uint64_t alert_queue_n_unwritten(const AlertQueue *q);
