/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* System calls of i386 from a 64-bit process, as every 32-bit program makes them (int 0x80). */

#ifdef __x86_64__

#include <signal.h>
#include <sys/mman.h>

#include "play.h"

static inline void on_no_int80(int signal) {
        (void)signal;
        _exit(PLAY_CANNOT);
}

/* Without CONFIG_IA32_EMULATION it is a fault, and with ia32_emulation=off, too. */
static inline void compat_begin(void) {
        signal(SIGSEGV, on_no_int80);
}

/* The registers ebx to edi. Exits if the call fails. */
static inline long int80(long number, long b, long c, long d, long s, long i) {
        long ret;

        __asm__ volatile("int $0x80"
                         : "=a"(ret)
                         : "a"(number), "b"(b), "c"(c), "d"(d), "S"(s), "D"(i)
                         : "memory", "r8", "r9", "r10", "r11");
        if ((int)ret < 0) {
                errno = -(int)ret;
                if (errno == ENOSYS)
                        play_exit(PLAY_CANNOT, "int 0x80");
                play_die("int 0x80, call %ld", number);
        }
        return (int)ret;
}

/* Memory for pointers of 32 bits. */
static inline char *compat_memory(size_t n) {
        char *low = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

        if (low == MAP_FAILED)
                play_die("mmap below 4 GiB");
        return low;
}

#endif
