/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "sensor/cgroup-root.h"
#include "basic/util.h"

/* Undoes mountinfo's \ooo escapes (fs/seq_file.c mangle_path()) in place. */
static void mountinfo_unescape(char *s) {
        char *to = s;

        for (const char *from = s; *from; to++) {
                if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
                        *to = (from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0');
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = 0;
}

/* The inode of the real root (fs/kernfs/dir.c: the first that a hierarchy gives). */
#define CGROUP_ROOT_INODE 1

int cgroup_root_open(bool *ret_complete) {
        /* proc_pid_mountinfo(5): ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS … - TYPE SOURCE OPTIONS */
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        _cleanup_close_ int part = -1;
        size_t allocated = 0;
        int error = -ENOENT;

        if (!f)
                return -errno;
        while (getline(&line, &allocated, f) > 0) {
                _cleanup_free_ char *root = NULL, *point = NULL;
                _cleanup_close_ int fd = -1;
                const char *type = strstr(line, " - ");
                struct statfs fs;
                struct stat st;

                if (!type || strncmp(type, " - cgroup2 ", strlen(" - cgroup2 ")) != 0)
                        continue;
                if (sscanf(line, "%*s %*s %*s %ms %ms", &root, &point) != 2 || strcmp(root, "/") != 0)
                        continue; /* part of the hierarchy, bind-mounted elsewhere */
                mountinfo_unescape(point);
                fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
                        error = -errno;
                        continue;
                }
                if ((unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC)
                        continue; /* another mount covers it */
                if (st.st_ino == CGROUP_ROOT_INODE) {
                        *ret_complete = true;
                        return STEAL_FD(fd);
                }
                if (part < 0)
                        part = STEAL_FD(fd);
        }
        if (part < 0)
                return error;
        *ret_complete = false;
        return STEAL_FD(part);
}
