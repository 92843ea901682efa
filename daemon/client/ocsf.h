/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert as a Detection Finding of the Open Cybersecurity Schema Framework (class 2004, version 1.8), for
 * collectors that take it: --json=ocsf. Pure. */

#include <jansson.h>

/* alert: its JSON (alert/json.h), which may come from anywhere: a member that is missing or of another type
 * is left out. Names stay escaped as they are there. host: name of the machine, if the alert has none; may
 * be NULL. *ret: a new object. -ENOMEM. */
int ocsf_from_alert(const json_t *alert, const char *host, json_t **ret);
