/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "log.h"
#include "policy-read.h"

static void policy_log_messages(const Policy *p) {
        for (size_t i = 0; i < p->n_messages; i++) {
                _cleanup_free_ char *text = policy_message_format(&p->messages[i]);
                log_message(p->messages[i].level == POLICY_ERROR ? LOG_ERR : LOG_WARNING, "%s", text ?: "?");
        }
}

int policy_read(const char *config_file,
        char *const *policy_dirs,
        PolicyNames *names,
        size_t max_cells,
        bool strict,
        Policy **ret,
        PolicyTables **ret_tables) {
        _cleanup_(policy_freep) Policy *p = NULL;
        PolicyMessage message = {};
        int r;

        r = policy_load(config_file, policy_dirs, NULL, &p);
        if (p)
                policy_log_messages(p);
        if (r < 0) {
                log_error("Cannot read the policy: %s", strerror(-r));
                return r;
        }
        if (strict && p->n_errors > 0) {
                log_error("The policy has %zu error%s.", p->n_errors, p->n_errors == 1 ? "" : "s");
                return -EBADMSG;
        }

        r = policy_compile(p, names, max_cells, ret_tables, &message);
        if (r < 0) {
                _cleanup_free_ char *text = message.text ? policy_message_format(&message) : NULL;
                log_error("%s", text ?: "Cannot compile the policy: memory is short.");
                free(message.text);
                return r;
        }
        *ret = STEAL_PTR(p);
        return 0;
}
