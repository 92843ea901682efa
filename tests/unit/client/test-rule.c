/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The rule that an alert suggests, word for word; names that are hostile; alerts that no rule would have
 * allowed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "client/rule.h"
#include "glob/automaton.h"
#include "../alert-fixture.h"

/* What there is on the machine. */
static bool exe_seen, exe_writable, exe_users, script_writable, script_replaceable;

static void look(const char *path, ExplainProgram *ret) {
        bool script = strstr(path, ".py") != NULL;

        *ret = (ExplainProgram){ .path = path, .seen = exe_seen, .regular = true };
        if (script ? script_writable : exe_writable)
                ret->flags = BW_PROCESS_EXE_WRITABLE;
        ret->owner = exe_users && strncmp(path, "/usr/", 5) != 0 ? 1000 : 0;
        ret->kept = ret->flags == 0 && !(script && script_replaceable);
        ret->flags |= ret->owner > 0 ? BW_PROCESS_EXE_NOT_ROOTS : 0;
}

static int setup(void **state) {
        (void)state;
        exe_seen = true;
        exe_writable = exe_users = script_writable = script_replaceable = false;
        return 0;
}

/* *ret_rule: what is no comment. NULL: there is no rule, and its reason is in the text. */
static char *suggested(const Event *e, char **ret_rule) {
        json_auto_t *classes = json_pack("[{s:s},{s:s}]", "name", "ssh-private-keys", "name", "cloud-aws");
        json_auto_t *object = NULL;
        _cleanup_(alert_freep) Alert *a = NULL;
        _cleanup_free_ char *line = NULL, *why = NULL;
        char *suggestion = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        assert_int_equal(alert_to_json(a, &object, &line), 0);
        assert_int_equal(alert_suggest(object, classes, look, &suggestion, &why), 0);
        for (const char *c = suggestion; *c; c++)
                assert_true(*c == '\n' || ((unsigned char)*c >= 0x20 && *c != 0x7f));

        const char *rule = strstr(suggestion, "\n[");
        assert_int_equal(!rule, why != NULL);
        if (why)
                assert_non_null(strstr(suggestion, why));
        *ret_rule = rule ? strdup(rule + 1) : NULL;
        return suggestion;
}

static Event event_of(const char *exe) {
        Event e = event_new();

        e.correlation.process.exe = e.correlation.files[0].exe = view(exe);
        e.correlation.files[0].uid = 0;
        e.correlation.process.cgroup = view("/");
        return e;
}

#define ID "48c273957cf-a"

static void assert_rule(const Event *e, const char *wanted) {
        _cleanup_free_ char *rule = NULL, *text = suggested(e, &rule);

        if (!rule)
                fail_msg("no rule:\n%s", text);
        assert_string_equal(rule, wanted);
}

static void assert_none(const Event *e, const char *reason) {
        _cleanup_free_ char *rule = NULL, *text = suggested(e, &rule);

        if (rule || !strstr(text, reason))
                fail_msg("no \"%s\" in\n%s", reason, text);
}

static void assert_says(const Event *e, const char *risk) {
        _cleanup_free_ char *rule = NULL, *text = suggested(e, &rule);

        if (!rule || !strstr(text, risk))
                fail_msg("no rule, or no \"%s\" in\n%s", risk, text);
}

static void test_plain(void **state) {
        (void)state;
        Event e = event_of("/opt/backup");
        static const char full[] = "[Allow site-backup-" ID "]\nClass=ssh-private-keys\nExe=/opt/backup\n"
                                   "Unit=backup.service\nUser=1002\nDestination=192.0.2.7/32:443\n";
        EventCorrelation *c = &e.correlation;

        assert_rule(&e, "[Allow site-backup-" ID "]\nClass=ssh-private-keys\nExe=/opt/backup\n"
                        "Destination=192.0.2.7/32:443\n");
        c->process.cgroup = view("/system.slice/system-x.slice/backup.service/sub.service");
        c->files[0].uid = 1002;
        assert_rule(&e, full);
        /* A class of the file that the alert is not for. */
        c->files[0].classes |= BIT(AWS);
        assert_rule(&e, full);
        c->files[0].classes = BIT(SSH);
        /* A second file, of the same class: the same rule. */
        c->files[c->n_files++] = c->files[0];
        assert_rule(&e, full);
        c->classes |= BIT(AWS);
        c->files[1].classes = BIT(AWS);
        assert_rule(&e, "[Allow site-backup-" ID "]\nClass=ssh-private-keys cloud-aws\nExe=/opt/backup\n"
                        "Unit=backup.service\nUser=1002\nDestination=192.0.2.7/32:443\n");
}

