/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The policy: read at the start, and again for a SIGHUP, by a thread of its own then: compiling takes some 150 ms, in which
 * queries are to be answered and the ring is to be read. The thread has its draft, and nothing else of the daemon's. */

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "log.h"
#include "manager-internal.h"
#include "sensor-carry.h"

static PolicyDraft manager_draft(const Manager *m, size_t max_cells, bool strict) {
        return (PolicyDraft){
                .config_file = m->options->config_file,
                .policy_dirs = m->options->policy_dirs,
                .max_cells = max_cells,
                .strict = strict,
                .names_file = m->policies.names_file,
        };
}

int manager_load_policy(Manager *m) {
        _cleanup_(policy_draft_done) PolicyDraft draft = {};
        int r = sensor_store_new(&m->store);

        if (r >= 0)
                r = policy_store_open(&m->policies, sensor_store_find(m->store, NULL, sensor_carry_names));
        if (r == 0) /* bits of what else is kept mean nothing */
                sensor_store_remove(m->store, NULL, sensor_carry_names, NULL);
        if (r < 0)
                return r;
        draft = manager_draft(m, 0, false);
        policy_draft_read(&draft);
        return policy_store_take(&m->policies, &draft, &m->policy, &m->tables);
}

static void *reader_run(void *userdata) {
        const uint64_t one = 1;
        Manager *m = userdata;

        policy_draft_read(&m->draft);
        (void)!write(m->draft_done, &one, sizeof(one)); /* cannot fail: it is 0 */
        return NULL;
}

void manager_end_reader(Manager *m) {
        if (m->reading)
                (void)pthread_join(m->reader, NULL);
        m->reading = false;
        policy_draft_done(&m->draft);
}

static void manager_begin_reload(Manager *m) {
        m->draft = manager_draft(m, sensor_max_cells(m->sensor), true);
        int r = -pthread_create(&m->reader, NULL, reader_run, m);
        m->reading = r == 0;
        if (r == 0)
                return;
        log_error("policy kept: a new one cannot be read: %s", strerror(-r));
        m->policies.refused = true;
        manager_tell_policy(m, m->policies.policy->hash);
}

static void manager_end_reload(Manager *m) {
        _cleanup_(policy_tables_freep) PolicyTables *tables = NULL;
        char previous[sizeof(m->policies.policy->hash)];
        Policy *p;

        memcpy(previous, m->policies.policy->hash, sizeof(previous));
        if (policy_store_take(&m->policies, &m->draft, &p, &tables) < 0) {
                log_error("policy kept: the new one is not used for the reasons above.");
        } else {
                /* What is still in the ring was judged by the one in force until now, and is told by it
                 * (policy_store_judge()). */
                policy_store_use(&m->policies, p, tables, sensor_policy_write(m->sensor, tables));
                log_notice("policy reloaded: %zu classes, %zu allow rules; marks are kept.", p->n_classes, p->n_allows);
        }
        manager_tell_policy(m, previous);
}

static int on_draft_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Manager *m = userdata;
        uint64_t n;

        (void)source;
        (void)revents;
        (void)!read(fd, &n, sizeof(n));
        (void)pthread_join(m->reader, NULL);
        m->reading = false;
        manager_end_reload(m);
        /* What compiling took, tens of times what stays, goes back to the system: the C library would keep some of it, each
         * time another part. */
        policy_draft_done(&m->draft);
        (void)malloc_trim(0);
        if (m->reload_again)
                manager_begin_reload(m);
        m->reload_again = false;
        return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Manager *m = userdata;

        (void)source;
        (void)si;
        /* What it has read already may have changed since. */
        m->reload_again = m->reading;
        if (!m->reading)
                manager_begin_reload(m);
        return 0;
}

int manager_add_reader(Manager *m) {
        /* The reader's memory is everybody's: the C library would give it an arena, and keep that. */
        (void)mallopt(M_ARENA_MAX, 1);
        m->draft_done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (m->draft_done < 0)
                return -errno;
        int r = sd_event_add_io(m->event, NULL, m->draft_done, EPOLLIN, on_draft_done, m);
        return r < 0 ? r : sd_event_add_signal(m->event, NULL, SIGHUP, on_hangup, m);
}
