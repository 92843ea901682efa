/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* barbwirectl: one function for each command, ctl_NAME(), listed in verbs.h.
 *
 * This folder may include alert/, policy/, what they include, and query/varlink.h. It must not know the
 * sensor, the sinks and the daemon, and nothing of them may include it: it learns about a running daemon
 * through Varlink and the journal only.
 *
 * This header has what the command line was parsed into, and what the commands share. */

#include <stdbool.h>

#include <jansson.h>

#include "client/evaluate.h"
#include "client/verbs.h"

/* Exit statuses. status: failed means degraded. */
enum {
        CTL_OK = 0,
        CTL_FAILED = 1,
        CTL_USAGE = 2,
        CTL_NOT_RUNNING = 3,
};

/* --policy-dir= may be given this often, as to barbwired. */
#define CTL_POLICY_DIRS_MAX 16

/* The access that explain is to evaluate; NULL: not given. */
typedef struct CtlAccess {
        const char *exe, *script, *to;
        const char *ancestors[BW_LINEAGE_MAX];
        size_t n_ancestors, n_policy_dirs;
        char *policy_dirs[CTL_POLICY_DIRS_MAX + 1];
        bool user_known;
        uint32_t uid;
} CtlAccess;

typedef struct Ctl {
        const char *socket_path;
        json_t *filter; /* the parameters of ListAlerts; explain uses "unit", too */
        CtlAccess access;
        bool reverse; /* newest first */
        bool alarm;   /* selftest: report a failure to the journal, and success nowhere */
} Ctl;

/* ctl_NAME(): runs a command and returns an exit status, or, when it has printed what went wrong, a negative
 * errno: -ENOTCONN where the daemon is not running. argument: NULL where none is given. */
#define VERB_DECLARATION(name, argument, options, help) int ctl_##name(const Ctl *c, const char *);
VERBS(VERB_DECLARATION)
#undef VERB_DECLARATION

/* Gets the alert of an id, which may be a short one: a new reference to an object. A negative errno, or
 * CTL_USAGE where it cannot be an id; the error is printed. */
int ctl_get_alert(const Ctl *c, const char *id, json_t **ret);

/* Prints an alert in full. */
int ctl_print_alert(const json_t *alert);

/* Looks at a program's file. path: absolute; it must outlive *ret. */
void ctl_program_look(const char *path, ExplainProgram *ret);
