/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The policy: *.conf files → Policy → the tables of bpf/abi/policy.h.
 *
 * This folder may include basic/, event/, glob/ and bpf/abi/. It must not know sensors, alerts, sinks and
 * queries: they include it. Everything but follow.c, load.c, names.c and store.c is pure: no files, no
 * kernel.
 *
 *     load, homes   find and read the files, and passwd(5)
 *     lexer         bytes → lines, words, items
 *     parse         lines → sections and assignments
 *     assign        assignments → the fields that schema lists, by the parsers of values
 *     schema        the table of sections and keys: a key is one line there and its field below
 *     links, follow the links that patterns lead through
 *     variants      what one pattern stands for: homes, links
 *     build, list   a Policy while it is put together
 *     check         what can only be judged once every file is read
 *     compile       a Policy → tables; names, store: what outlives a reload
 *     lineage, match, json   questions asked of a Policy
 *     time-parse    times of a command line, with the time spans of values
 *
 * This header is what all of them share: the Policy itself. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/util.h"

typedef enum Severity {
        SEVERITY_INFO, /* of records that are no alerts, see alert/first-sight.h */
        SEVERITY_LOW,
        SEVERITY_MEDIUM,
        SEVERITY_HIGH,
        _SEVERITY_MAX,
        _SEVERITY_INVALID = -1,
} Severity;

/* The class whose files "barbwirectl selftest" steals: it has Action=deny while any other has more than
 * alert, or else Access=allowed while any other has it. */
#define POLICY_SELFTEST_CLASS "barbwire-selftest"

/* Action= of a class: what is done with its egress beside the alert. */
typedef enum PolicyAction {
        POLICY_ALERT,
        POLICY_DENY,
        POLICY_STOP, /* deny, and SIGSTOP */
        POLICY_KILL, /* deny, and SIGKILL */
} PolicyAction;

/* Access= of a class. */
typedef enum PolicyAccess {
        POLICY_ACCESS_ANY,
        POLICY_ACCESS_ALLOWED, /* programs that an [Allow] of it names */
} PolicyAccess;

/* [Enforcement] Enabled= */
typedef enum PolicyEnforced {
        POLICY_ENFORCED_NO, /* every class has Action=alert */
        POLICY_ENFORCED_YES,
        POLICY_ENFORCED_DRY_RUN,
} PolicyEnforced;

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

typedef struct PolicyAddress {
        uint8_t address[16];
        int family; /* AF_INET or AF_INET6 */
        unsigned prefix;
        uint16_t port_first, port_last;
        PolicyOrigin origin;
} PolicyAddress;

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
        bool known; /* uid is valid; always true after policy_finish() */
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
        uint64_t late_window_usec; /* LateWindow=: egress between Window= and this is late and scores less */
        unsigned score;            /* 0 … 100 */
        Severity severity;         /* _SEVERITY_INVALID: derived from the score */
        bool first_sight;          /* FirstSight=: see alert/first-sight.h */
        bool code;                 /* Code=yes: no secret, but code that interpreters load by themselves */
        unsigned action;           /* PolicyAction */
        unsigned action_hops;      /* ActionHops=: after more hand-overs egress is only reported */
        unsigned access;           /* PolicyAccess: who may open its files */
        bool fail_closed;          /* FailClosed=: refused as well where the sensor itself fails */
        PolicyOrigin origin;
} PolicyClass;

typedef struct PolicyAllow {
        char *name;
        PolicyName *classes; /* each exists in the Policy */
        size_t n_classes;
        PolicyGlob *paths; /* Path=: of the files of its classes only these; none: all */
        size_t n_paths;
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
        PolicyName *excluded; /* ExcludeArgument=: as written, a last "*" stands for any end */
        size_t n_excluded;
        bool container; /* Container=yes: applies in other mount namespaces, too; needs Unit= */
        PolicyAddress *destinations;
        size_t n_destinations;
        unsigned passes; /* Passes=: BW_RULE_PASSES, or some of its bits */
        bool broken;     /* during parsing: one of its lines was wrong, so that it must not be used, whatever
                            follows */
        PolicyOrigin origin;
} PolicyAllow;

/* [Carrier NAME]: programs and places that end tracking, and local services that reach the network for
 * others. */
typedef struct PolicyCarrier {
        PolicyAllow rule;  /* its name and its programs, as those of an [Allow]; it allows no classes */
        char *description; /* or NULL */
        PolicyGlob *paths; /* files, and unix sockets */
        size_t n_paths;
        bool terminal; /* Terminal=yes: only what its programs read from a terminal does not mark them */
        bool own;      /* Own=yes: only what its programs write to its paths ends tracking; they are not
                          carriers */
        bool egress;   /* Egress=yes: writing to one of these sockets or files is egress */
        int score;     /* of that egress: -100 … 100 */
} PolicyCarrier;

/* [Lineage NAME]: what the process or one of its ancestors is. */
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

