/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What both programs that measure operations do alike: operations.c their time, instructions.c their number
 * of instructions. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_BYTES 64

static const char message[MESSAGE_BYTES] = { 1 };

static inline void die(const char *what) {
        perror(what);
        exit(1);
}

/* Under qemu -icount shift=0 it advances by a nanosecond with each instruction. */
static inline unsigned long long now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (unsigned long long)ts.tv_sec * 1000000000ULL + (unsigned long long)ts.tv_nsec;
}

/* A system call without work: the cost of a hook on every system call. */
static inline void no_op(void) {
        syscall(SYS_getppid);
}

static inline void open_close(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                die(path);
        close(fd);
}

static inline void pipe_write_read(const int fds[static 2]) {
        char buffer[MESSAGE_BYTES];

        if (write(fds[1], message, sizeof(message)) != sizeof(message) ||
                        read(fds[0], buffer, sizeof(buffer)) != sizeof(buffer))
                die("pipe");
}
