/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The way of systemd's src/basic/sigbus.c. Must not survive a SIGBUS of another kind: failing memory, or one
 * that somebody sent. */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/sigbus-guard.h"

/* Not to be asked for in a signal handler (signal-safety(7)). */
static size_t page_size;

static void on_sigbus(int number, siginfo_t *info, void *context) {
        void *page = (void *)((uintptr_t)info->si_addr & ~(page_size - 1));

        (void)context;
        /* BUS_ADRERR: there is nothing behind this address. The access is repeated, and finds the new
         * page. */
        if (info->si_code == BUS_ADRERR &&
                        mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
                                        MAP_FAILED)
                return;

        signal(number, SIG_DFL);
        raise(number);
}

int sigbus_guard_begin(struct sigaction *ret) {
        const struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

        page_size = (size_t)sysconf(_SC_PAGESIZE);
        return sigaction(SIGBUS, &action, ret) < 0 ? -errno : 0;
}

void sigbus_guard_end(const struct sigaction *before) {
        (void)sigaction(SIGBUS, before, NULL);
}
