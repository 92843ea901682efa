/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "alert-json.h"
#include "alert-ring.h"
#include "alert-sink.h"
#include "alert-state.h"
#include "alert.h"
#include "event-decode.h"
#include "harvest-watch.h"
#include "journal-history.h"
#include "log.h"
#include "losses.h"
#include "manager-internal.h"
#include "policy-store.h"
#include "query-server.h"
#include "repeat-watch.h"
#include "sensor-carry.h"
#include "sensor.h"
#include "time-now.h"

/* Records taken, or counts of repeats told, per turn of the loop. Each is a tenth of a millisecond; a query takes some three
 * turns of its own (accept, read, write), each of which may wait for one of these. */
#define RECORDS_PER_TURN 64

/* Losses are looked at after every batch of records, and this often when none come: a program that was skipped leaves
 * no record. The accuracy lets the kernel put the wake-up where another one is. */
#define LOSS_POLL_USEC (60 * USEC_PER_SEC)
#define LOSS_POLL_ACCURACY_USEC (30 * USEC_PER_SEC)

/* How long the last alerts may wait to be taken: well below the 5 s in which all of ours is gone from the kernel. */
#define DRAIN_USEC (2 * USEC_PER_SEC)

/* Windows end to the second: nobody waits for a count of repeats. */
#define REPEAT_ACCURACY_USEC USEC_PER_SEC

/* The wall clock may be set at any time: alerts are dated by what it says now. */
static void manager_update_epoch(Manager *m) {
        m->epoch.monotonic_usec = time_now_usec(CLOCK_MONOTONIC);
        m->epoch.realtime_minus_boottime_usec = time_now_usec(CLOCK_REALTIME) - time_now_usec(CLOCK_BOOTTIME);
}

/* Is what was told taken? Otherwise nothing more is taken out of the ring, and what can be told later is not told now. */
static bool manager_is_ready(const Manager *m) {
        return alert_queue_ready(alert_sink_queue(m->sink));
}

