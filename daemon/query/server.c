/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Connections. The daemon buffers one call and one batch of its reply per client: nothing is read while a
 * reply is being sent, so that a client that pipelines fills the kernel's socket buffer, which is limited.
 * An iteration of the loop is one read, one batch and one write of one client, so that clients cannot keep
 * the loop from the ring buffer. The meaning of a call is left to query/methods.c. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "query/interface.h"
#include "query/server.h"
#include "basic/time-util.h"
#include "query/varlink.h"

/* The same as for the ring buffer: in a storm of alerts they alternate. An iteration takes at most half a
 * millisecond, so that 64 clients delay the ring by less than it holds at 20,000 alerts a second (0.13 s).
 */
#define QUERY_PRIORITY SD_EVENT_PRIORITY_NORMAL

/* Connections accepted in one iteration. */
#define ACCEPTS_PER_TURN 8

/* Nearly every call is smaller than one read. */
#define READ_BYTES 4096U

/* Log refused clients at most this often. */
#define COMPLAINT_USEC (60 * USEC_PER_SEC)

const QueryLimits query_limits = {
        /* At 64 KiB for a call and 250 KiB for a large alert each, 20 MiB. */
        .clients_max = 64,
        /* One user cannot keep out the others, */
        .clients_per_user_max = 16,
        /* and all users cannot keep out root: status, alerts and follow for a few administrators. */
        .clients_for_root = 8,
        /* Calls of barbwirectl are below 1 KiB, but the interface does not limit strings. */
        .request_bytes_max = 64 * 1024,
        /* Ample for a program that writes its call at once, even on a machine that swaps. */
        .request_usec = 10 * USEC_PER_SEC,
        /* Time to read 64 KiB in a pager. */
        .reply_usec = 30 * USEC_PER_SEC,
        /* Connecting again is cheap. */
        .idle_usec = 60 * USEC_PER_SEC,
        /* Without descriptors or memory, trying again at once would only burn CPU time. */
        .accept_pause_usec = USEC_PER_SEC,
};

typedef enum ClientState {
        CLIENT_IDLE,
        CLIENT_REQUEST,   /* a part of a call was received */
        CLIENT_REPLY,     /* a reply is being sent */
        CLIENT_FOLLOWING, /* no new entries; no time limit */
} ClientState;

typedef struct Client {
        struct Client *next;
        QueryServer *server;
        int fd;
        uid_t uid;
        sd_event_source *source;
        bool finished; /* has shut down its sending side; may still read */
        ClientState state;
        uint64_t since_usec; /* when it entered that state, or last made progress */
        char *in;            /* begins with the oldest call that waits for its reply */
        size_t n_in, n_searched;
        Query *query; /* or NULL */
        char *out;
        size_t n_out, n_sent;
} Client;

struct QueryServer {
        sd_event *event;
        const QuerySource *source;
        QueryLimits limits;
        int fd;
        sd_event_source *listener;
        sd_event_source *timer; /* for the earliest deadline */
        uint64_t resume_usec;   /* when to accept again; 0: not paused */
        Client *clients;
        size_t n_clients;
        uint64_t complained_usec;
};

static bool server_may_complain(QueryServer *s) {
        uint64_t now = time_now_usec(CLOCK_MONOTONIC);

        if (s->complained_usec != 0 && now - s->complained_usec < COMPLAINT_USEC)
                return false;
        s->complained_usec = now;
        return true;
}

static uint64_t client_deadline(const Client *c) {
        const QueryLimits *l = &c->server->limits;

        switch (c->state) {
        case CLIENT_IDLE:
                return c->since_usec + l->idle_usec;
        case CLIENT_REQUEST:
                return c->since_usec + l->request_usec;
        case CLIENT_REPLY:
                return c->since_usec + l->reply_usec;
        case CLIENT_FOLLOWING:
                break;
        }
        return UINT64_MAX;
}

