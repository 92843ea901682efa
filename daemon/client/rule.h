/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Makes the smallest drop-in (barbwire.policy(5)) that would have allowed an alert, from its JSON
 * (alert/json.h). Pure. */

#include "alert/evaluate.h"

/* Gets the state of a program's file on this machine. */
typedef void (*SuggestLook)(const char *path, ExplainProgram *ret);

/* A section that would have allowed an alert, or a part of it. */
typedef struct ProposedRule {
        char *name;        /* of the program or script, as a part of a section's name */
        char *body;        /* its lines, but for Destination=; equal rules have equal ones */
        char *destination; /* of Destination=; NULL: none, as it accepted connections */
        bool users;        /* of the user level: its program or script is below a home */
} ProposedRule;

typedef struct Proposal {
        ProposedRule rules[BW_FILES_MAX]; /* one for each program that opened files */
        size_t n_rules;                   /* 0 if no rule should allow it */
        char *risks, *why;                /* comment lines; why: no rule should, else NULL */
} Proposal;

/* classes: names, or sections of ListRules. look: NULL if the alert is of another machine, whose files are
 * not known. -ENOMEM. */
int alert_propose(const json_t *alert, const json_t *classes, SuggestLook look, Proposal *ret);
void proposal_done(Proposal *p);

/* classes: of ListRules. *ret_text: the drop-in, with its risks as comments; or, where no rule can apply,
 * only comments with the reasons, which are also in *ret_why, else NULL. Both newly allocated, printable
 * UTF-8 whatever the names contain. -ENOMEM. */
int alert_suggest(const json_t *alert, const json_t *classes, SuggestLook look, char **ret_text,
                char **ret_why);
