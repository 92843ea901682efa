/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H03, G10, by calls that few programs use: io_submit(2), vmsplice(2) by the reader, recvmmsg(2) of many
 * messages, of which the last one has the descriptor, and a supervisor of seccomp_unotify(2) that answers a
 * call with a descriptor. "-second": an honest process that writes to the same
 * pipe. */

#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "cast.h"

#define MESSAGES 100 /* fewer than a socket's buffer takes */

static int pair[2];

/* One request of this operation, carried out before it returns. */
static size_t aio(uint16_t operation, int fd, size_t n) {
        struct iocb request = { .aio_lio_opcode = operation,
                .aio_fildes = (uint32_t)fd,
                .aio_buf = (uintptr_t)p.secret,
                .aio_nbytes = n };
        struct iocb *requests[] = { &request };
        struct io_event event;
        aio_context_t context = 0;

        if (syscall(SYS_io_setup, 1, &context) < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "io_setup");
        if (syscall(SYS_io_submit, context, 1, requests) != 1 ||
                        syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
                play_die("io_submit");
        if (event.res <= 0)
                play_die("io_submit, operation %d, result %lld", operation, event.res);
        return (size_t)event.res;
}

static void give(void) {
        secret_read();
        secret_write(cast_out());
}

static void aio_give(void) {
        secret_read();
        (void)aio(IOCB_CMD_PWRITE, cast_out(), p.n_secret);
}

static void take(void) {
        play_read(&p, cast_in());
        play_send(&p);
}

static void aio_take(void) {
        p.n_secret = aio(IOCB_CMD_PREAD, cast_in(), sizeof(p.secret));
        play_send(&p);
}

static void vmsplice_take(void) {
        struct iovec to = { p.secret, sizeof(p.secret) };
        ssize_t n = vmsplice(cast_in(), &to, 1, 0);

        if (n <= 0)
                play_die("vmsplice");
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void pair_prepare(void) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void late_give(void) {
        for (int i = 1; i < MESSAGES; i++)
                if (send(pair[1], "", 1, 0) != 1)
                        play_die("send");
        play_pass(pair[1], key_open());
}

static void late_take(void) {
        static struct mmsghdr messages[MESSAGES];
        static union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } controls[MESSAGES];
        static char bytes[MESSAGES];
        static struct iovec data[MESSAGES];
        int fd;

        for (size_t i = 0; i < MESSAGES; i++) {
                data[i] = (struct iovec){ bytes + i, 1 };
                messages[i].msg_hdr = (struct msghdr){ .msg_iov = data + i,
                        .msg_iovlen = 1,
                        .msg_control = controls + i,
                        .msg_controllen = sizeof(controls[i]) };
        }
        if (recvmmsg(pair[0], messages, MESSAGES, MSG_CMSG_CLOEXEC, NULL) != MESSAGES)
                play_die("recvmmsg");
        memcpy(&fd, CMSG_DATA(&controls[MESSAGES - 1].header), sizeof(fd));
        play_read(&p, fd);
        play_send(&p);
}

/* The taker lets a supervisor decide on one call, which it does not use otherwise. */
static void filter_ready(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

        int fd = (int)syscall(
                        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        if (fd < 0 || dup2(fd, CAST_FD) < 0)
                play_exit(PLAY_CANNOT, "seccomp");
        close(fd);
}

static void answer_give(void) {
        struct seccomp_notif call = {};
        int process = (int)syscall(SYS_pidfd_open, cast.other, 0);
        int listener = (int)syscall(SYS_pidfd_getfd, process, CAST_FD, 0);

        if (listener < 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
                play_die("the listener of the taker");
        struct seccomp_notif_addfd answer = {
                .id = call.id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)key_open()
        };
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &answer) < 0)
                play_exit(errno == EINVAL ? PLAY_CANNOT : 1, "SECCOMP_ADDFD_FLAG_SEND");
}

static void answer_take(void) {
        play_read(&p, (int)syscall(SYS_getpgid, 0));
        play_send(&p);
}

/* Another process writes to the same pipe, and reads nothing from it. */
static void pipe_prepare(void) {
        if (pipe2(pair, O_CLOEXEC) < 0)
                play_die("pipe");
}

static void pipe_give(void) {
        secret_read();
        secret_write(pair[1]);
}

static void second_take(void) {
        struct iovec data = { p.secret, 1 };

        if (play_variant(&p, "aio-second"))
                (void)aio(IOCB_CMD_PWRITE, pair[1], 1);
        else if (vmsplice(pair[1], &data, 1, 0) != 1)
                play_die("vmsplice");
        play_send_nothing(&p);
}

static const Scene scenes[] = {
        { "aio-write", "pipe", .prepare = cast_pipes, .give = aio_give, .take = take },
        { "aio-read", "pipe", .prepare = cast_pipes, .give = give, .take = aio_take },
        { "aio-read-blocked", "pipe", .prepare = cast_pipes, .give = give, .take = aio_take,
                        .blocked = SYS_io_submit },
        { "vmsplice", "pipe", .prepare = cast_pipes, .give = give, .take = vmsplice_take },
        { "vmsplice-blocked", "pipe", .prepare = cast_pipes, .give = give, .take = vmsplice_take,
                        .blocked = SYS_vmsplice },
        { "late-descriptor", "received", .prepare = pair_prepare, .give = late_give, .take = late_take,
                        .own = true },
        { "answer", "received", .ready = filter_ready, .give = answer_give, .take = answer_take,
                        .blocked = SYS_getpgid, .own = true },
        { "aio-second", "pipe", .prepare = pipe_prepare, .give = pipe_give, .take = second_take },
        { "vmsplice-second", "pipe", .prepare = pipe_prepare, .give = pipe_give, .take = second_take },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
