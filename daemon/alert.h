/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert: what a person is told. Owns everything it points to, so it outlives the record it came from. */

#include <stdbool.h>
#include <stdint.h>

#include "event-decode.h"
#include "policy-compile.h"
#include "score.h"

/* The class of what barbwirectl selftest steals (policy.d/00-selftest.conf), several times an hour: its alerts are not
 * listed unless somebody asks for them, and are no notice in the journal. */
#define ALERT_SELFTEST_CLASS "barbwire-selftest"

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
        const char *via; /* as in AlertFile, from "received" on */
} AlertHop;

typedef struct AlertFile {
        AlertBytes path; /* size 0: the name was lost, only the class is known */
        char **classes;  /* names, NULL-terminated */
        uint64_t age_usec; /* opened this long before the egress */
        uint32_t pid, uid;
        AlertBytes exe, comm;
        unsigned hops;
        const char *via; /* "open", "fork", "received", "trace", "pipe", "socket", "file", "memory" */
        AlertHop way[BW_HOPS_MAX]; /* the first giver first */
        size_t n_way;
        bool way_cut; /* its beginning is not known any more */
        bool path_truncated;
        bool handed_over; /* from a process to another that is not its child, at least once */
} AlertFile;

/* "inet", "inet6", "unix", "vsock", "packet", "file", or "family-16". Returns ret. */
#define FAMILY_NAME_SIZE 16
const char *family_name(unsigned family, char ret[static FAMILY_NAME_SIZE]);

typedef struct Alert {
        char id[64];       /* BOOTID-BOOTNS-CPU in hex: the same correlation always has the same id */
        uint64_t realtime_usec; /* CLOCK_REALTIME of the egress */
        uint64_t delayed_usec;  /* told so long after it; 0: not more than ALERT_DELAYED_USEC */
        Score score;
        char **classes;    /* names of all classes, NULL-terminated */
        char **techniques; /* ATT&CK ids, NULL-terminated, each once */
        uint64_t repeats;  /* times the same was seen again within the window; 0 in the first report */
        struct {
                uint32_t pid, tid, uid, loginuid, mount_namespace;
                uint32_t flags; /* BW_PROCESS_* */
                uint64_t start_realtime_usec;
                AlertBytes exe, comm, cmdline /* arguments joined by spaces, quoted where needed */, cgroup;
                AlertBytes unit, container;
        } process;
        AlertAncestor lineage[BW_LINEAGE_MAX];
        size_t n_lineage;
        bool lineage_more;
        AlertFile files[BW_FILES_MAX];
        size_t n_files;
        bool files_more;
        bool flood; /* repeats are all else that this user's executable does: too much to be told one by one */
        struct {
                int family;
                char family_name[FAMILY_NAME_SIZE];
                AlertBytes path; /* of a unix socket; a leading '@' where the name is abstract */
                const char *protocol; /* "tcp", "udp", "icmp", … or a number's text */
                char protocol_number[8];
                char address[46]; /* INET6_ADDRSTRLEN; vsock: the CID; packet: the interface's index; "": there is none */
                uint32_t port;   /* of an accepted connection: our own */
                const char *act; /* "connect", "send", "accept" */
        } destination;
} Alert;

/* A daemon that is not held up tells within milliseconds: who reads a time of their own into an entry's should not be
 * told less. */
#define ALERT_DELAYED_USEC (UINT64_C(5) * 1000000)

/* Clocks an alert is dated with, taken once by the caller: now, realtime − boottime, and the boot id (32 hex digits). */
typedef struct AlertEpoch {
        uint64_t monotonic_usec;
        int64_t realtime_minus_boottime_usec;
        char boot_id[33];
} AlertEpoch;

/* Names, scores and owns. lineage_classes: harvest_watch_touch(). -ENOMEM, or 0; what Score.ignored and Score.below
 * say is not to be told is the caller's to drop. */
int alert_new(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
        uint64_t lineage_classes, Alert **ret);
Alert *alert_free(Alert *a);
DEFINE_CLEANUP(Alert, alert_free);

/* The id alone, as in Alert.id. */
void alert_id_format(char ret[static 64], const AlertEpoch *epoch, uint64_t boot_ns, uint32_t cpu);

/* The name of the BW_PROCESS_* flag of that bit: "not-roots"; NULL beyond the last one. */
const char *process_flag_name(unsigned bit);

/* One clear sentence, printable UTF-8 whatever the names contain: control bytes and invalid UTF-8 become \xNN, a
 * backslash \\. Newly allocated. */
char *alert_sentence(const Alert *a);

/* Makes any bytes printable as alert_sentence() does. Newly allocated. */
char *bytes_escape(const char *data, size_t size);
