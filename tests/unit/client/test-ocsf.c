/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Findings of several alerts against the published schema (ocsf-schema.h): every attribute is one of its
 * object, of its type and value; the required ones are there; and every recommended one is there in some
 * finding, or is listed here with the reason why it never is. */

#include <arpa/inet.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/ocsf.h"
#include "../alert-fixture.h"
#include "ocsf-schema.h"

/* Recommended, and not in an alert. */
static const struct {
        const char *attribute, *reason;
} never_known[] = {
        { "metadata.reporter", "no other product reports it" },
        { "metadata.tenant_uid", "there are no tenants" },
        { "attack.tactic", "a class names techniques" },
        { "attack.version", "nor a version of ATT&CK" },
        { "technique.name", "only their ids" },
        { "sub_technique.name", "the same" },
        { "evidences.api", "not an API call" },
        { "evidences.database", "a file" },
        { "evidences.databucket", "a file" },
        { "evidences.device", "the finding has it" },
        { "evidences.email", "a file" },
        { "evidences.http_request", "what is sent is not inspected" },
        { "evidences.http_response", "the same" },
        { "evidences.ja4_fingerprint_list", "the same" },
        { "evidences.job", "not a job" },
        { "evidences.query", "what is sent is not inspected" },
        { "evidences.resources", "of a cloud" },
        { "evidences.script", "its content would be required" },
        { "evidences.tls", "what is sent is not inspected" },
        { "evidences.url", "the same" },
        { "evidences.user", "the actor has it" },
        { "process.cpid", "a UUID that a common agent gives" },
        { "process.uid", "the kernel has none but the id and the start" },
        { "process_entity.cmd_line", "of an ancestor, not recorded" },
        { "process_entity.cpid", "as of a process" },
        { "process_entity.created_time", "of an ancestor, not recorded" },
        { "process_entity.uid", "as of a process" },
        { "user.has_mfa", "not known" },
        { "user.name", "not looked up: another host may have other names" },
        { "file.ext", "a name says enough" },
        { "network_endpoint.hostname", "not looked up" },
        { "network_endpoint.instance_uid", "not known" },
        { "network_endpoint.interface_name", "not known, only its index" },
        { "network_endpoint.owner", "not known" },
        { "network_endpoint.type_id", "not known" },
        { "network_connection_info.boundary_id", "not judged" },
        { "network_connection_info.uid", "not known" },
        { "container.hash", "the engine knows it" },
        { "container.image", "the same" },
        { "container.size", "the same" },
        { "resource_details.ip", "a file" },
        { "resource_details.owner", "not recorded" },
        { "resource_details.uid", "the kernel's number of a file is of no use elsewhere" },
        { "device.instance_uid", "not known" },
        { "device.interface_name", "not known" },
        { "device.interface_uid", "not known" },
        { "device.owner", "not known" },
        { "device.region", "not known" },
        { "device.uid", "not known" },
        { "device.vendor_name", "not known" },
};

/* The largest number of an enumeration whose numbers have no gap, but for 99 (other). */
static const struct {
        const char *attribute;
        json_int_t max;
} enumerations[] = {
        { "detection_finding.activity_id", 3 },
        { "detection_finding.severity_id", 6 },
        { "detection_finding.action_id", 4 },
        { "detection_finding.confidence_id", 3 },
        { "detection_finding.disposition_id", 27 },
        { "detection_finding.status_id", 6 },
        { "analytic.type_id", 11 },
        { "user.type_id", 4 },
        { "file.type_id", 8 },
        { "network_connection_info.direction_id", 4 },
        { "network_connection_info.protocol_ver_id", 6 },
        { "resource_details.role_id", 4 },
        { "device.type_id", 15 },
        { "observable.type_id", 48 },
};

/* "object.attribute" of what was seen: a set. */
static json_t *seen;

static const SchemaObject *schema_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(schema); i++)
                if (strcmp(schema[i].name, name) == 0)
                        return &schema[i];
        return NULL;
}

