/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A rule applies to the process that opens the file, at that moment; its permission is not inherited by
 * children and ends with exec. So a narrow rule exists only where the process that opened the file is the
 * one that sent. Where no rule can apply (bpf/process/identity.bpf.h), none is written. Must not allow more
 * than the alert shows without saying so, and does not trust the JSON. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "client/rule.h"
#include "event/cgroup-path.h"
#include "policy/check.h"
#include "policy/values.h"
#include "basic/escape.h"
#include "basic/util.h"

typedef struct Text {
        FILE *stream;
        char *data;
        size_t size;
        bool failed; /* out of memory */
} Text;

/* A program that opened files, and the rule for it. Its patterns are NULL where there are none. */
typedef struct Opener {
        const char *exe; /* as in the JSON */
        bool sent;       /* the same program that sent */
        json_int_t uid;
        json_t *classes; /* an object: a set */
        char *exe_glob, *script, *unit;
} Opener;

typedef struct Suggestion {
        const json_t *alert, *process;
        SuggestLook look;
        Opener openers[BW_FILES_MAX];
        size_t n_openers;
        bool container;
        Text risks, why; /* comment lines; why: no rule can apply */
} Suggestion;

static const char *member(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key)) ?: "";
}

_printf_(2, 3) static void say(Text *t, const char *format, ...) {
        _cleanup_free_ char *line = FORMAT_ARGUMENTS(format);

        if (!line) {
                t->failed = true;
                return;
        }
        fputs("# ", t->stream);
        text_put_string(t->stream, line);
        fputc('\n', t->stream);
}

/* ---- names ---- */

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef", *d = c ? strchr(digits, c) : NULL;
        return d ? (int)(d - digits) : -1;
}

/* Undoes json_from_bytes(). NULL: out of memory. */
static char *name_unescape(const char *s) {
        char *name = malloc(strlen(s) + 1), *out = name;

        for (; name && *s; s++) {
                *out = *s;
                if (*s == '\\' && s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
                        *out = (char)(hex_digit(s[2]) << 4 | hex_digit(s[3]));
                        s += 3;
                } else if (*s == '\\' && s[1] == '\\')
                        s++;
                out++;
        }
        if (name)
                *out = 0;
        return name;
}

/* Makes a pattern that matches a name only; bytes that a policy cannot contain, or that are invisible,
 * become "?". */
static char *name_to_glob(const char *name) {
        size_t left = strlen(name), n;
        uint32_t point;
        char *glob = malloc(2 * left + sizeof("\" \"")), *out = glob;

        for (; glob && left > 0; name += n, left -= n) {
                n = utf8_sequence(name, left, &point);
                if (n == 0 || utf8_is_deceptive(point)) {
                        *out++ = '?';
                        n = 1;
                        continue;
                }
                if (*name == ' ' && left == 1) { /* a trailing blank needs quotes */
                        out = mempcpy(out, "\" \"", 3);
                        continue;
                }
                if (strchr("\\?*[]{},\" ", *name))
                        *out++ = '\\';
                out = mempcpy(out, name, n);
        }
        if (glob)
                *out = 0;
        return glob;
}

/* The second word of a command line (alert/alert.c cmdline_format()); *ret NULL: there is none, or it was
 * truncated. */
static int second_argument(const char *cmdline, char **ret) {
        _cleanup_free_ char *line = name_unescape(cmdline), *word = line ? malloc(strlen(line) + 1) : NULL;
        char *out = word;
        bool quoted = false;
        unsigned n = 0;

        if (!word)
                return -ENOMEM;
        for (const char *c = line; *c; c++) {
                if (*c == ' ' && !quoted && ++n == 2)
                        break;
                if (*c == '\'')
                        quoted = !quoted;
                else if (n == 1 && (quoted || *c != ' '))
                        *out++ = *c == '\\' && !quoted ? *++c : *c;
        }
        *out = 0;
        if (n > 0 && !strstr(word, "…"))
                *ret = STEAL_PTR(word);
        return 0;
}

/* ---- conditions of the rule ---- */

static bool has_flag(const Suggestion *s, const char *flag) {
        const json_t *item;
        size_t i;

        json_array_foreach(json_object_get(s->process, "flags"), i,
                        item) if (strcmp(json_string_value(item) ?: "", flag) == 0) return true;
        return false;
}

