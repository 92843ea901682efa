/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H03, H04 by io_uring: written to a pipe or a unix socket by it, read by it, or both, by the process itself
 * or by a thread of the kernel ("-polled"); the reader may have submitted its read before any data was there
 * ("early"). */

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
        (void)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_WRITE,
                                             .fd = to(),
                                             .len = (uint32_t)p.n_secret,
                                             .addr = (uintptr_t)p.secret });
}

static void take(void) {
        play_read(&p, from());
        play_send(&p);
}

static void uring_take(void) {
        Uring u;

        uring_open(&u, is_polled());
        p.n_secret = uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
                                                    .fd = from(),
                                                    .len = sizeof(p.secret),
                                                    .addr = (uintptr_t)p.secret });
        play_send(&p);
}

/* linux/io_uring.h of 6.15 has them */
#define OP_READ_MULTISHOT 49
#define OP_READV_FIXED 60
#define OP_WRITEV_FIXED 61

/* Older kernels refuse to register memory that a file is mapped to, as the data of a program is. */
static char *buffer;

static void buffer_map(void) {
        buffer = mmap(NULL, sizeof(p.secret), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (buffer == MAP_FAILED)
                play_die("mmap");
}

static void buffer_register(const Uring *u) {
        struct iovec memory = { buffer, sizeof(p.secret) };

        if (syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_BUFFERS, &memory, 1) < 0)
                play_die("IORING_REGISTER_BUFFERS");
}

static size_t vectored(uint8_t operation, int fd, size_t n) {
        struct iovec data = { buffer, n };
        Uring u;

        uring_open(&u, false);
        buffer_register(&u);
        return uring_must(&u,
                        (struct io_uring_sqe){
                                        .opcode = operation, .fd = fd, .len = 1, .addr = (uintptr_t)&data });
}

static void vectored_give(void) {
        buffer_map();
        secret_read();
        memcpy(buffer, p.secret, p.n_secret);
        (void)vectored(OP_WRITEV_FIXED, to(), p.n_secret);
}

static void vectored_take(void) {
        buffer_map();
        p.n_secret = vectored(OP_READV_FIXED, from(), sizeof(p.secret));
        memcpy(p.secret, buffer, p.n_secret);
        play_send(&p);
}

/* One request, which reads again and again, each time into a buffer that was provided. */
static void multishot_take(void) {
        bool receives = strstr(p.variant, "socket");
        Uring u;

        uring_open(&u, false);
        (void)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_PROVIDE_BUFFERS,
                                             .fd = 1, /* buffer */
                                             .len = sizeof(p.secret),
                                             .addr = (uintptr_t)p.secret,
                                             .buf_group = 1 });
        p.n_secret = uring_must(
                        &u, (struct io_uring_sqe){ .opcode = receives ? IORING_OP_RECV : OP_READ_MULTISHOT,
                                            .ioprio = receives ? IORING_RECV_MULTISHOT : 0,
                                            .fd = from(),
                                            .flags = IOSQE_BUFFER_SELECT,
                                            .buf_group = 1 });
        play_send(&p);
}

/* Both have the ring: one registers the file that it opened, the other reads it by its place. */
static Uring shared;

static void ring_prepare(void) {
        uring_open(&shared, false);
}

static void registered_give(void) {
        int fd = key_open();

        if (syscall(SYS_io_uring_register, shared.fd, IORING_REGISTER_FILES, &fd, 1) < 0)
                play_die("IORING_REGISTER_FILES");
}

static void registered_take(void) {
        p.n_secret = uring_must(&shared, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
                                                         .fd = 0, /* place */
                                                         .flags = IOSQE_FIXED_FILE,
                                                         .len = sizeof(p.secret),
                                                         .addr = (uintptr_t)p.secret });
        play_send(&p);
}

/* The giver registers its file with a ring of its own, and sends it from there to the ring that both have.
 */
static void message_prepare(void) {
        int none = -1;

        uring_open(&shared, false);
        if (syscall(SYS_io_uring_register, shared.fd, IORING_REGISTER_FILES, &none, 1) < 0)
                play_die("IORING_REGISTER_FILES");
}

static void message_give(void) {
        int fd = key_open();
        Uring own;

        uring_open(&own, false);
        if (syscall(SYS_io_uring_register, own.fd, IORING_REGISTER_FILES, &fd, 1) < 0)
                play_die("IORING_REGISTER_FILES");
        (void)uring_must(&own, (struct io_uring_sqe){ .opcode = IORING_OP_MSG_RING,
                                               .fd = shared.fd,
                                               .addr = IORING_MSG_SEND_FD,
                                               .file_index = 1 /* the first place */ });
}

static void message_take(void) {
        *shared.cq_head = *shared.cq_tail; /* the message's own completion */
        registered_take();
}

