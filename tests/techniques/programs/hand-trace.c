/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H07, G11: one process accesses the memory of another: the giver writes the secret into the taker
 * ("-write", "poke"), or the taker reads it from the giver ("-read", "peek"), or the same with what else
 * ptrace(2) shows and sets. Both were forked by the same process and have its addresses. */

#include <sys/ptrace.h>
#include <sys/syscall.h>
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
                        waitpid(cast.other, &status, __WALL) != cast.other ||
                        ptrace(PTRACE_SETOPTIONS, cast.other, NULL, PTRACE_O_TRACESYSGOOD) < 0)
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
        sigaddset(&set, SIGRTMIN + 1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        secret_read();
        for (size_t i = 0; i < p.n_secret; i += sizeof(union sigval)) {
                union sigval value;

                memcpy(&value, p.secret + i, sizeof(value));
                if (sigqueue(getpid(), SIGRTMIN, value) < 0)
                        play_die("sigqueue");
        }
        kill(getpid(), SIGRTMIN + 1);
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

/* ---- by what a process shows at its calls and signals ---- */

#define PTRACE_SET_SYSCALL_INFO_ 0x4212 /* of Linux 6.16 */
#define CALL_BYTES (6 * sizeof(long))
#define MASK_BYTES 4 /* the upper half: no signal there is one that cannot be blocked */

/* Lets it run until it stops again; for a signal, or at a call. */
static void trace_on(int request, int signal) {
        int status;

        if (ptrace(request, cast.other, NULL, (void *)(long)signal) < 0 ||
                        waitpid(cast.other, &status, __WALL) != cast.other || !WIFSTOPPED(status))
                play_die("ptrace(%d)", request);
}

static uint8_t call_info(struct __ptrace_syscall_info *info) {
        if (ptrace(PTRACE_GET_SYSCALL_INFO, cast.other, (void *)sizeof(*info), info) < 0)
                play_exit(PLAY_CANNOT, "PTRACE_GET_SYSCALL_INFO");
        return info->op;
}

/* The giver, at a signal: parts of the secret are the arguments of a call that has none. */
static void calls_make(int signal) {
        for (size_t at = 0; at < p.n_secret; at += CALL_BYTES) {
                long w[6];

                memcpy(w, p.secret + at, sizeof(w));
                syscall(SYS_getpid, w[0], w[1], w[2], w[3], w[4], w[5]);
        }
        (void)signal;
}

/* The same, in the signals that are blocked at such a call. */
static void masks_make(int signal) {
        for (size_t at = 0; at < p.n_secret; at += MASK_BYTES) {
                uint32_t mask[2] = { 0 };

                memcpy(&mask[1], p.secret + at, MASK_BYTES);
                syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, sizeof(mask));
                syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
        }
        (void)signal;
}

static void give_calls(void) {
        signal(SIGRTMIN, play_variant(&p, "masks") ? masks_make : calls_make);
        secret_read();
}

static void part_take(const void *part, size_t n) {
        if (p.n_secret + n > sizeof(p.secret))
                play_die("too long");
        memcpy(p.secret + p.n_secret, part, n);
        p.n_secret += n;
}

static void calls_read(void) {
        struct __ptrace_syscall_info info;

        for (int signal = SIGRTMIN;; signal = 0) {
                uint32_t mask[2];

                trace_on(PTRACE_SYSCALL, signal);
                if (call_info(&info) != PTRACE_SYSCALL_INFO_ENTRY)
                        continue;
                if (info.entry.nr == SYS_rt_sigreturn)
                        break;
                if (info.entry.nr != SYS_getpid)
                        continue;
                if (!play_variant(&p, "masks")) {
                        part_take(info.entry.args, CALL_BYTES);
                        continue;
                }
                if (ptrace(PTRACE_GETSIGMASK, cast.other, (void *)sizeof(mask), mask) < 0)
                        play_die("PTRACE_GETSIGMASK");
                part_take(&mask[1], MASK_BYTES);
        }
        detach();
        p.n_secret = strnlen(p.secret, p.n_secret);
        take();
}

static void take_calls(void) {
        attach();
        calls_read();
}

/* The tracer has attached to it before. */
static void early_attach(void) {
        cast.other = cast.pid[0];
        attach();
        if (ptrace(PTRACE_CONT, cast.other, NULL, NULL) < 0)
                play_die("PTRACE_CONT");
}

