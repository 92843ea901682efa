/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "losses.h"
#include "util.h"

const CounterInfo *loss_info(unsigned loss) {
        static const CounterInfo ours[] = {
                [LOSS_RECURSION_MISSES - BW_LOSS_MAX] = {
                        "recursion_misses",
                        "a program of ours was skipped because it was interrupted by itself: an open, a fork or a "
                        "connection was not judged",
                        NULL,
                },
                [LOSS_MALFORMED - BW_LOSS_MAX] = {
                        "malformed",
                        "an alert could not be made of what the kernel saw: memory was short, or it is a bug in Barbwire",
                        NULL,
                },
                [LOSS_HOOK_GONE - BW_LOSS_MAX] = {
                        "hook_gone",
                        "a program of ours was taken off its hook, or another one was put there: whatever passes by there is "
                        "not seen any more",
                        "find out who did that, and restart the service",
                },
                [LOSS_UNWRITTEN - BW_LOSS_MAX] = {
                        "unwritten",
                        "an alert could not be written to standard output, or too many waited for the journal",
                        "see whether the journal, or the reader, has stopped, or the disk is full",
                },
                [LOSS_MARKS_DROPPED - BW_LOSS_MAX] = {
                        "marks_dropped",
                        "a process that had touched a secret before barbwired was started again is not known for it any "
                        "more",
                        NULL,
                },
        };

        return loss < BW_LOSS_MAX ? counter_info(loss) : &ours[loss - BW_LOSS_MAX];
}

void losses_update(Losses *l, const uint64_t counts[static LOSSES_MAX], uint64_t now_usec, uint64_t realtime_usec) {
        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                if (counts[i] <= l->counts[i])
                        continue;
                l->counts[i] = counts[i];
                l->grown_usec[i] = now_usec;
                l->grown_realtime_usec[i] = realtime_usec;
        }
}

uint64_t losses_tell(Losses *l, uint64_t now_usec, bool all, LossesHandler handler, void *userdata) {
        uint64_t next = UINT64_MAX;

        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                const CounterInfo *info = loss_info(i);

                if (!info->name || l->counts[i] == l->told[i])
                        continue;
                if (!all && l->told[i] > 0 && now_usec - l->told_usec[i] < LOSSES_TELL_USEC) {
                        next = MIN(next, l->told_usec[i] + LOSSES_TELL_USEC);
                        continue;
                }

                const StateAlert a = {
                        .cause = info->name,
                        .meaning = info->meaning,
                        .remedy = info->remedy,
                        .count = l->counts[i] - l->told[i],
                        .total = l->counts[i],
                        .realtime_usec = l->grown_realtime_usec[i],
                };
                l->told[i] = l->counts[i];
                l->told_usec[i] = now_usec;
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

        *d = (Delays){0};
        if (ended.longest_usec < DELAYS_TELL_USEC)
                return false;
        *ret = (StateAlert){ .kind = STATE_DELAY, .realtime_usec = realtime_usec, .count = ended.n,
                .longest_usec = ended.longest_usec };
        return true;
}
