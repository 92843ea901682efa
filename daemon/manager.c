/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "activity.h"
#include "alert/json.h"
#include "alert/ring.h"
#include "sink/sink.h"
#include "alert/state.h"
#include "alert/alert.h"
#include "event/decode.h"
#include "fallback.h"
#include "alert/harvest.h"
#include "alert/incident.h"
#include "sink/history.h"
#include "basic/log.h"
#include "listing.h"
#include "alert/losses.h"
#include "manager.h"
#include "policy/store.h"
#include "policy/json.h"
#include "query/server.h"
#include "query/socket.h"
#include "status.h"
#include "basic/fd-store.h"
#include "alert/repeats.h"
#include "sensor/carry.h"
#include "sensor/sensor.h"
#include "sensor/sweep-pace.h"
#include "basic/time-util.h"

/* Records consumed, or counts of repeats written, per turn of the loop. Each takes a tenth of a millisecond;
 * a query takes about three turns of its own (accept, read, write), and each may have to wait for one of
 * these. */
#define RECORDS_PER_TURN 64

/* Losses are checked after every batch of records, and at this interval when there are none: a program that
 * was skipped leaves no record. The accuracy lets the kernel merge the wake-up with another one. */
#define LOSS_POLL_USEC (60 * USEC_PER_SEC)
#define LOSS_POLL_ACCURACY_USEC (30 * USEC_PER_SEC)

/* How long the last alerts may take to be accepted: well below the 5 s after which everything of ours has to
 * be gone from the kernel. */
#define DRAIN_USEC (2 * USEC_PER_SEC)

/* A count of repeats is not urgent: windows may end a second late. */
#define REPEAT_ACCURACY_USEC USEC_PER_SEC

struct Manager {
        const ManagerOptions *options;
        sd_event *event;
        FdStore *store;
        Sensor *sensor;
        PolicyStore policies;
        Policy *policy;       /* until it is in force */
        PolicyTables *tables; /* the same */
        AlertSink *sink;
        AlertRing *ring;
        QuerySource query_source;
        QueryServer *query; /* NULL: no socket */
        AlertEpoch epoch;
        RepeatWatches *watches;
        HarvestWatch *harvests;
        Incidents *incidents;
        FirstSights *sights;
        Listing *listing;
        Activity *activity;
        Losses losses;
        Trial trial;

        sd_event_source *ring_source;
        sd_event_source *repeat_timer;
        sd_event_source *loss_timer;
        sd_event_source *sweep_timer; /* on while there is much to sweep */

        SweepPace sweep_pace;
        bool sweep_goes_on;
        uint64_t n_swept_before;
        uint64_t armed_realtime_usec;
        StatusCounts counts;
        Delays delays;
};

static StatusSource manager_status(Manager *m) {
        return (StatusSource){
                .sensor = m->sensor,
                .policies = &m->policies,
                .sink = m->sink,
                .ring = m->ring,
                .query = m->query,
                .watches = m->watches,
                .counts = &m->counts,
                .losses = &m->losses,
                .armed_realtime_usec = m->armed_realtime_usec,
        };
}

static void manager_update_losses(Manager *m) {
        const StatusSource s = manager_status(m);

        status_update_losses(&s);
}

/* The wall clock may be set at any time: alerts are dated by its current value. */
static void manager_update_epoch(Manager *m) {
        m->epoch.monotonic_usec = time_now_usec(CLOCK_MONOTONIC);
        m->epoch.realtime_minus_boottime_usec =
                        time_now_usec(CLOCK_REALTIME) - time_now_usec(CLOCK_BOOTTIME);
}

/* While the sink does not accept entries, records stay in the ring, and everything else is deferred. */
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

/* While the sink is blocked, alerts wait in the ring of the kernel only, where they outlive this process. */
static void on_blocked(bool blocked, void *userdata) {
        Manager *m = userdata;
        int r = sd_event_source_set_enabled(m->ring_source, blocked ? SD_EVENT_OFF : SD_EVENT_ON);
        if (r < 0)
                (void)sd_event_exit(m->event, r);
        listing_block(m->listing, blocked);
        manager_arm_repeat_timer(m);
}

