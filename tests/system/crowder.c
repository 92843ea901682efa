/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Fills tables: reads FILE, so that this process is marked, and then makes N holders of one kind.
 *
 * usage: crowder FILE KIND N [DIRECTORY]
 *
 *   pipes        a pipe, written to and closed, N times
 *   sockets      a pair of unix sockets, the same
 *   files        a file in DIRECTORY, written to, closed and removed, one after the other
 *   many-files   N files in DIRECTORY, written to and closed; then all of them removed
 *   sleepers     N children that sleep until this process ends
 *   mappings     the same, each with 250 shared mappings of its own
 *   opens        opens files 0/.env … N-1/.env of DIRECTORY, which are there
 *   held         the same, and keeps them open
 *
 * Prints "ready" when it is done, and ends at the end of standard input. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Below the number that a process may have listed: bpf/process/shm.bpf.h, MAPPINGS_MAX. */
#define MAPPINGS 250

static const char text[] = "twenty bytes and more, as a secret has\n";

static int fail(const char *what) {
        perror(what);
        return 1;
}

static int pipes(unsigned n, const char *directory) {
        (void)directory;
        for (unsigned i = 0; i < n; i++) {
                int fds[2];
                if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], text, sizeof(text)) < 0)
                        return fail("pipe");
                close(fds[0]);
                close(fds[1]);
        }
        return 0;
}

static int sockets(unsigned n, const char *directory) {
        (void)directory;
        for (unsigned i = 0; i < n; i++) {
                int fds[2];
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ||
                                send(fds[1], text, sizeof(text), MSG_NOSIGNAL) < 0)
                        return fail("socketpair");
                close(fds[0]);
                close(fds[1]);
        }
        return 0;
}

static int file_write(const char *directory, unsigned i) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%u", directory, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, sizeof(text)) < 0)
                return fail(path);
        close(fd);
        return 0;
}

static int file_remove(const char *directory, unsigned i) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%u", directory, i);
        return unlink(path) < 0 ? fail(path) : 0;
}

static int files(unsigned n, const char *directory) {
        for (unsigned i = 0; i < n; i++)
                if (file_write(directory, i) || file_remove(directory, i))
                        return 1;
        return 0;
}

static int many_files(unsigned n, const char *directory) {
        for (unsigned i = 0; i < n; i++)
                if (file_write(directory, i))
                        return 1;
        for (unsigned i = 0; i < n; i++)
                if (file_remove(directory, i))
                        return 1;
        return 0;
}

/* Each of them writes a byte to fd when its mappings are made. */
static void sleeper(unsigned mappings, int fd) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned i = 0; i < mappings; i++)
                if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ==
                                MAP_FAILED)
                        _exit(fail("mmap"));
        (void)!write(fd, "", 1);
        close(fd);
        for (;;)
                pause();
}

static int crowd(unsigned n, unsigned mappings) {
        char byte;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return fail("pipe");
        for (unsigned i = 0; i < n; i++) {
                pid_t pid = fork();
                if (pid < 0)
                        return fail("fork");
                if (pid == 0) {
                        close(fds[0]);
                        sleeper(mappings, fds[1]);
                }
        }
        close(fds[1]);
        for (unsigned i = 0; i < n; i++)
                if (read(fds[0], &byte, 1) != 1)
                        return fail("sleeper");
        close(fds[0]);
        return 0;
}

static int sleepers(unsigned n, const char *directory) {
        (void)directory;
        return crowd(n, 0);
}

static int mappings(unsigned n, const char *directory) {
        (void)directory;
        return crowd(n, MAPPINGS);
}

static int file_open(const char *directory, unsigned i) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%u/.env", directory, i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -fail(path) : fd;
}

static int opens(unsigned n, const char *directory) {
        for (unsigned i = 0; i < n; i++) {
                int fd = file_open(directory, i);
                if (fd < 0)
                        return 1;
                close(fd);
        }
        return 0;
}

static int held(unsigned n, const char *directory) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return fail("getrlimit");
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return fail("setrlimit");
        for (unsigned i = 0; i < n; i++)
                if (file_open(directory, i) < 0)
                        return 1;
        return 0;
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                int (*make)(unsigned n, const char *directory);
        } kinds[] = {
                { "pipes", pipes },
                { "sockets", sockets },
                { "files", files },
                { "many-files", many_files },
                { "sleepers", sleepers },
                { "mappings", mappings },
                { "opens", opens },
                { "held", held },
        };
        char buffer[4096];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = argc >= 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0 || read(fd, buffer, sizeof(buffer)) < 0) {
                fprintf(stderr, "usage: crowder FILE KIND N [DIRECTORY]: %s\n", strerror(errno));
                return 2;
        }
        close(fd);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (strcmp(kinds[i].name, argv[2]) == 0) {
                        if (kinds[i].make((unsigned)strtoul(argv[3], NULL, 10), argc > 4 ? argv[4] : "."))
                                return 1;
                        puts("ready");
                        fflush(stdout);
                        while (fgets(buffer, sizeof(buffer), stdin))
                                ;
                        return 0;
                }
        return 2;
}
