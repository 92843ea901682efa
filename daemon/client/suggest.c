/* SPDX-License-Identifier: GPL-2.0-or-later */

/* suggest: gets an alert, and prints a drop-in. */

#include <string.h>

#include "client/rule.h"
#include "client/client.h"
#include "client/output.h"
#include "client/ctl.h"

int ctl_suggest(const Ctl *c, const char *id) {
        json_auto_t *alert = NULL, *rules = NULL;
        _cleanup_free_ char *text = NULL, *why = NULL;

        int r = ctl_get_alert(c, id, &alert);
        if (r != 0)
                return r;
        r = ctl_client_ask(c->socket_path, true, "ListRules", NULL, &rules);
        if (r < 0)
                return r;
        if (!json_is_array(json_object_get(rules, "classes")))
                return ctl_client_malformed();
        if (alert_suggest(alert, json_object_get(rules, "classes"), ctl_program_look, &text, &why) < 0)
                return ctl_error_memory();

        if (ctl_wants_json()) {
                json_auto_t *o = json_pack("{s:b, s:s}", "possible", !why, "dropin", text);
                r = o ? ctl_print_json(o) : ctl_error_memory();
                if (r < 0)
                        return r;
        } else
                fputs(text, stdout);
        if (why)
                ctl_error("No rule would have allowed this alert; the comments give the reason.");
        return why ? CTL_FAILED : CTL_OK;
}
