/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Trusts nothing about the JSON: every member may be missing or of another type. Must not add facts. */

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "alert/details.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/time-util.h"
#include "basic/util.h"

/* Returns NULL for a member that is missing, not a string, or empty. */
static const char *member_string(const json_t *o, const char *key) {
        const char *s = json_string_value(json_object_get(o, key));

        return s && s[0] ? s : NULL;
}

static bool member_number(const json_t *o, const char *key, uint64_t *ret) {
        const json_t *n = json_object_get(o, key);

        if (!json_is_integer(n) || json_integer_value(n) < 0)
                return false;
        *ret = (uint64_t)json_integer_value(n);
        return true;
}

/* Values are aligned in one column. */
static void put_label(FILE *f, const char *label) {
        fprintf(f, "    %-13s", label);
}

static void put_line(FILE *f, const char *label, const char *value) {
        if (!value)
                return;
        put_label(f, label);
        text_put_string(f, value);
        fputc('\n', f);
}

static void put_strings(FILE *f, const json_t *array) {
        const json_t *item;
        const char *comma = "";
        size_t i;

        json_array_foreach(array, i, item) {
                fputs(comma, f);
                text_put_string(f, json_string_value(item) ?: "?");
                comma = ", ";
        }
}

static void put_comm(FILE *f, const json_t *process) {
        const char *comm = member_string(process, "comm");

        if (comm)
                text_put_name(f, comm);
        else
                fputs("a process", f);
}

static void put_severity(FILE *f, const char *severity, bool colour) {
        static const struct {
                const char *name, *shown, *colour;
        } known[] = {
                { "info", "INFO", NULL }, { "low", "LOW", NULL },
                { "medium", "MEDIUM", "\x1b[33m" }, /* yellow */
                { "high", "HIGH", "\x1b[31m" },     /* red */
        };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(severity, known[i].name) == 0) {
                        bool coloured = colour && known[i].colour;

                        fprintf(f, "%s%s%s  ", coloured ? known[i].colour : "", known[i].shown,
                                        coloured ? "\x1b[0m" : "");
                        return;
                }
        text_put_string(f, severity);
        fputs("  ", f);
}

static void put_headline(FILE *f, const json_t *alert, bool colour) {
        const char *severity = member_string(alert, "severity");
        char date[TIME_TEXT_SIZE];
        uint64_t usec;

        if (json_to_time(json_object_get(alert, "time"), &usec) >= 0)
                fprintf(f, "%s ", time_format(usec, date));
        if (severity)
                put_severity(f, severity, colour);
        text_put_string(f, member_string(alert, "summary") ?: "(no summary)");
        fputc('\n', f);
}

static void put_user_line(FILE *f, const json_t *process) {
        uint64_t uid, loginuid;

        if (!member_number(process, "uid", &uid))
                return;
        put_label(f, "user");
        fprintf(f, "uid %" PRIu64, uid);
        if (member_number(process, "loginuid", &loginuid))
                fprintf(f, ", logged in as uid %" PRIu64, loginuid);
        fputc('\n', f);
}

/* The process and when it started; the thread where it is not the main one. */
static void put_process_lines(FILE *f, const json_t *process) {
        uint64_t pid = 0, tid, started, mount_namespace;
        char date[TIME_TEXT_SIZE];

        put_line(f, "executable", member_string(process, "exe"));
        put_line(f, "script", member_string(process, "script"));
        put_line(f, "command", member_string(process, "cmdline"));
        if (json_to_time(json_object_get(process, "start_time"), &started) >= 0)
                put_line(f, "started", time_format(started, date));
        if (member_number(process, "pid", &pid) && member_number(process, "tid", &tid) && tid != pid) {
                put_label(f, "thread");
                fprintf(f, "%" PRIu64 "\n", tid);
        }
        put_line(f, "unit", member_string(process, "unit"));
        put_line(f, "container", member_string(process, "container"));
        put_line(f, "cgroup", member_string(process, "cgroup"));
        if (member_number(process, "mount_namespace", &mount_namespace)) {
                put_label(f, "mounts");
                fprintf(f, "mnt:[%" PRIu64 "]\n", mount_namespace); /* as readlink /proc/PID/ns/mnt */
        }
        put_user_line(f, process);
}

/* One process of the tree, `depth` below its root. */
static void put_branch(FILE *f, size_t depth, const json_t *process) {
        const char *exe = member_string(process, "exe");
        uint64_t pid;

        put_label(f, depth == 0 ? "lineage" : "");
        if (depth > 0)
                fprintf(f, "%*s└─", (int)(2 * (depth - 1)), "");
        if (process) {
                put_comm(f, process);
                if (member_number(process, "pid", &pid))
                        fprintf(f, " (%" PRIu64 ")", pid);
        } else {
                fputs("…", f);
        }
        if (exe) {
                fputs("  ", f);
                text_put_name(f, exe);
        }
        fputc('\n', f);
}

