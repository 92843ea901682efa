/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "sensor/hook-proof.h"
#include "sensor/hooks.h"
#include "basic/util.h"

static const char *const kind_names[SENSOR_KINDS + 1] = { "lsm", "fentry", "tracepoint", "auto" };

const char *sensor_kind_to_string(SensorKind kind) {
        return kind_names[kind];
}

int sensor_kind_from_string(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(kind_names); i++)
                if (strcmp(kind_names[i], name) == 0)
                        return i;
        return -EINVAL;
}

#define HOOK_INFO(enumerator, lost, programs, ...)                                                          \
        [BW_HOOK_##enumerator] = { .not_monitored = (lost), .sections = programs, ##__VA_ARGS__ },

const HookInfo hook_infos[BW_HOOK_MAX] = { BW_HOOKS(HOOK_INFO) };

#define TAIL_INFO(enumerator, of, name) [BW_TAIL_##enumerator] = { .hook = BW_HOOK_##of, .program = (name) },

const TailInfo tail_infos[BW_TAIL_MAX] = { BW_TAILS(TAIL_INFO) };

bool tail_is(const char *program) {
        for (size_t i = 0; i < BW_TAIL_MAX; i++)
                if (strcmp(tail_infos[i].program, program) == 0)
                        return true;
        return false;
}
