/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <stddef.h>

#include "event/counters.h"

#define LOSS_INFO(enumerator, name, meaning, remedy) { name, meaning, remedy },

static const LossInfo infos[] = { BW_LOSSES(LOSS_INFO) DAEMON_LOSSES(LOSS_INFO) };
_Static_assert(sizeof(infos) / sizeof(*infos) == LOSSES_MAX, "every loss has its texts");

const LossInfo *loss_info(unsigned loss) {
        assert(loss < LOSSES_MAX);
        return &infos[loss];
}
