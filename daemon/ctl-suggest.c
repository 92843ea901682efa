/* SPDX-License-Identifier: GPL-2.0-or-later */

/* suggest: asks for an alert, and writes a drop-in on standard output. */

#include <string.h>

#include "ctl-rule.h"
#include "ctl-client.h"
#include "ctl-output.h"
#include "ctl.h"

int ctl_suggest(const Ctl *c, const char *id) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        json_auto_t *parameters = json_pack("{s:s}", "id", id), *reply = NULL, *rules = NULL;
        _cleanup_free_ char *text = NULL, *why = NULL;

        if (!parameters) {
                ctl_error("\"%s\" is no alert's id.", id);
                return CTL_USAGE;
        }
        int r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_call(client, "GetAlert", parameters, &reply);
        if (r >= 0)
                r = ctl_client_call(client, "ListRules", NULL, &rules);
        if (r < 0)
                return r;
        if (!json_is_object(json_object_get(reply, "alert")) || !json_is_array(json_object_get(rules, "classes")))
                return ctl_client_malformed();
        if (alert_suggest(json_object_get(reply, "alert"), json_object_get(rules, "classes"), ctl_program_look, &text,
                            &why) < 0)
                return ctl_error_memory();

        if (ctl_wants_json()) {
                json_auto_t *o = json_pack("{s:b, s:s}", "possible", !why, "dropin", text);
                r = o ? ctl_print_json(o) : ctl_error_memory();
                if (r < 0)
                        return r;
        } else
                fputs(text, stdout);
        if (why)
                ctl_error("There is no rule that would have allowed this alert; the comments say why.");
        return why ? CTL_FAILED : CTL_OK;
}
