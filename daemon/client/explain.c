/* SPDX-License-Identifier: GPL-2.0-or-later */

/* explain: evaluates the policy on disk for an access to a file of this machine. The daemon is queried only
 * for whether that policy is in force. */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "client/client.h"
#include "client/output.h"
#include "client/ctl.h"
#include "policy/load.h"
#include "policy/values.h"
#include "basic/escape.h"
#include "basic/time-util.h"

/* Resolves a path as the kernel will; a path that does not exist is taken literally. Newly allocated. */
static int path_resolve(const char *path, char **ret) {
        *ret = realpath(path, NULL);
        if (*ret)
                return 0;
        if (errno != ENOENT && errno != ENOTDIR) {
                ctl_error("Failed to resolve %s: %s", path, strerror(errno));
                return -EIO;
        }
        if (path[0] != '/') {
                ctl_error("%s does not exist. For a file that is yet to be created, give its absolute path.",
                                path);
                return -EINVAL;
        }
        *ret = strdup(path);
        return *ret ? 0 : ctl_error_memory();
}

/* Whether nobody but root and this user can change it; a group of the same number is the user. */
static bool file_is_kept(const struct stat *st, uid_t uid) {
        return (st->st_uid == 0 || st->st_uid == uid) && !(st->st_mode & 0002) &&
               (!(st->st_mode & 0020) || st->st_gid == st->st_uid);
}

/* Whether nobody but root and this user can make the path lead to another file: all of its directories are
 * kept, or those of a sticky one of root, in which nobody can replace the file of another. */
static bool directories_are_kept(const char *path, uid_t uid) {
        _cleanup_free_ char *directory = strdup(path);
        struct stat st;

        if (!directory)
                return false;
        while (*directory) {
                *strrchr(directory, '/') = 0;
                if (stat(directory[0] ? directory : "/", &st) < 0 ||
                                (!file_is_kept(&st, uid) && (st.st_uid != 0 || !(st.st_mode & S_ISVTX))))
                        return false;
        }
        return true;
}

void ctl_program_look(const char *path, ExplainProgram *ret) {
        _cleanup_free_ char *directory = strdup(path), *real = realpath(path, NULL);
        struct stat st;

        *ret = (ExplainProgram){ .path = path };
        if (!directory || !real || stat(real, &st) < 0)
                return;
        ret->seen = true;
        ret->regular = S_ISREG(st.st_mode);
        ret->flags = (st.st_uid != 0 ? BW_PROCESS_EXE_NOT_ROOTS : 0) |
                     (st.st_mode & 0022 ? BW_PROCESS_EXE_WRITABLE : 0);
        ret->owner = st.st_uid;
        /* The links in the path, and what they lead to. */
        ret->kept = file_is_kept(&st, ret->owner) && directories_are_kept(path, ret->owner) &&
                    directories_are_kept(real, ret->owner);
        *strrchr(directory, '/') = 0;
        if (stat(directory[0] ? directory : "/", &st) == 0 && st.st_mode & 0002)
                ret->flags |= BW_PROCESS_EXE_DIR_WRITABLE;
}

static int program_find(const char *path, char **ret_owned, ExplainProgram *ret) {
        int r = path_resolve(path, ret_owned);
        if (r == 0)
                ctl_program_look(*ret_owned, ret);
        return r;
}

/* HTTPS. */
#define PORT_DEFAULT 443

static int destination_parse(const char *text, struct bw_destination *ret) {
        PolicyAddress d[VALUE_ADDRESSES_MAX];
        ValueError e;
        size_t n;

        if (value_parse_address(text, true, d, &n, &e) < 0)
                return ctl_error_option("to", text, "%s", e.text);
        if (n != 1 || d[0].prefix != (d[0].family == AF_INET ? 32 : 128))
                return ctl_error_option("to", text, "expected one address, with or without a port.");
        *ret = (struct bw_destination){
                .port = PORT_DEFAULT, .family = (uint16_t)d[0].family, .protocol = 6, .act = BW_ACT_CONNECT
        };
        if (d[0].port_first == d[0].port_last)
                ret->port = d[0].port_first;
        else if (d[0].port_first > 0)
                return ctl_error_option("to", text, "expected one port, or none.");
        memcpy(ret->address, d[0].address, sizeof(ret->address));
        return 0;
}

/* Owns the strings of an ExplainQuery. */
typedef struct Strings {
        char *path, *exe, *ancestors[BW_LINEAGE_MAX];
} Strings;

