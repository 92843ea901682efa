/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "alert-journal.h"
#include "alert-json.h"
#include "alert-state.h"
#include "alert.h"
#include "counters.h"
#include "event-decode.h"
#include "log.h"
#include "manager.h"
#include "output.h"
#include "policy-compile.h"
#include "repeat-watch.h"
#include "sensor.h"
#include "time-now.h"

/* Records taken per turn of the loop: signals and a slow reader get their turn within some milliseconds. */
#define RECORDS_PER_TURN 256

/* Losses are looked at after every batch of records, and this often when none come: a program that was skipped leaves
 * no record. The accuracy lets the kernel put the wake-up where another one is. */
#define LOSS_POLL_USEC (60 * USEC_PER_SEC)
#define LOSS_POLL_ACCURACY_USEC (30 * USEC_PER_SEC)
/* One state alert a cause and interval, with exact counts. */
#define LOSS_TELL_USEC (10 * USEC_PER_SEC)

/* How long the reader of standard output may take for the last alerts: well below the 5 s in which everything of ours
 * is gone from the kernel. */
#define DRAIN_USEC (2 * USEC_PER_SEC)

/* Windows end to the second: nobody waits for a count of repeats. */
#define REPEAT_ACCURACY_USEC USEC_PER_SEC

/* The kernel's loss counters, and one of ours. */
#define RECURSION_MISSES BW_LOSS_MAX
#define LOSSES (BW_LOSS_MAX + 1)

struct Manager {
        const ManagerOptions *options;
        sd_event *event;
        Sensor *sensor;
        Policy *policy;
        PolicyNames names;
        PolicyTables *tables; /* until they are in the kernel */
        Output *output;        /* or: */
        AlertJournal *journal;
        AlertEpoch epoch;
        RepeatWatches *watches;

        sd_event_source *ring_source;
        sd_event_source *repeat_timer;
        sd_event_source *loss_timer;

        uint64_t losses_told[LOSSES];
        uint64_t losses_told_usec[LOSSES];
        uint64_t n_alerts, n_repeats, n_malformed;
        uint64_t n_repeats_untold;
};

/* The wall clock may be set at any time: alerts are dated by what it says now. */
static void manager_update_epoch(Manager *m) {
        m->epoch.realtime_minus_boottime_usec = time_now_usec(CLOCK_REALTIME) - time_now_usec(CLOCK_BOOTTIME);
}

static void on_congestion(bool congested, void *userdata) {
        Manager *m = userdata;

        if (m->ring_source)
                (void)sd_event_source_set_enabled(m->ring_source, congested ? SD_EVENT_OFF : SD_EVENT_ON);
        if (congested)
                log_warning("Whoever takes the alerts is too slow: they wait in the kernel's ring buffer.");
}

/* One entry on standard output. What cannot be written is counted by the output; only a reader that is gone for good ends the watch. */
static void manager_print(Manager *m, const char *text) {
        int r = text ? output_write(m->output, text, strlen(text)) : -ENOMEM;

        if (r == -EPIPE) {
                log_error("Nobody reads the alerts on standard output any more: stopping.");
                (void)sd_event_exit(m->event, r);
        } else if (r < 0) {
                log_error("An alert could not be told: %s", strerror(-r));
                m->n_malformed += !text;
        }
}

/* Adds the newline that ends a line of JSON. */
static void manager_print_json(Manager *m, const char *json) {
        _cleanup_free_ char *line = NULL;

        if (json && asprintf(&line, "%s\n", json) < 0)
                line = NULL;
        manager_print(m, line);
}

static void manager_report(Manager *m, const Alert *alert) {
        _cleanup_free_ char *text = NULL;
        int r;

        switch (m->options->format) {
        case ALERT_FORMAT_JOURNAL:
                r = alert_journal_send(m->journal, alert);
                if (r < 0)
                        log_error("An alert could not be told to the journal: %s", strerror(-r));
                break;
        case ALERT_FORMAT_JSON:
                (void)alert_to_json(alert, &text);
                manager_print_json(m, text);
                break;
        case ALERT_FORMAT_TEXT:
                text = alert_text(alert, output_wants_colour(m->output));
                manager_print(m, text);
                break;
        }
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
        manager_report(m, alert);
}

