/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A lineage here is a process and its nearest ancestors, except those that unrelated programs descend from.
 * PID 1 and its children serve everybody (sshd, cron, a user's systemd, a container runtime), so they do not
 * count, unless one is the process's own parent: then the service itself starts one program after the other.
 * A user's systemd never counts: every program of a desktop is its child. The init of a system container
 * stands for PID 1, whatever PID it has on the host. The last known ancestor does not count either, as it
 * may be a child of PID 1. */

#include <stdbool.h>
#include <string.h>

#include "alert/harvest.h"
#include "basic/util.h"

/* harvester → sh → sh → cat, and one to spare. A login shell is about as far from what it runs, its sshd
 * farther. */
#define ANCESTORS_MAX 4

/* Compares the path where distributions install it: a harvester with that name elsewhere still counts.
 * Busybox is not among them, as it is also every shell of its system. */
static bool is_manager(const EventAncestor *a) {
        static const char *const paths[] = {
                "/usr/lib/systemd/systemd",
                "/lib/systemd/systemd",
                "/usr/sbin/init",
                "/sbin/init",
                "/usr/sbin/openrc-init",
                "/sbin/openrc-init",
        };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                if (a->exe.size == strlen(paths[i]) && memcmp(a->exe.data, paths[i], a->exe.size) == 0)
                        return true;
        return false;
}

static bool ancestor_counts(const EventCorrelation *e, size_t i) {
        const EventAncestor *a = &e->lineage[i];

        if (a->pid <= 1 || a->start_boot_ns == 0 || is_manager(a))
                return false;
        return i == 0 || (i + 1 < e->n_lineage && e->lineage[i + 1].pid > 1 && !is_manager(a + 1));
}

static uint64_t entry_classes(const HarvestEntry *entry, uint64_t now_sec) {
        uint64_t classes = 0;

        for (unsigned bit = 0; bit < ELEMENTSOF(entry->class_sec); bit++)
                if (entry->class_sec[bit] > 0 &&
                                now_sec < (uint64_t)entry->class_sec[bit] + HARVEST_WINDOW_SEC)
                        classes |= UINT64_C(1) << bit;
        return classes;
}

static HarvestEntry *entry_find(HarvestWatch *w, uint32_t pid, uint64_t start_boot_ns) {
        HarvestEntry *oldest = w->entries;

        for (HarvestEntry *entry = w->entries; entry < w->entries + HARVEST_ENTRIES; entry++) {
                if (entry->pid == pid && entry->start_boot_ns == start_boot_ns)
                        return entry;
                if (entry->turn < oldest->turn)
                        oldest = entry;
        }
        *oldest = (HarvestEntry){ .pid = pid, .start_boot_ns = start_boot_ns };
        return oldest;
}

static uint64_t entry_touch(
                HarvestWatch *w, uint32_t pid, uint64_t start_boot_ns, uint64_t classes, uint64_t now_sec) {
        HarvestEntry *entry = entry_find(w, pid, start_boot_ns);

        entry->turn = ++w->turn;
        for (unsigned bit = 0; bit < ELEMENTSOF(entry->class_sec); bit++)
                if (classes >> bit & 1)
                        entry->class_sec[bit] = (uint32_t)now_sec + 1;
        return entry_classes(entry, now_sec);
}

uint64_t harvest_watch_touch(HarvestWatch *w, const EventCorrelation *e, uint64_t mono_ns) {
        uint64_t now_sec = mono_ns / NSEC_PER_SEC, classes = e->classes;

        classes |= entry_touch(w, e->process.pid, e->process.start_boot_ns, e->classes, now_sec);
        for (size_t i = 0; i < MIN(e->n_lineage, (size_t)ANCESTORS_MAX); i++)
                if (ancestor_counts(e, i))
                        classes |= entry_touch(w, e->lineage[i].pid, e->lineage[i].start_boot_ns, e->classes,
                                        now_sec);
        return classes;
}
