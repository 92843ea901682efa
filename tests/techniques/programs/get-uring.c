/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G07: the key is opened by io_uring, by either of its calls, by this process or by a thread of the kernel
 * ("-polled"), with a descriptor or into the table of the ring, without one ("direct"). It is read the same
 * way, and sent by plain calls. */

#include <linux/openat2.h>

#include "uring.h"

static Play p;

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        struct open_how how = { .flags = O_RDONLY };
        struct io_uring_sqe open_it = { .fd = AT_FDCWD }, read_it = { .opcode = IORING_OP_READ };
        bool direct;
        int table[] = { -1, -1 };
        size_t fd;
        Uring u;

        play_init(&p, argc, argv);
        direct = strncmp(p.variant, "direct", 6) == 0;
        play_truth(&p, getpid(), parents);
        uring_open(&u, strstr(p.variant, "-polled"));
        open_it.addr = (uintptr_t)p.key;
        if (strncmp(p.variant, "openat2", 7) == 0) {
                open_it.opcode = IORING_OP_OPENAT2;
                open_it.len = sizeof(how);
                open_it.off = (uintptr_t)&how;
        } else if (strncmp(p.variant, "openat", 6) == 0 || direct) {
                open_it.opcode = IORING_OP_OPENAT;
        } else {
                play_unknown(&p);
        }
        if (strstr(p.variant, "-async"))
                open_it.flags = IOSQE_ASYNC;
        if (direct) {
                if (syscall(SYS_io_uring_register, u.fd, IORING_REGISTER_FILES, table, 2) < 0)
                        play_die("io_uring_register");
                open_it.file_index = 1 + 1;
        }
        fd = uring_must(&u, open_it);
        /* In the table it has the requested number; a kernel without this feature opened a plain descriptor.
         */
        if (direct && fd != 0) {
                errno = ENOSYS;
                play_exit(PLAY_CANNOT, "io_uring opens no direct descriptors");
        }
        read_it.fd = direct ? 1 : (int)fd;
        read_it.flags = direct ? IOSQE_FIXED_FILE : 0;
        read_it.addr = (uintptr_t)p.secret;
        read_it.len = sizeof(p.secret);
        p.n_secret = uring_must(&u, read_it);
        play_send(&p);
        return 0;
}
