/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The finding is the incident: its first alert creates it (activity 1), and each later alert and each repeat
 * updates it (activity 2) under the same finding_info.uid. What the schema has no attribute for is in
 * `unmapped`, as it is in the alert; nothing is looked up or guessed. */

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "barbwire-config.h"
#include "alert/details.h"
#include "basic/json-util.h"
#include "basic/util.h"
#include "client/ocsf.h"

#define OCSF_VERSION "1.8.0"
#define CLASS_UID 2004
/* Of the values that an observable is of. */
enum { OBSERVABLE_HOSTNAME = 1, OBSERVABLE_IP = 2, OBSERVABLE_PROCESS = 9, OBSERVABLE_PATH = 45 };
enum { FILE_UNKNOWN = 0, FILE_REGULAR = 1, FILE_EXECUTABLE = 8 };

typedef struct Maker {
        const json_t *alert;
        const char *host; /* NULL: not known */
        bool failed;      /* out of memory */
} Maker;

/* One of our words, and what the schema has for it: a number and its caption. */
typedef struct Word {
        const char *ours;
        int id;
        const char *caption;
} Word;

static const Word severities[] = {
        { "info", 1, "Informational" },
        { "low", 2, "Low" },
        { "medium", 3, "Medium" },
        { "high", 4, "High" },
};
static const Word confidences[] = {
        { "late", 1, "Low" },
        { "bound", 2, "Medium" },
        { "unbound", 3, "High" },
};
/* An egress that was to be refused and was not is observed, and no more: status_code has our word. */
static const Word actions[] = {
        { "alert", 3, "Observed" },
        { "denied", 2, "Denied" },
        { "stopped", 2, "Denied" },
        { "killed", 2, "Denied" },
        { "would-deny", 3, "Observed" },
        { "not-denied", 3, "Observed" },
};
static const Word dispositions[] = {
        { "alert", 19, "Alert" },
        { "denied", 2, "Blocked" },
        { "stopped", 2, "Blocked" },
        { "killed", 2, "Blocked" },
        { "would-deny", 19, "Alert" },
        { "not-denied", 19, "Alert" },
};
static const Word protocols[] = {
        { "icmp", 1, "" },
        { "tcp", 6, "" },
        { "udp", 17, "" },
        { "dccp", 33, "" },
        { "icmpv6", 58, "" },
        { "sctp", 132, "" },
        { "udplite", 136, "" },
        { "raw", 255, "" },
        { "mptcp", 262, "" },
};

static const Word *word_find(const Word *words, size_t n, const char *ours) {
        static const Word unknown = { "", 0, "Unknown" };

        for (size_t i = 0; ours && i < n; i++)
                if (strcmp(words[i].ours, ours) == 0)
                        return &words[i];
        return &unknown;
}
#define WORD(words, ours) word_find((words), ELEMENTSOF(words), (ours))

/* Returns NULL for a member that is missing, not a string, or empty. */
static const char *text_of(const json_t *o, const char *key) {
        const char *s = json_string_value(json_object_get(o, key));

        return s && s[0] ? s : NULL;
}

static bool number_of(const json_t *o, const char *key, json_int_t *ret) {
        const json_t *n = json_object_get(o, key);

        if (!json_is_integer(n))
                return false;
        *ret = json_integer_value(n);
        return true;
}

/* Takes the value. */
static void put(Maker *m, json_t *o, const char *key, json_t *value) {
        m->failed |= json_object_set_new(o, key, value) < 0;
}

static void append(Maker *m, json_t *array, json_t *value) {
        m->failed |= json_array_append_new(array, value) < 0;
}

static void put_text(Maker *m, json_t *o, const char *key, const char *value) {
        if (value)
                put(m, o, key, json_string(value));
}

static void put_number(Maker *m, json_t *o, const char *key, json_int_t value) {
        put(m, o, key, json_integer(value));
}

/* Copies a member, under another name. */
static void put_member(Maker *m, json_t *o, const char *key, const json_t *from, const char *member) {
        json_t *value = json_object_get(from, member);

        if (value && !json_is_null(value))
                put(m, o, key, json_incref(value));
}

