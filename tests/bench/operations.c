/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The time of operations: operations SECONDS SHORT_PATH DIRECTORY OPERATION... prints one line "OPERATION
 * NS" for each: the median over batches, which excludes other activity of the machine. DIRECTORY contains
 * the other files, see scene.py. "operations list" prints the names of the operations. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "operations.h"

/* Long enough to hide the cost of reading the clock, short enough that most batches have no timer tick. */
#define BATCH 64
#define BATCH_OF_PROCESSES 4
#define BATCHES_MAX 200000
#define BOUND 300 /* bound marks of other processes */
#define PATH_SIZE 256
#define FIRST_SIZE (PATH_SIZE + sizeof("/a-file-4294967295"))

static const char *short_path;
static int udp_fd, udp_sink_fd, listen_fd, tcp_fd, tcp_sink_fd, pipe_fds[2];
static struct sockaddr_in udp_address = { .sin_family = AF_INET }, tcp_address = { .sin_family = AF_INET };

static void do_open_short(const char *path) {
        (void)path;
        open_close(short_path);
}

static void first_path(const char *directory, unsigned n, char ret[static FIRST_SIZE]) {
        snprintf(ret, FIRST_SIZE, "%s/a-file-%u", directory, n % BATCH);
}

/* New files, which nobody has opened: mknod(2) does not. */
static void files_renew(const char *directory) {
        char path[FIRST_SIZE];

        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                die(directory);
        for (unsigned i = 0; i < BATCH; i++) {
                first_path(directory, i, path);
                if ((unlink(path) < 0 && errno != ENOENT) || mknod(path, S_IFREG | 0644, 0) < 0)
                        die(path);
        }
}

static void do_open_first(const char *directory) {
        static unsigned n;
        char path[FIRST_SIZE];

        first_path(directory, n++, path);
        open_close(path);
}

static void do_nothing(const char *path) {
        (void)path;
        no_op();
}

static void do_stat(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                die(path);
}

static void do_open_missing(const char *path) {
        if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != ENOENT)
                die(path);
}

static void do_connect_udp(const char *path) {
        (void)path;
        if (connect(udp_fd, (struct sockaddr *)&udp_address, sizeof(udp_address)) < 0)
                die("connect (UDP)");
}

/* Closed by a reset instead of TIME_WAIT, which would use up the ports. */
static void do_connect_tcp(const char *path) {
        struct linger linger = { .l_onoff = 1 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

        (void)path;
        if (fd < 0 || connect(fd, (struct sockaddr *)&tcp_address, sizeof(tcp_address)) < 0)
                die("connect (TCP)");
        peer = accept(listen_fd, NULL, NULL);
        if (peer < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
                die("accept");
        close(fd);
        close(peer);
}

static void do_send_udp(const char *path) {
        (void)path;
        if (sendto(udp_fd, message, sizeof(message), 0, (struct sockaddr *)&udp_address,
                            sizeof(udp_address)) < 0)
                die("sendto (UDP)");
}

static void do_send_tcp(const char *path) {
        (void)path;
        if (send(tcp_fd, message, sizeof(message), 0) != sizeof(message))
                die("send (TCP)");
}

static void do_pipe(const char *path) {
        (void)path;
        pipe_write_read(pipe_fds);
}

static void do_process(const char *path) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                execl("/bin/true", "true", NULL);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                die(path);
}

/* Other processes with a mark as this one gets, as every server and client of a machine has. They end with
 * this one. */
static void marks_hold(const char *path) {
        int ready[2], held[2];
        char byte = 0;

        if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(held, O_CLOEXEC) < 0)
                die("pipe2");
        for (int i = 0; i < BOUND; i++) {
                pid_t pid = fork();

                if (pid == 0) {
                        close(held[1]);
                        open_close(path);
                        if (write(ready[1], &byte, 1) == 1 && read(held[0], &byte, 1) == 0)
                                _exit(0);
                        _exit(1);
                }
                if (pid < 0)
                        die("fork");
        }
        for (int i = 0; i < BOUND; i++)
                if (read(ready[0], &byte, 1) != 1)
                        die("a marked process");
        open_close(path);
}

/* Data that a batch has sent is read between the batches: sending to a full socket would be another
 * operation. */
