/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G12: the memory of another process, which has a secret of its own: in its environment ("vm", "peek"), or
 * in its registers ("regs"). KEY is /proc/PID/mem of that process. "hold" is such a process: it has the
 * first bytes of TOKEN in registers. "child" and "workers" are honest: a debugger reads its child, and one
 * of two workers the other. */

#include <elf.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "play.h"

#define REGISTERS 4 /* registers_of() returns whether the process waits with the token in them */

static Play p;

/* The PID in KEY. */
static pid_t other(void) {
        return (pid_t)strtol(p.key + strlen("/proc/"), NULL, 10);
}

/* Where its environment is: fields 50 and 51 of proc_pid_stat(5), which show no secret. */
static unsigned long environment(pid_t pid, size_t *ret_n) {
        char path[32], text[2048], *at;
        unsigned long from, to;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f || !fgets(text, sizeof(text), f))
                play_die("%s", path);
        fclose(f);
        at = strrchr(text, ')');
        for (int field = 3; at && field <= 50; field++)
                at = strchr(at + 1, ' ');
        if (!at || sscanf(at, "%lu %lu", &from, &to) != 2)
                play_die("%s: no environment", path);
        *ret_n = to - from < sizeof(p.secret) ? to - from : sizeof(p.secret);
        return from;
}

static void read_vm(pid_t pid) {
        unsigned long from = environment(pid, &p.n_secret);
        struct iovec to = { p.secret, p.n_secret }, at = { (void *)from, p.n_secret };

        if (process_vm_readv(pid, &to, 1, &at, 1, 0) != (ssize_t)p.n_secret)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "process_vm_readv");
}

static void attach(pid_t pid) {
        int status;

        if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid)
                play_die("PTRACE_ATTACH");
}

static void detach(pid_t pid) {
        if (ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
                play_die("PTRACE_DETACH");
}

static void peek(pid_t pid) {
        unsigned long from = environment(pid, &p.n_secret);

        p.n_secret -= p.n_secret % sizeof(long);
        for (size_t i = 0; i < p.n_secret; i += sizeof(long)) {
                errno = 0;
                long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(from + i), NULL);
                if (errno)
                        play_die("PTRACE_PEEKDATA");
                memcpy(p.secret + i, &word, sizeof(word));
        }
}

#if defined(__x86_64__)
static void hold(const char *token) {
        __asm__ volatile("movq 0(%0), %%r12\n\tmovq 8(%0), %%r13\n\tmovq 16(%0), %%r14\n\tmovq 24(%0), "
                         "%%r15\n"
                         "1:\n\tmovl $34, %%eax\n\tsyscall\n\tjmp 1b" /* pause */
                         :
                         : "r"(token)
                         : "r12", "r13", "r14", "r15", "rax", "rcx", "r11", "memory");
}

static int registers_of(const struct user_regs_struct *regs, unsigned long long *ret) {
        ret[0] = regs->r12;
        ret[1] = regs->r13;
        ret[2] = regs->r14;
        ret[3] = regs->r15;
        return regs->orig_rax == 34;
}
#elif defined(__aarch64__)
static void hold(const char *token) {
        __asm__ volatile("ldp x20, x21, [%0]\n\tldp x22, x23, [%0, #16]\n"
                         "1:\n\tmov x0, #0\n\tmov x1, #0\n\tmov x2, #0\n\tmov x3, #0\n\tmov x8, #73\n"
                         "\tsvc #0\n\tb 1b" /* ppoll */
                         :
                         : "r"(token)
                         : "x20", "x21", "x22", "x23", "x0", "x1", "x2", "x3", "x8", "memory");
}

static int registers_of(const struct user_regs_struct *regs, unsigned long long *ret) {
        memcpy(ret, regs->regs + 20, REGISTERS * sizeof(*ret));
        return regs->regs[8] == 73;
}
#endif

/* Until it waits in its system call. */
static void read_registers(pid_t pid) {
        unsigned long long words[REGISTERS];
        struct user_regs_struct regs;
        struct iovec to = { &regs, sizeof(regs) };

        do {
                attach(pid);
                if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &to) < 0)
                        play_die("PTRACE_GETREGSET");
                detach(pid);
        } while (!registers_of(&regs, words));
        memcpy(p.secret, words, sizeof(words));
        p.n_secret = REGISTERS * sizeof(unsigned long long);
}

static pid_t start(int traced) {
        pid_t pid = fork();

        if (pid < 0)
                play_die("fork");
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                play_die("PTRACE_TRACEME");
        raise(SIGSTOP);
        exit(0);
}

/* As gdb and strace do with the program that they start. */
static void debug_child(void) {
        pid_t pid = start(1);
        int status;

        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
                play_die("waitpid");
        peek(pid);
        read_vm(pid);
        kill(pid, SIGKILL);
        play_wait(pid);
}

/* The workers of one program: MPI copies messages so. */
static void read_worker(void) {
        pid_t pid = start(0), reader;
        int status;

        if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
                play_die("waitpid");
        reader = fork();
        if (reader == 0) {
                read_vm(pid);
                play_truth(&p, getpid(), NULL);
                play_send_nothing(&p);
                exit(0);
        }
        status = play_wait(reader);
        kill(pid, SIGKILL);
        play_wait(pid);
        exit(status);
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };

        if (argc == 2 && strcmp(argv[1], "hold") == 0) {
                hold(getenv("TOKEN"));
                return 1;
        }
        play_init(&p, argc, argv);
        if (play_variant(&p, "vm")) {
                read_vm(other());
        } else if (play_variant(&p, "peek")) {
                attach(other());
                peek(other());
                detach(other());
        } else if (play_variant(&p, "regs")) {
                read_registers(other());
        } else if (play_variant(&p, "child")) {
                debug_child();
                play_truth(&p, getpid(), parents);
                play_send_nothing(&p);
                return 0;
        } else if (play_variant(&p, "workers")) {
                read_worker();
        } else {
                play_unknown(&p);
        }
        play_tell(&p, getpid(), getpid(), gettid(), parents, "trace", "");
        play_send(&p);
        return 0;
}
