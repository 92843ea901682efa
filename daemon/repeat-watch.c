/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "repeat-watch.h"

void repeat_watches_end(RepeatWatches *all,
        RepeatWatchEnds ends,
        const void *ends_userdata,
        RepeatWatchEnded ended,
        void *userdata) {
        unsigned kept = 0;

        for (unsigned i = 0; i < all->n; i++) {
                if (!ends || ends(&all->items[i], ends_userdata))
                        ended(&all->items[i], userdata);
                else
                        all->items[kept++] = all->items[i];
        }
        all->n = kept;
}

void repeat_watches_add(RepeatWatches *all, const RepeatWatch *w, RepeatWatchEnded ended, void *userdata) {
        if (all->n == REPEAT_WATCHES_MAX) {
                unsigned oldest = 0;

                while (oldest < all->n - 1 && all->items[oldest].alert->flood)
                        oldest++;
                ended(&all->items[oldest], userdata);
                all->n--;
                memmove(all->items + oldest, all->items + oldest + 1, (all->n - oldest) * sizeof(all->items[0]));
        }
        all->items[all->n++] = *w;
}

uint64_t repeat_watches_next(const RepeatWatches *all) {
        uint64_t next = UINT64_MAX;

        for (unsigned i = 0; i < all->n; i++)
                next = MIN(next, all->items[i].until_mono_ns);
        return next;
}

bool repeat_watch_is_over(const RepeatWatch *w, const void *now_mono_ns) {
        return w->until_mono_ns <= *(const uint64_t *)now_mono_ns;
}

bool repeat_watch_is_of_process(const RepeatWatch *w, const void *event) {
        const Event *e = event;

        return w->pid == e->exit.pid && w->start_boot_ns == e->exit.start_boot_ns;
}
