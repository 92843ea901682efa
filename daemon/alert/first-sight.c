/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alert/first-sight.h"
#include "basic/hash.h"
#include "basic/util.h"

/* Of the process: its executable is the interpreter. Code of its user alone is no objection: the script is
 * that, too (BW_SCRIPT_FOREIGN_CODE has what others may change). */
#define FLAGS_ACCEPTED BW_PROCESS_FOREIGN_CODE

static const char *const sight_names[] = { [SIGHT_FIRST] = "first", [SIGHT_KNOWN] = "known" };

const char *sight_to_string(Sight sight) {
        return sight_names[sight];
}

static uint64_t class_hash(const char *name) {
        return fnv1a(FNV1A_INIT, name, strlen(name));
}

/* The process, or the one that it was forked from, opened its user's own file, and has run the same script
 * since. */
static bool file_is_own(const EventFile *f, const EventProcess *p) {
        return (f->via == BW_VIA_OPEN || f->via == BW_VIA_FORK) && !f->handed_over && !f->execed &&
               f->owned && f->uid == p->uid;
}

static bool script_is_own(const EventProcess *p) {
        const EventScript *s = &p->script;

        return s->inode != 0 && s->path.size > 0 && s->path.data[0] == '/' && s->flags == 0 &&
               !path_in_shared_directory(s->path) && (p->flags & ~(uint32_t)FLAGS_ACCEPTED) == 0;
}

/* The class, if it is the only one that is involved, and every file is the user's own. NULL: it is not. */
static const PolicyClass *only_class(const EventCorrelation *e, uint64_t lineage_classes, const Policy *p,
                const PolicyNames *names) {
        const uint64_t classes = e->classes | lineage_classes;

        if (__builtin_popcountll(classes) != 1 || e->n_files == 0 || e->flags & BW_CORRELATION_FILES_MORE)
                return NULL;
        for (size_t i = 0; i < e->n_files; i++)
                if (e->files[i].classes != classes || !file_is_own(&e->files[i], &e->process))
                        return NULL;
        return policy_class_by_bit(p, names, (unsigned)__builtin_ctzll(classes));
}

static bool script_is(const FirstSight *s, const EventScript *script, uint32_t uid) {
        return s->uid == uid && s->script.inode == script->inode && s->script.device == script->device &&
               s->script.ctime_ns == script->ctime_ns && s->script.size == script->size;
}

static FirstSight *first_sights_find(FirstSights *all, const EventScript *script, uint32_t uid) {
        for (FirstSight *s = all->items; s < all->items + FIRST_SIGHTS_MAX; s++)
                if (script_is(s, script, uid))
                        return s;
        return NULL;
}

/* The place for a new one: unused, or of what has not been used for longest: of this user, if he has a
 * quarter of all. */
static FirstSight *first_sights_place(FirstSights *all, uint32_t uid) {
        FirstSight *oldest = all->items, *own = NULL;
        size_t n_own = 0;

        for (FirstSight *s = all->items; s < all->items + FIRST_SIGHTS_MAX; s++) {
                if (s->turn < oldest->turn)
                        oldest = s;
                if (s->script.inode == 0 || s->uid != uid)
                        continue;
                n_own++;
                if (!own || s->turn < own->turn)
                        own = s;
        }
        return n_own >= FIRST_SIGHTS_MAX / 4 ? own : oldest;
}

static FirstSight *first_sights_add(FirstSights *all, const EventScript *script, uint32_t uid,
                uint64_t class, uint64_t boot_ns) {
        FirstSight *s = first_sights_place(all, uid);

        *s = (FirstSight){
                .script = *script, .class = class, .first_boot_ns = boot_ns, .uid = uid, .turn = ++all->turn
        };
        s->script.path = (Bytes){}; /* of the record */
        return s;
}

Sight first_sights_look(FirstSights *all, const EventCorrelation *e, uint64_t boot_ns, const Score *score,
                uint64_t lineage_classes, const Policy *p, const PolicyNames *names) {
        const EventProcess *process = &e->process;

        if (score->ignored || score->below || score->lineage_is_suspect ||
                        e->flags & (BW_CORRELATION_FLOOD | BW_CORRELATION_SUSPECT) ||
                        !script_is_own(process))
                return SIGHT_NONE;
        FirstSight *s = first_sights_find(all, &process->script, process->uid);
        const PolicyClass *class = only_class(e, lineage_classes, p, names);
        if (!class || !class->first_sight)
                return SIGHT_NONE;
        if (!s) {
                first_sights_add(all, &process->script, process->uid, class_hash(class->name), boot_ns);
                return SIGHT_FIRST;
        }
        s->turn = ++all->turn;
        if (s->class != class_hash(class->name)) /* a second class */
                return SIGHT_NONE;
        return s->first_boot_ns == boot_ns ? SIGHT_FIRST : SIGHT_KNOWN;
}

void script_object_format(const EventScript *s, char ret[static SCRIPT_OBJECT_SIZE]) {
        (void)snprintf(ret, SCRIPT_OBJECT_SIZE, "%u:%u/%" PRIu64 "/%" PRIu64 ".%09" PRIu64 "/%" PRIu64,
                        s->device >> 20, s->device & 0xfffff, s->inode,
                        (uint64_t)(s->ctime_ns / NSEC_PER_SEC), (uint64_t)(s->ctime_ns % NSEC_PER_SEC),
                        s->size);
}

static bool script_object_parse(const char *text, EventScript *ret) {
        unsigned major, minor;
        uint64_t sec, nsec;
        EventScript s = {};
        int n = 0;

        if (!text ||
                        sscanf(text, "%u:%u/%" SCNu64 "/%" SCNu64 ".%" SCNu64 "/%" SCNu64 "%n", &major,
                                        &minor, &s.inode, &sec, &nsec, &s.size, &n) != 6 ||
                        text[n] || s.inode == 0)
                return false;
        s.device = major << 20 | minor;
        s.ctime_ns = sec * NSEC_PER_SEC + nsec;
        *ret = s;
        return true;
}

void first_sights_restore(FirstSights *all, const json_t *alert) {
        const json_t *process = json_object_get(alert, "process"), *uid = json_object_get(process, "uid");
        const char *class = json_string_value(json_array_get(json_object_get(alert, "classes"), 0)),
                   *sight = json_string_value(json_object_get(alert, "script_sight"));
        EventScript script;

        if (!sight || !class || !json_is_integer(uid) ||
                        !script_object_parse(json_string_value(json_object_get(process, "script_object")),
                                        &script))
                return;
        FirstSight *s = first_sights_find(all, &script, (uint32_t)json_integer_value(uid));
        if (s)
                s->turn = ++all->turn;
        else
                first_sights_add(all, &script, (uint32_t)json_integer_value(uid), class_hash(class), 0);
}
