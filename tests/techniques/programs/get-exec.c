/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G07: the key is executed, and the kernel passes it to an interpreter as a descriptor that no process has
 * opened (binfmt_misc(5), flag O). The interpreter is this program. */

#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>

#include "play.h"

#define FORMATS "/proc/sys/fs/binfmt_misc"
#define BEGIN "-----BEGIN DECOY"

static void text_write(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
                play_exit(PLAY_CANNOT, "%s", path);
        close(fd);
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        char line[512], own[256] = "";
        Play p;

        if (argc == 6 && strcmp(argv[2], "interpreted") == 0) {
                play_init(&p, argc - 1, argv + 1);
                play_truth(&p, getpid(), parents);
                play_read(&p, (int)getauxval(AT_EXECFD));
                play_send(&p);
                return 0;
        }
        play_init(&p, argc, argv);
        if (!play_variant(&p, "executed"))
                play_unknown(&p);
        /* In namespaces of its own, so that nothing else is interpreted. Since 6.7. */
        if (readlink("/proc/self/exe", own, sizeof(own) - 1) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                play_exit(PLAY_CANNOT, "unshare");
        text_write("/proc/self/setgroups", "deny");
        text_write("/proc/self/uid_map", "0 0 1");
        text_write("/proc/self/gid_map", "0 0 1");
        if (mount("none", FORMATS, "binfmt_misc", 0, NULL) < 0)
                play_exit(PLAY_CANNOT, "mount " FORMATS);
        snprintf(line, sizeof(line), ":relay:M:0:" BEGIN "::%s:O", own);
        text_write(FORMATS "/register", line);
        if (chmod(p.key, 0700) < 0)
                play_die("chmod %s", p.key);
        snprintf(line, sizeof(line), "%u", p.port);
        execl(p.key, p.key, "interpreted", p.key, p.address, line, NULL);
        play_die("exec %s", p.key);
}
