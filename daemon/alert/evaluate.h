/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Evaluates a policy for an access that is described: which lines apply, and the verdict, as JSON. Pure. */

#include <jansson.h>

#include "abi/event.h"
#include "policy/compile.h"

/* A program, and the state of its file. */
typedef struct ExplainProgram {
        const char *path; /* all links resolved; NULL: not known */
        bool seen;        /* false: it does not exist, or cannot be accessed */
        bool regular;
        uint32_t flags; /* BW_PROCESS_EXE_* */
        uint32_t owner;
        bool kept; /* nobody but root and its owner can change it, or put another in its place */
} ExplainProgram;

typedef struct ExplainQuery {
        const char *path;   /* the file, all links resolved */
        const char *opened; /* the name that it was opened by, which Path= of a rule is about; NULL: path */
        bool directory;
        unsigned long links; /* names that the file has; 0: it does not exist */
        uint32_t owner;      /* of the file, if it exists */
        ExplainProgram exe;
        ExplainProgram script_file; /* of `script` */
        const char *script, *unit;  /* NULL: not known */
        const char *cmdline;        /* of the process, as an alert has it, "" if not; NULL: not asked for */
        bool user_known;
        uint32_t uid;
        ExplainProgram ancestors[BW_LINEAGE_MAX]; /* the parent first; none: not known */
        size_t n_ancestors;
        struct bw_destination to; /* family 0: not known */
        /* What an alert has recorded, and a question does not say: */
        bool elsewhere; /* the process saw other files than the host: a container, a chroot */
        bool voided;    /* its trust was void: something may have made it run other code */
        bool foreign;   /* it ran code that others than root can change; strange: and others than its user */
        bool strange;
        bool accepted; /* it accepted a connection, which no Destination= is about */
        bool local;    /* it reached a service or a file, which every rule allows */
} ExplainQuery;

/* A three-valued truth. NO < UNKNOWN < YES: "and" is the minimum, "or" the maximum. */
typedef enum Truth {
        TRUTH_NO,
        TRUTH_UNKNOWN,
        TRUTH_YES,
        _TRUTH_MAX,
} Truth;

/* What follows from the rules, for each class of the file, by its bit. */
typedef struct ExplainAccess {
        uint64_t touched; /* the classes */
        /* Whether the program may read it by rules that pass nothing on, by others, and may send it to the
         * destination of the query. */
        Truth clean[BW_CLASSES_MAX], bound[BW_CLASSES_MAX], quiet[BW_CLASSES_MAX];
        unsigned passes[BW_CLASSES_MAX]; /* what every rule that surely applies passes on */
        char *by[_TRUTH_MAX];            /* the names of the rules that apply, and of those that may */
} ExplainAccess;

int policy_evaluate(const Policy *p, const PolicyNames *names, const ExplainQuery *q, ExplainAccess *ret);
void explain_access_done(ExplainAccess *a);

const char *truth_to_string(Truth t); /* "no", "unknown", "yes" */

/* Whether only root can change it, which a rule requires of its Exe=. */
Truth explain_trust(const ExplainProgram *program);

/* Whether only this user and root can change it, which a rule with ~/ requires of its Exe= and Script=. */
Truth explain_trust_of_user(const ExplainProgram *program, uint32_t uid);

/* Whether it can match a Script=: the kernel compares names, so that only an absolute path without "." and
 * ".." can. */
bool explain_script_is_plain(const char *script);

/* *ret: path, directory, links,
 * classes[{name,description|null,pattern,origin,exclude|null,exclude_origin|null}],
 * executable{path,trusted,level,problems[],interpreter|null}|null,
 * rules[{name,origin,level ("system",
 * "user"),classes[],destinations,applies,conditions[{key,applies,text}]}] (of these classes; with an
 * executable, those that name it), carriers[{name,origin,pattern|null,egress, applies,conditions[]}] (that
 * match the path, or name the executable: applies is about that), mark, evidence|null,
 * destination{family,address,port,allowed}|null,
 * score{score,severity,ignored,below,window_usec,reasons[{points,text}]}|null, late (the same)|null,
 * verdict{result ("silent","alert","unknown"),text}. "yes", "no" or "unknown": trusted, applies, mark,
 * allowed. names: of policy_compile(). -ENOMEM. */
int policy_explain(const Policy *p, const PolicyNames *names, const ExplainQuery *q, json_t **ret);
