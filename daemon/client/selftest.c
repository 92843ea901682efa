/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Plays a decoy theft: a child process reads the file of a class that exists for this purpose
 * (policy.d/00-selftest.conf), then connects to an unassigned address in a network namespace without a
 * route. The hooks fire before the kernel looks up the route, so an alert is raised and nothing leaves the
 * machine. While any class has Action=deny, the connection must be refused instead.
 *
 * With --alarm (barbwire-selftest.service) success prints nothing, and a failure is logged to the journal.
 * The service is not activated then: that it was stopped is a failure to report, not to repair. */

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

#include "alert/alert.h"
#include "client/client.h"
#include "client/output.h"
#include "client/ctl.h"
#include "alert/message-ids.h"
#include "basic/time-util.h"

#define CLASS ALERT_SELFTEST_CLASS
#define DECOY "/run/barbwire/selftest-decoy"
#define DESTINATION "192.0.2.1" /* TEST-NET-1, RFC 5737 */
#define PORT 443

/* An alert takes some milliseconds, and so does a reply of a service that is running already. */
#define ALERT_TIMEOUT_USEC (10 * USEC_PER_SEC)

/* The longest name that the kernel keeps for a process, NUL included (TASK_COMM_LEN). */
typedef char Comm[16];

/* What the kernel's programs are to refuse to the theft. */
typedef enum Refusal {
        REFUSAL_NONE,
        REFUSAL_CONNECT, /* Action=deny */
        REFUSAL_OPEN,    /* Access=allowed */
} Refusal;

/* The result of the child process. */
typedef struct Theft {
        const char *failed;      /* a message; NULL: success */
        int error;               /* errno; 0: none */
        uint64_t connected_usec; /* or opened, if that is to be refused; CLOCK_MONOTONIC */
} Theft;

/* Sends a call and waits for its first reply. */
static int answer_get(const Ctl *c, CtlClient *client, const char *method, bool more, json_t **ret) {
        int r = ctl_client_send(client, method, NULL, more);

        if (r >= 0)
                r = ctl_client_receive(client, c->alarm ? ALERT_TIMEOUT_USEC : CTL_TIMEOUT_USEC, ret);
        if (r == -ETIME)
                ctl_error("barbwired does not reply; see \"systemctl status barbwire\".");
        return r;
}

static int class_get(const json_t *rules, const json_t **ret) {
        const json_t *class;
        size_t i;

        json_array_foreach(json_object_get(rules, "classes"), i,
                        class) if (strcmp(ctl_string(class, "name", ""), CLASS) == 0) {
                *ret = class;
                return 0;
        }
        ctl_error("Selftest failed: the policy has no class " CLASS
                  ": 00-selftest.conf is masked, or not among its files (see \"barbwirectl status\").");
        return -ENOENT;
}

/* The class is refused what others are. Only status knows whether the sensor can refuse an open. */
static Refusal refusal_of(const json_t *class, const json_t *status) {
        const char *mode = ctl_string(json_object_get(status, "enforcement"), "mode", "off");

        if (strcmp(mode, "on") != 0)
                return REFUSAL_NONE;
        if (strcmp(ctl_string(class, "action", "alert"), "alert") != 0)
                return REFUSAL_CONNECT;
        return strcmp(ctl_string(class, "access", "any"), "allowed") == 0 &&
                                               strcmp(ctl_string(status, "sensor", ""), "tracepoint") != 0
                               ? REFUSAL_OPEN
                               : REFUSAL_NONE;
}

/* systemd-tmpfiles creates it at boot; root may do so here. */
static int decoy_check(void) {
        if (access(DECOY, R_OK) >= 0)
                return 0;
        if (errno == ENOENT && geteuid() == 0) {
                mode_t mask = umask(0022);
                (void)mkdir("/run/barbwire", 0755);
                /* O_EXCL: do not follow a link that is already there. */
                _cleanup_close_ int fd = open(DECOY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
                (void)umask(mask);
                if (fd >= 0)
                        return 0;
        }
        ctl_error("Failed to read " DECOY
                  ": %s. Create it as root with: systemd-tmpfiles --create barbwire.conf",
                        strerror(errno));
        return -ENOENT;
}

static Theft theft_failed(const char *message, int error) {
        return (Theft){ .failed = message, .error = error };
}

/* Connects a datagram socket, which sends nothing even where there is a route. */
static int destination_connect(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)inet_pton(AF_INET, DESTINATION, &address.sin_addr);
        return fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* The decoy is to be closed to a process of this name. */
static Theft theft_be_locked_out(const char *comm) {
        Theft t = {};

        if (prctl(PR_SET_NAME, comm) < 0)
                return theft_failed("Failed to name the process", errno);
        t.connected_usec = time_now_usec(CLOCK_MONOTONIC);
        _cleanup_close_ int decoy = open(DECOY, O_RDONLY | O_CLOEXEC);
        if (decoy >= 0 || errno != EACCES)
                return theft_failed("Selftest failed: the open of " DECOY " was not refused",
                                decoy >= 0 ? 0 : errno);
        return t;
}

static Theft theft_commit(const char *comm, Refusal refusal) {
        Theft t = {};
        char byte;
        int error;

        if (refusal == REFUSAL_OPEN)
                return theft_be_locked_out(comm);
        /* A process that may not create a network namespace may already be in one, as
         * barbwire-selftest.service is. */
        error = unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 ? errno : 0;
        if (error != 0 && destination_connect() != -ENETUNREACH)
                return theft_failed(geteuid() == 0 ? "Failed to create a network namespace"
                                                   : "Failed to create a network namespace (run it as root)",
                                error);
        if (prctl(PR_SET_NAME, comm) < 0)
                return theft_failed("Failed to name the process", errno);
        _cleanup_close_ int decoy = open(DECOY, O_RDONLY | O_CLOEXEC);
        if (decoy < 0 || read(decoy, &byte, 1) < 0)
                return theft_failed("Failed to read " DECOY, errno);
        t.connected_usec = time_now_usec(CLOCK_MONOTONIC);
        error = -destination_connect();
        if (refusal == REFUSAL_CONNECT && error != EPERM)
                return theft_failed("Selftest failed: the connection was not refused", error);
        if (refusal == REFUSAL_NONE && error != ENETUNREACH)
                return theft_failed("Selftest failed: connect() did not return ENETUNREACH", error);
        return t;
}

/* Runs the theft in a child process: a second theft by the same process would only be a repeat. */
static int theft_play(const char *comm, Refusal refusal, Theft *ret) {
        int fds[2], status;
        Theft t = {};

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0) {
                t = theft_commit(comm, refusal);
                /* The address of a string constant is valid in the parent, too. */
                _exit(write(fds[1], &t, sizeof(t)) == sizeof(t) ? 0 : 1);
        }
        (void)close(fds[1]);
        ssize_t n = pid < 0 ? -1 : read(fds[0], &t, sizeof(t));
        (void)close(fds[0]);
        if (pid > 0)
                (void)waitpid(pid, &status, 0);
        if (n != sizeof(t)) {
                ctl_error("Selftest failed: the process that plays the decoy theft did not report its "
                          "result.");
                return -ECHILD;
        }
        if (t.failed) {
                ctl_error("%s: %s", t.failed, strerror(t.error));
                return -EIO;
        }
        *ret = t;
        return 0;
}

