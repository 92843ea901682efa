/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The JSON, byte for byte, and that any name can be restored from it. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "alert/json.h"
#include "basic/util.h"
#include "../alert-fixture.h"

/* hash: instead of that of the policy that judged it. */
static char *json_of(const Event *e, uint64_t repeats, const char *hash) {
        _cleanup_(alert_freep) Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        a->repeats = repeats;
        assert_string_equal(a->policy, policy.hash);
        (void)snprintf(a->policy, sizeof(a->policy), "%s", hash);
        char *line = alert_line(a);
        assert_non_null(line);
        return line;
}

static void test_golden(void **state) {
        (void)state;
        Event e = event_new_inherited();
        EventFile *f = e.correlation.files;
        f->exe_object = (EventObject){
                .inode = 77, .ctime_ns = 1700000000 * NSEC_PER_SEC + 5, .device = 8 << 20 | 2
        };
        f->script = view("/opt/x.py");
        f->script_object = (EventObject){ .inode = 78, .device = 1 };
        e.correlation.process.cgroup = view("/machine.slice/machine-box.scope/payload");
        e.correlation.files[0].real_lost = true;
        e.correlation.process.exe_inode = 1234;
        e.correlation.process.exe_device = 8 << 20 | 2;
        e.correlation.process.script = (EventScript){
                .inode = 7,
                .device = 8 << 20 | 1,
                .ctime_ns = 1733000000023456789,
                .size = 532,
                .path = view("/home/ana/get.py"),
        };
        _cleanup_free_ char *line = json_of(&e, 2, "ab12");

        assert_string_equal(line,
                        "{\"kind\":\"alert\","
                        "\"id\":\"" EVENT_ID "\","
                        "\"incident\":\"" EVENT_ID "\","
                        "\"time\":\"2026-11-22T10:05:01.023456Z\","
                        "\"severity\":\"high\","
                        "\"score\":80,"
                        "\"evidence\":\"unbound\","
                        "\"summary\":\"curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after its "
                        "parent sh (pid 11) "
                        "opened /home/ana/.ssh/id_ed25519 [ssh-private-keys, high] "
                        "(repeated 2 times within its window)\","
                        "\"reasons\":["
                        "{\"points\":80,\"text\":\"accessed a sensitive file: SSH private keys (class "
                        "ssh-private-keys)\"},"
                        "{\"points\":0,\"text\":\"inherited from its parent, pid 11\"}],"
                        "\"script_sight\":null,"
                        "\"action\":\"alert\","
                        "\"classes\":[\"ssh-private-keys\"],"
                        "\"techniques\":[\"T1552.004\",\"T1552.001\",\"T1041\"],"
                        "\"repeats\":2,"
                        "\"process\":{\"pid\":12,\"tid\":19536,\"start_time\":\"2026-11-22T10:05:00."
                        "023456Z\","
                        "\"exe\":\"/usr/bin/curl\",\"exe_object\":\"8:2/"
                        "1234\",\"comm\":\"curl\",\"cmdline\":\"python3 -c 'import "
                        "os'\","
                        "\"script\":\"/home/ana/get.py\","
                        "\"script_object\":\"8:1/7/1733000000.023456789/532\","
                        "\"uid\":1000,\"loginuid\":1001,\"unit\":\"machine-box.scope\","
                        "\"cgroup\":\"/machine.slice/machine-box.scope/payload\",\"container\":\"box\","
                        "\"mount_namespace\":4026531841,\"flags\":[]},"
                        "\"lineage\":[{\"pid\":1230,\"exe\":\"/usr/bin/bash\",\"comm\":\"bash\"},"
                        "{\"pid\":700,\"exe\":\"\",\"comm\":\"sshd\"}],"
                        "\"lineage_more\":false,"
                        "\"files\":[{\"path\":\"/home/ana/.ssh/id_ed25519\",\"path_lost\":false,"
                        "\"real_path\":null,\"real_path_lost\":true,\"class\":\"ssh-private-keys\","
                        "\"classes\":[\"ssh-private-keys\"],\"age_ms\":1234,\"pid\":11,\"uid\":1002,"
                        "\"exe\":\"/usr/bin/sh\",\"exe_object\":\"8:2/77/"
                        "1700000000.000000005\",\"comm\":\"sh\","
                        "\"script\":\"/opt/x.py\",\"script_object\":\"0:1/78/"
                        "0.000000000\",\"generation\":1,\"via\":\"fork\","
                        "\"truncated\":false,\"route\":[],\"route_cut\":false}],"
                        "\"files_more\":false,\"flood\":false,\"suspect\":false,"
                        "\"destination\":{\"family\":\"inet\",\"protocol\":\"tcp\",\"address\":\"192.0.2."
                        "7\","
                        "\"port\":443,\"act\":\"connect\",\"path\":null,\"text\":\"192.0.2.7:443\"},"
                        "\"policy\":\"ab12\"}");
}