static void put_integer(Maker *m, json_t *o, const char *key, const json_t *from, const char *member) {
        json_int_t n;

        if (number_of(from, member, &n))
                put_number(m, o, key, n);
}

static void put_strings(Maker *m, json_t *o, const char *key, const json_t *array) {
        json_t *copy = json_array(), *item;
        size_t i;

        json_array_foreach(array, i, item) if (json_is_string(item)) append(m, copy, json_incref(item));
        if (json_array_size(copy) > 0)
                put(m, o, key, copy);
        else
                json_decref(copy);
}

/* "severity_id" and "severity". */
static void put_word(Maker *m, json_t *o, const char *id_key, const char *key, const Word *w) {
        put_number(m, o, id_key, w->id);
        put_text(m, o, key, w->caption);
}

/* Milliseconds since 1970. */
static bool time_of(const json_t *o, const char *key, json_int_t *ret) {
        uint64_t usec;

        if (json_to_time(json_object_get(o, key), &usec) < 0)
                return false;
        *ret = (json_int_t)(usec / 1000);
        return true;
}

/* A process with a user id: an administrator is only root. */
static json_t *user_make(Maker *m, json_int_t uid) {
        json_t *user = json_object();

        put(m, user, "uid", json_sprintf("%" JSON_INTEGER_FORMAT, uid));
        put_number(m, user, "type_id", uid == 0 ? 2 : 0);
        put_text(m, user, "type", uid == 0 ? "Admin" : "Unknown");
        return user;
}

static json_t *file_make(Maker *m, const char *path, int type, const char *type_name) {
        const char *slash = strrchr(path, '/');
        json_t *file = json_object();

        put_text(m, file, "name", slash && slash[1] ? slash + 1 : path);
        put_text(m, file, "path", path);
        put_number(m, file, "type_id", type);
        put_text(m, file, "type", type_name);
        return file;
}

/* A process of which id, name and executable are known: the sender, an opener or an ancestor. */
static json_t *process_make(Maker *m, const json_t *p) {
        const char *exe = text_of(p, "exe");
        json_t *process = json_object();
        json_int_t uid;

        put_integer(m, process, "pid", p, "pid");
        put_text(m, process, "name", text_of(p, "comm"));
        put_text(m, process, "path", exe);
        if (exe)
                put(m, process, "file", file_make(m, exe, FILE_EXECUTABLE, "Executable File"));
        if (number_of(p, "uid", &uid))
                put(m, process, "user", user_make(m, uid));
        return process;
}

/* An entity has no file. */
static json_t *ancestor_make(Maker *m, const json_t *a) {
        json_t *ancestor = json_object();

        put_integer(m, ancestor, "pid", a, "pid");
        put_text(m, ancestor, "name", text_of(a, "comm"));
        put_text(m, ancestor, "path", text_of(a, "exe"));
        return ancestor;
}

/* Of the sender's executable, where "show" has read it. */
static void put_hash(Maker *m, json_t *file) {
        const json_t *digest;
        size_t i;

        json_array_foreach(json_object_get(m->alert, "digests"), i, digest) {
                json_t *hash, *hashes;

                if (!file || !text_of(digest, "sha256") ||
                                strcmp(text_of(digest, "role") ?: "", "sender") != 0 ||
                                strcmp(text_of(digest, "kind") ?: "", "executable") != 0)
                        continue;
                hash = json_object();
                hashes = json_array();
                put_number(m, hash, "algorithm_id", 3);
                put_text(m, hash, "algorithm", "SHA-256");
                put_text(m, hash, "value", text_of(digest, "sha256"));
                append(m, hashes, hash);
                put(m, file, "hashes", hashes);
                return;
        }
}

