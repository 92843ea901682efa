/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The instructions of operations, in a guest whose clock counts them (qemu -icount): "instructions" prints
 * one line "OPERATION COUNT" for each: of several batches the one that took the fewest, as the others
 * contain interrupts. It then stays until its standard input ends, so that its caller can see that it has no
 * mark. "instructions crowd SECRET PROCESSES OTHER OBJECTS" makes the state of a busy machine: PROCESSES
 * processes that each have read SECRET, and OBJECTS pipes to which one that has read OTHER has written. It
 * prints "ready", and keeps them until its standard input ends. */

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "operations.h"

/* A batch is shorter than the time between two ticks, and there are enough of them that some contain no
 * other interrupt. */
#define BATCH 16
#define BATCHES 400
#define WARM_BATCHES 20
#define BATCHES_PER_FILE 50

static int file_fd, pipe_fds[2], udp_fd, udp_sink_fd;
static char path[] = "/tmp/barbwire-instructions-file";

static void do_read(void) {
        char buffer[MESSAGE_BYTES];

        if (pread(file_fd, buffer, sizeof(buffer), 0) != sizeof(buffer))
                die("pread");
}

static void do_write(void) {
        if (pwrite(file_fd, message, sizeof(message), 0) != sizeof(message))
                die("pwrite");
}

static void do_pipe(void) {
        pipe_write_read(pipe_fds);
}

static void do_open(void) {
        open_close(path);
}

static void do_send(void) {
        if (send(udp_fd, message, sizeof(message), 0) != sizeof(message))
                die("send");
}

static const struct operation {
        const char *name;
        void (*run)(void);
} operations[] = {
        { "no-op", no_op },
        { "read", do_read },
        { "write", do_write },
        { "pipe", do_pipe },
        { "open-close", do_open },
        { "send", do_send },
};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* Datagrams that a batch has sent: sending to a full socket would be another operation. */
static void sink_drain(void) {
        char buffer[MESSAGE_BYTES];

        while (recv(udp_sink_fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
                ;
}

/* The kernel charges the memory of open files to a cgroup by the page, and keeps the rest of a page for the
 * next one (mm/memcontrol.c refill_obj_stock()). Where a file takes more than that rest, each open charges a
 * page and each close returns it, 511 instructions, as long as nothing else is allocated. That is so for one
 * in 21 rests, and another file that stays open changes the rest. */
static void file_keep(void) {
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
                die("/dev/null");
}

static void measure(const struct operation *o) {
        unsigned long long least = ~0ULL;

        for (int batch = 0; batch < BATCHES; batch++) {
                if (batch % BATCHES_PER_FILE == 0)
                        file_keep();
                unsigned long long begin = now();

                for (int i = 0; i < BATCH; i++)
                        o->run();
                unsigned long long took = now() - begin;
                if (batch >= WARM_BATCHES && took < least)
                        least = took;
                sink_drain();
        }
        printf("%s %.2f\n", o->name, (double)least / BATCH);
}

static void prepare(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t length = sizeof(address);

        /* A name of its own for each run would be another number of instructions. */
        file_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        udp_sink_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (file_fd < 0 || write(file_fd, message, sizeof(message)) != sizeof(message) ||
                        pipe2(pipe_fds, O_CLOEXEC) < 0 || udp_sink_fd < 0 || udp_fd < 0 ||
                        bind(udp_sink_fd, (struct sockaddr *)&address, length) < 0 ||
                        getsockname(udp_sink_fd, (struct sockaddr *)&address, &length) < 0 ||
                        connect(udp_fd, (struct sockaddr *)&address, length) < 0)
                die("preparing");
}

static void file_read(const char *name) {
        char buffer[MESSAGE_BYTES];
        int fd = open(name, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read(fd, buffer, sizeof(buffer)) <= 0)
                die(name);
        close(fd);
}

/* A child that has read a file, writes to pipes of its own, and stays until its parent ends. It reports by a
 * signal: data from it would mark its parent. */
static void child(const char *name, int n_pipes) {
        pid_t pid = fork();

        if (pid < 0)
                die("fork");
        if (pid > 0)
                return;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                die("prctl");
        file_read(name);
        for (int i = 0; i < n_pipes; i++) {
                int fds[2];

                if (pipe(fds) < 0 || write(fds[1], message, sizeof(message)) != sizeof(message))
                        die("a pipe of the crowd");
        }
        if (kill(getppid(), SIGRTMIN) < 0)
                die("report");
        for (;;)
                pause();
}

static void wait_for_end(void) {
        char c;

        while (read(STDIN_FILENO, &c, 1) > 0)
                ;
}

static int crowd(const char *secret, int n_processes, const char *other, int n_objects) {
        const struct rlimit limit = { .rlim_cur = 65536, .rlim_max = 65536 };
        sigset_t report;

        sigemptyset(&report);
        sigaddset(&report, SIGRTMIN);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || sigprocmask(SIG_BLOCK, &report, NULL) < 0)
                die("preparing the crowd");
        child(other, n_objects);
        for (int i = 0; i < n_processes; i++)
                child(secret, 0);
        for (int i = 0; i < n_processes + 1; i++)
                if (sigwaitinfo(&report, NULL) < 0)
                        die("the crowd");
        puts("ready");
        fflush(stdout);
        wait_for_end();
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 6 && strcmp(argv[1], "crowd") == 0)
                return crowd(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]));
        prepare();
        for (size_t i = 0; i < N_OPERATIONS; i++)
                measure(&operations[i]);
        unlink(path);
        fclose(stdout);
        wait_for_end();
        return 0;
}
