/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which entries are of one alert: it is written again when it is repeated. Its id alone does not say so:
 * each host writes its own journal, and could otherwise replace or hide the alerts of another one. Pure. */

#include <jansson.h>

/* 16 bytes of a SHA-256, as hex digits, with the NUL. */
#define ALERT_COPY_KEY_SIZE 33

/* Whether two alerts, with their hosts, differ in nothing but what a repeat changes. -ENOMEM. */
int alert_is_copy(const json_t *a, const json_t *b);

/* The same for the copies of one alert, and for no other. 0 or -ENOMEM. */
int alert_copy_key(const json_t *alert, char ret[static ALERT_COPY_KEY_SIZE]);
