/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which line of the policy applies, and what comes of all of them together, three-valued. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <jansson.h>

#include "glob/automaton.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/build.h"
#include "alert/evaluate.h"
#include "policy/match.h"
#include "basic/util.h"

static const char text[] = "[Class keys]\n"
                           "Description=Keys\n"
                           "Path=~/.keys/** /etc/key\n" /* line 3 */
                           "ExcludePath=~/.keys/*.pub\n"
                           "Score=50\n"
                           "[Class more]\n"
                           "Path=/etc/*\n"
                           "Score=10\n"
                           "LateWindow=0\n"
                           "[Allow reader]\n"
                           "Class=keys more\n"
                           "Exe=/bin/reader\n"
                           "Passes=nothing\n"
                           "[Allow sender]\n"
                           "Class=keys\n"
                           "Exe=/bin/sender /bin/both\n"
                           "Script=/opt/**\n"
                           "Destination=192.0.2.0/25:443\n"
                           "[Allow unit]\n"
                           "Class=more\n"
                           "Exe=/bin/both\n"
                           "Unit=a@*.service\n"
                           "User=7\n"
                           "[Allow contained]\n"
                           "Class=keys\n"
                           "Exe=/bin/contained\n"
                           "Unit=box.scope\n"
                           "Container=yes\n"
                           "Passes=nothing\n"
                           "[Allow narrow]\n"
                           "Path=~/.keys/own\n"
                           "Exe=/bin/narrow\n"
                           "ExcludeArgument=--print* -p\n"
                           "[Carrier bus]\n"
                           "Exe=/bin/bus\n"
                           "Unit=bus.service\n"
                           "Path=/etc/key ~/.keys/log\n"
                           "[Carrier server]\n"
                           "Exe=/bin/server\n"
                           "User=0\n"
                           "[Carrier docker]\n"
                           "Path=/run/docker.sock\n"
                           "Egress=yes\n"
                           "[Destination net]\n"
                           "Address=192.0.2.0/24\n"
                           "Score=5\n";

typedef struct World {
        Policy *policy;
        PolicyTables *tables;
        PolicyNames names;
} World;

static int world_new(void **state) {
        World *w = calloc(1, sizeof(*w));
        PolicyMessage message = {};

        assert_int_equal(policy_new(&w->policy), 0);
        assert_int_equal(policy_parse(w->policy, "f", text, strlen(text)), 0);
        assert_int_equal(policy_add_home(w->policy, "/srv/[x]/bob", strlen("/srv/[x]/bob")), 0);
        assert_int_equal(policy_finish(w->policy), 0);
        assert_int_equal(w->policy->n_errors, 0);
        assert_int_equal(policy_compile(w->policy, &w->names, 0, &w->tables, &message), 0);
        *state = w;
        return 0;
}

static int world_free(void **state) {
        World *w = *state;

        policy_names_done(&w->names);
        policy_tables_free(w->tables);
        policy_free(w->policy);
        free(w);
        return 0;
}

static ExplainProgram program(const char *path) {
        return (ExplainProgram){ .path = path, .seen = true, .regular = true };
}

static struct bw_destination to(uint8_t last, uint16_t port) {
        return (struct bw_destination){ .address = { 192, 0, 2, last }, .family = AF_INET, .port = port };
}

static json_t *explained(World *w, const ExplainQuery *q) {
        json_t *o = NULL;

        assert_int_equal(policy_explain(w->policy, &w->names, q, &o), 0);
        return o;
}

static void assert_verdict(World *w, const ExplainQuery *q, const char *mark, const char *verdict) {
        json_auto_t *o = explained(w, q);

        assert_string_equal(
                        json_string_value(json_object_get(json_object_get(o, "verdict"), "text")), verdict);
        assert_string_equal(json_string_value(json_object_get(o, "mark")), mark);
}

static const json_t *the_carrier(const json_t *o, size_t n, const char *name) {
        const json_t *carriers = json_object_get(o, "carriers"), *c = json_array_get(carriers, 0);

        assert_int_equal(json_array_size(carriers), n);
        if (n > 0)
                assert_string_equal(json_string_value(json_object_get(c, "name")), name);
        return c;
}

