/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "abi/shared.h"
#include "basic/fdinfo.h"
#include "basic/log.h"
#include "sensor/carry.h"

/* Entries read per call: more than any bucket of a hash table has. */
#define BATCH 256

const char sensor_carry_names[] = "names.1";

/* Tables that refer to each other: all of them are shared, or none. */
static bool map_is_core(SensorMap map) {
        return map == SENSOR_MAP_SHARED || map == SENSOR_MAP_REPEATS || map == SENSOR_MAP_REPEAT_NEXT ||
               map >= SENSOR_MAP_HOST;
}

/* All 0 (no type has that number) if the descriptor is of no table: nothing in the store is believed by its
 * name. */
static SensorShape map_shape(int fd) {
        int64_t type = fdinfo_get(fd, "map_type"), key_bytes = fdinfo_get(fd, "key_size"),
                value_bytes = fdinfo_get(fd, "value_size"), entries = fdinfo_get(fd, "max_entries");

        if (type <= 0 || key_bytes < 0 || value_bytes < 0 || entries < 0)
                return (SensorShape){};
        return (SensorShape){ .type = (uint32_t)type,
                .key_bytes = (uint32_t)key_bytes,
                .value_bytes = (uint32_t)value_bytes,
                .entries = (uint32_t)entries };
}

static bool shape_is_same(const SensorShape *a, const SensorShape *b, bool but_entries) {
        return a->type == b->type && a->key_bytes == b->key_bytes && a->value_bytes == b->value_bytes &&
               (but_entries || a->entries == b->entries);
}

/* The name in the store of a hook's link or program. */
static void hook_name(char ret[static 64], const char *what, const char *section) {
        snprintf(ret, 64, "%s.%s", what, section);
}

/* Duplicates the descriptors of one hook's program and link. -EBADMSG: one is missing or of another type. */
static int hook_adopt(const FdStore *store, const SensorPlan *plan, const char *section, int *ret_program,
                int *ret_link) {
        char program_name[64], link_name[64];

        hook_name(program_name, "program", section);
        hook_name(link_name, "link", section);
        int program = fd_store_find(store, plan->identity, program_name);
        int link = fd_store_find(store, plan->identity, link_name);
        int64_t id = program < 0 ? -1 : fdinfo_get(program, "prog_id");
        if (id < 0 || link < 0 || fdinfo_get(link, "link_id") < 0 || fdinfo_get(link, "prog_id") != id) {
                log_warning("File descriptor store is incomplete: %s is missing or has an unexpected type.",
                                section);
                return -EBADMSG;
        }
        if (fdinfo_get(link, "cgroup_id") == 0) { /* a detached link has lost its cgroup */
                log_warning("File descriptor store is incomplete: %s was detached from its hook.", section);
                return -EBADMSG;
        }
        int r = fd_copy(program, ret_program);
        return r < 0 ? r : fd_copy(link, ret_link);
}

/* The same of a program that is not attached yet. */
static int program_adopt(
                const FdStore *store, const SensorPlan *plan, const char *section, int *ret_program) {
        char name[64];

        hook_name(name, "program", section);
        int program = fd_store_find(store, plan->identity, name);
        return program < 0 || fdinfo_get(program, "prog_id") < 0 ? 0 : fd_copy(program, ret_program);
}

/* Which sensor the hooks in the store belong to: the one that has most of them, as sensors have hooks in
 * common. */
static SensorKind hooks_kind(const FdStore *store, const SensorPlan *plan, uint64_t hooks) {
        SensorKind found = SENSOR_KINDS;
        char name[64];

        for (size_t kind = 0, most = 0; kind < SENSOR_KINDS; kind++) {
                size_t n = 0;

                for (unsigned i = BW_HOOK_EXIT + 1; i < BW_HOOK_MAX; i++) {
                        if (!(hooks >> i & 1) || !hook_infos[i].sections[kind])
                                continue;
                        hook_name(name, "link", hook_infos[i].sections[kind]);
                        n += fd_store_find(store, plan->identity, name) >= 0;
                }
                if (n > most) {
                        most = n;
                        found = kind;
                }
        }
        return found;
}