static json_t *sender_make(Maker *m) {
        static const char *const attributes[] = { "script", "script_object", "exe_object", "unit", "cgroup",
                "mount_namespace", "loginuid", "flags" };
        const json_t *p = json_object_get(m->alert, "process"), *item,
                     *lineage = json_object_get(m->alert, "lineage");
        json_t *process = process_make(m, p), *ancestry = json_array(), *more = json_object();
        json_int_t time;
        size_t i;

        put_integer(m, process, "tid", p, "tid");
        put_hash(m, json_object_get(process, "file"));
        put_text(m, process, "cmd_line", text_of(p, "cmdline"));
        if (time_of(p, "start_time", &time))
                put_number(m, process, "created_time", time);
        if (json_array_size(lineage) > 0)
                put(m, process, "parent_process", process_make(m, json_array_get(lineage, 0)));
        json_array_foreach(lineage, i, item) append(m, ancestry, ancestor_make(m, item));
        put(m, process, "ancestry", ancestry);
        for (i = 0; i < ELEMENTSOF(attributes); i++)
                put_member(m, more, attributes[i], p, attributes[i]);
        put(m, process, "xattributes", more);
        return process;
}

/* An engine's id, or the name of a machine. */
static json_t *container_make(Maker *m, const char *name) {
        json_t *container = json_object();
        size_t n = strspn(name, "0123456789abcdef");

        put_text(m, container, "name", name);
        if (n == 64 && !name[n])
                put_text(m, container, "uid", name);
        return container;
}

static bool family_is_inet(const json_t *d) {
        const char *family = text_of(d, "family") ?: "";

        return strcmp(family, "inet") == 0 || strcmp(family, "inet6") == 0;
}

static bool was_accepted(const json_t *d) {
        return strcmp(text_of(d, "act") ?: "", "accept") == 0;
}

/* Access=allowed: nothing was sent anywhere. */
static bool was_open(const json_t *d) {
        return strcmp(text_of(d, "act") ?: "", "open") == 0;
}

/* The address that data left for, or the peer of an accepted connection. */
static const char *ip_of(const json_t *d) {
        return family_is_inet(d) ? text_of(d, "address") : NULL;
}

/* name: in words, as some families have no other address that the schema knows. */
static json_t *destination_make(Maker *m, const json_t *d) {
        const char *family = text_of(d, "family") ?: "", *path = text_of(d, "path");
        json_t *endpoint = json_object();

        put_text(m, endpoint, "name", text_of(d, "text") ?: "unknown");
        if (!was_accepted(d))
                put_text(m, endpoint, "ip", ip_of(d));
        if (family_is_inet(d) && text_of(d, "address"))
                put_integer(m, endpoint, "port", d, "port");
        if (strcmp(family, "unix") == 0)
                put_text(m, endpoint, "svc_name", path);
        else
                put_text(m, endpoint, "uid", path);
        if (strcmp(family, "packet") == 0)
                put_text(m, endpoint, "interface_uid", text_of(d, "address"));
        return endpoint;
}

static json_t *connection_make(Maker *m, const json_t *d) {
        const char *protocol = text_of(d, "protocol"), *family = text_of(d, "family") ?: "";
        bool local = strcmp(family, "unix") == 0, v6 = strcmp(family, "inet6") == 0;
        const Word *known = WORD(protocols, protocol);
        json_t *info = json_object();

        put_number(m, info, "direction_id", local ? 4 : was_accepted(d) ? 1 : 2);
        put_text(m, info, "direction", local ? "Local" : was_accepted(d) ? "Inbound" : "Outbound");
        if (!family_is_inet(d))
                return info;
        put_text(m, info, "protocol_name", protocol);
        if (known->id > 0)
                put_number(m, info, "protocol_num", known->id);
        else if (protocol && isdigit((unsigned char)protocol[0]))
                put_number(m, info, "protocol_num", strtol(protocol, NULL, 10));
        put_number(m, info, "protocol_ver_id", v6 ? 6 : 4);
        return info;
}

static json_t *sensitive_file_make(Maker *m, const json_t *file) {
        bool lost = json_is_true(json_object_get(file, "path_lost"));
        static const char *const attributes[] = { "classes", "real_path", "truncated", "path_lost" };
        json_t *o = file_make(m, text_of(file, "path") ?: "unknown", lost ? FILE_UNKNOWN : FILE_REGULAR,
                        lost ? "Unknown" : "Regular File");
        json_t *more = json_object();

        if (lost)
                (void)json_object_del(o, "path"); /* words, no path */
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++)
                put_member(m, more, attributes[i], file, attributes[i]);
        put(m, o, "xattributes", more);
        return o;
}

/* One for each file: what the sender is, which process opened the file, and the destination. file: NULL
 * where none is known. */
