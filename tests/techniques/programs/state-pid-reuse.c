/* SPDX-License-Identifier: GPL-2.0-or-later */

/* S05: three processes have the same PID one after the other: a thief that opens the key and exits without
 * sending, an innocent one that connects, and a thief that does both. Only the last one may be the subject
 * of an alert, with its own start time. */

#include <linux/sched.h>
#include <signal.h>

#include "play.h"

static Play p;

static void life_open_only(void) {
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
}

/* Sends data to which the process had every right. */
static void life_innocent(void) {
        p.n_secret = (size_t)snprintf(p.secret, sizeof(p.secret), "innocent %d\n", getpid());
        play_send(&p);
}

static void life_thief(void) {
        play_steal(&p, open(p.key, O_RDONLY | O_CLOEXEC));
}

static int process_live(pid_t pid, void (*life)(void)) {
        struct clone_args args = {
                .exit_signal = SIGCHLD,
                .set_tid = pid > 0 ? (uint64_t)(uintptr_t)&pid : 0,
                .set_tid_size = pid > 0 ? 1 : 0,
        };
        long child = syscall(SYS_clone3, &args, sizeof(args));

        if (child == 0) {
                life();
                exit(0);
        }
        if (child < 0)
                play_exit(errno == EEXIST ? 1 : PLAY_CANNOT, "clone3 with set_tid");
        if (play_wait((pid_t)child) != 0)
                exit(1);
        return (int)child;
}

int main(int argc, char **argv) {
        pid_t pid;

        play_init(&p, argc, argv);
        /* The first process takes any PID; it is free again once it was waited for. */
        pid = process_live(0, life_open_only);
        /* Start times have a resolution of 10 ms: the three must differ in them. */
        usleep(50 * 1000);
        process_live(pid, life_innocent);
        printf("innocent=%d\n", pid);
        usleep(50 * 1000);
        process_live(pid, life_thief);
        return 0;
}
