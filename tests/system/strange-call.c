/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A system call that no table lists, and that succeeds: strange-call KEY opens the key, and then makes a
 * call that a filter answers, as a newer kernel would. */

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STRANGE 1000

int main(int argc, char **argv) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STRANGE, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO), /* 0: success */
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        if (argc != 2)
                return 2;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
                perror("seccomp");
                return errno == EINVAL ? 77 : 1;
        }
        if (open(argv[1], O_RDONLY | O_CLOEXEC) < 0 || syscall(STRANGE) != 0) {
                perror(argv[1]);
                return 1;
        }
        return 0;
}