/* The kernel empties this table when its last descriptor is closed. */
static int tails_check(const SensorParts *parts, uint64_t hooks) {
        for (uint32_t i = 0, id; i < BW_TAIL_MAX; i++)
                if (hooks >> tail_infos[i].hook & 1 &&
                                bpf_map_lookup_elem(parts->maps[SENSOR_MAP_TAILS], &i, &id) < 0) {
                        log_warning("File descriptor store is incomplete: the program %s has gone.",
                                        tail_infos[i].program);
                        return -EBADMSG;
                }
        return 0;
}

static int parts_adopt(const FdStore *store, const SensorPlan *plan, SensorParts *parts) {
        struct bw_shared shared = {};
        uint32_t first = 0;
        int r = 0;

        if (fd_store_find(store, plan->identity, sensor_carry_names) < 0) {
                log_warning("File descriptor store is incomplete: %s is missing.", sensor_carry_names);
                return -EBADMSG;
        }
        memcpy(parts->shapes, plan->shapes, sizeof(parts->shapes));
        for (size_t i = 0; i < SENSOR_MAPS && r == 0; i++) {
                int fd = fd_store_find(store, plan->identity, sensor_map_names[i]);
                SensorShape shape = map_shape(fd);

                if (fd < 0 || !shape_is_same(&shape, &plan->shapes[i], false)) {
                        log_warning("File descriptor store is incomplete: %s is missing or has an "
                                    "unexpected type.",
                                        sensor_map_names[i]);
                        return -EBADMSG;
                }
                r = fd_copy(fd, &parts->maps[i]);
        }
        if (r == 0 && bpf_map_lookup_elem(parts->maps[SENSOR_MAP_SHARED], &first, &shared) < 0)
                r = -errno;
        parts->kind = hooks_kind(store, plan, shared.hooks);
        if (r == 0 && parts->kind == SENSOR_KINDS) {
                log_warning("File descriptor store is incomplete: it has no hooks.");
                return -EBADMSG;
        }
        for (unsigned i = 0; i < BW_HOOK_MAX && r == 0; i++) {
                const char *section = hook_infos[i].sections[parts->kind];

                if (shared.hooks >> i & 1)
                        r = hook_adopt(store, plan, section ?: "?", &parts->programs[i], &parts->links[i]);
                else if (section && hook_infos[i].denies)
                        r = program_adopt(store, plan, section, &parts->programs[i]);
        }
        return r < 0 ? r : tails_check(parts, shared.hooks);
}

int sensor_carry_adopt(const FdStore *store, const SensorPlan *plan, SensorParts *ret) {
        SensorParts parts;

        if (fd_store_find(store, plan->identity, NULL) < 0)
                return -ENOENT;
        sensor_parts_init(&parts);
        int r = parts_adopt(store, plan, &parts);
        if (r < 0) {
                sensor_parts_done(&parts);
                return r;
        }
        *ret = parts;
        return 0;
}

int sensor_carry_link(FdStore *store, const char *identity, const SensorParts *parts, enum bw_hook hook) {
        char name[64];

        hook_name(name, "link", hook_infos[hook].sections[parts->kind]);
        return fd_store_put(store, identity, name, parts->links[hook]);
}

int sensor_carry_keep(FdStore *store, const SensorPlan *plan, const SensorParts *parts, int names) {
        char name[64];
        int r = 0;

        for (unsigned i = 0; i < BW_HOOK_MAX && r >= 0; i++) {
                if (parts->links[i] < 0 && !(hook_infos[i].denies && parts->programs[i] >= 0))
                        continue;
                hook_name(name, "program", hook_infos[i].sections[parts->kind]);
                r = fd_store_put(store, plan->identity, name, parts->programs[i]);
                if (r >= 0 && parts->links[i] >= 0)
                        r = sensor_carry_link(store, plan->identity, parts, i);
        }
        for (size_t i = 0; i < SENSOR_MAPS && r >= 0; i++) {
                /* systemd refuses a descriptor that it already has under another name. A ring of old
                 * programs that has unread records is a map of its own, and stays. */
                int old = fd_store_find(store, NULL, sensor_map_names[i]);
                if (old >= 0 && fdinfo_get(old, "map_id") == fdinfo_get(parts->maps[i], "map_id"))
                        fd_store_remove(store, NULL, sensor_map_names[i], NULL);
                r = fd_store_put(store, plan->identity, sensor_map_names[i], parts->maps[i]);
        }
        fd_store_remove(store, NULL, sensor_carry_names, NULL);
        return r < 0 ? r : fd_store_put(store, plan->identity, sensor_carry_names, names);
}