static json_t *evidence_make(Maker *m, const json_t *file) {
        const json_t *p = json_object_get(m->alert, "process"),
                     *d = json_object_get(m->alert, "destination");
        json_t *o = json_object(), *actor = json_object(), *peer;
        json_int_t uid;

        put(m, actor, "process", sender_make(m));
        if (number_of(p, "uid", &uid))
                put(m, actor, "user", user_make(m, uid));
        put(m, o, "actor", actor);
        put(m, o, "process", file ? process_make(m, file) : sender_make(m));
        if (file)
                put(m, o, "file", sensitive_file_make(m, file));
        if (text_of(p, "container"))
                put(m, o, "container", container_make(m, text_of(p, "container")));
        if (!json_is_object(d) || was_open(d))
                return o;
        put(m, o, "dst_endpoint", destination_make(m, d));
        put(m, o, "connection_info", connection_make(m, d));
        if (was_accepted(d) && ip_of(d)) {
                peer = json_object();
                put_text(m, peer, "ip", ip_of(d));
                put(m, o, "src_endpoint", peer);
        }
        return o;
}

static void put_evidences(Maker *m, json_t *o) {
        const json_t *files = json_object_get(m->alert, "files"), *file;
        json_t *evidences = json_array();
        size_t i;

        json_array_foreach(files, i, file) append(m, evidences, evidence_make(m, file));
        if (json_array_size(files) == 0)
                append(m, evidences, evidence_make(m, NULL));
        put(m, o, "evidences", evidences);
}

/* Takes the name. */
static json_t *observable_make(Maker *m, int type_id, const char *type, const char *value, json_t *name) {
        json_t *observable = json_object();

        put(m, observable, "name", name);
        put_number(m, observable, "type_id", type_id);
        put_text(m, observable, "type", type);
        put_text(m, observable, "value", value);
        return observable;
}

/* What an analyst searches other findings for. */
static void put_observables(Maker *m, json_t *o) {
        const json_t *files = json_object_get(m->alert, "files"), *file,
                     *d = json_object_get(m->alert, "destination");
        const char *comm = text_of(json_object_get(m->alert, "process"), "comm"), *ip = ip_of(d);
        json_t *all = json_array();
        size_t i;

        if (m->host)
                append(m, all,
                                observable_make(m, OBSERVABLE_HOSTNAME, "Hostname", m->host,
                                                json_string("device.hostname")));
        if (comm)
                append(m, all,
                                observable_make(m, OBSERVABLE_PROCESS, "Process Name", comm,
                                                json_string("evidences[0].actor.process.name")));
        if (ip)
                append(m, all,
                                observable_make(m, OBSERVABLE_IP, "IP Address", ip,
                                                json_string(was_accepted(d) ? "evidences[0].src_endpoint.ip"
                                                                            : "evidences[0].dst_endpoint."
                                                                              "ip")));
        json_array_foreach(files, i, file) if (text_of(file, "path") &&
                                               !json_is_true(json_object_get(file, "path_lost"))) append(m,
                        all,
                        observable_make(m, OBSERVABLE_PATH, "File Path", text_of(file, "path"),
                                        json_sprintf("evidences[%zu].file.path", i)));
        put(m, o, "observables", all);
}

/* The files whose data may have left. */
static void put_resources(Maker *m, json_t *o) {
        const json_t *files = json_object_get(m->alert, "files"), *file;
        json_t *resources = json_array();
        size_t i;

        json_array_foreach(files, i, file) {
                json_t *resource = json_object();

                put_text(m, resource, "name", text_of(file, "path") ?: "unknown");
                put_text(m, resource, "type", "file");
                put_text(m, resource, "hostname", m->host);
                put_number(m, resource, "role_id", 1);
                put_text(m, resource, "role", "Target");
                put_strings(m, resource, "labels", json_object_get(file, "classes"));
                append(m, resources, resource);
        }
        put(m, o, "resources", resources);
}

