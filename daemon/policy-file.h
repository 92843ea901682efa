/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* *.conf → Policy. Our own small reader, because FILE:LINE:COLUMN errors are the product.
 *
 * policy_parse() is pure: bytes in, sections and messages out. policy_load() finds and reads the files. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util.h"

typedef enum Severity {
        SEVERITY_LOW,
        SEVERITY_MEDIUM,
        SEVERITY_HIGH,
        _SEVERITY_MAX,
        _SEVERITY_INVALID = -1,
} Severity;

const char *severity_to_string(Severity s); /* "low" "medium" "high" */
Severity severity_from_string(const char *s);

/* Where a value was written, for messages. */
typedef struct PolicyOrigin {
        const char *file; /* owned by the Policy */
        unsigned line;    /* from 1 */
        unsigned column;  /* from 1, in bytes */
} PolicyOrigin;

typedef struct PolicyGlob {
        char *glob; /* as written: may begin with "~/" */
        PolicyOrigin origin;
} PolicyGlob;

typedef struct PolicyDestination {
        uint8_t address[16];
        int family; /* AF_INET or AF_INET6 */
        unsigned prefix;
        uint16_t port_first, port_last;
        PolicyOrigin origin;
} PolicyDestination;

typedef struct PolicyPorts {
        uint16_t first, last;
} PolicyPorts;

typedef struct PolicyName {
        char *name;
        PolicyOrigin origin;
} PolicyName;

/* A user by name, or by number ("1000"). */
typedef struct PolicyUser {
        char *name;
        uint32_t uid;
        bool known; /* uid is valid: after policy_finish() always */
        PolicyOrigin origin;
} PolicyUser;

typedef struct PolicyClass {
        char *name;
        char *description; /* or NULL */
        PolicyGlob *paths;
        size_t n_paths;
        PolicyGlob *excludes;
        size_t n_excludes;
        char **techniques; /* "T1552.004", NULL-terminated, or NULL */
        size_t n_techniques;
        uint64_t window_usec;
        uint64_t late_window_usec; /* LateWindow=: from Window= on until then an egress is late, and scores less */
        unsigned score;    /* 0 … 100 */
        Severity severity; /* _SEVERITY_INVALID: follows from the score */
        PolicyOrigin origin;
} PolicyClass;

typedef struct PolicyAllow {
        char *name;
        PolicyName *classes; /* each exists in the Policy */
        size_t n_classes;
        PolicyGlob *exes;
        size_t n_exes;
        PolicyGlob *scripts; /* Script= */
        size_t n_scripts;
        PolicyGlob *units; /* Unit=: globs of one name, without '/' */
        size_t n_units;
        PolicyGlob *ancestors; /* Ancestor= */
        size_t n_ancestors;
        PolicyUser *users; /* User= */
        size_t n_users;
        bool container; /* Container=yes: holds outside the host's file system, too; needs Unit= */
        PolicyDestination *destinations;
        size_t n_destinations;
        bool clean;  /* Output=clean: what it gives to others holds nothing of the secret */
        bool broken; /* while it is read: one of its lines was bad, so it must not be used, whatever follows */
        PolicyOrigin origin;
} PolicyAllow;

/* [Carrier NAME]: programs and places through which no secret is followed, and local services that reach the network for
 * others. */
typedef struct PolicyCarrier {
        PolicyAllow who;   /* its programs, told as those of an [Allow]; its name, too. It has no classes */
        char *description; /* or NULL */
        PolicyGlob *paths; /* files, and unix sockets */
        size_t n_paths;
        bool terminal; /* Terminal=yes: its programs take no mark from a terminal, and from all else they do */
        bool egress; /* Egress=yes: to write to one of these sockets or files is to reach the network */
        int score;   /* of that: -100 … 100 */
} PolicyCarrier;

/* [Lineage NAME]: where the process or one of its ancestors comes from. */
typedef struct PolicyLineage {
        char *name;
        char *description; /* or NULL */
        PolicyGlob *exes;
        size_t n_exes;
        PolicyGlob *units;
        size_t n_units;
        int score;   /* -100 … 100 */
        bool broken; /* as in PolicyAllow */
        PolicyOrigin origin;
} PolicyLineage;