static void manager_arm_repeat_timer(Manager *m) {
        uint64_t next = repeat_watches_next(m->watches);
        bool wanted = next != UINT64_MAX && manager_is_ready(m);

        if (wanted)
                (void)sd_event_source_set_time(m->repeat_timer, next / NSEC_PER_USEC + 1);
        (void)sd_event_source_set_enabled(m->repeat_timer, wanted ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Nothing but the kernel's ring may hold alerts that nobody takes: there they outlive us. */
static void on_blocked(bool blocked, void *userdata) {
        Manager *m = userdata;

        int r = sd_event_source_set_enabled(m->ring_source, blocked ? SD_EVENT_OFF : SD_EVENT_ON);
        if (r < 0)
                (void)sd_event_exit(m->event, r);
        manager_arm_repeat_timer(m);
}

/* What an entry of the sink may fail with. What it does not take is counted there; only a reader that is gone for good
 * ends the watch. */
static void manager_check_told(Manager *m, int r) {
        if (r == -EPIPE) {
                log_error("Nobody reads the alerts on standard output any more: stopping.");
                (void)sd_event_exit(m->event, r);
        } else if (r < 0) {
                log_error("An alert could not be told: %s", strerror(-r));
                m->n_malformed++;
        }
}

/* keep: there is no record in the ring that it could be made of again. Otherwise: -EAGAIN, when nobody takes it now. */
static int manager_report(Manager *m, const Alert *alert, bool keep) {
        _cleanup_free_ char *line = NULL;
        json_auto_t *object = NULL;

        int r = alert_to_json(alert, &object, &line);
        if (r >= 0)
                r = alert_sink_tell(m->sink, alert, object, line, keep);
        if (r == -EAGAIN)
                return r;
        manager_check_told(m, r);
        if (object && alert_ring_put(m->ring, object, line) < 0)
                log_warning("An alert is not kept for queries: memory is short.");
        if (m->query)
                query_server_wake(m->query);
        return 0;
}

static void on_watch_ended(RepeatWatch *w, void *userdata) {
        _cleanup_(alert_freep) Alert *alert = w->alert;
        Manager *m = userdata;
        uint64_t repeats = 0;

        w->alert = NULL;
        if (!sensor_repeats(m->sensor, w->slot, w->boot_ns, w->cpu, &repeats) || repeats == 0)
                return;
        alert->repeats = repeats;
        m->n_repeats += repeats;
        if (!alert->score.ignored && !alert->score.below)
                (void)manager_report(m, alert, true);
}

static int manager_on_correlation(Manager *m, const Event *e) {
        uint64_t lineage_classes = harvest_watch_touch(m->harvests, &e->correlation, e->mono_ns);
        _cleanup_(alert_freep) Alert *alert = NULL;

        const Policy *judge = policy_store_judge(&m->policies, e->correlation.generation);
        if (alert_new(e, judge, &m->policies.names, &m->epoch, lineage_classes, &alert) < 0) {
                log_error("An alert could not be made: memory is short.");
                m->n_malformed++;
                return 0;
        }
        /* What a flood stands for may be worse than the one that is told of it. */
        if (alert->flood)
                alert->score.ignored = alert->score.below = false;
        if (alert->score.ignored)
                m->n_ignored++;
        else if (alert->score.below)
                m->n_below++;
        else {
                int r = manager_report(m, alert, false);
                if (r < 0)
                        return r;
                m->n_alerts++;
                delays_add(&m->delays, alert->delayed_usec);
        }

        const RepeatWatch w = {
                .alert = alert,
                .boot_ns = e->boot_ns,
                .cpu = e->cpu,
                .slot = e->correlation.slot,
                .pid = alert->flood ? 0 : e->correlation.process.pid, /* a flood goes on when this process has ended */
                .start_boot_ns = e->correlation.process.start_boot_ns,
                .until_mono_ns = e->mono_ns + e->correlation.window_ns,
        };
        alert = NULL; /* the watch owns it */
        repeat_watches_add(m->watches, &w, on_watch_ended, m);
        return 0;
}

static int on_record(const void *record, size_t size, void *userdata) {
        Manager *m = userdata;
        const char *why = NULL;
        int r = 0;
        Event e;

        if (event_decode(record, size, &e, &why) < 0) {
                /* Our own programs wrote it: a bug, and an alert that nobody will see. */
                if (m->n_malformed++ == 0)
                        log_error("A record from the kernel could not be read (%s): this is a bug in Barbwire.", why ?: "?");
                return 0;
        }

        switch (e.kind) {
        case BW_KIND_CORRELATION:
                r = manager_on_correlation(m, &e);
                break;
        case BW_KIND_EXIT:
                repeat_watches_expire(m->watches, e.exit.pid, e.exit.start_boot_ns);
                repeat_watches_end(m->watches, 0, RECORDS_PER_TURN, on_watch_ended, m); /* the rest by the timer */
                break;
        case BW_KIND_STATE:
                if (e.state.counter == BW_COUNT_MARKS_LIVE)
                        log_warning("%" PRIu64 " processes are marked, three quarters of what MaxMarks= allows: above 90 %% "
                                    "of it no more will be.",
                                e.state.count);
                break; /* losses are told from the counters, below */
        }
        return r == 0 && !manager_is_ready(m) ? -EINPROGRESS : r;
}

/* Looks at all losses so far, by cause. */
void manager_update_losses(Manager *m) {
        uint64_t counters[BW_COUNT_MAX], counts[LOSSES_MAX], since_usec;

        sensor_counters(m->sensor, counters);
        memcpy(counts, counters, BW_LOSS_MAX * sizeof(*counts));
        /* With no alert outstanding, here or in the ring, every repeat has been told, or never will be: its alert was
         * given up early, or its place was taken. */
        if (m->watches->n == 0 && sensor_waiting(m->sensor, &since_usec) == 0 &&
                counters[BW_COUNT_REPEATS] > m->n_repeats + counts[BW_LOSS_REPEAT_GONE])
                m->n_repeats_untold = MAX(m->n_repeats_untold,
                        counters[BW_COUNT_REPEATS] - m->n_repeats - counts[BW_LOSS_REPEAT_GONE]);
        counts[BW_LOSS_REPEAT_GONE] += m->n_repeats_untold;
        counts[LOSS_RECURSION_MISSES] = sensor_recursion_misses(m->sensor);
        counts[LOSS_HOOK_GONE] = sensor_n_hooks_gone(m->sensor);
        counts[LOSS_MALFORMED] = m->n_malformed;
        counts[LOSS_UNWRITTEN] = alert_queue_n_unwritten(alert_sink_queue(m->sink));
        counts[LOSS_MARKS_DROPPED] = sensor_marks_dropped(m->sensor);
        losses_update(&m->losses, counts, time_now_usec(CLOCK_MONOTONIC), time_now_usec(CLOCK_REALTIME));
}

static void on_state(const StateAlert *a, void *userdata) {
        _cleanup_free_ char *line = state_alert_json(a);
        Manager *m = userdata;

        manager_check_told(m, line ? alert_sink_tell_state(m->sink, a, line) : -ENOMEM);
        if (line)
                (void)alert_ring_put_state(m->ring, line);
        if (m->query)
                query_server_wake(m->query);
}

/* Tells of every loss that grew. While nobody takes anything they add up. */
static void manager_tell_losses(Manager *m) {
        if (!manager_is_ready(m))
                return;
        manager_update_losses(m);
        uint64_t next = losses_tell(&m->losses, time_now_usec(CLOCK_MONOTONIC), false, on_state, m);
        sensor_told(m->sensor, &m->losses, m->n_repeats, m->n_repeats_untold);
        if (next != UINT64_MAX)
                (void)sd_event_source_set_time(m->loss_timer, next);
}

/* Once nothing waits any more: how late it was told. */
static void manager_tell_delays(Manager *m) {
        StateAlert a;

        if (manager_is_ready(m) && delays_end(&m->delays, time_now_usec(CLOCK_REALTIME), &a))
                on_state(&a, m);
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Manager *m = userdata;

        (void)source;
        (void)fd;
        (void)revents;
        manager_update_epoch(m);
        int n = sensor_consume(m->sensor, RECORDS_PER_TURN, on_record, m);
        if (n < RECORDS_PER_TURN)
                manager_tell_delays(m);
        manager_arm_repeat_timer(m);
        manager_tell_losses(m);
        return MIN(n, 0);
}

static int on_repeat_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        uint64_t now_ns = time_now_usec(CLOCK_MONOTONIC) * NSEC_PER_USEC;

        (void)source;
        (void)usec;
        repeat_watches_end(m->watches, now_ns, RECORDS_PER_TURN, on_watch_ended, m);
        manager_arm_repeat_timer(m);
        return 0;
}

static int on_loss_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        int r = sd_event_source_set_time(source, usec + LOSS_POLL_USEC);

        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        manager_tell_losses(m);
        return r;
}

