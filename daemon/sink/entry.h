/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert as one datagram of journald's native protocol (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md). Pure:
 * sends nothing. barbwire.journal-fields(7) documents the fields, and a test compares the page with the
 * entries. */

#include <stddef.h>

#include "alert/state.h"
#include "alert/alert.h"

/* json: the alert's (alert/json.h). *ret: newly allocated, *ret_size bytes, not NUL-terminated. -ENOMEM. */
int journal_entry_from_alert(const Alert *a, const char *json, char **ret, size_t *ret_size);
int journal_entry_from_state(const StateAlert *a, char **ret, size_t *ret_size);
