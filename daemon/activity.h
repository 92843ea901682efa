/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Shows clients what each process does: has the programs count while any client looks, and writes what
 * changed since that client saw it last. */

#include <systemd/sd-event.h>

#include "basic/util.h"
#include "policy/compile.h"
#include "query/methods.h"
#include "sensor/sensor.h"

typedef struct Activity Activity;

/* on_due: a client has something to read. sensor, names: must outlive it. */
int activity_new(sd_event *event, Sensor *sensor, const PolicyNames *names, void (*on_due)(void *userdata),
                void *userdata, Activity **ret);
Activity *activity_free(Activity *a);
DEFINE_CLEANUP(Activity, activity_free);

/* For QuerySource; lives as long as `a`. */
const ActivitySource *activity_source(const Activity *a);
