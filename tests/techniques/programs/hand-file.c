/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H05, G15: the secret is stored in a file for a while: written by every call, left by programs of the
 * system, moved and copied, written above an overlay and read below it or the reverse, and read by a process
 * that has nothing else in common with the writer.
 *
 * "late": 1.5 seconds later. "print:PROGRAM" redirects the standard output of a program to the file;
 * "create:PROGRAM" lets the program create the copy itself. */

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "cast.h"
#include "overlay.h"

#define RELAY "relay.file"
#define SECOND "relay.second"

static int opened = -1;
static const char *printer;

static int relay_open(int flags) {
        int fd = open(RELAY, flags | O_CLOEXEC, 0600);

        if (fd < 0)
                play_die("open " RELAY);
        return fd;
}

static void relay_make(void) {
        close(relay_open(O_CREAT | O_WRONLY));
}

static void relay_begin(void) {
        static const char begin[] = "what was there before\n";

        if (write(relay_open(O_CREAT | O_WRONLY), begin, strlen(begin)) < 0)
                play_die("write");
}

static void give(void) {
        secret_read();
        secret_write(relay_open(O_CREAT | O_WRONLY));
}

static void give_append(void) {
        secret_read();
        secret_write(relay_open(O_WRONLY | O_APPEND));
}

static void give_pwrite(void) {
        secret_read();
        if (pwrite(relay_open(O_CREAT | O_WRONLY), p.secret, p.n_secret, 0) != (ssize_t)p.n_secret)
                play_die("pwrite");
}

/* It writes to a descriptor that it had before it opened the secret. */
static void give_early(void) {
        int fd = relay_open(O_CREAT | O_WRONLY);

        secret_read();
        secret_write(fd);
}

static void secret_map(int fd) {
        void *memory;

        secret_read();
        if (ftruncate(fd, (off_t)p.n_secret) < 0)
                play_die("ftruncate");
        memory = mmap(NULL, p.n_secret, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                play_die("mmap");
        memcpy(memory, p.secret, p.n_secret);
        munmap(memory, p.n_secret);
}

static void give_mapped(void) {
        secret_map(relay_open(O_CREAT | O_RDWR));
}

static void give_sendfile(void) {
        if (sendfile(relay_open(O_CREAT | O_WRONLY), key_open(), NULL, PLAY_SECRET_MAX) <= 0)
                play_die("sendfile");
}

static void give_copied(void) {
        int key = key_open();

        if (copy_file_range(key, NULL, relay_open(O_CREAT | O_WRONLY), NULL, PLAY_SECRET_MAX, 0) <= 0)
                play_exit(errno == EXDEV || errno == EOPNOTSUPP ? PLAY_CANNOT : 1, "copy_file_range");
}

static void give_cloned(void) {
        if (ioctl(relay_open(O_CREAT | O_WRONLY), FICLONE, key_open()) < 0)
                play_exit(PLAY_CANNOT, "FICLONE");
}

static void give_renamed(void) {
        give();
        if (rename(RELAY, SECOND) < 0)
                play_die("rename");
}

static void give_linked(void) {
        give();
        if (link(RELAY, SECOND) < 0 || unlink(RELAY) < 0)
                play_die("link");
}

/* Written while the file has no name. */
static void give_nameless(void) {
        int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        char path[64];

        if (fd < 0)
                play_exit(PLAY_CANNOT, "O_TMPFILE");
        secret_read();
        secret_write(fd);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, path, AT_FDCWD, RELAY, AT_SYMLINK_FOLLOW) < 0)
                play_die("linkat");
}

static void give_cp(void) {
        actor_exec(-1, -1, "cp", p.key, RELAY, NULL);
}

static void give_tar(void) {
        actor_exec(-1, -1, "tar", "-cPf", RELAY, p.key, NULL);
}

static void give_gzip(void) {
        actor_exec(-1, relay_open(O_CREAT | O_WRONLY), "gzip", "-nc", p.key, NULL);
}

static void give_base64(void) {
        actor_exec(-1, relay_open(O_CREAT | O_WRONLY), "base64", "-w0", p.key, NULL);
}

static void print(void) {
        actor_exec(-1, relay_open(O_CREAT | O_WRONLY), printer, p.key, NULL);
}

static void create(void) {
        actor_exec(-1, -1, printer, p.key, RELAY, NULL);
}

/* In an overlay, whose layers are directories beside it. */
static void give_above(void) {
        secret_read();
        secret_write(overlay_open(OVERLAY_TREE, RELAY, O_CREAT | O_WRONLY));
}

static void give_above_mapped(void) {
        secret_map(overlay_open(OVERLAY_TREE, RELAY, O_CREAT | O_RDWR));
}

