/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G16: an agent has the key, and answers every process that connects to its socket, in the directory that
 * the play runs in. It was started before and did not open the file; the thief never opens a file. The thief
 * connects directly, by io_uring ("uring"), or receives a connection of another process ("received");
 * "before" connects, prints "ready" and continues when a line arrives. */

#include <sys/un.h>

#include "uring.h"

#define SOCKET "agent.sock"

static Play p;
static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };

static int agent_listen(void) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
                play_die("listen");
        return fd;
}

static void agent_answer(int listening) {
        char question;
        int fd;

        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || read(fd, &question, 1) != 1 || write(fd, p.secret, p.n_secret) != (ssize_t)p.n_secret)
                play_die("answer");
        /* Agents let the client close the connection. One that exits at once takes the path of its socket
         * along: where the program that judges the connection may be preempted (observed on 7.2), the alert
         * names only the class. */
        if (read(fd, &question, 1) != 0)
                play_die("the end");
}

static int agent_connect(void) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r = -1;

        if (fd >= 0 && play_variant(&p, "uring")) {
                Uring u;

                uring_open(&u, false);
                r = (int)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_CONNECT,
                                                        .fd = fd,
                                                        .addr = (uintptr_t)&address,
                                                        .off = sizeof(address) });
        } else if (fd >= 0)
                r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
        if (r < 0)
                play_die("connect to the agent");
        return fd;
}

/* Of another process, which passes it on. */
static int agent_receive(void) {
        int pair[2], fd;
        pid_t other;

        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
        other = fork();
        if (other == 0) {
                play_pass(pair[1], agent_connect());
                _exit(0);
        }
        fd = play_receive(pair[0]);
        if (play_wait(other) != 0)
                play_die("the other process");
        return fd;
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 }, agent;
        const char *via = NULL;
        int listening, fd;

        play_init(&p, argc, argv);
        listening = agent_listen();
        agent = fork();
        if (agent == 0) {
                agent_answer(listening);
                return 0;
        }
        if (play_variant(&p, "received"))
                via = "received|socket";
        play_tell(&p, getpid(), getpid(), gettid(), parents, via, via ? "" : NULL);
        fd = via ? agent_receive() : agent_connect();
        if (play_variant(&p, "before")) {
                puts("ready");
                (void)getchar();
        }
        if (write(fd, "?", 1) != 1)
                play_die("ask");
        play_read(&p, fd);
        play_send(&p);
        return play_wait(agent);
}
