/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A rule applies to the process that opens the file, at that moment; its permission is not inherited by
 * children and ends with exec. So a narrow rule exists only where the process that opened the file is the
 * one that sent. Where no rule can apply (bpf/process/identity.bpf.h), or one would allow more than the
 * alert shows, none is written: it would be worse than the alert. Does not trust the JSON. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "client/rule.h"
#include "alert/recorded.h"
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
        bool named; /* the script is a program by itself, which Exe= names */
        bool users; /* the program or the script is below the home of its user */
} Opener;

typedef struct Suggestion {
        const json_t *alert, *process, *known; /* known: the classes of the policy */
        SuggestLook look;
        Opener openers[BW_FILES_MAX];
        size_t n_openers;
        bool container, accepted; /* accepted: connections of clients */
        Text risks, why;          /* comment lines; why: no rule can apply */
} Suggestion;

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

/* ---- conditions of the rule ---- */

static bool has_name(const json_t *classes, const char *name) {
        const json_t *c;
        size_t i;

        json_array_foreach(classes, i,
                        c) if (strcmp(json_is_string(c) ? json_string_value(c) : recorded_string(c, "name"),
                                               name) == 0) return true;
        return false;
}

/* Lists the programs that opened files of the alert's classes, each once. */
static int openers_find(Suggestion *s, const json_t *known) {
        const json_t *alerted = json_object_get(s->alert, "classes"), *file, *class;
        json_auto_t *found = json_object();
        size_t i, k;

        json_array_foreach(json_object_get(s->alert, "files"), i, file) {
                Opener o = { .exe = recorded_string(file, "exe"),
                        .uid = json_integer_value(json_object_get(file, "uid")) };

                o.sent = recorded_opener_sent(s->alert, file);
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
        _cleanup_free_ char *name = NULL;
        const char *at;

        if (recorded_unit(s->process, &name) < 0)
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

/* "/home/ana/.x/y" is "~/.x/y" in a rule. NULL: it is below no home that is known without a list of users.
 */
static const char *below_home(const char *path) {
        static const char *const homes[] = { "/home/", "/var/home/" };

        for (size_t i = 0; i < ELEMENTSOF(homes); i++)
                if (strncmp(path, homes[i], strlen(homes[i])) == 0)
                        return strchr(path + strlen(homes[i]), '/');
        return NULL;
}

static char *name_to_home_glob(const char *path) {
        _cleanup_free_ char *rest = name_to_glob(below_home(path));
        char *glob;

        return rest && asprintf(&glob, "~%s", rest) >= 0 ? glob : NULL;
}

/* What no program that its user can change has to read. */
static bool is_of_users(const json_t *classes) {
        static const char *const others[] = { "gpg-private-keys", "process-secrets", "ssh-host-keys",
                "ssh-private-keys", "system-credentials" };

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (json_object_get(classes, others[i]))
                        return false;
        return true;
}

/* Whether a rule with ~/ may be about this program, or its script. */
static bool may_be_users(const Suggestion *s, const Opener *o, const char *path) {
        return o->sent && !s->container && !s->accepted && o->uid > 0 && below_home(path) &&
               is_of_users(o->classes);
}

/* Checks the kernel's conditions for the executable as the alert has them. false: one was not met. */
static bool trust_check_then(Suggestion *s, const Opener *o) {
        static const struct {
                const char *flag, *why;
                bool users; /* a rule of the user level may apply */
        } then[] = {
                { "memory", "it ran from memory, not from a file", false },
                { "not-roots", "it was not owned by root", true },
                { "writable", "it was writable by its group or others", true },
                { "injected", "it was started with LD_PRELOAD= or the like, and may have run other code",
                                false },
                { "foreign-code", "it ran code from a file that users other than root can change", true },
                { "traced", "it was traced", false },
                { "environment-unread", "its environment was larger than 1 MiB, or could not be read",
                                false },
        };
        bool good = true;

        /* Of a user's program, the flag "users" says that nobody else can change its code. */
        bool users = recorded_flag(s->process, "users") &&
                     (o->users || !recorded_flag(s->process, "not-roots"));

        for (size_t i = 0; o->sent && i < ELEMENTSOF(then); i++)
                if (recorded_flag(s->process, then[i].flag) && !(users && then[i].users)) {
                        say(&s->why, "No rule applies to %s: %s.", o->exe, then[i].why);
                        good = false;
                }
        return good;
}

/* Checks the same conditions as they are now, if the file can be accessed. */
static void trust_check_now(Suggestion *s, const Opener *o, const char *path) {
        ExplainProgram now;

        if (s->container || !s->look)
                return;
        s->look(path, &now);
        if (o->users && explain_trust_of_user(&now, (uint32_t)o->uid) == TRUTH_NO)
                say(&s->why, "No rule applies to %s: others than its user can change it, or replace it.",
                                o->exe);
        else if (!o->users && explain_trust(&now) == TRUTH_NO)
                say(&s->why,
                                "No rule applies to %s: users other than root can change it. Make root its "
                                "owner, and remove write permission for everybody else.",
                                o->exe);
        else if (!now.seen)
                say(&s->why, "No rule applies to %s: the file does not exist any more.", o->exe);
        else if (o->sent && recorded_flag(s->process, "deleted"))
                say(&s->risks, "%s was replaced while it ran: the rule is for the new file.", o->exe);
        if (now.flags & BW_PROCESS_EXE_DIR_WRITABLE && !o->users)
                say(&s->risks,
                                "Others may create files beside %s: move it to a directory that only root "
                                "can write.",
                                o->exe);
}

/* Directories of what is there for a while, where users may put things. */
static bool path_is_temporary(const char *path) {
        static const char *const directories[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/",
                "/run/shm/" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (strncmp(path, directories[i], strlen(directories[i])) == 0)
                        return true;
        return false;
}

static bool path_is_in_home(const char *path) {
        return strncmp(path, "/home/", 6) == 0;
}

/* The program of an ancestor that runs what others have written. NULL: there is none. */
static const char *package_manager(const Suggestion *s) {
        static const char *const names[] = { "apt", "apt-get", "aptitude", "cargo", "composer", "dnf",
                "dpkg", "gem", "npm", "npx", "pacman", "pip", "pip3", "pipx", "pnpm", "poetry", "rpm", "uv",
                "yarn", "yum", "zypper" };
        const json_t *ancestor;
        size_t i;

        json_array_foreach(json_object_get(s->alert, "lineage"), i, ancestor) {
                const char *exe = recorded_string(ancestor, "exe"), *slash = strrchr(exe, '/'),
                           *comm = recorded_string(ancestor, "comm");

                for (size_t k = 0; k < ELEMENTSOF(names); k++)
                        if ((slash && strcmp(slash + 1, names[k]) == 0) ||
                                        (strncmp(comm, names[k], strlen(names[k])) == 0 &&
                                                        (!comm[strlen(names[k])] ||
                                                                        comm[strlen(names[k])] == ' ')))
                                return names[k];
        }
        return NULL;
}

/* Security agents and their like, for which there are rules that are off by default. */
static bool is_agent(const char *path) {
        static const char *const of_vendors[] = { "/opt/osquery/", "/usr/bin/osqueryd", "/var/ossec/bin/",
                "/usr/sbin/clamd", "/usr/bin/clam", "/opt/CrowdStrike/", "/opt/microsoft/mdatp/",
                "/opt/sentinelone/", "/opt/Elastic/Agent/", "/usr/share/elastic-agent/",
                "/var/lib/elastic-agent/", "/opt/sophos-spl/", "/opt/eset/",
                "/opt/bitdefender-security-tools/", "/opt/traps/", "/opt/carbonblack/", "/opt/ds_agent/",
                "/usr/local/qualys/", "/opt/nessus_agent/", "/opt/rapid7/", "/usr/bin/aide",
                "/usr/sbin/tripwire", "/opt/puppetlabs/", "/opt/saltstack/" };

        for (size_t i = 0; i < ELEMENTSOF(of_vendors); i++)
                if (strncmp(path, of_vendors[i], strlen(of_vendors[i])) == 0)
                        return true;
        return false;
}

/* What a rule would allow beside the access that was seen. false: none is to be written. */
static bool reach_check(Suggestion *s, const Opener *o, const char *path) {
        const char *manager = package_manager(s);

        if (is_agent(path))
                say(&s->risks, "An agent that reads every file: optional.d/security-agents.conf, beside the "
                               "default "
                               "policy, has rules for it. Link to it from /etc/barbwire/policy.d.");
        if (path_is_temporary(path) || (o->sent && recorded_flag(s->process, "directory-writable")))
                say(&s->why, "%s is a temporary program: another one may have this path next time.", o->exe);
        else if (manager)
                say(&s->why,
                                "%s ran below %s: a rule would apply to whatever the scripts of any package "
                                "start.",
                                o->exe, manager);
        else if (!o->sent)
                say(&s->why,
                                "%s opened the files, and another program sent the data: a rule for %s "
                                "would "
                                "let whatever gets the data from it send it anywhere, as a permission is "
                                "not "
                                "inherited. Let one program do both.",
                                o->exe, o->exe);
        else
                return true;
        return false;
}

static int script_find(Suggestion *s, Opener *o, const char *interpreter) {
        _cleanup_free_ char *argument = NULL;
        ExplainProgram script = { .seen = true, .regular = true };

        int r = recorded_script(recorded_string(s->process, "cmdline"), &argument);
        if (r < 0)
                return r;
        if (!argument || argument[0] != '/' || !explain_script_is_plain(argument)) {
                say(&s->why,
                                "%s is an interpreter (%s), and its script is not known: a rule would apply "
                                "to every script that it runs. Start the script by its absolute path, "
                                "without options before it.",
                                o->exe, interpreter);
                return 0;
        }
        bool users = may_be_users(s, o, argument);
        o->script = users ? name_to_home_glob(argument) : name_to_glob(argument);
        if (!o->script)
                return -ENOMEM;
        o->users |= users;
        say(&s->risks, "Script= is taken from the command line in the alert, which the process could have "
                       "changed: check it.");
        if (s->container)
                return 0;
        if (s->look)
                s->look(argument, &script);
        o->named = !users && recorded_flag(s->process, "script");
        if (!users && !o->named)
                say(&s->risks, "Script= compares a text, and not who may change the file of that name: "
                               "start the "
                               "script by its own path (\"#!\"), and make the rule again.");
        if (users)
                say(&s->risks, "A rule with ~/ applies only if the script is started by its own name, not "
                               "as the "
                               "argument of an interpreter.");
        if (!script.seen)
                say(&s->why, "No rule applies to %s: the file does not exist any more.", argument);
        else if (users && s->look && explain_trust_of_user(&script, (uint32_t)o->uid) != TRUTH_YES)
                say(&s->why, "No rule applies to %s: others than its user can change it, or replace it.",
                                argument);
        else if (users)
                return 0;
        else if (path_is_temporary(argument) || (!s->look && path_is_in_home(argument)) ||
                        explain_trust(&script) != TRUTH_YES || (s->look && !script.kept))
                say(&s->why,
                                "Users other than root can change %s, or put another file in its place, and "
                                "so use a rule for it: make root the owner of the file and its directory.",
                                argument);
        return 0;
}

/* A rule for a server: clients come from anywhere, so its unit says which one it is. */
static void accepted_check(Suggestion *s, const Opener *o) {
        if (!o->unit)
                say(&s->why,
                                "It accepted a connection, which no Destination= is about, and it has no "
                                "unit "
                                "of its own that could restrict a rule: make %s a service.",
                                o->exe);
        else
                say(&s->risks, "It accepted connections: Unit= restricts the rule instead of addresses, and "
                               "the "
                               "program may also connect to any.");
}

static int opener_judge(Suggestion *s, Opener *o) {
        _cleanup_free_ char *path = recorded_name(o->exe);
        ValueError e;
        int r;

        o->users = path && o->classes && recorded_flag(s->process, "users") &&
                   recorded_flag(s->process, "not-roots") && may_be_users(s, o, path);
        o->exe_glob = !path ? NULL : o->users ? name_to_home_glob(path) : name_to_glob(path);
        if (!o->exe_glob || !o->classes)
                return -ENOMEM;
        if (!trust_check_then(s, o))
                return 0;
        if (!o->users && value_check_program(o->exe_glob, &e) < 0) {
                say(&s->why, "The path of the executable is not known.");
                return 0;
        }
        if (!reach_check(s, o, path))
                return 0;
        r = unit_find(s, o);
        if (r < 0)
                return r;
        if (s->container && !o->unit)
                say(&s->why, "It ran in a container without a unit of its own: a rule would apply to any "
                             "container that has such a program.");
        else if (s->container)
                say(&s->risks, "The container decides what is at %s.", o->exe);
        trust_check_now(s, o, path);
        if (s->accepted)
                accepted_check(s, o);
        else if (strcmp(recorded_string(json_object_get(s->alert, "destination"), "act"), "open") == 0)
                say(&s->why, "It was judged at the open (Access=allowed), where its destination is not "
                             "known yet.");
        else if (recorded_destination(s->alert).family == 0)
                say(&s->why, "Its destination is not an IP address, and Destination= takes nothing else.");
        const char *interpreter = policy_interpreter(o->exe_glob);
        if (interpreter)
                r = script_find(s, o, interpreter);
        if (r < 0)
                return r;
        if (o->users)
                say(&s->risks, "A program of the user's own: everything that runs as this user can change "
                               "it, and "
                               "then has what this rule gives.");
        else if (recorded_flag(s->process, "foreign-code"))
                say(&s->why, "No rule applies to %s: its user can change code that it runs.", o->exe);
        return 0;
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

/* A uid that systemd chose for one start of a service (DynamicUser=, systemd.exec(5)). */
static bool uid_is_dynamic(json_int_t uid) {
        return uid >= 61184 && uid <= 65519;
}

/* The lines of a section, but for Destination=. The classes are in the order of the policy, so that equal
 * rules have equal texts. */
static char *rule_body(const Suggestion *s, const Opener *o) {
        const json_t *class;
        TextStream text;
        size_t i, n = 0;

        if (!text_open(&text))
                return NULL;
        fputs("Class=", text.stream);
        json_array_foreach(s->known, i, class) {
                const char *name = json_is_string(class) ? json_string_value(class)
                                                         : recorded_string(class, "name");

                if (json_object_get(o->classes, name))
                        fprintf(text.stream, "%s%s", n++ > 0 ? " " : "", name);
        }
        fprintf(text.stream, "\nExe=%s\n", o->named ? o->script : o->exe_glob);
        if (o->script && !o->named)
                fprintf(text.stream, "Script=%s\n", o->script);
        if (o->unit)
                fprintf(text.stream, "Unit=%s\n", o->unit);
        if (o->uid > 0 && !(o->unit && uid_is_dynamic(o->uid)))
                fprintf(text.stream, "User=%" JSON_INTEGER_FORMAT "\n", o->uid);
        if (s->container)
                fputs("Container=yes\n", text.stream);
        return text_take(&text);
}

/* Of an address that was read as one: the alert's text may hold anything. NULL: out of memory. */
static char *rule_destination(const Suggestion *s) {
        const struct bw_destination to = recorded_destination(s->alert);
        bool v6 = to.family == AF_INET6;
        char address[INET6_ADDRSTRLEN];
        TextStream text;

        if (!inet_ntop(to.family, to.address, address, sizeof(address)) || !text_open(&text))
                return NULL;
        fprintf(text.stream, "%s%s/%d", v6 && to.port > 0 ? "[" : "", address, v6 ? 128 : 32);
        if (to.port > 0)
                fprintf(text.stream, "%s:%u", v6 ? "]" : "", to.port);
        return text_take(&text);
}

static int rule_make(const Suggestion *s, const Opener *o, ProposedRule *ret) {
        const char *base = strrchr(o->exe, '/') ?: "/";
        TextStream name;

        if (o->script)
                base = strrchr(o->script, '/') ?: base;
        if (!text_open(&name))
                return -ENOMEM;
        put_name(name.stream, base + 1, 24);
        ret->name = text_take(&name);
        ret->body = rule_body(s, o);
        ret->destination = s->accepted ? NULL : rule_destination(s);
        ret->users = o->users;
        return ret->name && ret->body && (s->accepted || ret->destination) ? 0 : -ENOMEM;
}

static int propose(Suggestion *s, Proposal *ret) {
        int r = openers_find(s, s->known);

        for (size_t i = 0; r == 0 && i < s->n_openers; i++)
                if (json_object_size(s->openers[i].classes) > 0)
                        r = opener_judge(s, s->openers + i);
        if (r == 0 && (fflush(s->why.stream) != 0 || fflush(s->risks.stream) != 0))
                r = -ENOMEM;
        if (r < 0 || s->why.size > 0)
                return r;
        for (size_t i = 0; r == 0 && i < s->n_openers; i++)
                if (json_object_size(s->openers[i].classes) > 0)
                        r = rule_make(s, s->openers + i, &ret->rules[ret->n_rules++]);
        return r;
}

static int text_finish(Text *t, int r) {
        int q = t->stream && text_close(&t->stream) >= 0 && t->data ? 0 : -ENOMEM;
        return r < 0 ? r : q < 0 || t->failed ? -ENOMEM : 0;
}

void proposal_done(Proposal *p) {
        for (size_t i = 0; i < p->n_rules; i++) {
                free(p->rules[i].name);
                free(p->rules[i].body);
                free(p->rules[i].destination);
        }
        free(p->risks);
        free(p->why);
        *p = (Proposal){};
}

int alert_propose(const json_t *alert, const json_t *classes, SuggestLook look, Proposal *ret) {
        Suggestion s = { .alert = alert,
                .process = json_object_get(alert, "process"),
                .known = classes,
                .look = look,
                .accepted = strcmp(recorded_string(json_object_get(alert, "destination"), "act"),
                                            "accept") == 0 };
        Text *texts[] = { &s.risks, &s.why };
        Proposal p = {};
        int r = 0;

        s.container = recorded_flag(s.process, "not-host") ||
                      (!json_object_get(s.process, "flags") &&
                                      json_is_string(json_object_get(s.process, "container")));
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                texts[i]->stream = open_memstream(&texts[i]->data, &texts[i]->size);
                if (!texts[i]->stream)
                        r = -ENOMEM;
        }
        if (r == 0)
                r = propose(&s, &p);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                r = text_finish(texts[i], r);
        if (r == 0) {
                p.why = s.why.size > 0 ? STEAL_PTR(s.why.data) : NULL;
                p.risks = STEAL_PTR(s.risks.data);
                *ret = p;
        } else
                proposal_done(&p);
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

static void put_suggestion(FILE *f, const json_t *alert, const Proposal *p) {
        const char *id = strchr(recorded_string(alert, "id"), '-') ?: "-";

        fputs("# Suggested by barbwirectl for alert ", f);
        text_put_string(f, recorded_string(alert, "id"));
        fputs(":\n# ", f);
        text_put_string(f, recorded_string(alert, "summary"));
        fputs("\n#\n", f);
        if (p->why) {
                fprintf(f, "# NO rule should allow this:\n%s", p->why);
                return;
        }
        fputs("# This allows the access below whenever it happens. Other destinations, such as name "
              "servers, still alert.\n"
              "# Review it, run \"barbwired --check\", and load it with \"systemctl reload barbwire\".\n",
                        f);
        fputs(p->risks, f);
        for (size_t i = 0; i < p->n_rules; i++) {
                /* The id makes the name unique: an existing section would be extended. */
                fprintf(f, "\n[Allow site-%s-", p->rules[i].name);
                put_name(f, id + 1 + strspn(id + 1, "0"), 24);
                if (i > 0)
                        fprintf(f, "-%zu", i + 1);
                fprintf(f, "]\n%s", p->rules[i].body);
                if (p->rules[i].destination)
                        fprintf(f, "Destination=%s\n", p->rules[i].destination);
        }
}

int alert_suggest(const json_t *alert, const json_t *classes, SuggestLook look, char **ret_text,
                char **ret_why) {
        TextStream text;
        Proposal p;

        int r = alert_propose(alert, classes, look, &p);
        if (r < 0)
                return r;
        char *written = NULL;
        if (text_open(&text)) {
                put_suggestion(text.stream, alert, &p);
                written = text_take(&text);
        }
        if (written) {
                *ret_text = written;
                *ret_why = STEAL_PTR(p.why);
        }
        proposal_done(&p);
        return written ? 0 : -ENOMEM;
}
