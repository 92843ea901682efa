/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The life of a Policy: allocate, append, look up, free. Must not judge anything: that is for the parser and
 * policy_finish(). */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lineage-match.h"
#include "policy-build.h"
#include "policy-parser.h"

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

        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++)
                if (policy_sections[s].size == 0)
                        section_reset(s, section_item(&b->policy, s, 0));
        sha256_init(&b->hash);
        *ret = &b->policy;
        return 0;
}

int policy_list_append(void *field, size_t *n, size_t size, const void *item) {
        char **items = field;

        char *larger = reallocarray(*items, *n + 2, size);
        if (!larger)
                return -ENOMEM;
        *items = larger;
        memcpy(larger + *n * size, item, size);
        memset(larger + ++*n * size, 0, size);
        return 0;
}

void policy_list_clear(void *field, size_t *n, size_t size, bool owned) {
        char **items = field;

        for (size_t i = 0; owned && i < *n; i++)
                free(*(char **)(*items + i * size));
        free(*items);
        *items = NULL;
        *n = 0;
}

static void strv_clear(char ***strv, size_t *n) {
        policy_list_clear(strv, n, sizeof(char *), true);
}

void section_done(Section s, void *item) {
        section_reset(s, item);
        free(*(char **)item);
}

Policy *policy_free(Policy *p) {
        if (!p)
                return NULL;

        PolicyBuild *b = policy_build(p);
        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++) {
                const SectionInfo *info = &policy_sections[s];

                if (info->size == 0)
                        continue;
                size_t *n = (size_t *)((char *)p + info->n_items);
                for (size_t i = 0; i < *n; i++)
                        section_done(s, section_item(p, s, i));
                policy_list_clear((char *)p + info->items, n, info->size, false);
        }
        for (size_t i = 0; i < p->n_messages; i++)
                free(p->messages[i].text);
        free(p->messages);
        lineage_table_free(p->lineage_table);
        strv_clear(&p->files, &p->n_files);
        strv_clear(&p->homes, &p->n_homes);
        strv_clear(&b->names, &b->n_names);
        free(b);
        return NULL;
}

static int strv_append(char ***strv, size_t *n, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;

        int r = policy_list_append(strv, n, sizeof(char *), &copy);
        if (r == 0)
                copy = NULL;
        return r;
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

        int r = strv_append(&b->names, &b->n_names, file);
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
        int r = strv_append(&p->files, &p->n_files, file);
        if (r < 0)
                return r;
        *ret = p->files[p->n_files - 1];
        return 0;
}

int policy_add_home(Policy *p, const char *home, size_t n_home) {
        _cleanup_free_ char *copy = strndup(home, n_home);
        if (!copy)
                return -ENOMEM;
        return strv_append(&p->homes, &p->n_homes, copy);
}

int section_open(Policy *p, Section s, const char *name, PolicyOrigin origin, size_t *ret_index) {
        const SectionInfo *info = &policy_sections[s];
        size_t *n = (size_t *)((char *)p + info->n_items);

        for (size_t i = 0; i < *n; i++)
                if (strcmp(*(char **)section_item(p, s, i), name) == 0) {
                        *ret_index = i;
                        return 0;
                }
        if (*n >= POLICY_SECTIONS_MAX)
                return -E2BIG;

        _cleanup_free_ char *copy = strdup(name), *item = calloc(1, info->size);
        if (!copy || !item)
                return -ENOMEM;
        section_reset(s, item);
        memcpy(item, &copy, sizeof(copy));
        memcpy(item + info->origin, &origin, sizeof(origin));

        int r = policy_list_append((char *)p + info->items, n, info->size, item);
        if (r < 0)
                return r;
        copy = NULL;
        *ret_index = *n - 1;
        return 0;
}

PolicyAllow *policy_rule(const Policy *p, size_t i) {
        if (i < p->n_allows)
                return p->allows + i;
        return i - p->n_allows < p->n_carriers ? &p->carriers[i - p->n_allows].who : NULL;
}

const PolicyClass *policy_class_by_name(const Policy *p, const char *name) {
        for (size_t i = 0; i < p->n_classes; i++)
                if (strcmp(p->classes[i].name, name) == 0)
                        return p->classes + i;
        return NULL;
}
