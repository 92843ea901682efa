/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the counters of bpf/event.h are called and mean. The one place that names them for people. */

#include <stdint.h>

#include "../bpf/event.h"

typedef struct CounterInfo {
        const char *name;    /* for key=value and JSON; NULL: no such counter */
        const char *meaning; /* a loss: what was lost and why. Otherwise: what is counted */
        const char *remedy;  /* what the administrator can do; NULL: nothing, or not a loss */
} CounterInfo;

/* Never NULL; an unknown counter has no name. */
const CounterInfo *counter_info(unsigned counter);
