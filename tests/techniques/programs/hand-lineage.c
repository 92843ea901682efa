/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H01, H02: one process (or thread) reads the key, another one of its lineage sends it. */

#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>

#include "play.h"

static Play p;

static int key_open(void) {
        return open(p.key, O_RDONLY | O_CLOEXEC);
}

static void *on_reader(void *userdata) {
        (void)userdata;
        play_read(&p, key_open());
        return NULL;
}

static void *on_sender(void *userdata) {
        pid_t parents[] = { getppid(), 0 };

        (void)userdata;
        play_truth(&p, getpid(), parents);
        play_send(&p);
        return NULL;
}

static int play_threads(void) {
        pthread_t reader, sender;

        if (pthread_create(&reader, NULL, on_reader, NULL) != 0 || pthread_join(reader, NULL) != 0 ||
                        pthread_create(&sender, NULL, on_sender, NULL) != 0 ||
                        pthread_join(sender, NULL) != 0)
                play_die("pthread_create");
        return 0;
}

/* The part of the child: its parent opened the key, it did not. */
static void child_send(void) {
        pid_t parents[] = { getppid(), 0 };

        play_truth(&p, getppid(), parents);
        play_send(&p);
        exit(0);
}

static int play_fork(void) {
        pid_t child;

        play_read(&p, key_open());
        child = fork();
        if (child == 0)
                child_send();
        return play_wait(child);
}

static int play_clone3(void) {
        struct clone_args args = { .exit_signal = SIGCHLD };
        long child;

        play_read(&p, key_open());
        child = syscall(SYS_clone3, &args, sizeof(args));
        if (child < 0)
                play_exit(PLAY_CANNOT, "clone3");
        if (child == 0)
                child_send();
        return play_wait((pid_t)child);
}

/* The secret is passed in a pipe that the next program inherits as descriptor 0; the key itself is closed.
 */
static void secret_to_stdin(void) {
        int fds[2];

        if (pipe(fds) < 0 || write(fds[1], p.secret, p.n_secret) != (ssize_t)p.n_secret ||
                        dup2(fds[0], 0) < 0)
                play_die("pipe");
        close(fds[0]);
        close(fds[1]);
}

/* Executes, or starts, technique-send, which is in the same directory as this program. */
static void sender_exec(const char *toucher) {
        char path[4096], port[16];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

        if (n < 0)
                play_die("/proc/self/exe");
        path[n] = 0;
        strcpy(strrchr(path, '/') + 1, "technique-send");
        snprintf(port, sizeof(port), "%u", p.port);
        execl(path, "technique-send", toucher, p.key, p.address, port, NULL);
        _exit(127);
}

static int play_vfork(void) {
        pid_t child;

        play_read(&p, key_open());
        secret_to_stdin();
        child = vfork();
        if (child == 0)
                sender_exec("parent");
        return play_wait(child);
}

static int play_exec(void) {
        play_read(&p, key_open());
        secret_to_stdin();
        sender_exec("self");
        return 1;
}

static void pidfd_wait(int pidfd) {
        struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };

        if (poll(&pollfd, 1, -1) != 1)
                play_die("poll on a pidfd");
}

static int pidfd_self(void) {
        int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

        if (fd < 0)
                play_exit(PLAY_CANNOT, "pidfd_open");
        return fd;
}

/* The sender waits until its parent and its grandparent, which read the key, are dead. */
static int play_orphan(void) {
        pid_t ancestors[4] = { 0, getpid(), getppid(), 0 };
        int grandparent = pidfd_self(), parent;

        play_read(&p, key_open());
        if (fork() > 0)
                return 0;
        ancestors[0] = getpid();
        parent = pidfd_self();
        if (setsid() < 0)
                play_die("setsid");
        if (fork() > 0)
                return 0;
        pidfd_wait(parent);
        pidfd_wait(grandparent);
        play_truth(&p, ancestors[1], ancestors);
        play_send(&p);
        return 0;
}

int main(int argc, char **argv) {
        play_init(&p, argc, argv);
        if (play_variant(&p, "threads"))
                return play_threads();
        if (play_variant(&p, "fork"))
                return play_fork();
        if (play_variant(&p, "vfork-exec"))
                return play_vfork();
        if (play_variant(&p, "clone3"))
                return play_clone3();
        if (play_variant(&p, "exec"))
                return play_exec();
        if (play_variant(&p, "orphan"))
                return play_orphan();
        play_unknown(&p);
}
