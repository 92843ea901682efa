/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Threads of one process that do the same thing at the same instant, round after round, each round in a child
 * of its own and to a port of its own (FIRST_PORT + round):
 *
 *   racer opens ROUNDS ADDRESS FIRST_PORT FILE FILE…   each thread opens one of the files, then one datagram
 *   racer sends ROUNDS ADDRESS FIRST_PORT FILE         one open, then each thread sends to the same port
 *
 * Threads meet by spinning: a futex wakes them one after the other, too far apart to race. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 4
/* Spins before the core is given away: with fewer cores than threads somebody has to. */
#define SPINS 20000

static struct sockaddr_in to = {.sin_family = AF_INET};
static atomic_int waiting;
static atomic_int failed;

static void meet(void) {
        atomic_fetch_sub(&waiting, 1);
        for (unsigned spins = 1; atomic_load(&waiting) > 0; spins++)
                if (spins % SPINS == 0)
                        sched_yield();
}

static void datagram_send(int fd) {
        if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
                atomic_store(&failed, 1);
}

static void *on_open_thread(void *path) {
        meet();
        if (open(path, O_RDONLY | O_CLOEXEC) < 0)
                atomic_store(&failed, 1);
        return NULL;
}

static void *on_send_thread(void *fd) {
        meet();
        datagram_send(*(int *)fd);
        return NULL;
}

static int round_run(int opens, int n, char **paths) {
        pthread_t threads[THREADS_MAX];
        int fds[THREADS_MAX], fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || (!opens && open(paths[0], O_RDONLY | O_CLOEXEC) < 0))
                return 1;
        atomic_store(&waiting, n);
        for (int i = 0; i < n; i++) {
                /* A socket each: its lock must not put the senders in a row. */
                fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (pthread_create(&threads[i], NULL, opens ? on_open_thread : on_send_thread,
                                    opens ? (void *)paths[i] : (void *)&fds[i]) != 0)
                        return 1;
        }
        for (int i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        if (opens)
                datagram_send(fd);
        return atomic_load(&failed);
}

int main(int argc, char **argv) {
        int opens = argc > 1 && strcmp(argv[1], "opens") == 0;
        int n = opens ? argc - 5 : THREADS_MAX;

        if (argc < 6 || n > THREADS_MAX || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) {
                fprintf(stderr, "usage: %s opens|sends ROUNDS ADDRESS FIRST_PORT FILE...\n", argv[0]);
                return 2;
        }
        for (int i = 0; i < atoi(argv[2]); i++) {
                int status;
                pid_t pid = fork();

                if (pid == 0) {
                        to.sin_port = htons((unsigned short)(atoi(argv[4]) + i));
                        _exit(round_run(opens, n, argv + 5));
                }
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
                        fprintf(stderr, "round %d failed\n", i);
                        return 1;
                }
        }
        return 0;
}
