/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the policy makes of an act that somebody asks about, as JSON: the lines that apply, and the verdict. Pure. */

#include <jansson.h>

#include "../bpf/event.h"
#include "policy-compile.h"

/* A program, with what was seen of its file. */
typedef struct ExplainProgram {
        const char *path; /* every link resolved; NULL: not known */
        bool seen;        /* else there is no such file, or it cannot be looked at */
        bool regular;
        uint32_t flags; /* BW_PROCESS_EXE_* */
} ExplainProgram;

typedef struct ExplainQuery {
        const char *path; /* the file, every link resolved */
        bool directory;
        ExplainProgram exe;
        const char *script, *unit; /* NULL: not known */
        bool user_known;
        uint32_t uid;
        ExplainProgram ancestors[BW_LINEAGE_MAX]; /* the parent first; none: not known */
        size_t n_ancestors;
        struct bw_destination to; /* family 0: not known */
} ExplainQuery;

/* What may be known of a thing here. NO < UNKNOWN < YES: all of them is the least, one of them the greatest. */
typedef enum Truth {
        TRUTH_NO,
        TRUTH_UNKNOWN,
        TRUTH_YES,
        _TRUTH_MAX,
} Truth;

const char *truth_to_string(Truth t); /* "no", "unknown", "yes" */

/* Is it root's alone to change, as a rule asks of its Exe=? */
Truth explain_trust(const ExplainProgram *program);

/* May it match a Script=? The kernel takes a script by its name alone, so the name must have one meaning only. */
bool explain_script_is_plain(const char *script);

/* *ret: path, directory, classes[{name,description|null,pattern,origin,exclude|null,exclude_origin|null}],
 * executable{path,trusted,problems[],interpreter|null}|null,
 * rules[{name,origin,classes[],destinations,holds,conditions[{key,holds,text}]}] (of these classes; with an executable,
 * those that name it), carriers[{name,origin,pattern|null,egress,holds,conditions[]}] (that match the path, or name the
 * executable: holds is about that), mark, destination{family,address,port,allowed}|null,
 * score{score,severity,ignored,below,window_usec,reasons[{points,text}]}|null, late (the same)|null,
 * verdict{result ("silent","alert","unknown"),text}. "yes", "no" or "unknown": trusted, holds, mark, allowed.
 * names: of policy_compile(). -ENOMEM. */
int policy_explain(const Policy *p, const PolicyNames *names, const ExplainQuery *q, json_t **ret);
