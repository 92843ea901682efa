/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Who counts as one lineage: the process and its nearest ancestors, but nobody whom everything descends from, or
 * strangers would be joined. The first process and its children serve everybody (sshd, cron, a user's systemd, a
 * container runtime), so none of them counts, unless it is the process's own parent: then it is the service itself
 * that starts one program after the other. Where the known lineage ends, its last one may be such a child. */

#include <stdbool.h>

#include "harvest-watch.h"
#include "util.h"

/* harvester → sh → sh → cat, and one to spare. A login session's shell is about as far from what it runs, its sshd
 * further. */
#define ANCESTORS_MAX 4

static bool ancestor_counts(const EventCorrelation *e, size_t i) {
        const EventAncestor *a = &e->lineage[i];

        if (a->pid <= 1 || a->start_boot_ns == 0)
                return false;
        return i == 0 || (i + 1 < e->n_lineage && e->lineage[i + 1].pid > 1);
}

static uint64_t entry_classes(const HarvestEntry *entry, uint64_t now_sec) {
        uint64_t classes = 0;

        for (unsigned bit = 0; bit < ELEMENTSOF(entry->class_sec); bit++)
                if (entry->class_sec[bit] > 0 && now_sec < (uint64_t)entry->class_sec[bit] + HARVEST_WINDOW_SEC)
                        classes |= UINT64_C(1) << bit;
        return classes;
}

static HarvestEntry *entry_find(HarvestWatch *w, uint32_t pid, uint64_t start_boot_ns) {
        HarvestEntry *oldest = w->entries;

        for (HarvestEntry *entry = w->entries; entry < w->entries + HARVEST_ENTRIES; entry++) {
                if (entry->pid == pid && entry->start_boot_ns == start_boot_ns)
                        return entry;
                if (entry->seen_sec < oldest->seen_sec)
                        oldest = entry;
        }
        *oldest = (HarvestEntry){.pid = pid, .start_boot_ns = start_boot_ns};
        return oldest;
}

static uint64_t entry_touch(HarvestEntry *entry, uint64_t classes, uint64_t now_sec) {
        entry->seen_sec = now_sec + 1;
        for (unsigned bit = 0; bit < ELEMENTSOF(entry->class_sec); bit++)
                if (classes >> bit & 1)
                        entry->class_sec[bit] = (uint32_t)now_sec + 1;
        return entry_classes(entry, now_sec);
}

uint64_t harvest_watch_touch(HarvestWatch *w, const EventCorrelation *e, uint64_t mono_ns) {
        uint64_t now_sec = mono_ns / NSEC_PER_SEC, classes = e->classes;

        classes |= entry_touch(entry_find(w, e->process.pid, e->process.start_boot_ns), e->classes, now_sec);
        for (size_t i = 0; i < MIN(e->n_lineage, (size_t)ANCESTORS_MAX); i++)
                if (ancestor_counts(e, i))
                        classes |= entry_touch(entry_find(w, e->lineage[i].pid, e->lineage[i].start_boot_ns),
                                        e->classes, now_sec);
        return classes;
}
