/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "alert/losses.h"
#include "basic/util.h"

void losses_update(Losses *l, const uint64_t counts[static LOSSES_MAX], uint64_t now_usec,
                uint64_t realtime_usec) {
        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                if (counts[i] <= l->counts[i])
                        continue;
                l->counts[i] = counts[i];
                l->grown_usec[i] = now_usec;
                l->grown_realtime_usec[i] = realtime_usec;
        }
}

uint64_t losses_report(Losses *l, uint64_t now_usec, bool all, LossesHandler handler, void *userdata) {
        uint64_t next = UINT64_MAX;

        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                const LossInfo *info = loss_info(i);

                if (l->counts[i] == l->reported[i])
                        continue;
                if (!all && l->reported[i] > 0 && now_usec - l->reported_usec[i] < LOSSES_REPORT_USEC) {
                        next = MIN(next, l->reported_usec[i] + LOSSES_REPORT_USEC);
                        continue;
                }

                const StateAlert a = {
                        .cause = info->name,
                        .meaning = info->meaning,
                        .remedy = info->remedy,
                        .count = l->counts[i] - l->reported[i],
                        .total = l->counts[i],
                        .realtime_usec = l->grown_realtime_usec[i],
                };
                l->reported[i] = l->counts[i];
                l->reported_usec[i] = now_usec;
                handler(&a, userdata);
        }
        return next;
}

uint64_t losses_sum(const Losses *l) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < LOSSES_MAX; i++)
                sum += l->counts[i];
        return sum;
}

void delays_add(Delays *d, uint64_t delayed_usec) {
        d->n += delayed_usec > 0;
        d->longest_usec = MAX(d->longest_usec, delayed_usec);
}

bool delays_end(Delays *d, uint64_t realtime_usec, StateAlert *ret) {
        const Delays ended = *d;

        *d = (Delays){ 0 };
        if (ended.longest_usec < DELAYS_REPORT_USEC)
                return false;
        *ret = (StateAlert){ .kind = STATE_DELAY,
                .realtime_usec = realtime_usec,
                .count = ended.n,
                .longest_usec = ended.longest_usec };
        return true;
}