static void manager_arm_repeat_timer(Manager *m) {
        uint64_t next = repeat_watches_next(m->watches);

        if (next == UINT64_MAX) {
                (void)sd_event_source_set_enabled(m->repeat_timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(m->repeat_timer, next / NSEC_PER_USEC + 1);
        (void)sd_event_source_set_enabled(m->repeat_timer, SD_EVENT_ONESHOT);
}

static void manager_on_correlation(Manager *m, const Event *e) {
        Alert *alert;

        if (alert_new(e, m->policy, &m->names, &m->epoch, &alert) < 0) {
                log_error("An alert could not be made: memory is short.");
                m->n_malformed++;
                return;
        }
        m->n_alerts++;
        manager_report(m, alert);

        const RepeatWatch w = {
                .alert = alert,
                .boot_ns = e->boot_ns,
                .cpu = e->cpu,
                .slot = e->correlation.slot,
                .pid = e->correlation.process.pid,
                .start_boot_ns = e->correlation.process.start_boot_ns,
                .until_mono_ns = e->mono_ns + e->correlation.window_ns,
        };
        repeat_watches_add(m->watches, &w, on_watch_ended, m);
}

static bool watch_is_of_process(const RepeatWatch *w, const void *userdata) {
        const Event *e = userdata;

        return w->pid == e->exit.pid && w->start_boot_ns == e->exit.start_boot_ns;
}

static bool watch_is_over(const RepeatWatch *w, const void *userdata) {
        return w->until_mono_ns <= *(const uint64_t *)userdata;
}

static void on_record(const void *record, size_t size, void *userdata) {
        Manager *m = userdata;
        const char *why = NULL;
        Event e;

        if (event_decode(record, size, &e, &why) < 0) {
                /* Our own programs wrote it: a bug, and an alert that nobody will see. */
                if (m->n_malformed++ == 0)
                        log_error("A record from the kernel could not be read (%s): this is a bug in Barbwire.", why ?: "?");
                return;
        }

        switch (e.kind) {
        case BW_KIND_CORRELATION:
                manager_on_correlation(m, &e);
                break;
        case BW_KIND_EXIT:
                repeat_watches_end(m->watches, watch_is_of_process, &e, on_watch_ended, m);
                break;
        case BW_KIND_STATE:
                if (e.state.counter == BW_COUNT_MARKS_LIVE)
                        log_warning("%" PRIu64 " processes are marked, three quarters of what MaxMarks= allows: above 90 %% "
                                    "of it no more will be.",
                                e.state.count);
                break; /* losses are told from the counters, below */
        }
}

/* All losses so far, by cause. */
static void manager_losses(Manager *m, uint64_t ret[static LOSSES]) {
        uint64_t counters[BW_COUNT_MAX];

        sensor_counters(m->sensor, counters);
        memcpy(ret, counters, BW_LOSS_MAX * sizeof(*ret));
        /* With no alert outstanding every repeat has been told, or never will be: its alert was given up early, or
         * its place was taken. */
        if (m->watches->n == 0 && counters[BW_COUNT_REPEATS] > m->n_repeats + ret[BW_LOSS_REPEAT_GONE])
                m->n_repeats_untold = MAX(m->n_repeats_untold,
                        counters[BW_COUNT_REPEATS] - m->n_repeats - ret[BW_LOSS_REPEAT_GONE]);
        ret[BW_LOSS_REPEAT_GONE] += m->n_repeats_untold;
        ret[RECURSION_MISSES] = sensor_recursion_misses(m->sensor);
}

static const CounterInfo *loss_info(unsigned loss) {
        static const CounterInfo recursion = {
                "recursion_misses",
                "a program of ours was skipped because it was interrupted by itself: an open, a fork or a connection was "
                "not judged",
                NULL,
        };

        return loss == RECURSION_MISSES ? &recursion : counter_info(loss);
}

/* Tells of every loss that grew. `final`: nothing may wait for a later turn. */
static void manager_tell_losses(Manager *m, bool final) {
        uint64_t losses[LOSSES], now = time_now_usec(CLOCK_MONOTONIC);

        manager_losses(m, losses);
        for (unsigned i = 0; i < LOSSES; i++) {
                const CounterInfo *info = loss_info(i);

                if (!info->name || losses[i] <= m->losses_told[i])
                        continue;
                if (!final && m->losses_told_usec[i] != 0 && now - m->losses_told_usec[i] < LOSS_TELL_USEC) {
                        (void)sd_event_source_set_time(m->loss_timer, m->losses_told_usec[i] + LOSS_TELL_USEC);
                        continue;
                }

                const StateAlert a = {
                        .cause = info->name,
                        .meaning = info->meaning,
                        .remedy = info->remedy,
                        .count = losses[i] - m->losses_told[i],
                        .total = losses[i],
                        .realtime_usec = time_now_usec(CLOCK_REALTIME),
                };
                if (m->options->format == ALERT_FORMAT_JOURNAL) {
                        (void)alert_journal_send_state(m->journal, &a);
                } else {
                        _cleanup_free_ char *sentence = state_alert_sentence(&a);
                        log_warning("%s", sentence ?: info->meaning);
                }
                if (m->options->format == ALERT_FORMAT_JSON) {
                        _cleanup_free_ char *json = state_alert_json(&a);
                        manager_print_json(m, json);
                }
                m->losses_told[i] = losses[i];
                m->losses_told_usec[i] = now;
        }
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Manager *m = userdata;

        (void)source;
        (void)fd;
        (void)revents;
        manager_update_epoch(m);
        sensor_consume(m->sensor, RECORDS_PER_TURN, on_record, m);
        manager_arm_repeat_timer(m);
        manager_tell_losses(m, false);
        return 0;
}

static int on_repeat_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        uint64_t now_ns = time_now_usec(CLOCK_MONOTONIC) * NSEC_PER_USEC;

        (void)source;
        (void)usec;
        repeat_watches_end(m->watches, watch_is_over, &now_ns, on_watch_ended, m);
        manager_arm_repeat_timer(m);
        return 0;
}

static int on_loss_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        int r = sd_event_source_set_time(source, usec + LOSS_POLL_USEC);

        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        manager_tell_losses(m, false);
        return r;
}

