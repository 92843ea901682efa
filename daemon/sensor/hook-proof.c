/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "sensor/hook-proof.h"
#include "basic/socket-util.h"
#include "basic/util.h"

int act_open(void) {
        _cleanup_close_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : 0;
}

int act_pass_descriptor(void) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct msghdr m = { .msg_control = &control, .msg_controllen = sizeof(control) };
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        _cleanup_close_ int from = pair[0], to = pair[1], received = -1;

        int r = descriptor_send(from, from);
        if (r < 0)
                return r;
        if (recvmsg(to, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
                return -errno;
        if (m.msg_controllen >= CMSG_LEN(sizeof(int)))
                memcpy(&received, CMSG_DATA(&control.header), sizeof(received));
        return received < 0 ? -EBADMSG : 0;
}

int act_map(void) {
        size_t page = sysconf(_SC_PAGESIZE);

        void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return -errno;
        int r = mprotect(p, page, PROT_READ) < 0 ? -errno : 0;
        munmap(p, page);
        return r;
}

/* The times of memory are fine-grained since 6.13: asked for, the next one is another; soon after that it is
 * the same. Those of pipes are not. */
int act_time(void) {
        _cleanup_close_ int fd = memfd_create("bw-proof", MFD_CLOEXEC);
        struct stat st;
        int end[2];

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        for (int size = 1; size <= 8; size++)
                if (ftruncate(fd, size) < 0)
                        return -errno;
        if (pipe2(end, O_CLOEXEC) < 0)
                return -errno;
        closep(&end[0]);
        closep(&end[1]);
        return 0;
}

int act_connect(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t length = sizeof(address.sun_family); /* unix(7): autobind */
        _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        _cleanup_close_ int connecting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (listening < 0 || connecting < 0 || bind(listening, (struct sockaddr *)&address, length) < 0)
                return -errno;
        length = sizeof(address);
        if (getsockname(listening, (struct sockaddr *)&address, &length) < 0 || listen(listening, 1) < 0 ||
                        connect(connecting, (struct sockaddr *)&address, length) < 0)
                return -errno;
        _cleanup_close_ int accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        return accepted < 0 ? -errno : 0;
}

int act_uring(void) {
        struct io_uring_params p = {};
        _cleanup_close_ int fd = syscall(__NR_io_uring_setup, 1, &p);

        if (fd < 0)
                return -errno;
        size_t n = p.sq_off.array + sizeof(uint32_t), n_entries = sizeof(struct io_uring_sqe);
        char *ring = mmap(
                        NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
        struct io_uring_sqe *entry = mmap(NULL, n_entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        fd, IORING_OFF_SQES);
        int r = -ENOMEM;

        if (ring != MAP_FAILED && entry != MAP_FAILED) {
                *entry = (struct io_uring_sqe){ .opcode = IORING_OP_NOP };
                *(uint32_t *)(ring + p.sq_off.array) = 0;
                __atomic_store_n((uint32_t *)(ring + p.sq_off.tail), 1, __ATOMIC_RELEASE);
                r = syscall(__NR_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 ? -errno : 0;
        }
        if (ring != MAP_FAILED)
                munmap(ring, n);
        if (entry != MAP_FAILED)
                munmap(entry, n_entries);
        return r;
}

int act_child(void) {
        char path[64], text[256];
        int end[2], r = 0;

        if (pipe2(end, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_close_ int wait_end = end[0], hold_end = end[1];
        pid_t child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                close(hold_end);
                (void)!read(wait_end, text, 1); /* until our parent closes its end */
                _exit(0);
        }
        /* The kernel checks ptrace access before it shows this file. */
        snprintf(path, sizeof(path), "/proc/%d/stat", child);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
                r = errno ? -errno : -EIO;
        closep(&hold_end);
        hold_end = -1;
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}
