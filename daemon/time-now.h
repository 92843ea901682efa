/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A clock in microseconds. */

#include <stdint.h>
#include <time.h>

#include "util.h"

static inline uint64_t time_now_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / NSEC_PER_USEC;
}