static void policy_log_messages(const Policy *p) {
        for (size_t i = 0; i < p->n_messages; i++) {
                _cleanup_free_ char *text = policy_message_format(&p->messages[i]);
                log_message(p->messages[i].level == POLICY_ERROR ? LOG_ERR : LOG_WARNING, "%s", text ?: "?");
        }
}

/* Reads and compiles, without touching what is in force. Logs. */
static int manager_read_policy(Manager *m, size_t max_cells, bool strict, Policy **ret, PolicyTables **ret_tables) {
        _cleanup_(policy_freep) Policy *p = NULL;
        PolicyMessage message = {};
        int r;

        r = policy_load(m->options->config_file, m->options->policy_dirs, NULL, &p);
        if (p)
                policy_log_messages(p);
        if (r < 0) {
                log_error("Cannot read the policy: %s", strerror(-r));
                return r;
        }
        if (strict && p->n_errors > 0) {
                log_error("The policy has %zu error%s.", p->n_errors, p->n_errors == 1 ? "" : "s");
                return -EBADMSG;
        }

        r = policy_compile(p, &m->names, max_cells, ret_tables, &message);
        if (r < 0) {
                _cleanup_free_ char *text = message.text ? policy_message_format(&message) : NULL;
                log_error("%s", text ?: "Cannot compile the policy: memory is short.");
                free(message.text);
                return r;
        }
        *ret = STEAL_PTR(p);
        return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        _cleanup_(policy_tables_freep) PolicyTables *tables = NULL;
        Manager *m = userdata;
        Policy *p;

        (void)source;
        (void)si;
        if (manager_read_policy(m, sensor_max_cells(m->sensor), true, &p, &tables) < 0) {
                log_error("policy kept: the new one is not used for the reasons above.");
                return 0;
        }
        if (memcmp(&p->correlator, &m->policy->correlator, sizeof(p->correlator)) != 0)
                log_warning("[Correlator] has changed: its limits take effect when the daemon is restarted.");
        sensor_policy_write(m->sensor, tables);
        policy_free(m->policy);
        m->policy = p;
        log_notice("policy reloaded: %zu classes, %zu allow rules; marks are kept.", p->n_classes, p->n_allows);
        return 0;
}

int manager_new(const ManagerOptions *options, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
        sd_id128_t boot_id;
        sigset_t mask;
        int r;

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
        if (!m->watches)
                return -ENOMEM;

        r = sd_id128_get_boot(&boot_id);
        if (r >= 0)
                r = sd_event_new(&m->event);
        if (r >= 0) /* WatchdogSec= of the unit; nothing in a terminal */
                r = sd_event_set_watchdog(m->event, true);
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
        output_free(m->output);
        alert_journal_free(m->journal);
        sd_event_source_unref(m->ring_source);
        sd_event_source_unref(m->repeat_timer);
        sd_event_source_unref(m->loss_timer);
        sd_event_unref(m->event);
        sensor_free(m->sensor);
        policy_tables_free(m->tables);
        policy_free(m->policy);
        policy_names_done(&m->names);
        free(m);
        return NULL;
}

int manager_load_policy(Manager *m) {
        return manager_read_policy(m, 0, false, &m->policy, &m->tables);
}

