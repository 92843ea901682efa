/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The default policy (daemon/policy.d below $BW_SOURCE_ROOT or argv[1]): which class each file is of, and
 * which program may use which class under which circumstances. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "glob/automaton.h"
#include "alert/score.h"
#include "../default-policy.h"
#include "../default-policy-carriers.h"
#include "../default-policy-files.h"
#include "../default-policy-readers.h"
#include "../policy-fixture.h"

static struct bw_bits match(enum bw_automaton which, const char *path) {
        return glob_automaton_match(tables->cells, tables->table->outputs, tables->table->byte_class[which],
                        tables->table->start[which], path, strlen(path), true);
}

static uint64_t classes_of(const char *path) {
        struct bw_bits b = match(BW_AUTOMATON_FILE, path);
        return b.word[BW_FILE_WORD_INCLUDE] & ~b.word[BW_FILE_WORD_EXCLUDE];
}

static uint64_t class_bit(const char *name) {
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (names.class_names[bit] && strcmp(names.class_names[bit], name) == 0)
                        return UINT64_C(1) << bit;
        fail_msg("no class %s", name);
        return 0;
}

static bool in_home(const char *path) {
        return path && strncmp(path, "/home/", 6) == 0;
}

/* bpf/abi/policy.h: EXE(exe) & for every condition c: (holds_c | ~asks[c]). */
static struct bw_bits rules_of(const Program *p) {
        char unit[256] = "";

        if (p->unit && p->unit[0])
                (void)snprintf(unit, sizeof(unit), "/%s", p->unit);
        const char *const texts[BW_CONDITIONS] = {
                [BW_CONDITION_SCRIPT] = p->script,
                [BW_CONDITION_UNIT] = unit,
                [BW_CONDITION_ANCESTOR] = p->ancestor,
        };
        static const enum bw_automaton automata[BW_CONDITIONS] = {
                [BW_CONDITION_SCRIPT] = BW_AUTOMATON_SCRIPT,
                [BW_CONDITION_UNIT] = BW_AUTOMATON_UNIT,
                [BW_CONDITION_ANCESTOR] = BW_AUTOMATON_ANCESTOR,
        };
        struct bw_bits rules = match(BW_AUTOMATON_EXE, p->exe);

        for (unsigned c = 0; c < BW_CONDITIONS; c++) {
                struct bw_bits holds = {};

                if (c == BW_CONDITION_HOST)
                        memset(&holds, p->elsewhere ? 0 : 0xff, sizeof(holds));
                else if (c == BW_CONDITION_PATH || c == BW_CONDITION_ARGUMENT || c == BW_CONDITION_STARTED)
                        memset(&holds, 0xff, sizeof(holds)); /* some file, no such argument; by root */
                else if (c == BW_CONDITION_USER)
                        holds = rules_of_user(tables->table, 0);
                else if (c == BW_CONDITION_OWNER) /* rules of the user level are of programs in homes */
                        memset(&holds, in_home(p->exe) || in_home(p->script) ? 0xff : 0, sizeof(holds));
                else if (texts[c] && texts[c][0])
                        holds = match(automata[c], texts[c]);
                for (unsigned w = 0; w < ELEMENTSOF(rules.word); w++)
                        rules.word[w] &= holds.word[w] | ~tables->table->asks[c].word[w];
        }
        return rules;
}

/* Classes that the program may use: without anything following from it, or to a rule's destinations only, or
 * with something passed on. */
static void classes_allowed(const Program *p, uint64_t *ret_plain, uint64_t *ret_bound) {
        struct bw_bits rules = rules_of(p);
        uint64_t plain = 0, bound = 0;

        for (unsigned bit = 0; bit < BW_RULES_MAX; bit++)
                if (rules.word[bit / 64] >> bit % 64 & 1) {
                        const struct bw_rule *rule = tables->table->rules + bit;
                        if (rule->flags & BW_RULE_TERMINAL)
                                continue;
                        *(rule->n_nets || rule->flags & BW_RULE_PASSES ? &bound : &plain) |= rule->classes;
                }
        *ret_plain = plain;
        *ret_bound = bound & ~plain;
}

static void test_no_complaints(void **state) {
        (void)state;

        dump(policy);
        for (size_t i = 0; i < policy->n_messages; i++)
                assert_int_equal(policy->messages[i].level, POLICY_NOTE);
        print_message("# default policy: %zu classes, %zu rules, %zu patterns, %zu states, %zu cells of %u, "
                      "%zu nets\n",
                        policy->n_classes, policy->n_allows, tables->n_patterns[BW_AUTOMATON_FILE],
                        tables->n_states[BW_AUTOMATON_FILE], tables->n_cells, POLICY_CELLS_MAX,
                        tables->n_nets);
        /* The rest is for the site, and for more homes than this test has. Of cells that is half: 2 MiB. */
        assert_true(tables->n_cells < POLICY_CELLS_MAX / 2);
        assert_true(tables->n_nets < BW_NETS_MAX / 3 * 2);
        assert_true(policy->n_allows < BW_RULES_MAX / 10 * 7);
}

