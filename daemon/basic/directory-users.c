/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Lists the users that NSS knows, in a child: its modules wait for servers that may not answer, and the
 * service must not. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/util.h"
#include "basic/directory-users.h"

/* A directory of a site answers within milliseconds. Of one that does not, the service waits no longer at a
 * start or a reload: a tenth of its watchdog's time. */
#define DIRECTORY_SECONDS 2
/* 4,096 users of 256 bytes: enough to see in which directories homes are. */
#define DIRECTORY_MAX (1U << 20)
/* What logind keeps of users who are logged in, each in a file by the UID (sd_get_uids(3)). */
#define LOGGED_IN "/run/systemd/users"

static void user_print(FILE *out, const struct passwd *user) {
        if (!strpbrk(user->pw_name, ":\n") && !strpbrk(user->pw_dir, ":\n"))
                fprintf(out, "%s:x:%u:%u::%s:\n", user->pw_name, user->pw_uid, user->pw_gid, user->pw_dir);
}

_Noreturn static void users_print(int fd) {
        const struct passwd *user;
        const struct dirent *entry;
        sigset_t alarms;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGALRM, SIG_DFL);
        (void)sigemptyset(&alarms);
        (void)sigaddset(&alarms, SIGALRM);
        (void)sigprocmask(SIG_UNBLOCK, &alarms, NULL);
        (void)alarm(DIRECTORY_SECONDS);
        FILE *out = fdopen(fd, "w");
        if (!out)
                _exit(EXIT_FAILURE);
        /* What came before the alarm counts. */
        (void)setvbuf(out, NULL, _IOLBF, 0);
        DIR *logged_in = opendir(LOGGED_IN);
        while (logged_in && (entry = readdir(logged_in))) {
                char *end;
                unsigned long uid = strtoul(entry->d_name, &end, 10);

                if (end > entry->d_name && !*end && (user = getpwuid((uid_t)uid)))
                        user_print(out, user);
        }
        setpwent();
        while ((user = getpwent()) && !ferror(out))
                user_print(out, user);
        _exit(ferror(out) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Reads at most so many bytes; 1: there are more. */
static int pipe_read(int fd, char *data, size_t max, size_t *ret_size) {
        size_t size = 0;

        while (size < max) {
                ssize_t n = read(fd, data + size, max - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                *ret_size = size += (size_t)n;
                if (n == 0)
                        return 0;
        }
        return 1;
}

int directory_users_append(char **text, size_t *size, bool *ret_complete) {
        int end[2], status = 0;
        size_t n = 0;

        char *larger = realloc(*text, *size + 1 + DIRECTORY_MAX);
        if (!larger)
                return -ENOMEM;
        *text = larger;
        if (pipe2(end, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_close_ int reads = end[0], writes = end[1];
        pid_t child = fork();
        if (child < 0)
                return -errno;
        if (child == 0)
                users_print(writes);
        closep(&writes);
        writes = -1;
        larger[*size] = '\n';
        int r = pipe_read(reads, larger + *size + 1, DIRECTORY_MAX, &n);
        if (r != 0)
                (void)kill(child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return r;
        *size += 1 + n;
        *ret_complete = r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
        return 0;
}
