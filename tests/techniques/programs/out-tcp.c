/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E01: the secret leaves over TCP, by a blocking or a non-blocking connect; "repeat" sends it five times to
 * one port and once to the next. */

#include "play.h"

static void send_nonblocking(const Play *p) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address), error_size = sizeof(int);
        int fd = play_socket(&address, SOCK_STREAM | SOCK_NONBLOCK), error = 0;
        struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

        if (connect(fd, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
                play_die("connect");
        if (poll(&pollfd, 1, -1) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0 ||
                        error)
                play_die("connect: error %d", error);
        if (fcntl(fd, F_SETFL, 0) < 0)
                play_die("fcntl");
        play_deliver(p, fd);
}

static void send_repeatedly(Play *p) {
        for (size_t i = 0; i < 5; i++)
                play_send(p);
        p->port++;
        play_send(p);
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        Play p;

        play_init(&p, argc, argv);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        play_truth(&p, getpid(), parents);
        if (play_variant(&p, "blocking"))
                play_send(&p);
        else if (play_variant(&p, "nonblocking"))
                send_nonblocking(&p);
        else if (play_variant(&p, "repeat"))
                send_repeatedly(&p);
        else
                play_unknown(&p);
        return 0;
}