static void test_files(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                uint64_t wanted = files[i].class ? class_bit(files[i].class) : 0,
                         got = classes_of(files[i].path);

                if (got != wanted)
                        fail_msg("%s: classes %#lx, not %#lx (%s)", files[i].path, got, wanted,
                                        files[i].class ?: "none");
        }
}

/* The automaton against the plain matcher, straight from the policy's text. */
static bool glob_matches(const char *glob, const char *path) {
        if (glob[0] == '/')
                return glob_match_reference(glob, path, strlen(path));

        static const char *const homes[] = { "/home/*", "/root", "/var/lib/postgresql",
                "/opt/runner \\[1\\]" };
        for (size_t i = 0; i < ELEMENTSOF(homes); i++) {
                char expanded[512];

                (void)snprintf(expanded, sizeof(expanded), "/**%s%s", homes[i], glob + 1);
                if (glob_match_reference(expanded, path, strlen(path)))
                        return true;
        }
        return false;
}

static void test_files_reference(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                for (size_t c = 0; c < policy->n_classes; c++) {
                        const PolicyClass *class = policy->classes + c;
                        bool wanted = files[i].class && strcmp(files[i].class, class->name) == 0,
                             got = false;

                        for (size_t k = 0; !got && k < class->n_paths; k++)
                                got = glob_matches(class->paths[k].glob, files[i].path);
                        for (size_t k = 0; got && k < class->n_excludes; k++)
                                got = !glob_matches(class->excludes[k].glob, files[i].path);
                        if (got != wanted)
                                fail_msg("%s: %sof class %s", files[i].path, got ? "" : "not ", class->name);
                }
}

static void test_readers(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
                const Reader *r = readers + i;
                uint64_t plain, bound, class = class_bit(r->class);

                classes_allowed(&r->program, &plain, &bound);
                char got = plain & class ? 'a' : bound & class ? 'd' : 'n';
                if (got != r->verdict)
                        fail_msg("%s, %s (script %s, unit %s, ancestor %s): '%c', not '%c'", r->class,
                                        r->program.exe, r->program.script ?: "-", r->program.unit ?: "-",
                                        r->program.ancestor ?: "-", got, r->verdict);
        }
}

/* A program that runs any code, or sends any file, may read nothing for its name alone. */
static void test_no_tool_of_thieves(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(tools); i++) {
                const Program p = { .exe = tools[i] };
                uint64_t plain, bound;

                classes_allowed(&p, &plain, &bound);
                if (plain | bound)
                        fail_msg("%s: plain %#lx, bound %#lx", tools[i], plain, bound);
        }

        /* These send any file, too: they may read one class, and stay marked. */
        static const char *const senders[] = { "/usr/bin/curl", "/usr/bin/wget" };
        for (size_t i = 0; i < ELEMENTSOF(senders); i++) {
                const Program p = { .exe = senders[i] };
                uint64_t plain, bound;

                classes_allowed(&p, &plain, &bound);
                assert_int_equal(plain, 0);
                assert_int_equal(bound, class_bit(NETRC));
        }
}

/* Classes, or with BW_RULE_OWN places, of the carriers with this flag that the program is one of. */
static uint64_t carries(const char *exe, uint32_t flag, uint32_t own_places) {
        const Program p = { .exe = exe };
        struct bw_bits rules = rules_of(&p);
        uint64_t classes = 0;

        for (unsigned bit = 0; bit < BW_RULES_MAX; bit++)
                if (rules.word[bit / 64] >> bit % 64 & 1 && tables->table->rules[bit].flags & flag &&
                                (tables->table->rules[bit].flags & BW_RULE_OWN) == own_places)
                        classes |= tables->table->rules[bit].classes;
        return classes;
}

/* A program that serves every process takes no mark; one that passes on what it is given always does. */
static void test_carriers(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(no_marks); i++)
                if (!carries(no_marks[i], BW_RULE_CARRIER, 0) || !carries(no_marks[i], BW_RULE_TERMINAL, 0))
                        fail_msg("%s", no_marks[i]);
        for (size_t i = 0; i < ELEMENTSOF(drawers); i++)
                if (carries(drawers[i], BW_RULE_CARRIER, 0) || !carries(drawers[i], BW_RULE_TERMINAL, 0))
                        fail_msg("%s", drawers[i]);
        for (size_t i = 0; i < ELEMENTSOF(marked); i++)
                if (carries(marked[i], BW_RULE_TERMINAL, 0))
                        fail_msg("%s", marked[i]);
        assert_int_equal(tables->table->hops_max, 8);
}

