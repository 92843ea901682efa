/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The key is opened by its handle when the kernel has dropped its name from the cache, so that no path leads
 * up from the open file: cold-handle cold KEY ADDRESS PORT. KEY must be at least two directories below one
 * that stays in use, and not on tmpfs, which never drops names. */

#include "../techniques/programs/play.h"

/* The cache spares recently used entries once, and those that another core uses at the moment again. */
#define DROPS_MAX 20
#define DROP_PAUSE_USEC 20000

static void caches_drop(void) {
        int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "2", 1) != 1)
                play_exit(PLAY_CANNOT, "drop_caches");
        close(fd);
}

/* Whether the descriptor has no path any more. A file without a known parent is shown as "/". */
static int is_forgotten(int fd) {
        char link[64], path[4096];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path));
        return n >= 1 && memchr(path + 1, '/', (size_t)n - 1) == NULL;
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        union {
                struct file_handle handle;
                char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
        } h = { .handle.handle_bytes = MAX_HANDLE_SZ };
        char directory[4096];
        int mount_id, mount_fd;
        Play p;

        play_init(&p, argc, argv);
        if (name_to_handle_at(AT_FDCWD, p.key, &h.handle, &mount_id, 0) < 0)
                play_exit(PLAY_CANNOT, "name_to_handle_at");
        snprintf(directory, sizeof(directory), "%s", p.key);
        for (int i = 0; i < 3; i++)
                *strrchr(directory, '/') = 0;
        mount_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mount_fd < 0)
                play_die("open %s", directory);
        sync();
        for (int i = 0; i < DROPS_MAX; i++) {
                int fd;

                caches_drop();
                fd = open_by_handle_at(mount_fd, &h.handle, O_PATH | O_CLOEXEC);
                if (fd < 0)
                        play_die("open_by_handle_at");
                if (is_forgotten(fd)) {
                        close(fd);
                        play_read(&p, open_by_handle_at(mount_fd, &h.handle, O_RDONLY | O_CLOEXEC));
                        play_truth(&p, getpid(), parents);
                        play_send(&p);
                        return 0;
                }
                close(fd);
                usleep(DROP_PAUSE_USEC);
        }
        errno = EBUSY;
        play_exit(PLAY_CANNOT, "the kernel does not forget %s", p.key);
}
