/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A decoy theft through the real hooks: a child reads a file of a class that is there for this alone
 * (policy.d/00-selftest.conf), then connects, in a network namespace that has no route, to an address that
 * nobody has. The sensors look before the route is looked up, so it is told, and nothing leaves the machine.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ctl-client.h"
#include "ctl-output.h"
#include "ctl.h"
#include "time-now.h"

#define CLASS "barbwire-selftest"
#define DECOY "/run/barbwire/selftest-decoy"
#define DESTINATION "192.0.2.1" /* TEST-NET-1, RFC 5737 */
#define PORT 443

/* An alert takes some milliseconds: who waits for this long waits in vain. */
#define ALERT_TIMEOUT_USEC (10 * USEC_PER_SEC)

/* The longest name that the kernel keeps for a process, NUL included (TASK_COMM_LEN). */
typedef char Comm[16];

/* What the child tells of itself. */
typedef struct Theft {
        const char *failed; /* NULL: it went well */
        int error;
        uint64_t connected_usec; /* CLOCK_MONOTONIC */
} Theft;

static int class_check(CtlClient *client) {
        json_auto_t *rules = NULL;
        const json_t *class;
        size_t i;

        int r = ctl_client_call(client, "ListRules", NULL, &rules);
        if (r < 0)
                return r;
        json_array_foreach(json_object_get(rules, "classes"), i,
                        class) if (strcmp(ctl_string(class, "name", ""), CLASS) == 0) return 0;
        ctl_error("The policy has no class " CLASS ": 00-selftest.conf is not among its files (see "
                  "\"barbwirectl status\"), or is masked.");
        return -ENOENT;
}

/* tmpfiles.d makes it at boot; root need not wait for that. */
static int decoy_check(void) {
        if (access(DECOY, R_OK) >= 0)
                return 0;
        if (errno == ENOENT && geteuid() == 0) {
                mode_t mask = umask(0022);
                (void)mkdir("/run/barbwire", 0755);
                /* Exclusive: it follows no link that somebody else has put there. */
                _cleanup_close_ int fd = open(DECOY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
                (void)umask(mask);
                if (fd >= 0)
                        return 0;
        }
        ctl_error("Cannot use " DECOY ": %s. Root can make it: systemd-tmpfiles --create barbwire.conf",
                        strerror(errno));
        return -ENOENT;
}

static Theft theft_failed(const char *what) {
        return (Theft){.failed = what, .error = errno};
}

static Theft theft_commit(const char *comm) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        Theft t = {};
        char byte;

        if (unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0)
                return theft_failed(geteuid() == 0 ? "make a network namespace"
                                                   : "make a network namespace (run it as root)");
        if (prctl(PR_SET_NAME, comm) < 0)
                return theft_failed("name itself");
        _cleanup_close_ int decoy = open(DECOY, O_RDONLY | O_CLOEXEC);
        if (decoy < 0 || read(decoy, &byte, 1) < 0)
                return theft_failed("read " DECOY);
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return theft_failed("make a socket");
        (void)inet_pton(AF_INET, DESTINATION, &address.sin_addr);
        t.connected_usec = time_now_usec(CLOCK_MONOTONIC);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) >= 0 || errno != ENETUNREACH)
                return theft_failed("be refused a route");
        return t;
}

/* In a child, so that every run is a new process: what was told once of one is not told again. */
static int theft_play(const char *comm, Theft *ret) {
        int fds[2], status;
        Theft t = {};

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0) {
                t = theft_commit(comm);
                /* A constant's address is the same in the parent. */
                _exit(write(fds[1], &t, sizeof(t)) == sizeof(t) ? 0 : 1);
        }
        (void)close(fds[1]);
        ssize_t n = pid < 0 ? -1 : read(fds[0], &t, sizeof(t));
        (void)close(fds[0]);
        if (pid > 0)
                (void)waitpid(pid, &status, 0);
        if (n != sizeof(t)) {
                ctl_error("The decoy theft could not be played.");
                return -ECHILD;
        }
        if (t.failed) {
                ctl_error("The decoy theft could not %s: %s", t.failed, strerror(t.error));
                return -EIO;
        }
        *ret = t;
        return 0;
}

/* Told apart by its name: PIDs differ from one PID namespace to the other. */
static int alert_wait(CtlClient *client, const char *comm, const Theft *t, json_t **ret_alert,
                uint64_t *ret_usec) {
        uint64_t deadline = time_now_usec(CLOCK_MONOTONIC) + ALERT_TIMEOUT_USEC, now;

        while ((now = time_now_usec(CLOCK_MONOTONIC)) < deadline) {
                json_auto_t *reply = NULL;

                int r = ctl_client_receive(client, deadline - now, &reply);
                if (r == 0)
                        r = ctl_client_malformed();
                if (r == -ETIME)
                        break;
                if (r < 0)
                        return r;
                json_t *alert = json_object_get(reply, "alert");
                if (strcmp(ctl_string(json_object_get(alert, "process"), "comm", ""), comm) == 0) {
                        *ret_usec = time_now_usec(CLOCK_MONOTONIC) - t->connected_usec;
                        *ret_alert = json_incref(alert);
                        return 0;
                }
        }
        ctl_error("The watch does not work: a theft of " DECOY " by %s was not told within %u s. "
                  "\"barbwirectl status\" may say why.",
                        comm, (unsigned)(ALERT_TIMEOUT_USEC / USEC_PER_SEC));
        return -ETIME;
}

int ctl_selftest(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *first = NULL, *alert = NULL;
        uint32_t random = 0;
        uint64_t usec;
        Theft t = {};
        Comm comm;

        (void)operand;
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                random = (uint32_t)time_now_usec(CLOCK_MONOTONIC); /* early at boot */
        (void)snprintf(comm, sizeof(comm), "selftest-%06" PRIx32, random & 0xffffff);

        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = class_check(client);
        if (r >= 0)
                r = decoy_check();
        if (r >= 0)
                r = ctl_client_send(client, "Follow", NULL, true);
        /* The first reply is empty: everything that happens from now on is told. */
        if (r >= 0)
                r = ctl_client_receive(client, CTL_TIMEOUT_USEC, &first);
        if (r >= 0)
                r = theft_play(comm, &t);
        if (r >= 0)
                r = alert_wait(client, comm, &t, &alert, &usec);
        if (r >= 0)
                r = ctl_print_alert(alert);
        if (r >= 0 && !ctl_wants_json())
                printf("\nThe watch works: told after %.1f ms.\n", (double)usec / 1000);
        return r;
}