/* The type of an attribute with its sign, in ret; false: the object has no such attribute. */
static bool attribute_find(const SchemaObject *o, const char *name, char ret[static 64]) {
        size_t n = strlen(name);

        for (const char *word = o->attributes; *word; word += strcspn(word, " "), word += *word == ' ')
                if (strncmp(word, name, n) == 0 && word[n] == ':') {
                        (void)snprintf(ret, 64, "%.*s", (int)strcspn(word + n + 1, " "), word + n + 1);
                        return true;
                }
        return false;
}

static void assert_object(const char *type, const json_t *value);

static void assert_enumeration(const char *attribute, const json_t *value) {
        for (size_t i = 0; i < ELEMENTSOF(enumerations); i++)
                if (strcmp(attribute, enumerations[i].attribute) == 0)
                        assert_in_range(json_integer_value(value), 0, enumerations[i].max);
}

static bool is_address(const char *s) {
        unsigned char bytes[16];

        return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

/* type: without signs. */
static void assert_value(const char *attribute, const char *type, const json_t *value) {
        json_int_t n = json_integer_value(value);

        if (strcmp(type, "boolean_t") == 0) {
                assert_true(json_is_boolean(value));
        } else if (strcmp(type, "integer_t") == 0 || strcmp(type, "long_t") == 0) {
                assert_true(json_is_integer(value));
                assert_true(type[0] == 'l' || (n >= INT32_MIN && n <= UINT32_MAX));
                assert_enumeration(attribute, value);
        } else if (strcmp(type, "timestamp_t") == 0) {
                assert_true(json_is_integer(value));
                assert_in_range(n, 1700000000000, 1900000000000); /* milliseconds */
        } else if (strcmp(type, "port_t") == 0) {
                assert_true(json_is_integer(value));
                assert_in_range(n, 0, UINT16_MAX);
        } else if (strcmp(type, "object") == 0) {
                assert_true(json_is_object(value));
        } else if (schema_find(type)) {
                assert_object(type, value);
        } else {
                const char *text = json_string_value(value);

                if (!text || !text[0] || strcmp(type + strlen(type) - 2, "_t") != 0)
                        fail_msg("%s is no %s", attribute, type);
                assert_true(strcmp(type, "ip_t") != 0 || is_address(text));
        }
}

static void assert_attribute(const SchemaObject *o, const char *name, const json_t *value) {
        char type[64], attribute[128];
        const json_t *item;
        size_t i;

        (void)snprintf(attribute, sizeof(attribute), "%s.%s", o->name, name);
        if (!attribute_find(o, name, type))
                fail_msg("%s is not in the schema", attribute);
        assert_int_equal(json_object_set_new(seen, attribute, json_true()), 0);
        type[strcspn(type, "!+")] = '\0';
        char *array = strstr(type, "[]");
        if (!array) {
                assert_value(attribute, type, value);
                return;
        }
        *array = '\0';
        assert_true(json_is_array(value));
        json_array_foreach(value, i, item) assert_value(attribute, type, item);
}

/* Calls the handler with each word of a list. */
static void each_word(const char *words, void (*handler)(const char *word, void *userdata), void *userdata) {
        _cleanup_free_ char *copy = strdup(words);
        char *rest = NULL;

        assert_non_null(copy);
        for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
                handler(word, userdata);
}

static void on_required(const char *word, void *userdata) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, ":"), word);
        if (word[strlen(word) - 1] == '!' && !json_object_get(userdata, name))
                fail_msg("the required attribute %s is missing", name);
}

typedef struct Constraint {
        const json_t *object;
        bool met;
} Constraint;

static void on_constraint(const char *word, void *userdata) {
        Constraint *c = userdata;

        c->met |= json_object_get(c->object, word) != NULL;
}

