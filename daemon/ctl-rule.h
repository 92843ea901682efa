/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert's JSON (alert-json.h) → the smallest drop-in (barbwire.policy(5)) by which it would not have been. Pure. */

#include "ctl-policy.h"

/* Looks at a program's file on this machine. */
typedef void (*SuggestLook)(const char *path, ExplainProgram *ret);

/* classes: of ListRules. *ret_text: the drop-in, its risks as comments; where no rule can hold, comments alone that say
 * why, and *ret_why is the reason in short, else NULL. Both newly allocated, printable UTF-8 whatever the names
 * contain. -ENOMEM. */
int alert_suggest(const json_t *alert, const json_t *classes, SuggestLook look, char **ret_text, char **ret_why);