static void give_below(void) {
        secret_read();
        secret_write(overlay_open(OVERLAY_UPPER, RELAY, O_CREAT | O_WRONLY));
}

static void give_lowest(void) {
        secret_read();
        secret_write(overlay_open(OVERLAY_LOWER, RELAY, O_CREAT | O_WRONLY));
}

static void carry_cp(void) {
        actor_exec(-1, -1, "cp", RELAY, SECOND, NULL);
}

static void take(void) {
        play_read(&p, relay_open(O_RDONLY));
        play_send(&p);
}

static void take_above(void) {
        play_read(&p, overlay_open(OVERLAY_TREE, RELAY, O_RDONLY));
        play_send(&p);
}

static void take_below(void) {
        play_read(&p, overlay_open(OVERLAY_UPPER, RELAY, O_RDONLY));
        play_send(&p);
}

/* A change of its mode copies the file to the upper layer, before this process has read it. */
static void take_copied_up(void) {
        if (chmod(OVERLAY_TREE "/" RELAY, 0640) < 0)
                play_die("chmod");
        take_above();
}

static void take_second(void) {
        play_read(&p, open(SECOND, O_RDONLY | O_CLOEXEC));
        play_send(&p);
}

static void open_early(void) {
        opened = relay_open(O_RDONLY);
}

static void take_early(void) {
        play_read(&p, opened);
        play_send(&p);
}

static void take_mapped(void) {
        int fd = relay_open(O_RDONLY);
        struct stat st;
        void *memory;

        if (fstat(fd, &st) < 0)
                play_die("fstat");
        memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (memory == MAP_FAILED)
                play_die("mmap");
        p.n_secret = (size_t)st.st_size;
        memcpy(p.secret, memory, p.n_secret);
        play_send(&p);
}

static void take_sendfile(void) {
        struct sockaddr_storage address;
        socklen_t length = play_address(&p, &address);
        int fd = play_socket(&address, SOCK_STREAM), relay = relay_open(O_RDONLY);

        if (connect(fd, (struct sockaddr *)&address, length) < 0 ||
                        sendfile(fd, relay, NULL, PLAY_SECRET_MAX) <= 0)
                play_die("sendfile");
        play_deliver(&p, fd);
}

static const Scene scenes[] = {
        { "plain", "file", .give = give, .take = take },
        { "late", "file", .give = give, .take = take, .pause_ms = 1500, .mortal = true },
        { "dead", "file", .give = give, .take = take, .mortal = true },
        { "append", "file", .prepare = relay_begin, .give = give_append, .take = take },
        { "pwrite", "file", .give = give_pwrite, .take = take },
        { "written-early", "file", .give = give_early, .take = take },
        { "mapped", "file|memory", .give = give_mapped, .take = take },
        { "sendfile", "file", .give = give_sendfile, .take = take },
        { "copy-file-range", "file", .give = give_copied, .take = take },
        { "clone", "file", .give = give_cloned, .take = take },
        { "rename", "file", .give = give_renamed, .take = take_second },
        { "link", "file", .give = give_linked, .take = take_second },
        { "nameless", "file", .give = give_nameless, .take = take },
        { "overlay-above", "file", .prepare = overlay_mount, .give = give_above, .take = take_below },
        { "overlay-mapped", "file|memory", .prepare = overlay_mount, .give = give_above_mapped,
                        .take = take_below },
        { "overlay-below", "file", .prepare = overlay_mount, .give = give_below, .take = take_above },
        { "overlay-lowest", "file", .prepare = overlay_mount, .give = give_lowest, .take = take_above },
        { "overlay-copied-up", "file", .prepare = overlay_mount, .give = give_lowest,
                        .take = take_copied_up },
        { "cp", "file", .give = give_cp, .take = take, .give_comm = "cp" },
        { "cp-cp", "file", .give = give_cp, .carry = carry_cp, .take = take_second, .give_comm = "cp",
                        .carry_comm = "cp", .n_carriers = 1 },
        { "tar", "file", .give = give_tar, .take = take, .give_comm = "tar" },
        { "gzip", "file", .give = give_gzip, .take = take, .give_comm = "gzip" },
        { "base64", "file", .give = give_base64, .take = take, .give_comm = "base64" },
        { "opened-early", "file", .prepare = relay_make, .ready = open_early, .give = give,
                        .take = take_early },
        { "taken-mapped", "file", .give = give, .take = take_mapped },
        { "taken-sendfile", "file", .give = give, .take = take_sendfile },
        { "print", "file", .give = print, .take = take, .give_comm = "printer" },
        { "create", "file", .give = create, .take = take, .give_comm = "printer" },
        { .name = NULL },
};

int main(int argc, char **argv) {
        printer = cast_argument(argv[1]);
        return cast_play(scenes, argc, argv);
}