static void test_places(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                uint64_t got = match(BW_AUTOMATON_CARRIER, places[i].path).word[0];

                if (got != places[i].is)
                        fail_msg("%s: %#lx", places[i].path, got);
        }
        for (size_t i = 0; i < ELEMENTSOF(own); i++) {
                uint64_t got = match(BW_AUTOMATON_CARRIER, own[i].path).word[0];

                if (got & ~BW_CARRIER_OWN_ALL ||
                                !(got & carries(own[i].exe, BW_RULE_TERMINAL, BW_RULE_OWN)) ||
                                got & carries(own[i].not_exe, BW_RULE_TERMINAL, BW_RULE_OWN))
                        fail_msg("%s: %#lx", own[i].path, got);
        }
}

/* The output of a program that prints a token on request is tracked; that of one that only uses it is not.
 */
static void test_output(void **state) {
        static const struct {
                const char *allow;
                bool clean;
        } rules[] = {
                { "netrc-clients", true },
                { "cargo", true },
                { "client-history", true },
                { "tls-java-services", true },
                { "aws-cli", false },
                { "aws-cli-script", false },
                { "gcloud", false },
                { "az", false },
                { "forge-clients", false },
                { "cloud-clients", false },
                { "password-managers", false },
                { "debuggers", false },
                { "gke-auth-plugin", false },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                const PolicyAllow *a = policy->allows;

                while (strcmp(a->name, rules[i].allow) != 0)
                        if (++a == policy->allows + policy->n_allows)
                                fail_msg("no [Allow %s]", rules[i].allow);
                if ((a->passes & BW_RULE_OUTPUT) != (rules[i].clean ? 0 : BW_RULE_OUTPUT))
                        fail_msg("[Allow %s]", a->name);
        }
}

/* A rule that applies outside the host's file system must name a unit. */
static void test_containers(void **state) {
        (void)state;

        for (size_t i = 0; i < policy->n_allows; i++)
                if (policy->allows[i].container && policy->allows[i].n_units == 0)
                        fail_msg("[Allow %s]", policy->allows[i].name);
}

/* How many [Class] headers the files have: each class is in one file only. */
static size_t classes_written(void) {
        size_t n = 0;

        for (size_t i = 0; i < policy->n_files; i++) {
                _cleanup_fclose_ FILE *f = fopen(policy->files[i], "re");
                char line[4096];

                assert_non_null(f);
                while (fgets(line, sizeof(line), f))
                        n += strncmp(line, "[Class ", strlen("[Class ")) == 0;
        }
        return n;
}

/* Of every class, so that a new one needs no more than its file. */
static void test_classes(void **state) {
        (void)state;

        for (size_t i = 0; i < policy->n_classes; i++) {
                const PolicyClass *class = policy->classes + i;
                size_t n_allowed = 0;

                assert_non_null(class->description);
                assert_true(class->late_window_usec >= class->window_usec);
                /* A class by itself raises an alert, at least within its window. */
                assert_true(class->score >= policy->scoring.alert);
                if (strcmp(class->name, SELFTEST) == 0)
                        continue;
                assert_true(class->n_techniques > 0);
                for (size_t k = 0; k < policy->n_allows; k++)
                        for (size_t c = 0; c < policy->allows[k].n_classes; c++)
                                n_allowed += strcmp(policy->allows[k].classes[c].name, class->name) == 0;
                if (n_allowed == 0)
                        fail_msg("no program may use %s", class->name);
        }
        assert_int_equal(policy->n_classes, classes_written());
}

/* The classes that the default policy must not lose. */
static void test_classes_wanted(void **state) {
        static const char *const wanted[] = { SYSTEM, SSH, GPG, AGENTS, AWS, GCP, AZURE, CLOUD, KUBE, IMAGES,
                REGISTRY, NPM, PIP, FORGE, NETRC, BROWSER, PASSWORDS, WALLET, TLS, VPN, DATABASE, MYSQL,
                MONGO, APP, AI, HISTORY, PROCESS, MEMORY, SELFTEST };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(wanted); i++)
                if (!policy_class_by_name(policy, wanted[i]))
                        fail_msg("no class %s", wanted[i]);
        assert_int_equal(policy_class_by_name(policy, SSH)->severity, SEVERITY_HIGH);
}

