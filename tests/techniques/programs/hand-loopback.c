/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H10: the secret goes through internet sockets of this host: TCP, also multipath, and UDP, on IPv4 and
 * IPv6, to a process that accepts the connection or that connects itself, from one that waited for it, and
 * on. */

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/sendfile.h>

#include "cast.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct sockaddr_storage server;
static socklen_t server_size;
static int listening = -1, connected = -1, accepted = -1, second = -1, passage[2];

static int socket_make(const char *address, int type, int protocol, struct sockaddr_storage *ret) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof(*ret));
        server_size = sizeof(*in6);
        if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
                in6->sin6_family = AF_INET6;
        } else {
                in->sin_family = AF_INET;
                inet_pton(AF_INET, address, &in->sin_addr);
                server_size = sizeof(*in);
        }
        int fd = socket(ret->ss_family, type | SOCK_CLOEXEC, protocol);
        if (fd < 0)
                play_exit(PLAY_CANNOT, "socket for %s", address);
        if (bind(fd, (struct sockaddr *)ret, server_size) < 0 ||
                        getsockname(fd, (struct sockaddr *)ret, &server_size) < 0)
                play_exit(PLAY_CANNOT, "bind to %s", address);
        return fd;
}

static void listen_at(const char *address, int protocol) {
        listening = socket_make(address, SOCK_STREAM, protocol, &server);
        if (listen(listening, 8) < 0)
                play_die("listen");
}

static void listen4(void) {
        listen_at("127.0.0.1", 0);
}

static void listen6(void) {
        listen_at("::1", 0);
}

static void listen_multipath(void) {
        listen_at("127.0.0.1", IPPROTO_MPTCP);
}

/* The address of an interface, as the program's own side of a connection has it. */
static void listen_own(void) {
        struct sockaddr_storage to;
        socklen_t length = play_address(&p, &to);
        int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        char text[INET_ADDRSTRLEN];

        if (connect(fd, (struct sockaddr *)&to, length) < 0 ||
                        getsockname(fd, (struct sockaddr *)&to, &length) < 0)
                play_die("the own address");
        close(fd);
        inet_ntop(AF_INET, &((struct sockaddr_in *)&to)->sin_addr, text, sizeof(text));
        listen_at(text, 0);
}

static void datagram_at(const char *address) {
        listening = socket_make(address, SOCK_DGRAM, 0, &server);
}

static void datagram4(void) {
        datagram_at("127.0.0.1");
}

static void datagram6(void) {
        datagram_at("::1");
}

static int reach(int type, int protocol) {
        int fd = socket(server.ss_family, type | SOCK_CLOEXEC, protocol);

        if (fd < 0 || connect(fd, (struct sockaddr *)&server, server_size) < 0)
                play_die("connect on this host");
        return fd;
}

static void pair_early(void) {
        listen4();
        connected = reach(SOCK_STREAM, 0);
        accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
}

/* A socket that is connected to itself. */
static void self_early(void) {
        connected = socket_make("127.0.0.1", SOCK_STREAM, 0, &server);
        if (connect(connected, (struct sockaddr *)&server, server_size) < 0)
                play_die("connect to itself");
        accepted = connected;
}

static void give_client(void) {
        secret_read();
        secret_write(reach(SOCK_STREAM, 0));
}

static void give_multipath(void) {
        secret_read();
        secret_write(reach(SOCK_STREAM, IPPROTO_MPTCP));
}

static void give_early(void) {
        secret_read();
        secret_write(connected);
}

static void give_sendfile(void) {
        if (sendfile(connected, key_open(), NULL, PLAY_SECRET_MAX) <= 0)
                play_die("sendfile");
}

static void give_sendmsg(void) {
        struct iovec data;
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

        secret_read();
        data = (struct iovec){ p.secret, p.n_secret };
        if (sendmsg(connected, &message, 0) != (ssize_t)p.n_secret)
                play_die("sendmsg");
}

static void give_served(void) {
        secret_read();
        actor_done();
        secret_write(accept4(listening, NULL, NULL, SOCK_CLOEXEC));
}

static void give_datagram(void) {
        secret_read();
        secret_write(reach(SOCK_DGRAM, 0));
}

static void give_sendto(void) {
        secret_send_to(&server, server_size, false);
}

static void give_message_to(void) {
        secret_send_to(&server, server_size, true);
}