size_t sensor_carry_programs(const FdStore *store, uint32_t ret[static SENSOR_CARRY_PROGRAMS_MAX]) {
        size_t n = 0;
        int fd;

        for (size_t i = 0; n < SENSOR_CARRY_PROGRAMS_MAX && (fd = fd_store_nth(store, "program.", i)) >= 0;
                        i++) {
                int64_t id = fdinfo_get(fd, "prog_id");

                if (id >= 0)
                        ret[n++] = (uint32_t)id;
        }
        return n;
}

/* A queue has the keys of its table: both are shared, or the copy of the table fills a new queue. */
static void carry_pair(SensorCarry *c, SensorMap table, SensorMap queue) {
        if (c->reuse[table] >= 0 && c->reuse[queue] >= 0)
                return;
        if (c->copy[table] < 0)
                c->copy[table] = c->reuse[table];
        c->reuse[table] = c->reuse[queue] = -1;
}

bool sensor_carry_find(const FdStore *store, const SensorPlan *plan, SensorCarry *ret) {
        char other[FD_STORE_IDENTITY_SIZE];
        bool any = fd_store_other(store, plan->identity, other);
        bool core = any && fd_store_find(store, other, sensor_carry_names) >= 0;

        *ret = (SensorCarry){};
        ret->n_programs = sensor_carry_programs(store, ret->programs);
        for (size_t i = 0; i < SENSOR_MAPS; i++) {
                int fd = any ? fd_store_find(store, other, sensor_map_names[i]) : -1;
                SensorShape shape = fd < 0 ? (SensorShape){} : map_shape(fd);

                ret->shapes[i] = shape;
                ret->reuse[i] = fd >= 0 && shape_is_same(&shape, &plan->shapes[i], false) ? fd : -1;
                ret->copy[i] = fd >= 0 && ret->reuse[i] < 0 && shape_is_same(&shape, &plan->shapes[i], true)
                                               ? fd
                                               : -1;
                if (map_is_core(i))
                        core = core && ret->reuse[i] >= 0;
        }
        carry_pair(ret, SENSOR_MAP_MARKS, SENSOR_MAP_MARKED);
        carry_pair(ret, SENSOR_MAP_OBJECTS, SENSOR_MAP_OBJECT_QUEUE);
        carry_pair(ret, SENSOR_MAP_SENSITIVE, SENSOR_MAP_SENSITIVE_QUEUE);
        carry_pair(ret, SENSOR_MAP_NAMES, SENSOR_MAP_NAME_QUEUE);
        carry_pair(ret, SENSOR_MAP_RINGS, SENSOR_MAP_RING_QUEUE);
        /* Ids without their names are worth nothing. */
        core = core && (ret->reuse[SENSOR_MAP_NAMES] >= 0 || ret->copy[SENSOR_MAP_NAMES] >= 0);
        /* With the policy's bits; and old programs go on with their own cells beside their own table. */
        if (ret->reuse[SENSOR_MAP_CELLS] < 0 || ret->reuse[SENSOR_MAP_TABLE] < 0 || !core)
                ret->reuse[SENSOR_MAP_TABLE] = ret->reuse[SENSOR_MAP_CELLS] = -1;
        ret->reuse[SENSOR_MAP_TAILS] = ret->copy[SENSOR_MAP_TAILS] = -1; /* it is of the old programs */
        for (size_t i = 0; i < SENSOR_MAPS && !core; i++)
                if (i != SENSOR_MAP_RING && i != SENSOR_MAP_REPORTED)
                        ret->reuse[i] = ret->copy[i] = -1;
        return any;
}

/* Calls the handler for each entry. */
typedef void (*EntryHandler)(const void *key, const void *value, void *userdata);

