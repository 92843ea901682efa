/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "log.h"
#include "sensor-carry.h"

/* Entries taken per call: more than any bucket of a hash table has. */
#define BATCH 256

const char sensor_carry_names[] = "names.1";

/* What refers to each other: all of it goes on, or none. */
static bool map_is_core(SensorMap map) {
        return map == SENSOR_MAP_SHARED || map == SENSOR_MAP_REPEATS || map == SENSOR_MAP_REPEAT_NEXT ||
                map == SENSOR_MAP_MARKED || map >= SENSOR_MAP_HOST;
}

/* A number of what the kernel tells of a descriptor (/proc/self/fdinfo), which needs no privilege; -1: it does not. */
static int64_t descriptor_number(int fd, const char *key) {
        char path[64], line[256];
        size_t n = strlen(key);

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                if (strncmp(line, key, n) == 0 && line[n] == ':')
                        return strtoll(line + n + 1, NULL, 10);
        return -1;
}

static SensorShape map_shape(int fd) {
        return (SensorShape){
                .type = descriptor_number(fd, "map_type"),
                .key_bytes = descriptor_number(fd, "key_size"),
                .value_bytes = descriptor_number(fd, "value_size"),
                .entries = descriptor_number(fd, "max_entries"),
        };
}

static bool shape_is_same(const SensorShape *a, const SensorShape *b, bool but_entries) {
        return a->type == b->type && a->key_bytes == b->key_bytes && a->value_bytes == b->value_bytes &&
                (but_entries || a->entries == b->entries);
}

/* Of a hook's link or program. */
static void hook_name(char ret[static 64], const char *what, const char *section) {
        snprintf(ret, 64, "%s.%s", what, section);
}

/* One hook's program and its link. -EBADMSG: it is not what it should be. */
static int hook_adopt(const SensorStore *store, const SensorPlan *plan, const char *section, int *ret_program,
        int *ret_link) {
        char program_name[64], link_name[64];

        hook_name(program_name, "program", section);
        hook_name(link_name, "link", section);
        int program = sensor_store_find(store, plan->identity, program_name);
        int link = sensor_store_find(store, plan->identity, link_name);
        int64_t id = program < 0 ? -1 : descriptor_number(program, "prog_id");
        if (id < 0 || link < 0 || descriptor_number(link, "link_id") < 0 || descriptor_number(link, "prog_id") != id) {
                log_warning("What systemd kept is not whole: %s is missing or is something else.", section);
                return -EBADMSG;
        }
        if (descriptor_number(link, "cgroup_id") == 0) { /* a detached link has lost its cgroup */
                log_warning("What systemd kept is not whole: %s was taken off its hook.", section);
                return -EBADMSG;
        }
        int r = descriptor_keep(program, ret_program);
        return r < 0 ? r : descriptor_keep(link, ret_link);
}

/* Which sensor they are of: the one that has most of these hooks in the store. Sensors have hooks in common. */
static SensorKind hooks_kind(const SensorStore *store, const SensorPlan *plan, uint64_t hooks) {
        SensorKind found = SENSOR_KINDS;
        char name[64];

        for (size_t kind = 0, most = 0; kind < SENSOR_KINDS; kind++) {
                size_t n = 0;

                for (unsigned i = BW_HOOK_EXIT + 1; i < BW_HOOK_MAX; i++) {
                        if (!(hooks >> i & 1) || !hook_infos[i].sections[kind])
                                continue;
                        hook_name(name, "link", hook_infos[i].sections[kind]);
                        n += sensor_store_find(store, plan->identity, name) >= 0;
                }
                if (n > most) {
                        most = n;
                        found = kind;
                }
        }
        return found;
}

static int parts_adopt(const SensorStore *store, const SensorPlan *plan, SensorParts *parts) {
        struct bw_shared shared = {};
        uint32_t first = 0;
        int r = 0;

        if (sensor_store_find(store, plan->identity, sensor_carry_names) < 0) {
                log_warning("What systemd kept is not whole: %s is missing.", sensor_carry_names);
                return -EBADMSG;
        }
        memcpy(parts->shapes, plan->shapes, sizeof(parts->shapes));
        for (size_t i = 0; i < SENSOR_MAPS && r == 0; i++) {
                int fd = sensor_store_find(store, plan->identity, sensor_map_names[i]);
                SensorShape shape = map_shape(fd);

                if (fd < 0 || !shape_is_same(&shape, &plan->shapes[i], false)) {
                        log_warning("What systemd kept is not whole: %s is missing or is something else.",
                                sensor_map_names[i]);
                        return -EBADMSG;
                }
                r = descriptor_keep(fd, &parts->maps[i]);
        }
        if (r == 0 && bpf_map_lookup_elem(parts->maps[SENSOR_MAP_SHARED], &first, &shared) < 0)
                r = -errno;
        parts->kind = hooks_kind(store, plan, shared.hooks);
        if (r == 0 && parts->kind == SENSOR_KINDS) {
                log_warning("What systemd kept is not whole: it has no hooks.");
                return -EBADMSG;
        }
        for (unsigned i = 0; i < BW_HOOK_MAX && r == 0; i++)
                if (shared.hooks >> i & 1)
                        r = hook_adopt(store, plan, hook_infos[i].sections[parts->kind] ?: "?", &parts->programs[i],
                                &parts->links[i]);
        return r;
}