static void sinks_drain(void) {
        char buffer[BATCH * sizeof(message)];

        while (recv(udp_sink_fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
                ;
        while (recv(tcp_sink_fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
                ;
}

static const struct operation {
        const char *name, *path; /* below DIRECTORY */
        void (*run)(const char *path);
        bool sends, first; /* first: each open is the first one of its file */
        bool bound;        /* by a process with a bound mark: it has opened path */
        int batch;         /* 0: BATCH */
} operations[] = {
        { .name = "no-op", .run = do_nothing },
        { .name = "stat", .path = "/a/b/c/d/e/f", .run = do_stat },
        { .name = "open-close-short", .run = do_open_short },
        { .name = "open-close-first", .path = "/first", .run = do_open_first, .first = true },
        { .name = "open-close-40", .path = "/bytes-forty", .run = open_close },
        { .name = "open-close-deep", .path = "/a/b/c/d/e/f", .run = open_close },
        { .name = "open-close-watched-directory", .path = "/watched/readme", .run = open_close },
        { .name = "open-missing", .path = "/watched/secret-none", .run = do_open_missing },
        { .name = "open-close-allowed", .path = "/watched/secret", .run = open_close },
        { .name = "connect-udp", .run = do_connect_udp },
        { .name = "connect-close-tcp", .run = do_connect_tcp },
        { .name = "send-udp", .run = do_send_udp, .sends = true },
        { .name = "send-tcp", .run = do_send_tcp, .sends = true },
        { .name = "send-tcp-bound",
                        .path = "/watched/secret",
                        .run = do_send_tcp,
                        .sends = true,
                        .bound = true },
        { .name = "pipe-write-read", .run = do_pipe },
        { .name = "fork-exec-exit", .run = do_process, .batch = BATCH_OF_PROCESSES },
};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void operation_measure(const struct operation *operation, const char *directory, double seconds) {
        static double batches[BATCHES_MAX];
        const int batch = operation->batch ? operation->batch : BATCH;
        unsigned long long end;
        char path[PATH_SIZE];
        size_t n = 0;

        snprintf(path, sizeof(path), "%s%s", directory, operation->path ? operation->path : "");
        if (operation->bound)
                marks_hold(path);
        end = now() + (unsigned long long)(seconds * 1e9);
        do {
                if (operation->first)
                        files_renew(path);
                unsigned long long begin = now();

                for (int i = 0; i < batch; i++)
                        operation->run(path);
                batches[n++] = (double)(now() - begin) / batch;
                if (operation->sends)
                        sinks_drain();
        } while (n < BATCHES_MAX && now() < end);
        qsort(batches, n, sizeof(double), compare);
        printf("%s %.1f\n", operation->name, batches[n / 2]);
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

static void sockets_open(void) {
        const int yes = 1;

        /* With a listener, since errors of earlier connects would be returned otherwise. */
        udp_sink_fd = loopback_socket(SOCK_DGRAM, &udp_address);
        udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        listen_fd = loopback_socket(SOCK_STREAM, &tcp_address);
        tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (udp_fd < 0 || tcp_fd < 0 || listen(listen_fd, 16) < 0 ||
                        connect(tcp_fd, (struct sockaddr *)&tcp_address, sizeof(tcp_address)) < 0 ||
                        setsockopt(tcp_fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0)
                die("sockets");
        tcp_sink_fd = accept(listen_fd, NULL, NULL);
        if (tcp_sink_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
                die("accept");
}

/* Always the same core, the last one: caches stay warm, and rounds are comparable. */
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
        if (argc == 2 && strcmp(argv[1], "list") == 0) {
                for (size_t i = 0; i < N_OPERATIONS; i++)
                        puts(operations[i].name);
                return 0;
        }
        if (argc < 5) {
                fprintf(stderr, "usage: %s SECONDS SHORT_PATH DIRECTORY OPERATION...\n       %s list\n",
                                argv[0], argv[0]);
                return 2;
        }
        cpu_pin();
        sockets_open();
        short_path = argv[2];
        for (int i = 4; i < argc; i++) {
                size_t n = 0;

                while (n < N_OPERATIONS && strcmp(operations[n].name, argv[i]) != 0)
                        n++;
                if (n == N_OPERATIONS) {
                        fprintf(stderr, "%s: no such operation\n", argv[i]);
                        return 2;
                }
                /* In a process of its own: a mark by one operation is not there in the next. */
                pid_t pid = fork();
                int status;

                if (pid == 0) {
                        operation_measure(&operations[n], argv[3], atof(argv[1]));
                        exit(0);
                }
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                        die(argv[i]);
        }
        return 0;
}