/* Of the path, of the program, of both. */
static void test_carriers(void **state) {
        World *w = *state;
        ExplainQuery q = { .path = "/etc/key" };

        json_auto_t *place = explained(w, &q);
        const json_t *c = the_carrier(place, 1, "bus");
        assert_string_equal(json_string_value(json_object_get(c, "pattern")), "/etc/key");
        assert_string_equal(json_string_value(json_object_get(c, "applies")), "no");
        assert_true(json_is_false(json_object_get(c, "egress")));
        assert_int_equal(json_array_size(json_object_get(c, "conditions")), 0);

        q.path = "/run/docker.sock";
        json_auto_t *service = explained(w, &q);
        c = the_carrier(service, 1, "docker");
        assert_true(json_is_true(json_object_get(c, "egress")));

        q.path = "/x";
        json_auto_t *none = explained(w, &q);
        the_carrier(none, 0, NULL);

        q.exe = program("/bin/bus");
        json_auto_t *program_only = explained(w, &q);
        c = the_carrier(program_only, 1, "bus");
        assert_true(json_is_null(json_object_get(c, "pattern")));
        assert_string_equal(json_string_value(json_object_get(c, "applies")), "unknown"); /* which unit? */
        assert_int_equal(json_array_size(json_object_get(c, "conditions")), 3);

        q.unit = "bus.service";
        q.path = "/root/.keys/log";
        json_auto_t *both = explained(w, &q);
        c = the_carrier(both, 1, "bus");
        assert_string_equal(json_string_value(json_object_get(c, "applies")), "yes");
        assert_string_equal(json_string_value(json_object_get(c, "pattern")), "~/.keys/log");
        /* One of root's may be another user by now. */
        q.exe = program("/bin/server");
        q.path = "/root/.keys/x";
        q.user_known = true;
        json_auto_t *roots = explained(w, &q);
        assert_string_equal(json_string_value(json_object_get(the_carrier(roots, 1, "server"), "applies")),
                        "yes");
        q.uid = 1000;
        json_auto_t *anas = explained(w, &q);
        assert_string_equal(json_string_value(json_object_get(the_carrier(anas, 1, "server"), "applies")),
                        "unknown");
        q.exe = program("/bin/bus");
        q.path = "/root/.keys/log";
        q.exe.flags = BW_PROCESS_EXE_WRITABLE;
        json_auto_t *writable = explained(w, &q);
        assert_string_equal(json_string_value(json_object_get(the_carrier(writable, 1, "bus"), "applies")),
                        "no");
}

/* The automaton of the same policy says the same of each path. */
static void test_match(void **state) {
        World *w = *state;
        static const struct {
                const char *path;
                unsigned line; /* of the pattern; 0: none */
                bool excluded;
        } cases[] = {
                { "/home/ana/.keys/id", 3, false },
                { "/home/ana/.keys/a/b", 3, false },
                { "/home/ana/.keys", 0, false },
                { "/home/ana/.keys/id.pub", 3, true },
                { "/root/.keys/id", 3, false },
                { "/box/root/.keys/id", 3, false },
                { "/srv/[x]/bob/.keys/id", 3, false },
                { "/srv/x/bob/.keys/id", 0, false },
                { "/home/.keys/id", 0, false },
                { "/etc/key", 3, false },
        };
        const PolicyClass *c = w->policy->classes;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *path = cases[i].path;
                const PolicyGlob *in = policy_match_path(w->policy, c->paths, c->n_paths, path);
                struct bw_bits bits = glob_automaton_match(w->tables->cells, w->tables->table->outputs,
                                w->tables->table->byte_class[BW_AUTOMATON_FILE],
                                w->tables->table->start[BW_AUTOMATON_FILE], path, strlen(path), true);

                assert_int_equal(in ? in->origin.line : 0, cases[i].line);
                assert_int_equal(policy_match_path(w->policy, c->excludes, c->n_excludes, path) != NULL,
                                cases[i].excluded);
                assert_int_equal(bits.word[BW_FILE_WORD_INCLUDE] & 1, in != NULL);
                assert_int_equal(bits.word[BW_FILE_WORD_EXCLUDE] & 1, cases[i].excluded);
        }
        const PolicyAllow *unit = w->policy->allows + 2;
        assert_non_null(policy_match_unit(w->policy, unit->units, unit->n_units, "a@b.service"));
        assert_null(policy_match_unit(w->policy, unit->units, unit->n_units, "a@b.service/c.service"));
        assert_null(policy_match_unit(w->policy, unit->units, unit->n_units, "xa@b.service"));
}

