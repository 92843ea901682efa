/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G02: the key is named by other paths than its own absolute one. */

#include <libgen.h>

#include "play.h"

static char directory[4096], name[4096];

__attribute__((format(printf, 1, 2))) static int open_form(const char *format, ...) {
        char path[16384];
        va_list ap;

        va_start(ap, format);
        vsnprintf(path, sizeof(path), format, ap);
        va_end(ap);
        return open(path, O_RDONLY | O_CLOEXEC);
}

static int open_directory(void) {
        int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                play_die("open %s", directory);
        return fd;
}

/* Through a symbolic link outside every directory of the policy. */
static int open_by_link(const char *target, const char *rest) {
        char link[64];
        int fd;

        snprintf(link, sizeof(link), "/tmp/barbwire-link.%d", getpid());
        if (symlink(target, link) < 0)
                play_die("symlink");
        fd = open_form("%s%s", link, rest);
        unlink(link);
        return fd;
}

int main(int argc, char **argv) {
        char rest[4100];
        Play p;
        int fd;

        play_init(&p, argc, argv);
        snprintf(directory, sizeof(directory), "%s", p.key);
        *strrchr(directory, '/') = 0;
        snprintf(name, sizeof(name), "%s", strrchr(p.key, '/') + 1);
        snprintf(rest, sizeof(rest), "/%s", name);

        if (play_variant(&p, "chdir"))
                fd = chdir(directory) < 0 ? -1 : open_form("%s", name);
        else if (play_variant(&p, "fchdir"))
                fd = fchdir(open_directory()) < 0 ? -1 : open_form("./%s", name);
        else if (play_variant(&p, "dirfd"))
                fd = openat(open_directory(), name, O_RDONLY | O_CLOEXEC);
        else if (play_variant(&p, "dotdot"))
                fd = open_form("%s/../.././//%s/%s/%s", directory, basename(dirname(strdup(directory))),
                                basename(strdup(directory)), name);
        else if (play_variant(&p, "symlink-file"))
                fd = open_by_link(p.key, "");
        else if (play_variant(&p, "symlink-directory"))
                fd = open_by_link(directory, rest);
        else if (play_variant(&p, "proc-self-root"))
                fd = open_form("/proc/self/root%s", p.key);
        else if (play_variant(&p, "proc-self-cwd"))
                fd = chdir(directory) < 0 ? -1 : open_form("/proc/self/cwd/%s", name);
        else if (play_variant(&p, "proc-parent-root"))
                fd = open_form("/proc/%d/root%s", getppid(), p.key);
        else if (play_variant(&p, "dev-fd")) {
                /* An O_PATH descriptor cannot be read: the file is touched by the second open, through the
                 * magic link. */
                int path_fd = open(p.key, O_PATH | O_CLOEXEC);

                fd = path_fd < 0 ? -1 : open_form("/dev/fd/%d", path_fd);
        } else
                play_unknown(&p);
        play_steal(&p, fd);
        return 0;
}