static void assert_object(const char *type, const json_t *value) {
        const SchemaObject *o = schema_find(type);
        Constraint c = { .object = value, .met = !o->at_least_one[0] };
        const char *name;
        json_t *member;

        assert_true(json_is_object(value));
        json_object_foreach((json_t *)value, name, member) assert_attribute(o, name, member);
        each_word(o->attributes, on_required, (void *)value);
        each_word(o->at_least_one, on_constraint, &c);
        if (!c.met)
                fail_msg("%s has none of %s", type, o->at_least_one);
}

static json_t *finding_of_alert(const Alert *a, const char *host) {
        json_auto_t *alert = NULL;
        _cleanup_free_ char *line = NULL;
        json_t *finding = NULL;

        assert_int_equal(alert_to_json(a, &alert, &line), 0);
        assert_int_equal(ocsf_from_alert(alert, host, &finding), 0);
        assert_object("detection_finding", finding);
        return finding;
}

static json_t *finding_of(const Event *e, const char *host) {
        _cleanup_(alert_freep) Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        (void)snprintf(a->policy, sizeof(a->policy), "%064x", 0x5e);
        return finding_of_alert(a, host);
}

/* "evidences.0.file.path": a member at any depth. */
static const json_t *at(const json_t *o, const char *path) {
        _cleanup_free_ char *copy = strdup(path);
        char *rest = NULL;

        assert_non_null(copy);
        for (char *word = strtok_r(copy, ".", &rest); word; word = strtok_r(NULL, ".", &rest)) {
                o = isdigit((unsigned char)word[0]) ? json_array_get(o, (size_t)atoi(word))
                                                    : json_object_get(o, word);
                if (!o)
                        fail_msg("no %s in %s", word, path);
        }
        return o;
}

static void assert_number(const json_t *o, const char *path, json_int_t wanted) {
        assert_int_equal(json_integer_value(at(o, path)), wanted);
}

static void assert_text(const json_t *o, const char *path, const char *wanted) {
        assert_non_null(json_string_value(at(o, path)));
        assert_string_equal(json_string_value(at(o, path)), wanted);
}

static void test_plain(void **state) {
        (void)state;
        Event e = event_new_piped();
        json_auto_t *f = finding_of(&e, "web1");

        assert_number(f, "class_uid", 2004);
        assert_number(f, "category_uid", 2);
        assert_number(f, "activity_id", 1);
        assert_number(f, "type_uid", 200401);
        assert_number(f, "time", 1795341901023);
        assert_number(f, "start_time", 1795341901023 - 1234);
        assert_number(f, "severity_id", 4);
        assert_number(f, "confidence_id", 3);
        assert_number(f, "action_id", 3);
        assert_number(f, "disposition_id", 19);
        assert_true(json_is_true(at(f, "is_alert")));
        assert_text(f, "metadata.version", "1.8.0");
        assert_text(f, "metadata.uid", EVENT_ID);
        assert_text(f, "finding_info.uid", EVENT_ID);
        assert_text(f, "finding_info.types.0", "ssh-private-keys");
        assert_text(f, "policy.name", "barbwire");
        assert_text(f, "policy.uid", "000000000000000000000000000000000000000000000000000000000000005e");
        assert_text(f, "finding_info.attacks.0.technique.uid", "T1552");
        assert_text(f, "finding_info.attacks.0.sub_technique.uid", "T1552.004");
        assert_text(f, "device.hostname", "web1");
        /* The sender acts; its opener is the process; what the sender is a child of. */
        assert_text(f, "evidences.0.actor.process.name", "nc");
        assert_text(f, "evidences.0.actor.process.parent_process.name", "bash");
        assert_text(f, "evidences.0.actor.user.uid", "1000");
        assert_text(f, "evidences.0.process.name", "cat");
        assert_text(f, "evidences.0.process.file.name", "cat");
        assert_text(f, "evidences.0.file.name", "id_ed25519");
        assert_text(f, "evidences.0.file.path", "/home/ana/.ssh/id_ed25519");
        assert_text(f, "evidences.0.dst_endpoint.ip", "192.0.2.7");
        assert_number(f, "evidences.0.dst_endpoint.port", 443);
        assert_number(f, "evidences.0.connection_info.protocol_num", 6);
        assert_text(f, "unmapped.files.0.route.1.comm", "gzip");
        assert_null(json_object_get(f, "count"));

        json_auto_t *nameless = finding_of(&e, NULL);
        assert_null(json_object_get(nameless, "device"));
}

