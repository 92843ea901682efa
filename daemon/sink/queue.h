/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Delivers entries to a receiver (journald, a pipe, a file), in order and without ever blocking the loop.
 * While the receiver accepts nothing, alerts are best left as records in the kernel's ring buffer. Entries
 * that exist nowhere else wait here, up to a limit; those that do not fit are lost and counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-event.h>

#include "basic/util.h"

typedef struct AlertQueue AlertQueue;

/* Sends as much of an entry as the receiver accepts now. Returns how many bytes that is. -EAGAIN: none, and
 * the descriptor becomes writable when there is room; -EPIPE: the receiver is gone for good; -EIO: none, and
 * waiting does not help. Any other error: none, try again later. */
typedef ssize_t (*AlertQueueSend)(const char *data, size_t size, void *userdata);

/* Called when the receiver stops accepting entries (blocked), and when all waiting entries have been sent.
 */
typedef void (*AlertQueueHandler)(bool blocked, void *userdata);

/* fd: the receiver's. send_userdata and userdata are passed to send and handler. */
int alert_queue_new(sd_event *event, int fd, AlertQueueSend send, void *send_userdata,
                AlertQueueHandler handler, void *userdata, AlertQueue **ret);
AlertQueue *alert_queue_free(AlertQueue *q);
DEFINE_CLEANUP(AlertQueue, alert_queue_free);

/* Sends one entry; the part that is not accepted waits. When nothing is accepted, all of it waits (keep), or
 * -EAGAIN is returned and the caller tries again when the queue is ready. -EPIPE: the receiver is gone.
 * Other failures return 0 and are counted as lost. */
int alert_queue_put(AlertQueue *q, const char *data, size_t size, bool keep);

/* Returns whether the queue is not blocked: no entry waits. */
bool alert_queue_ready(const AlertQueue *q);

/* For the shutdown: waits until the queue is ready, up to that time (CLOCK_MONOTONIC). Returns whether it
 * is. */
bool alert_queue_drain(AlertQueue *q, uint64_t end_usec);

/* Returns how many entries wait, and since when (CLOCK_MONOTONIC) the first of them. */
size_t alert_queue_waiting(const AlertQueue *q, uint64_t *ret_since_usec);

/* Returns how many entries were lost. */
uint64_t alert_queue_n_unwritten(const AlertQueue *q);
