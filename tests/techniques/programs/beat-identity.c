/* SPDX-License-Identifier: GPL-2.0-or-later */

/* S01-S03: a program under an allowed name, or under a name that only looks like it. It does what VARIANT
 * says, and then steals the key:
 *
 *   comm:NAME         sets its name to NAME
 *   scrub             overwrites the environment that it was started with
 *   dlopen:FILE       loads code from FILE; dlopen-fork:FILE, and lets a child steal
 *   anything else     nothing: the path of a script, an option
 *
 * As the interpreter of a script whose first line gives it an option, it skips that.
 *
 * $BEAT_REWRITE: overwrites its first argument with this, as if it had been started with it. $BEAT_PAUSE:
 * prints "ready" and waits for a line on stdin before it steals. */

#include <dlfcn.h>
#include <sys/prctl.h>

#include "play.h"

static Play p;

static void steal(void) {
        play_steal(&p, open(p.key, O_RDONLY | O_CLOEXEC));
}

static void library_load(const char *file) {
        if (!dlopen(file, RTLD_NOW)) {
                fprintf(stderr, "%s\n", dlerror());
                exit(1);
        }
}

int main(int argc, char **argv) {
        const char *rewrite = getenv("BEAT_REWRITE"), *pause = getenv("BEAT_PAUSE");
        char line[16];

        if (argc == 6 && argv[1][0] == '-') {
                argc--;
                argv++;
        }
        play_init(&p, argc, argv);
        if (strncmp(p.variant, "comm:", 5) == 0) {
                if (prctl(PR_SET_NAME, p.variant + 5) < 0)
                        play_die("PR_SET_NAME");
        } else if (play_variant(&p, "scrub")) {
                for (char **e = environ; *e; e++)
                        memset(*e, 'x', strlen(*e));
        } else if (strncmp(p.variant, "dlopen:", 7) == 0) {
                library_load(p.variant + 7);
        } else if (strncmp(p.variant, "dlopen-fork:", 12) == 0) {
                library_load(p.variant + 12);
                pid_t child = fork();
                if (child == 0) {
                        steal();
                        exit(0);
                }
                return play_wait(child);
        }
        if (rewrite)
                strncpy(argv[1], rewrite, strlen(argv[1]));
        if (pause) {
                printf("ready\n");
                if (!fgets(line, sizeof(line), stdin))
                        play_die("stdin");
        }
        steal();
        return 0;
}
