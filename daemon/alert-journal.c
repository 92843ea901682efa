/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not block, must not drop, must not reorder: an entry leaves the queue only when the kernel has
 * taken it. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "alert-journal.h"
#include "journal-entry.h"
#include "time-now.h"

#define JOURNALD_SOCKET "/run/systemd/journal/socket"

/* What is to wait at most: some 1,500 alerts of usual size (3 KiB). The owner is told at half of it, and
 * again at a quarter, so that it is not switched with every entry; the other half has room for the records
 * of the turn it is in. Alerts that are made to be large (250 KiB each) may exceed it in that turn: none is
 * dropped. */
#define QUEUE_BYTES (4 * 1024 * 1024)
#define CONGESTED_BYTES (QUEUE_BYTES / 2)
#define CLEAR_BYTES (QUEUE_BYTES / 4)

/* A restart of journald takes some 100 ms; one that somebody stopped costs no more than a try in 5 s. */
#define RETRY_MIN_USEC (100 * USEC_PER_SEC / 1000)
#define RETRY_MAX_USEC (5 * USEC_PER_SEC)
#define RETRY_ACCURACY_USEC (10 * USEC_PER_SEC / 1000)

typedef struct Entry Entry;
struct Entry {
        Entry *next;
        char *data;
        size_t size;
};

struct AlertJournal {
        int fd;
        struct sockaddr_un address;
        bool connected;
        bool waiting; /* one of the two sources is armed, and goes on */
        bool congested;
        uint64_t retry_usec;
        sd_event_source *writable_source, *retry_timer;

        Entry *first, **end; /* end: where the next one is linked */
        size_t n_entries, n_bytes;
        uint64_t waiting_usec; /* since when there is a first entry */

        AlertJournalCongestionHandler handler;
        void *userdata;
};

static Entry *entry_free(Entry *e) {
        if (!e)
                return NULL;
        free(e->data);
        free(e);
        return NULL;
}
DEFINE_CLEANUP(Entry, entry_free);

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

static int entry_send_memfd(int fd, const Entry *e) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };
        _cleanup_close_ int memfd = -1;

        int r = data_to_memfd(e->data, e->size, &memfd);
        if (r < 0)
                return r;
        control.header = (struct cmsghdr){
                .cmsg_level = SOL_SOCKET,
                .cmsg_type = SCM_RIGHTS,
                .cmsg_len = CMSG_LEN(sizeof(int)),
        };
        memcpy(CMSG_DATA(&control.header), &memfd, sizeof(memfd));
        return message_send(fd, &message);
}

/* -EAGAIN: the socket is full. Any other error: not now. */
static int entry_send(int fd, const Entry *e) {
        struct iovec iov = { .iov_base = e->data, .iov_len = e->size };
        const struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        int r = message_send(fd, &message);
        if (r == -EMSGSIZE || r == -ENOBUFS)
                return entry_send_memfd(fd, e);
        return r;
}

static int journal_connect(AlertJournal *j) {
        if (!j->connected && connect(j->fd, (const struct sockaddr *)&j->address, sizeof(j->address)) < 0)
                return -errno;
        j->connected = true;
        return 0;
}

/* Arms what continues after `error`; 0: nothing waits. */
static int journal_wait(AlertJournal *j, int error) {
        /* A full socket of ours tells when it has room. For all else there is no event: journald may be
         * away, or memory or descriptors short. */
        bool full = error == -EAGAIN && j->connected;
        bool retry = error < 0 && !full;

        j->waiting = false;
        int r = sd_event_source_set_enabled(j->writable_source, full ? SD_EVENT_ON : SD_EVENT_OFF);
        if (r < 0)
                return r;
        if (retry) {
                j->connected = false;
                r = sd_event_source_set_time_relative(j->retry_timer, j->retry_usec);
                if (r < 0)
                        return r;
                j->retry_usec = MIN(2 * j->retry_usec, RETRY_MAX_USEC);
        }
        r = sd_event_source_set_enabled(j->retry_timer, retry ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (r < 0)
                return r;
        j->waiting = error < 0;
        return 0;
}

static void journal_tell_congestion(AlertJournal *j) {
        bool congested = j->n_bytes > (j->congested ? CLEAR_BYTES : CONGESTED_BYTES);

        if (congested == j->congested)
                return;
        j->congested = congested;
        j->handler(congested, j->userdata);
}

/* Sends what is taken, and sees to it that the rest will be. An error is one of the event loop's. */
static int journal_flush(AlertJournal *j) {
        int r = 0;

        while (j->first) {
                r = journal_connect(j);
                if (r >= 0)
                        r = entry_send(j->fd, j->first);
                if (r < 0)
                        break;

                _cleanup_(entry_freep) Entry *e = j->first;
                j->first = e->next;
                if (!j->first) {
                        j->end = &j->first;
                        j->waiting_usec = 0;
                }
                j->n_entries--;
                j->n_bytes -= e->size;
                j->retry_usec = RETRY_MIN_USEC;
        }
        return journal_wait(j, r);
}

static int journal_continue(AlertJournal *j) {
        int r = journal_flush(j);

        journal_tell_congestion(j);
        return r;
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void)source;
        (void)fd;
        (void)revents;
        return journal_continue(userdata);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        return journal_continue(userdata);
}

