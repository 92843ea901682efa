/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G03, G04, G05, G08, G13: the file is reached under another name or in another tree, its bytes are taken by
 * other calls than read, or it is opened before monitoring begins ("before-…": prints "ready" and continues
 * when a line arrives). Runs in a directory of its own. "at:PATH" opens a file that the test has put there.
 */

#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

#include "overlay.h"
#include "play.h"
#include "uring.h"

static Play p;
static char directory[4096], name[256];

static void must(int result, const char *what) {
        if (result < 0)
                play_die("%s (%s)", what, p.variant);
}

/* For a system call that a kernel or its configuration may lack. */
static void can(long result, const char *what) {
        if (result < 0)
                play_exit(PLAY_CANNOT, "%s", what);
}

static int open_at(const char *path) {
        return open(path, O_RDONLY | O_CLOEXEC);
}

static int open_in(const char *where) {
        char path[8192];

        snprintf(path, sizeof(path), "%s/%s", where, name);
        return open_at(path);
}

static int open_linked(void) {
        must(link(p.key, "alias"), "link");
        return open_at("alias");
}

/* linkat(2) takes the descriptor, and does not name the key. */
static int open_linked_by_descriptor(void) {
        int fd = open(p.key, O_PATH | O_CLOEXEC);

        must(fd, "open");
        must(linkat(fd, "", AT_FDCWD, "alias", AT_EMPTY_PATH), "linkat");
        return open_at("alias");
}

static int open_link_left(void) {
        must(link(p.key, "alias"), "link");
        must(unlink(p.key), "unlink");
        return open_at("alias");
}

static int open_renamed(void) {
        must(rename(p.key, "alias"), "rename");
        return open_at("alias");
}

/* To a name in the same directory that the class excludes. */
static int open_excluded(void) {
        char path[sizeof(directory) + 16];

        snprintf(path, sizeof(path), "%s/alias.pub", directory);
        must(rename(p.key, path), "rename");
        return open_at(path);
}

static int open_named_by_uring(unsigned operation) {
        struct io_uring_sqe sqe = { .opcode = operation,
                .fd = AT_FDCWD,
                .addr = (uintptr_t)p.key,
                .len = (unsigned)AT_FDCWD,
                .addr2 = (uintptr_t) "alias" };
        Uring ring;

        uring_open(&ring, false);
        uring_must(&ring, sqe);
        if (operation == IORING_OP_LINKAT)
                must(unlink(p.key), "unlink");
        return open_at("alias");
}