static void strings_done(Strings *s) {
        free(s->path);
        free(s->exe);
        for (size_t i = 0; i < BW_LINEAGE_MAX; i++)
                free(s->ancestors[i]);
}

static int query_fill(const Ctl *c, const char *path, Strings *s, ExplainQuery *q) {
        const CtlAccess *a = &c->access;
        struct stat st;

        int r = path_resolve(path, &s->path);
        if (r == 0 && a->exe)
                r = program_find(a->exe, &s->exe, &q->exe);
        for (size_t i = 0; r == 0 && i < a->n_ancestors; i++)
                r = program_find(a->ancestors[i], &s->ancestors[i], &q->ancestors[i]);
        if (r == 0 && a->to)
                r = destination_parse(a->to, &q->to);
        if (r < 0)
                return r;
        q->path = s->path;
        bool there = stat(s->path, &st) == 0;
        q->directory = there && S_ISDIR(st.st_mode);
        q->links = there && !q->directory ? st.st_nlink : 0;
        q->owner = there ? st.st_uid : UINT32_MAX;
        q->user_known = a->user_known;
        q->uid = a->uid;
        q->script = a->script;
        if (a->script && a->script[0] == '/')
                ctl_program_look(a->script, &q->script_file);
        q->elsewhere = a->container;
        if (a->container) /* what is at this path here says nothing of what is there */
                q->exe = (ExplainProgram){ .path = q->exe.path };
        q->unit = ctl_string(c->filter, "unit", NULL);
        q->n_ancestors = a->n_ancestors;
        return 0;
}

/* {hash,files,errors,in_force}; in_force null: the daemon is not running, or denies access. */
static json_t *policy_compare(const Ctl *c, const Policy *p) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *reply = NULL;
        json_t *in_force = json_null();

        if (ctl_client_try(c->socket_path, false, &client) == 0 &&
                        ctl_client_call(client, "GetStatus", NULL, &reply) == 0)
                in_force = json_boolean(strcmp(ctl_string(json_object_get(reply, "policy"), "hash", ""),
                                                        p->hash) == 0);
        return json_pack("{s:s, s:I, s:I, s:o}", "hash", p->hash, "files", (json_int_t)p->n_files, "errors",
                        (json_int_t)p->n_errors, "in_force", in_force);
}

int ctl_policy_load(const Ctl *c, Policy **ret, PolicyNames *ret_names) {
        _cleanup_(policy_tables_freep) PolicyTables *tables = NULL;
        _cleanup_(policy_freep) Policy *p = NULL;
        PolicyMessage message = {};

        int r = policy_load(NULL, c->access.policy_dirs[0] ? c->access.policy_dirs : NULL, NULL, &p);
        for (size_t i = 0; p && i < p->n_messages; i++) {
                if (p->messages[i].level != POLICY_ERROR)
                        continue;
                _cleanup_free_ char *text = policy_message_format(&p->messages[i]);
                ctl_error("%s", text ?: "?");
        }
        if (r == 0)
                r = policy_compile(p, ret_names, 0, &tables, &message);
        if (r < 0) {
                _cleanup_free_ char *text = message.text ? policy_message_format(&message) : NULL;
                ctl_error("Failed to load the policy: %s", text ?: strerror(-r));
                free(message.text);
                return r;
        }
        *ret = STEAL_PTR(p);
        return 0;
}

static int explain(const Ctl *c, const ExplainQuery *q, json_t **ret) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        _cleanup_(policy_freep) Policy *p = NULL;

        int r = ctl_policy_load(c, &p, &names);
        if (r < 0)
                return r;
        r = policy_explain(p, &names, q, ret);
        if (r == 0)
                r = json_object_set_new(*ret, "policy", policy_compare(c, p));
        return r < 0 ? ctl_error_memory() : 0;
}

/* ---- text, in the layout of show ---- */

static void put_label(const char *label) {
        printf("    %-13s", label);
}

_printf_(2, 3) static void put(const char *label, const char *format, ...) {
        _cleanup_free_ char *text = FORMAT_ARGUMENTS(format);

        put_label(label);
        ctl_print("%s", text ?: "?");
}