/* Handles the error of a write to the sink, which itself counts what it does not accept. Only a reader that
 * has closed its end stops the daemon. */
static void manager_check_written(Manager *m, int r) {
        if (r == -EPIPE) {
                log_error("The reader of standard output has closed it: stopping.");
                (void)sd_event_exit(m->event, r);
        } else if (r < 0) {
                (void)log_error_errno(r, "Failed to write alert: %m");
                m->counts.n_malformed++;
        }
}

/* keep: the alert has no record in the ring any more, so the sink has to keep it. Otherwise -EAGAIN if the
 * sink does not accept it now. */
static int manager_report(Manager *m, const Alert *alert, bool keep) {
        _cleanup_free_ char *line = NULL;
        json_auto_t *object = NULL;

        int r = alert_to_json(alert, &object, &line);
        if (r >= 0)
                r = alert_sink_write(m->sink, alert, object, line, keep);
        if (r == -EAGAIN)
                return r;
        manager_check_written(m, r);
        if (object && alert_ring_put(m->ring, object, line) < 0)
                log_warning("Out of memory: an alert is not kept for queries.");
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
        m->counts.n_repeats += repeats;
        if (!alert->score.ignored && !alert->score.below && alert->score.severity != SEVERITY_INFO)
                (void)manager_report(m, alert, true);
}

static int manager_on_correlation(Manager *m, const Event *e) {
        uint64_t lineage_classes = harvest_watch_touch(m->harvests, &e->correlation, e->mono_ns);
        _cleanup_(alert_freep) Alert *alert = NULL;

        const Policy *judge = policy_store_judge(&m->policies, e->correlation.generation);
        int r = alert_new(e, judge, &m->policies.names, &m->epoch, lineage_classes, &alert);
        if (r >= 0)
                r = alert_look(alert, m->sights, e, judge, &m->policies.names, lineage_classes);
        if (r < 0) {
                log_error("Out of memory: an alert was dropped.");
                m->counts.n_malformed++;
                return 0;
        }
        /* The correlations that a flood counts may be worse than the one that it names. */
        if (alert->flood)
                alert->score.ignored = alert->score.below = false;
        if (alert->score.ignored)
                m->counts.n_ignored++;
        else if (alert->score.below)
                m->counts.n_below++;
        else {
                (void)snprintf(alert->incident, sizeof(alert->incident), "%s",
                                incidents_add(m->incidents, &e->correlation, e->mono_ns, alert->id));
                r = manager_report(m, alert, false);
                if (r < 0)
                        return r;
                *(alert->score.severity == SEVERITY_INFO ? &m->counts.n_info : &m->counts.n_alerts) += 1;
                delays_add(&m->delays, alert->delayed_usec);
        }

        const RepeatWatch w = {
                .alert = alert,
                .boot_ns = e->boot_ns,
                .cpu = e->cpu,
                .slot = e->correlation.slot,
                /* A flood, and a suspicion of a user and cgroup, continue after this process. */
                .pid = alert->flood || alert->suspect ? 0 : e->correlation.process.pid,
                .start_boot_ns = e->correlation.process.start_boot_ns,
                .until_mono_ns = e->mono_ns + e->correlation.window_ns,
        };
        alert = NULL; /* now owned by w */
        repeat_watches_add(m->watches, &w, on_watch_ended, m);
        return 0;
}

static void on_state(const StateAlert *a, void *userdata) {
        _cleanup_free_ char *line = state_alert_json(a);
        Manager *m = userdata;

        manager_check_written(m, line ? alert_sink_write_state(m->sink, a, line) : -ENOMEM);
        if (line)
                (void)alert_ring_put_state(m->ring, a->kind, line);
        if (m->query)
                query_server_wake(m->query);
}

static void manager_heartbeat(Manager *m, HeartbeatEvent event) {
        const StatusSource s = manager_status(m);

        manager_check_written(m, status_heartbeat(&s, event));
}

