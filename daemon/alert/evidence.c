/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "abi/policy.h"
#include "alert/evidence.h"
#include "basic/util.h"

static const struct {
        const char *name;
        int points;
} kinds[_EVIDENCE_MAX] = {
        [EVIDENCE_UNBOUND] = { "unbound", 0 },
        /* Its program may use the file, and does so every day: a wrong rule is as likely as a theft. A class
         * of 80 becomes medium. */
        [EVIDENCE_BOUND] = { "bound", -20 },
        /* Most late egress is no theft: a class of 50 becomes low. With a near destination it would fall
         * below Alert=; step_floor() prevents that. */
        [EVIDENCE_LATE] = { "late", -25 },
};

Evidence evidence_of_class(const EventCorrelation *e, unsigned bit) {
        if (!(e->fresh >> bit & 1))
                return EVIDENCE_LATE;
        return e->bound >> bit & 1 ? EVIDENCE_BOUND : EVIDENCE_UNBOUND;
}

Evidence evidence_of_event(const EventCorrelation *e) {
        Evidence strongest = e->classes ? EVIDENCE_LATE : EVIDENCE_UNBOUND;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (e->classes >> bit & 1)
                        strongest = MIN(strongest, evidence_of_class(e, bit));
        return strongest;
}

const char *evidence_to_string(Evidence evidence) {
        return kinds[evidence].name;
}

int evidence_points(Evidence evidence) {
        return kinds[evidence].points;
}
