/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Opens a secret, then sends datagrams on request: flooder FILE prints "opened" and reads lines
 *
 *   ADDRESS PORT N        one datagram to each of the ports PORT … PORT+N-1
 *   flood                 to new destinations, from 127.0.0.1:1024 on, as fast as it can, until it is killed
 *
 * and answers each with "done" (the second with "flooding") once it was carried out. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Lower ports may have listeners. */
#define FLOOD_FIRST_PORT 1024U
#define FLOOD_PORTS (65536U - FLOOD_FIRST_PORT)

static int datagram_send(int fd, unsigned address, unsigned port) {
        struct sockaddr_in to = {
                .sin_family = AF_INET,
                .sin_port = htons((unsigned short)port),
                .sin_addr.s_addr = htonl(address),
        };

        return sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1 ? 0 : -1;
}

int main(int argc, char **argv) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        char line[256];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
        if (argc != 2 || fd < 0 || open(argv[1], O_RDONLY | O_CLOEXEC) < 0) {
                perror(argc == 2 ? argv[1] : "usage: flooder FILE");
                return 2;
        }
        printf("opened\n");
        while (fgets(line, sizeof(line), stdin)) {
                unsigned port, count;
                struct in_addr address;
                char text[64];

                if (strcmp(line, "flood\n") == 0) {
                        printf("flooding\n");
                        for (unsigned i = 0;; i++)
                                /* With a full socket buffer this datagram is not sent, which does not
                                 * matter. */
                                (void)datagram_send(fd, INADDR_LOOPBACK + i / FLOOD_PORTS,
                                                FLOOD_FIRST_PORT + i % FLOOD_PORTS);
                }
                if (sscanf(line, "%63s %u %u", text, &port, &count) != 3 ||
                                inet_pton(AF_INET, text, &address) != 1)
                        return 2;
                for (unsigned i = 0; i < count; i++)
                        if (datagram_send(fd, ntohl(address.s_addr), port + i) < 0) {
                                perror("sendto");
                                return 1;
                        }
                printf("done\n");
        }
        return 0;
}