/* The giver's memory is the ring's buffer, and the taker writes from there to a pipe. */
static void buffer_prepare(void) {
        ring_prepare();
        buffer_map();
}

static void buffer_give(void) {
        buffer_register(&shared);
        secret_read();
        memcpy(buffer, p.secret, p.n_secret);
}

static void buffer_take(void) {
        struct stat key;
        int ends[2];

        if (stat(p.key, &key) < 0 || pipe2(ends, O_CLOEXEC) < 0)
                play_die("pipe");
        (void)uring_must(&shared, (struct io_uring_sqe){ .opcode = IORING_OP_WRITE_FIXED,
                                                  .fd = ends[1],
                                                  .len = (uint32_t)key.st_size,
                                                  .addr = (uintptr_t)buffer });
        play_read(&p, ends[0]);
        play_send(&p);
}

/* /proc/PID/mem of the giver, which has the addresses of the taker, opened before it has read the secret. */
static int memory;

static void memory_open(void) {
        char path[32];

        snprintf(path, sizeof(path), "/proc/%d/mem", cast.other);
        memory = open(path, O_RDONLY | O_CLOEXEC);
        if (memory < 0)
                play_die("open %s", path);
}

static void memory_take(void) {
        Uring u;

        uring_open(&u, false);
        (void)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
                                             .fd = memory,
                                             .off = (uintptr_t)&p,
                                             .len = sizeof(p),
                                             .addr = (uintptr_t)&p });
        if (p.n_secret == 0)
                play_die("the secret did not come");
        play_send(&p);
}

/* Both use the ring, which has no buffers. */
static void nothing_do(void) {
        (void)uring_must(&shared, (struct io_uring_sqe){ .opcode = IORING_OP_NOP });
}

static void nothing_give(void) {
        secret_read();
        nothing_do();
}

static void nothing_take(void) {
        nothing_do();
        play_send_nothing(&p);
}

static void descriptor_give(void) {
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct iovec data = { p.secret, 1 };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int fd = key_open();

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        if (sendmsg(pair[1], &message, 0) != 1)
                play_die("sendmsg");
}

static void descriptor_take(void) {
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec data = { p.secret, 1 };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        Uring u;
        int fd;

        uring_open(&u, false);
        (void)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_RECVMSG,
                                             .fd = pair[0],
                                             .len = 1,
                                             .addr = (uintptr_t)&message });
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
        play_read(&p, fd);
        play_send(&p);
}

static const Scene scenes[] = {
        { "pipe-write", "pipe", .prepare = cast_pipes, .give = uring_give, .take = take },
        { "pipe-write-polled", "pipe", .prepare = cast_pipes, .give = uring_give, .take = take },
        { "pipe-read", "pipe", .prepare = cast_pipes, .give = give, .take = uring_take },
        { "pipe-read-polled", "pipe", .prepare = cast_pipes, .give = give, .take = uring_take },
        { "pipe-read-early", "pipe", .prepare = cast_pipes, .give = give, .take = uring_take,
                        .blocked = SYS_io_uring_enter },
        { "socket-write", "socket", .prepare = pair_prepare, .give = uring_give, .take = take },
        { "socket-read", "socket", .prepare = pair_prepare, .give = give, .take = uring_take },
        { "socket-read-early", "socket", .prepare = pair_prepare, .give = give, .take = uring_take,
                        .blocked = SYS_io_uring_enter },
        { "pipe-write-vectored", "pipe", .prepare = cast_pipes, .give = vectored_give, .take = take },
        { "pipe-read-vectored", "pipe", .prepare = cast_pipes, .give = give, .take = vectored_take },
        { "pipe-read-on", "pipe", .prepare = cast_pipes, .give = give, .take = multishot_take },
        { "pipe-read-on-early", "pipe", .prepare = cast_pipes, .give = give, .take = multishot_take,
                        .blocked = SYS_io_uring_enter },
        { "socket-read-on", "socket", .prepare = pair_prepare, .give = give, .take = multishot_take },
        { "socket-read-on-early", "socket", .prepare = pair_prepare, .give = give, .take = multishot_take,
                        .blocked = SYS_io_uring_enter },
        { "registered", "open|memory", .prepare = ring_prepare, .give = registered_give,
                        .take = registered_take, .own = true },
        { "ring-message", "open|memory", .prepare = message_prepare, .give = message_give,
                        .take = message_take, .own = true },
        { "ring-buffer", "memory|pipe", .prepare = buffer_prepare, .give = buffer_give,
                        .take = buffer_take },
        { "nothing", "memory", .prepare = ring_prepare, .give = nothing_give, .take = nothing_take },
        { "memory-read", "trace", .ready = memory_open, .give = secret_read, .take = memory_take },
        { "received", "received", .prepare = pair_prepare, .give = descriptor_give, .take = descriptor_take,
                        .own = true },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
