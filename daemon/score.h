/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Event + Policy → score, severity, reasons. Pure. */

#include "event-decode.h"
#include "policy-compile.h"

#define SCORE_REASONS_MAX 16

typedef struct ScoreReason {
        int points; /* what it added (may be negative or 0) */
        char *text; /* for a person: "reads a private key (class ssh-private-keys)" */
} ScoreReason;

typedef struct Score {
        int score; /* 0 … 100 */
        Severity severity;
        ScoreReason reasons[SCORE_REASONS_MAX];
        size_t n_reasons;
} Score;

int score_event(const EventCorrelation *e, const Policy *p, const PolicyNames *names, Score *ret);
void score_done(Score *s);
