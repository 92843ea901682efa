/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A secret that is handed on: a giver opens it, carriers hand it on, a taker sends it. All are forked before
 * the first of them opens it, so that none inherits the mark. The conductor never touches it. It prints the
 * truth before they begin, and lets one actor act after the other by signals, which carry no data: a pipe
 * between them would be one more route for the secret.
 *
 * They run in a directory of their own, which the test removes. */

#include <signal.h>
#include <stdbool.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include "play.h"

/* A giver and these carriers are as many hops as MaxHops= allows. */
#define CAST_CARRIERS_MAX 7
/* One more carrier, and the taker. */
#define CAST_MAX (CAST_CARRIERS_MAX + 3)
/* Actors wait only for each other; the limit allows for an emulated machine. */
#define CAST_SECONDS 50
/* The descriptor number under which an actor offers its descriptor to others. */
#define CAST_FD 100

typedef struct Scene {
        const char *name, *via; /* NULL: the sender prints the truth itself */
        void (*prepare)(void);  /* by the conductor: creates what all of them inherit */
        void (*ready)(void);    /* by the taker, before the giver opens the secret */
        void (*give)(void), (*carry)(void), (*take)(void);
        const char *give_comm, *carry_comm; /* of the programs that they execute, if any */
        size_t n_carriers;
        long blocked;  /* the system call in which the taker waits before the giver opens the secret */
        long pause_ms; /* before the taker acts */
        bool mortal;   /* the giver has exited when the next one acts; otherwise it outlives all */
        bool killed;   /* mortal, by a signal */
        bool own;      /* the taker opens the file itself, so there is no hop */
} Scene;

static Play p;
static struct {
        const Scene *scene;
        size_t n, index;
        pid_t pid[CAST_MAX], conductor, other;
        bool ended[CAST_MAX], signalled;
        int pipes[CAST_MAX][2];
        size_t n_pipes;
        void (*in_clone)(void);
} cast;

/* Waits for one of the signals, unless it is pending already. */
static inline siginfo_t cast_signal(void) {
        struct timespec limit = { .tv_sec = CAST_SECONDS };
        siginfo_t info;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        if (getpid() == cast.conductor)
                sigaddset(&set, SIGCHLD);
        while (sigtimedwait(&set, &info, &limit) < 0)
                if (errno != EINTR)
                        play_die("%s: nobody woke %d", p.variant, getpid());
        return info;
}

/* Called by an actor: waits for its turn. */
static inline void actor_wait(void) {
        cast.other = cast_signal().si_value.sival_int;
}

/* Called by an actor: lets the next one act. */
static inline void actor_done(void) {
        if (!cast.signalled && kill(cast.conductor, SIGUSR1) < 0)
                play_die("kill");
        cast.signalled = true;
}

static inline void cast_pipes(void) {
        for (cast.n_pipes = 0; cast.n_pipes + 1 < cast.n; cast.n_pipes++)
                if (pipe2(cast.pipes[cast.n_pipes], O_CLOEXEC) < 0)
                        play_die("pipe");
}

static inline int cast_in(void) {
        return cast.pipes[cast.index - 1][0];
}

static inline int cast_out(void) {
        return cast.pipes[cast.index][1];
}

/* Each actor keeps only its own ends, so that a reader sees end-of-file. */
static inline void pipes_keep(size_t index) {
        for (size_t i = 0; i < cast.n_pipes; i++) {
                if (i + 1 != index)
                        close(cast.pipes[i][0]);
                if (i != index)
                        close(cast.pipes[i][1]);
        }
}

static inline int key_open(void) {
        int fd = open(p.key, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                play_die("open %s", p.key);
        return fd;
}

static inline void secret_read(void) {
        play_read(&p, key_open());
}

/* Reads the secret, and sends it in one datagram to an address: by sendmsg(2), or by sendto(2). */
static inline void secret_send_to(void *address, socklen_t size, bool by_message) {
        int fd = socket(((struct sockaddr *)address)->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct iovec data;
        struct msghdr message = {
                .msg_name = address, .msg_namelen = size, .msg_iov = &data, .msg_iovlen = 1
        };
        ssize_t n;

        secret_read();
        data = (struct iovec){ p.secret, p.n_secret };
        if (by_message)
                n = sendmsg(fd, &message, 0);
        else
                n = sendto(fd, p.secret, p.n_secret, 0, address, size);
        if (n != (ssize_t)p.n_secret)
                play_die("send to an address");
}

static inline void secret_write(int fd) {
        if (fd < 0 || write(fd, p.secret, p.n_secret) != (ssize_t)p.n_secret)
                play_die("write (%s)", p.variant);
}

/* Executes a program in the actor's place; its standard output goes to fd. */
__attribute__((noreturn, sentinel)) static inline void actor_exec(int in, int out, const char *file, ...) {
        const char *argv[16] = { file };
        va_list ap;

        va_start(ap, file);
        for (size_t i = 1; i < 15 && (argv[i] = va_arg(ap, const char *)); i++)
                ;
        va_end(ap);
        if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) || (out >= 0 && dup2(out, STDOUT_FILENO) < 0))
                play_die("dup2");
        execvp(file, (char **)argv);
        play_exit(PLAY_CANNOT, "exec %s", file);
}

static inline pid_t actor_start(size_t index) {
        bool giver = index == 0, taker = index == cast.n - 1;
        pid_t pid = fork();

        if (pid < 0)
                play_die("fork");
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, giver ? "giver" : taker ? "taker" : "carrier");
        cast.index = index;
        pipes_keep(index);
        if (taker && cast.scene->ready) {
                actor_wait();
                cast.scene->ready();
                actor_done();
                cast.signalled = false;
        }
        actor_wait();
        (giver ? cast.scene->give : taker ? cast.scene->take : cast.scene->carry)();
        if (!taker && !(giver && (cast.scene->mortal || cast.scene->killed))) {
                actor_done();
                actor_wait();
        }
        exit(0);
}