/* Unknown values, and the other value of every flag. */
static void test_golden_sparse(void **state) {
        (void)state;
        Event e = event_sparse();
        EventCorrelation *c = &e.correlation;

        c->files[0].mono_ns = NOW_MONO_NS;
        c->files[0].path_truncated = true;
        c->files[0].inode = 3;
        c->files[0].device = 8 << 20 | 1;
        c->files[0].real_path = view("/home/ana/.ssh/id_rsa");
        c->flags = BW_CORRELATION_FILES_MORE | BW_CORRELATION_LINEAGE_MORE;
        _cleanup_free_ char *line = json_of(&e, UINT64_MAX, "");

        assert_string_equal(line,
                        "{\"kind\":\"alert\","
                        "\"id\":\"0123456789abcdef0123456789abcdef-0000000000000000-0\","
                        "\"incident\":\"0123456789abcdef0123456789abcdef-0000000000000000-0\","
                        "\"time\":\"2026-11-22T08:41:41.023455Z\","
                        "\"severity\":\"low\","
                        "\"score\":20,"
                        "\"evidence\":\"unbound\","
                        "\"summary\":\"a process (pid 0, uid 0) opened a sensitive file and then sent data "
                        "to "
                        "an unknown IPv6 address [low] (repeated 18446744073709551615 times within its "
                        "window)\","
                        "\"reasons\":[{\"points\":20,"
                        "\"text\":\"accessed a sensitive file of a class that the policy no longer has\"},"
                        "{\"points\":0,\"text\":\"the destination is not known: this sensor does not see "
                        "the "
                        "addresses of raw packets\"}],"
                        "\"script_sight\":null,"
                        "\"action\":\"alert\","
                        "\"classes\":[],"
                        "\"techniques\":[\"T1048\"],"
                        "\"repeats\":9223372036854775807,"
                        "\"process\":{\"pid\":0,\"tid\":0,\"start_time\":\"2026-11-22T08:41:41.023455Z\","
                        "\"exe\":\"\",\"exe_object\":null,\"comm\":\"\",\"cmdline\":\"\","
                        "\"script\":null,\"script_object\":null,\"uid\":0,\"loginuid\":null,"
                        "\"unit\":null,\"cgroup\":\"\",\"container\":null,\"mount_namespace\":0,\"flags\":[]"
                        "},"
                        "\"lineage\":[],"
                        "\"lineage_more\":true,"
                        "\"files\":[{\"path\":\"inode 3 of device 8:1 (its name was "
                        "evicted)\",\"path_lost\":true,"
                        "\"real_path\":\"/home/ana/.ssh/"
                        "id_rsa\",\"real_path_lost\":false,\"class\":null,\"classes\":[],\"age_ms\":0,"
                        "\"pid\":0,"
                        "\"uid\":0,"
                        "\"exe\":\"\",\"exe_object\":null,\"comm\":\"\",\"script\":null,\"script_object\":"
                        "null,\"generation\":0,\"via\":\"open\",\"truncated\":true,"
                        "\"route\":[],\"route_cut\":false}],"
                        "\"files_more\":true,\"flood\":false,\"suspect\":false,"
                        "\"destination\":{\"family\":\"inet6\",\"protocol\":\"250\",\"address\":\"\","
                        "\"port\":0,\"act\":\"send\",\"path\":null,\"text\":\"an unknown IPv6 address\"},"
                        "\"policy\":null}");
}

static void test_route(void **state) {
        Event e = event_new_piped();
        (void)state;

        e.correlation.files[0].route[1].comm = view("a\xff\n");
        e.correlation.files[0].route_cut = true;
        _cleanup_free_ char *line = json_of(&e, 0, "");
        assert_non_null(strstr(line,
                        "\"generation\":2,\"via\":\"pipe\",\"truncated\":false,"
                        "\"route\":[{\"pid\":10,\"comm\":\"cat\",\"via\":\"pipe\"},"
                        "{\"pid\":11,\"comm\":\"a\\\\xff\\n\",\"via\":\"socket\"}],\"route_cut\":true}"));
}