static void put_classes(const json_t *classes) {
        const json_t *c;
        size_t i;

        json_array_foreach(classes, i, c) {
                const char *exclude = ctl_string(c, "exclude", NULL);

                put(i == 0 ? "class" : "", "%s%s%s", ctl_string(c, "name", "?"),
                                ctl_string(c, "description", NULL) ? ": " : "",
                                ctl_string(c, "description", ""));
                put("", "  by Path=%s (%s)", ctl_string(c, "pattern", "?"), ctl_string(c, "origin", "?"));
                if (exclude)
                        put("", "  excluded by ExcludePath=%s (%s)", exclude,
                                        ctl_string(c, "exclude_origin", "?"));
        }
        if (i == 0)
                put("class", "none");
}

/* Not of the verdict, which is about any program: whose script it is shows only when it runs. */
static void put_first_sight(const json_t *classes) {
        const json_t *c;
        size_t i;

        json_array_foreach(classes, i, c) if (json_is_true(json_object_get(c, "first_sight"))) {
                put("own script", "FirstSight=yes: of a script of the file's own user that reads no other "
                                  "class, the first alert is low, and later ones are records of severity "
                                  "info while the script is unchanged");
                return;
        }
}

static void put_executable(const json_t *exe) {
        const json_t *problem;
        size_t i;

        if (!json_is_object(exe))
                return;
        put("executable", "%s%s", ctl_string(exe, "path", "?"),
                        strcmp(ctl_string(exe, "trusted", ""), "yes") == 0
                                        ? ": trusted, only root can change it"
                                        : "");
        put("", "  trust level: %s", ctl_string(exe, "level", "?"));
        json_array_foreach(json_object_get(exe, "problems"), i, problem)
                        put("", "  %s", json_string_value(problem));
        if (ctl_string(exe, "interpreter", NULL))
                put("", "  an interpreter: a rule without Script= applies to every script that it runs");
}

static void put_conditions(const json_t *rule) {
        const json_t *condition;
        size_t i;

        json_array_foreach(json_object_get(rule, "conditions"), i, condition) put("", "  %-7s  %s%s%s",
                        ctl_string(condition, "applies", "?"), ctl_string(condition, "key", "?"),
                        strcmp(ctl_string(condition, "key", ""), "executable") == 0 ? " " : "=",
                        ctl_string(condition, "text", "?"));
}

static void put_rules(const json_t *explained, bool any_exe, bool container) {
        const json_t *rule;
        size_t i;

        json_array_foreach(json_object_get(explained, "rules"), i, rule) {
                put(i == 0 ? "rules" : "", "[Allow %s] (%s)%s%s", ctl_string(rule, "name", "?"),
                                ctl_string(rule, "origin", "?"), any_exe ? "" : ", applies: ",
                                any_exe ? "" : ctl_string(rule, "applies", "?"));
                if (strcmp(ctl_string(rule, "level", "system"), "user") == 0)
                        put("", "  of the user level: for a program and a file of one user");
                put("", "  passes on: %s", ctl_string(rule, "passes", "?"));
                put_conditions(rule);
        }
        if (i == 0 && strcmp(ctl_string(explained, "mark", ""), "no") != 0)
                put("rules", any_exe ? "no [Allow] section has these classes"
                                     : "no [Allow] section of these classes names this program");
        else if (i > 0 && !any_exe)
                put("",
                                "assumed: it is in %s, has no LD_PRELOAD= or the like, runs no code that "
                                "others can "
                                "change, and is not traced",
                                container ? "a container" : "the host's mount namespace");
}

static void put_carriers(const json_t *carriers, const char *exe) {
        const json_t *c;
        size_t i;

        json_array_foreach(carriers, i, c) {
                const char *pattern = ctl_string(c, "pattern", NULL);

                put(i == 0 ? "carriers" : "", "[Carrier %s] (%s)", ctl_string(c, "name", "?"),
                                ctl_string(c, "origin", "?"));
                if (pattern)
                        put("", "  by Path=%s: %s", pattern,
                                        json_is_true(json_object_get(c, "egress"))
                                                        ? "connecting to it counts as network access"
                                        : json_is_true(json_object_get(c, "own"))
                                                        ? "readers of what its programs wrote there are not "
                                                          "marked"
                                                        : "readers of what was written there are not "
                                                          "marked");
                if (json_is_true(json_object_get(c, "own")) &&
                                json_array_size(json_object_get(c, "conditions")) > 0)
                        put("", "  %s is one of its programs, applies: %s", exe,
                                        ctl_string(c, "applies", "?"));
                else if (json_array_size(json_object_get(c, "conditions")) > 0)
                        put("",
                                        json_is_true(json_object_get(c, "terminal"))
                                                        ? "  %s is not marked by what it reads from a "
                                                          "terminal, applies: %s"
                                                        : "  %s is not marked by what it reads, applies: %s",
                                        exe, ctl_string(c, "applies", "?"));
                put_conditions(c);
        }
}

