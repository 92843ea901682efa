/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G10, G11: the taker does not open the file: it gets the descriptor of somebody who has, by a unix socket, with
 * pidfd_getfd(2), of the kernel when it watches that file ("watch"), or in a table of descriptors that both share
 * ("files").
 *
 * "scm:PROGRAM", "pidfd:PROGRAM": that program, a copy of this one, opens the file. It may be allowed to; then nobody
 * is marked before the taker. */

#include <linux/sched.h>
#include <sys/fanotify.h>

#include "cast.h"

static int pair[2];
static const char *opener;

static void pair_prepare(void) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void give_passed(void) {
        if (opener)
                actor_exec(-1, pair[1], opener, "pass", p.key, NULL);
        play_pass(pair[1], key_open());
}

static void give_held(void) {
        if (opener)
                actor_exec(-1, -1, opener, "hold", p.key, NULL);
        if (dup2(key_open(), CAST_FD) < 0)
                play_die("dup2");
}

static void take_passed(void) {
        play_read(&p, play_receive(pair[0]));
        play_send(&p);
}

static void take_pidfd(void) {
        int pidfd = (int)syscall(SYS_pidfd_open, cast.other, 0);
        int fd = pidfd >= 0 ? (int)syscall(SYS_pidfd_getfd, pidfd, CAST_FD, 0) : -1;

        if (fd < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "pidfd_getfd");
        play_read(&p, fd);
        play_send(&p);
}

static void take_opened(void) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", cast.other, CAST_FD);
        play_read(&p, open(path, O_RDONLY | O_CLOEXEC));
        play_send(&p);
}

static int watch;

static void watch_make(void) {
        watch = fanotify_init(FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
        if (watch < 0 || fanotify_mark(watch, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, p.key) < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "fanotify");
}

static void take_watched(void) {
        struct fanotify_event_metadata event;

        if (read(watch, &event, sizeof(event)) != sizeof(event))
                play_die("read");
        play_read(&p, event.fd);
        play_send(&p);
}

static const Scene scenes[] = {
        {"scm", "received|socket", .prepare = pair_prepare, .give = give_passed, .take = take_passed,
                .own = true},
        {"pidfd", "received|trace", .give = give_held, .take = take_pidfd, .own = true},
        {"proc-fd", "open|trace", .give = give_held, .take = take_opened, .own = true},
        {"watch", "open", .ready = watch_make, .give = give_held, .take = take_watched, .own = true},
        {.name = NULL},
};

/* The program that "scm:" and "pidfd:" name. */
static int be_opener(const char *how, const char *key) {
        sigset_t set;
        int signal;

        p.key = key;
        if (strcmp(how, "pass") == 0) {
                play_pass(STDOUT_FILENO, key_open());
                return 0;
        }
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        if (dup2(key_open(), CAST_FD) < 0 || kill(getppid(), SIGUSR1) < 0 || sigwait(&set, &signal) != 0)
                play_die("hold");
        return 0;
}

static int on_other(void *userdata) {
        sigset_t set;
        int signal;

        (void)userdata;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        if (sigwait(&set, &signal) != 0)
                play_die("sigwait");
        play_read(&p, CAST_FD);
        play_send(&p);
        exit(0);
}

static int play_files(void) {
        static char stack[262144] __attribute__((aligned(16)));
        pid_t lineage[] = {getpid(), getppid(), 0}, child;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        child = clone(on_other, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
        if (child < 0)
                play_die("clone");
        play_tell(&p, child, child, child, lineage, "received|memory", "");
        if (dup2(key_open(), CAST_FD) < 0 || kill(child, SIGUSR1) < 0)
                play_die("kill");
        return play_wait(child);
}

int main(int argc, char **argv) {
        if (argc == 3)
                return be_opener(argv[1], argv[2]);
        if (argc == 5 && strcmp(argv[1], "files") == 0) {
                play_init(&p, argc, argv);
                return play_files();
        }
        opener = cast_argument(argv[1]);
        return cast_play(scenes, argc, argv);
}