int manager_load_sensor(Manager *m) {
        const PolicyCorrelator *c = &m->policy->correlator;
        const SensorLimits limits = {
                .marks_max = c->marks_max,
                .processes_max = c->processes_max,
                .ring_bytes = c->ring_bytes,
                .cells = m->tables->n_cells,
        };
        int r;

        r = sensor_new(&limits, &m->sensor);
        if (r < 0)
                return r;
        sensor_policy_write(m->sensor, m->tables);
        return sensor_attach(m->sensor);
}

static int manager_add_sources(Manager *m) {
        static const int terminating[] = { SIGTERM, SIGINT };
        uint64_t now = time_now_usec(CLOCK_MONOTONIC);
        int r;

        for (size_t i = 0; i < ELEMENTSOF(terminating); i++) {
                r = sd_event_add_signal(m->event, NULL, terminating[i], NULL, NULL);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_signal(m->event, NULL, SIGHUP, on_hangup, m);
        if (r < 0)
                return r;

        /* A daemon that cannot read the ring is blind: better dead, and restarted. */
        r = sd_event_add_io(m->event, &m->ring_source, sensor_fd(m->sensor), EPOLLIN, on_ring, m);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(m->ring_source, true);
        if (r < 0)
                return r;

        r = sd_event_add_time(m->event, &m->repeat_timer, CLOCK_MONOTONIC, 0, REPEAT_ACCURACY_USEC, on_repeat_timer, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->repeat_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(m->repeat_timer, true);
        if (r < 0)
                return r;

        r = sd_event_add_time(m->event, &m->loss_timer, CLOCK_MONOTONIC, now + LOSS_POLL_USEC, LOSS_POLL_ACCURACY_USEC,
                on_loss_timer, m);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(m->loss_timer, true);
        return r;
}

int manager_open(Manager *m) {
        int r;

        if (m->options->format == ALERT_FORMAT_JOURNAL)
                r = alert_journal_new(m->event, NULL, on_congestion, m, &m->journal);
        else
                r = output_new(m->event, on_congestion, m, &m->output);
        if (r < 0) {
                log_error("Cannot use %s: %s",
                        m->options->format == ALERT_FORMAT_JOURNAL ? "the journal" : "standard output", strerror(-r));
                return r;
        }
        r = manager_add_sources(m);
        if (r < 0)
                log_error("Cannot set up the event loop: %s", strerror(-r));
        return r;
}

/* The last words: everything that was counted, for people and for tests. */
static void manager_log_summary(Manager *m) {
        uint64_t losses[LOSSES], sum = m->n_malformed;
        uint64_t unwritten = m->journal ? alert_journal_n_waiting(m->journal) : output_n_unwritten(m->output);
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return;
        manager_losses(m, losses);
        for (unsigned i = 0; i < LOSSES; i++)
                sum += losses[i];
        sum += unwritten;
        fprintf(f, "stopped: alerts=%" PRIu64 " repeats=%" PRIu64 " lost=%" PRIu64 " malformed=%" PRIu64
                   " unwritten=%" PRIu64,
                m->n_alerts, m->n_repeats, sum, m->n_malformed, unwritten);
        for (unsigned i = 0; i < LOSSES; i++)
                if (loss_info(i)->name)
                        fprintf(f, " %s=%" PRIu64, loss_info(i)->name, losses[i]);
        if (fflush(f) == 0)
                log_notice("%s", text);
}

int manager_run(Manager *m) {
        log_notice("armed: sensor %s, %u hooks, %zu classes (%zu patterns), %zu allow rules%s", sensor_name(m->sensor),
                sensor_n_hooks(m->sensor), m->policy->n_classes, m->tables->n_patterns[BW_AUTOMATON_FILE],
                m->policy->n_allows, m->policy->n_errors > 0 ? "; the policy has errors, see above" : "");
        m->tables = policy_tables_free(m->tables);
        (void)sd_notify(0, "READY=1");

        int r = sd_event_loop(m->event);
        (void)sd_notify(0, "STOPPING=1");

        /* What happened before the signal is told, too. Detached first: then it is no more than the ring holds. */
        sensor_detach(m->sensor);
        manager_update_epoch(m);
        while (r >= 0 && sensor_consume(m->sensor, RECORDS_PER_TURN, on_record, m) == RECORDS_PER_TURN)
                ;
        repeat_watches_end(m->watches, NULL, NULL, on_watch_ended, m);
        manager_tell_losses(m, true);
        if (m->journal)
                alert_journal_drain(m->journal, DRAIN_USEC);
        else
                output_drain(m->output, r == -EPIPE ? 0 : DRAIN_USEC);
        manager_log_summary(m);
        return r;
}