static void test_scoring(void **state) {
        (void)state;

        assert_int_equal(policy->scoring.alert, 20);
        assert_int_equal(policy->scoring.medium, 40);
        assert_int_equal(policy->scoring.high, 70);
        assert_true(policy->n_lineages > 0 && policy->n_destinations > 0);
        for (size_t i = 0; i < policy->n_lineages; i++)
                assert_non_null(policy->lineages[i].description);
        for (size_t i = 0; i < policy->n_destinations; i++) {
                /* "a popular destination is no excuse" */
                if (policy->destinations[i].ignore)
                        fail_msg("[Destination %s] is ignored", policy->destinations[i].name);
                assert_non_null(policy->destinations[i].description);
                /* The local host is less, never nothing: an SSH key that goes there is still a medium alert.
                 */
                assert_true(policy->destinations[i].score >= -25);
        }
}

/* A class whose legitimate readers nobody can name: it scores little, and a session makes that less than
 * Alert=. */
static bool is_hint(const PolicyClass *class) {
        static const char *const hints[] = { APP, WEB, SCRIPTS, DESKTOP };

        for (size_t i = 0; i < ELEMENTSOF(hints); i++)
                if (strcmp(class->name, hints[i]) == 0)
                        return true;
        return false;
}

/* Delay, the route and the session deduct points, but a class with a score of Medium= still raises an alert.
 */
static void test_no_silence(void **state) {
        static const struct bw_destination destinations[] = {
                { .family = AF_INET, .address = { 192, 0, 2, 7 }, .port = 443, .protocol = 6 },
                { .family = AF_INET, .address = { 127, 0, 0, 1 }, .port = 8080, .protocol = 6 },
                { .family = AF_INET, .address = { 127, 0, 0, 53 }, .port = 53, .protocol = 17 },
                { .family = AF_INET, .address = { 10, 1, 2, 3 }, .port = 443, .protocol = 6 },
                { .family = AF_INET, .address = { 224, 0, 0, 251 }, .port = 5353, .protocol = 17 },
        };
        static const char *const cgroups[] = {
                "/system.slice/shop.service",
                "/user.slice/user-1000.slice/session-3.scope",
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope",
        };
        enum { EXTERNAL, N_CASES = ELEMENTSOF(destinations) * ELEMENTSOF(cgroups) * 2 };
        (void)state;

        for (size_t i = 0; i < policy->n_classes; i++)
                for (size_t k = 0; k < N_CASES; k++) {
                        const PolicyClass *class = policy->classes + i;
                        const char *cgroup = cgroups[k / 2 % ELEMENTSOF(cgroups)];
                        size_t to = k / 2 / ELEMENTSOF(cgroups);
                        bool late = k % 2, session = k / 2 % ELEMENTSOF(cgroups) > 0;
                        EventCorrelation e = { .classes = class_bit(class->name),
                                .destination = destinations[to] };
                        Score s;

                        e.fresh = late ? 0 : e.classes;
                        e.process.exe = (Bytes){ .data = "/usr/bin/curl", .size = strlen("/usr/bin/curl") };
                        e.process.cgroup = (Bytes){ .data = cgroup, .size = strlen(cgroup) };
                        assert_int_equal(score_event(&e, NSEC_PER_SEC, policy, &names, 0, &s), 0);
                        bool alert = class->score >= policy->scoring.medium ||
                                     class->severity != _SEVERITY_INVALID ||
                                     (to == EXTERNAL && !late && (!session || !is_hint(class)));
                        if (alert && s.below)
                                fail_msg("%s, %s, destination %zu, %s: %d", class->name,
                                                late ? "late" : "fresh", to, cgroup, s.score);
                        /* Below a user manager, it is the session, too. */
                        if (is_hint(class) && session && !s.below)
                                fail_msg("%s, destination %zu, %s: %d raises an alert", class->name, to,
                                                cgroup, s.score);
                        score_done(&s);
                }
}

static int setup(void **state) {
        (void)state;
        default_policy_load("root:x:0:0:root:/root:/bin/bash\nx:x:1000:1000::/home/x:/bin/sh\n"
                            "postgres:x:1:1::/var/lib/postgresql:/bin/sh\n"
                            "runner:x:2:2::/opt/runner [1]:/bin/sh\n");
        return 0;
}

static int teardown(void **state) {
        (void)state;
        default_policy_done();
        return 0;
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_complaints),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_files_reference),
                cmocka_unit_test(test_readers),
                cmocka_unit_test(test_no_tool_of_thieves),
                cmocka_unit_test(test_carriers),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_output),
                cmocka_unit_test(test_containers),
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_classes_wanted),
                cmocka_unit_test(test_scoring),
                cmocka_unit_test(test_no_silence),
        };

        if (!default_policy_found(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, setup, teardown);
}