static void take_early(void) {
        int status;

        if (kill(cast.other, SIGSTOP) < 0 || waitpid(cast.other, &status, __WALL) != cast.other)
                play_die("SIGSTOP");
        calls_read();
}

/* The taker, at a signal: the next part is in what the signal brings, or is what a call returns. */
static void value_take(int signal, siginfo_t *info, void *context) {
        part_take(&info->si_value, sizeof(info->si_value));
        (void)signal;
        (void)context;
}

static void results_take(int signal) {
        for (long part; (part = syscall(SYS_getppid)) != 0;)
                part_take(&part, sizeof(part));
        (void)signal;
}

static void set_ready(void) {
        struct sigaction action = { .sa_flags = SA_SIGINFO, .sa_sigaction = value_take };

        if (play_variant(&p, "set-values"))
                sigaction(SIGRTMIN, &action, NULL);
        else
                signal(SIGRTMIN, results_take);
}

static void give_values(void) {
        siginfo_t info;

        secret_read();
        attach();
        for (size_t at = 0; at < p.n_secret; at += sizeof(union sigval)) {
                kill(cast.other, SIGRTMIN);
                trace_on(PTRACE_CONT, at ? SIGRTMIN : 0);
                if (ptrace(PTRACE_GETSIGINFO, cast.other, NULL, &info) < 0)
                        play_die("PTRACE_GETSIGINFO");
                memcpy(&info.si_value, p.secret + at, sizeof(info.si_value));
                if (ptrace(PTRACE_SETSIGINFO, cast.other, NULL, &info) < 0)
                        play_die("PTRACE_SETSIGINFO");
        }
        if (ptrace(PTRACE_DETACH, cast.other, NULL, (void *)(long)SIGRTMIN) < 0)
                play_die("PTRACE_DETACH");
}

static void give_results(void) {
        struct __ptrace_syscall_info info;
        bool ours = false, last = false;
        size_t at = 0;

        secret_read();
        attach();
        for (int signal = SIGRTMIN; !last; signal = 0) {
                trace_on(PTRACE_SYSCALL, signal);
                if (call_info(&info) == PTRACE_SYSCALL_INFO_ENTRY)
                        ours = info.entry.nr == SYS_getppid;
                if (info.op != PTRACE_SYSCALL_INFO_EXIT || !ours)
                        continue;
                info.exit.rval = 0;
                if (at < p.n_secret)
                        memcpy(&info.exit.rval, p.secret + at, sizeof(info.exit.rval));
                info.exit.is_error = 0;
                if (ptrace(PTRACE_SET_SYSCALL_INFO_, cast.other, (void *)sizeof(info), &info) < 0)
                        play_exit(PLAY_CANNOT, "PTRACE_SET_SYSCALL_INFO");
                last = at >= p.n_secret;
                at += sizeof(info.exit.rval);
        }
        detach();
}

/* Signals that are pending are delivered when they are no longer blocked; the last one says that it is. */
static void take_values(void) {
        const uint64_t mask = 1ULL << (SIGUSR1 - 1); /* for which it waits */
        siginfo_t info;

        attach();
        if (ptrace(PTRACE_SETSIGMASK, cast.other, (void *)sizeof(mask), &mask) < 0)
                play_die("PTRACE_SETSIGMASK");
        for (;;) {
                trace_on(PTRACE_CONT, 0);
                if (ptrace(PTRACE_GETSIGINFO, cast.other, NULL, &info) < 0)
                        play_die("PTRACE_GETSIGINFO");
                if (info.si_signo == SIGRTMIN)
                        part_take(&info.si_value, sizeof(info.si_value));
                else if (info.si_signo == SIGRTMIN + 1)
                        break;
        }
        detach();
        p.n_secret = strnlen(p.secret, p.n_secret);
        take();
}

static void take_set(void) {
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
        { "values", "trace", .give = give_signals, .take = take_values },
        { "calls", "trace", .give = give_calls, .take = take_calls },
        { "masks", "trace", .give = give_calls, .take = take_calls },
        { "calls-early", "trace", .ready = early_attach, .give = give_calls, .take = take_early },
        { "set-values", "trace", .ready = set_ready, .give = give_values, .take = take_set },
        { "set-results", "trace", .ready = set_ready, .give = give_results, .take = take_set },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
