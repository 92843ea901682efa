/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H03, H04 by io_uring: written to a pipe or a unix socket by it, read by it, or both, by the process itself or by a
 * thread of the kernel's ("-polled"); the reader may have asked before anything was there ("early"). */

#include "cast.h"
#include "uring.h"

static int pair[2];

static bool is_polled(void) {
        return strstr(p.variant, "-polled");
}

static void pair_prepare(void) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static int from(void) {
        return cast.n_pipes > 0 ? cast_in() : pair[0];
}

static int to(void) {
        return cast.n_pipes > 0 ? cast_out() : pair[1];
}

static void give(void) {
        secret_read();
        secret_write(to());
}

static void uring_give(void) {
        Uring u;

        uring_open(&u, is_polled());
        secret_read();
        (void)uring_must(&u, (struct io_uring_sqe){.opcode = IORING_OP_WRITE, .fd = to(), .len = (uint32_t)p.n_secret,
                                             .addr = (uintptr_t)p.secret});
}

static void take(void) {
        play_read(&p, from());
        play_send(&p);
}

static void uring_take(void) {
        Uring u;

        uring_open(&u, is_polled());
        p.n_secret = uring_must(&u, (struct io_uring_sqe){.opcode = IORING_OP_READ, .fd = from(),
                                                    .len = sizeof(p.secret), .addr = (uintptr_t)p.secret});
        play_send(&p);
}

static const Scene scenes[] = {
        {"pipe-write", "pipe", .prepare = cast_pipes, .give = uring_give, .take = take},
        {"pipe-write-polled", "pipe", .prepare = cast_pipes, .give = uring_give, .take = take},
        {"pipe-read", "pipe", .prepare = cast_pipes, .give = give, .take = uring_take},
        {"pipe-read-polled", "pipe", .prepare = cast_pipes, .give = give, .take = uring_take},
        {"pipe-read-early", "pipe", .prepare = cast_pipes, .give = give, .take = uring_take,
                .blocked = SYS_io_uring_enter},
        {"socket-write", "socket", .prepare = pair_prepare, .give = uring_give, .take = take},
        {"socket-read", "socket", .prepare = pair_prepare, .give = give, .take = uring_take},
        {"socket-read-early", "socket", .prepare = pair_prepare, .give = give, .take = uring_take,
                .blocked = SYS_io_uring_enter},
        {.name = NULL},
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
