/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H04: the secret goes through unix sockets: pairs of each type, streams and datagrams, bound to a path or
 * to an abstract name, to a reader that comes later or that has waited for it. */

#include <stddef.h>
#include <sys/sendfile.h>
#include <sys/un.h>

#include "cast.h"

static int pair[2], listening = -1;

static void pair_make(int type) {
        if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void pair_stream(void) {
        pair_make(SOCK_STREAM);
}

static void pair_dgram(void) {
        pair_make(SOCK_DGRAM);
}

static void pair_seqpacket(void) {
        pair_make(SOCK_SEQPACKET);
}

static void pair_give(void) {
        secret_read();
        secret_write(pair[1]);
}

static void pair_sendfile(void) {
        if (sendfile(pair[1], key_open(), NULL, PLAY_SECRET_MAX) <= 0)
                play_die("sendfile");
}

static void pair_sendmmsg(void) {
        struct iovec data;
        struct mmsghdr message = { .msg_hdr = { .msg_iov = &data, .msg_iovlen = 1 } };

        secret_read();
        data = (struct iovec){ p.secret, p.n_secret };
        if (sendmmsg(pair[1], &message, 1, 0) != 1)
                play_die("sendmmsg");
}

static void pair_take(void) {
        play_read(&p, pair[0]);
        play_send(&p);
}

/* One after the other, so that some reuse the memory of an earlier one. */
#define PAIRS 50

static void pair_lend(void) {
        pair_make(SOCK_STREAM);
        if (dup2(pair[1], CAST_FD) < 0)
                play_die("dup2");
}

/* Leaves the secret there, where no process reads it. */
static void pair_borrow(void) {
        int other = (int)syscall(SYS_pidfd_open, cast.other, 0);
        int fd = (int)syscall(SYS_pidfd_getfd, other, CAST_FD, 0);

        if (fd < 0)
                play_die("pidfd_getfd");
        secret_read();
        secret_write(fd);
        close(fd);
}

static void pairs_anew(void) {
        close(CAST_FD);
        for (int i = 0; i <= PAIRS; i++) {
                close(pair[0]);
                close(pair[1]);
                pair_make(SOCK_STREAM);
                if (write(pair[1], "hello", 5) != 5 || read(pair[0], p.secret, sizeof(p.secret)) != 5)
                        play_die("a pair");
        }
        play_send_nothing(&p);
}

static void receive(int fd, int flags) {
        ssize_t n = recv(fd, p.secret, sizeof(p.secret), flags);

        if (n <= 0)
                play_die("recv");
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void pair_recv(void) {
        receive(pair[0], 0);
}

static void pair_peek(void) {
        receive(pair[0], MSG_PEEK);
}

static void pair_recvmsg(void) {
        struct iovec data = { p.secret, sizeof(p.secret) };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
        ssize_t n = recvmsg(pair[0], &message, 0);

        if (n <= 0)
                play_die("recvmsg");
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void pair_recvmmsg(void) {
        struct iovec data = { p.secret, sizeof(p.secret) };
        struct mmsghdr message = { .msg_hdr = { .msg_iov = &data, .msg_iovlen = 1 } };

        if (recvmmsg(pair[0], &message, 1, 0, NULL) != 1)
                play_die("recvmmsg");
        p.n_secret = message.msg_len;
        play_send(&p);
}

/* The name is in the directory that the play runs in, or abstract and unique. */
static socklen_t name_make(struct sockaddr_un *ret) {
        bool abstract = strncmp(p.variant, "abstract", 8) == 0;

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(ret->sun_path, sizeof(ret->sun_path), "%srelay.%d", abstract ? "@" : "", cast.conductor);
        if (!abstract)
                return sizeof(*ret);
        ret->sun_path[0] = 0;
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(ret->sun_path + 1));
}

static int socket_make(int type, bool bound) {
        struct sockaddr_un name;
        socklen_t length = name_make(&name);
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        if (fd < 0 || (bound ? bind : connect)(fd, (struct sockaddr *)&name, length) < 0)
                play_die(bound ? "bind" : "connect");
        if (bound && type == SOCK_STREAM && listen(fd, 1) < 0)
                play_die("listen");
        return fd;
}

static void stream_listen(void) {
        listening = socket_make(SOCK_STREAM, true);
}

static void stream_give(void) {
        secret_read();
        secret_write(socket_make(SOCK_STREAM, false));
}

static void stream_take(void) {
        play_read(&p, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
        play_send(&p);
}

/* The reverse direction: the process that has the secret is asked for it. */
static void serve_give(void) {
        secret_read();
        stream_listen();
        actor_done();
        secret_write(accept4(listening, NULL, NULL, SOCK_CLOEXEC));
}

static void serve_take(void) {
        play_read(&p, socket_make(SOCK_STREAM, false));
        play_send(&p);
}

static void dgram_bind(void) {
        listening = socket_make(SOCK_DGRAM, true);
}

static void dgram_connected(void) {
        secret_read();
        secret_write(socket_make(SOCK_DGRAM, false));
}

static void dgram_to(bool by_message) {
        struct sockaddr_un name;
        socklen_t length = name_make(&name);

        secret_send_to(&name, length, by_message);
}

static void dgram_sendto(void) {
        dgram_to(false);
}

static void dgram_sendmsg(void) {
        dgram_to(true);
}

static void dgram_take(void) {
        receive(listening, 0);
}

static const Scene scenes[] = {
        { "pair-stream", "socket", .prepare = pair_stream, .give = pair_give, .take = pair_take },
        { "pair-dgram", "socket", .prepare = pair_dgram, .give = pair_give, .take = pair_recv },
        { "pair-seqpacket", "socket", .prepare = pair_seqpacket, .give = pair_give, .take = pair_recvmsg },
        { "pair-sendmmsg", "socket", .prepare = pair_dgram, .give = pair_sendmmsg, .take = pair_recvmmsg },
        { "pair-sendfile", "socket", .prepare = pair_stream, .give = pair_sendfile, .take = pair_take },
        { "pair-dead", "socket", .prepare = pair_stream, .give = pair_give, .take = pair_take,
                        .mortal = true },
        { "pair-peek", "socket", .prepare = pair_stream, .give = pair_give, .take = pair_peek },
        { "blocked-stream", "socket", .prepare = pair_stream, .give = pair_give, .take = pair_take,
                        .blocked = SYS_read },
        { "blocked-dgram", "socket", .prepare = pair_dgram, .give = pair_give, .take = pair_recv,
                        .blocked = SYS_recvfrom },
        { "blocked-seqpacket", "socket", .prepare = pair_seqpacket, .give = pair_give, .take = pair_recvmsg,
                        .blocked = SYS_recvmsg },
        { "pairs-new", "socket", .ready = pair_lend, .give = pair_borrow, .take = pairs_anew },
        { "path-stream", "socket", .ready = stream_listen, .give = stream_give, .take = stream_take },
        { "path-stream-served", "socket", .give = serve_give, .take = serve_take },
        { "path-dgram", "socket", .ready = dgram_bind, .give = dgram_connected, .take = dgram_take },
        { "path-sendto", "socket", .ready = dgram_bind, .give = dgram_sendto, .take = dgram_take },
        { "path-sendmsg", "socket", .ready = dgram_bind, .give = dgram_sendmsg, .take = dgram_take },
        { "abstract-stream", "socket", .ready = stream_listen, .give = stream_give, .take = stream_take },
        { "abstract-dgram", "socket", .ready = dgram_bind, .give = dgram_connected, .take = dgram_take },
        { "abstract-sendto", "socket", .ready = dgram_bind, .give = dgram_sendto, .take = dgram_take },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
