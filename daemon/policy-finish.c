/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What can only be judged once every file is read: references between sections, sections that lack
 * something, and allow rules that are wider than their author may think. Pure. */

#include <errno.h>
#include <string.h>

#include "glob-automaton.h"
#include "policy-build.h"
#include "policy-values.h"

/* Programs that run what they are told: to allow one is to allow whatever script it is given. Names with a
 * version behind them (python3.11) count. */
static const struct {
        const char *name;
        bool versioned;
} interpreters[] = {
                {"bash", false},
                {"busybox", false},
                {"dash", false},
                {"env", false},
                {"java", false},
                {"lua", true},
                {"node", false},
                {"nodejs", false},
                {"perl", true},
                {"php", true},
                {"python", true},
                {"python3", true},
                {"ruby", true},
                {"sh", false},
                {"zsh", false},
};

/* Where distributions and administrators put them: a glob over one of these allows them too. */
static const char *const interpreter_directories[] = {"/bin", "/usr/bin", "/usr/local/bin"};

/* Anybody can put an executable there under the name that a rule allows. */
static const char *const writable_directories[] = {"/tmp/", "/var/tmp/", "/dev/shm/", "/home/"};

/* The interpreter that one of the alternatives in a glob's last component names, or NULL. */
static const char *component_interpreter(const char *component) {
        for (size_t n; *component; component += n + (component[n] ? 1 : 0)) {
                n = strcspn(component, "{,}");
                for (size_t i = 0; i < ELEMENTSOF(interpreters); i++) {
                        size_t n_name = strlen(interpreters[i].name);

                        if (n >= n_name && memcmp(component, interpreters[i].name, n_name) == 0 &&
                                        (interpreters[i].versioned || n == n_name))
                                return interpreters[i].name;
                }
        }
        return NULL;
}

static const char *glob_interpreter(const char *glob) {
        const char *named = component_interpreter(strrchr(glob, '/') + 1);

        for (size_t i = 0; !named && i < ELEMENTSOF(interpreters); i++)
                for (size_t d = 0; d < ELEMENTSOF(interpreter_directories); d++) {
                        char path[32];

                        int n = snprintf(path, sizeof(path), "%s/%s", interpreter_directories[d],
                                        interpreters[i].name);
                        if (glob_match_reference(glob, path, (size_t)n))
                                named = interpreters[i].name;
                }
        return named;
}

static int exe_warn(Policy *p, const PolicyAllow *a, const PolicyGlob *exe) {
        char quoted[VALUE_QUOTE_SIZE];

        (void)value_quote(exe->glob, strlen(exe->glob), quoted);
        if (a->n_destinations == 0) {
                const char *interpreter = glob_interpreter(exe->glob);

                if (interpreter) {
                        int r = policy_message_add(p, POLICY_WARNING, exe->origin,
                                        "%s allows the interpreter \"%s\", and with it every script: name a "
                                        "program, or add Destination=",
                                        quoted, interpreter);
                        if (r < 0)
                                return r;
                }
        }

        if (strncmp(exe->glob, "/**", 3) == 0)
                return policy_message_add(p, POLICY_WARNING, exe->origin,
                                "%s allows a program of that name in any directory, writable ones too: name "
                                "the directory",
                                quoted);
        for (size_t i = 0; i < ELEMENTSOF(writable_directories); i++)
                if (strncmp(exe->glob, writable_directories[i], strlen(writable_directories[i])) == 0)
                        return policy_message_add(p, POLICY_WARNING, exe->origin,
                                        "%s is where users can put programs of their own: allow one that "
                                        "only root can change",
                                        quoted);
        return 0;
}

/* The first of names that no class has, or NULL. */
static const char *allow_unknown_class(const Policy *p, const PolicyAllow *a, PolicyOrigin *ret_origin) {
        for (size_t i = 0; i < a->n_classes; i++)
                if (!policy_class_by_name(p, a->classes[i])) {
                        *ret_origin = a->class_origins[i];
                        return a->classes[i];
                }
        return NULL;
}

