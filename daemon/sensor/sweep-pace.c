/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "basic/util.h"
#include "sensor/sweep-pace.h"

void sweep_pace_init(SweepPace *p) {
        *p = (SweepPace){ .interval_usec = SWEEP_USEC, .next_usec = SWEEP_NEVER };
}

uint64_t sweep_pace_asked(SweepPace *p, uint64_t now_usec) {
        if (p->next_usec == SWEEP_NEVER || p->interval_usec > SWEEP_USEC) {
                p->interval_usec = SWEEP_USEC;
                p->next_usec = now_usec + SWEEP_USEC;
        }
        return p->next_usec;
}

uint64_t sweep_pace_swept(SweepPace *p, uint64_t now_usec, uint64_t before, uint64_t after, bool again) {
        p->interval_usec = after < before ? SWEEP_USEC : MIN(2 * p->interval_usec, SWEEP_MAX_USEC);
        p->next_usec = again ? now_usec + p->interval_usec : SWEEP_NEVER;
        return p->next_usec;
}
