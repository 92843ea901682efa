/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "policy/types.h"

static const char *const severity_names[_SEVERITY_MAX] = {
        [SEVERITY_INFO] = "info",
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

PolicyAllow *policy_rule(const Policy *p, size_t i) {
        if (i < p->n_allows)
                return p->allows + i;
        return i - p->n_allows < p->n_carriers ? &p->carriers[i - p->n_allows].rule : NULL;
}

const PolicyClass *policy_class_by_name(const Policy *p, const char *name) {
        for (size_t i = 0; i < p->n_classes; i++)
                if (strcmp(p->classes[i].name, name) == 0)
                        return p->classes + i;
        return NULL;
}

bool policy_rule_is_users(const PolicyAllow *a) {
        for (size_t i = 0; i < a->n_exes; i++)
                if (a->exes[i].glob[0] == '~')
                        return true;
        for (size_t i = 0; i < a->n_scripts; i++)
                if (a->scripts[i].glob[0] == '~')
                        return true;
        return false;
}

char *policy_message_format(const PolicyMessage *m) {
        char *s;

        int r = m->origin.line > 0 ? asprintf(&s, "%s:%u:%u: %s", m->origin.file, m->origin.line,
                                                     m->origin.column, m->text)
                                   : asprintf(&s, "%s: %s", m->origin.file, m->text);
        return r < 0 ? NULL : s;
}
