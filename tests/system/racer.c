/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Threads of one process that do the same thing at the same instant, round after round, each round in a
 * child of its own and to a port of its own (FIRST_PORT + round):
 *
 *   racer opens ROUNDS ADDRESS FIRST_PORT FILE…   two threads open every second file each, then one datagram
 *   racer sends ROUNDS ADDRESS FIRST_PORT FILE    one open, then four threads send to the same port
 *
 * Threads meet by spinning: a futex wakes them one after the other, too far apart to race. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPENERS 2
#define SENDERS 4
/* Spins before it yields the core, which is necessary with fewer cores than threads. */
#define SPINS 20000

/* About 3 µs in either direction. */
#define SHIFTS 32U
#define SHIFT_SPINS 50U

static struct sockaddr_in to = { .sin_family = AF_INET };
static atomic_int waiting;
static atomic_int failed;
static unsigned shift_steps;

typedef struct Racer {
        pthread_t thread;
        int number, fd;
        char **paths; /* NULL: it sends */
} Racer;

/* Otherwise all threads start on the core of their parent, and run one after the other. */
static void core_take(int wanted) {
        cpu_set_t allowed, set;
        int core = 0;

        if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
                return;
        for (int left = wanted % CPU_COUNT(&allowed); left > 0 || !CPU_ISSET(core, &allowed); core++)
                left -= CPU_ISSET(core, &allowed) != 0;
        CPU_ZERO(&set);
        CPU_SET(core, &set);
        sched_setaffinity(0, sizeof(set), &set);
}

static void meet(void) {
        atomic_fetch_sub(&waiting, 1);
        for (unsigned spins = 1; atomic_load(&waiting) > 0; spins++)
                if (spins % SPINS == 0)
                        sched_yield();
}

static void datagram_send(int fd) {
        if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
                atomic_store(&failed, 1);
}

/* The calls take different times to reach the point of the race: each round shifts them a little against
 * each other. */
static void shift(unsigned steps) {
        for (volatile unsigned i = 0; i < steps * SHIFT_SPINS; i++)
                ;
}

static void *on_thread(void *userdata) {
        const Racer *r = userdata;

        core_take(r->number);
        /* One call without effect, since the first one is bound by the linker, with cold caches. */
        close(open("/dev/null", O_RDONLY | O_CLOEXEC));
        meet();
        shift(r->number % 2 == 0 ? shift_steps : SHIFTS - shift_steps);
        if (!r->paths)
                datagram_send(r->fd);
        else
                for (char **path = r->paths; path[0]; path += path[1] ? 2 : 1)
                        if (open(*path, O_RDONLY | O_CLOEXEC) < 0)
                                atomic_store(&failed, 1);
        return NULL;
}

static int round_run(int opens, char **paths) {
        Racer racers[SENDERS];
        int n = opens ? OPENERS : SENDERS;
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || (!opens && open(paths[0], O_RDONLY | O_CLOEXEC) < 0))
                return 1;
        atomic_store(&waiting, n);
        for (int i = 0; i < n; i++) {
                /* A socket for each thread, since a lock would serialise them. */
                racers[i] = (Racer){
                        .number = i,
                        .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                        .paths = opens ? paths + i : NULL,
                };
                if (pthread_create(&racers[i].thread, NULL, on_thread, &racers[i]) != 0)
                        return 1;
        }
        for (int i = 0; i < n; i++)
                pthread_join(racers[i].thread, NULL);
        if (opens)
                datagram_send(fd);
        return atomic_load(&failed);
}

int main(int argc, char **argv) {
        int opens = argc > 1 && strcmp(argv[1], "opens") == 0;

        if (argc < (opens ? 7 : 6) || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) {
                fprintf(stderr, "usage: %s opens|sends ROUNDS ADDRESS FIRST_PORT FILE...\n", argv[0]);
                return 2;
        }
        for (int i = 0; i < atoi(argv[2]); i++) {
                int status;
                pid_t pid = fork();

                if (pid == 0) {
                        to.sin_port = htons((unsigned short)(atoi(argv[4]) + i));
                        shift_steps = (unsigned)i % SHIFTS;
                        _exit(round_run(opens, argv + 5));
                }
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
                        fprintf(stderr, "round %d failed\n", i);
                        return 1;
                }
        }
        return 0;
}
