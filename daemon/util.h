/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The few idioms every file uses: cleanup attributes and size-checked arithmetic. Nothing with state. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                            \
        ({                                                                                                   \
                __typeof__(a) _a = (a);                                                                      \
                __typeof__(b) _b = (b);                                                                      \
                _a < _b ? _a : _b;                                                                           \
        })
#define MAX(a, b)                                                                                            \
        ({                                                                                                   \
                __typeof__(a) _a = (a);                                                                      \
                __typeof__(b) _b = (b);                                                                      \
                _a > _b ? _a : _b;                                                                           \
        })

/* DEFINE_CLEANUP(Thing, thing_free): thing_free takes NULL and returns NULL; then `_cleanup_(thing_freep)`. */
#define DEFINE_CLEANUP(type, func)                                                                           \
        static inline void func##p(type **p) {                                                               \
                if (*p)                                                                                      \
                        *p = func(*p);                                                                       \
        }

static inline void freep(void *p) {
        free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

static inline void fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Of a NULL-terminated list. */
static inline void strings_freep(char ***strings) {
        for (char **p = *strings; p && *p; p++)
                free(*p);
        free(*strings);
}

#define STEAL_PTR(p)                                                                                         \
        ({                                                                                                   \
                __typeof__(p) _p = (p);                                                                      \
                (p) = NULL;                                                                                  \
                _p;                                                                                          \
        })

#define STEAL_FD(fd)                                                                                         \
        ({                                                                                                   \
                int _fd = (fd);                                                                              \
                (fd) = -1;                                                                                   \
                _fd;                                                                                         \
        })

#define USEC_PER_SEC 1000000ULL
#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
