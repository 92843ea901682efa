/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Lets classes fall back to a dry run in the first hour of a policy, see alert/trial.h, and says so. */

#include "alert/state.h"
#include "alert/trial.h"
#include "event/decode.h"
#include "policy/store.h"
#include "sensor/sensor.h"

/* Looks at a correlation that the kernel reported. report: called for each class that falls back. */
void fallback_consider(Trial *t, Sensor *s, const Event *e, const PolicyStore *policies,
                void (*report)(const StateAlert *a, void *userdata), void *userdata);