static void manager_arm_sweep(Manager *m, uint64_t next_usec) {
        bool wanted = next_usec != SWEEP_NEVER;

        if (wanted)
                (void)sd_event_source_set_time(m->sweep_timer, next_usec);
        (void)sd_event_source_set_enabled(m->sweep_timer, wanted ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_record(const void *record, size_t size, void *userdata) {
        Manager *m = userdata;
        const char *why = NULL;
        int r = 0;
        Event e;

        if (event_decode(record, size, &e, &why) < 0) {
                /* Our own programs wrote it: this is a bug, and an alert is lost. */
                if (m->counts.n_malformed++ == 0)
                        log_error("A record from the kernel is malformed (%s), a bug of Barbwire",
                                        why ?: "?");
                return 0;
        }

        switch (e.kind) {
        case BW_KIND_CORRELATION:
                r = manager_on_correlation(m, &e);
                if (r == 0)
                        fallback_consider(&m->trial, m->sensor, &e, &m->policies, on_state, m);
                break;
        case BW_KIND_EXIT:
                repeat_watches_expire(m->watches, e.exit.pid, e.exit.start_boot_ns);
                /* the rest by the timer */
                repeat_watches_end(m->watches, 0, RECORDS_PER_TURN, on_watch_ended, m);
                break;
        case BW_KIND_LOSS:
                break; /* reported from the counters, below */
        case BW_KIND_COUNT:
                if (e.state.number == BW_COUNT_OBJECTS_LIVE || e.state.number == BW_COUNT_FILES_LIVE ||
                                e.state.number == BW_COUNT_NAMES_LIVE) {
                        /* Also what is asked during a sweep, which looks for names for seconds. */
                        uint64_t next = sweep_pace_asked(&m->sweep_pace, time_now_usec(CLOCK_MONOTONIC));
                        if (!m->sweep_goes_on)
                                manager_arm_sweep(m, next);
                } else if (e.state.number == BW_COUNT_MARKS_LIVE)
                        log_warning("Mark table is 75%% full (%" PRIu64 " marked processes); at 90%% of "
                                    "MaxMarks= new marks are refused.",
                                        e.state.value);
                break;
        case BW_KIND_SHARE: {
                const StateAlert a = state_alert_share(&e.share, time_now_usec(CLOCK_REALTIME));
                on_state(&a, m);
                break;
        }
        case BW_KIND_MARK:
        case BW_KIND_ACCOUNT:
                listing_add(m->listing, &e, m->policies.policy, &m->policies.names, &m->epoch);
                break;
        }
        return r == 0 && !manager_is_ready(m) ? -EINPROGRESS : r;
}

/* Reports every loss that grew. While the sink is blocked they add up. */
static void manager_report_losses(Manager *m) {
        if (!manager_is_ready(m))
                return;
        manager_update_losses(m);
        uint64_t next = losses_report(&m->losses, time_now_usec(CLOCK_MONOTONIC), false, on_state, m);
        sensor_reported(m->sensor, m->losses.reported, m->counts.n_repeats, m->counts.n_repeats_unreported);
        if (next != UINT64_MAX)
                (void)sd_event_source_set_time(m->loss_timer, next);
}

/* Once no alert waits any more: writes how late they were. */
static void manager_report_delays(Manager *m) {
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
                manager_report_delays(m);
        manager_arm_repeat_timer(m);
        manager_report_losses(m);
        listing_step(m->listing);
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

static int on_sweep_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        uint64_t now_usec = time_now_usec(CLOCK_MONOTONIC);

        (void)source;
        (void)usec;
        if (!m->sweep_goes_on)
                m->n_swept_before = sensor_n_swept(m->sensor);
        m->sweep_goes_on = sensor_sweep(m->sensor);
        manager_arm_sweep(m, m->sweep_goes_on ? now_usec
                                              : sweep_pace_swept(&m->sweep_pace, now_usec, m->n_swept_before,
                                                                sensor_n_swept(m->sensor),
                                                                sensor_wants_sweep(m->sensor)));
        return 0;
}

static int on_loss_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        int r = sd_event_source_set_time(source, usec + LOSS_POLL_USEC);

        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        manager_report_losses(m);
        manager_heartbeat(m, HEARTBEAT_HOUR);
        sensor_tend(m->sensor);
        return r;
}

static void manager_report_policy(Manager *m, const char *previous) {
        const StateAlert a = state_alert_policy(
                        m->policies.policy, m->policies.refused, previous, time_now_usec(CLOCK_REALTIME));

        on_state(&a, m);
}

static void manager_report_foreign(Manager *m) {
        const StateAlert a = state_alert_foreign(sensor_foreign(m->sensor), time_now_usec(CLOCK_REALTIME));

        if (a.programs[0])
                on_state(&a, m);
}

static void manager_reload(Manager *m) {
        _cleanup_(policy_tables_freep) PolicyTables *tables = NULL;
        char previous[sizeof(m->policies.policy->hash)];
        Policy *p;

        memcpy(previous, m->policies.policy->hash, sizeof(previous));
        if (policy_store_read(&m->policies, m->options->config_file, m->options->policy_dirs,
                            sensor_max_cells(m->sensor), true, &p, &tables) < 0) {
                log_error("Reload failed, keeping the current policy; see the messages above.");
                manager_report_policy(m, previous);
                return;
        }
        /* Records that are still in the ring were judged by the previous policy, which also scores them
         * (policy_store_judge()). */
        policy_store_use(&m->policies, p, tables, sensor_policy_write(m->sensor, tables));
        sensor_enforce(m->sensor);
        sensor_policy_apply(m->sensor);
        tables = policy_tables_free(tables);
        (void)malloc_trim(0); /* or the C library keeps a part of it, another one each time */
        log_notice("policy reloaded: %zu classes, %zu allow rules; marks are kept.", p->n_classes,
                        p->n_allows);
        manager_report_policy(m, previous);
}

/* With Type=notify-reload, systemctl returns when the policy is in force (sd_notify(3)). */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void)source;
        (void)si;
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, time_now_usec(CLOCK_MONOTONIC));
        manager_reload(userdata);
        (void)sd_notify(0, "READY=1");
        return 0;
}

