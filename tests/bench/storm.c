/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A thief that connects to new destinations: storm FILE FIRST COUNT RATE opens FILE and connects a datagram
 * socket COUNT times, which sends nothing, RATE times a second (0: as fast as it can). Connect number n,
 * counted from FIRST, has the destination 127.x.y.z:p, see destination(). It prints "opened". For each line
 * on stdin it connects, and prints the duration in seconds; if COUNT is at most LATENCY_MAX also one line
 * "PORT MICROSECONDS" for each connect, with its time since the epoch. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT 1024U
#define PORTS 64000U
#define LATENCY_MAX 100000

static unsigned long long clock_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (unsigned long long)ts.tv_sec * 1000000ULL + (unsigned long long)ts.tv_nsec / 1000;
}

/* Sleeps, since spinning would take the core from the daemon. */
static void usec_await(unsigned long long usec) {
        const struct timespec until = {
                .tv_sec = (time_t)(usec / 1000000),
                .tv_nsec = (long)(usec % 1000000 * 1000),
        };

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* 127.0.0.0/8 is exhausted after a thousand million. */
static struct sockaddr_in destination(unsigned n) {
        return (struct sockaddr_in){
                .sin_family = AF_INET,
                .sin_port = htons((unsigned short)(FIRST_PORT + n % PORTS)),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + n / PORTS),
        };
}

int main(int argc, char **argv) {
        static unsigned long long done[LATENCY_MAX];
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        unsigned first, count, rate;
        char line[16];

        if (argc != 5 || fd < 0 || open(argv[1], O_RDONLY | O_CLOEXEC) < 0) {
                perror(argc == 5 ? argv[1] : "usage: storm FILE FIRST COUNT RATE");
                return 2;
        }
        first = (unsigned)atoi(argv[2]);
        count = (unsigned)atoi(argv[3]);
        rate = (unsigned)atoi(argv[4]);
        prctl(PR_SET_TIMERSLACK, 1);
        printf("opened\n");
        fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                unsigned long long begin = clock_usec(CLOCK_MONOTONIC);

                for (unsigned i = 0; i < count; i++) {
                        struct sockaddr_in to = destination(first + i);

                        if (rate)
                                usec_await(begin + i * 1000000ULL / rate);
                        if (i < LATENCY_MAX)
                                done[i] = clock_usec(CLOCK_REALTIME);
                        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
                                perror("connect");
                                return 1;
                        }
                }
                printf("%.6f\n", (double)(clock_usec(CLOCK_MONOTONIC) - begin) / 1e6);
                for (unsigned i = 0; i < count && count <= LATENCY_MAX; i++)
                        printf("%u %llu\n", FIRST_PORT + (first + i) % PORTS, done[i]);
                printf("done\n");
                fflush(stdout);
                first += count;
        }
        return 0;
}