static void test_families(void **state) {
        static const struct {
                uint16_t family;
                const char *path, *json;
        } cases[] = {
                { AF_UNIX, "/run/a\n",
                                "\"family\":\"unix\",\"protocol\":\"unknown\",\"address\":\"\","
                                "\"port\":0,\"act\":\"connect\",\"path\":\"/run/a\\n\","
                                "\"text\":\"a local service\"}" },
                { AF_VSOCK, "",
                                "\"family\":\"vsock\",\"protocol\":\"unknown\",\"address\":\"2\","
                                "\"port\":70000,\"act\":\"connect\",\"path\":null,"
                                "\"text\":\"vsock CID 2, port 70000\"}" },
                { AF_PACKET, "",
                                "\"family\":\"packet\",\"protocol\":\"unknown\",\"address\":\"2\","
                                "\"port\":0,\"act\":\"connect\",\"path\":null,"
                                "\"text\":\"network interface 2\"}" },
                { AF_NETLINK, "",
                                "\"family\":\"family-16\",\"protocol\":\"unknown\",\"address\":\"\","
                                "\"port\":0,\"act\":\"connect\",\"path\":null,"
                                "\"text\":\"a socket of family-16\"}" },
                { BW_FAMILY_FILE, "/mnt/a",
                                "\"family\":\"file\",\"protocol\":\"unknown\",\"address\":\"\","
                                "\"port\":0,\"act\":\"connect\",\"path\":\"/mnt/a\","
                                "\"text\":\"a file that leaves this machine\"}" },
                { 65533, "", "\"family\":\"family-65533\"" },
                { BW_FAMILY_NONE, "", "\"family\":\"none\",\"protocol\":\"unknown\",\"address\":\"\"" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new();

                event_to(&e, cases[i].family, 2, 70000, cases[i].path);
                _cleanup_free_ char *line = json_of(&e, 0, "");
                if (!strstr(line, cases[i].json))
                        fail_msg("wanted %s\nin %s", cases[i].json, line);
        }

        /* The protocol numbers of other families are not those of internet protocols. */
        Event e = event_new();
        event_to(&e, AF_PACKET, 2, 0, "");
        e.correlation.destination.protocol = 6;
        _cleanup_free_ char *line = json_of(&e, 0, "");
        assert_non_null(strstr(line, "\"protocol\":\"6\""));
}

/* Each flag alone, and all of them. */
static void test_flags(void **state) {
        (void)state;
        static const char *const wanted_names[] = { "not-roots", "writable", "directory-writable", "deleted",
                "memory", "not-host", "injected", "foreign-code", "traced", "environment-unread", "users",
                "script" };
        char all[256] = "";

        for (unsigned bit = 0; bit < ELEMENTSOF(wanted_names); bit++) {
                _cleanup_free_ char *wanted = NULL;
                Event e = event_new();

                e.correlation.process.flags = 1U << bit;
                _cleanup_free_ char *line = json_of(&e, 0, "");
                assert_true(asprintf(&wanted, "\"flags\":[\"%s\"]}", wanted_names[bit]) > 0);
                assert_non_null(strstr(line, wanted));
                size_t n = strlen(all);
                (void)snprintf(all + n, sizeof(all) - n, "%s\"%s\"", bit > 0 ? "," : "", wanted_names[bit]);
        }
        Event e = event_new();
        e.correlation.process.flags = BW_PROCESS_FLAGS;
        _cleanup_free_ char *line = json_of(&e, 0, "");
        assert_non_null(strstr(line, all));
        assert_null(process_flag_name(ELEMENTSOF(wanted_names)));
}

/* Undoes \xNN and \\ as a reader would. */
static size_t unescape(const char *s, char *ret) {
        size_t n = 0;

        while (*s) {
                unsigned byte;

                if (s[0] == '\\' && s[1] == '\\') {
                        ret[n++] = '\\';
                        s += 2;
                } else if (s[0] == '\\') {
                        assert_int_equal(sscanf(s, "\\x%2x", &byte), 1);
                        ret[n++] = (char)byte;
                        s += 4;
                } else
                        ret[n++] = *s++;
        }

        return n;
}

static const char *get(const json_t *root, const char *object, const char *member) {
        const json_t *o = json_object_get(root, object);

        if (json_is_array(o))
                o = json_array_get(o, 0);
        return json_string_value(json_object_get(o, member));
}

static json_t *parse(const char *line) {
        json_error_t error;
        json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, &error);

        if (!root)
                fail_msg("%s: %s", error.text, line);
        /* One line of printable ASCII. */
        for (const char *p = line; *p; p++)
                assert_in_range(*p, 0x20, 0x7f);
        return root;
}

