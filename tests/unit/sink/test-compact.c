/* SPDX-License-Identifier: GPL-2.0-or-later */

/* BARBWIRE_JSON= of an alert that is too long: below 4,096 bytes whatever the alert has, what it is judged
 * by in full, and a member that names everything that was cut. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "alert/json.h"
#include "sink/compact.h"
#include "sink/entry.h"
#include "basic/util.h"
#include "../alert-fixture.h"
#include "../sent-entry.h"

/* journalctl -o json without -a shows a longer field as null. */
#define FIELD_MAX 4096

/* The field's object; the complete one in *ret_complete, NULL where there is none. */
static json_t *compact_of(const Alert *a, json_t **ret_complete) {
        _cleanup_(sent_freep) Sent *s = sent_of(a);
        const Field *f = datagram_nth(&s->d, "BARBWIRE_JSON", 0),
                    *complete = datagram_nth(&s->d, "BARBWIRE_JSON_COMPLETE", 0);

        assert_true(strlen("BARBWIRE_JSON=") + f->size < FIELD_MAX);
        for (size_t i = 0; i < f->size; i++)
                assert_true(f->data[i] >= 0x20 && f->data[i] < 0x7f);
        *ret_complete = complete ? json_loadb(complete->data, complete->size, 0, NULL) : NULL;
        json_t *o = json_loadb(f->data, f->size, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        return o;
}

static bool is_cut(const json_t *o, const char *path) {
        const json_t *item;
        size_t i;

        json_array_foreach(json_object_get(o, "cut"), i,
                        item) if (strcmp(json_string_value(item), path) == 0) return true;
        return false;
}

/* Every difference has its path in "cut", or is one of the flags that say so. */
static void assert_differences(
                const json_t *cut, const char *path, const json_t *complete, const json_t *compact) {
        const char *name;
        json_t *member;
        size_t i;

        if (json_equal(complete, compact))
                return;
        assert_int_equal(json_typeof(complete), json_typeof(compact));
        if (json_is_object(complete)) {
                json_object_foreach((json_t *)complete, name, member) {
                        char inner[128];
                        bool flag = strcmp(name, "files_more") == 0 || strcmp(name, "lineage_more") == 0 ||
                                    strcmp(name, "route_cut") == 0;

                        (void)snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] ? "." : "", name);
                        assert_non_null(json_object_get(compact, name));
                        const json_t *other = json_object_get(compact, name);
                        if (flag)
                                assert_true(json_equal(member, other) || json_is_true(other));
                        else
                                assert_differences(cut, inner, member, json_object_get(compact, name));
                }
                return;
        }
        if (json_is_array(complete) && json_array_size(complete) == json_array_size(compact)) {
                json_array_foreach(complete, i, member)
                                assert_differences(cut, path, member, json_array_get(compact, i));
                return;
        }
        if (!is_cut(cut, path))
                fail_msg("%s was cut, and is not named", path);
}

static void assert_same(const json_t *a, const json_t *b, const char *member) {
        assert_true(json_equal(json_object_get(a, member), json_object_get(b, member)));
}

