/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Event → Alert: its fields, score, sentence and JSON; losses, repeats, and the latest alerts.
 *
 * This folder may include policy/, what policy/ includes, and bpf/abi/. It must not know how a record was
 * obtained (sensor/), nor where an alert is written (sink/) or queried (query/). Pure: no files, no kernel.
 *
 * This header has the alert itself. It owns everything it points to, so it outlives the record that it was
 * made from. */

#include <stdbool.h>
#include <stdint.h>

#include "event/decode.h"
#include "policy/compile.h"
#include "alert/evidence.h"
#include "alert/first-sight.h"
#include "alert/score.h"

/* The class of the selftest's decoy (policy.d/00-selftest.conf), which raises an alert several times an
 * hour: such alerts are listed only on request, and have the priority info in the journal. */
#define ALERT_SELFTEST_CLASS POLICY_SELFTEST_CLASS

/* Device and inode as text. */
#define EXE_OBJECT_SIZE 48
#define OBJECT_SIZE 72

/* An owned byte string: any byte may occur. */
typedef struct AlertBytes {
        char *data; /* NUL-terminated as a courtesy; NULL when size is 0 */
        size_t size;
} AlertBytes;

typedef struct AlertAncestor {
        uint32_t pid;
        AlertBytes exe, comm;
} AlertAncestor;

typedef struct AlertHop {
        uint32_t pid; /* of the giver */
        AlertBytes comm;
        const char *via; /* as in AlertFile, "received" and later */
} AlertHop;

typedef struct AlertFile {
        AlertBytes path;      /* if path_lost, in words what is known instead */
        bool path_lost;       /* the name was evicted before the alert */
        AlertBytes real_path; /* by which its class is known; size 0: by `path`, or real_path_lost */
        bool real_path_lost;  /* the kernel had no room for that name, or evicted it */
        char **classes;       /* names, NULL-terminated */
        uint64_t age_usec;    /* time from the open to the egress */
        uint32_t pid, uid;
        AlertBytes exe, comm;
        AlertBytes script; /* that the opener ran; size 0: none, or not known */
        char exe_object[OBJECT_SIZE], script_object[OBJECT_SIZE]; /* "8:1/1234/1733000000.123456789"; empty:
                                                                     not known */
        unsigned generation; /* processes that the data passed through since the opener */
        const char *via;     /* "open", "fork", "received", "trace", "pipe", "socket", "file", "memory" */
        AlertHop route[BW_HOPS_MAX]; /* the first giver first */
        size_t n_route;
        bool route_cut; /* its beginning is not known */
        bool framed;    /* event_file_framed() */
        bool named;     /* by an earlier alert of the same egress: this one was raised for the others */
        bool path_truncated;
        bool handed_over; /* at least once from a process to another that is not its child */
} AlertFile;

/* "inet", "inet6", "unix", "vsock", "packet", "file", or "family-16". Returns ret. */
#define FAMILY_NAME_SIZE 16
const char *family_name(unsigned family, char ret[static FAMILY_NAME_SIZE]);

/* BOOTID-BOOTNS-CPU, and a NUL: 32 + 1 + 16 + 1 + at most 8 characters. */
#define ALERT_ID_SIZE 64