static int manager_read_policy(Manager *m, size_t max_cells, bool strict, Policy **ret, PolicyTables **ret_tables) {
        return policy_store_read(&m->policies, m->options->config_file, m->options->policy_dirs, max_cells, strict, ret,
                ret_tables);
}

static void manager_tell_policy(Manager *m, const char *previous) {
        const StateAlert a = policy_store_state(&m->policies, previous);

        on_state(&a, m);
}

static void manager_tell_foreign(Manager *m) {
        const StateAlert a = {
                .kind = STATE_FOREIGN,
                .realtime_usec = time_now_usec(CLOCK_REALTIME),
                .meaning = "Other programs sit on the network hooks.",
                .programs = sensor_foreign(m->sensor),
        };

        if (a.programs[0])
                on_state(&a, m);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        _cleanup_(policy_tables_freep) PolicyTables *tables = NULL;
        Manager *m = userdata;
        char previous[sizeof(m->policies.policy->hash)];
        Policy *p;

        (void)source;
        (void)si;
        memcpy(previous, m->policies.policy->hash, sizeof(previous));
        if (manager_read_policy(m, sensor_max_cells(m->sensor), true, &p, &tables) < 0) {
                log_error("policy kept: the new one is not used for the reasons above.");
                manager_tell_policy(m, previous);
                return 0;
        }
        /* What is still in the ring was judged by the one in force until now, and is told by it (policy_store_judge()). */
        policy_store_use(&m->policies, p, tables, sensor_policy_write(m->sensor, tables));
        /* What compiling took, tens of times what stays, goes back to the system: the C library would keep some of it, each
         * time another part. */
        tables = policy_tables_free(tables);
        (void)malloc_trim(0);
        log_notice("policy reloaded: %zu classes, %zu allow rules; marks are kept.", p->n_classes, p->n_allows);
        manager_tell_policy(m, previous);
        return 0;
}