/* Recognizes the alert by the name of the process: PIDs differ between PID namespaces. In a dry run the open
 * may have one of its own. */
static int alert_wait(CtlClient *client, const char *comm, Refusal refusal, const Theft *t,
                json_t **ret_alert, uint64_t *ret_usec) {
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
                const char *act = ctl_string(json_object_get(alert, "destination"), "act", "");
                if (strcmp(ctl_string(json_object_get(alert, "process"), "comm", ""), comm) == 0 &&
                                (strcmp(act, "open") == 0) == (refusal == REFUSAL_OPEN)) {
                        *ret_usec = time_now_usec(CLOCK_MONOTONIC) - t->connected_usec;
                        *ret_alert = json_incref(alert);
                        return 0;
                }
        }
        ctl_error("Selftest failed: no alert within %u s for the theft of " DECOY
                  " by %s. See \"barbwirectl status\".",
                        (unsigned)(ALERT_TIMEOUT_USEC / USEC_PER_SEC), comm);
        return -ETIME;
}

/* The step that failed, as a message for people and as a word for programs. */
typedef struct Failing {
        const char *message, *cause;
} Failing;

static int selftest_run(const Ctl *c, Failing *ret_failing, json_t **ret_alert, uint64_t *ret_usec) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *rules = NULL, *status = NULL, *first = NULL;
        const json_t *class = NULL;
        uint32_t random = 0;
        Theft t = {};
        Comm comm;
        int r;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                random = (uint32_t)time_now_usec(CLOCK_MONOTONIC); /* early at boot */
        (void)snprintf(comm, sizeof(comm), "selftest-%06" PRIx32, random & 0xffffff);

        *ret_failing = (Failing){
                "Selftest failed: barbwired is not running, or access to its socket is denied.",
                "not_running"
        };
        r = ctl_client_new(c->socket_path, !c->alarm, &client);
        if (r < 0)
                return r;
        *ret_failing = (Failing){ "Selftest failed: barbwired does not reply.", "no_answer" };
        r = answer_get(c, client, "ListRules", false, &rules);
        if (r < 0)
                return r;
        *ret_failing = (Failing){ "Selftest failed: the decoy theft could not be played.", "not_played" };
        r = class_get(rules, &class);
        if (r >= 0)
                r = decoy_check();
        if (r >= 0)
                r = answer_get(c, client, "GetStatus", false, &status);
        if (r < 0)
                return r;
        Refusal refusal = refusal_of(class, status);
        /* The first reply is empty: every alert from now on follows. */
        r = answer_get(c, client, "Follow", true, &first);
        if (r >= 0)
                r = theft_play(comm, refusal, &t);
        if (r < 0)
                return r;
        *ret_failing = (Failing){ "Selftest failed: no alert was raised for the decoy theft.",
                "not_noticed" };
        r = alert_wait(client, comm, refusal, &t, ret_alert, ret_usec);
        if (r < 0 || refusal == REFUSAL_NONE || strcmp(ctl_string(*ret_alert, "action", ""), "denied") == 0)
                return r;
        *ret_failing = (Failing){
                "Selftest failed: the decoy theft was refused, and its alert does not say so.", "not_noticed"
        };
        ctl_error("%s", ret_failing->message);
        return -EBADMSG;
}

/* Writing to the journal may block: then the unit times out, which systemd logs. */
static void alarm_raise(const Failing *f) {
        int r = sd_journal_send("MESSAGE=%s [%s]", f->message, f->cause, "MESSAGE_ID=" MESSAGE_ID_SELFTEST,
                        "PRIORITY=%i", LOG_CRIT, "SYSLOG_FACILITY=%i", LOG_FAC(LOG_AUTHPRIV),
                        "SYSLOG_IDENTIFIER=barbwirectl", "BARBWIRE_TIME=%" PRIu64,
                        time_now_usec(CLOCK_REALTIME), "BARBWIRE_CAUSE=%s", f->cause, NULL);

        if (r < 0)
                ctl_error("Failed to write to the journal: %s", strerror(-r));
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
                printf("\nSelftest passed: alert received after %.1f ms.\n", (double)usec / 1000);
        return r;
}