/* [Destination NAME]: what it talks to. */
typedef struct PolicyPeer {
        char *name;
        char *description; /* or NULL */
        PolicyDestination *addresses; /* Address=, of any port; none: every address */
        size_t n_addresses;
        PolicyPorts *ports; /* Port=; none: every port */
        size_t n_ports;
        int score;   /* -100 … 100 */
        bool ignore; /* Ignore=yes: never alerted */
        bool broken; /* as in PolicyAllow */
        PolicyOrigin origin;
} PolicyPeer;

/* [Scoring]: from these scores on it is an alert at all, medium, high. */
typedef struct PolicyScoring {
        unsigned alert, medium, high;
        PolicyOrigin origin; /* file NULL: there is no such section */
} PolicyScoring;

/* [Correlator]: limits. They size kernel tables, so a change needs a restart. */
typedef struct PolicyCorrelator {
        unsigned marks_max;     /* MaxMarks=: processes that can be marked at one time */
        unsigned processes_max; /* MaxProcesses=: processes whose ancestry is known at one time */
        uint64_t ring_bytes;    /* RingBuffer=: a power of two */
} PolicyCorrelator;

typedef enum PolicyMessageLevel {
        POLICY_WARNING, /* odd, but used as written */
        POLICY_ERROR,   /* the line (or the whole [Allow]) is not used; --check fails */
} PolicyMessageLevel;

typedef struct PolicyMessage {
        PolicyMessageLevel level;
        PolicyOrigin origin; /* line 0: about the file as a whole */
        char *text;          /* what is wrong and what would be right; no newline */
} PolicyMessage;

typedef struct Policy {
        PolicyClass *classes;
        size_t n_classes;
        PolicyAllow *allows;
        size_t n_allows;
        PolicyCarrier *carriers;
        size_t n_carriers;
        PolicyLineage *lineages;
        size_t n_lineages;
        struct LineageTable *lineage_table; /* what they match; NULL: nothing */
        PolicyPeer *peers;
        size_t n_peers;
        PolicyScoring scoring;
        PolicyCorrelator correlator;
        unsigned hops_max;   /* [Correlator] MaxHops=: a secret that was handed over so often is followed no further */
        unsigned alerts_max; /* [Query] MaxAlerts=: alerts kept for queries; a change needs a restart */
        char hash[65];       /* SHA-256 of every file's bytes, in their order, in hex */
        PolicyMessage *messages;
        size_t n_messages;
        size_t n_errors; /* messages at POLICY_ERROR */
        char **files;    /* every file read, in order */
        size_t n_files;
        char **homes;    /* what "~/" stands for besides /root and /home/NAME; one that ends in "/": every directory in it */
        size_t n_homes;
} Policy;

Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy, policy_free);

/* Starts an empty policy with every default set. */
int policy_new(Policy **ret);

/* Reads one file's bytes into the policy, on top of what is there. Total: any bytes are fine, what is wrong with
 * them becomes messages. Returns 0, or -ENOMEM. `file` is the name that messages carry. */
int policy_parse(Policy *p, const char *file, const char *bytes, size_t n_bytes);

/* Gives the users of that name in every User= their number. */
void policy_resolve_user(Policy *p, const char *name, uint32_t uid);

/* After the last file: checks what needs the whole (an [Allow] without Class= or Exe=, an unknown class or user, a
 * class without Path=). What cannot be used is dropped, with a message. */
int policy_finish(Policy *p);

/* config_file: NULL for the standard barbwire.conf (not being there is fine), else that file (must be there).
 * policy_dirs: NULL for the standard directories, else these, first one wins on equal names (each must be there).
 * passwd_file: NULL for /etc/passwd. Returns 0 with *ret even when there are messages; negative only when a named
 * file or directory cannot be read (a message says which) or memory is short. */
int policy_load(
        const char *config_file, char *const *policy_dirs, const char *passwd_file, Policy **ret);

const PolicyClass *policy_class_by_name(const Policy *p, const char *name);

/* What the kernel numbers: each [Allow], then the programs of each [Carrier], if it has any. NULL: there are fewer. */
PolicyAllow *policy_rule(const Policy *p, size_t i);

/* The interpreter that is among the executables of a pattern (an absolute one), a constant; or NULL. */
const char *policy_interpreter(const char *glob);

/* "FILE:LINE:COLUMN: text", newly allocated. */
char *policy_message_format(const PolicyMessage *m);
