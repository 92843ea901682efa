/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Event + Policy → score, severity, reasons. Pure. */

#include "event/decode.h"
#include "policy/compile.h"

#define SCORE_REASONS_MAX 29

typedef struct ScoreReason {
        int points; /* what it added (may be negative or 0) */
        char *text; /* "accessed a sensitive file (class ssh-private-keys)" */
} ScoreReason;

typedef struct Score {
        int score; /* 0 … 100 */
        Severity severity;
        bool ignored; /* its destination has Ignore=yes in a [Destination] */
        bool below; /* it is less than [Scoring] Alert=, and no class has a Severity=, which raises an alert
                       at any score */
        bool lineage_is_suspect; /* an ancestor or the unit is such as a [Lineage] rates high: a package
                                    manager */
        ScoreReason reasons[SCORE_REASONS_MAX];
        size_t n_reasons;
} Score;

/* mono_ns: of the event. lineage_classes: what the process's lineage accessed lately (alert/harvest.h), with
 * or without the event's own classes. */
int score_event(const EventCorrelation *e, uint64_t mono_ns, const Policy *p, const PolicyNames *names,
                uint64_t lineage_classes, Score *ret);

/* Lowers it to at most low, or to info, with this reason. 0 or -ENOMEM. */
int score_soften(Score *s, const PolicyScoring *scoring, Severity to, const char *reason);
void score_done(Score *s);

/* Whether a path is below a directory where anybody can create files, although the last directory may be
 * private: "/tmp", "/var/tmp", "/dev/shm". NULL: it is not. */
const char *path_in_shared_directory(Bytes path);