static void test_destination(void **state) {
        (void)state;
        Event e = event_of("/x");

        e.correlation.destination.port = 0;
        assert_rule(&e, "[Allow site-x-" ID "]\nClass=ssh-private-keys\nExe=/x\nDestination=192.0.2.7/32\n");
        e.correlation.destination.family = AF_INET6;
        assert_rule(&e, "[Allow site-x-" ID
                        "]\nClass=ssh-private-keys\nExe=/x\nDestination=c000:207::/128\n");
        e.correlation.destination.port = 53;
        assert_rule(&e, "[Allow site-x-" ID
                        "]\nClass=ssh-private-keys\nExe=/x\nDestination=[c000:207::/128]:53\n");
}

/* Of another host, whose alert says what it likes. */
static void test_destination_is_text(void **state) {
        static const char *const addresses[] = { "0.0.0.0/0 ::/0 192.0.2.7", "192.0.2.7\nExe=/x", "any",
                "" };
        json_auto_t *classes = json_pack("[{s:s},{s:s}]", "name", "ssh-private-keys", "name", "cloud-aws");
        Event e = event_of("/x");
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                json_auto_t *object = NULL;
                _cleanup_(alert_freep) Alert *a = NULL;
                _cleanup_free_ char *line = NULL, *why = NULL, *text = NULL;

                assert_int_equal(alert_new(&e, &policy, &names, &epoch, 0, &a), 0);
                assert_int_equal(alert_to_json(a, &object, &line), 0);
                assert_int_equal(json_object_set_new(json_object_get(object, "destination"), "address",
                                                 json_string(addresses[i])),
                                0);
                assert_int_equal(alert_suggest(object, classes, look, &text, &why), 0);
                assert_non_null(why);
                assert_non_null(strstr(why, "not an IP address"));
                assert_null(strstr(text, "\n[Allow"));
        }
}

