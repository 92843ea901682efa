/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "log.h"
#include "policy-names.h"
#include "policy-store.h"
#include "time-now.h"

int policy_store_open(PolicyStore *s, int fd) {
        int r = fd < 0 ? -ENOENT : policy_names_read(fd, &s->names);
        bool known = r == 0;

        if (!known) {
                policy_names_done(&s->names);
                if (r != -ENOENT)
                        log_warning("Cannot read the names of classes and rules of the daemon before: %s", strerror(-r));
        }
        s->names_file = known ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : policy_names_file_new();
        r = s->names_file < 0 ? -errno : known ? 0 : policy_names_write(&s->names, s->names_file);
        if (r < 0) {
                log_error("Cannot keep the names of classes and rules: %s", strerror(-r));
                return r;
        }
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
                _cleanup_free_ char *text = policy_message_format(&p->messages[i]);
                log_message(p->messages[i].level == POLICY_ERROR ? LOG_ERR : LOG_WARNING, "%s", text ?: "?");
        }
}

void policy_draft_read(PolicyDraft *d) {
        d->loaded = policy_load(d->config_file, d->policy_dirs, NULL, &d->policy);
        if (d->loaded < 0 || (d->strict && d->policy->n_errors > 0))
                return;
        d->compiled = policy_names_read(d->names_file, &d->names);
        if (d->compiled >= 0)
                d->compiled = policy_compile(d->policy, &d->names, d->max_cells, &d->tables, &d->message);
}

void policy_draft_done(PolicyDraft *d) {
        policy_free(d->policy);
        policy_tables_free(d->tables);
        policy_names_done(&d->names);
        free(d->message.text);
        *d = (PolicyDraft){};
}

int policy_store_take(PolicyStore *s, PolicyDraft *d, Policy **ret, PolicyTables **ret_tables) {
        s->refused = d->strict; /* until it is used */
        if (d->policy)
                log_messages(d->policy);
        if (d->loaded < 0) {
                log_error("Cannot read the policy: %s", strerror(-d->loaded));
                return d->loaded;
        }
        if (d->strict && d->policy->n_errors > 0) {
                log_error("The policy has %zu error%s.", d->policy->n_errors, d->policy->n_errors == 1 ? "" : "s");
                return -EBADMSG;
        }
        if (d->compiled < 0) {
                _cleanup_free_ char *text = d->message.text ? policy_message_format(&d->message) : NULL;
                log_error("%s", text ?: "Cannot compile the policy: memory is short.");
                return d->compiled;
        }

        /* Before the kernel has a table with new ones. */
        int r = policy_names_write(&d->names, s->names_file);
        if (r < 0) {
                log_error("Cannot keep the names of classes and rules: %s", strerror(-r));
                return r;
        }
        policy_names_done(&s->names);
        s->names = d->names;
        d->names = (PolicyNames){};
        *ret = STEAL_PTR(d->policy);
        *ret_tables = STEAL_PTR(d->tables);
        return 0;
}

void policy_store_use(PolicyStore *s, Policy *p, const PolicyTables *tables, uint32_t generation) {
        if (!s->policy) {
                s->limits = p->correlator;
                s->alerts_max = p->alerts_max;
        } else if (memcmp(&p->correlator, &s->limits, sizeof(s->limits)) != 0 || p->alerts_max != s->alerts_max) {
                log_warning("[Correlator] or [Query] has changed: the limits take effect when the daemon is restarted.");
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

StateAlert policy_store_state(const PolicyStore *s, const char *previous) {
        return (StateAlert){
                .kind = STATE_POLICY,
                .realtime_usec = time_now_usec(CLOCK_REALTIME),
                .hash = s->policy->hash,
                .previous = previous,
                .refused = s->refused,
                .n_files = s->policy->n_files,
                .n_classes = s->policy->n_classes,
                .n_allows = s->policy->n_allows,
                .n_errors = s->policy->n_errors,
        };
}
