/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "hook-proof.h"
#include "util.h"

int act_open(void) {
        _cleanup_close_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : 0;
}

int act_pass_descriptor(void) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        char byte = 0;
        struct iovec data = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        _cleanup_close_ int from = pair[0], to = pair[1], received = -1;

        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.header), &from, sizeof(from));
        if (sendmsg(from, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                return -errno;
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
        char *ring = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
        struct io_uring_sqe *entry = mmap(NULL, n_entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
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
        /* How much of it is shown depends on whether we might trace it: the kernel asks. */
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
