/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alert/incident.h"
#include "basic/json-util.h"
#include "basic/util.h"

/* Times that were read back from JSON are rounded to a millisecond, and the wall clock may have been slewed
 * since. No PID is reused as quickly as that, and no two reads of one process in that time are two thefts.
 */
#define ROUNDED_NS (UINT64_C(5) * NSEC_PER_MSEC)

/* What an alert has in common with others; restored: times are rounded, and there is no group. */
typedef struct Keys {
        IncidentRoot roots[BW_FILES_MAX];
        size_t n_roots;
        IncidentSender sender;
        IncidentGroup group; /* group 0: none */
} Keys;

/* The better one decides where an alert has something in common with several incidents. */
typedef enum Link {
        LINK_NONE,
        LINK_GROUP,
        LINK_SENDER,
        LINK_ROOT,
} Link;

static bool nearly_same(uint64_t a_ns, uint64_t b_ns) {
        return a_ns > b_ns ? a_ns - b_ns < ROUNDED_NS : b_ns - a_ns < ROUNDED_NS;
}

static bool root_is(const IncidentRoot *a, const IncidentRoot *b) {
        if (a->pid != b->pid)
                return false;
        if (a->inode == 0 || b->inode == 0) /* restored */
                return nearly_same(a->opened_ns, b->opened_ns);
        return a->opened_ns == b->opened_ns && a->inode == b->inode && a->device == b->device;
}

static bool sender_is(const IncidentSender *a, const IncidentSender *b) {
        return a->pid == b->pid && nearly_same(a->start_boot_ns, b->start_boot_ns);
}

static bool group_is(const IncidentGroup *a, const IncidentGroup *b) {
        return a->group == b->group && a->loginuid == b->loginuid;
}

static bool is_within(uint64_t then_ns, uint64_t now_ns, uint64_t seconds) {
        return now_ns < then_ns + seconds * NSEC_PER_SEC;
}

static bool incident_is_open(const Incident *i, uint64_t now_ns) {
        return i->id[0] && is_within(i->latest_ns, now_ns, INCIDENT_QUIET_SEC) &&
               is_within(i->first_ns, now_ns, INCIDENT_AGE_SEC);
}

static size_t n_used(unsigned n, size_t size) {
        return MIN((size_t)n, size);
}

static IncidentGroup *incident_group(Incident *i, const IncidentGroup *group) {
        for (size_t k = 0; k < n_used(i->n_groups, INCIDENT_GROUPS); k++)
                if (group_is(&i->groups[k], group))
                        return &i->groups[k];
        return NULL;
}

static bool incident_has_root(const Incident *i, const IncidentRoot *root) {
        for (size_t k = 0; k < n_used(i->n_roots, INCIDENT_ROOTS); k++)
                if (root_is(&i->roots[k], root))
                        return true;
        return false;
}

static bool incident_has_sender(const Incident *i, const IncidentSender *sender) {
        for (size_t k = 0; k < n_used(i->n_senders, INCIDENT_SENDERS); k++)
                if (sender_is(&i->senders[k], sender))
                        return true;
        return false;
}

static Link incident_link(Incident *i, const Keys *keys, uint64_t now_ns) {
        for (size_t k = 0; k < keys->n_roots; k++)
                if (incident_has_root(i, &keys->roots[k]))
                        return LINK_ROOT;
        if (incident_has_sender(i, &keys->sender))
                return LINK_SENDER;
        const IncidentGroup *group = keys->group.group ? incident_group(i, &keys->group) : NULL;
        return group && is_within(group->latest_ns, now_ns, INCIDENT_GROUP_SEC) ? LINK_GROUP : LINK_NONE;
}

/* The open incident that the keys lead to; of equals the latest. NULL: none. */
static Incident *incidents_find(Incidents *all, const Keys *keys, uint64_t now_ns) {
        Incident *found = NULL;
        Link best = LINK_NONE;

        for (Incident *i = all->items; i < all->items + INCIDENTS_MAX; i++) {
                if (!incident_is_open(i, now_ns))
                        continue;
                Link link = incident_link(i, keys, now_ns);
                if (link > best || (found && link == best && i->latest_ns > found->latest_ns)) {
                        found = i;
                        best = link;
                }
        }
        return found;
}

/* A place for a new incident: of one that is closed, or of the one that has been quiet for longest. */
static Incident *incidents_place(Incidents *all, uint64_t now_ns) {
        Incident *quietest = all->items;

        for (Incident *i = all->items; i < all->items + INCIDENTS_MAX; i++) {
                if (!incident_is_open(i, now_ns))
                        return i;
                if (i->latest_ns < quietest->latest_ns)
                        quietest = i;
        }
        return quietest;
}

