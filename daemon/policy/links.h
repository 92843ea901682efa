/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Follows the links among the directories that patterns begin with: the kernel resolves a path before it is
 * matched, so that Path=/var/run/key never matches where /var/run is a link to /run. Such a pattern stands
 * for both paths, as a container may have the one and the host the other.
 *
 * A link is followed if only root can change it: a rule for a program of the system must not become one for
 * what another user points at. Pure. */

#include "policy/types.h"

/* path_follow_links() of policy/follow.h. */
typedef int PolicyFollow(const char *path, char **ret);

/* Fills p->links. Before policy_finish(). 0 or -ENOMEM. */
int policy_follow_links(Policy *p, PolicyFollow *follow);

/* Adds a message for each pattern that begins with a link. After policy_finish(). 0 or -ENOMEM. */
int policy_report_links(Policy *p);

/* Takes from a policy that was read with more privileges what this one was not permitted to look at. 0 or
 * -ENOMEM. */
int policy_inherit_links(Policy *p, const Policy *before);
