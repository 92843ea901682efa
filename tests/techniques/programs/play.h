/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What all technique programs share: read a secret, send it, print the truth about the processes.
 *
 * Every program is called as PROGRAM VARIANT KEY ADDRESS PORT and prints one truth line per theft before it
 * sends: toucher=PID sender=PID tid=TID start=TICKS lineage=PID,… [via=VIA way=PID:COMM:VIA,…] file=KEY.
 * run.py holds each alert against these lines. They use only real system calls, and no interface of the
 * daemon for tests. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit status of a variant that this machine cannot play (no such system call, another architecture). */
#define PLAY_CANNOT 77
/* A decoy key is a few hundred bytes; the programs read it in one go. */
#define PLAY_SECRET_MAX 4096

typedef struct Play {
        const char *variant, *key, *address;
        uint16_t port;
        char secret[PLAY_SECRET_MAX];
        size_t n_secret;
} Play;

__attribute__((noreturn, format(printf, 2, 3))) static inline void play_exit(
                int status, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fprintf(stderr, ": %s\n", strerror(saved));
        _exit(status);
}

#define play_die(...) play_exit(1, __VA_ARGS__)

static inline void play_init(Play *p, int argc, char **argv) {
        if (argc != 5) {
                fprintf(stderr, "usage: %s VARIANT KEY ADDRESS PORT\n", argv[0]);
                exit(2);
        }
        memset(p, 0, sizeof(*p));
        p->variant = argv[1];
        p->key = argv[2];
        p->address = argv[3];
        p->port = (uint16_t)atoi(argv[4]);
        /* Lines from several processes share one pipe: each must be written in one piece, and before a later
         * crash. */
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

static inline int play_variant(const Play *p, const char *name) {
        return strcmp(p->variant, name) == 0;
}

/* Reads the key from a descriptor, and closes it. */
static inline void play_read(Play *p, int fd) {
        ssize_t n;

        if (fd < 0)
                play_die("cannot open the key (%s)", p->variant);
        n = read(fd, p->secret, sizeof(p->secret));
        if (n <= 0)
                play_die("cannot read the key (%s)", p->variant);
        p->n_secret = (size_t)n;
        close(fd);
}

/* A process's start in clock ticks since boot: field 22 of proc_pid_stat(5). */
static inline unsigned long long play_start_ticks(pid_t pid) {
        unsigned long long ticks = 0;
        char path[32], buffer[1024], *after_comm;
        int fd;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, buffer, sizeof(buffer) - 1) : -1;
        if (n <= 0)
                play_die("%s", path);
        close(fd);
        buffer[n] = 0;
        after_comm = strrchr(buffer, ')');
        if (!after_comm || sscanf(after_comm + 1,
                                           " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                                           "%*d %*d %*d %*d %llu",
                                           &ticks) != 1)
                play_die("%s: no start time", path);
        return ticks;
}

/* lineage: the true ancestors of the sender, parent first, as many as are known; ends at the first 0. via:
 * how the secret came to the sender; way: the processes that gave it ("PID:COMM:VIA,…"). NULL: it follows
 * from toucher and sender. The name of the file is last and percent-encoded, as it may contain any byte. */
static inline void play_tell(const Play *p, pid_t toucher, pid_t sender, pid_t tid, const pid_t *lineage,
                const char *via, const char *way) {
        char encoded[3 * 8192 + 1], *out = encoded;
        char pids[128] = "";

        for (size_t i = 0; lineage && lineage[i] > 0; i++)
                snprintf(pids + strlen(pids), sizeof(pids) - strlen(pids), "%s%d", i > 0 ? "," : "",
                                lineage[i]);
        for (const char *c = p->key; *c && out < encoded + sizeof(encoded) - 4; c++)
                out += sprintf(out, "%%%02x", (unsigned char)*c);
        *out = 0;
        printf("toucher=%d sender=%d tid=%d start=%llu lineage=%s", toucher, sender, tid,
                        play_start_ticks(sender), pids);
        if (via)
                printf(" via=%s way=%s", via, way);
        printf(" file=%s\n", encoded);
}

static inline void play_truth(const Play *p, pid_t toucher, const pid_t *lineage) {
        play_tell(p, toucher, getpid(), gettid(), lineage, NULL, NULL);
}

/* Sends a descriptor over a unix datagram socket, without data. */
static inline void play_pass(int to, int fd) {
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        if (sendmsg(to, &message, 0) < 0)
                play_die("cannot pass a descriptor");
}

static inline int play_receive(int from) {
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };
        int fd;

        if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) < 0 || message.msg_controllen < CMSG_LEN(sizeof(int)))
                play_die("no descriptor was passed");
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
        return fd;
}

/* The destination as an address of its family. */
static inline socklen_t play_address(const Play *p, struct sockaddr_storage *ret) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof(*ret));
        if (inet_pton(AF_INET, p->address, &in->sin_addr) == 1) {
                in->sin_family = AF_INET;
                in->sin_port = htons(p->port);
                return sizeof(*in);
        }
        if (inet_pton(AF_INET6, p->address, &in6->sin6_addr) == 1) {
                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons(p->port);
                return sizeof(*in6);
        }
        fprintf(stderr, "not an address: %s\n", p->address);
        exit(2);
}

static inline int play_socket(const struct sockaddr_storage *address, int type) {
        int fd = socket(address->ss_family, type | SOCK_CLOEXEC, 0);

        if (fd < 0)
                play_die("socket");
        return fd;
}

/* Writes the secret to a connected stream, and waits until the other side has read all of it and closed. */
static inline void play_deliver(const Play *p, int fd) {
        char c;

        if (write(fd, p->secret, p->n_secret) != (ssize_t)p->n_secret)
                play_die("write to %s", p->address);
        if (shutdown(fd, SHUT_WR) < 0)
                play_die("shutdown");
        while (read(fd, &c, 1) > 0)
                ;
        close(fd);
}

/* Sends the secret over one TCP connection, for techniques that are not about egress. */
static inline void play_send(const Play *p) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address);
        int fd = play_socket(&address, SOCK_STREAM);

        if (connect(fd, (struct sockaddr *)&address, length) < 0)
                play_die("connect to %s", p->address);
        play_deliver(p, fd);
}

/* Sends data that is not secret: run.py waits for it, and for no alert. */
static inline void play_send_nothing(Play *p) {
        p->n_secret = (size_t)snprintf(p->secret, sizeof(p->secret), "nothing of %d\n", getpid());
        play_send(p);
}

/* A theft by one process, which has opened the key. */
static inline void play_steal(Play *p, int fd) {
        pid_t parents[] = { getppid(), 0 };

        play_read(p, fd);
        play_truth(p, getpid(), parents);
        play_send(p);
}

static inline int play_wait(pid_t pid) {
        int status;

        if (waitpid(pid, &status, 0) < 0)
                play_die("waitpid");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

__attribute__((noreturn)) static inline void play_unknown(const Play *p) {
        fprintf(stderr, "unknown variant %s\n", p->variant);
        exit(2);
}