/* The finding is the incident: what comes later updates it. */
static void test_activity(void **state) {
        (void)state;
        Event e = event_new();
        _cleanup_(alert_freep) Alert *a = NULL;

        assert_int_equal(alert_new(&e, &policy, &names, &epoch, 0, &a), 0);
        a->repeats = 2;
        json_auto_t *repeat = finding_of_alert(a, "web1");
        assert_number(repeat, "activity_id", 2);
        assert_number(repeat, "type_uid", 200402);
        assert_number(repeat, "count", 3);
        assert_text(repeat, "finding_info.uid", EVENT_ID);

        a->repeats = 0;
        (void)snprintf(a->incident, sizeof(a->incident), "0123456789abcdef0123456789abcdef-1-0");
        json_auto_t *follow_up = finding_of_alert(a, "web1");
        assert_number(follow_up, "activity_id", 2);
        assert_text(follow_up, "finding_info.uid", "0123456789abcdef0123456789abcdef-1-0");
        assert_text(follow_up, "metadata.uid", EVENT_ID);
        assert_text(follow_up, "finding_info.uid_alt", EVENT_ID);
}

static void test_judgement(void **state) {
        static const struct {
                uint8_t action;
                const char *code;
                int action_id, disposition_id;
        } cases[] = {
                { BW_ACTION_ALERT, "alert", 3, 19 },
                { BW_ACTION_DENIED, "denied", 2, 2 },
                { BW_ACTION_STOPPED, "stopped", 2, 2 },
                { BW_ACTION_KILLED, "killed", 2, 2 },
                { BW_ACTION_WOULD_DENY, "would-deny", 3, 19 },
                { BW_ACTION_NOT_DENIED, "not-denied", 3, 19 },
        };
        (void)state;
        Event e = event_new();
        _cleanup_(alert_freep) Alert *a = NULL;

        assert_int_equal(alert_new(&e, &policy, &names, &epoch, 0, &a), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                a->action = cases[i].action;
                json_auto_t *f = finding_of_alert(a, "web1");
                assert_text(f, "status_code", cases[i].code);
                assert_number(f, "action_id", cases[i].action_id);
                assert_number(f, "disposition_id", cases[i].disposition_id);
                assert_int_equal(json_object_get(f, "status_detail") != NULL, i > 0);
        }
        for (Severity s = SEVERITY_INFO; s < _SEVERITY_MAX; s++) {
                a->score.severity = s;
                json_auto_t *f = finding_of_alert(a, "web1");
                assert_number(f, "severity_id", (json_int_t)s + 1);
                assert_int_equal(json_is_true(at(f, "is_alert")), s > SEVERITY_INFO);
        }
        a->evidence = EVIDENCE_BOUND;
        json_auto_t *bound = finding_of_alert(a, "web1");
        assert_number(bound, "confidence_id", 2);
        a->evidence = EVIDENCE_LATE;
        json_auto_t *late = finding_of_alert(a, "web1");
        assert_number(late, "confidence_id", 1);
        a->evidence = EVIDENCE_UNBOUND;
        a->suspect = true;
        json_auto_t *suspect = finding_of_alert(a, "web1");
        assert_number(suspect, "confidence_id", 1);
}

