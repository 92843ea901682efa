/* SPDX-License-Identifier: GPL-2.0-or-later */

/* show, follow, and one alert. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "alert/details.h"
#include "alert/alert.h"
#include "client/client.h"
#include "client/digest.h"
#include "client/ocsf.h"
#include "client/output.h"
#include "client/ctl.h"
#include "basic/json-util.h"
#include "basic/escape.h"
#include "basic/time-util.h"

/* Skips the boot id, which is the same for nearly all. */
static const char *alert_short_id(const json_t *alert) {
        const char *id = ctl_string(alert, "id", "-"), *dash = strchr(id, '-');

        return dash && dash[1] ? dash + 1 : id;
}

static const char *time_of(const json_t *entry, char ret[static TIME_TEXT_SIZE]) {
        uint64_t usec;

        return json_to_time(json_object_get(entry, "time"), &usec) < 0 ? "-" : time_format_short(usec, ret);
}

/* The name of this machine, of which the daemon's alerts are; empty: not known. */
static void host_read(char ret[static HOST_NAME_MAX + 1]) {
        const char *there = ctl_client_host();

        if (there)
                (void)snprintf(ret, HOST_NAME_MAX + 1, "%s", there);
        else if (gethostname(ret, HOST_NAME_MAX) < 0)
                ret[0] = '\0';
        ret[HOST_NAME_MAX] = '\0';
}

/* Prints an alert in the mode that --json= asked for. */
int ctl_print_alert_json(const json_t *alert) {
        json_auto_t *finding = NULL;
        char host[HOST_NAME_MAX + 1];

        if (!ctl_wants_ocsf())
                return ctl_print_json(alert);
        host_read(host);
        if (ocsf_from_alert(alert, host[0] ? host : NULL, &finding) < 0)
                return ctl_error_memory();
        return ctl_print_json(finding);
}

int ctl_print_alert(const json_t *alert) {
        if (ctl_wants_json())
                return ctl_print_alert_json(alert);

        _cleanup_free_ char *text = alert_details(alert, ctl_wants_colour());
        if (!text)
                return ctl_error_memory();
        fputs(text, stdout);
        return 0;
}

int ctl_get_alert(const Ctl *c, const char *id, json_t **ret) {
        json_auto_t *parameters = json_pack("{s:s}", "id", id), *reply = NULL;

        if (!parameters) {
                ctl_error("\"%s\" is not the id of an alert.", id);
                return CTL_USAGE;
        }
        if (ctl_journal_given(c))
                return ctl_journal_find(c, id, ret);
        int r = ctl_client_ask(c->socket_path, true, "GetAlert", parameters, &reply);
        if (r < 0)
                return r;
        json_t *alert = json_object_get(reply, "alert");
        if (!json_is_object(alert))
                return ctl_client_malformed();
        *ret = json_incref(alert);
        return 0;
}

/* 32 hex digits, as in the id of an alert. */
static bool boot_id_read(char ret[static 33]) {
        _cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
        size_t n = 0;

        for (int c; f && n < 32 && (c = fgetc(f)) != EOF && c != '\n';)
                if (c != '-')
                        ret[n++] = (char)c;
        ret[n] = '\0';
        return n == 32;
}

int ctl_show(const Ctl *c, const char *operand) {
        json_auto_t *alert = NULL;
        char boot_id[33], host[HOST_NAME_MAX + 1];

        int r = ctl_get_alert(c, operand, &alert);
        if (r != 0)
                return r;
        /* Others may not read what others' processes ran; and the files of another host are not here. */
        host_read(host);
        bool here = !c->host && strcmp(ctl_string(alert, "host", host), host) == 0;
        if (here && geteuid() == 0 && boot_id_read(boot_id) && digest_add(alert, boot_id) < 0)
                return ctl_error_memory();
        ctl_pager_open();
        return ctl_print_alert(alert);
}

/* Ctrl-C ends it. Every line has been flushed by then. */
static void on_interrupt(int sig) {
        (void)sig;
        _exit(CTL_OK);
}

