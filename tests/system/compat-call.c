/* SPDX-License-Identifier: GPL-2.0-or-later */

/* i386 system calls from a 64-bit process whose numbers mean an open in the 64-bit table, and whose result
 * is then no descriptor: compat-call readlink|fork KEY_FD ADDRESS PORT. KEY_FD was opened before anybody
 * watched; it is put where the result points, so that taking the result for a descriptor is to take this
 * process for the key's thief. Prints the PID that then sends. */

#include "../techniques/play.h"

#ifdef __x86_64__

#include <signal.h>
#include <sys/mman.h>

#define I386_FORK 2      /* x86_64: open */
#define I386_READLINK 85 /* x86_64: creat */

static void on_no_int80(int signal) {
        (void)signal;
        _exit(PLAY_CANNOT);
}

static long int80(long number, long b, long c, long d) {
        long ret;

        __asm__ volatile("int $0x80"
                         : "=a"(ret)
                         : "a"(number), "b"(b), "c"(c), "d"(d)
                         : "memory", "r8", "r9", "r10", "r11");
        if ((int)ret < 0) {
                errno = -(int)ret;
                if (errno == ENOSYS)
                        play_exit(PLAY_CANNOT, "int 0x80");
                play_die("int 0x80, call %ld", number);
        }
        return (int)ret;
}

static void say_and_send(const Play *p) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address);
        int fd = play_socket(&address, SOCK_DGRAM);

        printf("%d\n", getpid());
        if (sendto(fd, "innocent", 8, 0, (struct sockaddr *)&address, length) != 8)
                play_die("sendto");
}

static void compat_readlink(const Play *p) {
        /* Pointers have 32 bits there. */
        char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        long length;

        if (low == MAP_FAILED)
                play_die("mmap below 4 GiB");
        strcpy(low, "/proc/self/exe");
        /* Once to no descriptor at all, once to the key's. */
        length = int80(I386_READLINK, (long)low, (long)(low + 1024), 3072);
        if (dup2(atoi(p->key), (int)length) < 0)
                play_die("dup2");
        int80(I386_READLINK, (long)low, (long)(low + 1024), 3072);
        say_and_send(p);
}

static void compat_fork(const Play *p) {
        /* The child is told 0. */
        if (dup2(atoi(p->key), 0) < 0)
                play_die("dup2");
        long pid = int80(I386_FORK, 0, 0, 0);
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
        signal(SIGSEGV, on_no_int80);
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
