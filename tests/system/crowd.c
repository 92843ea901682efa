/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Many processes, to fill the tables that have one entry for each:
 *
 *   crowd hold COUNT FILE       COUNT children open FILE and sleep
 *   crowd run COUNT DIRECTORY   executes DIRECTORY/0 … DIRECTORY/COUNT-1, one after the other
 *   crowd                       does nothing: it is one of these executables
 *
 * "hold" prints "ready" once every child has opened FILE, and exits at the end of stdin. */

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int hold(int count, const char *file) {
        int ready[2];
        char c;

        if (pipe2(ready, O_CLOEXEC) < 0)
                return 1;
        for (int i = 0; i < count; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        return 1;
                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (open(file, O_RDONLY | O_CLOEXEC) < 0 || write(ready[1], "x", 1) != 1)
                                _exit(1);
                        for (;;)
                                pause();
                }
        }
        for (int i = 0; i < count; i++)
                if (read(ready[0], &c, 1) != 1)
                        return 1;
        printf("ready\n");
        fflush(stdout);
        while (read(0, &c, 1) > 0)
                ;
        return 0;
}

static int run(int count, const char *directory) {
        for (int i = 0; i < count; i++) {
                char path[4096], *argv[] = { path, NULL };
                int status;
                pid_t pid;

                snprintf(path, sizeof(path), "%s/%d", directory, i);
                if (posix_spawn(&pid, path, NULL, NULL, argv, environ) != 0 ||
                                waitpid(pid, &status, 0) != pid || status != 0) {
                        fprintf(stderr, "%s did not run\n", path);
                        return 1;
                }
        }
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 1)
                return 0;
        if (argc == 4 && strcmp(argv[1], "hold") == 0)
                return hold(atoi(argv[2]), argv[3]);
        if (argc == 4 && strcmp(argv[1], "run") == 0)
                return run(atoi(argv[2]), argv[3]);
        fprintf(stderr, "usage: %s [hold COUNT FILE | run COUNT DIRECTORY]\n", argv[0]);
        return 2;
}
