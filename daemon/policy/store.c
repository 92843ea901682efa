/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "policy/links.h"
#include "policy/load.h"
#include "policy/names.h"
#include "policy/store.h"

int policy_store_open(PolicyStore *s, int fd) {
        int r = fd < 0 ? -ENOENT : policy_names_read(fd, &s->names);
        bool known = r == 0;

        if (!known) {
                policy_names_done(&s->names);
                if (r != -ENOENT)
                        log_warning("Failed to read the names of classes and rules of the previous "
                                    "instance: %s",
                                        strerror(-r));
        }
        if (known)
                r = fd_copy(fd, &s->names_file);
        else
                r = s->names_file = policy_names_file_new();
        if (r < 0)
                return log_error_errno(r, "Failed to store the names of classes and rules: %m");
        return known;
}

void policy_store_done(PolicyStore *s) {
        policy_free(s->policy);
        policy_free(s->before);
        policy_names_done(&s->names);
        if (s->names_file > 0)
                close(s->names_file);
}

static void log_messages(const Policy *p) {
        for (size_t i = 0; i < p->n_messages; i++) {
                if (p->messages[i].level == POLICY_NOTE)
                        continue;
                _cleanup_free_ char *text = policy_message_format(&p->messages[i]);
                log_message(p->messages[i].level == POLICY_ERROR ? LOG_ERR : LOG_WARNING, "%s", text ?: "?");
        }
}

int policy_store_read(PolicyStore *s, const char *config_file, char *const *policy_dirs, size_t max_cells,
                bool strict, Policy **ret, PolicyTables **ret_tables) {
        _cleanup_(policy_freep) Policy *p = NULL;
        PolicyMessage message = {};
        int r;

        s->refused = strict; /* until policy_store_use() */
        r = policy_load(config_file, policy_dirs, NULL, &p);
        if (p)
                log_messages(p);
        if (r < 0)
                return log_error_errno(r, "Failed to load the policy: %m");
        if (strict && p->n_errors > 0) {
                log_error("The policy has %zu error%s.", p->n_errors, p->n_errors == 1 ? "" : "s");
                return -EBADMSG;
        }
        if (p->n_classes == 0) /* policy_load() has named the directories */
                return -ENODATA;

        r = policy_inherit_links(p, s->policy);
        if (r < 0)
                return r;
        r = policy_compile(p, &s->names, max_cells, ret_tables, &message);
        if (r < 0) {
                _cleanup_free_ char *text = message.text ? policy_message_format(&message) : NULL;
                log_error("%s", text ?: "Out of memory.");
                free(message.text);
                return r;
        }
        /* Written before the kernel has a table with new names. */
        if (s->names_file > 0)
                r = policy_names_write(&s->names, s->names_file);
        if (r < 0) {
                log_error("Failed to store the names of classes and rules: %s", strerror(-r));
                *ret_tables = policy_tables_free(*ret_tables);
                return r;
        }
        *ret = STEAL_PTR(p);
        return 0;
}

void policy_store_use(PolicyStore *s, Policy *p, const PolicyTables *tables, uint32_t generation) {
        if (!s->policy) {
                s->limits = p->correlator;
                s->alerts_max = p->alerts_max;
        } else if (memcmp(&p->correlator, &s->limits, sizeof(s->limits)) != 0 ||
                        p->alerts_max != s->alerts_max) {
                log_warning("The limits in [Correlator] or [Query] have changed: restart the service to "
                            "apply them.");
        }
        policy_free(s->before);
        s->before = s->policy;
        s->policy = p;
        s->generation = generation;
        s->n_patterns = tables->n_patterns[BW_AUTOMATON_FILE];
        s->realtime_usec = time_now_usec(CLOCK_REALTIME);
        s->refused = false;
}

const Policy *policy_store_judge(const PolicyStore *s, uint32_t generation) {
        return generation == s->generation || !s->before ? s->policy : s->before;
}
