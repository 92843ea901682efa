/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Helpers that would serve any daemon: strings, escaping, time, hashing, sockets, /proc, logging, JSON.
 *
 * This folder may include libc, jansson and libsystemd only. It must not know policies, alerts, BPF or the
 * records of the kernel: every other folder includes this one.
 *
 * This header has the idioms of every file: cleanup attributes, size-checked arithmetic. Nothing with state.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
/* The text of the variable arguments after format, newly allocated; NULL: out of memory. */
#define FORMAT_ARGUMENTS(format)                                                                            \
        ({                                                                                                  \
                va_list _ap;                                                                                \
                char *_text;                                                                                \
                va_start(_ap, format);                                                                      \
                if (vasprintf(&_text, format, _ap) < 0)                                                     \
                        _text = NULL;                                                                       \
                va_end(_ap);                                                                                \
                _text;                                                                                      \
        })
#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                           \
        ({                                                                                                  \
                __typeof__(a) _a = (a);                                                                     \
                __typeof__(b) _b = (b);                                                                     \
                _a < _b ? _a : _b;                                                                          \
        })
#define MAX(a, b)                                                                                           \
        ({                                                                                                  \
                __typeof__(a) _a = (a);                                                                     \
                __typeof__(b) _b = (b);                                                                     \
                _a > _b ? _a : _b;                                                                          \
        })

/* DEFINE_CLEANUP(Thing, thing_free): thing_free takes NULL and returns NULL; then `_cleanup_(thing_freep)`.
 */
#define DEFINE_CLEANUP(type, func)                                                                          \
        static inline void func##p(type **p) {                                                              \
                if (*p)                                                                                     \
                        *p = func(*p);                                                                      \
        }

static inline void freep(void *p) {
        free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

/* NOLINTNEXTLINE(readability-non-const-parameter): the type that __attribute__((cleanup)) wants */
static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

/* Duplicates fd, never as one of the standard descriptors, which others may use. The caller owns *ret. */
static inline int fd_copy(int fd, int *ret) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

        if (copy < 0)
                return -errno;
        *ret = copy;
        return 0;
}

static inline void fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}
#define _cleanup_closedir_ _cleanup_(closedirp)

#define STEAL_PTR(p)                                                                                        \
        ({                                                                                                  \
                __typeof__(p) _p = (p);                                                                     \
                (p) = NULL;                                                                                 \
                _p;                                                                                         \
        })

#define STEAL_FD(fd)                                                                                        \
        ({                                                                                                  \
                int _fd = (fd);                                                                             \
                (fd) = -1;                                                                                  \
                _fd;                                                                                        \
        })

#define USEC_PER_SEC 1000000ULL
#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
