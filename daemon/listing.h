/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Makes listings of marks for clients: drives the sensor, and collects the records that arrive among all
 * others. All clients that ask within a second read the same one, so that no number of clients costs more
 * than one. */

#include <systemd/sd-event.h>

#include "alert/alert.h"
#include "basic/util.h"
#include "event/decode.h"
#include "query/mark-list.h"
#include "sensor/sensor.h"

typedef struct Listing Listing;

/* on_done: a listing that clients wait for is done. sensor: must outlive it. */
int listing_new(sd_event *event, Sensor *sensor, void (*on_done)(void *userdata), void *userdata,
                Listing **ret);
Listing *listing_free(Listing *l);
DEFINE_CLEANUP(Listing, listing_free);

/* The number of the listing for a new call: begins one, if the latest is older than a second. 0: out of
 * memory. */
uint64_t listing_begin(Listing *l);

/* The listing of that number; NULL: there is a newer one. */
const MarkList *listing_get(const Listing *l, uint64_t number);

/* Adds a record of BW_KIND_MARK or BW_KIND_ACCOUNT, if it belongs to the listing that is being made. p: the
 * policy that the kernel judges by. */
void listing_add(Listing *l, const Event *e, const Policy *p, const PolicyNames *names,
                const AlertEpoch *epoch);

/* Lists some more marks, after records were consumed: the loop does it only when it has nothing else to do.
 */
void listing_step(Listing *l);

/* While the records in the ring are not consumed, nothing is listed. */
void listing_block(Listing *l, bool blocked);
