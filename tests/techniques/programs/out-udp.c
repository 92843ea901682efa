/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E04: the secret leaves in a datagram, over a connected socket or by naming the address at each send. */

#include "play.h"

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        struct sockaddr_storage address;
        struct iovec iov;
        struct mmsghdr messages[1] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };
        socklen_t length;
        ssize_t n;
        Play p;
        int fd;

        play_init(&p, argc, argv);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        play_truth(&p, getpid(), parents);
        length = play_address(&p, &address);
        fd = play_socket(&address, SOCK_DGRAM);
        iov = (struct iovec){ p.secret, p.n_secret };
        messages[0].msg_hdr.msg_name = &address;
        messages[0].msg_hdr.msg_namelen = length;

        if (play_variant(&p, "connected")) {
                if (connect(fd, (struct sockaddr *)&address, length) < 0)
                        play_die("connect");
                n = write(fd, p.secret, p.n_secret);
        } else if (play_variant(&p, "sendto"))
                n = sendto(fd, p.secret, p.n_secret, 0, (struct sockaddr *)&address, length);
        else if (play_variant(&p, "sendmsg"))
                n = sendmsg(fd, &messages[0].msg_hdr, 0);
        else if (play_variant(&p, "sendmmsg"))
                n = sendmmsg(fd, messages, 1, 0) == 1 ? (ssize_t)messages[0].msg_len : -1;
        else
                play_unknown(&p);
        if (n != (ssize_t)p.n_secret)
                play_die("send (%s)", p.variant);
        return 0;
}
