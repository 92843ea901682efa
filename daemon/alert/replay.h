/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a policy would make of an alert that was raised, perhaps under another policy and on another host. By
 * the evaluation of explain (alert/evaluate.h). What the alert does not record is assumed: that an opener
 * that did not send itself was an executable that only root can change; that the process held no other file;
 * of rules with ~/, that the file and a script of a home are the user's own, and that the kernel was asked
 * to run that script. Pure. */

#include <jansson.h>

#include "policy/compile.h"

typedef enum ReplayResult {
        REPLAY_RAISE,   /* the same alert: of the same severity and evidence, for the same classes */
        REPLAY_CHANGE,  /* an alert of another severity or evidence, or for other classes */
        REPLAY_SILENCE, /* no alert */
        REPLAY_UNKNOWN, /* no alert if a rule applies, and the alert does not tell whether it does */
        _REPLAY_MAX,
} ReplayResult;

typedef struct Replay {
        ReplayResult result;
        Severity severity; /* of an alert; where it is not known whether there is one, of that */
        int score;
        char *why; /* what silences it, or changed; owned; or NULL */
} Replay;

/* names: of policy_compile(). 0, -ENOMEM; -EBADMSG: not an alert's shape. */
int alert_replay(const Policy *p, const PolicyNames *names, const json_t *alert, Replay *ret);
void replay_done(Replay *r);

const char *replay_result_to_string(ReplayResult r); /* "raise" "change" "silence" "unknown" */