int manager_new(const ManagerOptions *options, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
        sd_id128_t boot_id;
        sigset_t mask;

        if (!m)
                return -ENOMEM;
        /* Blocked from the beginning: a SIGHUP that comes while we start is a reload, not the end. */
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        m->options = options;
        m->watches = calloc(1, sizeof(*m->watches));
        m->harvests = calloc(1, sizeof(*m->harvests));
        if (!m->watches || !m->harvests)
                return -ENOMEM;

        int r = sd_id128_get_boot(&boot_id);
        if (r >= 0)
                r = sd_event_new(&m->event);
        if (r < 0) {
                log_error("Cannot set up the event loop: %s", strerror(-r));
                return r;
        }
        sd_id128_to_string(boot_id, m->epoch.boot_id);

        *ret = STEAL_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        for (unsigned i = 0; m->watches && i < m->watches->n; i++)
                alert_free(m->watches->items[i].alert);
        free(m->watches);
        free(m->harvests);
        query_server_free(m->query);
        alert_ring_free(m->ring);
        alert_sink_free(m->sink);
        sd_event_source_unref(m->ring_source);
        sd_event_source_unref(m->repeat_timer);
        sd_event_source_unref(m->loss_timer);
        sd_event_unref(m->event);
        sensor_free(m->sensor);
        sensor_store_free(m->store);
        policy_tables_free(m->tables);
        policy_free(m->policy);
        policy_store_done(&m->policies);
        free(m);
        return NULL;
}

int manager_load_policy(Manager *m) {
        int r = sensor_store_new(&m->store);

        if (r >= 0 && sensor_store_keeps(m->store))
                r = policy_store_open(&m->policies, sensor_store_find(m->store, NULL, sensor_carry_names));
        if (r == 0) /* bits of what else is kept mean nothing */
                sensor_store_remove(m->store, NULL, sensor_carry_names, NULL);
        return r < 0 ? r : manager_read_policy(m, 0, false, &m->policy, &m->tables);
}

int manager_load_sensor(Manager *m) {
        const PolicyCorrelator *c = &m->policy->correlator;
        const SensorLimits limits = {
                .marks_max = c->marks_max,
                .processes_max = c->processes_max,
                .ring_bytes = c->ring_bytes,
                .cells = m->tables->n_cells,
        };
        int r = sensor_start(m->options->sensor, &limits, m->tables, m->store, m->policies.names_file, &m->sensor);

        if (r < 0)
                return r;
        policy_store_use(&m->policies, STEAL_PTR(m->policy), m->tables, sensor_generation(m->sensor));
        m->tables = policy_tables_free(m->tables);
        (void)malloc_trim(0); /* compiling and loading have taken tens of times what stays */
        return 0;
}

