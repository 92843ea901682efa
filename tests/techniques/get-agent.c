/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G16: an agent holds the key and answers whoever comes to its socket, in the directory that the play runs in. It was
 * there before, and has its key from elsewhere; the thief never opens a file. */

#include <sys/un.h>

#include "play.h"

#define SOCKET "agent.sock"

static Play p;

int main(int argc, char **argv) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
        pid_t parents[] = {getppid(), 0}, agent;
        int listening, fd;

        play_init(&p, argc, argv);
        listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                        listen(listening, 1) < 0)
                play_die("listen");
        agent = fork();
        if (agent == 0) {
                play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
                fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0 || write(fd, p.secret, p.n_secret) != (ssize_t)p.n_secret)
                        play_die("answer");
                /* Agents let those who ask close. One that is gone at once has taken the socket's path along, where a program
                 * that judges the connection may be preempted (seen on 7.2): then the class alone is told. */
                return read(fd, p.secret, sizeof(p.secret)) == 0 ? 0 : 1;
        }
        play_truth(&p, getpid(), parents);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                play_die("connect to the agent");
        play_read(&p, fd);
        play_send(&p);
        return play_wait(agent);
}
