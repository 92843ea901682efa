/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which scripts are people's own, what is one that was seen before, and what is left of it after a restart.
 */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alert/first-sight.h"
#include "alert/json.h"
#include "basic/util.h"
#include "../alert-fixture.h"

static FirstSights *all;
static uint64_t boot_ns;

static int setup(void **state) {
        (void)state;
        all = calloc(1, sizeof(*all));
        fixture_classes[2].first_sight = true; /* cloud-aws */
        fixture_classes[0].first_sight = true; /* app-secrets */
        boot_ns = 0;
        return all ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        free(all);
        return 0;
}

/* A script of ana's reads her own key of AWS. */
static Event own_script(void) {
        Event e = event_new();
        EventCorrelation *c = &e.correlation;

        c->classes = c->fresh = BIT(AWS);
        c->process.script = (EventScript){
                .inode = 7,
                .device = 8 << 20 | 1,
                .ctime_ns = 1733000000023456789,
                .size = 532,
                .path = view("/home/ana/get.py"),
        };
        c->files[0].classes = BIT(AWS);
        c->files[0].pid = c->process.pid;
        c->files[0].uid = c->process.uid;
        c->files[0].owned = true;
        return e;
}

static Alert *judged_with(const Event *e, uint64_t lineage_classes) {
        Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, lineage_classes, &a), 0);
        assert_int_equal(alert_look(a, all, e, &policy, &names, lineage_classes), 0);
        return a;
}

/* Of an event that is another one than those before. */
static Sight look_with(Event e, uint64_t lineage_classes) {
        e.boot_ns = ++boot_ns;
        _cleanup_(alert_freep) Alert *a = judged_with(&e, lineage_classes);

        return a->sight;
}

static Sight look(const Event *e) {
        return look_with(*e, e->correlation.classes);
}

static void test_first_and_known(void **state) {
        (void)state;
        Event e = own_script();
        _cleanup_(alert_freep) Alert *first = judged_with(&e, 0);

        assert_int_equal(first->sight, SIGHT_FIRST);
        assert_int_equal(first->score.severity, SEVERITY_LOW);
        assert_int_equal(first->score.score, 39);
        assert_string_equal(first->process.script_object, "8:1/7/1733000000.023456789/532");

        /* The sink was full, and the record comes again. */
        _cleanup_(alert_freep) Alert *again = judged_with(&e, 0);
        assert_int_equal(again->sight, SIGHT_FIRST);

        e.boot_ns++;
        _cleanup_(alert_freep) Alert *known = judged_with(&e, 0);
        assert_int_equal(known->sight, SIGHT_KNOWN);
        assert_int_equal(known->score.severity, SEVERITY_INFO);
        assert_int_equal(known->score.score, 19);
        int sum = 0;
        for (size_t i = 0; i < known->score.n_reasons; i++)
                sum += known->score.reasons[i].points;
        assert_int_equal(sum, 19);
}

static void test_other_objects(void **state) {
        (void)state;
        Event e = own_script();
        EventScript *s = &e.correlation.process.script;

        assert_int_equal(look(&e), SIGHT_FIRST);
        s->ctime_ns++;
        assert_int_equal(look(&e), SIGHT_FIRST);
        s->size++;
        assert_int_equal(look(&e), SIGHT_FIRST);
        s->inode++;
        assert_int_equal(look(&e), SIGHT_FIRST);
        s->device++;
        assert_int_equal(look(&e), SIGHT_FIRST);
        e.correlation.process.uid++;
        e.correlation.files[0].uid++;
        assert_int_equal(look(&e), SIGHT_FIRST);
        assert_int_equal(look(&e), SIGHT_KNOWN);
        s->path = view("/home/ana/moved.py"); /* a link to it: the same file */
        assert_int_equal(look(&e), SIGHT_KNOWN);
}

static void test_second_class(void **state) {
        (void)state;
        Event e = own_script();

        assert_int_equal(look_with(e, BIT(AWS) | BIT(SSH)), SIGHT_NONE);
        assert_int_equal(look(&e), SIGHT_FIRST);
        e.correlation.classes = e.correlation.fresh = e.correlation.files[0].classes = BIT(APP);
        assert_int_equal(look(&e), SIGHT_NONE); /* the same script, another class */
        e.correlation.classes |= BIT(AWS);
        assert_int_equal(look(&e), SIGHT_NONE);
        e = own_script();
        e.correlation.files[0].classes |= BIT(APP); /* a class that it may send there */
        assert_int_equal(look(&e), SIGHT_NONE);
        e.correlation.classes = e.correlation.files[0].classes = BIT(SSH); /* FirstSight=no */
        e.correlation.process.script.inode++;
        assert_int_equal(look(&e), SIGHT_NONE);
}

