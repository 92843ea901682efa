/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The life of a Policy: allocate, append, look up, free. Must not judge anything: that is for the parser and
 * policy_finish(). */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "policy-build.h"

static const char *const severity_names[_SEVERITY_MAX] = {
                [SEVERITY_LOW] = "low",
                [SEVERITY_MEDIUM] = "medium",
                [SEVERITY_HIGH] = "high",
};

const char *severity_to_string(Severity s) {
        if (s < 0 || s >= _SEVERITY_MAX)
                return NULL;
        return severity_names[s];
}

Severity severity_from_string(const char *s) {
        for (size_t i = 0; s && i < ELEMENTSOF(severity_names); i++)
                if (strcmp(s, severity_names[i]) == 0)
                        return (Severity)i;
        return _SEVERITY_INVALID;
}

int policy_new(Policy **ret) {
        PolicyBuild *b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;

        b->policy.correlator = (PolicyCorrelator){
                        .marks_max = POLICY_MARKS_DEFAULT,
                        .processes_max = POLICY_PROCESSES_DEFAULT,
                        .ring_bytes = POLICY_RING_DEFAULT_BYTES,
        };
        b->policy.alerts_max = POLICY_ALERTS_DEFAULT;
        sha256_init(&b->hash);
        *ret = &b->policy;
        return 0;
}

void policy_globs_clear(PolicyGlob **globs, size_t *n) {
        for (size_t i = 0; i < *n; i++)
                free((*globs)[i].glob);
        free(*globs);
        *globs = NULL;
        *n = 0;
}

void policy_strv_clear(char ***strv, size_t *n) {
        for (size_t i = 0; i < *n; i++)
                free((*strv)[i]);
        free(*strv);
        *strv = NULL;
        *n = 0;
}

void policy_class_done(PolicyClass *c) {
        free(c->name);
        free(c->description);
        policy_globs_clear(&c->paths, &c->n_paths);
        policy_globs_clear(&c->excludes, &c->n_excludes);
        policy_strv_clear(&c->techniques, &c->n_techniques);
}

void policy_allow_done(PolicyAllow *a) {
        free(a->name);
        policy_strv_clear(&a->classes, &a->n_classes);
        free(a->class_origins);
        policy_globs_clear(&a->exes, &a->n_exes);
        free(a->destinations);
}

Policy *policy_free(Policy *p) {
        if (!p)
                return NULL;

        PolicyBuild *b = policy_build(p);
        for (size_t i = 0; i < p->n_classes; i++)
                policy_class_done(p->classes + i);
        free(p->classes);
        for (size_t i = 0; i < p->n_allows; i++)
                policy_allow_done(p->allows + i);
        free(p->allows);
        for (size_t i = 0; i < p->n_messages; i++)
                free(p->messages[i].text);
        free(p->messages);
        policy_strv_clear(&p->files, &p->n_files);
        policy_strv_clear(&p->homes, &p->n_homes);
        policy_strv_clear(&b->names, &b->n_names);
        free(b->voids);
        free(b);
        return NULL;
}

static int strv_append_unlimited(char ***strv, size_t *n, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;

        char **larger = reallocarray(*strv, *n + 2, sizeof(char *));
        if (!larger)
                return -ENOMEM;
        *strv = larger;
        larger[(*n)++] = STEAL_PTR(copy);
        larger[*n] = NULL;
        return 0;
}

int policy_strv_append(char ***strv, size_t *n, const char *text) {
        return *n >= POLICY_ITEMS_MAX ? -E2BIG : strv_append_unlimited(strv, n, text);
}

int policy_globs_append(PolicyGlob **globs, size_t *n, const char *text, PolicyOrigin origin) {
        if (*n >= POLICY_ITEMS_MAX)
                return -E2BIG;

        _cleanup_free_ char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;

        PolicyGlob *larger = reallocarray(*globs, *n + 1, sizeof(PolicyGlob));
        if (!larger)
                return -ENOMEM;
        *globs = larger;
        larger[(*n)++] = (PolicyGlob){.glob = STEAL_PTR(copy), .origin = origin};
        return 0;
}