static void test_destination(void **state) {
        World *w = *state;
        const PolicyAllow *a = w->policy->allows + 1;
        static const struct {
                uint8_t last;
                uint16_t port;
                bool matches;
        } cases[] = { { 0, 443, true }, { 127, 443, true }, { 128, 443, false }, { 1, 442, false },
                { 1, 444, false } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct bw_destination d = to(cases[i].last, cases[i].port);
                assert_int_equal(policy_match_address(a->destinations, a->n_destinations, &d),
                                cases[i].matches);
        }
        struct bw_destination v6 = { .address = { 192, 0, 2, 1 }, .family = AF_INET6, .port = 443 };
        assert_false(policy_match_address(a->destinations, a->n_destinations, &v6));
}

static void test_files(void **state) {
        World *w = *state;

        assert_verdict(w, &(ExplainQuery){ .path = "/usr/x" }, "no", "silent: it belongs to no class.");
        assert_verdict(w, &(ExplainQuery){ .path = "/usr/x", .links = 1 }, "no",
                        "silent: it belongs to no class.");
        assert_verdict(w, &(ExplainQuery){ .path = "/usr/x", .links = 2 }, "unknown",
                        "not known: the file has 2 names, and belongs to no class by this one; explain the "
                        "others (find / -samefile FILE).");
        assert_verdict(w, &(ExplainQuery){ .path = "/root/.keys/x.pub" }, "no",
                        "silent: excluded by ExcludePath=.");
        assert_verdict(w, &(ExplainQuery){ .path = "/root/.keys/x", .directory = true }, "no",
                        "silent: a directory; give a file in it.");
        assert_verdict(w, &(ExplainQuery){ .path = "/root/.keys/x" }, "yes",
                        "alert: severity medium, score 50, if no rule names the program.");
        assert_verdict(w, &(ExplainQuery){ .path = "/etc/other", .exe = program("/bin/x"), .to = to(1, 1) },
                        "yes", "silent: the score of 15 is below Alert=20.");
}

static void test_rules(void **state) {
        World *w = *state;
        ExplainQuery q = { .path = "/root/.keys/x", .exe = program("/bin/reader"), .to = to(1, 443) };

        assert_verdict(w, &q, "no", "silent: /bin/reader may read it, by [Allow reader].");
        q.exe.flags = BW_PROCESS_EXE_DIR_WRITABLE; /* speaks against it, but is not asked for */
        assert_verdict(w, &q, "no", "silent: /bin/reader may read it, by [Allow reader].");
        q.exe.flags = BW_PROCESS_EXE_WRITABLE;
        assert_verdict(w, &q, "yes", "alert: severity medium, score 65.");
        q.exe = program("/bin/reader");
        q.exe.regular = false;
        assert_verdict(w, &q, "yes", "alert: severity medium, score 55.");
        q.exe.seen = false;
        assert_verdict(w, &q, "unknown",
                        "unknown: silent if [Allow reader] applies, else an alert of severity medium, score "
                        "55.");

        /* With a destination there is a mark. */
        q.exe = program("/bin/sender");
        assert_verdict(w, &q, "yes",
                        "unknown: silent if [Allow sender] applies, else an alert of severity medium, score "
                        "55.");
        q.script = "/opt/x";
        assert_verdict(w, &q, "yes",
                        "silent: /bin/sender may read it and connect to this destination, by [Allow "
                        "sender].");
        /* The access is allowed, this destination is not. */
        q.to.port = 80;
        assert_verdict(w, &q, "yes", "alert: severity low, score 35.");
        q.to.port = 443;
        for (size_t i = 0; i < 5; i++) {
                static const char *const scripts[] = { "opt/x", "/opt/../x", "/opt//x", "/opt/x/",
                        "/opt/." };

                q.script = scripts[i];
                assert_verdict(w, &q, "yes", "alert: severity medium, score 55.");
        }
        q.exe = program("/bin/contained");
        q.unit = "box.scope";
        assert_verdict(w, &q, "unknown",
                        "unknown: silent if [Allow contained] applies, else an alert of severity medium, "
                        "score 55.");
        q.unit = "other.scope";
        assert_verdict(w, &q, "yes", "alert: severity medium, score 55.");
}

