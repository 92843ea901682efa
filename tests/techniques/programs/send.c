/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G09, H02: sends what it reads from a descriptor that another program, or this process before exec, opened.
 * VARIANT says which: "self", "parent"; a suffix ":N" is the descriptor, otherwise 0. */

#include "play.h"

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        const char *colon;
        Play p;

        play_init(&p, argc, argv);
        colon = strchr(p.variant, ':');
        play_read(&p, colon ? atoi(colon + 1) : 0);
        play_truth(&p, strncmp(p.variant, "parent", 6) == 0 ? getppid() : getpid(), parents);
        play_send(&p);
        return 0;
}