static bool has_name(const json_t *classes, const char *name) {
        const json_t *c;
        size_t i;

        json_array_foreach(classes, i,
                        c) if (strcmp(json_is_string(c) ? json_string_value(c) : member(c, "name"), name) ==
                               0) return true;
        return false;
}

/* Lists the programs that opened files of the alert's classes, each once. */
static int openers_find(Suggestion *s, const json_t *known) {
        const json_t *alerted = json_object_get(s->alert, "classes"), *file, *class;
        json_auto_t *found = json_object();
        const char *exe = member(s->process, "exe");
        size_t i, k;

        json_array_foreach(json_object_get(s->alert, "files"), i, file) {
                Opener o = { .exe = member(file, "exe"),
                        .uid = json_integer_value(json_object_get(file, "uid")) };

                o.sent = strcmp(o.exe, exe) == 0 &&
                         json_integer_value(json_object_get(file, "pid")) ==
                                         json_integer_value(json_object_get(s->process, "pid"));
                for (k = 0; k < s->n_openers; k++)
                        if (strcmp(s->openers[k].exe, o.exe) == 0 && s->openers[k].sent == o.sent &&
                                        s->openers[k].uid == o.uid)
                                break;
                if (k == BW_FILES_MAX)
                        break;
                if (k == s->n_openers) {
                        o.classes = json_object();
                        s->openers[s->n_openers++] = o;
                }
                Opener *opener = s->openers + k;
                json_array_foreach(json_object_get(file, "classes"), k, class) {
                        const char *name = json_string_value(class) ?: "";

                        if (has_name(alerted, name) && has_name(known, name) &&
                                        (json_object_set_new(opener->classes, name, json_true()) < 0 ||
                                                        json_object_set_new(found, name, json_true()) < 0))
                                return -ENOMEM;
                }
        }
        json_array_foreach(alerted, i, class) {
                const char *name = json_string_value(class) ?: "";

                if (!has_name(known, name))
                        say(&s->risks, "The class %s is left out: it is not in the policy in force.", name);
                else if (!json_object_get(found, name))
                        say(&s->why,
                                        "The alert does not name the process that opened the files of class "
                                        "%s.",
                                        name);
        }
        if (json_object_size(found) == 0)
                say(&s->why, "The alert names no file of a class that the policy in force has.");
        return found ? 0 : -ENOMEM;
}

/* Sets Unit=, if the name stays the same from one start to the next. */
static int unit_find(Suggestion *s, Opener *o) {
        const char *cgroup = member(s->process, "cgroup"), *at;
        _cleanup_free_ char *path = name_unescape(cgroup);

        if (!path)
                return -ENOMEM;
        Bytes unit = cgroup_system_unit((Bytes){ .data = path, .size = strlen(path) });
        _cleanup_free_ char *name = strndup(unit.data, unit.size);
        if (!name)
                return -ENOMEM;
        size_t n = strlen(name);
        bool service = n > 8 && strcmp(name + n - 8, ".service") == 0;

        if (s->container ? !strchr(name, '.')
                         : !service || strncmp(name, "user@", 5) == 0 || strncmp(name, "run-", 4) == 0)
                return 0;
        o->unit = name_to_glob(name);
        if (!o->unit)
                return -ENOMEM;
        /* Of a socket with Accept=yes: "NAME@CONNECTION-ADDRESSES.service" (systemd.socket(5)). */
        at = strchr(o->unit, '@');
        if (service && at && strspn(at + 1, "0123456789") > 0 &&
                        at[1 + strspn(at + 1, "0123456789")] == '-') {
                strcpy(o->unit + (at - o->unit) + 1, "*.service");
                say(&s->risks, "Unit= matches any instance: each connection has its own.");
        }
        if (s->container && !service)
                say(&s->risks, "When the container is created again, its unit may not be %s.", name);
        return 0;
}

/* Checks the kernel's conditions for the executable as the alert has them. false: one was not met. */
static bool trust_check_then(Suggestion *s, const Opener *o) {
        static const struct {
                const char *flag, *why;
        } then[] = {
                { "memory", "it ran from memory, not from a file" },
                { "not-roots", "it was not owned by root" },
                { "writable", "it was writable by its group or others" },
                { "injected", "it was started with LD_PRELOAD= or the like, and may have run other code" },
                { "foreign-code", "it ran code from a file that users other than root can change" },
                { "traced", "it was traced" },
                { "environment-unread", "its environment was larger than 1 MiB, or could not be read" },
        };
        bool good = true;

        for (size_t i = 0; o->sent && i < ELEMENTSOF(then); i++)
                if (has_flag(s, then[i].flag)) {
                        say(&s->why, "No rule applies to %s: %s.", o->exe, then[i].why);
                        good = false;
                }
        return good;
}