/* What an alert is judged by. */
static void assert_essential(const json_t *complete, const json_t *compact) {
        static const char *const members[] = { "kind", "id", "incident", "time", "severity", "score",
                "evidence", "action", "repeats", "flood", "suspect" };
        static const char *const destination[] = { "family", "address", "port", "act" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                assert_same(complete, compact, members[i]);
        for (size_t i = 0; i < ELEMENTSOF(destination); i++)
                assert_same(json_object_get(complete, "destination"),
                                json_object_get(compact, "destination"), destination[i]);
        assert_same(json_object_get(complete, "process"), json_object_get(compact, "process"), "pid");
        assert_same(json_object_get(complete, "process"), json_object_get(compact, "process"), "uid");
        assert_same(json_object_get(complete, "process"), json_object_get(compact, "process"),
                        "script_object");
        assert_same(json_object_get(complete, "process"), json_object_get(compact, "process"), "exe_object");
        assert_int_not_equal(json_array_size(json_object_get(compact, "files")), 0);
        assert_non_null(json_string_value(json_array_get(json_object_get(compact, "classes"), 0)));
}

static Alert *full_alert(Event *e, char paths[BW_FILES_MAX][32]) {
        EventCorrelation *c = &e->correlation;

        c->n_files = BW_FILES_MAX;
        c->n_lineage = BW_LINEAGE_MAX;
        for (unsigned i = 0; i < BW_FILES_MAX; i++) {
                (void)snprintf(paths[i], 32, "/secret/%u", i);
                c->files[i] = c->files[0];
                c->files[i].path = view(paths[i]);
                c->files[i].mono_ns -= i * NSEC_PER_SEC;
                c->files[i].classes = i == 6 ? BIT(SSH) : BIT(AWS);
        }
        for (unsigned i = 0; i < BW_LINEAGE_MAX; i++)
                c->lineage[i] = (EventAncestor){
                        .pid = 100 + i, .comm = view("sh"), .exe = view("/bin/sh")
                };
        c->classes = BIT(SSH) | BIT(AWS);
        return alert_of(e);
}

static void test_short(void **state) {
        (void)state;
        Event e = event_new();
        _cleanup_(alert_freep) Alert *a = alert_of(&e);
        json_t *complete = NULL;
        json_auto_t *o = compact_of(a, &complete);

        assert_null(complete);
        assert_null(json_object_get(o, "cut"));
}

/* Files go first, and the one that the sentence names stays, though it is not the newest. */
static void test_files(void **state) {
        (void)state;
        Event e = event_new_piped();
        char paths[BW_FILES_MAX][32];
        _cleanup_(alert_freep) Alert *a = full_alert(&e, paths);
        json_t *loaded = NULL;
        json_auto_t *o = compact_of(a, &loaded), *complete = loaded;
        const json_t *files = json_object_get(o, "files");
        bool found = false;
        const json_t *file;
        size_t i;

        assert_int_equal(json_array_size(json_object_get(complete, "files")), BW_FILES_MAX);
        assert_in_range(json_array_size(files), 1, BW_FILES_MAX - 1);
        json_array_foreach(files, i, file) found |=
                        strcmp(json_string_value(json_object_get(file, "path")), "/secret/6") == 0;
        assert_true(found);
        assert_true(is_cut(o, "files"));
        assert_true(json_is_true(json_object_get(o, "files_more")));
        assert_essential(complete, o);
        assert_differences(o, "", complete, o);
}

/* One long value: nothing else is cut, and its beginning and end stay. */
static void test_string(void **state) {
        static char path[4096];
        (void)state;
        Event e = event_new();

        memset(path, 'a', sizeof(path) - 1);
        memcpy(path, "/home/ana/", 10);
        memcpy(path + sizeof(path) - 8, "/id_rsa", 8);
        e.correlation.process.cmdline = view(path);
        _cleanup_(alert_freep) Alert *a = alert_of(&e);
        json_t *loaded = NULL;
        json_auto_t *o = compact_of(a, &loaded), *complete = loaded;
        const char *shown = json_string_value(json_object_get(json_object_get(o, "process"), "cmdline"));

        assert_int_equal(json_array_size(json_object_get(o, "cut")), 1);
        assert_true(is_cut(o, "process.cmdline"));
        assert_memory_equal(shown, "/home/ana/aaa", 13);
        assert_string_equal(shown + strlen(shown) - 7, "/id_rsa");
        assert_non_null(strstr(shown, "a…a"));
        assert_differences(o, "", complete, o);
}

/* No escape is cut in two. */
static void test_escapes(void **state) {
        static char name[4096];
        (void)state;
        Event e = event_new();

        memset(name, 0xff, sizeof(name) - 1);
        e.correlation.process.cmdline = view(name);
        _cleanup_(alert_freep) Alert *a = alert_of(&e);
        json_t *loaded = NULL;
        json_auto_t *o = compact_of(a, &loaded), *complete = loaded;
        const char *shown = json_string_value(json_object_get(json_object_get(o, "process"), "cmdline")),
                   *ellipsis = strstr(shown, "…");

        assert_non_null(complete);
        for (const char *p = shown; *p; p += p == ellipsis ? strlen("…") : 4)
                assert_true(p == ellipsis || strncmp(p, "\\xff", 4) == 0);
}

/* As large as an alert gets, of bytes that take the most in JSON: escaped ones, control characters, and
 * those beyond the BMP. */
static void test_largest(void **state) {
        static const char *const patterns[] = { "\xff", "\x01", "\\", "\"", "\xf0\x9f\x94\x91", "\xc3\xa4",
                "a" };
        static char name[4096];
        (void)state;

        for (size_t k = 0; k < ELEMENTSOF(patterns); k++) {
                size_t n = strlen(patterns[k]), at = 0;
                Event e = event_new_piped();
                EventCorrelation *c = &e.correlation;

                for (; at + n < sizeof(name); at += n)
                        memcpy(name + at, patterns[k], n);
                name[at] = '\0';
                const Bytes view_of = view(name);
                c->n_files = BW_FILES_MAX;
                c->n_lineage = BW_LINEAGE_MAX;
                for (unsigned i = 0; i < BW_FILES_MAX; i++) {
                        c->files[i] = c->files[0];
                        c->files[i].path = c->files[i].exe = c->files[i].comm = c->files[i].real_path =
                                        view_of;
                        c->files[i].n_route = BW_HOPS_MAX;
                        for (unsigned h = 0; h < BW_HOPS_MAX; h++)
                                c->files[i].route[h] = (EventHop){
                                        .pid = UINT32_MAX, .via = BW_VIA_PIPE, .comm = view_of
                                };
                }
                for (unsigned i = 0; i < BW_LINEAGE_MAX; i++)
                        c->lineage[i] = (EventAncestor){
                                .pid = UINT32_MAX, .comm = view_of, .exe = view_of
                        };
                c->process.comm = c->process.exe = c->process.cmdline = c->process.cgroup = view_of;
                c->process.script = (EventScript){ .inode = UINT64_MAX,
                        .ctime_ns = UINT64_MAX,
                        .size = UINT64_MAX,
                        .device = UINT32_MAX,
                        .path = view_of };
                c->process.exe_inode = UINT64_MAX;
                c->process.exe_device = UINT32_MAX;
                c->process.flags = BW_PROCESS_FLAGS;
                event_to(&e, AF_UNIX, 2, 70000, name);
                _cleanup_(alert_freep) Alert *a = alert_of(&e);
                json_t *loaded = NULL;
                json_auto_t *o = compact_of(a, &loaded), *complete = loaded;

                assert_essential(complete, o);
                assert_differences(o, "", complete, o);
                /* The last resort, too. */
                _cleanup_free_ char *line = alert_line(a), *least = NULL;
                assert_int_equal(alert_compact(line, 0, 2048, &least), 0);
                json_auto_t *smallest = json_loads(least, 0, NULL);
                assert_essential(complete, smallest);
                assert_differences(smallest, "", complete, smallest);
        }
}

static void test_refused(void **state) {
        char *compact = NULL;
        (void)state;

        assert_int_equal(alert_compact("[]", 0, 4000, &compact), -EBADMSG);
        assert_int_equal(alert_compact("{", 0, 4000, &compact), -EBADMSG);
        assert_null(compact);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_short),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_string),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_largest),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
