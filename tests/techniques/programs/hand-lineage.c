/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H01, H02: one process (or thread) reads the key, another one of its lineage sends it. */

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>

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

/* ---- children that borrow the parent's memory ---- */

#define STACK 65536

static volatile int borrowed_fd = -1; /* sched_yield() is declared not to change it */
static void *borrowed_at;

static int child_reads(void *userdata) {
        (void)userdata;
        play_read(&p, key_open());
        _exit(0);
}

/* The mapping stays when the child exits. */
static int child_maps(void *userdata) {
        (void)userdata;
        borrowed_at = mmap(NULL, sizeof(p.secret), PROT_READ, MAP_PRIVATE, key_open(), 0);
        _exit(borrowed_at == MAP_FAILED);
}

/* With CLONE_FILES, the descriptor stays. */
static int child_opens(void *userdata) {
        (void)userdata;
        borrowed_fd = key_open();
        _exit(0);
}

static pid_t borrow(int (*function)(void *), int flags) {
        char *stack = malloc(STACK);
        pid_t child = stack ? clone(function, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD | flags, NULL)
                            : -1;

        if (child < 0)
                play_die("clone");
        return child;
}

/* Of the child's children: it opens the key while another process has its descriptors and the memory. */
static int grandchild_reads(void *userdata) {
        (void)userdata;
        while (borrowed_fd < 0)
                sched_yield();
        play_read(&p, borrowed_fd);
        _exit(0);
}

static int child_opens_for_another(void *userdata) {
        char *stack = malloc(STACK);
        pid_t grandchild = clone(grandchild_reads, stack + STACK, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);

        (void)userdata;
        if (grandchild < 0)
                play_die("clone");
        borrowed_fd = key_open();
        _exit(play_wait(grandchild));
}

static int play_borrow(int (*function)(void *), int flags, const char *via) {
        pid_t parents[] = { getppid(), 0 }, child = borrow(function, flags);
        char way[64];

        if (play_wait(child) != 0)
                play_die("the child failed");
        if (borrowed_at) {
                p.n_secret = strnlen(borrowed_at, sizeof(p.secret));
                memcpy(p.secret, borrowed_at, p.n_secret);
        } else if (!p.n_secret) {
                play_read(&p, borrowed_fd);
        }
        snprintf(way, sizeof(way), "%d:technique-hand-:%s", child, via);
        play_tell(&p, child, getpid(), getpid(), parents, via, way);
        play_send(&p);
        return 0;
}

/* As a program redirects the input of another: it does not read the file itself. */
static int play_spawn(void) {
        char *argv[] = { (char *)"cat", NULL };
        pid_t parents[] = { getppid(), 0 }, child;
        posix_spawn_file_actions_t actions;

        if (posix_spawn_file_actions_init(&actions) != 0 ||
                        posix_spawn_file_actions_addopen(&actions, 0, p.key, O_RDONLY, 0) != 0 ||
                        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) != 0 ||
                        posix_spawnp(&child, "cat", &actions, NULL, argv, NULL) != 0)
                play_die("posix_spawn");
        if (play_wait(child) != 0)
                play_die("cat failed");
        play_truth(&p, child, parents);
        play_send_nothing(&p);
        return 0;
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
        if (play_variant(&p, "borrow-read"))
                return play_borrow(child_reads, 0, "memory");
        if (play_variant(&p, "borrow-map"))
                return play_borrow(child_maps, 0, "memory");
        if (play_variant(&p, "borrow-files"))
                return play_borrow(child_opens, CLONE_FILES, "memory|received");
        if (play_variant(&p, "borrow-another"))
                return play_borrow(child_opens_for_another, 0, "memory|received");
        if (play_variant(&p, "spawn"))
                return play_spawn();
        if (play_variant(&p, "clone3"))
                return play_clone3();
        if (play_variant(&p, "exec"))
                return play_exec();
        if (play_variant(&p, "orphan"))
                return play_orphan();
        play_unknown(&p);
}