static void incident_learn(Incident *i, const Keys *keys, uint64_t now_ns) {
        for (size_t k = 0; k < keys->n_roots; k++)
                if (!incident_has_root(i, &keys->roots[k]))
                        i->roots[i->n_roots++ % INCIDENT_ROOTS] = keys->roots[k];
        if (!incident_has_sender(i, &keys->sender))
                i->senders[i->n_senders++ % INCIDENT_SENDERS] = keys->sender;
        if (keys->group.group) {
                IncidentGroup *group = incident_group(i, &keys->group);

                if (!group) {
                        group = &i->groups[i->n_groups++ % INCIDENT_GROUPS];
                        *group = keys->group;
                }
                group->latest_ns = MAX(group->latest_ns, now_ns);
        }
        i->latest_ns = MAX(
                        i->latest_ns, now_ns); /* of two CPUs: the order of the ring is not that of time */
}

static Incident *incidents_open(Incidents *all, const char *id, uint64_t now_ns) {
        Incident *i = incidents_place(all, now_ns);

        *i = (Incident){ .first_ns = now_ns, .latest_ns = now_ns };
        (void)snprintf(i->id, sizeof(i->id), "%s", id);
        return i;
}

const char *incidents_add(Incidents *all, const EventCorrelation *e, uint64_t mono_ns, const char *id) {
        Keys keys = {
                .n_roots = e->n_files,
                .sender = { .start_boot_ns = e->process.start_boot_ns, .pid = e->process.pid },
                .group = { .group = e->process.group, .loginuid = e->process.loginuid },
        };

        for (size_t i = 0; i < e->n_files; i++)
                keys.roots[i] = (IncidentRoot){
                        .opened_ns = e->files[i].mono_ns,
                        .inode = e->files[i].inode,
                        .device = e->files[i].device,
                        .pid = e->files[i].pid,
                };
        Incident *i = incidents_find(all, &keys, mono_ns) ?: incidents_open(all, id, mono_ns);
        incident_learn(i, &keys, mono_ns);
        return i->id;
}

/* ---- after a restart ---- */

/* The time since boot in an alert's id, if it is of this boot. */
static bool id_parse(const char *id, const AlertEpoch *epoch, uint64_t *ret_boot_ns) {
        size_t n = strlen(epoch->boot_id);

        return id && strncmp(id, epoch->boot_id, n) == 0 && sscanf(id + n, "-%16" SCNx64, ret_boot_ns) == 1;
}

static Incident *incidents_by_id(Incidents *all, const char *id) {
        for (Incident *i = all->items; i < all->items + INCIDENTS_MAX; i++)
                if (strcmp(i->id, id) == 0)
                        return i;
        return NULL;
}

static void keys_read_files(Keys *keys, const json_t *files, uint64_t mono_ns) {
        const json_t *file;
        size_t i;

        json_array_foreach(files, i, file) {
                const json_t *pid = json_object_get(file, "pid"), *age = json_object_get(file, "age_ms");
                uint64_t age_ns;

                if (keys->n_roots == BW_FILES_MAX || !json_is_integer(pid) || !json_is_integer(age))
                        continue;
                age_ns = (uint64_t)json_integer_value(age) * NSEC_PER_MSEC;
                if (age_ns >= mono_ns)
                        continue;
                keys->roots[keys->n_roots++] = (IncidentRoot){
                        .opened_ns = mono_ns - age_ns,
                        .pid = (uint32_t)json_integer_value(pid),
                };
        }
}

static void keys_read_sender(Keys *keys, const json_t *process, const AlertEpoch *epoch) {
        uint64_t started;

        if (json_to_time(json_object_get(process, "start_time"), &started) < 0)
                return;
        int64_t boot_usec = (int64_t)started - epoch->realtime_minus_boottime_usec;
        if (boot_usec < 0)
                return;
        keys->sender = (IncidentSender){
                .start_boot_ns = (uint64_t)boot_usec * NSEC_PER_USEC,
                .pid = (uint32_t)json_integer_value(json_object_get(process, "pid")),
        };
}

void incidents_restore(
                Incidents *all, const json_t *alert, const AlertEpoch *epoch, uint64_t boot_minus_mono_ns) {
        const char *id = json_string_value(json_object_get(alert, "incident"));
        uint64_t boot_ns, first_ns;
        Keys keys = { 0 };

        if (!id_parse(json_string_value(json_object_get(alert, "id")), epoch, &boot_ns) ||
                        !id_parse(id, epoch, &first_ns) || strlen(id) >= ALERT_ID_SIZE ||
                        boot_ns < boot_minus_mono_ns || first_ns < boot_minus_mono_ns)
                return;
        const uint64_t mono_ns = boot_ns - boot_minus_mono_ns;
        keys_read_files(&keys, json_object_get(alert, "files"), mono_ns);
        keys_read_sender(&keys, json_object_get(alert, "process"), epoch);
        Incident *i = incidents_by_id(all, id) ?: incidents_open(all, id, mono_ns);
        i->first_ns = MIN(i->first_ns, first_ns - boot_minus_mono_ns);
        incident_learn(i, &keys, mono_ns);
}