typedef struct Alert {
        char id[ALERT_ID_SIZE]; /* BOOTID-BOOTNS-CPU in hex: the same correlation always has the same id */
        char incident[ALERT_ID_SIZE];  /* the id of its first alert: its own until the caller knows
                                          better, see alert/incident.h */
        char policy[POLICY_HASH_SIZE]; /* that judged it; empty: not known */
        uint64_t realtime_usec;        /* CLOCK_REALTIME of the egress */
        uint64_t delayed_usec;         /* made so long after the egress; 0: within ALERT_DELAYED_USEC */
        Score score;
        Evidence evidence;
        Sight sight;       /* of its script; set by alert_look() */
        uint8_t action;    /* enum bw_action: what was done with the egress */
        char **classes;    /* names of all classes, NULL-terminated */
        char **techniques; /* ATT&CK ids, NULL-terminated, each once */
        uint64_t repeats;  /* of the same egress within the window; 0 in the first entry */
        struct {
                uint32_t pid, tid, uid, loginuid, mount_namespace;
                uint32_t flags; /* BW_PROCESS_* */
                uint64_t start_realtime_usec;
                AlertBytes exe, comm, cmdline /* arguments joined by spaces, quoted where needed */, cgroup;
                AlertBytes unit, container;
                AlertBytes script; /* size 0: none, or not known */
                char script_object[SCRIPT_OBJECT_SIZE];
                char exe_object[EXE_OBJECT_SIZE]; /* "8:1/1234"; empty: not known */
        } process;
        AlertAncestor lineage[BW_LINEAGE_MAX];
        size_t n_lineage;
        bool lineage_more;
        AlertFile files[BW_FILES_MAX];
        size_t n_files;
        bool files_more;
        bool flood;   /* rate-limited: repeats counts all further correlations of this user's executable */
        bool suspect; /* judged by what processes of its user and cgroup read, as their share of marks is
                         full */
        struct {
                int family;
                char family_name[FAMILY_NAME_SIZE];
                AlertBytes path; /* of a unix socket or a file; begins with '@' where a socket's is abstract
                                  */
                const char *protocol; /* "tcp", "udp", "icmp", … or a number's text */
                char protocol_number[8];
                char address[46]; /* INET6_ADDRSTRLEN; vsock: the CID; packet: the interface's index;
                                     "": none */
                uint32_t port;    /* of an accepted connection the local one */
                const char *act;  /* "connect", "send", "accept" */
                char text[80];    /* the destination in words, without any name: "192.0.2.7:443", "a local
                                     service" */
        } destination;
} Alert;

/* An idle daemon writes an alert within milliseconds of the egress. From this delay on the alert says so,
 * because the journal's own timestamp is misleading then. */
#define ALERT_DELAYED_USEC (UINT64_C(5) * 1000000)

/* The clocks that alerts are dated with, read by the caller: now, realtime − boottime, and the boot id (32
 * hex digits). */
typedef struct AlertEpoch {
        uint64_t monotonic_usec;
        int64_t realtime_minus_boottime_usec;
        char boot_id[33];
} AlertEpoch;

/* Names and dates what a mark holds: process, classes and files of an alert, without score, destination, id
 * and ancestors. 0 or -ENOMEM. */
int alert_of_mark(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
                Alert **ret);

/* The names of some of the classes of an event, the worst first, newly allocated. */
int alert_class_names(const EventCorrelation *e, uint64_t classes, const Policy *p, const PolicyNames *names,
                char ***ret);

/* Makes an alert of a correlation: names, dates and scores it, and copies everything. lineage_classes:
 * harvest_watch_touch(). The caller drops an alert with Score.ignored or Score.below; one of an egress that
 * was refused, or would have been, has neither. 0 or -ENOMEM. */
int alert_new(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
                uint64_t lineage_classes, Alert **ret);

/* Asks whether its script is one of people's own, of which the severity is low, or info if it was seen
 * before. The arguments as of alert_new(). 0 or -ENOMEM. */
int alert_look(Alert *a, FirstSights *sights, const Event *e, const Policy *p, const PolicyNames *names,
                uint64_t lineage_classes);
Alert *alert_free(Alert *a);
DEFINE_CLEANUP(Alert, alert_free);

/* Formats Alert.id. */
void alert_id_format(char ret[static 64], const AlertEpoch *epoch, uint64_t boot_ns, uint32_t cpu);

/* "alert", "denied", "would-deny", "not-denied", "stopped", "killed". */
const char *action_to_string(uint8_t action);
static inline bool action_refused(uint8_t action) {
        return action == BW_ACTION_DENIED || action == BW_ACTION_STOPPED || action == BW_ACTION_KILLED;
}
int action_from_string(const char *s); /* -EINVAL: there is none of that name */

/* Returns the name of the BW_PROCESS_* flag of that bit ("not-roots"); NULL beyond the last one. */
const char *process_flag_name(unsigned bit);

/* The number of a "via"; BW_VIA_OPEN of one that is unknown. */
uint8_t alert_via_from_string(const char *name);

/* Returns one sentence, newly allocated, printable UTF-8 whatever the names contain: control bytes and
 * invalid UTF-8 become \xNN, a backslash \\. NULL when out of memory. */
char *alert_sentence(const Alert *a);

/* The file that the sentence names: the newest of the worst class. NULL: none of the remembered files is of
 * a class that the alert was raised for. */
const AlertFile *alert_main_file(const Alert *a);

/* Makes any bytes printable as alert_sentence() does. Newly allocated; NULL when out of memory. */
char *bytes_escape(const char *data, size_t size);