/* What each of them leaves is another's code, another's file, or not the script's own doing. */
static void test_not_own(void **state) {
        (void)state;
        const Event good = own_script();

#define REFUSED(change)                                                                                     \
        do {                                                                                                \
                Event e = good;                                                                             \
                EventCorrelation *c = &e.correlation;                                                       \
                change;                                                                                     \
                if (look(&e) != SIGHT_NONE)                                                                 \
                        fail_msg("%s", #change);                                                            \
        } while (0)

        REFUSED(c->process.script.inode = 0);
        REFUSED(c->process.script.path = view("/tmp/get.py"));
        REFUSED(c->process.script.path = view("/dev/shm/a/get.py"));
        REFUSED(c->process.script.path = view("get.py"));
        REFUSED(c->process.script.path = view(""));
        for (uint32_t flag = 1; flag <= BW_SCRIPT_FLAGS; flag <<= 1)
                REFUSED(c->process.script.flags = flag);
        for (uint32_t flag = 1; flag <= BW_PROCESS_FLAGS; flag <<= 1)
                if (flag != BW_PROCESS_FOREIGN_CODE)
                        REFUSED(c->process.flags = flag);
        REFUSED(c->files[0].owned = false);
        REFUSED(c->files[0].uid++);
        REFUSED(c->files[0].execed = true);
        REFUSED(c->files[0].handed_over = true);
        for (uint8_t via = BW_VIA_RECEIVED; via <= BW_VIA_LOOPBACK; via++)
                REFUSED(c->files[0].via = via);
        REFUSED(c->n_files = 0);
        REFUSED(c->flags = BW_CORRELATION_FILES_MORE);
        REFUSED(c->flags = BW_CORRELATION_FLOOD);
        REFUSED(c->flags = BW_CORRELATION_SUSPECT);
        REFUSED(c->n_files = 2; c->files[1] = c->files[0]; c->files[1].via = BW_VIA_PIPE);

        Event e = good;
        e.correlation.process.flags = BW_PROCESS_FOREIGN_CODE; /* of its user */
        e.correlation.files[0].via = BW_VIA_FORK;              /* a worker of a server */
        assert_int_equal(look(&e), SIGHT_FIRST);
}

/* One user cannot make what was seen of another be forgotten. */
static void test_bounds(void **state) {
        (void)state;
        Event ana = own_script(), bob = own_script();

        assert_int_equal(look(&ana), SIGHT_FIRST);
        bob.correlation.process.uid = bob.correlation.files[0].uid = 1003;
        for (uint64_t i = 1; i <= 2 * FIRST_SIGHTS_MAX; i++) {
                bob.correlation.process.script.inode = i;
                assert_int_equal(look(&bob), SIGHT_FIRST);
        }
        assert_int_equal(look(&ana), SIGHT_KNOWN);
        assert_int_equal(look(&bob), SIGHT_KNOWN);
        bob.correlation.process.script.inode = 1;
        assert_int_equal(look(&bob), SIGHT_FIRST);
}

static void restore(const Event *e, uint64_t sight) {
        _cleanup_(alert_freep) Alert *a = judged_with(e, 0);
        json_auto_t *object = NULL;
        _cleanup_free_ char *line = NULL;

        a->sight = sight;
        assert_int_equal(alert_to_json(a, &object, &line), 0);
        memset(all, 0, sizeof(*all));
        first_sights_restore(all, object);
}

static void test_restore(void **state) {
        (void)state;
        Event e = own_script();

        restore(&e, SIGHT_FIRST);
        assert_int_equal(look(&e), SIGHT_KNOWN);
        restore(&e, SIGHT_KNOWN);
        assert_int_equal(look(&e), SIGHT_KNOWN);
        restore(&e, SIGHT_NONE); /* an alert of its own severity says nothing about the script */
        assert_int_equal(look(&e), SIGHT_FIRST);
        restore(&e, SIGHT_FIRST);
        e.correlation.process.script.size++;
        assert_int_equal(look(&e), SIGHT_FIRST);

        static const char *const bad[] = {
                "{}",
                "{'script_sight': 'first', 'classes': ['cloud-aws'], 'process': {'uid': 1}}",
                "{'script_sight': 'first', 'classes': ['a'], 'process': {'uid': 1, 'script_object': "
                "'8:1/7'}}",
                "{'script_sight': 'first', 'classes': ['a'], 'process': {'uid': 1, 'script_object': "
                "'8:1/7/1.2/3x'}}",
                "{'script_sight': 'first', 'classes': [], 'process': {'uid': 1, 'script_object': "
                "'8:1/7/1.2/3'}}",
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text), "%s", bad[i]);
                for (char *p = text; (p = strchr(p, '\'')); p++)
                        *p = '"';
                json_auto_t *o = json_loads(text, 0, NULL);
                assert_non_null(o);
                memset(all, 0, sizeof(*all));
                first_sights_restore(all, o);
                assert_int_equal(all->turn, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_and_known, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_objects, setup, teardown),
                cmocka_unit_test_setup_teardown(test_second_class, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_own, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
                cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