/* Access=allowed: an open that was refused is no egress, and has no destination. */
static void test_open(void **state) {
        (void)state;
        Event e = event_new();

        e.correlation.destination = (struct bw_destination){ .family = BW_FAMILY_NONE, .act = BW_ACT_OPEN };
        e.correlation.action = BW_ACTION_DENIED;
        json_auto_t *f = finding_of(&e, "web1");
        assert_number(f, "action_id", 2);
        assert_number(f, "disposition_id", 2);
        assert_text(f, "status_detail",
                        "the open was refused, as the class has Access=allowed or FailClosed=yes");
        assert_text(f, "finding_info.title", "Open without permission of ssh-private-keys");
        assert_text(f, "evidences.0.file.path", "/home/ana/.ssh/id_ed25519");
        assert_null(json_object_get(at(f, "evidences.0"), "dst_endpoint"));
        assert_null(json_object_get(at(f, "evidences.0"), "connection_info"));
        assert_text(f, "unmapped.destination.act", "open");
}

static void test_container(void **state) {
        static const char id[] = "ac2ea168264a08f9aaca0dfc82ff3551418dfd22d02b713142a6843caa2f61bf";
        (void)state;
        Event e = event_new();

        e.correlation.process.cgroup = view("/machine.slice/machine-box.scope/payload");
        json_auto_t *machine = finding_of(&e, "web1");
        assert_text(machine, "evidences.0.container.name", "box");
        e.correlation.process.cgroup = view(
                        "/system.slice/docker-ac2ea168264a08f9aaca0dfc82ff3551418dfd22d02b713142a6843caa2"
                        "f61bf"
                        ".scope");
        json_auto_t *docker = finding_of(&e, "web1");
        assert_text(docker, "evidences.0.container.uid", id);
}

static void test_script(void **state) {
        (void)state;
        Event e = event_new();

        e.correlation.process.script = (EventScript){ .inode = 7, .path = view("/home/ana/get.py") };
        e.correlation.process.flags = BW_PROCESS_EXE_NOT_ROOTS;
        json_auto_t *f = finding_of(&e, "web1");
        assert_text(f, "evidences.0.actor.process.xattributes.script", "/home/ana/get.py");
        assert_text(f, "evidences.0.actor.process.xattributes.flags.0", "not-roots");
}

static void test_destinations(void **state) {
        static const struct {
                uint16_t family;
                const char *path, *member, *wanted;
        } cases[] = {
                { AF_UNIX, "/run/a.sock", "svc_name", "/run/a.sock" },
                { AF_UNIX, "", "name", "a local service" },
                { AF_UNIX, "@ab\x1b", "svc_name", "@ab\x1b" },
                { BW_FAMILY_FILE, "/mnt/a", "uid", "/mnt/a" },
                { AF_VSOCK, "", "name", "vsock CID 2, port 70000" },
                { AF_PACKET, "", "interface_uid", "2" },
                { AF_NETLINK, "", "name", "a socket of family-16" },
                { AF_INET6, "", "ip", "200:0:7011:100::" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new();

                event_to(&e, cases[i].family, 2, 70000, cases[i].path);
                json_auto_t *f = finding_of(&e, "web1");
                const json_t *to = at(f, "evidences.0.dst_endpoint");
                assert_text(to, cases[i].member, cases[i].wanted);
                assert_int_equal(json_object_get(to, "port") != NULL, cases[i].family == AF_INET6);
        }

        /* The peer of an accepted connection is where it came from. */
        Event e = event_new();
        e.correlation.destination.act = BW_ACT_ACCEPT;
        json_auto_t *accepted = finding_of(&e, "web1");
        assert_text(accepted, "evidences.0.src_endpoint.ip", "192.0.2.7");
        assert_null(json_object_get(at(accepted, "evidences.0.dst_endpoint"), "ip"));
        assert_number(accepted, "evidences.0.dst_endpoint.port", 443);
        assert_number(accepted, "evidences.0.connection_info.direction_id", 1);
}

/* Of an alert that "show" has read the digest for: of the executable, not of the script. */
static void test_digest(void **state) {
        (void)state;
        Event e = event_new();
        _cleanup_(alert_freep) Alert *a = NULL;
        json_auto_t *alert = NULL, *finding = NULL;
        _cleanup_free_ char *line = NULL;

        assert_int_equal(alert_new(&e, &policy, &names, &epoch, 0, &a), 0);
        assert_int_equal(alert_to_json(a, &alert, &line), 0);
        json_t *digests = json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:s},{s:s,s:s,s:n}]", "role", "sender", "kind",
                        "script", "sha256", "bb", "role", "sender", "kind", "executable", "sha256", "aa",
                        "role", "opener", "kind", "executable", "sha256");
        assert_int_equal(json_object_set_new(alert, "digests", digests), 0);
        assert_int_equal(ocsf_from_alert(alert, "web1", &finding), 0);
        assert_object("detection_finding", finding);
        assert_text(finding, "evidences.0.actor.process.file.hashes.0.value", "aa");
        assert_number(finding, "evidences.0.actor.process.file.hashes.0.algorithm_id", 3);
        assert_null(json_object_get(at(finding, "evidences.0.process.file"), "hashes"));
}