static int open_exchanged(void) {
        close(open("alias", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        can(syscall(SYS_renameat2, AT_FDCWD, p.key, AT_FDCWD, "alias", 2 /* RENAME_EXCHANGE */),
                        "renameat2");
        return open_at("alias");
}

static int open_directory_renamed(void) {
        must(rename(directory, "moved"), "rename");
        return open_in("moved");
}

static void mounts_unshare(int flags) {
        can(unshare(CLONE_NEWNS | flags), "unshare");
        must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
}

static int open_bound_directory(int flags) {
        mounts_unshare(flags);
        must(mkdir("tree", 0700), "mkdir");
        must(mount(directory, "tree", NULL, MS_BIND, NULL), "mount --bind");
        return open_in("tree");
}

static void file_bind(void) {
        mounts_unshare(0);
        close(open("alias", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        must(mount(p.key, "alias", NULL, MS_BIND, NULL), "mount --bind");
}

static int open_bound_file(void) {
        file_bind();
        return open_at("alias");
}

/* Renamed by way of a mount by which no class names it. */
static int open_renamed_bound(void) {
        mounts_unshare(0);
        must(mkdir("tree", 0700), "mkdir");
        must(mount(directory, "tree", NULL, MS_BIND, NULL), "mount --bind");
        must(chdir("tree"), "chdir");
        must(rename(name, "alias"), "rename");
        return open_at("alias");
}

/* The mount is of the file, and stays when its name is another. */
static int open_bound_renamed(void) {
        file_bind();
        must(rename(p.key, "moved"), "rename");
        return open_at("alias");
}

/* A copy of the mount that is not attached: no path leads from it to any root. */
static int open_detached(void) {
        int tree = (int)syscall(SYS_open_tree, AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        can(tree, "open_tree");
        return openat(tree, name, O_RDONLY | O_CLOEXEC);
}

static int open_in_chroot(void) {
        char path[300];

        must(chroot(directory), "chroot");
        must(chdir("/"), "chdir");
        snprintf(path, sizeof(path), "/%s", name);
        return open_at(path);
}

static int open_overlaid(const char *lower, const char *upper) {
        overlay_mount_at(NULL, lower, upper);
        return open_in(OVERLAY_TREE);
}

/* Before it is read, a change of its mode copies the file to the upper layer. Or that gets another name. */
static int open_copied_up(bool renamed) {
        char path[8192];

        overlay_mount_at(NULL, directory, NULL);
        snprintf(path, sizeof(path), OVERLAY_TREE "/%s", name);
        if (!renamed) {
                must(chmod(path, 0640), "chmod");
                return open_in(OVERLAY_TREE);
        }
        must(rename(path, OVERLAY_TREE "/alias"), "rename");
        return open_at(OVERLAY_TREE "/alias");
}

/* The key is in the upper or lower layer of an overlay, where it is of no class. It has one in the overlay,
 * which is mounted at `tree`. Another process opens it there with these flags. */
static int open_below(const char *tree, bool lower, int flags) {
        pid_t pid;

        overlay_mount_at(tree, lower ? directory : NULL, lower ? NULL : directory);
        pid = fork();
        if (pid == 0) {
                close(overlay_open(tree, name, flags));
                _exit(0);
        }
        if (pid < 0 || play_wait(pid) != 0)
                play_die("open in %s", tree);
        return open_at(p.key);
}

static int open_path_only(void) {
        char path[64];
        int fd = open(p.key, O_PATH | O_CLOEXEC);

        must(fd, "open");
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return open_at(path);
}

static int key_open(void) {
        if (strncmp(p.variant, "at:", 3) == 0)
                return open_at(p.variant + 3);
        if (play_variant(&p, "link"))
                return open_linked();
        if (play_variant(&p, "link-descriptor"))
                return open_linked_by_descriptor();
        if (play_variant(&p, "link-left"))
                return open_link_left();
        if (play_variant(&p, "link-uring"))
                return open_named_by_uring(IORING_OP_LINKAT);
        if (play_variant(&p, "rename"))
                return open_renamed();
        if (play_variant(&p, "rename-excluded"))
                return open_excluded();
        if (play_variant(&p, "rename-uring"))
                return open_named_by_uring(IORING_OP_RENAMEAT);
        if (play_variant(&p, "rename-bound"))
                return open_renamed_bound();
        if (play_variant(&p, "exchange"))
                return open_exchanged();
        if (play_variant(&p, "rename-directory"))
                return open_directory_renamed();
        if (play_variant(&p, "bind-directory"))
                return open_bound_directory(0);
        if (play_variant(&p, "user-bind"))
                return open_bound_directory(CLONE_NEWUSER);
        if (play_variant(&p, "bind-file"))
                return open_bound_file();
        if (play_variant(&p, "bind-renamed"))
                return open_bound_renamed();
        if (play_variant(&p, "detached"))
                return open_detached();
        if (play_variant(&p, "chroot"))
                return open_in_chroot();
        if (play_variant(&p, "overlay-lower"))
                return open_overlaid(directory, NULL);
        if (play_variant(&p, "overlay-upper"))
                return open_overlaid(NULL, directory);
        if (play_variant(&p, "overlay-copied-up"))
                return open_copied_up(false);
        if (play_variant(&p, "overlay-renamed"))
                return open_copied_up(true);
        if (strncmp(p.variant, "upper:", 6) == 0)
                return open_below(p.variant + 6, false, O_RDONLY);
        if (strncmp(p.variant, "written:", 8) == 0)
                return open_below(p.variant + 8, false, O_WRONLY);
        if (strncmp(p.variant, "lower:", 6) == 0)
                return open_below(p.variant + 6, true, O_RDONLY);
        if (play_variant(&p, "path-only"))
                return open_path_only();
        return open_at(p.key);
}

static void map_read(int fd) {
        struct stat st;
        void *at;

        must(fstat(fd, &st), "fstat");
        p.n_secret = (size_t)st.st_size;
        at = mmap(NULL, p.n_secret, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED)
                play_die("mmap");
        close(fd);
        memcpy(p.secret, at, p.n_secret);
}

static void copy_read(int fd) {
        int copy = open("copy", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

        if (copy_file_range(fd, NULL, copy, NULL, PLAY_SECRET_MAX, 0) <= 0)
                play_exit(errno == EXDEV ? PLAY_CANNOT : 1, "copy_file_range");
        must((int)lseek(copy, 0, SEEK_SET), "lseek");
        play_read(&p, copy);
}

/* The bytes are never in the memory of this process. */
static void send_pages(int fd, int pipe_in, int pipe_out) {
        struct sockaddr_storage address;
        socklen_t length = play_address(&p, &address);
        int to = play_socket(&address, SOCK_STREAM);
        ssize_t n;

        must(connect(to, (struct sockaddr *)&address, length), "connect");
        if (pipe_in < 0)
                n = sendfile(to, fd, NULL, PLAY_SECRET_MAX);
        else if (splice(fd, NULL, pipe_in, NULL, PLAY_SECRET_MAX, 0) <= 0)
                n = -1;
        else
                n = splice(pipe_out, NULL, to, NULL, PLAY_SECRET_MAX, 0);
        if (n <= 0)
                play_die("%s", p.variant);
        play_deliver(&p, to);
}

static void watch_begins(void) {
        char line[16];

        printf("ready\n");
        if (!fgets(line, sizeof(line), stdin))
                play_die("stdin");
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        int fd, pipes[2] = { -1, -1 };

        play_init(&p, argc, argv);
        snprintf(directory, sizeof(directory), "%s", p.key);
        snprintf(name, sizeof(name), "%s", strrchr(p.key, '/') + 1);
        *strrchr(directory, '/') = 0;

        if (play_variant(&p, "before-running"))
                watch_begins();
        /* While /proc is mounted at its usual place. */
        play_truth(&p, getpid(), parents);
        fd = key_open();
        must(fd, "open");
        if (play_variant(&p, "before-open"))
                watch_begins();
        if (play_variant(&p, "splice"))
                must(pipe2(pipes, O_CLOEXEC), "pipe");
        if (play_variant(&p, "sendfile") || play_variant(&p, "splice")) {
                send_pages(fd, pipes[1], pipes[0]);
                return 0;
        }
        if (play_variant(&p, "mmap") || play_variant(&p, "before-mapped"))
                map_read(fd);
        else if (play_variant(&p, "copy-file-range"))
                copy_read(fd);
        else
                /* Some variants keep it open. */
                play_read(&p, dup(fd));
        if (play_variant(&p, "before-read") || play_variant(&p, "before-mapped"))
                watch_begins();
        play_send(&p);
        return 0;
}