/* Checks the same conditions as they are now, if the file can be accessed. */
static void trust_check_now(Suggestion *s, const Opener *o, const char *path) {
        ExplainProgram now;

        if (s->container)
                return;
        s->look(path, &now);
        if (explain_trust(&now) == TRUTH_NO)
                say(&s->why,
                                "No rule applies to %s: users other than root can change it. Make root its "
                                "owner, and remove write permission for everybody else.",
                                o->exe);
        else if (!now.seen)
                say(&s->why, "No rule applies to %s: the file does not exist any more.", o->exe);
        else if (o->sent && has_flag(s, "deleted"))
                say(&s->risks, "%s was replaced while it ran: the rule is for the new file.", o->exe);
        if (now.flags & BW_PROCESS_EXE_DIR_WRITABLE)
                say(&s->risks,
                                "Others may create files beside %s: move it to a directory that only root "
                                "can write.",
                                o->exe);
}

static int script_find(Suggestion *s, Opener *o, const char *interpreter) {
        _cleanup_free_ char *argument = NULL;
        ExplainProgram script;

        int r = o->sent ? second_argument(member(s->process, "cmdline"), &argument) : 0;
        if (r < 0)
                return r;
        if (!argument || argument[0] != '/' || !explain_script_is_plain(argument)) {
                say(&s->risks,
                                "%s is an interpreter (%s), and its script is not known: the rule applies "
                                "to every script that it runs.",
                                o->exe, interpreter);
                return 0;
        }
        o->script = name_to_glob(argument);
        if (!o->script)
                return -ENOMEM;
        say(&s->risks, "Script= is taken from the command line in the alert, which the process could have "
                       "changed: check it.");
        s->look(argument, &script);
        if (!s->container && explain_trust(&script) != TRUTH_YES)
                say(&s->risks,
                                "Users other than root can change %s, and so use this rule: make root its "
                                "owner.",
                                o->script);
        return 0;
}

static int opener_judge(Suggestion *s, Opener *o) {
        _cleanup_free_ char *path = name_unescape(o->exe);
        ValueError e;
        int r;

        o->exe_glob = path ? name_to_glob(path) : NULL;
        if (!o->exe_glob || !o->classes)
                return -ENOMEM;
        if (!trust_check_then(s, o))
                return 0;
        if (value_check_program(o->exe_glob, &e) < 0) {
                say(&s->why, "The path of the executable is not known.");
                return 0;
        }
        r = unit_find(s, o);
        if (r < 0)
                return r;
        if (s->container && !o->unit)
                say(&s->why, "It ran in a container without a unit of its own: a rule would apply to any "
                             "container that has such a program.");
        else if (s->container)
                say(&s->risks, "The container decides what is at %s.", o->exe);
        trust_check_now(s, o, path);
        if (o->sent && strncmp(member(json_object_get(s->alert, "destination"), "family"), "inet", 4) != 0)
                say(&s->why, "Its destination is not an IP address, and Destination= takes nothing else.");

        const char *interpreter = policy_interpreter(o->exe_glob);
        if (!o->sent && interpreter) {
                say(&s->why,
                                "%s opened the files, and another program sent the data. A permission is "
                                "not inherited, so a rule would have to let %s read the files and "
                                "everything that it starts send them anywhere. As it is an interpreter "
                                "(%s), no narrow rule exists.",
                                o->exe, o->exe, interpreter);
                return 0;
        }
        if (!o->sent)
                say(&s->risks,
                                "DANGER: %s opened the files, and another program sent the data. A "
                                "permission is not inherited, so this rule has Passes=nothing: whatever %s "
                                "starts may send the files anywhere. Let one program do both instead.",
                                o->exe, o->exe);
        return interpreter ? script_find(s, o, interpreter) : 0;
}

/* ---- the drop-in ---- */

