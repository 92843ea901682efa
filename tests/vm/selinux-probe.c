/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attempts one act, and prints 0 or its errno. It links no library and reads no other file, so that it is
 * the act that a domain denies. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_as(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC, 0600);

        if (fd < 0)
                return errno;
        close(fd);
        return 0;
}

static int make_socket(int family, int type) {
        int fd = socket(family, type | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return errno;
        close(fd);
        return 0;
}

/* The child exits with the errno if its exec is denied. */
static int execute(const char *path) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                execl(path, path, "-c", ":", (char *)NULL);
                _exit(errno);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int trace(pid_t pid) {
        int status;

        if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
                return errno;
        (void)waitpid(pid, &status, __WALL);
        return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 ? errno : 0;
}

int main(int argc, char **argv) {
        const char *act = argc == 3 ? argv[1] : "", *what = argc == 3 ? argv[2] : "";
        int r;

        if (strcmp(act, "read") == 0)
                r = open_as(what, O_RDONLY);
        else if (strcmp(act, "create") == 0)
                r = open_as(what, O_WRONLY | O_CREAT | O_EXCL);
        else if (strcmp(act, "execute") == 0)
                r = execute(what);
        else if (strcmp(act, "trace") == 0)
                r = trace(atoi(what));
        else if (strcmp(act, "socket") == 0)
                r = strcmp(what, "tcp") == 0   ? make_socket(AF_INET, SOCK_STREAM)
                    : strcmp(what, "udp") == 0 ? make_socket(AF_INET, SOCK_DGRAM)
                                               : EINVAL;
        else
                return 2;
        printf("%d\n", r);
        return 0;
}
