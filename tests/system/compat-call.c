/* SPDX-License-Identifier: GPL-2.0-or-later */

/* i386 system calls from a 64-bit process whose numbers mean an open in the 64-bit table, and whose result
 * is not a descriptor: compat-call readlink|fork KEY_FD ADDRESS PORT. KEY_FD was opened before monitoring
 * began, and is moved to the number that the result has: a sensor that takes the result for a descriptor
 * would take this process for a thief of the key. Prints the PID that then sends. */

#include "../techniques/programs/compat.h"
#include "../techniques/programs/play.h"

#ifdef __x86_64__

#define I386_FORK 2      /* x86_64: open */
#define I386_READLINK 85 /* x86_64: creat */

static void say_and_send(const Play *p) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address);
        int fd = play_socket(&address, SOCK_DGRAM);

        printf("%d\n", getpid());
        if (sendto(fd, "innocent", 8, 0, (struct sockaddr *)&address, length) != 8)
                play_die("sendto");
}

static void compat_readlink(const Play *p) {
        char *low = compat_memory(4096);
        long length;

        strcpy(low, "/proc/self/exe");
        /* First with a result that is no descriptor, then with that of the key. */
        length = int80(I386_READLINK, (long)low, (long)(low + 1024), 3072, 0, 0);
        if (dup2(atoi(p->key), (int)length) < 0)
                play_die("dup2");
        int80(I386_READLINK, (long)low, (long)(low + 1024), 3072, 0, 0);
        say_and_send(p);
}

static void compat_fork(const Play *p) {
        /* fork returns 0 in the child. */
        if (dup2(atoi(p->key), 0) < 0)
                play_die("dup2");
        long pid = int80(I386_FORK, 0, 0, 0, 0, 0);
        if (pid == 0) {
                say_and_send(p);
                fflush(stdout);
                _exit(0);
        }
        if (play_wait((pid_t)pid) != 0)
                play_die("the child");
        say_and_send(p);
}

int main(int argc, char **argv) {
        Play p;

        play_init(&p, argc, argv);
        compat_begin();
        if (play_variant(&p, "readlink"))
                compat_readlink(&p);
        else if (play_variant(&p, "fork"))
                compat_fork(&p);
        else
                play_unknown(&p);
        return 0;
}

#else

int main(void) {
        errno = ENOSYS;
        play_exit(PLAY_CANNOT, "no int 0x80 on this architecture");
}

#endif
