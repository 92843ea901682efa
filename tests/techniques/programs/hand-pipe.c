/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H03, H04, G15: the secret goes through pipes and FIFOs: to a sibling, through up to seven processes
 * between them, moved by read and write or without a copy in user memory, by programs of the system, or on a
 * connection that existed before.
 *
 * "print:PROGRAM" is "cat" with another program in its place, which prints the file that is its argument;
 * its output may also be a unix socket ("print-socket:…"). */

#include <sys/sendfile.h>
#include <sys/uio.h>

#include "cast.h"

#define FIFO "relay.fifo"

static int connection, pair[2];
static const char *printer;

static void give(void) {
        secret_read();
        secret_write(cast_out());
}

static void carry(void) {
        play_read(&p, cast_in());
        secret_write(cast_out());
}

/* Exactly one read(2): a process that waited in it is not seen to call it again. */
static void take(void) {
        play_read(&p, cast_in());
        play_send(&p);
}

/* Nothing is handed on: acting one after the other is not a route for a secret. */
static void give_nothing(void) {
        secret_read();
}

static void take_nothing(void) {
        play_send_nothing(&p);
}

static void connect_first(void) {
        struct sockaddr_storage address;
        socklen_t length = play_address(&p, &address);

        connection = play_socket(&address, SOCK_STREAM);
        if (connect(connection, (struct sockaddr *)&address, length) < 0)
                play_die("connect");
}

static void take_connected(void) {
        play_read(&p, cast_in());
        play_deliver(&p, connection);
}

static void take_spliced(void) {
        while (splice(cast_in(), NULL, connection, NULL, PLAY_SECRET_MAX, 0) > 0)
                ;
        p.n_secret = 0;
        play_deliver(&p, connection);
}

static void give_spliced(void) {
        if (splice(key_open(), NULL, cast_out(), NULL, PLAY_SECRET_MAX, 0) <= 0)
                play_die("splice");
}

static void give_sendfile(void) {
        if (sendfile(cast_out(), key_open(), NULL, PLAY_SECRET_MAX) <= 0)
                play_die("sendfile");
}

static void give_vmspliced(void) {
        struct iovec data;

        secret_read();
        data = (struct iovec){ p.secret, p.n_secret };
        if (vmsplice(cast_out(), &data, 1, 0) != (ssize_t)p.n_secret)
                play_die("vmsplice");
}

static void give_writev(void) {
        struct iovec data[2];

        secret_read();
        data[0] = (struct iovec){ p.secret, 10 };
        data[1] = (struct iovec){ p.secret + 10, p.n_secret - 10 };
        if (writev(cast_out(), data, 2) != (ssize_t)p.n_secret)
                play_die("writev");
}