static int manager_add_sources(Manager *m) {
        static const int terminating[] = { SIGTERM, SIGINT };

        int r = sd_event_add_signal(m->event, NULL, SIGHUP, on_hangup, m);
        for (size_t i = 0; i < ELEMENTSOF(terminating) && r >= 0; i++)
                r = sd_event_add_signal(m->event, NULL, terminating[i], NULL, NULL);
        if (r >= 0)
                r = sd_event_add_io(m->event, &m->ring_source, sensor_fd(m->sensor), EPOLLIN, on_ring, m);
        if (r >= 0)
                r = sd_event_add_time(m->event, &m->repeat_timer, CLOCK_MONOTONIC, 0, REPEAT_ACCURACY_USEC,
                        on_repeat_timer, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->repeat_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(m->event, &m->loss_timer, CLOCK_MONOTONIC, LOSS_POLL_USEC,
                        LOSS_POLL_ACCURACY_USEC, on_loss_timer, m);

        /* A daemon that cannot read the ring is blind: better dead, and restarted. */
        sd_event_source *const vital[] = { m->ring_source, m->repeat_timer, m->loss_timer };
        for (size_t i = 0; i < ELEMENTSOF(vital) && r >= 0; i++)
                r = sd_event_source_set_exit_on_failure(vital[i], true);
        return r;
}

int manager_open(Manager *m) {
        int r = alert_ring_new(m->policies.alerts_max, &m->ring);
        if (r < 0) {
                log_error("Cannot keep alerts for queries: %s", strerror(-r));
                return r;
        }
        r = alert_sink_new(m->event, m->options->format, on_blocked, m, &m->sink);
        if (r < 0)
                return r;
        r = manager_open_query(m);
        if (r < 0)
                return r;
        r = manager_add_sources(m);
        if (r < 0)
                log_error("Cannot set up the event loop: %s", strerror(-r));
        return r;
}

static int on_history(const json_t *alert, const char *line, void *userdata) {
        Manager *m = userdata;

        return alert_ring_put(m->ring, alert, line);
}

/* Alerts of before this start, so that a restart forgets nothing. */
static void manager_read_history(Manager *m) {
        if (m->options->format != ALERT_FORMAT_JOURNAL || !m->query)
                return;
        int r = journal_history_read(m->policies.alerts_max, on_history, m);
        if (r < 0 && r != -ENXIO)
                log_warning("Cannot read earlier alerts back from the journal (queries will not show them): %s",
                        strerror(-r));
        else
                log_info("%d earlier alerts read back from the journal.", MAX(r, 0));
}

/* The last words: everything that was counted, for people and for tests. */
static void manager_log_summary(Manager *m) {
        uint64_t since_usec, waiting = manager_waiting(m, &since_usec);
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return;
        fprintf(f, "stopped: alerts=%" PRIu64 " repeats=%" PRIu64 " lost=%" PRIu64 " waiting=%" PRIu64,
                m->n_alerts, m->n_repeats, losses_sum(&m->losses) + waiting, waiting);
        for (unsigned i = 0; i < LOSSES_MAX; i++)
                if (loss_info(i)->name)
                        fprintf(f, " %s=%" PRIu64, loss_info(i)->name, m->losses.counts[i]);
        if (fflush(f) == 0)
                log_notice("%s", text);
}

/* Everything out of the kernel, as long as it is taken. */
static void manager_drain(Manager *m, uint64_t end_usec) {
        while (alert_queue_drain(alert_sink_queue(m->sink), end_usec) && time_now_usec(CLOCK_MONOTONIC) < end_usec) {
                manager_update_epoch(m);
                if (sensor_consume(m->sensor, RECORDS_PER_TURN, on_record, m) <= 0 && manager_is_ready(m))
                        break;
        }
        manager_tell_delays(m);
}

int manager_run(Manager *m) {
        const Policy *p = m->policies.policy;

        log_notice("armed: sensor %s, %u hooks, %zu classes (%zu patterns), %zu allow rules%s", sensor_kind_to_string(sensor_kind(m->sensor)),
                sensor_n_hooks(m->sensor), p->n_classes, m->policies.n_patterns, p->n_allows,
                p->n_errors > 0 ? "; the policy has errors, see above" : "");
        m->armed_realtime_usec = time_now_usec(CLOCK_REALTIME);
        (void)sd_notify(0, "READY=1");
        /* WatchdogSec= of the unit; nothing in a terminal. Not before: the first sign of life starts the clock, and a slow
         * machine's verifier may take longer. */
        int r = sd_event_set_watchdog(m->event, true);
        if (r < 0)
                log_warning("Cannot give signs of life to systemd's watchdog: %s", strerror(-r));
        manager_tell_policy(m, NULL);
        manager_tell_foreign(m);
        manager_read_history(m);

        r = sd_event_loop(m->event);
        (void)sd_notify(0, "STOPPING=1");

        /* What happened before the signal is told, too. Detached first: then it is no more than the ring holds. But a
         * service's run on until systemd lets go of them, too: it alone knows whether another daemon comes. */
        uint64_t end_usec = time_now_usec(CLOCK_MONOTONIC) + (r < 0 ? 0 : DRAIN_USEC);
        sensor_detach(m->sensor);
        if (r >= 0)
                manager_drain(m, end_usec);
        repeat_watches_end(m->watches, UINT64_MAX, REPEAT_WATCHES_MAX, on_watch_ended, m);
        manager_update_losses(m);
        (void)losses_tell(&m->losses, time_now_usec(CLOCK_MONOTONIC), true, on_state, m);
        sensor_told(m->sensor, &m->losses, m->n_repeats, m->n_repeats_untold);
        (void)alert_queue_drain(alert_sink_queue(m->sink), end_usec);
        manager_update_losses(m);
        manager_log_summary(m);
        return r;
}
