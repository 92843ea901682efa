/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E07: the secret leaves by io_uring: over a connection made by it, by data sent on a connection that
 * existed before the key was opened, or in a datagram to an address; "-polled": by a thread of the kernel.
 */

#include "uring.h"

static Play p;

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        struct sockaddr_storage address;
        struct iovec data = { p.secret, 0 };
        struct msghdr message = { .msg_name = &address, .msg_iov = &data, .msg_iovlen = 1 };
        struct io_uring_sqe send_it = { .addr = (uintptr_t)p.secret };
        socklen_t length;
        bool connects, by_message;
        Uring u;
        int fd;

        play_init(&p, argc, argv);
        length = play_address(&p, &address);
        connects = strncmp(p.variant, "connect", 7) == 0;
        by_message = strncmp(p.variant, "sendmsg", 7) == 0;
        uring_open(&u, strstr(p.variant, "-polled"));
        fd = play_socket(&address, by_message ? SOCK_DGRAM : SOCK_STREAM);
        if (!connects && !by_message && connect(fd, (struct sockaddr *)&address, length) < 0)
                play_die("connect");
        /* The thread that submits it is a thread of this process. */
        play_tell(&p, getpid(), getpid(), u.polled ? 0 : gettid(), parents, NULL, NULL);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        send_it.fd = fd;
        if (connects) {
                struct io_uring_sqe connect_it = {
                        .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&address, .off = length
                };

                (void)uring_must(&u, connect_it);
                send_it.opcode = IORING_OP_SEND;
        } else if (by_message) {
                data.iov_len = p.n_secret;
                message.msg_namelen = length;
                send_it.opcode = IORING_OP_SENDMSG;
                send_it.addr = (uintptr_t)&message;
                send_it.len = 1;
        } else if (strncmp(p.variant, "send-zerocopy", 13) == 0) {
                send_it.opcode = IORING_OP_SEND_ZC;
        } else if (strncmp(p.variant, "send", 4) == 0) {
                send_it.opcode = IORING_OP_SEND;
        } else if (strncmp(p.variant, "write", 5) == 0) {
                send_it.opcode = IORING_OP_WRITE;
        } else {
                play_unknown(&p);
        }
        if (!by_message)
                send_it.len = (uint32_t)p.n_secret;
        if (uring_must(&u, send_it) != p.n_secret)
                play_die("sent in part");
        p.n_secret = 0;
        if (!by_message)
                play_deliver(&p, fd);
        return 0;
}