int manager_new(const ManagerOptions *options, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
        sd_id128_t boot_id;
        sigset_t mask;

        if (!m)
                return log_oom();
        /* Blocked from the beginning: a SIGHUP during startup must be a reload, not the end. */
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return log_error_errno(errno, "Failed to block signals: %m");
        m->options = options;
        sweep_pace_init(&m->sweep_pace);
        m->watches = calloc(1, sizeof(*m->watches));
        m->harvests = calloc(1, sizeof(*m->harvests));
        m->incidents = calloc(1, sizeof(*m->incidents));
        m->sights = calloc(1, sizeof(*m->sights));
        if (!m->watches || !m->harvests || !m->incidents || !m->sights)
                return log_oom();

        int r = sd_id128_get_boot(&boot_id);
        if (r >= 0)
                r = sd_event_new(&m->event);
        if (r < 0)
                return log_error_errno(r, "Failed to set up the event loop: %m");
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
        free(m->incidents);
        free(m->sights);
        query_server_free(m->query);
        listing_free(m->listing);
        activity_free(m->activity);
        alert_ring_free(m->ring);
        alert_sink_free(m->sink);
        sd_event_source_unref(m->ring_source);
        sd_event_source_unref(m->repeat_timer);
        sd_event_source_unref(m->loss_timer);
        sd_event_source_unref(m->sweep_timer);
        sd_event_unref(m->event);
        sensor_free(m->sensor);
        fd_store_free(m->store);
        policy_tables_free(m->tables);
        policy_free(m->policy);
        policy_store_done(&m->policies);
        free(m);
        return NULL;
}