static void assert_round_trip(const char *name, size_t size) {
        Event e = event_new();
        EventCorrelation *c = &e.correlation;
        Bytes *const fields[] = {
                &c->files[0].path,
                &c->files[0].exe,
                &c->files[0].comm,
                &c->lineage[0].exe,
                &c->lineage[0].comm,
                &c->process.exe,
                &c->process.comm,
                &c->process.cgroup,
        };
        static const char *const members[][2] = {
                { "files", "path" },
                { "files", "exe" },
                { "files", "comm" },
                { "lineage", "exe" },
                { "lineage", "comm" },
                { "process", "exe" },
                { "process", "comm" },
                { "process", "cgroup" },
        };
        char bytes[4096];

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                *fields[i] = (Bytes){ .data = name, .size = size };

        _cleanup_free_ char *line = json_of(&e, 0, "");
        json_auto_t *root = parse(line);
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                assert_int_equal(unescape(get(root, members[i][0], members[i][1]), bytes), size);
                assert_memory_equal(bytes, name, size);
        }
}

static void test_round_trip(void **state) {
        (void)state;
        char name[256];

        /* Every byte but NUL, alone and after each kind of lead byte. */
        static const char leads[] = { 'a', '\\', '\xc3', '\xe2', '\xed', '\xf0' };
        for (size_t i = 0; i < ELEMENTSOF(leads); i++)
                for (unsigned b = 1; b < 256; b++) {
                        name[0] = leads[i];
                        name[1] = (char)b;
                        assert_round_trip(name, 2);
                        assert_round_trip(name + 1, 1);
                }

        for (unsigned b = 1; b < 256; b++)
                name[b - 1] = (char)b;
        assert_round_trip(name, 255);

        /* A name that looks escaped already. */
        assert_round_trip("\\xff\\\\x41\\", 10);
}

/* Valid text is unchanged: a program finds the name as it is. */
static void test_text_is_kept(void **state) {
        (void)state;
        Event e = event_new();

        e.correlation.files[0].path = view("/a\nb\t\x1b\"\xc3\xbc\xe2\x80\xae\xf0\x9f\x94\x91");
        _cleanup_free_ char *line = json_of(&e, 0, "");
        json_auto_t *root = parse(line);
        assert_string_equal(get(root, "files", "path"), "/a\nb\t\x1b\"\xc3\xbc\xe2\x80\xae\xf0\x9f\x94\x91");

        e.correlation.files[0].path = view("/a\\b\xff\xc3");
        _cleanup_free_ char *line2 = json_of(&e, 0, "");
        json_auto_t *root2 = parse(line2);
        assert_string_equal(get(root2, "files", "path"), "/a\\\\b\\xff\\xc3");
}

static void test_hostile_cmdline_and_policy(void **state) {
        (void)state;
        Event e = event_new();
        PolicyClass odd = { .name = (char *)"\xff\n", .description = (char *)"\xfe" };
        const Policy p = { .classes = &odd, .n_classes = 1 };
        const PolicyNames n = { .class_names = { [SSH] = (char *)"\xff\n" } };
        _cleanup_(alert_freep) Alert *a = NULL;

        e.correlation.process.cmdline = (Bytes){ .data = "\xff\0\n", .size = 3 };
        assert_int_equal(alert_new(&e, &p, &n, &epoch, 0, &a), 0);
        _cleanup_free_ char *line = alert_line(a);
        assert_non_null(line);

        json_auto_t *root = parse(line);
        assert_string_equal(get(root, "process", "cmdline"), "\\xff '\n'");
        assert_string_equal(get(root, "files", "class"), "\\xff\n");
        assert_string_equal(
                        get(root, "reasons", "text"), "accessed a sensitive file: \\xfe (class \\xff\n)");
}

/* Only an alert that was delivered late says so, and by how much. */
static void test_delayed(void **state) {
        AlertEpoch later = epoch;
        Event e = event_new();

        (void)state;
        later.monotonic_usec += ALERT_DELAYED_USEC;
        for (unsigned i = 0; i < 2; i++, later.monotonic_usec += 1000) {
                _cleanup_(alert_freep) Alert *a = NULL;
                _cleanup_free_ char *line = NULL;
                json_auto_t *o = NULL;

                assert_int_equal(alert_new(&e, &policy, &names, &later, 0, &a), 0);
                assert_int_equal(alert_to_json(a, &o, &line), 0);
                const json_t *delayed = json_object_get(o, "delayed_ms");
                if (i == 0)
                        assert_null(delayed);
                else
                        assert_int_equal(json_integer_value(delayed), 5001);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_delayed),
                cmocka_unit_test(test_golden),
                cmocka_unit_test(test_golden_sparse),
                cmocka_unit_test(test_route),
                cmocka_unit_test(test_families),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_text_is_kept),
                cmocka_unit_test(test_hostile_cmdline_and_policy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
