/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What one operation costs, in nanoseconds: bench SECONDS SHORT_PATH DEEP_PATH. Prints one line "OPERATION
 * NS" per operation: the median over batches, so that what else the machine does in between does not count.
 * */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Long enough that reading the clock does not show, short enough that most batches see no timer tick. */
#define BATCH 64
#define BATCHES_MAX 200000

static const char *short_path, *deep_path;
static int udp_fd, listen_fd;
static struct sockaddr_in udp_address = {.sin_family = AF_INET}, tcp_address = {.sin_family = AF_INET};

static void die(const char *what) {
        perror(what);
        exit(1);
}

static unsigned long long now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (unsigned long long)ts.tv_sec * 1000000000ULL + (unsigned long long)ts.tv_nsec;
}

static void path_open(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                die(path);
        close(fd);
}

static void open_short(void) {
        path_open(short_path);
}

static void open_deep(void) {
        path_open(deep_path);
}

static void connect_udp(void) {
        if (connect(udp_fd, (struct sockaddr *)&udp_address, sizeof(udp_address)) < 0)
                die("connect (UDP)");
}

/* With a reset instead of TIME_WAIT, or the ports would run out. */
static void connect_tcp(void) {
        struct linger linger = {.l_onoff = 1};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

        if (fd < 0 || connect(fd, (struct sockaddr *)&tcp_address, sizeof(tcp_address)) < 0)
                die("connect (TCP)");
        peer = accept(listen_fd, NULL, NULL);
        if (peer < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
                die("accept");
        close(fd);
        close(peer);
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void operation_measure(const char *name, void (*operation)(void), double seconds) {
        static double batches[BATCHES_MAX];
        unsigned long long end = now() + (unsigned long long)(seconds * 1e9);
        size_t n = 0;

        do {
                unsigned long long begin = now();

                for (int i = 0; i < BATCH; i++)
                        operation();
                batches[n++] = (double)(now() - begin) / BATCH;
        } while (n < BATCHES_MAX && now() < end);
        qsort(batches, n, sizeof(double), compare);
        printf("%s %.1f\n", name, batches[n / 2]);
}

static int loopback_socket(int type, struct sockaddr_in *ret_address) {
        socklen_t length = sizeof(*ret_address);
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

        ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, length) < 0 ||
                        getsockname(fd, (struct sockaddr *)ret_address, &length) < 0)
                die("loopback socket");
        return fd;
}

/* Always the same core, the last one: caches stay warm, and rounds compare. */
static void cpu_pin(void) {
        cpu_set_t allowed, one;

        if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
                die("sched_getaffinity");
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
                if (CPU_ISSET(cpu, &allowed)) {
                        CPU_ZERO(&one);
                        CPU_SET(cpu, &one);
                        if (sched_setaffinity(0, sizeof(one), &one) < 0)
                                die("sched_setaffinity");
                        return;
                }
}

int main(int argc, char **argv) {
        double seconds;

        if (argc != 4) {
                fprintf(stderr, "usage: %s SECONDS SHORT_PATH DEEP_PATH\n", argv[0]);
                return 2;
        }
        seconds = atof(argv[1]);
        short_path = argv[2];
        deep_path = argv[3];
        cpu_pin();
        /* Something listens there, or errors of earlier connects would come back. */
        loopback_socket(SOCK_DGRAM, &udp_address);
        udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        listen_fd = loopback_socket(SOCK_STREAM, &tcp_address);
        if (udp_fd < 0 || listen(listen_fd, 16) < 0)
                die("listen");

        operation_measure("open-close-short", open_short, seconds);
        operation_measure("open-close-deep", open_deep, seconds);
        operation_measure("connect-udp", connect_udp, seconds);
        operation_measure("connect-tcp", connect_tcp, seconds);
        return 0;
}
