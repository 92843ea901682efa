/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* How sure an alert is that the data is that of the sensitive file, and that this egress was not meant.
 * Pure. */

#include "event/decode.h"

/* The strongest first. */
typedef enum Evidence {
        EVIDENCE_UNBOUND, /* opened by a program that no rule allows to, or received from one */
        EVIDENCE_BOUND,   /* opened under a rule, or received as one passes it on; and none allows this
                           * destination */
        EVIDENCE_LATE,    /* outside the window of the class */
        _EVIDENCE_MAX,
} Evidence;

/* Of a class, by its bit. */
Evidence evidence_of_class(const EventCorrelation *e, unsigned bit);

/* The strongest of its classes. */
Evidence evidence_of_event(const EventCorrelation *e);

const char *evidence_to_string(Evidence evidence);

/* What it adds to a score. */
int evidence_points(Evidence evidence);
