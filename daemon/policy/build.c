/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The life of a Policy: allocate, append, free. Must not judge anything: the parser and policy_finish() do.
 */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "basic/strv.h"
#include "policy/build.h"
#include "policy/lineage.h"
#include "policy/list.h"

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

void policy_leave_out(Policy *p, const char *file) {
        size_t n = 0;

        for (size_t i = 0; i < p->n_allows; i++)
                if (p->allows[i].origin.file && strcmp(p->allows[i].origin.file, file) == 0)
                        section_done(SECTION_ALLOW, &p->allows[i]);
                else
                        p->allows[n++] = p->allows[i];
        p->n_allows = n;
}

Policy *policy_free(Policy *p) {
        if (!p)
                return NULL;

        PolicyBuild *b = policy_build(p);
        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++) {
                const SectionInfo *info = &policy_sections[s];

                if (info->size == 0) {
                        section_reset(s, section_item(p, s, 0));
                        continue;
                }
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
        for (size_t i = 0; i < p->n_links; i++) {
                free(p->links[i].from);
                free(p->links[i].to);
        }
        free(p->links);
        strv_clear(&b->names, &b->n_names);
        free(b);
        return NULL;
}

_printf_(4, 0) static int message_addv(
                Policy *p, PolicyMessageLevel level, PolicyOrigin origin, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;

        if (p->n_messages <= POLICY_MESSAGES_MAX) {
                int r = p->n_messages < POLICY_MESSAGES_MAX
                                        ? vasprintf(&text, format, ap)
                                        : asprintf(&text, "more than %u messages: correct those above first",
                                                          POLICY_MESSAGES_MAX);
                if (r < 0)
                        return -ENOMEM;

                PolicyMessage *larger = reallocarray(p->messages, p->n_messages + 1, sizeof(PolicyMessage));
                if (!larger)
                        return -ENOMEM;
                p->messages = larger;
                larger[p->n_messages++] =
                                (PolicyMessage){ .level = level, .origin = origin, .text = STEAL_PTR(text) };
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

        int r = strv_extend(&b->names, &b->n_names, file);
        if (r < 0)
                return r;

        va_start(ap, format);
        r = message_addv(p, level, (PolicyOrigin){ .file = b->names[b->n_names - 1] }, format, ap);
        va_end(ap);
        return r;
}

int policy_add_file(Policy *p, const char *file, const char **ret) {
        int r = strv_extend(&p->files, &p->n_files, file);
        if (r < 0)
                return r;
        *ret = p->files[p->n_files - 1];
        return 0;
}

int policy_add_home(Policy *p, const char *home, size_t n_home) {
        _cleanup_free_ char *copy = strndup(home, n_home);
        if (!copy)
                return -ENOMEM;
        return strv_consume(&p->homes, &p->n_homes, STEAL_PTR(copy));
}

int policy_section_open(Policy *p, Section s, const char *name, PolicyOrigin origin, size_t *ret_index) {
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

int policy_section_error(Policy *p, Section s, size_t index, PolicyOrigin origin, const char *format, ...) {
        _cleanup_free_ char *text = FORMAT_ARGUMENTS(format);

        if (!text)
                return -ENOMEM;
        bool *broken = section_broken(p, s, index);
        if (!broken)
                return policy_message_add(p, POLICY_ERROR, origin, "%s", text);
        *broken = true;
        return policy_message_add(p, POLICY_ERROR, origin, "[%s %s] is ignored: %s", policy_sections[s].type,
                        *(char **)section_item(p, s, index), text);
}