/* Replaces what the name of a section cannot contain. */
static void put_name(FILE *f, const char *s, size_t max) {
        for (; *s && max > 0; s++, max--)
                fputc((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
                                                                *s == '.' || *s == '-'
                                                ? *s
                                                : '_',
                                f);
}

static void put_rule(FILE *f, const Suggestion *s, const Opener *o, size_t number) {
        const json_t *to = json_object_get(s->alert, "destination"), *value;
        const char *id = strchr(member(s->alert, "id"), '-') ?: "-", *base = strrchr(o->exe, '/') ?: "/",
                   *class;
        json_int_t port = json_integer_value(json_object_get(to, "port"));
        bool v6 = strcmp(member(to, "family"), "inet6") == 0;
        size_t n = 0;

        /* The id makes the name unique: an existing section would be extended. */
        fputs("\n[Allow site-", f);
        put_name(f, base + 1, 24);
        fputc('-', f);
        put_name(f, id + 1 + strspn(id + 1, "0"), 24);
        if (number > 0)
                fprintf(f, "-%zu", number + 1);
        fputs("]\nClass=", f);
        json_object_foreach((json_t *)o->classes, class, value)
                        fprintf(f, "%s%s", n++ > 0 ? " " : "", class);
        fprintf(f, "\nExe=%s\n", o->exe_glob);
        if (o->script)
                fprintf(f, "Script=%s\n", o->script);
        if (o->unit)
                fprintf(f, "Unit=%s\n", o->unit);
        if (o->uid > 0)
                fprintf(f, "User=%" JSON_INTEGER_FORMAT "\n", o->uid);
        if (s->container)
                fputs("Container=yes\n", f);
        if (!o->sent) {
                fputs("Passes=nothing\n", f);
                return;
        }
        fputs(v6 && port > 0 ? "Destination=[" : "Destination=", f);
        text_put_string(f, member(to, "address"));
        fprintf(f, "/%d", v6 ? 128 : 32);
        if (port > 0)
                fprintf(f, "%s:%" JSON_INTEGER_FORMAT, v6 ? "]" : "", port);
        fputc('\n', f);
}

static int suggest(Suggestion *s, const json_t *classes, Text *all) {
        int r = openers_find(s, classes);

        for (size_t i = 0; r == 0 && i < s->n_openers; i++)
                if (json_object_size(s->openers[i].classes) > 0)
                        r = opener_judge(s, s->openers + i);
        if (r < 0)
                return r;
        if (fflush(s->why.stream) != 0 || fflush(s->risks.stream) != 0)
                return -ENOMEM;

        say(all, "Suggested by barbwirectl for alert %s:", member(s->alert, "id"));
        say(all, "%s", member(s->alert, "summary"));
        fputs("#\n", all->stream);
        if (s->why.size > 0) {
                fputs("# NO rule would have allowed this:\n", all->stream);
                fputs(s->why.data, all->stream);
                return 0;
        }
        fputs("# This allows the access below whenever it happens. Other destinations, such as name "
              "servers, still alert.\n"
              "# Review it, run \"barbwired --check\", and load it with \"systemctl reload barbwire\".\n",
                        all->stream);
        fputs(s->risks.data, all->stream);
        for (size_t i = 0, number = 0; i < s->n_openers; i++)
                if (json_object_size(s->openers[i].classes) > 0)
                        put_rule(all->stream, s, s->openers + i, number++);
        return 0;
}

static int text_finish(Text *t, int r) {
        int q = t->stream && text_close(&t->stream) >= 0 && t->data ? 0 : -ENOMEM;
        return r < 0 ? r : q < 0 || t->failed ? -ENOMEM : 0;
}

int alert_suggest(const json_t *alert, const json_t *classes, SuggestLook look, char **ret_text,
                char **ret_why) {
        Suggestion s = { .alert = alert, .process = json_object_get(alert, "process"), .look = look };
        Text all = {}, *texts[] = { &s.risks, &s.why, &all };
        int r = 0;

        s.container = has_flag(&s, "not-host") ||
                      (!json_object_get(s.process, "flags") &&
                                      json_is_string(json_object_get(s.process, "container")));
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                texts[i]->stream = open_memstream(&texts[i]->data, &texts[i]->size);
                if (!texts[i]->stream)
                        r = -ENOMEM;
        }
        if (r == 0)
                r = suggest(&s, classes, &all);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                r = text_finish(texts[i], r);
        if (r == 0) {
                *ret_why = s.why.size > 0 ? STEAL_PTR(s.why.data) : NULL;
                *ret_text = STEAL_PTR(all.data);
        }
        for (size_t i = 0; i < s.n_openers; i++) {
                json_decref(s.openers[i].classes);
                free(s.openers[i].exe_glob);
                free(s.openers[i].script);
                free(s.openers[i].unit);
        }
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                free(texts[i]->data);
        return r;
}