/* Returns the alert or state (alert/state.h) in a reply. NULL: neither. */
static const json_t *reply_entry(const json_t *reply) {
        static const char *const members[] = { "alert", "loss", "policy", "foreign", "delay", "share",
                "heartbeat", "fallback" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (json_is_object(json_object_get(reply, members[i])))
                        return json_object_get(reply, members[i]);
        return NULL;
}

static CtlColour entry_colour(const json_t *entry, bool is_alert) {
        const json_t *refused = json_object_get(entry, "refused");
        bool good_policy = json_is_false(refused) && ctl_number(entry, "errors") == 0;

        return is_alert      ? ctl_severity_colour(ctl_string(entry, "severity", "-"))
               : good_policy ? CTL_PLAIN
                             : CTL_YELLOW;
}

/* Alerts of the selftest would come several times an hour, and records of severity info are no alerts. */
static bool entry_is_quiet(const json_t *entry) {
        const json_t *classes = json_object_get(entry, "classes");

        if (strcmp(ctl_string(entry, "severity", ""), "info") == 0)
                return true;
        return json_array_size(classes) == 1 &&
               strcmp(json_string_value(json_array_get(classes, 0)) ?: "", ALERT_SELFTEST_CLASS) == 0;
}

/* Prints a line for an alert, for a state, or for what was missed because this program was too slow. */
static int entry_print(const json_t *reply) {
        const json_t *missed = json_object_get(reply, "missed"), *entry = reply_entry(reply);
        bool is_alert = entry && entry == json_object_get(reply, "alert");
        char date[TIME_TEXT_SIZE];

        if (json_is_integer(missed)) {
                json_auto_t *o = json_pack("{s:s, s:O}", "kind", "missed", "missed", missed);

                if (ctl_wants_json() && !ctl_wants_ocsf())
                        return o ? ctl_print_json(o) : ctl_error_memory();
                (ctl_wants_ocsf() ? ctl_error : ctl_print)("%lld entries missed: they were raised faster "
                                                           "than they were read; \"barbwirectl "
                                                           "alerts\" lists them.",
                                ctl_number(reply, "missed"));
                return 0;
        }
        if (!entry || entry_is_quiet(entry))
                return 0;
        /* What is no finding must not be missed, nor be among them. */
        if (ctl_wants_ocsf() && !is_alert) {
                ctl_error("%s", ctl_string(entry, "summary", "(no summary)"));
                return 0;
        }
        if (ctl_wants_json())
                return ctl_print_alert_json(entry);

        const char *severity = ctl_string(entry, is_alert ? "severity" : "state", "-");
        CtlColour colour = entry_colour(entry, is_alert);
        if (json_object_get(entry, "host"))
                text_put_string(stdout, ctl_string(entry, "host", "-"));
        printf("%s%s %s", json_object_get(entry, "host") ? " " : "", time_of(entry, date),
                        colour != CTL_PLAIN ? ctl_colour(colour) : "");
        text_put_string(stdout, severity);
        printf("%s ", colour != CTL_PLAIN ? ctl_colour(CTL_PLAIN) : "");
        ctl_print("%s%s%s%s", ctl_string(entry, "summary", "(no summary)"), is_alert ? " (" : "",
                        is_alert ? alert_short_id(entry) : "", is_alert ? ")" : "");
        return 0;
}

/* Tells a person at a terminal since when no output means that nothing happened. */
static void follow_greet(void) {
        char date[TIME_TEXT_SIZE];

        if (isatty(STDERR_FILENO))
                ctl_error("Following alerts since %s; press Ctrl-C to stop.",
                                time_format(time_now_usec(CLOCK_REALTIME), date));
}

static void on_follow_ready(void *userdata) {
        (void)userdata;
        follow_greet();
}

/* An entry of a journal, as the daemon would reply it. */
static int on_followed(json_t *entry, const char *line, void *userdata) {
        bool heartbeat = strcmp(ctl_string(entry, "state", ""), "heartbeat") == 0;
        json_auto_t *reply = json_pack("{s:O}", line ? "alert" : heartbeat ? "heartbeat" : "loss", entry);

        (void)userdata;
        if (!reply)
                return ctl_error_memory();
        /* One an hour from each host is of no interest to a person, unless it says something. */
        if (heartbeat && !ctl_wants_json() && strcmp(ctl_string(entry, "event", ""), "stop") != 0 &&
                        strcmp(ctl_string(entry, "health", ""), "ok") == 0)
                return 0;
        int r = entry_print(reply);
        return r < 0 ? r : ctl_output_flush();
}

static int journal_follow_print(const Ctl *c) {
        _cleanup_(ctl_source_done) CtlSource source = {};
        JournalCounts counts = {};

        int r = ctl_journal_open(c, &source);
        if (r < 0)
                return r;
        (void)signal(SIGINT, on_interrupt);
        (void)signal(SIGTERM, on_interrupt);
        r = journal_follow(&source.journal, on_followed, on_follow_ready, NULL, &counts);
        return ctl_journal_end(&source, &counts, r);
}

int ctl_follow(const Ctl *c, const char *operand) {
        _cleanup_(ctl_client_freep) CtlClient *client = NULL;
        bool confirmed = false;
        int r;

        (void)operand;
        if (ctl_journal_given(c))
                return journal_follow_print(c);
        r = ctl_client_new(c->socket_path, true, &client);
        if (r >= 0)
                r = ctl_client_send(client, "Follow", NULL, true);
        (void)signal(SIGINT, on_interrupt);
        (void)signal(SIGTERM, on_interrupt);

        while (r >= 0) {
                json_auto_t *reply = NULL;

                r = ctl_client_receive(client, UINT64_MAX, &reply);
                if (r == 0) {
                        ctl_error("Connection closed by barbwired.");
                        r = -ECONNRESET;
                }
                if (r > 0 && !confirmed)
                        follow_greet();
                confirmed |= r > 0; /* the first reply is empty */
                if (r > 0)
                        r = entry_print(reply);
                if (r >= 0)
                        r = ctl_output_flush();
        }
        return r;
}
