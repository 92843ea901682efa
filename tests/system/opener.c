/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Keeps every core busy opening files: opener PATH starts one process per core, pinned to it, that opens and
 * closes PATH as fast as it can. Prints "ready", and at the end of stdin "opens=N seconds=S". */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CORES_MAX 1024

/* One cache line each, so that counting does not slow the counters down. */
typedef struct Count {
        _Alignas(64) atomic_ulong opens;
} Count;

static double now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void core_run(int core, const char *path, Count *count) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(core, &set);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                _exit(1);
        for (;;) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);

                if (fd < 0)
                        _exit(1);
                close(fd);
                atomic_fetch_add_explicit(&count->opens, 1, memory_order_relaxed);
        }
}

int main(int argc, char **argv) {
        static pid_t pids[CORES_MAX];
        unsigned long opens = 0;
        int n = 0, failed = 0;
        cpu_set_t allowed;
        double begin;
        char c;
        Count *counts = mmap(NULL, CORES_MAX * sizeof(Count), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (argc != 2 || counts == MAP_FAILED || sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
                return 2;
        begin = now();
        for (int core = 0; core < CORES_MAX; core++)
                if (CPU_ISSET(core, &allowed)) {
                        pids[n] = fork();
                        if (pids[n] == 0)
                                core_run(core, argv[1], &counts[n]);
                        n++;
                }
        printf("ready\n");
        fflush(stdout);
        while (read(0, &c, 1) > 0)
                ;
        for (int i = 0; i < n; i++) {
                int status;

                kill(pids[i], SIGTERM);
                failed |= waitpid(pids[i], &status, 0) < 0 || !WIFSIGNALED(status) ||
                          WTERMSIG(status) != SIGTERM;
                opens += atomic_load(&counts[i].opens);
        }
        printf("opens=%lu seconds=%.3f\n", opens, now() - begin);
        return failed;
}
