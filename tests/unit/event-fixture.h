/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A share that is full, for the tests of what becomes of it. */

/* Members of struct bw_share, and of EventShare, which is decoded from it. */
#define FULL_SHARE                                                                                          \
        .cgroup_id = 7, .live = 1843, .refused = 12, .table = BW_SHARE_OBJECTS, .uid = 1000, .pid = 77,     \
        .comm = "tar", .cgroup = "session-3.scope"