/* Nothing is known, and names are any bytes. */
static void test_hostile(void **state) {
        (void)state;
        Event sparse = event_sparse();
        json_auto_t *f = finding_of(&sparse, "web1");
        assert_text(f, "evidences.0.file.name", "inode 0 of device 0:0 (its name was evicted)");
        assert_null(json_object_get(at(f, "evidences.0.file"), "path"));
        assert_text(f, "evidences.0.dst_endpoint.name", "an unknown IPv6 address");

        Event e = event_new();
        e.correlation.files[0].path = view("/a\xff/\n\\\"");
        e.correlation.process.comm = view("\xc3\xa4\x01\xfe");
        e.correlation.process.exe = view("/");
        json_auto_t *strange = finding_of(&e, "web1");
        assert_text(strange, "evidences.0.file.path", "/a\\xff/\n\\\\\"");
        assert_text(strange, "evidences.0.actor.process.name", "\xc3\xa4\x01\\xfe");

        /* No files at all, as no daemon writes it; and what is no alert. */
        json_auto_t *alert = json_pack("{s:s, s:s, s:[], s:i}", "id", "a-b-c", "time",
                        "2026-11-22T10:05:01.023456Z", "files", "process", 7);
        json_auto_t *empty = json_object(), *none = NULL, *bare = NULL;
        assert_int_equal(ocsf_from_alert(alert, NULL, &none), 0);
        assert_text(none, "finding_info.uid", "a-b-c");
        assert_int_equal(ocsf_from_alert(empty, NULL, &bare), 0);
        assert_text(bare, "finding_info.uid", "unknown");
}

typedef struct Recommended {
        const char *object;
        size_t n_never;
} Recommended;

static void on_recommended(const char *word, void *userdata) {
        Recommended *r = userdata;
        char attribute[128];
        bool listed = false;

        (void)snprintf(attribute, sizeof(attribute), "%s.%.*s", r->object, (int)strcspn(word, ":"), word);
        for (size_t i = 0; i < ELEMENTSOF(never_known); i++)
                listed |= strcmp(never_known[i].attribute, attribute) == 0;
        r->n_never += listed;
        bool there = json_object_get(seen, attribute) != NULL;
        if (word[strlen(word) - 1] == '+' && !there && !listed)
                fail_msg("%s is recommended, and in no finding", attribute);
        if (there && listed)
                fail_msg("%s is in a finding, and listed as never known", attribute);
}

/* Runs last: each test adds what its findings have. */
static void test_recommended(void **state) {
        Recommended r = {};
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(schema); i++) {
                r.object = schema[i].name;
                each_word(schema[i].attributes, on_recommended, &r);
        }
        assert_int_equal(r.n_never, ELEMENTSOF(never_known));
}

static int setup(void **state) {
        (void)state;
        seen = json_object();
        return seen ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        json_decref(seen);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_activity),
                cmocka_unit_test(test_judgement),
                cmocka_unit_test(test_open),
                cmocka_unit_test(test_container),
                cmocka_unit_test(test_script),
                cmocka_unit_test(test_destinations),
                cmocka_unit_test(test_digest),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_recommended),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
