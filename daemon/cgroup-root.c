/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cgroup-root.h"
#include "util.h"

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

int cgroup_root_open(void) {
        /* proc_pid_mountinfo(5): ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS … - TYPE SOURCE OPTIONS */
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;

        if (!f)
                return -errno;
        while (getline(&line, &allocated, f) > 0) {
                _cleanup_free_ char *root = NULL, *point = NULL;
                const char *type = strstr(line, " - ");

                if (!type || strncmp(type, " - cgroup2 ", strlen(" - cgroup2 ")) != 0)
                        continue;
                if (sscanf(line, "%*s %*s %*s %ms %ms", &root, &point) != 2 || strcmp(root, "/") != 0)
                        continue; /* part of the hierarchy, bind-mounted elsewhere */
                mountinfo_unescape(point);
                int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                return fd < 0 ? -errno : fd;
        }
        return -ENOENT;
}