/* What each name becomes; the policy's own reader and matcher take it back for that name and no other. */
static void test_names(void **state) {
        (void)state;
        static const struct {
                const char *exe, *item, *not ;
        } cases[] = {
                { "/a b", "/a\\ b", "/a_b" },
                { "/a ", "/a\" \"", "/a" },
                { "/a*", "/a\\*", "/ab" },
                { "/a?[b]{c,d}", "/a\\?\\[b\\]\\{c\\,d\\}", "/ab" },
                { "/a\\x41", "/a\\\\x41", "/aA" },
                { "/\"#;'=", "/\\\"#;'=", "/#;'=" },
                { "/\xc3\xa4", "/\xc3\xa4", "/a" },
                { "/a\n\x1b\xff\xe2\x80\xae", "/a??????", "/a" },
                { "/a\\", "/a\\\\", "/a" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(policy_freep) Policy *p = NULL;
                _cleanup_free_ char *rule = NULL, *line = NULL;
                Event e = event_of(cases[i].exe);
                _cleanup_free_ char *text = suggested(&e, &rule);

                assert_true(asprintf(&line, "\nExe=%s\n", cases[i].item) > 0);
                assert_non_null(rule);
                if (!strstr(rule, line))
                        fail_msg("no %s in %s", line, rule);
                assert_int_equal(policy_new(&p), 0);
                static const char class[] = "[Class ssh-private-keys]\nPath=/x\n";
                assert_int_equal(policy_parse(p, "class", class, strlen(class)), 0);
                assert_int_equal(policy_parse(p, "drop-in", text, strlen(text)), 0);
                assert_int_equal(policy_finish(p), 0);
                assert_int_equal(p->n_errors, 0);
                assert_int_equal(p->n_allows, 1);
                assert_int_equal(p->allows[0].n_exes, 1);
                const char *glob = p->allows[0].exes[0].glob;
                assert_true(glob_match_reference(glob, cases[i].exe, strlen(cases[i].exe)));
                assert_false(glob_match_reference(glob, cases[i].not, strlen(cases[i].not )));
        }
}

static void test_unit(void **state) {
        (void)state;
        static const struct {
                const char *cgroup, *unit;
                bool container;
        } cases[] = {
                { "/system.slice/a\\x2db.service", "Unit=a\\\\x2db.service\n", false },
                { "/system.slice/ssh@7-192.0.2.1:22.service", "Unit=ssh@*.service\n", false },
                { "/system.slice/getty@tty1.service", "Unit=getty@tty1.service\n", false },
                { "/user.slice/user-1.slice/user@1.service/app.slice/a.service", NULL, false },
                { "/user.slice/user-1.slice/session-3.scope", NULL, false },
                { "/system.slice/run-r1.service", NULL, false },
                { "/machine.slice/machine-box.scope/payload", "Unit=machine-box.scope\nContainer=yes\n",
                                true },
                { "/system.slice/box.service/payload", "Unit=box.service\nContainer=yes\n", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *rule = NULL, *text = NULL;
                Event e = event_of("/x");

                e.correlation.process.cgroup = view(cases[i].cgroup);
                e.correlation.process.flags = cases[i].container ? BW_PROCESS_NOT_HOST : 0;
                exe_seen = !cases[i].container;
                text = suggested(&e, &rule);
                assert_non_null(rule);
                assert_int_equal(strstr(rule, "Unit=") != NULL, cases[i].unit != NULL);
                if (cases[i].unit)
                        assert_non_null(strstr(rule, cases[i].unit));
        }
        Event e = event_of("/x");
        e.correlation.process.flags = BW_PROCESS_NOT_HOST;
        assert_none(&e, "without a unit of its own");
        e.correlation.process.cgroup = view("/docker/0123");
        assert_none(&e, "without a unit of its own");
}

static void test_script(void **state) {
        (void)state;
        static const struct {
                const char *cmdline;
                size_t size;
                const char *script; /* or NULL */
        } cases[] = {
#define CMDLINE(s) s, sizeof(s) - 1
                { CMDLINE("python3\0/opt/a.py\0x"), "/opt/a.py" },
                { CMDLINE("python3\0/opt/a.py"), "/opt/a.py" },
                { CMDLINE("py thon\0/opt/it's a\\.py\0x"), "/opt/it's\\ a\\\\.py" },
                { CMDLINE("python3\0-I\0/opt/a.py"), NULL },
                { CMDLINE("python3\0a.py"), NULL },
                { CMDLINE("python3\0/opt/../a.py"), NULL },
                { CMDLINE("python3\0\0/opt/a.py"), NULL },
                { CMDLINE("python3"), NULL },
                { CMDLINE(""), NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *rule = NULL, *text = NULL, *line = NULL;
                Event e = event_of("/usr/bin/python3.11");

                e.correlation.process.cmdline = (Bytes){ cases[i].cmdline, cases[i].size };
                if (!cases[i].script) {
                        assert_none(&e, "every script");
                        continue;
                }
                text = suggested(&e, &rule);
                assert_non_null(rule);
                assert_true(asprintf(&line, "\nScript=%s\n", cases[i].script) > 0);
                assert_non_null(strstr(rule, line));
        }
        Event e = event_of("/usr/bin/python3.11");
        e.correlation.process.cmdline = (Bytes){ CMDLINE("python3\0/tmp/a.py") };
        assert_none(&e, "Users other than root can change /tmp/a.py");
        e.correlation.process.cmdline = (Bytes){ CMDLINE("python3\0/opt/a.py") };
        script_writable = true;
        assert_none(&e, "Users other than root can change /opt/a.py");
        script_writable = false;
        script_replaceable = true;
        assert_none(&e, "or put another file in its place");
        script_replaceable = false;
        /* The kernel ran it: then it is judged as a file. */
        e.correlation.process.flags = BW_PROCESS_SCRIPT;
        assert_rule(&e, "[Allow site-a.py-" ID "]\nClass=ssh-private-keys\nExe=/opt/a.py\n"
                        "Destination=192.0.2.7/32:443\n");
        e.correlation.process.flags = 0;
        /* What was cut is not the script. */
        e.correlation.flags = BW_CORRELATION_CMDLINE_CUT;
        assert_none(&e, "every script");
}

/* Programs below a home: ~/, for their user alone, and not for keys that no program of a user has to read.
 */
static void test_users(void **state) {
        const uint32_t own = BW_PROCESS_EXE_NOT_ROOTS | BW_PROCESS_FOREIGN_CODE | BW_PROCESS_USERS;
        Event e = event_of("/home/ana/.local/bin/to ol");
        (void)state;

        e.correlation.process.uid = e.correlation.files[0].uid = 1000;
        e.correlation.process.flags = own;
        e.correlation.classes = e.correlation.files[0].classes = BIT(AWS);
        exe_users = true;
        assert_rule(&e, "[Allow site-to_ol-" ID "]\nClass=cloud-aws\nExe=~/.local/bin/to\\ ol\nUser=1000\n"
                        "Destination=192.0.2.7/32:443\n");
        e.correlation.process.flags = own | BW_PROCESS_EXE_WRITABLE; /* by a group of her own */
        assert_rule(&e, "[Allow site-to_ol-" ID "]\nClass=cloud-aws\nExe=~/.local/bin/to\\ ol\nUser=1000\n"
                        "Destination=192.0.2.7/32:443\n");
        /* Its directory can be written by others now; it is another's. */
        exe_users = false;
        exe_writable = true;
        assert_none(&e, "others than its user can change it");
        exe_users = true;
        exe_writable = false;
        e.correlation.process.flags = own & ~(uint32_t)BW_PROCESS_USERS;
        assert_none(&e, "it was not owned by root");
        e.correlation.process.flags = own | BW_PROCESS_INJECTED;
        assert_none(&e, "LD_PRELOAD");
        e.correlation.process.flags = own;
        e.correlation.classes = e.correlation.files[0].classes = BIT(SSH);
        assert_none(&e, "it was not owned by root");
        e.correlation.classes = e.correlation.files[0].classes = BIT(AWS);
        e.correlation.process.exe = e.correlation.files[0].exe = view("/srv/ana/tool");
        assert_none(&e, "it was not owned by root");
        /* A script of hers, with the interpreter of the system. */
        e.correlation.process.exe = e.correlation.files[0].exe = view("/usr/bin/python3.11");
        e.correlation.process.flags = 0;
        e.correlation.process.cmdline = (Bytes){ CMDLINE("python3\0/home/ana/venv/bin/t.py") };
        assert_rule(&e, "[Allow site-t.py-" ID "]\nClass=cloud-aws\nExe=/usr/bin/python3.11\n"
                        "Script=~/venv/bin/t.py\nUser=1000\nDestination=192.0.2.7/32:443\n");
        script_writable = true;
        assert_none(&e, "others than its user can change it");
        script_writable = false;
        /* As root. */
        e.correlation.process.uid = e.correlation.files[0].uid = 0;
        assert_none(&e, "Users other than root can change /home/ana/venv/bin/t.py");
}

/* Rules for security agents come with the policy, off. */
static void test_agent(void **state) {
        Event e = event_of("/opt/osquery/bin/osqueryd");
        _cleanup_free_ char *rule = NULL, *text = suggested(&e, &rule);
        (void)state;

        assert_non_null(rule);
        assert_non_null(strstr(text, "\n# An agent that reads every file: optional.d/security-agents.conf"));
}

/* A rule would be for the opener, and another process sent. */
static void test_handed_on(void **state) {
        (void)state;
        static const char *const openers[] = { "/opt/opener", "/usr/bin/cat", "/usr/bin/bash" };

        for (size_t i = 0; i < ELEMENTSOF(openers); i++) {
                Event e = event_of(openers[i]);
                EventCorrelation *c = &e.correlation;
                _cleanup_free_ char *reason = NULL;

                assert_true(asprintf(&reason, "%s opened the files, and another program sent", openers[i]) >
                                0);
                c->files[0].via = BW_VIA_FORK;
                c->files[0].generation = 1;
                c->files[0].pid = 11;
                assert_none(&e, reason);
                /* The sender is not who a rule would be for. */
                c->process.exe = view("/usr/bin/curl");
                assert_none(&e, reason);
                /* The same process, which has executed something else since. */
                c->files[0].via = BW_VIA_OPEN;
                c->files[0].pid = c->process.pid;
                assert_none(&e, reason);
                /* The sender has opened another file itself: one of the two is enough. */
                c->files[1] = c->files[0];
                c->files[1].exe = c->process.exe;
                c->files[1].classes = BIT(AWS);
                c->classes |= BIT(AWS);
                c->n_files = 2;
                assert_none(&e, reason);
        }
}

/* What a rule would allow to others. */
static void test_reach(void **state) {
        static const char *const temporary[] = { "/tmp/x", "/var/tmp/x", "/dev/shm/x", "/run/user/7/x" };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(temporary); i++) {
                Event e = event_of(temporary[i]);
                assert_none(&e, "is a temporary program");
        }
        Event e = event_of("/opt/x");
        e.correlation.process.flags = BW_PROCESS_EXE_DIR_WRITABLE;
        assert_none(&e, "is a temporary program");
        e = event_of("/opt/x");
        e.correlation.n_lineage = 2;
        e.correlation.lineage[0] =
                        (EventAncestor){ .pid = 5, .comm = view("sh"), .exe = view("/usr/bin/dash") };
        e.correlation.lineage[1] =
                        (EventAncestor){ .pid = 4, .comm = view("npm"), .exe = view("/usr/bin/node") };
        assert_none(&e, "ran below npm");
        e.correlation.lineage[1] =
                        (EventAncestor){ .pid = 4, .comm = view("x"), .exe = view("/usr/bin/pip3") };
        assert_none(&e, "ran below pip3");
        e.correlation.lineage[1] =
                        (EventAncestor){ .pid = 4, .comm = view("npmx"), .exe = view("/usr/bin/xpip3") };
        assert_rule(&e, "[Allow site-x-" ID "]\nClass=ssh-private-keys\nExe=/opt/x\n"
                        "Destination=192.0.2.7/32:443\n");
}

/* Clients come from anywhere: a server's rule has its unit, and no uid that is another one next time. */
static void test_accepted(void **state) {
        (void)state;
        Event e = event_of("/usr/sbin/server");

        e.correlation.destination.act = BW_ACT_ACCEPT;
        assert_none(&e, "has no unit of its own");
        e.correlation.process.cgroup = view("/system.slice/server.service");
        e.correlation.files[0].uid = 61999;
        assert_rule(&e, "[Allow site-server-" ID "]\nClass=ssh-private-keys\nExe=/usr/sbin/server\n"
                        "Unit=server.service\n");
        assert_says(&e, "Unit= restricts the rule instead of addresses");
        e.correlation.files[0].uid = 33;
        assert_rule(&e, "[Allow site-server-" ID "]\nClass=ssh-private-keys\nExe=/usr/sbin/server\n"
                        "Unit=server.service\nUser=33\n");
}

/* A rule's Destination= is an address; without one it would allow everything. */
static void test_no_address(void **state) {
        static const uint16_t families[] = { AF_UNIX, AF_VSOCK, AF_PACKET, AF_NETLINK, BW_FAMILY_FILE };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                Event e = event_of("/x");

                event_to(&e, families[i], 1, 2, "/run/a.sock");
                assert_none(&e, "is not an IP address");
        }
}

static void test_none(void **state) {
        (void)state;
        static const struct {
                uint32_t flag;
                const char *reason;
        } cases[] = {
                { BW_PROCESS_EXE_NOT_ROOTS, "not owned by root" },
                { BW_PROCESS_EXE_WRITABLE, "writable by its group or others" },
                { BW_PROCESS_EXE_MEMORY, "from memory" },
                { BW_PROCESS_INJECTED, "LD_PRELOAD" },
                { BW_PROCESS_FOREIGN_CODE, "users other than root" },
                { BW_PROCESS_TRACED, "traced" },
                { BW_PROCESS_UNREAD, "larger than 1 MiB" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_of("/x");

                e.correlation.process.flags = cases[i].flag;
                assert_none(&e, cases[i].reason);
        }

        Event e = event_of("/x");
        e.correlation.process.flags = BW_PROCESS_EXE_DELETED;
        assert_says(&e, "was replaced while it ran");
        exe_seen = false;
        assert_none(&e, "does not exist any more");
        exe_seen = exe_writable = true;
        assert_none(&e, "users other than root can change it");
        exe_writable = false;

        e = event_of("memfd:x");
        assert_none(&e, "path of the executable is not known");
        e = event_of("/x");
        e.correlation.n_files = 0;
        assert_none(&e, "does not name the process that opened");
        e.correlation.classes = BIT(GONE);
        assert_none(&e, "names no file of a class");
        e = event_of("/x");
        e.correlation.classes |= BIT(APP); /* not a class of the policy in force */
        e.correlation.files[0].classes |= BIT(APP);
        assert_says(&e, "app-secrets is left out");
        assert_rule(&e, "[Allow site-x-" ID
                        "]\nClass=ssh-private-keys\nExe=/x\nDestination=192.0.2.7/32:443\n");
}

/* JSON of another shape: no crash, and no rule. */
static void test_strange(void **state) {
        (void)state;
        static const char *const alerts[] = { "{}", "{\"process\":1,\"files\":{},\"classes\":[1]}",
                "{\"classes\":[\"a\"],\"files\":[1,null,{\"classes\":[1,\"a\"],\"exe\":5}],\"process\":[]}",
                "{\"classes\":[\"a\"],\"files\":[{\"classes\":[\"a\"],\"exe\":\"x\\\\x\\\\\"}],\"id\":7}" };
        json_auto_t *classes = json_pack("[{s:s}, i, s]", "name", "a", 1, "b");

        for (size_t i = 0; i < ELEMENTSOF(alerts); i++) {
                json_auto_t *alert = json_loads(alerts[i], 0, NULL);
                _cleanup_free_ char *text = NULL, *why = NULL;

                assert_non_null(alert);
                assert_int_equal(alert_suggest(alert, classes, look, &text, &why), 0);
                assert_non_null(why);
                assert_null(strstr(text, "\n["));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_plain, setup),
                cmocka_unit_test_setup(test_destination, setup),
                cmocka_unit_test_setup(test_destination_is_text, setup),
                cmocka_unit_test_setup(test_names, setup),
                cmocka_unit_test_setup(test_unit, setup),
                cmocka_unit_test_setup(test_script, setup),
                cmocka_unit_test_setup(test_users, setup),
                cmocka_unit_test_setup(test_agent, setup),
                cmocka_unit_test_setup(test_handed_on, setup),
                cmocka_unit_test_setup(test_reach, setup),
                cmocka_unit_test_setup(test_accepted, setup),
                cmocka_unit_test_setup(test_no_address, setup),
                cmocka_unit_test_setup(test_none, setup),
                cmocka_unit_test_setup(test_strange, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