static void test_narrow(void **state) {
        World *w = *state;
        ExplainQuery q = { .path = "/root/.keys/own", .exe = program("/bin/narrow"), .to = to(1, 443) };

        assert_verdict(w, &q, "yes",
                        "silent: /bin/narrow may read it and connect to this destination, by [Allow "
                        "narrow].");
        json_auto_t *o = explained(w, &q);
        _cleanup_free_ char *said = json_dumps(json_object_get(o, "rules"), 0);
        assert_non_null(strstr(said, "unless it was started with --print* -p"));
        q.cmdline = "narrow -p x";
        assert_verdict(w, &q, "yes", "alert: severity medium, score 55.");
        q.cmdline = NULL;
        q.path = "/root/.keys/other";
        assert_verdict(w, &q, "yes", "alert: severity medium, score 55.");
        json_auto_t *other = explained(w, &q);
        _cleanup_free_ char *not = json_dumps(json_object_get(other, "rules"), 0);
        assert_non_null(strstr(not, "~/.keys/own: not /root/.keys/other"));
        q.opened = "/root/.keys/own"; /* the first is another name of the file */
        assert_verdict(w, &q, "yes",
                        "silent: /bin/narrow may read it and connect to this destination, by [Allow "
                        "narrow].");
}

/* A file of two classes is silent where each is allowed. */
static void test_two_classes(void **state) {
        World *w = *state;
        ExplainQuery q = { .path = "/etc/key",
                .exe = program("/bin/both"),
                .script = "/opt/x",
                .unit = "a@b.service",
                .user_known = true,
                .uid = 7,
                .to = to(1, 443) };

        assert_verdict(w, &q, "yes",
                        "silent: /bin/both may read it and connect to this destination, by [Allow sender], "
                        "[Allow unit].");
        q.uid = 8;
        assert_verdict(w, &q, "yes", "silent: the score of 15 is below Alert=20.");
        q.user_known = false;
        json_auto_t *o = explained(w, &q);
        const json_t *late = json_object_get(o, "late"), *rules = json_object_get(o, "rules");
        assert_true(json_is_null(late)); /* [Class more] is never late */
        assert_int_equal(json_array_size(rules), 2);
        assert_string_equal(
                        json_string_value(json_object_get(json_array_get(rules, 1), "applies")), "unknown");

        q.script = "/else";
        json_auto_t *p = explained(w, &q);
        late = json_object_get(p, "late");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(p, "score"), "score")), 65);
        assert_int_equal(json_integer_value(json_object_get(late, "score")), 30);
        assert_int_equal(json_integer_value(json_object_get(late, "window_usec")), 3600 * USEC_PER_SEC);
}

static const char *explained_string(World *w, const ExplainQuery *q, const char *object, const char *key) {
        static char said[64];
        json_auto_t *o = explained(w, q);
        const char *value = json_string_value(json_object_get(object ? json_object_get(o, object) : o, key));

        (void)snprintf(said, sizeof(said), "%s", value ?: "null");
        return said;
}

/* What an alert records of the process: where it ran, and what voided its trust. */
static void test_recorded(void **state) {
        World *w = *state;
        ExplainQuery q = { .path = "/root/.keys/x", .exe = program("/bin/contained"), .unit = "box.scope" };

        /* Container=yes is for both; what is at the path in a container is not known here. */
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "unknown");
        q.elsewhere = true;
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "silent");
        assert_non_null(strstr(explained_string(w, &q, "executable", "level"), "container"));
        q.voided = true;
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "alert");
        q = (ExplainQuery){ .path = "/root/.keys/x", .exe = program("/bin/reader") };
        assert_string_equal(explained_string(w, &q, "executable", "level"), "system");
        assert_string_equal(explained_string(w, &q, NULL, "evidence"), "bound");
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "silent");
        q.elsewhere = true;
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "unknown");
        assert_string_equal(explained_string(w, &q, NULL, "evidence"), "unbound");
        q.elsewhere = false;
        q.exe.flags = BW_PROCESS_EXE_WRITABLE;
        assert_string_equal(explained_string(w, &q, "executable", "level"), "none: no rule applies");
        assert_string_equal(explained_string(w, &q, NULL, "evidence"), "unbound");
        q.path = "/etc/none/x";
        assert_string_equal(explained_string(w, &q, NULL, "evidence"), "null");
        /* An accepted connection is none of Destination=; a local service is allowed with and without it. */
        q = (ExplainQuery){ .path = "/root/.keys/x", .exe = program("/bin/sender"), .script = "/opt/x" };
        q.to = to(5, 443);
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "silent");
        q.accepted = true;
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "alert");
        q.accepted = false;
        q.to = (struct bw_destination){};
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "alert");
        q.local = true;
        assert_string_equal(explained_string(w, &q, "verdict", "result"), "silent");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_match, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_destination, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_carriers, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_files, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_rules, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_narrow, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_two_classes, world_new, world_free),
                cmocka_unit_test_setup_teardown(test_recorded, world_new, world_free),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
