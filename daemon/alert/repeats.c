/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "alert/repeats.h"

void repeat_watches_end(RepeatWatches *all, uint64_t now_mono_ns, unsigned max, RepeatWatchEnded ended,
                void *userdata) {
        unsigned kept = 0;

        for (unsigned i = 0; i < all->n; i++) {
                if (all->items[i].until_mono_ns <= now_mono_ns && i - kept < max)
                        ended(&all->items[i], userdata);
                else
                        all->items[kept++] = all->items[i];
        }
        all->n = kept;
}

void repeat_watches_expire(RepeatWatches *all, uint32_t pid, uint64_t start_boot_ns) {
        for (unsigned i = 0; i < all->n; i++)
                if (all->items[i].pid == pid && all->items[i].start_boot_ns == start_boot_ns)
                        all->items[i].until_mono_ns = 0;
}

void repeat_watches_add(RepeatWatches *all, const RepeatWatch *w, RepeatWatchEnded ended, void *userdata) {
        if (all->n == REPEAT_WATCHES_MAX) {
                unsigned oldest = 0;

                while (oldest < all->n - 1 && all->items[oldest].alert->flood)
                        oldest++;
                ended(&all->items[oldest], userdata);
                all->n--;
                memmove(all->items + oldest, all->items + oldest + 1,
                                (all->n - oldest) * sizeof(all->items[0]));
        }
        all->items[all->n++] = *w;
}

uint64_t repeat_watches_next(const RepeatWatches *all) {
        uint64_t next = UINT64_MAX;

        for (unsigned i = 0; i < all->n; i++)
                next = MIN(next, all->items[i].until_mono_ns);
        return next;
}
