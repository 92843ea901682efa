/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G01, G06: the key is opened by every system call that opens a file. */

#include <linux/openat2.h>
#include <signal.h>
#include <sys/mman.h>

#include "play.h"

static int open_by_openat2(const char *path) {
        struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };

        return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static int open_by_handle(const char *path) {
        union {
                struct file_handle handle;
                char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
        } h = { .handle.handle_bytes = MAX_HANDLE_SZ };
        char directory[4096];
        int mount_id, mount_fd, fd;

        if (name_to_handle_at(AT_FDCWD, path, &h.handle, &mount_id, 0) < 0)
                play_exit(PLAY_CANNOT, "name_to_handle_at");
        /* Any descriptor on the same file system will do; that of the directory is not one of the key. */
        snprintf(directory, sizeof(directory), "%s", path);
        *strrchr(directory, '/') = 0;
        mount_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mount_fd < 0)
                play_die("open %s", directory);
        fd = open_by_handle_at(mount_fd, &h.handle, O_RDONLY | O_CLOEXEC);
        close(mount_fd);
        return fd;
}

#ifdef __x86_64__
static void on_no_int80(int signal) {
        (void)signal;
        _exit(PLAY_CANNOT);
}

/* The i386 entry from a 64-bit process: number 5 is open there, and pointers have 32 bits. */
static int open_by_int80(const char *path) {
        size_t size = strlen(path) + 1;
        char *low = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        long ret;

        if (low == MAP_FAILED)
                play_die("mmap below 4 GiB");
        memcpy(low, path, size);
        signal(SIGSEGV, on_no_int80);
        __asm__ volatile("int $0x80"
                         : "=a"(ret)
                         : "a"(5L), "b"(low), "c"((long)O_RDONLY), "d"(0L)
                         : "memory", "r8", "r9", "r10", "r11");
        signal(SIGSEGV, SIG_DFL);
        if ((int)ret < 0) {
                errno = -(int)ret;
                if (errno == ENOSYS)
                        play_exit(PLAY_CANNOT, "int 0x80");
                return -1;
        }
        return (int)ret;
}
#endif

int main(int argc, char **argv) {
        Play p;
        int fd;

        play_init(&p, argc, argv);
        if (play_variant(&p, "open"))
#ifdef SYS_open
                fd = (int)syscall(SYS_open, p.key, O_RDONLY, 0);
#else
                play_exit(PLAY_CANNOT, "no open(2) on this architecture");
#endif
        else if (play_variant(&p, "creat"))
                /* Like creat(2), but readable: it must not truncate the decoy. */
                fd = open(p.key, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        else if (play_variant(&p, "openat"))
                fd = (int)syscall(SYS_openat, AT_FDCWD, p.key, O_RDONLY | O_CLOEXEC, 0);
        else if (play_variant(&p, "openat2"))
                fd = open_by_openat2(p.key);
        else if (play_variant(&p, "handle"))
                fd = open_by_handle(p.key);
        else if (play_variant(&p, "int80"))
#ifdef __x86_64__
                fd = open_by_int80(p.key);
#else
                play_exit(PLAY_CANNOT, "no int 0x80 on this architecture");
#endif
        else
                play_unknown(&p);
        play_steal(&p, fd);
        return 0;
}
