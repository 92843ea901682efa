/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Marks and accounts of a listing as JSON: types Mark and Account of query/interface.c. Pure. */

#include "alert/alert.h"
#include "event/decode.h"

/* One line without newline, newly allocated, with names as in alert/json.h. e: of BW_KIND_MARK; p: the
 * policy that the kernel judges by. -ENOMEM. */
int mark_to_json(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
                char **ret);

/* The same of BW_KIND_ACCOUNT. */
int account_to_json(const EventAccount *a, char **ret);
