/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G10, G11: the taker does not open the file. It gets the descriptor of a process that did: over a unix
 * socket, by pidfd_getfd(2), or in a shared table of descriptors ("files"); or from the kernel, in a
 * fanotify event ("watch").
 *
 * "scm:PROGRAM", "multishot:PROGRAM", "pidfd:PROGRAM": PROGRAM, a copy of this one, opens the file. If the
 * policy allows it to, only the taker is marked. */

#include <linux/sched.h>
#include <sys/fanotify.h>
#include <sys/uio.h>

#include "cast.h"
#include "uring.h"

static int pair[2];
static const char *opener;

static void pair_prepare(void) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void give_passed(void) {
        if (opener)
                actor_exec(-1, pair[1], opener, "pass", p.key, NULL);
        play_pass(pair[1], key_open());
}

static void give_held(void) {
        if (opener)
                actor_exec(-1, -1, opener, "hold", p.key, NULL);
        if (dup2(key_open(), CAST_FD) < 0)
                play_die("dup2");
}

static void take_passed(void) {
        play_read(&p, play_receive(pair[0]));
        play_send(&p);
}

/* By one request of io_uring that receives again and again, each time into a buffer that was provided. */
static void take_multishot(void) {
        struct msghdr message = { .msg_controllen = CMSG_SPACE(sizeof(int)) };
        struct io_uring_recvmsg_out out;
        struct cmsghdr control;
        Uring u;
        int fd;

        uring_open(&u, false);
        (void)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_PROVIDE_BUFFERS,
                                             .fd = 1, /* buffer */
                                             .len = sizeof(p.secret),
                                             .addr = (uintptr_t)p.secret,
                                             .buf_group = 1 });
        (void)uring_must(&u, (struct io_uring_sqe){ .opcode = IORING_OP_RECVMSG,
                                             .ioprio = IORING_RECV_MULTISHOT,
                                             .fd = pair[0],
                                             .len = 1,
                                             .addr = (uintptr_t)&message,
                                             .flags = IOSQE_BUFFER_SELECT,
                                             .buf_group = 1 });
        memcpy(&out, p.secret, sizeof(out));
        memcpy(&control, p.secret + sizeof(out), sizeof(control));
        if (out.controllen < CMSG_LEN(sizeof(fd)) || control.cmsg_type != SCM_RIGHTS)
                play_die("no descriptor came");
        memcpy(&fd, p.secret + sizeof(out) + CMSG_LEN(0), sizeof(fd));
        play_read(&p, fd);
        play_send(&p);
}

static void take_pidfd(void) {
        int pidfd = (int)syscall(SYS_pidfd_open, cast.other, 0);
        int fd = pidfd >= 0 ? (int)syscall(SYS_pidfd_getfd, pidfd, CAST_FD, 0) : -1;

        if (fd < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "pidfd_getfd");
        play_read(&p, fd);
        play_send(&p);
}

static int watch;

static void watch_make(void) {
        watch = fanotify_init(FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
        if (watch < 0 || fanotify_mark(watch, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, p.key) < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "fanotify");
}

static void take_watched(void) {
        struct fanotify_event_metadata event;

        if (read(watch, &event, sizeof(event)) != sizeof(event))
                play_die("read");
        play_read(&p, event.fd);
        play_send(&p);
}

/* By readv(2), for which the first of two buffers is enough. */
static void take_watched_parts(void) {
        struct fanotify_event_metadata events[2];
        struct iovec parts[] = { { &events[0], sizeof(events[0]) + 1 }, { &events[1], sizeof(events[1]) } };

        if (readv(watch, parts, 2) != sizeof(events[0]))
                play_die("readv");
        play_read(&p, events[0].fd);
        play_send(&p);
}

static const Scene scenes[] = {
        { "scm", "received|socket", .prepare = pair_prepare, .give = give_passed, .take = take_passed,
                        .own = true },
        { "multishot", "received|socket", .prepare = pair_prepare, .give = give_passed,
                        .take = take_multishot, .own = true },
        { "pidfd", "received|trace", .give = give_held, .take = take_pidfd, .own = true },
        { "proc-fd", "open|trace", .give = give_held, .take = cast_take_other, .own = true },
        { "watch", "open", .ready = watch_make, .give = give_held, .take = take_watched, .own = true },
        { "watch-parts", "open", .ready = watch_make, .give = give_held, .take = take_watched_parts,
                        .own = true },
        { .name = NULL },
};

/* The program that "scm:" and "pidfd:" name. */
static int be_opener(const char *how, const char *key) {
        p.key = key;
        if (strcmp(how, "pass") == 0) {
                play_pass(STDOUT_FILENO, key_open());
                return 0;
        }
        if (dup2(key_open(), CAST_FD) < 0)
                play_die("dup2");
        cast_hold();
        return 0;
}

static void take_shared(void) {
        play_read(&p, CAST_FD);
        play_send(&p);
}

static int play_files(void) {
        pid_t lineage[] = { getpid(), getppid(), 0 }, child = cast_clone(CLONE_FILES, take_shared);

        play_tell(&p, child, child, child, lineage, "received|memory", "");
        if (dup2(key_open(), CAST_FD) < 0 || kill(child, SIGUSR1) < 0)
                play_die("kill");
        return play_wait(child);
}

int main(int argc, char **argv) {
        if (argc == 3)
                return be_opener(argv[1], argv[2]);
        if (argc == 5 && strcmp(argv[1], "files") == 0) {
                play_init(&p, argc, argv);
                return play_files();
        }
        opener = cast_argument(argv[1]);
        return cast_play(scenes, argc, argv);
}