static void table_walk(int map, const SensorShape *shape, EntryHandler handler, void *userdata) {
        size_t stride = (shape->value_bytes + 7) / 8 * 8;
        _cleanup_free_ char *keys = calloc(BATCH, shape->key_bytes), *values = calloc(BATCH, stride);
        uint32_t at, n = BATCH;
        bool begun = false;
        int r = 0;

        while (keys && values && r == 0) {
                n = BATCH;
                r = bpf_map_lookup_batch(map, begun ? &at : NULL, &at, keys, values, &n, NULL);
                if (r < 0 && errno != ENOENT)
                        break;
                begun = true;
                for (uint32_t i = 0; i < n; i++)
                        handler(keys + i * shape->key_bytes, values + i * stride, userdata);
        }
}

typedef struct Copy {
        size_t value_bytes, room, n, added, refused, contents;
        char *there; /* the same entry of `to` */
        int to, queue;
        bool is_marks;
} Copy;

static bool holder_is_object(const void *key) {
        uint64_t holder;

        memcpy(&holder, key, sizeof(holder));
        return holder & BW_HOLDER_OBJECT;
}

static void on_entry_copied(const void *key, const void *value, void *userdata) {
        Copy *c = userdata;
        bool there = bpf_map_lookup_elem(c->to, key, c->there) == 0;

        if (there && memcmp(c->there, value, c->value_bytes) == 0)
                return;
        if (!there && c->added >= c->room) {
                c->refused++;
                return;
        }
        if (bpf_map_update_elem(c->to, key, value, there ? BPF_EXIST : BPF_NOEXIST) < 0)
                return;
        c->n++;
        c->added += !there;
        c->contents += !there && c->is_marks && holder_is_object(key);
        if (!there && c->queue >= 0)
                (void)bpf_map_update_elem(c->queue, NULL, key, BPF_ANY);
}

size_t sensor_carry_copy(SensorCarry *c, SensorMap map, int to, int queue, size_t room) {
        size_t value_bytes = c->shapes[map].value_bytes;
        _cleanup_free_ char *there = calloc(1, (value_bytes + 7) / 8 * 8);
        Copy copy = { .value_bytes = value_bytes,
                .room = room,
                .added = c->added[map],
                .there = there,
                .to = to,
                .queue = queue,
                .is_marks = map == SENSOR_MAP_MARKS };

        if (there)
                table_walk(c->copy[map], &c->shapes[map], on_entry_copied, &copy);
        c->added[map] = copy.added;
        if (copy.is_marks) {
                c->refused = copy.refused;
                c->added_contents += copy.contents;
        }
        return copy.n;
}

static void on_entry_counted(const void *key, const void *value, void *userdata) {
        size_t *n = userdata;

        (void)value;
        n[holder_is_object(key)]++;
}

/* Adds the entries of a table to n[], by whether they are of processes or of objects. */
static void table_count(const FdStore *store, const char *name, uint32_t type, size_t n[static 2]) {
        int map = fd_store_find(store, NULL, name);
        SensorShape shape = map_shape(map);

        if (shape.type == type && shape.key_bytes == sizeof(uint64_t))
                table_walk(map, &shape, on_entry_counted, n);
}

static void on_any_counted(const void *key, const void *value, void *userdata) {
        size_t *n = userdata;

        (void)key;
        (void)value;
        (*n)++;
}

/* The entries of a table of this layout; 0 if there is none. */
static size_t entries_count(const FdStore *store, SensorMap table) {
        int map = fd_store_find(store, NULL, sensor_map_names[table]);
        SensorShape shape = map_shape(map);
        size_t n = 0;

        if (shape.type == BPF_MAP_TYPE_HASH)
                table_walk(map, &shape, on_any_counted, &n);
        return n;
}

SensorHeld sensor_carry_count(const FdStore *store) {
        size_t marks[2] = {}, objects[2] = {}, files[2] = {};

        table_count(store, "marks.", BPF_MAP_TYPE_LRU_HASH, marks);
        table_count(store, "objects.", BPF_MAP_TYPE_HASH, objects);
        table_count(store, "sensitive.", BPF_MAP_TYPE_HASH, files);
        return (SensorHeld){ .marks = marks[false],
                .contents = marks[true],
                .objects = objects[true],
                .files = files[true],
                .lineages = entries_count(store, SENSOR_MAP_PROCESSES),
                .mappings = entries_count(store, SENSOR_MAP_MAPPINGS),
                .names = entries_count(store, SENSOR_MAP_NAMES),
                .rings = entries_count(store, SENSOR_MAP_RINGS) };
}
