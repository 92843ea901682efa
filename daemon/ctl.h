/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The commands of barbwirectl, and the command line that they share. */

#include <stdbool.h>

#include <jansson.h>

#include "ctl-policy.h"

/* Exit statuses. status: failed means degraded. */
enum {
        CTL_OK = 0,
        CTL_FAILED = 1,
        CTL_USAGE = 2,
        CTL_NOT_RUNNING = 3,
};

/* --policy-dir= may be given this often, as to barbwired. */
#define CTL_POLICY_DIRS_MAX 16

/* What explain is asked about, as it was given; NULL: it was not. */
typedef struct CtlAct {
        const char *exe, *script, *user, *to;
        const char *ancestors[BW_LINEAGE_MAX];
        size_t n_ancestors, n_policy_dirs;
        char *policy_dirs[CTL_POLICY_DIRS_MAX + 1];
} CtlAct;

typedef struct Ctl {
        const char *socket_path;
        json_t *filter; /* ListAlerts' parameters; "unit" is explain's, too */
        CtlAct act;
        bool reverse;   /* newest first */
        bool alarm;     /* selftest: failing is said in the journal, success nowhere */
} Ctl;

/* Each does what its name says and returns an exit status, or, when it has said what went wrong, a negative
 * errno: -ENOTCONN where the daemon is not running. operand: the alert's id or a path, else NULL. */
int ctl_status(const Ctl *c, const char *operand);
int ctl_alerts(const Ctl *c, const char *operand);
int ctl_show(const Ctl *c, const char *operand);
int ctl_follow(const Ctl *c, const char *operand);
int ctl_rules(const Ctl *c, const char *operand);
int ctl_selftest(const Ctl *c, const char *operand);
int ctl_explain(const Ctl *c, const char *operand);
int ctl_suggest(const Ctl *c, const char *operand);

/* An alert, with all that stands behind it. */
int ctl_print_alert(const json_t *alert);

/* Looks at a program's file. path: absolute; it must outlive *ret. */
void ctl_program_look(const char *path, ExplainProgram *ret);