static void take_accepted(void) {
        play_read(&p, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
        play_send(&p);
}

static void take_early(void) {
        play_read(&p, accepted);
        play_send(&p);
}

static void take_message(void) {
        struct iovec data = { p.secret, sizeof(p.secret) };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
        ssize_t n = recvmsg(accepted, &message, 0);

        if (n <= 0)
                play_die("recvmsg");
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void take_served(void) {
        play_read(&p, reach(SOCK_STREAM, 0));
        play_send(&p);
}

static void take_client(void) {
        play_read(&p, connected);
        play_send(&p);
}

static void take_datagram(void) {
        ssize_t n = recv(listening, p.secret, sizeof(p.secret), 0);

        if (n <= 0)
                play_die("recv");
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void give_splice(void) {
        int pages[2];

        if (pipe2(pages, O_CLOEXEC) < 0 ||
                        splice(key_open(), NULL, pages[1], NULL, PLAY_SECRET_MAX, 0) <= 0 ||
                        splice(pages[0], NULL, connected, NULL, PLAY_SECRET_MAX, 0) <= 0)
                play_die("splice");
}

static void take_splice(void) {
        int pages[2];

        if (pipe2(pages, O_CLOEXEC) < 0 || splice(accepted, NULL, pages[1], NULL, PLAY_SECRET_MAX, 0) <= 0)
                play_die("splice");
        play_read(&p, pages[0]);
        play_send(&p);
}

/* ---- packets of others ---- */

#define HEADERS 28 /* of IP, and of UDP or ICMP */

static void sniff_prepare(void) {
        struct sockaddr_ll on = { .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_IP),
                .sll_ifindex = (int)if_nametoindex("lo") };

        accepted = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
        if (accepted < 0 || bind(accepted, (struct sockaddr *)&on, sizeof(on)) < 0)
                play_die("a packet socket");
        datagram4();
}

static void echo_prepare(void) {
        accepted = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
        if (accepted < 0)
                play_die("a raw socket");
}

static void echo_give(void) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
        char packet[8 + PLAY_SECRET_MAX] = { 8 }; /* a request without a checksum reaches raw sockets, too */

        secret_read();
        memcpy(packet + 8, p.secret, p.n_secret);
        if (sendto(fd, packet, 8 + p.n_secret, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
                play_die("an echo request");
}

static void sniff_take(void) {
        char packet[HEADERS + PLAY_SECRET_MAX];
        ssize_t n = recv(accepted, packet, sizeof(packet), 0);

        if (n <= HEADERS)
                play_die("no packet");
        p.n_secret = (size_t)n - HEADERS;
        memcpy(p.secret, packet + HEADERS, p.n_secret);
        play_send(&p);
}

/* A relay: it gets the secret from one, and sends it to the other. */
static void relay_prepare(void) {
        struct sockaddr_storage first;

        listen4();
        second = listening;
        first = server;
        listen4();
        connected = reach(SOCK_STREAM, 0); /* from the relay to the taker */
        accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        server = first;
        listening = second;
}

static void relay_carry(void) {
        play_read(&p, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
        secret_write(connected);
}

/* A server that many use: what one client has sent it, it does not give to the others. */
static void server_carry(void) {
        int first = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

        play_read(&p, first);
        if (write(accepted, "an answer\n", 10) != 10)
                play_die("write to the other client");
}

static void client_take(void) {
        char answer[16];

        if (read(connected, answer, sizeof(answer)) <= 0)
                play_die("no answer");
        play_send_nothing(&p);
}

/* A server that was sent it, and got it by a pipe, too: it is a thief's, and may serve it. */
static void both_prepare(void) {
        pair_early();
        if (pipe2(passage, O_CLOEXEC) < 0)
                play_die("pipe2");
}

static void both_give(void) {
        secret_read();
        int fd = reach(SOCK_STREAM, 0);
        if (write(fd, p.secret, p.n_secret) != (ssize_t)p.n_secret)
                play_die("write to the server");
        secret_write(passage[1]);
}

static void both_carry(void) {
        play_read(&p, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
        play_read(&p, passage[0]);
        secret_write(accepted);
}

static const Scene scenes[] = {
        { "tcp4", "loopback", .prepare = listen4, .give = give_client, .take = take_accepted },
        { "tcp6", "loopback", .prepare = listen6, .give = give_client, .take = take_accepted },
        { "tcp-own", "loopback", .prepare = listen_own, .give = give_client, .take = take_accepted },
        { "tcp-dead", "loopback", .prepare = listen4, .give = give_client, .take = take_accepted,
                        .mortal = true },
        { "tcp-multipath", "loopback", .prepare = listen_multipath, .give = give_multipath,
                        .take = take_accepted },
        { "tcp-served", "loopback", .prepare = listen4, .give = give_served, .take = take_served },
        { "tcp-self", "loopback", .prepare = self_early, .give = give_early, .take = take_early },
        { "tcp-early", "loopback", .prepare = pair_early, .give = give_early, .take = take_early,
                        .blocked = SYS_read },
        { "tcp-message", "loopback", .prepare = pair_early, .give = give_sendmsg, .take = take_message,
                        .blocked = SYS_recvmsg },
        { "tcp-sendfile", "loopback", .prepare = pair_early, .give = give_sendfile, .take = take_early },
        { "tcp-splice", "loopback|pipe", .prepare = pair_early, .give = give_splice, .take = take_splice },
        { "udp-sniffed", "loopback", .prepare = sniff_prepare, .give = give_sendto, .take = sniff_take },
        { "echo", "loopback", .prepare = echo_prepare, .give = echo_give, .take = sniff_take },
        { "tcp-relay", "loopback", .prepare = relay_prepare, .give = give_client, .carry = relay_carry,
                        .take = take_early, .n_carriers = 1 },
        { "tcp-both", "loopback", .prepare = both_prepare, .give = both_give, .carry = both_carry,
                        .take = take_client, .n_carriers = 1 },
        { "udp4", "loopback", .prepare = datagram4, .give = give_datagram, .take = take_datagram },
        { "udp6", "loopback", .prepare = datagram6, .give = give_datagram, .take = take_datagram,
                        .blocked = SYS_recvfrom },
        { "udp-sendto", "loopback", .prepare = datagram4, .give = give_sendto, .take = take_datagram },
        { "udp-sendto6", "loopback", .prepare = datagram6, .give = give_sendto, .take = take_datagram },
        { "udp-sendmsg", "loopback", .prepare = datagram4, .give = give_message_to, .take = take_datagram },
        { "nothing", "loopback", .prepare = pair_early, .give = give_client, .carry = server_carry,
                        .take = client_take, .n_carriers = 1 },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
