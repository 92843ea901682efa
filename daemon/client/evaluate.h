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
} ExplainProgram;

typedef struct ExplainQuery {
        const char *path; /* the file, all links resolved */
        bool directory;
        ExplainProgram exe;
        const char *script, *unit; /* NULL: not known */
        bool user_known;
        uint32_t uid;
        ExplainProgram ancestors[BW_LINEAGE_MAX]; /* the parent first; none: not known */
        size_t n_ancestors;
        struct bw_destination to; /* family 0: not known */
} ExplainQuery;

/* A three-valued truth. NO < UNKNOWN < YES: "and" is the minimum, "or" the maximum. */
typedef enum Truth {
        TRUTH_NO,
        TRUTH_UNKNOWN,
        TRUTH_YES,
        _TRUTH_MAX,
} Truth;

const char *truth_to_string(Truth t); /* "no", "unknown", "yes" */

/* Whether only root can change it, which a rule requires of its Exe=. */
Truth explain_trust(const ExplainProgram *program);

/* Whether it can match a Script=: the kernel compares names, so that only an absolute path without "." and
 * ".." can. */
bool explain_script_is_plain(const char *script);

/* *ret: path, directory, classes[{name,description|null,pattern,origin,exclude|null,exclude_origin|null}],
 * executable{path,trusted,problems[],interpreter|null}|null,
 * rules[{name,origin,classes[],destinations,applies,conditions[{key,applies,text}]}] (of these classes; with
 * an executable, those that name it), carriers[{name,origin,pattern|null,egress,applies,conditions[]}] (that
 * match the path, or name the executable: applies is about that), mark,
 * destination{family,address,port,allowed}|null,
 * score{score,severity,ignored,below,window_usec,reasons[{points,text}]}|null, late (the same)|null,
 * verdict{result ("silent","alert","unknown"),text}. "yes", "no" or "unknown": trusted, applies, mark,
 * allowed. names: of policy_compile(). -ENOMEM. */
int policy_explain(const Policy *p, const PolicyNames *names, const ExplainQuery *q, json_t **ret);