int manager_load_policy(Manager *m) {
        int r = fd_store_new(&m->store);

        if (r >= 0 && fd_store_keeps(m->store))
                r = policy_store_open(&m->policies, fd_store_find(m->store, NULL, sensor_carry_names));
        if (r == 0) /* without the names of classes, the bits in other tables mean nothing */
                fd_store_remove(m->store, NULL, sensor_carry_names, NULL);
        return r < 0 ? r
                     : policy_store_read(&m->policies, m->options->config_file, m->options->policy_dirs, 0,
                                       false, &m->policy, &m->tables);
}

int manager_load_sensor(Manager *m) {
        const PolicyCorrelator *c = &m->policy->correlator;
        const SensorLimits limits = {
                .marks_max = c->marks_max,
                .processes_max = c->processes_max,
                .ring_bytes = c->ring_bytes,
                .cells = m->tables->n_cells,
        };
        int r = sensor_start(m->options->sensor, &limits, m->tables, m->store, m->policies.names_file,
                        &m->sensor);

        if (r < 0)
                return r;
        policy_store_use(&m->policies, STEAL_PTR(m->policy), m->tables, sensor_generation(m->sensor));
        sensor_policy_apply(m->sensor);
        m->tables = policy_tables_free(m->tables);
        (void)malloc_trim(0); /* compiling and loading take tens of times the memory that is kept */
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
        if (r >= 0)
                r = sd_event_add_time_relative(m->event, &m->sweep_timer, CLOCK_MONOTONIC, SWEEP_USEC,
                                SWEEP_USEC / 10, on_sweep_timer, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->sweep_timer, SD_EVENT_OFF);
        /* A daemon that cannot read the ring is useless: it exits, and is restarted. */
        sd_event_source *const vital[] = { m->ring_source, m->repeat_timer, m->loss_timer };
        for (size_t i = 0; i < ELEMENTSOF(vital) && r >= 0; i++)
                r = sd_event_source_set_exit_on_failure(vital[i], true);
        return r;
}

static json_t *on_query_status(void *userdata) {
        const StatusSource s = manager_status(userdata);

        return status_query(&s);
}

static json_t *on_query_rules(void *userdata) {
        const Manager *m = userdata;

        return policy_to_json(m->policies.policy);
}

static void on_readable(void *userdata) {
        const Manager *m = userdata;

        if (m->query)
                query_server_wake(m->query);
}

static uint64_t on_query_marks_begin(void *userdata) {
        const Manager *m = userdata;

        return listing_begin(m->listing);
}

static const MarkList *on_query_marks(uint64_t number, void *userdata) {
        const Manager *m = userdata;

        return listing_get(m->listing, number);
}

/* Opens the query socket, if there is one. */
static int manager_open_query(Manager *m) {
        _cleanup_close_ int fd = -1;

        int r = query_socket_open(m->options->listen_path, m->store, &fd);
        if (r < 0 || fd < 0)
                return r;
        m->query_source = (QuerySource){
                .ring = m->ring,
                .status = on_query_status,
                .rules = on_query_rules,
                .marks_begin = on_query_marks_begin,
                .marks = on_query_marks,
                .activity = activity_source(m->activity),
                .userdata = m,
        };
        r = query_server_new(m->event, fd, &m->query_source, &m->query);
        if (r < 0)
                return log_error_errno(r, "Failed to open the query socket: %m");
        fd = -1;
        return r;
}

int manager_open(Manager *m) {
        int r = alert_ring_new(m->policies.alerts_max, &m->ring);
        if (r < 0)
                return log_error_errno(r, "Failed to allocate memory for kept alerts: %m");
        r = listing_new(m->event, m->sensor, on_readable, m, &m->listing);
        if (r >= 0)
                r = activity_new(m->event, m->sensor, &m->policies.names, on_readable, m, &m->activity);
        if (r < 0)
                return log_error_errno(r, "Failed to set up the event loop: %m");
        r = alert_sink_new(m->event, m->options->format, on_blocked, m, &m->sink);
        if (r >= 0)
                r = manager_open_query(m);
        if (r < 0)
                return r;
        r = manager_add_sources(m);
        return r < 0 ? log_error_errno(r, "Failed to set up the event loop: %m") : 0;
}

