/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <string.h>

#include "abi/event.h"
#include "alert/trial.h"
#include "event/cgroup-path.h"

/* Of the system's manager, and not of a user's (user.slice) or a container's (machine.slice). */
#define SERVICES "/system.slice/"
#define SUFFIX ".service"

static bool bytes_same(Bytes a, Bytes b) {
        return a.size > 0 && a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* Whether the process and its ancestors up to PID 1 execute the same program. */
static bool lineage_is_own(const EventCorrelation *c) {
        for (size_t i = 0; i < c->n_lineage; i++) {
                if (c->lineage[i].pid == 1)
                        return true;
                if (!bytes_same(c->lineage[i].exe, c->process.exe))
                        return false;
        }
        return false;
}

/* Whether the process holds a file of these classes, and each is root's, opened by root by this program. */
static bool files_are_roots(const EventCorrelation *c, uint64_t classes) {
        size_t n = 0;

        /* A full table (FailClosed=yes) is no wrong rule. */
        if (c->flags & (BW_CORRELATION_FILES_MORE | BW_CORRELATION_SUSPECT | BW_CORRELATION_FLOOD |
                                       BW_CORRELATION_CLOSED))
                return false;
        for (size_t i = 0; i < c->n_files; i++) {
                const EventFile *f = c->files + i;

                if (!(f->classes & classes))
                        continue;
                if (f->uid != 0 || !f->owned || f->n_route > 0 || f->execed || f->path_truncated ||
                                !bytes_same(f->exe, c->process.exe))
                        return false;
                n++;
        }
        return n > 0;
}

bool trial_service(const EventCorrelation *c, uint64_t classes, char *ret) {
        const EventProcess *p = &c->process;
        const size_t suffix = strlen(SUFFIX);

        if (p->flags & ~(uint32_t)BW_PROCESS_SCRIPT || p->cgroup.size < strlen(SERVICES) ||
                        memcmp(p->cgroup.data, SERVICES, strlen(SERVICES)) != 0)
                return false;
        Bytes unit = cgroup_system_unit(p->cgroup);
        if (unit.size <= suffix || memcmp(unit.data + unit.size - suffix, SUFFIX, suffix) != 0 ||
                        !lineage_is_own(c) || !files_are_roots(c, classes))
                return false;

        const char *at = memchr(unit.data, '@', unit.size);
        int n = (int)(at ? (size_t)(at - unit.data) + 1 : unit.size);
        (void)snprintf(ret, TRIAL_SERVICE_SIZE, "%.*s%s", n, unit.data, at ? SUFFIX : "");
        return true;
}

/* Whether this is the last service that the class may have; a known one is none. */
static bool service_add(char (*services)[TRIAL_SERVICE_SIZE], const char *name) {
        for (size_t i = 0; i < TRIAL_SERVICES; i++) {
                if (strcmp(services[i], name) == 0)
                        return false;
                if (services[i][0])
                        continue;
                (void)snprintf(services[i], TRIAL_SERVICE_SIZE, "%s", name);
                return i == TRIAL_SERVICES - 1;
        }
        return false;
}

uint64_t trial_count(Trial *t, uint64_t policy, const EventCorrelation *c, uint64_t classes) {
        char name[TRIAL_SERVICE_SIZE];
        uint64_t fallen = 0;

        if (t->policy != policy)
                *t = (Trial){ .policy = policy };
        if (!trial_service(c, classes, name))
                return 0;
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (classes >> bit & 1 && service_add(t->services[bit], name))
                        fallen |= UINT64_C(1) << bit;
        return fallen;
}
