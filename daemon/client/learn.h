/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Groups alerts by the rule that would have allowed them, for barbwirectl learn. Pure. */

#include <jansson.h>

#include "client/rule.h"
#include "policy/compile.h"

/* More programs than that are no week of a site, but an attack on this list. */
#define LEARN_GROUPS_MAX 512
/* A rule with more addresses is not read by anybody, and does not hold for the next week. */
#define LEARN_DESTINATIONS_MAX 16

typedef enum LearnAnswer {
        LEARN_UNDECIDED,
        LEARN_YES,
        LEARN_NO,
} LearnAnswer;

/* Why a rule is shown apart, and not allowed unless a person says so. */
enum {
        LEARN_SELDOM = 1 << 0,     /* on fewer days than --min-days= */
        LEARN_HARVEST = 1 << 1,    /* one process, or its lineage, read files of several classes */
        LEARN_COMPANY = 1 << 2,    /* an incident of it also has alerts that no rule should allow */
        LEARN_TOOL = 1 << 3,       /* a program that sends any file to any place */
        LEARN_EVERYWHERE = 1 << 4, /* more destinations than LEARN_DESTINATIONS_MAX */
        LEARN_USERS = 1 << 5,      /* the user can change the program, and so can a thief who is that user */
};

/* Alerts that one rule would have allowed; or, without a body, that none should. */
typedef struct LearnGroup {
        char *name; /* of the section: the same in each run */
        char *body; /* its lines, but for Destination=; NULL: `why` */
        char *why;  /* comment lines */
        json_t *risks, *destinations, *days, *hosts, *incidents, *files; /* sets: objects */
        json_t *sample;                                                  /* the worst of its alerts */
        uint64_t n_alerts, last_usec;
        unsigned apart; /* LEARN_*; complete after learn_finish() */
        LearnAnswer answer;
        bool answered; /* by a person, not by learn_finish() */
} LearnGroup;

typedef struct Learning {
        const Policy *policy;
        const PolicyNames *names;
        json_t *known;                        /* the names of the classes */
        json_t *seen, *bad_incidents, *hosts; /* sets */
        LearnGroup *groups;                   /* those with a body first, after learn_finish() */
        size_t n_groups;
        uint64_t n_alerts, n_silent, n_left_out; /* n_silent: that the policy allows by now */
        uint64_t n_refused, n_bytes;             /* refused: by their shape or size; bytes: that are kept */
        uint64_t first_usec, last_usec;
} Learning;

int learn_new(const Policy *p, const PolicyNames *names, Learning *ret);
void learn_done(Learning *l);

/* A larger alert has names that somebody made to be long; learn_add() does not know its size. */
#define LEARN_LINE_MAX (64U * 1024)

/* Adds an alert; a copy of one (alert/copy.h) is not added again. look: NULL if it is of another machine.
 * 0, -E2BIG: too many alerts or names, -ENOMEM. */
int learn_add(Learning *l, const json_t *alert, SuggestLook look);

/* Decides, when all alerts are added and answers are set, what is allowed without an answer: what nothing
 * speaks against and was seen on so many days. The most frequent group first, those apart last. */
void learn_finish(Learning *l, uint64_t min_days, bool may_decide);

/* Whether a text is a drop-in of an earlier run. */
bool learn_made(const char *text);

/* Sets the answers that a drop-in of an earlier run has; a section that is not commented out is a yes. */
void learn_read_answers(Learning *l, const char *dropin);

/* The drop-in. NULL: out of memory. */
char *learn_dropin(const Learning *l);
/* One group of it, as a section with its comments. */
int learn_put_group(FILE *f, const LearnGroup *g);
json_t *learn_to_json(const Learning *l);