static int report_unknown_class(Policy *p, const PolicyAllow *a, const char *class, PolicyOrigin origin) {
        unsigned nearest_distance = 3; /* more is another name, not a slip */
        const char *nearest = NULL;

        for (size_t i = 0; i < p->n_classes; i++) {
                unsigned d = value_distance(class, p->classes[i].name);

                if (d < nearest_distance) {
                        nearest_distance = d;
                        nearest = p->classes[i].name;
                }
        }
        if (nearest)
                return policy_message_add(p, POLICY_ERROR, origin,
                                "there is no [Class %s], did you mean %s? (the whole [Allow %s] is not "
                                "used)",
                                class, nearest, a->name);
        return policy_message_add(p, POLICY_ERROR, origin,
                        "there is no [Class %s]: add it, or leave the name out (the whole [Allow %s] is not "
                        "used)",
                        class, a->name);
}

/* 1: can be used, 0: cannot, and that is reported. */
static int allow_check(Policy *p, const PolicyAllow *a) {
        PolicyOrigin origin;
        int r;

        const char *unknown = allow_unknown_class(p, a, &origin);
        if (unknown)
                r = report_unknown_class(p, a, unknown, origin);
        else if (a->n_classes == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] has no Class=, not used: say which class of files it is about",
                                a->name);
        else if (a->n_exes == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] has no Exe=, not used: say which program is allowed", a->name);
        else {
                for (size_t i = 0; i < a->n_exes; i++) {
                        r = exe_warn(p, a, a->exes + i);
                        if (r < 0)
                                return r;
                }
                return 1;
        }
        return r;
}

/* Forgets names of classes that exist but have no Path=. True when none is left, though there was one. */
static bool allow_prune_classes(const Policy *p, PolicyAllow *a) {
        size_t n = 0;

        for (size_t i = 0; i < a->n_classes; i++) {
                const PolicyClass *c = policy_class_by_name(p, a->classes[i]);

                if (c && c->n_paths == 0) {
                        free(a->classes[i]);
                        continue;
                }
                a->classes[n] = a->classes[i];
                a->class_origins[n++] = a->class_origins[i];
        }
        bool emptied = n == 0 && a->n_classes > 0;
        if (a->classes)
                a->classes[n] = NULL;
        a->n_classes = n;
        return emptied;
}

static int classes_finish(Policy *p) {
        size_t n = 0;

        /* Every report first: dropping moves what is not looked at yet. */
        for (size_t i = 0; i < p->n_classes; i++)
                if (p->classes[i].n_paths == 0) {
                        int r = policy_message_add(p, POLICY_ERROR, p->classes[i].origin,
                                        "[Class %s] has no Path=, not used: name its files; to switch a "
                                        "class off, mask its file by a link to /dev/null",
                                        p->classes[i].name);
                        if (r < 0)
                                return r;
                }

        for (size_t i = 0; i < p->n_classes; i++)
                if (p->classes[i].n_paths == 0)
                        policy_class_done(p->classes + i);
                else
                        p->classes[n++] = p->classes[i];
        p->n_classes = n;
        return 0;
}

static void hash_finish(PolicyBuild *b) {
        uint8_t digest[SHA256_DIGEST_SIZE];

        sha256_digest(&b->hash, sizeof(digest), digest);
        for (size_t i = 0; i < sizeof(digest); i++)
                (void)snprintf(b->policy.hash + 2 * i, 3, "%02x", digest[i]);
}

int policy_finish(Policy *p) {
        PolicyBuild *b = policy_build(p);
        size_t n = 0;
        int r = 0;

        hash_finish(b);
        /* From here on b->voids says which allows go; what an earlier bad line voided was reported with it.
         */
        for (size_t i = 0; i < p->n_allows; i++)
                if (!b->voids[i] && allow_prune_classes(p, p->allows + i)) {
                        b->voids[i] = true;
                        r = policy_message_add(p, POLICY_ERROR, p->allows[i].origin,
                                        "[Allow %s] is not used: no class that it names has a Path=",
                                        p->allows[i].name);
                        if (r < 0)
                                return r;
                }

        r = classes_finish(p);
        if (r < 0)
                return r;

        for (size_t i = 0; i < p->n_allows; i++)
                if (!b->voids[i]) {
                        r = allow_check(p, p->allows + i);
                        if (r < 0)
                                return r;
                        b->voids[i] = r == 0;
                }

        for (size_t i = 0; i < p->n_allows; i++)
                if (b->voids[i])
                        policy_allow_done(p->allows + i);
                else {
                        b->voids[n] = false;
                        p->allows[n++] = p->allows[i];
                }
        p->n_allows = n;
        return 0;
}