/* Takes ownership of data. */
static int journal_queue(AlertJournal *j, char *data, size_t size) {
        Entry *e = malloc(sizeof(*e));
        int r = 0;

        if (!e) {
                free(data);
                return -ENOMEM;
        }
        *e = (Entry){ .data = data, .size = size };
        if (!j->first)
                j->waiting_usec = time_now_usec(CLOCK_MONOTONIC);
        *j->end = e;
        j->end = &e->next;
        j->n_entries++;
        j->n_bytes += size;

        if (!j->waiting)
                r = journal_flush(j);
        journal_tell_congestion(j);
        return r;
}

int alert_journal_new(sd_event *event,
        const char *socket_path,
        AlertJournalCongestionHandler handler,
        void *userdata,
        AlertJournal **ret) {
        _cleanup_(alert_journal_freep) AlertJournal *j = calloc(1, sizeof(*j));
        const char *path = socket_path ?: JOURNALD_SOCKET;
        int r;

        if (!j)
                return -ENOMEM;
        j->end = &j->first;
        j->retry_usec = RETRY_MIN_USEC;
        j->handler = handler;
        j->userdata = userdata;
        j->address.sun_family = AF_UNIX;
        j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (j->fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(j->address.sun_path))
                return -ENAMETOOLONG;
        strcpy(j->address.sun_path, path);

        r = sd_event_add_io(event, &j->writable_source, j->fd, EPOLLOUT, on_writable, j);
        if (r >= 0)
                r = sd_event_source_set_enabled(j->writable_source, SD_EVENT_OFF);
        /* Entries that nobody sends any more would never be missed: better to be restarted. */
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(j->writable_source, true);
        if (r >= 0)
                r = sd_event_add_time(event, &j->retry_timer, CLOCK_MONOTONIC, 0, RETRY_ACCURACY_USEC,
                        on_retry, j);
        if (r >= 0)
                r = sd_event_source_set_enabled(j->retry_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(j->retry_timer, true);
        if (r < 0)
                return r;

        /* That it is away is seen again, and acted on, with the first entry. */
        (void)journal_connect(j);
        *ret = STEAL_PTR(j);
        return 0;
}

AlertJournal *alert_journal_free(AlertJournal *j) {
        if (!j)
                return NULL;
        /* Congestion is not told any more: the owner may be half gone already. */
        if (j->first)
                (void)journal_flush(j);
        while (j->first) {
                Entry *next = j->first->next;
                entry_free(j->first);
                j->first = next;
        }
        sd_event_source_unref(j->writable_source);
        sd_event_source_unref(j->retry_timer);
        if (j->fd >= 0)
                close(j->fd);
        free(j);
        return NULL;
}

int alert_journal_send(AlertJournal *j, const Alert *a, const char *json) {
        char *data;
        size_t size;
        int r = journal_entry_from_alert(a, json, &data, &size);

        if (r < 0)
                return r;
        return journal_queue(j, data, size);
}

int alert_journal_send_state(AlertJournal *j, const StateAlert *a) {
        char *data;
        size_t size;
        int r = journal_entry_from_state(a, &data, &size);

        if (r < 0)
                return r;
        return journal_queue(j, data, size);
}

void alert_journal_drain(AlertJournal *j, uint64_t timeout_usec) {
        uint64_t end = time_now_usec(CLOCK_MONOTONIC) + timeout_usec;

        while (j->first && journal_flush(j) >= 0 && j->first) {
                uint64_t now = time_now_usec(CLOCK_MONOTONIC);
                /* A journald that is away says so at once: look again, but not without pause. */
                uint64_t pause = MIN(now < end ? end - now : 0, (uint64_t)RETRY_MIN_USEC);
                struct pollfd p = { .fd = j->fd, .events = POLLOUT };
                if (pause == 0 || poll(&p, 1, pause / 1000 + 1) < 0)
                        return;
                if (p.revents & (POLLERR | POLLHUP))
                        usleep(pause);
        }
}

size_t alert_journal_n_waiting(const AlertJournal *j) {
        return j->n_entries;
}

uint64_t alert_journal_waiting_usec(const AlertJournal *j) {
        return j->waiting_usec;
}