static int on_history(const json_t *alert, const char *line, void *userdata) {
        Manager *m = userdata;

        first_sights_restore(m->sights, alert);
        incidents_restore(m->incidents, alert, &m->epoch,
                        (uint64_t)(time_now_usec(CLOCK_BOOTTIME) - time_now_usec(CLOCK_MONOTONIC)) *
                                        NSEC_PER_USEC);
        return alert_ring_put(m->ring, alert, line);
}

/* Reads earlier alerts, so that a restart forgets nothing. */
static void manager_read_history(Manager *m) {
        if (m->options->format != ALERT_FORMAT_JOURNAL || !m->query)
                return;
        manager_update_epoch(m);
        int r = journal_history_read(m->policies.alerts_max, on_history, m);
        if (r < 0 && r != -ENXIO)
                log_warning("Failed to read earlier alerts from the journal, queries will not return them: "
                            "%s",
                                strerror(-r));
        else
                log_info("Read %d earlier alerts from the journal.", MAX(r, 0));
}

/* Consumes everything in the ring, as long as the sink accepts it. */
static void manager_drain(Manager *m, uint64_t end_usec) {
        while (alert_queue_drain(alert_sink_queue(m->sink), end_usec) &&
                        time_now_usec(CLOCK_MONOTONIC) < end_usec) {
                manager_update_epoch(m);
                if (sensor_consume(m->sensor, RECORDS_PER_TURN, on_record, m) <= 0 && manager_is_ready(m))
                        break;
        }
        manager_report_delays(m);
}

int manager_run(Manager *m) {
        const Policy *p = m->policies.policy;

        log_notice("armed: sensor %s, %u hooks, %zu classes (%zu patterns), %zu allow rules%s",
                        sensor_kind_to_string(sensor_kind(m->sensor)), sensor_n_hooks(m->sensor),
                        p->n_classes, m->policies.n_patterns, p->n_allows,
                        p->n_errors > 0 ? "; the policy has errors, see above" : "");
        m->armed_realtime_usec = time_now_usec(CLOCK_REALTIME);
        (void)sd_notify(0, "READY=1");
        /* WatchdogSec= of the unit; no effect in a terminal. Not earlier, since the first keep-alive starts
         * the timeout, and the verifier may take longer on a slow machine. */
        int r = sd_event_set_watchdog(m->event, true);
        if (r < 0)
                log_warning("Failed to enable watchdog support: %s", strerror(-r));
        manager_report_policy(m, NULL);
        manager_report_foreign(m);
        manager_heartbeat(m, HEARTBEAT_START);
        manager_read_history(m);

        r = sd_event_loop(m->event);
        (void)sd_notify(0, "STOPPING=1");
        manager_heartbeat(m, HEARTBEAT_STOP);

        /* Events before the signal still raise alerts. The hooks are detached first, so that no more than
         * the ring contains can follow. Those of a service stay attached until systemd closes them as well:
         * only systemd knows whether another instance follows. */
        uint64_t end_usec = time_now_usec(CLOCK_MONOTONIC) + (r < 0 ? 0 : DRAIN_USEC);
        sensor_detach(m->sensor);
        if (r >= 0)
                manager_drain(m, end_usec);
        repeat_watches_end(m->watches, UINT64_MAX, REPEAT_WATCHES_MAX, on_watch_ended, m);
        manager_update_losses(m);
        (void)losses_report(&m->losses, time_now_usec(CLOCK_MONOTONIC), true, on_state, m);
        sensor_reported(m->sensor, m->losses.reported, m->counts.n_repeats, m->counts.n_repeats_unreported);
        (void)alert_queue_drain(alert_sink_queue(m->sink), end_usec);
        manager_update_losses(m);
        const StatusSource s = manager_status(m);
        status_log_summary(&s);
        return r;
}
