/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A decoy theft through the real hooks: a child reads a file of a class that is there for this alone
 * (policy.d/00-selftest.conf), then connects, in a network namespace that has no route, to an address that
 * nobody has. The sensors look before the route is looked up, so it is told, and nothing leaves the machine.
 *
 * With --alarm (barbwire-selftest.service) nobody looks on: it is silent unless it fails, and that is said in the
 * journal. It never starts the service then: a watch that somebody has ended is to be told, not mended. */

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
#include <syslog.h>

#include <systemd/sd-journal.h>

#include "alert.h"
#include "ctl-client.h"
#include "ctl-output.h"
#include "ctl.h"
#include "message-ids.h"
#include "time-now.h"

#define CLASS ALERT_SELFTEST_CLASS
#define DECOY "/run/barbwire/selftest-decoy"
#define DESTINATION "192.0.2.1" /* TEST-NET-1, RFC 5737 */
#define PORT 443

/* An alert takes some milliseconds: who waits for this long waits in vain. So does who waits for an answer of a service
 * that need not be started first. */
#define ALERT_TIMEOUT_USEC (10 * USEC_PER_SEC)

/* The longest name that the kernel keeps for a process, NUL included (TASK_COMM_LEN). */
typedef char Comm[16];

/* What the child tells of itself. */
typedef struct Theft {
        const char *failed; /* NULL: it went well */
        int error;
        uint64_t connected_usec; /* CLOCK_MONOTONIC */
} Theft;

/* A call's only reply, or its first one. */
static int answer_get(const Ctl *c, CtlClient *client, const char *method, bool more, json_t **ret) {
        int r = ctl_client_send(client, method, NULL, more);

        if (r >= 0)
                r = ctl_client_receive(client, c->alarm ? ALERT_TIMEOUT_USEC : CTL_TIMEOUT_USEC, ret);
        if (r == -ETIME)
                ctl_error("Barbwire does not answer; \"systemctl status barbwire\" may say why.");
        return r;
}

static int class_check(const json_t *rules) {
        const json_t *class;
        size_t i;

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

/* Of a datagram socket: even with a route it sends nothing. */
static int destination_connect(void) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)inet_pton(AF_INET, DESTINATION, &address.sin_addr);
        return fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static Theft theft_commit(const char *comm) {
        Theft t = {};
        char byte;

        /* Who may not make a network namespace may have been given one, as barbwire-selftest.service is. */
        if (unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 && destination_connect() != -ENETUNREACH)
                return theft_failed(geteuid() == 0 ? "make a network namespace"
                                                   : "make a network namespace (run it as root)");
        if (prctl(PR_SET_NAME, comm) < 0)
                return theft_failed("name itself");
        _cleanup_close_ int decoy = open(DECOY, O_RDONLY | O_CLOEXEC);
        if (decoy < 0 || read(decoy, &byte, 1) < 0)
                return theft_failed("read " DECOY);
        t.connected_usec = time_now_usec(CLOCK_MONOTONIC);
        if (destination_connect() != -ENETUNREACH)
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

/* What has failed, for people and in one word for programs. */
typedef struct Failing {
        const char *sentence, *cause;
} Failing;

static int selftest_run(const Ctl *c, Failing *ret_failing, json_t **ret_alert, uint64_t *ret_usec) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *rules = NULL, *first = NULL;
        uint32_t random = 0;
        Theft t = {};
        Comm comm;
        int r;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                random = (uint32_t)time_now_usec(CLOCK_MONOTONIC); /* early at boot */
        (void)snprintf(comm, sizeof(comm), "selftest-%06" PRIx32, random & 0xffffff);

        *ret_failing = (Failing){"barbwired is not running, or not to be asked", "not_running"};
        r = ctl_client_new(c->socket_path, !c->alarm, &client);
        if (r < 0)
                return r;
        *ret_failing = (Failing){"barbwired does not answer", "no_answer"};
        r = answer_get(c, client, "ListRules", false, &rules);
        if (r < 0)
                return r;
        *ret_failing = (Failing){"the decoy theft could not be played", "not_played"};
        r = class_check(rules);
        if (r >= 0)
                r = decoy_check();
        if (r < 0)
                return r;
        /* The first reply is empty: everything that happens from now on is told. */
        r = answer_get(c, client, "Follow", true, &first);
        if (r >= 0)
                r = theft_play(comm, &t);
        if (r < 0)
                return r;
        *ret_failing = (Failing){"the decoy theft was not noticed", "not_noticed"};
        return alert_wait(client, comm, &t, ret_alert, ret_usec);
}

/* It may block: then the unit's time runs out, and systemd says that. */
static void alarm_raise(const Failing *f) {
        int r = sd_journal_send("MESSAGE=The watch for stolen credentials has failed its selftest: %s [%s]", f->sentence,
                        f->cause, "MESSAGE_ID=" MESSAGE_ID_SELFTEST, "PRIORITY=%i", LOG_CRIT, "SYSLOG_FACILITY=%i",
                        LOG_FAC(LOG_AUTHPRIV), "SYSLOG_IDENTIFIER=barbwirectl", "BARBWIRE_TIME=%" PRIu64,
                        time_now_usec(CLOCK_REALTIME), "BARBWIRE_CAUSE=%s", f->cause, NULL);

        if (r < 0)
                ctl_error("Cannot write to the journal: %s", strerror(-r));
}

int ctl_selftest(const Ctl *c, const char *operand) {
        json_auto_t *alert = NULL;
        Failing failing;
        uint64_t usec = 0;

        (void)operand;
        int r = selftest_run(c, &failing, &alert, &usec);
        if (c->alarm) {
                if (r < 0)
                        alarm_raise(&failing);
                return r;
        }
        if (r >= 0)
                r = ctl_print_alert(alert);
        if (r >= 0 && !ctl_wants_json())
                printf("\nThe watch works: told after %.1f ms.\n", (double)usec / 1000);
        return r;
}
