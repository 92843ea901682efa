/* SPDX-License-Identifier: GPL-2.0-or-later */

/* LD_PRELOAD: allocations that fail, and time that has passed, when a test says so. The file of BW_SCARCE=
 * is mapped at startup. It says which allocation from now on is the first to fail (0: none) and how many
 * fail in a row, and counts those that have failed; and how far CLOCK_BOOTTIME is ahead, in seconds.
 *
 * Allocations of jansson's lexer do not fail: it (2.14, lex_save()) does not check whether its buffer has
 * grown. It then drops a byte, and, if that was the end of a string, accesses memory beyond its buffer, or
 * an assertion ends the program. The daemon recovers from that by its restart. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct Scarcity {
        uint64_t next, row, failed, ahead_sec;
} Scarcity;

/* The functions of the C library that those below replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *json_loads(const char *input, size_t flags, void *error);
void *json_loadb(const char *input, size_t size, size_t flags, void *error);

static Scarcity *scarcity;
static __thread int exempt;

__attribute__((constructor)) static void scarcity_map(void) {
        const char *path = getenv("BW_SCARCE");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

        if (fd < 0)
                return;
        void *p = mmap(NULL, sizeof(*scarcity), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED)
                scarcity = p;
        close(fd);
}

static int fails(void) {
        uint64_t next = scarcity && !exempt ? __atomic_load_n(&scarcity->next, __ATOMIC_SEQ_CST) : 0;

        while (next > 1)
                if (__atomic_compare_exchange_n(
                                    &scarcity->next, &next, next - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                        return 0;
        if (next == 0)
                return 0;
        __atomic_fetch_add(&scarcity->failed, 1, __ATOMIC_SEQ_CST);
        if (__atomic_sub_fetch(&scarcity->row, 1, __ATOMIC_SEQ_CST) == 0)
                __atomic_store_n(&scarcity->next, 0, __ATOMIC_SEQ_CST);
        errno = ENOMEM;
        return 1;
}

void *malloc(size_t size) {
        return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        return fails() ? NULL : __libc_realloc(p, size);
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = (int)syscall(SYS_clock_gettime, clock, ret);

        if (r == 0 && clock == CLOCK_BOOTTIME && scarcity)
                ret->tv_sec += (time_t)__atomic_load_n(&scarcity->ahead_sec, __ATOMIC_SEQ_CST);
        return r;
}

/* json_t and json_error_t are only passed through. */
void *json_loads(const char *input, size_t flags, void *error) {
        void *(*next)(const char *, size_t, void *);

        exempt++;
        *(void **)&next = dlsym(RTLD_NEXT, "json_loads");
        void *value = next(input, flags, error);
        exempt--;
        return value;
}

void *json_loadb(const char *input, size_t size, size_t flags, void *error) {
        void *(*next)(const char *, size_t, size_t, void *);

        exempt++;
        *(void **)&next = dlsym(RTLD_NEXT, "json_loadb");
        void *value = next(input, size, flags, error);
        exempt--;
        return value;
}