int sensor_carry_adopt(const SensorStore *store, const SensorPlan *plan, SensorParts *ret) {
        SensorParts parts;

        if (sensor_store_find(store, plan->identity, NULL) < 0)
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

int sensor_carry_keep(SensorStore *store, const SensorPlan *plan, const SensorParts *parts, int names) {
        char name[64];
        int r = 0;

        for (unsigned i = 0; i < BW_HOOK_MAX && r >= 0; i++) {
                if (parts->links[i] < 0)
                        continue;
                hook_name(name, "program", hook_infos[i].sections[parts->kind]);
                r = sensor_store_put(store, plan->identity, name, parts->programs[i]);
                if (r < 0)
                        break;
                hook_name(name, "link", hook_infos[i].sections[parts->kind]);
                r = sensor_store_put(store, plan->identity, name, parts->links[i]);
        }
        for (size_t i = 0; i < SENSOR_MAPS && r >= 0; i++) {
                /* Under its old name systemd would not take it. A ring that is not read to its end yet is another one. */
                int old = sensor_store_find(store, NULL, sensor_map_names[i]);
                if (old >= 0 && descriptor_number(old, "map_id") == descriptor_number(parts->maps[i], "map_id"))
                        sensor_store_remove(store, NULL, sensor_map_names[i], NULL);
                r = sensor_store_put(store, plan->identity, sensor_map_names[i], parts->maps[i]);
        }
        sensor_store_remove(store, NULL, sensor_carry_names, NULL);
        return r < 0 ? r : sensor_store_put(store, plan->identity, sensor_carry_names, names);
}

size_t sensor_carry_programs(const SensorStore *store, uint32_t ret[static SENSOR_CARRY_PROGRAMS_MAX]) {
        size_t n = 0;
        int fd;

        for (size_t i = 0; n < SENSOR_CARRY_PROGRAMS_MAX && (fd = sensor_store_nth(store, "program.", i)) >= 0; i++)
                ret[n++] = descriptor_number(fd, "prog_id");
        return n;
}

bool sensor_carry_find(const SensorStore *store, const SensorPlan *plan, SensorCarry *ret) {
        char other[SENSOR_IDENTITY_SIZE];
        bool any = sensor_store_other(store, plan->identity, other);
        bool core = any && sensor_store_find(store, other, sensor_carry_names) >= 0;

        *ret = (SensorCarry){};
        ret->n_programs = sensor_carry_programs(store, ret->programs);
        for (size_t i = 0; i < SENSOR_MAPS; i++) {
                int fd = any ? sensor_store_find(store, other, sensor_map_names[i]) : -1;
                SensorShape shape = fd < 0 ? (SensorShape){} : map_shape(fd);

                ret->shapes[i] = shape;
                ret->reuse[i] = fd >= 0 && shape_is_same(&shape, &plan->shapes[i], false) ? fd : -1;
                ret->copy[i] = fd >= 0 && ret->reuse[i] < 0 && shape_is_same(&shape, &plan->shapes[i], true) ? fd : -1;
                if (map_is_core(i))
                        core = core && ret->reuse[i] >= 0;
        }
        if (ret->reuse[SENSOR_MAP_CELLS] < 0 || !core) /* with the policy's bits */
                ret->reuse[SENSOR_MAP_TABLE] = ret->reuse[SENSOR_MAP_CELLS] = -1;
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
        size_t value_bytes, room, n, added, refused, objects;
        char *there; /* the same entry of `to` */
        int to;
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
        c->objects += !there && c->is_marks && holder_is_object(key);
}

size_t sensor_carry_copy(SensorCarry *c, SensorMap map, int to, size_t room) {
        size_t value_bytes = c->shapes[map].value_bytes;
        _cleanup_free_ char *there = calloc(1, (value_bytes + 7) / 8 * 8);
        Copy copy = { .value_bytes = value_bytes, .room = room, .added = c->added[map], .there = there, .to = to,
                .is_marks = map == SENSOR_MAP_MARKS };

        if (there)
                table_walk(c->copy[map], &c->shapes[map], on_entry_copied, &copy);
        c->added[map] = copy.added;
        if (copy.is_marks) {
                c->refused = copy.refused;
                c->added_objects += copy.objects;
        }
        return copy.n;
}

static void on_entry_counted(const void *key, const void *value, void *userdata) {
        size_t *n = userdata;

        (void)value;
        n[holder_is_object(key)]++;
}

size_t sensor_carry_count_marks(const SensorStore *store, size_t *ret_objects) {
        int map = sensor_store_find(store, NULL, "marks.");
        SensorShape shape = map_shape(map);
        size_t n[2] = {};

        if (map >= 0 && shape.type == BPF_MAP_TYPE_LRU_HASH && shape.key_bytes == sizeof(uint64_t))
                table_walk(map, &shape, on_entry_counted, n);
        *ret_objects = n[true];
        return n[false] + n[true];
}