static void put_attacks(Maker *m, json_t *o) {
        const json_t *techniques = json_object_get(m->alert, "techniques"), *item;
        json_t *attacks = json_array();
        size_t i;

        json_array_foreach(techniques, i, item) {
                const char *id = json_string_value(item) ?: "";
                json_t *attack = json_object(), *technique = json_object();
                const char *dot = strchr(id, '.');

                put(m, technique, "uid", json_stringn(id, dot ? (size_t)(dot - id) : strlen(id)));
                put(m, attack, "technique", technique);
                if (dot) {
                        json_t *sub = json_object();

                        put_text(m, sub, "uid", id);
                        put(m, attack, "sub_technique", sub);
                }
                append(m, attacks, attack);
        }
        put(m, o, "attacks", attacks);
}

static json_t *analytic_make(Maker *m, const char *class) {
        json_t *analytic = json_object();

        put_text(m, analytic, "name", class);
        put_text(m, analytic, "uid", class);
        put_number(m, analytic, "type_id", 1);
        put_text(m, analytic, "type", "Rule");
        return analytic;
}

/* When the first of its files was opened, and when the data may have left. */
static void put_times(Maker *m, json_t *o) {
        const json_t *files = json_object_get(m->alert, "files"), *file;
        json_int_t time, age, oldest = 0;
        size_t i;

        if (!time_of(m->alert, "time", &time)) {
                put_number(m, o, "time", 0);
                return;
        }
        put_number(m, o, "time", time);
        json_array_foreach(files, i, file) if (number_of(file, "age_ms", &age)) oldest = MAX(oldest, age);
        put_number(m, o, "start_time", time - MIN(oldest, time));
        put_number(m, o, "end_time", time);
}

static json_t *finding_info_make(Maker *m) {
        const json_t *classes = json_object_get(m->alert, "classes");
        const char *class = json_string_value(json_array_get(classes, 0)),
                   *id = text_of(m->alert, "id") ?: "unknown";
        json_t *info = json_object();

        put_text(m, info, "uid", text_of(m->alert, "incident") ?: id);
        put_text(m, info, "uid_alt", id);
        put(m, info, "title",
                        json_sprintf("%s %s",
                                        was_open(json_object_get(m->alert, "destination"))
                                                        ? "Open without permission of"
                                                        : "Egress after access to",
                                        class ?: "a sensitive file"));
        put_text(m, info, "desc", text_of(m->alert, "summary"));
        put(m, info, "analytic", analytic_make(m, class ?: "sensitive-file"));
        put_strings(m, info, "types", classes);
        put_attacks(m, info);
        return info;
}

static void put_metadata(Maker *m, json_t *o) {
        json_t *metadata = json_object(), *product = json_object(), *profiles = json_array();

        put_text(m, product, "name", "Barbwire");
        put_text(m, product, "uid", "barbwire");
        put_text(m, product, "vendor_name", "Barbwire");
        put_text(m, product, "version", BARBWIRE_VERSION);
        put(m, metadata, "product", product);
        put_text(m, metadata, "version", OCSF_VERSION);
        append(m, profiles, json_string("security_control"));
        if (m->host)
                append(m, profiles, json_string("host"));
        put(m, metadata, "profiles", profiles);
        put_text(m, metadata, "uid", text_of(m->alert, "id"));
        put_text(m, metadata, "correlation_uid", text_of(m->alert, "incident"));
        put_text(m, metadata, "log_name", "barbwire");
        put_text(m, metadata, "original_time", text_of(m->alert, "time"));
        put(m, o, "metadata", metadata);
}

/* Which policy judged. */
static void put_policy(Maker *m, json_t *o) {
        const char *digest = text_of(m->alert, "policy");
        json_t *policy = digest ? json_object() : NULL;

        if (!digest)
                return;
        put_text(m, policy, "name", "barbwire");
        put_text(m, policy, "uid", digest);
        put_text(m, policy, "version", digest);
        put(m, o, "policy", policy);
}

static void put_device(Maker *m, json_t *o) {
        json_t *device = json_object();

        put_number(m, device, "type_id", 0);
        put_text(m, device, "type", "Unknown");
        put_text(m, device, "hostname", m->host);
        put(m, o, "device", device);
}

