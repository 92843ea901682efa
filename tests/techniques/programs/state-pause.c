/* SPDX-License-Identifier: GPL-2.0-or-later */

/* S04, S08: the key is opened, then something happens (a reload, time passes), then it is sent. Prints
 * "opened" and continues when a line arrives on stdin. "fork" sends from a child, "both" from itself and
 * then from a child. */

#include "play.h"

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        char line[16];
        Play p;

        play_init(&p, argc, argv);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        printf("opened\n");
        if (!fgets(line, sizeof(line), stdin))
                play_die("stdin");
        if (play_variant(&p, "self") || play_variant(&p, "both")) {
                play_truth(&p, getpid(), parents);
                play_send(&p);
        }
        if (play_variant(&p, "fork") || play_variant(&p, "both")) {
                pid_t child = fork();

                if (child == 0) {
                        pid_t ancestors[] = { getppid(), 0 };

                        play_truth(&p, getppid(), ancestors);
                        play_send(&p);
                        exit(0);
                }
                return play_wait(child);
        }
        return 0;
}