_printf_(4, 0) static int message_addv(
                Policy *p, PolicyMessageLevel level, PolicyOrigin origin, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;

        if (p->n_messages <= POLICY_MESSAGES_MAX) {
                int r = p->n_messages < POLICY_MESSAGES_MAX
                                        ? vasprintf(&text, format, ap)
                                        : asprintf(&text, "more than %u messages; correct these first",
                                                          POLICY_MESSAGES_MAX);
                if (r < 0)
                        return -ENOMEM;

                PolicyMessage *larger = reallocarray(p->messages, p->n_messages + 1, sizeof(PolicyMessage));
                if (!larger)
                        return -ENOMEM;
                p->messages = larger;
                larger[p->n_messages++] =
                                (PolicyMessage){.level = level, .origin = origin, .text = STEAL_PTR(text)};
        }
        if (level == POLICY_ERROR)
                p->n_errors++;
        return 0;
}

int policy_message_add(Policy *p, PolicyMessageLevel level, PolicyOrigin origin, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        int r = message_addv(p, level, origin, format, ap);
        va_end(ap);
        return r;
}

int policy_message_add_file(Policy *p, PolicyMessageLevel level, const char *file, const char *format, ...) {
        PolicyBuild *b = policy_build(p);
        va_list ap;

        int r = strv_append_unlimited(&b->names, &b->n_names, file);
        if (r < 0)
                return r;

        va_start(ap, format);
        r = message_addv(p, level, (PolicyOrigin){.file = b->names[b->n_names - 1]}, format, ap);
        va_end(ap);
        return r;
}

char *policy_message_format(const PolicyMessage *m) {
        char *s;

        int r = m->origin.line > 0 ? asprintf(&s, "%s:%u:%u: %s", m->origin.file, m->origin.line,
                                                     m->origin.column, m->text)
                                   : asprintf(&s, "%s: %s", m->origin.file, m->text);
        return r < 0 ? NULL : s;
}

int policy_add_file(Policy *p, const char *file, const char **ret) {
        int r = strv_append_unlimited(&p->files, &p->n_files, file);
        if (r < 0)
                return r;
        *ret = p->files[p->n_files - 1];
        return 0;
}

int policy_add_home(Policy *p, const char *home, size_t n_home) {
        _cleanup_free_ char *copy = strndup(home, n_home);
        if (!copy)
                return -ENOMEM;
        return strv_append_unlimited(&p->homes, &p->n_homes, copy);
}

int policy_open_class(Policy *p, const char *name, PolicyOrigin origin, size_t *ret_index) {
        for (size_t i = 0; i < p->n_classes; i++)
                if (strcmp(p->classes[i].name, name) == 0) {
                        *ret_index = i;
                        return 0;
                }
        if (p->n_classes >= POLICY_SECTIONS_MAX)
                return -E2BIG;

        _cleanup_free_ char *copy = strdup(name);
        if (!copy)
                return -ENOMEM;

        PolicyClass *larger = reallocarray(p->classes, p->n_classes + 1, sizeof(PolicyClass));
        if (!larger)
                return -ENOMEM;
        p->classes = larger;
        larger[p->n_classes] = (PolicyClass){
                        .name = STEAL_PTR(copy),
                        .window_usec = POLICY_WINDOW_DEFAULT_USEC,
                        .score = POLICY_SCORE_DEFAULT,
                        .severity = _SEVERITY_INVALID,
                        .origin = origin,
        };
        *ret_index = p->n_classes++;
        return 0;
}

int policy_open_allow(Policy *p, const char *name, PolicyOrigin origin, size_t *ret_index) {
        PolicyBuild *b = policy_build(p);

        for (size_t i = 0; i < p->n_allows; i++)
                if (strcmp(p->allows[i].name, name) == 0) {
                        *ret_index = i;
                        return 0;
                }
        if (p->n_allows >= POLICY_SECTIONS_MAX)
                return -E2BIG;

        _cleanup_free_ char *copy = strdup(name);
        if (!copy)
                return -ENOMEM;

        bool *voids = reallocarray(b->voids, p->n_allows + 1, sizeof(bool));
        if (!voids)
                return -ENOMEM;
        b->voids = voids;
        voids[p->n_allows] = false;

        PolicyAllow *larger = reallocarray(p->allows, p->n_allows + 1, sizeof(PolicyAllow));
        if (!larger)
                return -ENOMEM;
        p->allows = larger;
        larger[p->n_allows] = (PolicyAllow){.name = STEAL_PTR(copy), .origin = origin};
        *ret_index = p->n_allows++;
        return 0;
}

const PolicyClass *policy_class_by_name(const Policy *p, const char *name) {
        for (size_t i = 0; i < p->n_classes; i++)
                if (strcmp(p->classes[i].name, name) == 0)
                        return p->classes + i;
        return NULL;
}