/* The oldest ancestor, the last one in the JSON, is the root. */
static void put_lineage(FILE *f, const json_t *alert) {
        const json_t *lineage = json_object_get(alert, "lineage"),
                     *process = json_object_get(alert, "process");
        size_t depth = 0;

        if (json_is_true(json_object_get(alert, "lineage_more")))
                put_branch(f, depth++, NULL);
        for (size_t i = json_array_size(lineage); i > 0; i--)
                put_branch(f, depth++, json_array_get(lineage, i - 1));
        if (json_is_object(process))
                put_branch(f, depth, process);
}

static void put_opener(FILE *f, const json_t *file) {
        const char *exe = member_string(file, "exe"), *script = member_string(file, "script");
        uint64_t pid, uid, age_ms;

        fputs("opened by ", f);
        put_comm(f, file);
        if (member_number(file, "pid", &pid) && member_number(file, "uid", &uid))
                fprintf(f, " (pid %" PRIu64 ", uid %" PRIu64 ")", pid, uid);
        if (exe) {
                fputc(' ', f);
                text_put_name(f, exe);
        }
        if (script) {
                fputs(", script ", f);
                text_put_name(f, script);
        }
        if (member_number(file, "age_ms", &age_ms)) {
                fputs(", ", f);
                text_put_age(f, MIN(age_ms, UINT64_MAX / 1000) * 1000);
                fputs(" before", f);
        }
}

/* One line for each hop. */
static void put_hops(FILE *f, const json_t *file) {
        const json_t *hop;
        uint64_t pid;
        size_t i;

        if (json_is_true(json_object_get(file, "route_cut"))) {
                put_label(f, "");
                fputs("↓ …\n", f);
        }
        json_array_foreach(json_object_get(file, "route"), i, hop) {
                put_label(f, "");
                fputs("↓ handed over by ", f);
                put_comm(f, hop);
                if (member_number(hop, "pid", &pid))
                        fprintf(f, " (pid %" PRIu64 ")", pid);
                fputs(": ", f);
                text_put_string(f, member_string(hop, "via") ?: "?");
                fputc('\n', f);
        }
}

static void put_file(FILE *f, const json_t *file) {
        const char *path = member_string(file, "path"), *via = member_string(file, "via"),
                   *real_path = member_string(file, "real_path");
        uint64_t generation;

        put_label(f, "file");
        /* A complete path begins with a slash: the ellipsis cannot be part of a name. */
        if (path && json_is_true(json_object_get(file, "truncated")))
                fputs("…", f);
        if (json_is_true(json_object_get(file, "path_lost")))
                text_put_string(f, path ?: "?");
        else
                text_put_name(f, path ?: "?");
        if (real_path) {
                fputs(", known as ", f);
                text_put_name(f, real_path);
        }
        if (json_is_true(json_object_get(file, "real_path_lost")))
                fputs(", known by another name, which was not kept", f);
        fputs(" [", f);
        put_strings(f, json_object_get(file, "classes"));
        fputs("]\n", f);

        put_label(f, "");
        fputs("↓ ", f);
        put_opener(f, file);
        fputc('\n', f);

        put_hops(f, file);
        if (via && json_array_size(json_object_get(file, "route")) == 0 &&
                        member_number(file, "generation", &generation) && generation > 0) {
                put_label(f, "");
                fputs("↓ handed on by ", f);
                text_put_string(f, via);
                fprintf(f, ", generation %" PRIu64 "\n", generation);
        }
}

/* From the files over their routes to the sender and the destination. */
static void put_route(FILE *f, const json_t *alert) {
        const json_t *process = json_object_get(alert, "process"), *file;
        const json_t *destination = json_object_get(alert, "destination");
        const char *family = member_string(destination, "family") ?: "",
                   *act = member_string(destination, "act"),
                   *address = member_string(destination, "address") ?: member_string(destination, "path");
        uint64_t pid, port;
        size_t i;

        json_array_foreach(json_object_get(alert, "files"), i, file) put_file(f, file);
        if (json_is_true(json_object_get(alert, "files_more"))) {
                put_label(f, "");
                fputs("and earlier files that are not remembered\n", f);
        }

        if (json_is_object(process)) {
                put_label(f, "sender");
                put_comm(f, process);
                if (member_number(process, "pid", &pid))
                        fprintf(f, " (pid %" PRIu64 ")", pid);
                fputc('\n', f);
        }
        if (!json_is_object(destination))
                return;
        put_label(f, "");
        bool accepted = act && strcmp(act, "accept") == 0;
        bool sent = act && strcmp(act, "send") == 0;
        const char *protocol = member_string(destination, "protocol") ?: "unknown",
                   *action = member_string(alert, "action") ?: "";
        bool open = act && strcmp(act, "open") == 0; /* there was no egress */
        fprintf(f, "↓ %s%s\n",
                        accepted                       ? "accepted a connection"
                        : open                         ? "opened the file"
                        : !sent                        ? "connected"
                        : strcmp(protocol, "udp") == 0 ? "sent a datagram"
                                                       : "sent data",
                        strcmp(action, "denied") == 0 || strcmp(action, "stopped") == 0 ||
                                                        strcmp(action, "killed") == 0
                                        ? ": refused"
                                        : "");
        if (open)
                return;
        put_label(f, accepted ? "peer" : "destination");
        bool v6 = strcmp(family, "inet6") == 0, inet = v6 || strcmp(family, "inet") == 0;
        text_put_string(f, inet ? protocol : family);
        fputs(v6 ? " [" : " ", f);
        text_put_string(f, address ?: "?");
        fputs(v6 ? "]" : "", f);
        if ((inet || strcmp(family, "vsock") == 0) && member_number(destination, "port", &port))
                fprintf(f, accepted ? ", on port %" PRIu64 : ":%" PRIu64, port);
        fputc('\n', f);
}