static void take_readv(void) {
        struct iovec data[2] = { { p.secret, 10 }, { p.secret + 10, sizeof(p.secret) - 10 } };
        ssize_t n = readv(cast_in(), data, 2);

        if (n <= 0)
                play_die("readv");
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void carry_tee(void) {
        if (tee(cast_in(), cast_out(), PLAY_SECRET_MAX, 0) <= 0)
                play_die("tee");
}

static void carry_spliced(void) {
        if (splice(cast_in(), NULL, cast_out(), NULL, PLAY_SECRET_MAX, 0) <= 0)
                play_die("splice");
}

static void give_cat(void) {
        actor_exec(-1, cast_out(), "cat", p.key, NULL);
}

static void carry_gzip(void) {
        actor_exec(cast_in(), cast_out(), "gzip", "-n", NULL);
}

static void fifo_prepare(void) {
        if (mkfifo(FIFO, 0600) < 0)
                play_die("mkfifo");
}

static void fifo_ready(void) {
        pair[0] = open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (pair[0] < 0 || fcntl(pair[0], F_SETFL, 0) < 0)
                play_die("open the FIFO");
}

static void fifo_give(void) {
        secret_read();
        secret_write(open(FIFO, O_WRONLY | O_CLOEXEC));
}

static void fifo_take(void) {
        play_read(&p, pair[0]);
        play_send(&p);
}

/* A pipe that only the giver has: the taker opens the descriptor of the giver. */
static void give_own(void) {
        int fds[2];

        secret_read();
        if (pipe(fds) < 0 || dup2(fds[0], CAST_FD) < 0)
                play_die("pipe");
        secret_write(fds[1]);
}

static void print(void) {
        actor_exec(-1, cast_out(), printer, p.key, NULL);
}

static void pair_prepare(void) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void print_to_socket(void) {
        actor_exec(-1, pair[1], printer, p.key, NULL);
}

static void take_from_socket(void) {
        close(pair[1]);
        play_read(&p, pair[0]);
        play_send(&p);
}

static const Scene scenes[] = {
        { "plain", "pipe", .prepare = cast_pipes, .give = give, .take = take },
        { "nothing", "pipe", .prepare = cast_pipes, .give = give_nothing, .take = take_nothing },
        { "blocked", "pipe", .prepare = cast_pipes, .give = give, .take = take, .blocked = SYS_read },
        { "blocked-readv", "pipe", .prepare = cast_pipes, .give = give, .take = take_readv,
                        .blocked = SYS_readv },
        { "blocked-splice", "pipe", .prepare = cast_pipes, .ready = connect_first, .give = give,
                        .take = take_spliced, .blocked = SYS_splice, .mortal = true },
        { "dead", "pipe", .prepare = cast_pipes, .give = give, .take = take, .mortal = true },
        { "connected", "pipe", .prepare = cast_pipes, .ready = connect_first, .give = give,
                        .take = take_connected },
        { "writev", "pipe", .prepare = cast_pipes, .give = give_writev, .take = take_readv },
        { "splice-in", "pipe", .prepare = cast_pipes, .give = give_spliced, .take = take },
        { "sendfile-in", "pipe", .prepare = cast_pipes, .give = give_sendfile, .take = take },
        { "vmsplice-in", "pipe", .prepare = cast_pipes, .give = give_vmspliced, .take = take },
        { "splice-out", "pipe", .prepare = cast_pipes, .ready = connect_first, .give = give,
                        .take = take_spliced, .mortal = true },
        { "three", "pipe", .prepare = cast_pipes, .give = give, .carry = carry, .take = take,
                        .n_carriers = 1 },
        { "three-tee", "pipe", .prepare = cast_pipes, .give = give, .carry = carry_tee, .take = take,
                        .n_carriers = 1 },
        { "three-splice", "pipe", .prepare = cast_pipes, .give = give, .carry = carry_spliced, .take = take,
                        .n_carriers = 1 },
        { "longest", "pipe", .prepare = cast_pipes, .give = give, .carry = carry, .take = take,
                        .n_carriers = CAST_CARRIERS_MAX },
        { "too-long", "pipe", .prepare = cast_pipes, .give = give, .carry = carry, .take = take,
                        .n_carriers = CAST_CARRIERS_MAX + 1 },
        { "cat", "pipe", .prepare = cast_pipes, .give = give_cat, .take = take, .give_comm = "cat" },
        { "cat-gzip", "pipe", .prepare = cast_pipes, .give = give_cat, .carry = carry_gzip, .take = take,
                        .give_comm = "cat", .carry_comm = "gzip", .n_carriers = 1 },
        { "fifo", "pipe", .prepare = fifo_prepare, .ready = fifo_ready, .give = fifo_give,
                        .take = fifo_take },
        { "proc-fd", "pipe", .give = give_own, .take = cast_take_other },
        { "print", "pipe", .prepare = cast_pipes, .give = print, .take = take, .give_comm = "printer" },
        { "print-socket", "socket", .prepare = pair_prepare, .give = print_to_socket,
                        .take = take_from_socket, .give_comm = "printer" },
        { .name = NULL },
};

int main(int argc, char **argv) {
        printer = cast_argument(argv[1]);
        return cast_play(scenes, argc, argv);
}