/* [Destination NAME]: where egress goes. */
typedef struct PolicyDestination {
        char *name;
        char *description;        /* or NULL */
        PolicyAddress *addresses; /* Address=, of any port; none: every address */
        size_t n_addresses;
        PolicyPorts *ports; /* Port=; none: every port */
        size_t n_ports;
        int score;   /* -100 … 100 */
        bool ignore; /* Ignore=yes: never raises an alert */
        bool broken; /* as in PolicyAllow */
        PolicyOrigin origin;
} PolicyDestination;

/* [Scoring]: minimum scores for an alert, for medium and for high severity. */
typedef struct PolicyScoring {
        unsigned alert, medium, high;
        PolicyOrigin origin; /* file NULL: the section does not exist */
} PolicyScoring;

/* [Enforcement]: of classes with Action=deny or Access=allowed. */
typedef struct PolicyEnforcement {
        unsigned enabled;  /* PolicyEnforced */
        PolicyGlob *never; /* Never=: executables ("/…") and units, whose egress is not refused */
        size_t n_never;
        bool off; /* the kernel's command line has barbwire.enforce=0 */
} PolicyEnforcement;

/* [Correlator]: limits that size kernel tables, so that a change needs a restart. */
typedef struct PolicyCorrelator {
        unsigned marks_max;     /* MaxMarks=: processes marked at a time */
        unsigned processes_max; /* MaxProcesses=: processes whose ancestors are known at a time */
        uint64_t ring_bytes;    /* RingBuffer=: a power of two; 0: from the machine */
} PolicyCorrelator;

/* A path that patterns begin with, and that leads elsewhere by links. */
typedef struct PolicyLink {
        char *from;
        char *to;  /* without links; or NULL */
        int error; /* 0, or why it was not followed: -EPERM, -ELOOP, -EACCES, -ENOEXEC (to an interpreter) */
} PolicyLink;

typedef enum PolicyMessageLevel {
        POLICY_NOTE,    /* for --check: what a line means here */
        POLICY_WARNING, /* odd, but used as written */
        POLICY_ERROR,   /* the line, or its entire section, is ignored; --check fails */
} PolicyMessageLevel;

typedef struct PolicyMessage {
        PolicyMessageLevel level;
        PolicyOrigin origin; /* line 0: about the file as a whole */
        char *text;          /* the error and its remedy; no newline */
} PolicyMessage;

/* SHA-256 in hex, and a NUL. */
#define POLICY_HASH_SIZE 65

typedef struct Policy {
        PolicyClass *classes;
        size_t n_classes;
        PolicyAllow *allows;
        size_t n_allows;
        PolicyCarrier *carriers;
        size_t n_carriers;
        PolicyLineage *lineages;
        size_t n_lineages;
        struct LineageTable *lineage_table; /* NULL: they match nothing */
        PolicyDestination *destinations;
        size_t n_destinations;
        PolicyScoring scoring;
        PolicyEnforcement enforcement;
        PolicyCorrelator correlator;
        unsigned hops_max;   /* [Correlator] MaxHops=: tracking ends after as many hops */
        unsigned alerts_max; /* [Query] MaxAlerts=: alerts kept for queries; a change needs a restart */
        char hash[POLICY_HASH_SIZE]; /* SHA-256 of the bytes of all files, in order, in hex */
        PolicyMessage *messages;
        size_t n_messages;
        size_t n_errors; /* messages at POLICY_ERROR */
        char **files;    /* every file read, in order */
        size_t n_files;
        char **homes; /* homes besides /root and /home/NAME; one that ends in "/" stands for every directory
                         in it */
        size_t n_homes;
        PolicyLink *links;
        size_t n_links;
} Policy;

const char *severity_to_string(Severity s); /* "info" "low" "medium" "high"; NULL: invalid */
Severity severity_from_string(const char *s);

Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy, policy_free);

/* Drops the [Allow] sections of one file, by its path in `files`. Tables compiled before still have them. */
void policy_leave_out(Policy *p, const char *file);

/* Whether the kernel refuses egress of this class or, in a dry run, says that it would. */
static inline bool policy_class_denies(const Policy *p, const PolicyClass *c) {
        return c->action != POLICY_ALERT && p->enforcement.enabled != POLICY_ENFORCED_NO &&
               !p->enforcement.off;
}

/* The same of opens by programs that no rule of it names. */
static inline bool policy_class_locks(const Policy *p, const PolicyClass *c) {
        return c->access == POLICY_ACCESS_ALLOWED && p->enforcement.enabled != POLICY_ENFORCED_NO &&
               !p->enforcement.off;
}

/* Whether what the kernel's programs cannot follow is refused. */
static inline bool policy_class_closes(const Policy *p, const PolicyClass *c) {
        return c->fail_closed && (policy_class_denies(p, c) || policy_class_locks(p, c));
}

const PolicyClass *policy_class_by_name(const Policy *p, const char *name);

/* Whether a rule is one of the user level: the program may be that of the user whose file it opens. */
bool policy_rule_is_users(const PolicyAllow *a);

/* Rules in the order of the kernel's table: each [Allow], then the programs of each [Carrier] (if it has
 * any). NULL: there are fewer. */
PolicyAllow *policy_rule(const Policy *p, size_t i);

/* "FILE:LINE:COLUMN: text", newly allocated; NULL when out of memory. */
char *policy_message_format(const PolicyMessage *m);