static void server_arm_timer(QueryServer *s) {
        uint64_t first = s->resume_usec ?: UINT64_MAX;

        for (const Client *c = s->clients; c; c = c->next)
                first = MIN(first, client_deadline(c));
        if (first != UINT64_MAX)
                (void)sd_event_source_set_time(s->timer, first);
        (void)sd_event_source_set_enabled(s->timer, first != UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static Client *client_free(Client *c) {
        if (!c)
                return NULL;
        for (Client **p = &c->server->clients; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        c->server->n_clients--;
                        break;
                }
        sd_event_source_disable_unref(c->source);
        close(c->fd);
        query_free(c->query);
        free(c->in);
        free(c->out);
        free(c);
        return NULL;
}

/* Returns the size of the first call; 0: it is not complete. */
static size_t client_call_size(Client *c) {
        size_t size = varlink_message_size(c->in, c->n_in, c->n_searched);

        c->n_searched = size > 0 ? size - 1 : c->n_in;
        return size;
}

/* An errno of recv(2): the client is gone; -EMSGSIZE: its call is too long. The kernel closes descriptors in
 * its messages, as there is no buffer for them. */
static int client_read(Client *c) {
        if (c->n_in == c->server->limits.request_bytes_max)
                return -EMSGSIZE;

        size_t room = MIN(READ_BYTES, c->server->limits.request_bytes_max - c->n_in);
        char *in = realloc(c->in, c->n_in + room);
        if (!in)
                return -ENOMEM;
        c->in = in;

        ssize_t n = recv(c->fd, c->in + c->n_in, room, MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        c->finished = n == 0;
        c->n_in += n;
        return 0;
}

/* Removes the first call, of that size, from the input, and begins to answer it. */
static int client_begin(Client *c, size_t size) {
        int r = query_new(c->server->source, c->in, size - 1, &c->query);

        c->n_in -= size;
        c->n_searched = 0;
        memmove(c->in, c->in + size, c->n_in);
        return r;
}

static int client_produce(Client *c) {
        int r = query_next(c->query, &c->out, &c->n_out);

        if (r < 0)
                return r;
        if (c->n_out == 0) { /* a call without a reply */
                free(c->out);
                c->out = NULL;
        }
        if (query_state(c->query) == QUERY_OVER)
                c->query = query_free(c->query);
        return 0;
}

static int client_write(Client *c) {
        ssize_t n = send(c->fd, c->out + c->n_sent, c->n_out - c->n_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        c->n_sent += n;
        if (c->n_sent == c->n_out) {
                free(c->out);
                c->out = NULL;
                c->n_out = c->n_sent = 0;
        }
        return 0;
}

static ClientState client_state(Client *c) {
        if (c->n_out > 0)
                return CLIENT_REPLY;
        if (c->query)
                return query_state(c->query) == QUERY_WAITS ? CLIENT_FOLLOWING : CLIENT_REPLY;
        if (client_call_size(c) > 0)
                return CLIENT_REPLY;
        return c->n_in > 0 ? CLIENT_REQUEST : CLIENT_IDLE;
}

/* Selects the events to wait for. With a reply in progress that is EPOLLOUT, so that other clients get their
 * turn before the next batch. false: the client is done. */
static bool client_wait(Client *c, bool progress) {
        ClientState state = client_state(c);
        uint32_t events = 0; /* EPOLLHUP is always reported */

        if (state == CLIENT_IDLE || state == CLIENT_REQUEST) {
                if (c->finished)
                        return false;
                events = EPOLLIN;
        } else if (state == CLIENT_REPLY) {
                events = EPOLLOUT;
        }
        if (state != c->state || progress)
                c->since_usec = time_now_usec(CLOCK_MONOTONIC);
        c->state = state;
        return sd_event_source_set_io_events(c->source, events) >= 0;
}

static int client_turn(Client *c, uint32_t revents, bool *ret_progress) {
        size_t size;
        int r = 0;

        if (revents & (EPOLLHUP | EPOLLERR))
                return -ECONNRESET;
        if (revents & EPOLLIN)
                r = client_read(c);
        if (r >= 0 && c->n_out == 0 && !c->query && (size = client_call_size(c)) > 0) {
                r = client_begin(c, size);
                *ret_progress = true;
        }
        if (r >= 0 && c->n_out == 0 && c->query && query_state(c->query) == QUERY_READY) {
                r = client_produce(c);
                *ret_progress = true;
        }
        if (r >= 0 && c->n_out > 0)
                r = client_write(c);
        return r;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Client *c = userdata;
        QueryServer *s = c->server;
        bool progress = false;

        (void)source;
        (void)fd;
        int r = client_turn(c, revents, &progress);
        if (r < 0)
                log_debug("Failed to answer a query of uid %u: %s", (unsigned)c->uid, strerror(-r));
        if (r < 0 || !client_wait(c, progress))
                client_free(c);
        server_arm_timer(s);
        return 0;
}

static bool server_is_full(const QueryServer *s, uid_t uid, size_t *ret_max) {
        size_t n = 0;

        for (const Client *c = s->clients; c; c = c->next)
                n += c->uid == uid;
        if (uid != 0 && n >= s->limits.clients_per_user_max) {
                *ret_max = s->limits.clients_per_user_max;
                return true;
        }
        *ret_max = s->limits.clients_max - (uid == 0 ? 0 : s->limits.clients_for_root);
        return s->n_clients >= *ret_max;
}

/* A single message always fits the buffer of a new socket. */
static void server_refuse(QueryServer *s, int fd, uid_t uid, size_t max) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (server_may_complain(s))
                log_warning("Refused a client of uid %u: the limit of %zu clients is reached.",
                                (unsigned)uid, max);
        if (!f)
                return;
        int r = varlink_error_write(
                        f, BARBWIRE_INTERFACE ".TooManyClients", json_pack("{s:I}", "max", (json_int_t)max));
        if (fclose(f) == 0 && r >= 0 && text)
                (void)send(fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int server_add_client(QueryServer *s, int accepted_fd) {
        _cleanup_close_ int fd = accepted_fd;
        struct ucred peer;
        socklen_t size = sizeof(peer);
        size_t max;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (server_is_full(s, peer.uid, &max)) {
                server_refuse(s, fd, peer.uid, max);
                return 0;
        }

        Client *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (Client){
                .next = s->clients,
                .server = s,
                .fd = STEAL_FD(fd),
                .uid = peer.uid,
                .since_usec = time_now_usec(CLOCK_MONOTONIC),
        };
        s->clients = c;
        s->n_clients++;

        int r = sd_event_add_io(s->event, &c->source, c->fd, EPOLLIN, on_client, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->source, QUERY_PRIORITY);
        if (r < 0)
                client_free(c);
        return r;
}

/* The connection stays in the backlog, and the socket readable. */
static void server_pause(QueryServer *s, int error) {
        if (server_may_complain(s))
                log_warning("Failed to accept a client: %s", strerror(-error));
        (void)sd_event_source_set_enabled(s->listener, SD_EVENT_OFF);
        s->resume_usec = time_now_usec(CLOCK_MONOTONIC) + s->limits.accept_pause_usec;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        QueryServer *s = userdata;

        (void)source;
        (void)revents;
        for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
                int r = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (r < 0 && errno == EAGAIN)
                        break;
                if (r < 0 && (errno == EINTR || errno == ECONNABORTED))
                        continue;
                r = r < 0 ? -errno : server_add_client(s, r);
                if (r < 0) {
                        server_pause(s, r);
                        break;
                }
        }
        server_arm_timer(s);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        static const char *const states[] = {
                [CLIENT_IDLE] = "idle",
                [CLIENT_REQUEST] = "incomplete call",
                [CLIENT_REPLY] = "unread reply",
        };
        QueryServer *s = userdata;
        uint64_t now = time_now_usec(CLOCK_MONOTONIC);

        (void)source;
        (void)usec;
        for (Client *c = s->clients, *next; c; c = next) {
                next = c->next;
                if (client_deadline(c) > now)
                        continue;
                log_debug("Disconnected a client of uid %u: timeout (%s).", (unsigned)c->uid,
                                states[c->state]);
                client_free(c);
        }
        if (s->resume_usec != 0 && s->resume_usec <= now) {
                s->resume_usec = 0;
                (void)sd_event_source_set_enabled(s->listener, SD_EVENT_ON);
        }
        server_arm_timer(s);
        return 0;
}

int query_server_new(sd_event *event, int listen_fd, const QuerySource *source, QueryServer **ret) {
        _cleanup_(query_server_freep) QueryServer *s = calloc(1, sizeof(*s));
        int flags = fcntl(listen_fd, F_GETFL), r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->source = source;
        s->limits = query_limits;
        s->fd = -1;
        /* Nonblocking: a client may disconnect before accept(2). */
        if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;

        r = sd_event_add_io(event, &s->listener, listen_fd, EPOLLIN, on_connection, s);
        if (r >= 0)
                r = sd_event_source_set_priority(s->listener, QUERY_PRIORITY);
        if (r >= 0)
                r = sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, 0, 0, on_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(s->timer, QUERY_PRIORITY);
        if (r < 0)
                return r;
        s->fd = listen_fd;
        *ret = STEAL_PTR(s);
        return 0;
}

QueryServer *query_server_free(QueryServer *s) {
        if (!s)
                return NULL;
        while (s->clients)
                client_free(s->clients);
        sd_event_source_disable_unref(s->listener);
        sd_event_source_disable_unref(s->timer);
        sd_event_unref(s->event);
        if (s->fd >= 0)
                close(s->fd);
        free(s);
        return NULL;
}

void query_server_set_limits(QueryServer *s, const QueryLimits *limits) {
        s->limits = *limits;
}

void query_server_wake(QueryServer *s) {
        bool woken = false;

        for (Client *c = s->clients; c; c = c->next)
                if (c->state == CLIENT_FOLLOWING) {
                        (void)client_wait(c, false);
                        woken = true;
                }
        if (woken)
                server_arm_timer(s);
}

size_t query_server_n_clients(const QueryServer *s) {
        return s->n_clients;
}
