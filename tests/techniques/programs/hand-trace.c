/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H07, G11: one process accesses the memory of another: the giver writes the secret into the taker
 * ("-write", "poke"), or the taker reads it from the giver ("-read", "peek"). Both were forked by the same
 * process and have its addresses. */

#include <sys/ptrace.h>
#include <sys/uio.h>

#include "cast.h"

static void give(void) {
        secret_read();
}

static void give_vm(void) {
        struct iovec data = { &p, sizeof(p) };

        secret_read();
        if (process_vm_writev(cast.other, &data, 1, &data, 1, 0) != (ssize_t)sizeof(p))
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "process_vm_writev");
}

static int memory_open(int flags) {
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/mem", cast.other);
        fd = open(path, flags | O_CLOEXEC);
        if (fd < 0)
                play_die("open %s", path);
        return fd;
}

static void give_mem(void) {
        secret_read();
        if (pwrite(memory_open(O_WRONLY), &p, sizeof(p), (off_t)(uintptr_t)&p) != (ssize_t)sizeof(p))
                play_die("write to the taker's memory");
}

static void attach(void) {
        int status;

        if (ptrace(PTRACE_ATTACH, cast.other, NULL, NULL) < 0 ||
                        waitpid(cast.other, &status, __WALL) != cast.other)
                play_die("PTRACE_ATTACH");
}

static void detach(void) {
        if (ptrace(PTRACE_DETACH, cast.other, NULL, NULL) < 0)
                play_die("PTRACE_DETACH");
}

static void give_poke(void) {
        long *words = (long *)&p;

        secret_read();
        attach();
        for (size_t i = 0; i < sizeof(p) / sizeof(long); i++)
                if (ptrace(PTRACE_POKEDATA, cast.other, words + i, words[i]) < 0)
                        play_die("PTRACE_POKEDATA");
        detach();
}

static void take(void) {
        if (p.n_secret == 0)
                play_die("the secret did not come");
        play_send(&p);
}

static void take_vm(void) {
        struct iovec data = { &p, sizeof(p) };

        if (process_vm_readv(cast.other, &data, 1, &data, 1, 0) != (ssize_t)sizeof(p))
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "process_vm_readv");
        take();
}

static void take_mem(void) {
        if (pread(memory_open(O_RDONLY), &p, sizeof(p), (off_t)(uintptr_t)&p) != (ssize_t)sizeof(p))
                play_die("read from the giver's memory");
        take();
}

static void take_peek(void) {
        long *words = (long *)&p;

        attach();
        for (size_t i = 0; i < sizeof(p) / sizeof(long); i++) {
                errno = 0;
                words[i] = ptrace(PTRACE_PEEKDATA, cast.other, words + i, NULL);
                if (errno)
                        play_die("PTRACE_PEEKDATA");
        }
        detach();
        take();
}

/* The secret in the values of signals that are pending, 8 bytes in each. */
static void give_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        sigprocmask(SIG_BLOCK, &set, NULL);
        secret_read();
        for (size_t i = 0; i < p.n_secret; i += sizeof(union sigval)) {
                union sigval value;

                memcpy(&value, p.secret + i, sizeof(value));
                if (sigqueue(getpid(), SIGRTMIN, value) < 0)
                        play_die("sigqueue");
        }
}

static void take_signals(void) {
        struct __ptrace_peeksiginfo_args which = { .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 1 };
        siginfo_t info;

        attach();
        for (;; which.off++) {
                long n = ptrace(PTRACE_PEEKSIGINFO, cast.other, &which, &info);

                if (n < 0)
                        play_die("PTRACE_PEEKSIGINFO");
                if (n == 0 || p.n_secret + sizeof(union sigval) > sizeof(p.secret))
                        break;
                if (info.si_signo != SIGRTMIN)
                        continue;
                memcpy(p.secret + p.n_secret, &info.si_value, sizeof(union sigval));
                p.n_secret += sizeof(union sigval);
        }
        detach();
        p.n_secret = strnlen(p.secret, p.n_secret);
        take();
}

static const Scene scenes[] = {
        { "vm-write", "trace", .give = give_vm, .take = take },
        { "mem-write", "trace", .give = give_mem, .take = take },
        { "poke", "trace", .give = give_poke, .take = take },
        { "vm-read", "trace", .give = give, .take = take_vm },
        { "mem-read", "trace", .give = give, .take = take_mem },
        { "peek", "trace", .give = give, .take = take_peek },
        { "signals", "trace", .give = give_signals, .take = take_signals },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