/* The same object as in the alert, where the schema has no room for it. */
static void put_unmapped(Maker *m, json_t *o) {
        static const char *const members[] = { "score", "reasons", "evidence", "action", "script_sight",
                "flood", "suspect", "repeats", "files_more", "lineage_more", "destination", "delayed_ms",
                "digests", "cut" };
        const json_t *files = json_object_get(m->alert, "files"), *file;
        json_t *unmapped = json_object(), *routes = json_array();
        size_t i;

        for (i = 0; i < ELEMENTSOF(members); i++)
                put_member(m, unmapped, members[i], m->alert, members[i]);
        json_array_foreach(files, i, file) {
                static const char *const keys[] = { "via", "generation", "age_ms", "route", "route_cut",
                        "exe_object", "script", "script_object" };
                json_t *route = json_object();

                for (size_t k = 0; k < ELEMENTSOF(keys); k++)
                        put_member(m, route, keys[k], file, keys[k]);
                append(m, routes, route);
        }
        put(m, unmapped, "files", routes);
        put(m, o, "unmapped", unmapped);
}

/* A repeat, and an alert that another one began the incident of, update the finding. */
static bool is_update(const json_t *alert) {
        const char *id = text_of(alert, "id"), *incident = text_of(alert, "incident");
        json_int_t repeats;

        return (number_of(alert, "repeats", &repeats) && repeats > 0) ||
               (id && incident && strcmp(id, incident) != 0);
}

static void put_classification(Maker *m, json_t *o) {
        bool update = is_update(m->alert);
        int activity = update ? 2 : 1;

        put_number(m, o, "category_uid", 2);
        put_text(m, o, "category_name", "Findings");
        put_number(m, o, "class_uid", CLASS_UID);
        put_text(m, o, "class_name", "Detection Finding");
        put_number(m, o, "activity_id", activity);
        put_text(m, o, "activity_name", update ? "Update" : "Create");
        put_number(m, o, "type_uid", CLASS_UID * 100 + activity);
        put_text(m, o, "type_name", update ? "Detection Finding: Update" : "Detection Finding: Create");
}

/* Severity, confidence and what was done. A process that is judged by what others of its user read is no
 * sure finding, whatever the evidence. */
static void put_judgement(Maker *m, json_t *o) {
        const char *action = text_of(m->alert, "action"), *severity = text_of(m->alert, "severity"),
                   *act = text_of(json_object_get(m->alert, "destination"), "act"),
                   *meaning = alert_action_meaning(action ?: "", act && strcmp(act, "open") == 0);
        bool suspect = json_is_true(json_object_get(m->alert, "suspect"));
        json_int_t n;

        put_word(m, o, "severity_id", "severity", WORD(severities, severity));
        put_word(m, o, "confidence_id", "confidence",
                        WORD(confidences, suspect ? "late" : text_of(m->alert, "evidence")));
        put_word(m, o, "action_id", "action", WORD(actions, action));
        put_word(m, o, "disposition_id", "disposition", WORD(dispositions, action));
        put(m, o, "is_alert", json_boolean(severity && strcmp(severity, "info") != 0));
        put_number(m, o, "status_id", 1);
        put_text(m, o, "status", "New");
        put_text(m, o, "status_code", action);
        put_text(m, o, "status_detail", meaning);
        if (number_of(m->alert, "score", &n))
                put_number(m, o, "risk_score", n);
        if (number_of(m->alert, "repeats", &n) && n > 0)
                put_number(m, o, "count", n < INT32_MAX ? n + 1 : INT32_MAX);
}

int ocsf_from_alert(const json_t *alert, const char *host, json_t **ret) {
        Maker m = { .alert = alert, .host = text_of(alert, "host") ?: host };
        json_auto_t *o = json_object();

        put_classification(&m, o);
        put_times(&m, o);
        put_number(&m, o, "timezone_offset", 0); /* all times are UTC */
        put_text(&m, o, "message", text_of(alert, "summary"));
        put_judgement(&m, o);
        put_metadata(&m, o);
        put_policy(&m, o);
        put(&m, o, "finding_info", finding_info_make(&m));
        put_evidences(&m, o);
        put_observables(&m, o);
        put_resources(&m, o);
        if (m.host)
                put_device(&m, o);
        put_unmapped(&m, o);
        if (!o || m.failed)
                return -ENOMEM;
        *ret = STEAL_PTR(o);
        return 0;
}