/* As client/digest.c adds them. */
static void put_digests(FILE *f, const json_t *alert) {
        const json_t *digest;
        size_t i;

        json_array_foreach(json_object_get(alert, "digests"), i, digest) {
                const char *sha256 = member_string(digest, "sha256");

                put_label(f, i == 0 ? "digests" : "");
                fprintf(f, "%s's %s ", member_string(digest, "role") ?: "?",
                                member_string(digest, "kind") ?: "?");
                text_put_name(f, member_string(digest, "path") ?: "?");
                fputs(sha256 ? ": SHA-256 " : ": no digest: ", f);
                text_put_string(f, sha256 ?: member_string(digest, "text") ?: "?");
                fputc('\n', f);
        }
}

static void put_score(FILE *f, const json_t *alert) {
        const json_t *reason;
        uint64_t score;
        size_t i;

        if (!member_number(alert, "score", &score))
                return;
        put_label(f, "score");
        fprintf(f, "%" PRIu64 ", the sum of\n", score);
        json_array_foreach(json_object_get(alert, "reasons"), i, reason) {
                put_label(f, "");
                fprintf(f, "%+4" JSON_INTEGER_FORMAT "  ",
                                json_integer_value(json_object_get(reason, "points")));
                text_put_string(f, member_string(reason, "text") ?: "?");
                fputc('\n', f);
        }
}

static void put_evidence(FILE *f, const json_t *alert) {
        static const struct {
                const char *name, *meaning;
        } known[] = {
                { "unbound", "opened by a program that no rule allows to, or received from one" },
                { "bound", "opened under a rule, sent where none allows" },
                { "late", "opened longer ago than the class's window" },
        };
        const char *evidence = member_string(alert, "evidence");

        if (!evidence)
                return;
        put_label(f, "evidence");
        text_put_string(f, evidence);
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(evidence, known[i].name) == 0)
                        fprintf(f, ": %s", known[i].meaning);
        fputc('\n', f);
}

const char *alert_action_meaning(const char *action, bool open) {
        static const struct {
                const char *name, *meaning, *of_open;
        } known[] = {
                { "denied", "the egress was refused, as the class has Action=deny",
                                "the open was refused, as the class has Access=allowed or FailClosed=yes" },
                { "stopped", "the egress was refused, and the process stopped (kill -CONT continues it)",
                                NULL },
                { "killed", "the egress was refused, and the process killed", NULL },
                { "would-deny",
                                "the egress would have been refused, but for a dry run: Enabled=dry-run, or "
                                "the class has "
                                "fallen back to one",
                                "the open would have been refused, but for a dry run: Enabled=dry-run, or "
                                "the class has "
                                "fallen back to one" },
                { "not-denied", "the class has Action=deny, but this egress could not be refused", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(action, known[i].name) == 0)
                        return open && known[i].of_open ? known[i].of_open : known[i].meaning;
        return NULL;
}

static void put_action(FILE *f, const json_t *alert) {
        const char *action = member_string(alert, "action"),
                   *act = member_string(json_object_get(alert, "destination"), "act"),
                   *meaning = action ? alert_action_meaning(action, act && strcmp(act, "open") == 0) : NULL;

        if (!meaning)
                return;
        put_label(f, "action");
        fprintf(f, "%s: %s\n", action, meaning);
}

char *alert_details(const json_t *alert, bool colour) {
        const json_t *techniques = json_object_get(alert, "techniques");
        const char *id = member_string(alert, "id"), *incident = member_string(alert, "incident");
        TextStream text;
        FILE *f = text_open(&text);

        if (!f)
                return NULL;
        put_headline(f, alert, colour);
        put_line(f, "host", member_string(alert, "host")); /* of an alert that a journal has */
        put_process_lines(f, json_object_get(alert, "process"));
        put_lineage(f, alert);
        put_route(f, alert);
        put_digests(f, alert);
        put_action(f, alert);
        put_evidence(f, alert);
        put_score(f, alert);
        if (json_array_size(techniques) > 0) {
                put_label(f, "techniques");
                put_strings(f, techniques);
                fputc('\n', f);
        }
        put_line(f, "id", id);
        if (id && incident && strcmp(id, incident) != 0)
                put_line(f, "incident", incident);
        return text_take(&text);
}
