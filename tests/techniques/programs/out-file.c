/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E09: the secret is written to a file in the directory ADDRESS, which is on another machine. VARIANT says
 * how. */

#include <sys/mman.h>
#include <sys/sendfile.h>

#include "play.h"

#define COPY "copy"

static Play p;

static void copy_map(int fd) {
        if (ftruncate(fd, (off_t)p.n_secret) < 0)
                play_die("ftruncate");
        char *memory = mmap(NULL, p.n_secret, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (memory == MAP_FAILED)
                play_exit(errno == ENODEV ? PLAY_CANNOT : 1, "mmap");
        memcpy(memory, p.secret, p.n_secret);
        if (msync(memory, p.n_secret, MS_SYNC) < 0)
                play_die("msync");
}

/* From the key, without its bytes in the memory of this process. */
static void copy_move(int fd) {
        int key = open(p.key, O_RDONLY | O_CLOEXEC);

        if (key < 0 || sendfile(fd, key, NULL, p.n_secret) != (ssize_t)p.n_secret)
                play_die("sendfile");
}

int main(int argc, char **argv) {
        play_init(&p, argc, argv);
        if (chdir(p.address) < 0)
                play_die("chdir %s", p.address);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        play_truth(&p, getpid(), (pid_t[]){ getppid(), 0 });

        int fd = open(COPY, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                play_die("open %s/" COPY, p.address);
        if (play_variant(&p, "mapped"))
                copy_map(fd);
        else if (play_variant(&p, "sendfile"))
                copy_move(fd);
        else if (write(fd, p.secret, p.n_secret) != (ssize_t)p.n_secret)
                play_die("write");
        if (close(fd) < 0)
                play_die("close");
        return 0;
}