static inline void actor_wake(size_t index) {
        union sigval other = { .sival_int = cast.pid[index == 0 ? cast.n - 1 : 0] };

        if (sigqueue(cast.pid[index], SIGUSR1, other) < 0)
                play_die("sigqueue");
}

/* Waits until that actor has acted, or has exited successfully. */
static inline void cast_wait(size_t index) {
        while (!cast.ended[index]) {
                int status;
                pid_t pid;

                if (cast_signal().si_signo == SIGUSR1)
                        return;
                while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                        if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) &&
                                        !(cast.scene->killed && pid == cast.pid[0] && WIFSIGNALED(status))) {
                                fprintf(stderr, "%s: %d ended with %#x\n", p.variant, pid, (unsigned)status);
                                exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
                        }
                        for (size_t i = 0; i < cast.n; i++)
                                cast.ended[i] |= cast.pid[i] == pid;
                }
        }
}

static inline void actor_step(size_t index) {
        actor_wake(index);
        cast_wait(index);
}

/* Waits until the process sleeps in that system call, or has ended, which cast_wait() sees. */
static inline void actor_blocked(size_t index, long number) {
        struct timespec pause = { .tv_nsec = 1000 * 1000 };
        siginfo_t ended = {};
        char path[32], text[64];

        snprintf(path, sizeof(path), "/proc/%d/syscall", cast.pid[index]);
        for (int i = 0; i < CAST_SECONDS * 1000; i++) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
                char *end;

                close(fd);
                if (n > 0) {
                        text[n] = 0;
                        if (strtol(text, &end, 10) == number && end > text)
                                return;
                }
                if (waitid(P_PID, (id_t)cast.pid[index], &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                                ended.si_pid)
                        return;
                nanosleep(&pause, NULL);
        }
        play_die("%s: the taker does not wait in system call %ld", p.variant, number);
}

/* Returns what follows the colon in the variant, and cuts the variant there. */
static inline const char *cast_argument(char *variant) {
        char *colon = variant ? strchr(variant, ':') : NULL;

        if (!colon)
                return NULL;
        *colon = 0;
        return colon + 1;
}

/* Waits for SIGUSR1, which is blocked. */
static inline void cast_await(void) {
        sigset_t set;
        int signal;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        if (sigwait(&set, &signal) != 0)
                play_die("sigwait");
}

/* Called by a program that an actor has executed: lets the next actor act, and waits until it has. */
static inline void cast_hold(void) {
        if (kill(getppid(), SIGUSR1) < 0)
                play_die("kill");
        cast_await();
}

static inline int cast_in_clone(void *userdata) {
        (void)userdata;
        cast_await();
        cast.in_clone();
        _exit(0); /* what stdio still has is the other's, too */
}

/* Without a conductor: starts a process that shares with this one what the flags of clone(2) say. It waits
 * for SIGUSR1, acts, and exits. */
static inline pid_t cast_clone(int flags, void (*act)(void)) {
        static char stack[262144] __attribute__((aligned(16)));
        sigset_t set;

        cast.in_clone = act;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        pid_t pid = clone(cast_in_clone, stack + sizeof(stack), flags | SIGCHLD, NULL);
        if (pid < 0)
                play_die("clone");
        return pid;
}

/* Opens the descriptor CAST_FD of the other process by its name in /proc, reads it and sends it. */
static inline void cast_take_other(void) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", cast.other, CAST_FD);
        play_read(&p, open(path, O_RDONLY | O_CLOEXEC));
        play_send(&p);
}

static inline void cast_tell(void) {
        pid_t lineage[] = { getpid(), getppid(), 0 }, taker = cast.pid[cast.n - 1];
        const Scene *s = cast.scene;
        char way[CAST_MAX * 48] = "";

        for (size_t i = 0; !s->own && i + 1 < cast.n; i++)
                snprintf(way + strlen(way), sizeof(way) - strlen(way), "%s%d:%s:%s", i > 0 ? "," : "",
                                cast.pid[i],
                                i == 0 ? s->give_comm ?: "giver" : s->carry_comm ?: "carrier", s->via);
        play_tell(&p, s->own ? taker : cast.pid[0], taker, taker, lineage, s->via, way);
}

static inline int cast_play(const Scene *scenes, int argc, char **argv) {
        size_t taker;
        sigset_t set;

        play_init(&p, argc, argv);
        for (cast.scene = scenes; cast.scene->name && !play_variant(&p, cast.scene->name); cast.scene++)
                ;
        if (!cast.scene->name)
                play_unknown(&p);
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, NULL);
        cast.conductor = getpid();
        cast.n = cast.scene->n_carriers + 2;
        taker = cast.n - 1;
        if (cast.scene->prepare)
                cast.scene->prepare();
        for (size_t i = 0; i < cast.n; i++)
                cast.pid[i] = actor_start(i);
        pipes_keep(CAST_MAX + 1);
        if (cast.scene->via)
                cast_tell();
        if (cast.scene->ready)
                actor_step(taker);
        if (cast.scene->blocked) {
                actor_wake(taker);
                actor_blocked(taker, cast.scene->blocked);
        }
        for (size_t i = 0; i < taker; i++)
                actor_step(i);
        nanosleep(&(struct timespec){ cast.scene->pause_ms / 1000, cast.scene->pause_ms % 1000 * 1000000 },
                        NULL);
        if (!cast.scene->blocked)
                actor_wake(taker);
        cast_wait(taker);
        for (size_t i = 0; i < taker; i++)
                if (!cast.ended[i])
                        actor_step(i);
        return 0;
}
