/* SPDX-License-Identifier: GPL-2.0-or-later */

/* S01-S03: starts PROGRAM ARGS… so that it looks like another program, or like itself:
 * beat-launch HOW A B PROGRAM ARGS…
 *   exec                plainly
 *   argv0 NAME          with NAME as its argv[0]
 *   memfd FILE          executes a copy of FILE in memory, with the path of FILE as its argv[0]
 *   deleted FILE        executes FILE through a descriptor, after it was removed
 *   bind TARGET EVIL    in namespaces of its own, where EVIL is mounted over TARGET
 *   proc-root TARGET EVIL  from outside, through /proc/PID/root of a process in such namespaces
 *   chroot DIRECTORY    with this root directory
 *   namespace           in a mount namespace that root created, as services have
 *   cgroup DIRECTORY    in this cgroup
 *   user UID            as this user
 *   fork, orphan        from a child; from a grandchild whose parents have ended
 *   trace, trace-past   under ptrace; under ptrace until it runs
 * An argument A or B that is not needed is "-". */

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>

#include "play.h"

static char **program;

__attribute__((noreturn)) static void program_exec(const char *path) {
        execv(path, program);
        play_die("exec %s", path);
}

static int file_open(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                play_die("%s", path);
        return fd;
}

static void memfd_exec(const char *file) {
        int from = file_open(file), to = memfd_create("code", MFD_CLOEXEC);
        struct stat st;

        if (to < 0 || fstat(from, &st) < 0 || sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size)
                play_die("memfd");
        fexecve(to, program, environ);
        play_die("fexecve");
}

static void namespaces_enter(const char *target, const char *evil) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                play_exit(PLAY_CANNOT, "unshare");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                        mount(evil, target, NULL, MS_BIND, NULL) < 0)
                play_die("mount %s", target);
}

/* A child that keeps the namespaces alive until its parent's pipe is closed. */
static void proc_root_exec(const char *target, const char *evil) {
        int ready[2], life[2];
        char path[4200], c;

        if (pipe(ready) < 0 || pipe2(life, 0) < 0)
                play_die("pipe");
        pid_t child = fork();
        if (child == 0) {
                close(life[1]);
                namespaces_enter(target, evil);
                if (write(ready[1], "", 1) != 1 || read(life[0], &c, 1) != 0)
                        _exit(1);
                _exit(0);
        }
        close(ready[1]);
        if (read(ready[0], &c, 1) != 1)
                play_exit(PLAY_CANNOT, "no namespaces");
        snprintf(path, sizeof(path), "/proc/%d/root%s", child, target);
        program_exec(path);
}

static void cgroup_exec(const char *directory) {
        char path[4200];

        snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
                play_die("%s", path);
        program_exec(program[0]);
}

/* The writing end of the pipe is open while one of the two ancestors lives. */
static int orphan_run(void) {
        int life[2];
        char c;

        if (pipe2(life, O_CLOEXEC) < 0)
                play_die("pipe");
        pid_t child = fork();
        if (child != 0)
                return play_wait(child);
        if (fork() != 0)
                _exit(0);
        close(life[1]);
        if (read(life[0], &c, 1) != 0)
                play_die("the ancestors' pipe");
        program_exec(program[0]);
}

/* trace-past: the tracer detaches before the first instruction of the program. */
static int trace_run(int past) {
        int status;
        pid_t child = fork();

        if (child == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                        play_exit(PLAY_CANNOT, "ptrace");
                program_exec(program[0]);
        }
        if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
                play_die("no stop at exec");
        if (past) {
                if (ptrace(PTRACE_DETACH, child, NULL, NULL) < 0)
                        play_die("PTRACE_DETACH");
                return play_wait(child);
        }
        while (!WIFEXITED(status)) {
                if (ptrace(PTRACE_CONT, child, NULL, NULL) < 0 || waitpid(child, &status, 0) < 0)
                        play_die("PTRACE_CONT");
        }
        return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
        if (argc < 5) {
                fprintf(stderr, "usage: %s HOW A B PROGRAM ARGS...\n", argv[0]);
                return 2;
        }
        const char *how = argv[1], *a = argv[2], *b = argv[3];
        program = argv + 4;

        if (strcmp(how, "argv0") == 0) {
                const char *path = program[0];
                program[0] = argv[2];
                program_exec(path);
        } else if (strcmp(how, "memfd") == 0) {
                memfd_exec(a);
        } else if (strcmp(how, "deleted") == 0) {
                int fd = file_open(a);
                if (unlink(a) < 0)
                        play_die("unlink %s", a);
                fexecve(fd, program, environ);
                play_die("fexecve");
        } else if (strcmp(how, "bind") == 0) {
                namespaces_enter(a, b);
        } else if (strcmp(how, "proc-root") == 0) {
                proc_root_exec(a, b);
        } else if (strcmp(how, "chroot") == 0) {
                if (chroot(a) < 0 || chdir("/") < 0)
                        play_die("chroot %s", a);
        } else if (strcmp(how, "namespace") == 0) {
                if (unshare(CLONE_NEWNS) < 0)
                        play_die("unshare");
        } else if (strcmp(how, "cgroup") == 0) {
                cgroup_exec(a);
        } else if (strcmp(how, "user") == 0) {
                uid_t uid = (uid_t)atoi(a);
                if (setresuid(uid, uid, uid) < 0)
                        play_die("setresuid");
        } else if (strcmp(how, "fork") == 0) {
                pid_t child = fork();
                if (child != 0)
                        return play_wait(child);
        } else if (strcmp(how, "orphan") == 0) {
                return orphan_run();
        } else if (strcmp(how, "trace") == 0) {
                return trace_run(0);
        } else if (strcmp(how, "trace-past") == 0) {
                return trace_run(1);
        } else if (strcmp(how, "exec") != 0) {
                fprintf(stderr, "unknown way %s\n", how);
                return 2;
        }
        program_exec(program[0]);
}
