/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "basic/fdinfo.h"
#include "basic/util.h"

/* A map's file, the longest, has about 300 bytes (kernel/bpf/syscall.c bpf_map_show_fdinfo()). */
#define FDINFO_BYTES 1024

int fdinfo_open(int fd) {
        char path[sizeof("/proc/self/fdinfo/-2147483648")];

        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        int fdinfo = open(path, O_RDONLY | O_CLOEXEC);
        return fdinfo < 0 ? -errno : fdinfo;
}

bool fdinfo_read(int fdinfo, const char *key, uint64_t *ret) {
        char text[FDINFO_BYTES];

        ssize_t size = pread(fdinfo, text, sizeof(text) - 1, 0);
        if (size <= 0)
                return false;
        text[size] = 0;

        size_t n = strlen(key);
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, n) == 0 && line[n] == ':') {
                        *ret = strtoull(line + n + 1, NULL, 10);
                        return true;
                }
        }
        return false;
}

int64_t fdinfo_get(int fd, const char *key) {
        _cleanup_close_ int fdinfo = fdinfo_open(fd);
        uint64_t value;

        return fdinfo_read(fdinfo, key, &value) ? (int64_t)value : -1;
}
