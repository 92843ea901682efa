/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Makes the smallest drop-in (barbwire.policy(5)) that would have allowed an alert, from its JSON
 * (alert/json.h). Pure. */

#include "client/evaluate.h"

/* Gets the state of a program's file on this machine. */
typedef void (*SuggestLook)(const char *path, ExplainProgram *ret);

/* classes: of ListRules. *ret_text: the drop-in, with its risks as comments; or, where no rule can apply,
 * only comments with the reasons, which are also in *ret_why, else NULL. Both newly allocated, printable
 * UTF-8 whatever the names contain. -ENOMEM. */
int alert_suggest(const json_t *alert, const json_t *classes, SuggestLook look, char **ret_text,
                char **ret_why);
