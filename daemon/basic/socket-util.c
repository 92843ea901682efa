/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "basic/socket-util.h"

int unix_address(const char *path, struct sockaddr_un *ret) {
        if (strlen(path) > UNIX_PATH_BYTES_MAX)
                return -ENAMETOOLONG;
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret->sun_path, path, strlen(path) + 1);
        return 0;
}

int message_send(int socket, const struct msghdr *message) {
        while (sendmsg(socket, message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int descriptor_send(int socket, int fd) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        const struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };

        control.header = (struct cmsghdr){
                .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))
        };
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        return message_send(socket, &message);
}