static void put_score(const json_t *score, const json_t *late) {
        const json_t *reason;
        size_t i;

        if (json_is_object(score)) {
                put("score", "%lld, the sum of", ctl_number(score, "score"));
                json_array_foreach(json_object_get(score, "reasons"), i, reason) put("", "%+4lld  %s",
                                ctl_number(reason, "points"), ctl_string(reason, "text", "?"));
        }
        if (json_is_object(late)) {
                put_label("late");
                printf("%lld, %s%s: ", ctl_number(late, "score"), ctl_string(late, "severity", "?"),
                                json_is_true(json_object_get(late, "below")) ? ", no alert" : "");
                text_put_age(stdout, (uint64_t)ctl_number(score, "window_usec"));
                fputs(" after the open, until ", stdout);
                text_put_age(stdout, (uint64_t)ctl_number(late, "window_usec"));
                fputs(" after it\n", stdout);
        }
}

static void put_explained(const Ctl *c, const char *path, const json_t *o) {
        const json_t *to = json_object_get(o, "destination"), *policy = json_object_get(o, "policy");
        const char *resolved = ctl_string(o, "path", "?"), *address = ctl_string(to, "address", NULL);
        bool v6 = address && strchr(address, ':'),
             any_exe = !json_is_object(json_object_get(o, "executable"));
        const json_t *in_force = json_object_get(policy, "in_force");

        put("path", "%s%s", resolved,
                        access(path, F_OK) < 0                          ? ": does not exist, taken literally"
                        : json_is_true(json_object_get(o, "directory")) ? ": a directory"
                                                                        : "");
        put_classes(json_object_get(o, "classes"));
        put_executable(json_object_get(o, "executable"));
        put_rules(o, any_exe, c->access.container);
        put_carriers(json_object_get(o, "carriers"),
                        ctl_string(json_object_get(o, "executable"), "path", "?"));
        put("mark", "%s%s", ctl_string(o, "mark", "?"),
                        strcmp(ctl_string(o, "mark", ""), "no") == 0
                                        ? ": nothing follows from the open"
                                        : ": the open marks the process and what its data reaches");
        if (ctl_string(o, "evidence", NULL))
                put("evidence", "%s%s", ctl_string(o, "evidence", "?"),
                                strcmp(ctl_string(o, "evidence", ""), "bound") == 0
                                                ? ": opened under a rule; egress outside of it scores less"
                                                : ": no rule surely applies to the open");
        if (address)
                put("destination", "%s%s%s:%lld, allowed: %s", v6 ? "[" : "", address, v6 ? "]" : "",
                                ctl_number(to, "port"), ctl_string(to, "allowed", "?"));
        put_score(json_object_get(o, "score"), json_object_get(o, "late"));
        if (strcmp(ctl_string(json_object_get(o, "verdict"), "result", ""), "alert") == 0)
                put_first_sight(json_object_get(o, "classes"));
        put("policy", "%.12s…, %s", ctl_string(policy, "hash", "?"),
                        json_is_true(in_force) ? "in force"
                        : json_is_false(in_force)
                                        ? "NOT the one in force; load it with: systemctl reload barbwire"
                                        : "on disk; barbwired cannot be queried for the one in force");
        put("verdict", "%s", ctl_string(json_object_get(o, "verdict"), "text", "?"));
}

int ctl_explain(const Ctl *c, const char *path) {
        _cleanup_(strings_done) Strings strings = {};
        json_auto_t *explained = NULL;
        ExplainQuery q = {};

        int r = query_fill(c, path, &strings, &q);
        if (r < 0)
                return r == -EINVAL ? CTL_USAGE : r;
        r = explain(c, &q, &explained);
        if (r < 0)
                return r;
        ctl_pager_open();
        if (ctl_wants_json())
                r = ctl_print_json(explained);
        else
                put_explained(c, path, explained);
        if (r < 0)
                return r;
        return strcmp(ctl_string(json_object_get(explained, "verdict"), "result", ""), "unknown") == 0
                               ? CTL_FAILED
                               : CTL_OK;
}
