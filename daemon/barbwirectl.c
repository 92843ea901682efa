/* SPDX-License-Identifier: GPL-2.0-or-later */

/* barbwirectl: the client. Options, and a table of commands. */

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "barbwire-config.h"
#include "ctl-client.h"
#include "ctl-output.h"
#include "ctl-time.h"
#include "ctl.h"
#include "policy-file.h"
#include "time-now.h"

static const struct {
        const char *name;
        int (*run)(const Ctl *c, const char *operand);
        const char *operand; /* what it must be given, or NULL */
        bool takes_filter, takes_act;
} commands[] = {
                {.name = "status", .run = ctl_status},
                {.name = "alerts", .run = ctl_alerts, .takes_filter = true},
                {.name = "show", .run = ctl_show, .operand = "one alert's id"},
                {.name = "follow", .run = ctl_follow},
                {.name = "rules", .run = ctl_rules},
                {.name = "explain", .run = ctl_explain, .operand = "one file's path", .takes_act = true},
                {.name = "suggest", .run = ctl_suggest, .operand = "one alert's id"},
                {.name = "selftest", .run = ctl_selftest},
};

/* As they are given; times are read when the time zone is known. */
typedef struct Options {
        Ctl ctl;
        const char *since, *until;
        bool no_pager, utc;
        bool filtered, acted, united; /* options of alerts, of explain, of both were given */
        JsonMode json;
} Options;

static void help(void) {
        printf("barbwirectl [OPTIONS...] COMMAND\n\n"
               "Asks barbwired what it watches and what it has seen.\n\n"
               "Commands:\n"
               "  status               Show whether the watch is whole; never starts it\n"
               "  alerts               List the last alerts, the oldest first\n"
               "  show ID              Show one alert with all that stands behind it\n"
               "  follow               Show alerts as they happen\n"
               "  rules                List classes and allow rules\n"
               "  explain PATH         Say what the policy on disk makes of a file being read\n"
               "  suggest ID           Write the smallest rule that would have allowed an alert\n"
               "  selftest             Play a decoy theft and wait for its alert\n\n"
               "Options:\n"
               "  -h --help            Show this help\n"
               "     --version         Show the version\n"
               "     --socket=PATH     Ask the daemon that listens there\n"
               "                       (default: " CTL_SOCKET_PATH ")\n"
               "     --json=MODE       short: an object a line; pretty: indented; off (default)\n"
               "     --no-pager        Do not use a pager\n"
               "     --utc             Times are in UTC\n\n"
               "Options of alerts:\n"
               "  -n --lines=N         The newest N only\n"
               "  -S --since=TIME      Not before\n"
               "  -U --until=TIME      Not after\n"
               "  -p --severity=LEVEL  Of this severity and worse: low, medium, high\n"
               "     --class=CLASS     Of this class\n"
               "     --pid=PID         By this process\n"
               "     --uid=USER        By this user, a number or a name\n"
               "     --unit=UNIT       By this unit\n"
               "  -r --reverse         The newest first\n\n"
               "Options of explain:\n"
               "     --exe=EXE         Read by this program\n"
               "     --script=PATH     An interpreter that was started with this script\n"
               "     --unit=UNIT       In this unit\n"
               "     --user=USER       By this user, a number or a name\n"
               "     --ancestor=EXE    Below this program; may be repeated, the parent first\n"
               "     --to=ADDR[:PORT]  And then sent there; without a port: 443\n"
               "     --policy-dir=DIR  By the policy in DIR, as for barbwired\n\n"
               "Options of selftest:\n"
               "     --alarm           Silent, but for an alarm in the journal when it fails\n\n"
               "Exit status: 0 ok, 1 failed (status: degraded), 2 wrong usage, 3 not running.\n");
}

static int usage_error(const char *option, const char *value, const char *wanted) {
        ctl_error("--%s=%s: %s", option, value, wanted);
        return CTL_USAGE;
}

/* Sets a filter; takes the reference. Negative: go on; otherwise the exit status. */
static int filter_set(Options *o, const char *option, const char *value, json_t *wanted) {
        o->filtered |= strcmp(option, "unit") != 0;
        if (json_object_set_new(o->ctl.filter, option, wanted) < 0)
                return usage_error(option, value, "it is not UTF-8.");
        return -1;
}

static int filter_number(
                Options *o, const char *option, const char *member, const char *value, long min, long max) {
        char *end;

        errno = 0;
        long n = strtol(value, &end, 10);
        if (errno != 0 || end == value || *end || n < min || n > max) {
                ctl_error("--%s=%s: it must be a number from %ld to %ld.", option, value, min, max);
                return CTL_USAGE;
        }
        return filter_set(o, member, value, json_integer(n));
}

static int filter_user(Options *o, const char *value) {
        const struct passwd *pw = getpwnam(value);

        if (pw)
                return filter_set(o, "uid", value, json_integer(pw->pw_uid));
        if (strspn(value, "0123456789") != strlen(value))
                return usage_error("uid", value, "there is no such user.");
        return filter_number(o, "uid", "uid", value, 0, UINT32_MAX - 1);
}

static int filter_unit(Options *o, const char *value) {
        static const char *const suffixes[] = {".service", ".socket", ".scope", ".slice", ".mount",
                        ".automount", ".swap", ".timer", ".path", ".target", ".device"};
        const char *dot = strrchr(value, '.');
        bool whole = false;

        for (size_t i = 0; dot && i < ELEMENTSOF(suffixes); i++)
                whole |= strcmp(dot, suffixes[i]) == 0;
        return filter_set(o, "unit", value, json_sprintf("%s%s", value, whole ? "" : ".service"));
}

static int filter_time(Options *o, const char *option, const char *value) {
        uint64_t usec;

        if (!value)
                return -1;
        if (time_parse(value, time_now_usec(CLOCK_REALTIME), &usec) < 0)
                return usage_error(option, value,
                                "write a time as \"2026-11-22 10:00:00\", \"10:00\", \"yesterday\", \"-2h\" "
                                "or \"2h ago\".");
        /* 0 is not a time that can be asked for, and nothing is as old as that. */
        return filter_set(o, option, value, json_integer((json_int_t)MAX(usec, (uint64_t)1)));
}

static int json_mode(Options *o, const char *value) {
        static const char *const names[] = {"off", "short", "pretty"}; /* as in JsonMode */

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(value, names[i]) == 0) {
                        o->json = (JsonMode)i;
                        return -1;
                }
        return usage_error("json", value, "use off, short or pretty.");
}

enum {
        ARG_VERSION = 256,
        ARG_SOCKET,
        ARG_JSON,
        ARG_NO_PAGER,
        ARG_UTC,
        ARG_CLASS,
        ARG_PID,
        ARG_UID,
        ARG_UNIT,
        ARG_EXE,
        ARG_SCRIPT,
        ARG_USER,
        ARG_ANCESTOR,
        ARG_TO,
        ARG_POLICY_DIR,
        ARG_ALARM
};

/* Negative: go on; otherwise the exit status. */
static int act_set(Options *o, int option, char *value) {
        CtlAct *a = &o->ctl.act;

        o->acted = true;
        switch (option) {
        case ARG_EXE:
                a->exe = value;
                break;
        case ARG_SCRIPT:
                a->script = value;
                break;
        case ARG_USER:
                a->user = value;
                break;
        case ARG_TO:
                a->to = value;
                break;
        case ARG_ANCESTOR:
                if (a->n_ancestors == BW_LINEAGE_MAX)
                        return usage_error("ancestor", value, "so many are not looked at.");
                a->ancestors[a->n_ancestors++] = value;
                break;
        case ARG_POLICY_DIR:
                if (a->n_policy_dirs == CTL_POLICY_DIRS_MAX)
                        return usage_error("policy-dir", value, "it may not be given as often.");
                a->policy_dirs[a->n_policy_dirs++] = value;
                break;
        }
        return -1;
}

/* Negative: go on; otherwise the exit status. */
static int options_parse(int argc, char **argv, Options *o) {
        static const struct option options[] = {
                        {"help", no_argument, NULL, 'h'},
                        {"version", no_argument, NULL, ARG_VERSION},
                        {"socket", required_argument, NULL, ARG_SOCKET},
                        {"json", required_argument, NULL, ARG_JSON},
                        {"no-pager", no_argument, NULL, ARG_NO_PAGER},
                        {"utc", no_argument, NULL, ARG_UTC},
                        {"lines", required_argument, NULL, 'n'},
                        {"since", required_argument, NULL, 'S'},
                        {"until", required_argument, NULL, 'U'},
                        {"severity", required_argument, NULL, 'p'},
                        {"class", required_argument, NULL, ARG_CLASS},
                        {"pid", required_argument, NULL, ARG_PID},
                        {"uid", required_argument, NULL, ARG_UID},
                        {"unit", required_argument, NULL, ARG_UNIT},
                        {"reverse", no_argument, NULL, 'r'},
                        {"exe", required_argument, NULL, ARG_EXE},
                        {"script", required_argument, NULL, ARG_SCRIPT},
                        {"user", required_argument, NULL, ARG_USER},
                        {"ancestor", required_argument, NULL, ARG_ANCESTOR},
                        {"to", required_argument, NULL, ARG_TO},
                        {"policy-dir", required_argument, NULL, ARG_POLICY_DIR},
                        {"alarm", no_argument, NULL, ARG_ALARM},
                        {},
        };
        int r = -1;

        for (int c; r < 0 && (c = getopt_long(argc, argv, "hn:S:U:p:r", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return CTL_OK;
                case ARG_VERSION:
                        puts("barbwirectl " BARBWIRE_VERSION);
                        return CTL_OK;
                case ARG_SOCKET:
                        o->ctl.socket_path = optarg;
                        break;
                case ARG_JSON:
                        r = json_mode(o, optarg);
                        break;
                case ARG_NO_PAGER:
                        o->no_pager = true;
                        break;
                case ARG_UTC:
                        o->utc = true;
                        break;
                case 'n':
                        r = filter_number(o, "lines", "limit", optarg, 1, INT32_MAX);
                        break;
                case 'S':
                        o->since = optarg;
                        break;
                case 'U':
                        o->until = optarg;
                        break;
                case 'p':
                        if (severity_from_string(optarg) < 0)
                                return usage_error("severity", optarg, "use low, medium or high.");
                        r = filter_set(o, "severity", optarg, json_string(optarg));
                        break;
                case ARG_CLASS:
                        r = filter_set(o, "class", optarg, json_string(optarg));
                        break;
                case ARG_PID:
                        r = filter_number(o, "pid", "pid", optarg, 1, INT32_MAX);
                        break;
                case ARG_UID:
                        r = filter_user(o, optarg);
                        break;
                case ARG_UNIT:
                        o->united = true;
                        r = filter_unit(o, optarg);
                        break;
                case ARG_EXE:
                case ARG_SCRIPT:
                case ARG_USER:
                case ARG_ANCESTOR:
                case ARG_TO:
                case ARG_POLICY_DIR:
                        r = act_set(o, c, optarg);
                        break;
                case 'r':
                        o->ctl.reverse = o->filtered = true;
                        break;
                case ARG_ALARM:
                        o->ctl.alarm = true;
                        break;
                default:
                        ctl_error("Try barbwirectl --help.");
                        return CTL_USAGE;
                }
        return r;
}

static int command_run(Options *o, int argc, char **argv) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                if (strcmp(argv[0], commands[i].name) != 0)
                        continue;
                if (argc != (commands[i].operand ? 2 : 1)) {
                        ctl_error("%s takes %s. Try barbwirectl --help.", argv[0],
                                        commands[i].operand ?: "no arguments");
                        return CTL_USAGE;
                }
                if ((o->filtered && !commands[i].takes_filter) || (o->acted && !commands[i].takes_act) ||
                                (o->united && !commands[i].takes_filter && !commands[i].takes_act)) {
                        ctl_error("Options of alerts and of explain are none of %s. Try barbwirectl --help.", argv[0]);
                        return CTL_USAGE;
                }
                if (o->ctl.alarm && commands[i].run != ctl_selftest) {
                        ctl_error("--alarm is selftest's. Try barbwirectl --help.");
                        return CTL_USAGE;
                }
                return commands[i].run(&o->ctl, argv[1]);
        }
        ctl_error("There is no command \"%s\". Try barbwirectl --help.", argv[0]);
        return CTL_USAGE;
}

int main(int argc, char **argv) {
        json_auto_t *filter = json_object();
        Options o = {.ctl = {.socket_path = CTL_SOCKET_PATH, .filter = filter}};

        /* Names are UTF-8 wherever this runs; everything else is as in the C locale. */
        (void)setlocale(LC_CTYPE, "C.UTF-8");
        /* Whoever started this may ignore it: nobody reads any more, nothing is left to be done. */
        (void)signal(SIGPIPE, SIG_DFL);

        int r = options_parse(argc, argv, &o);
        if (r >= 0)
                return r;
        if (o.utc)
                (void)setenv("TZ", "UTC", 1);
        tzset();
        r = filter_time(&o, "since", o.since);
        if (r < 0)
                r = filter_time(&o, "until", o.until);
        if (r >= 0)
                return r;
        if (optind == argc) {
                ctl_error("Say what to do: status, alerts, show, follow, rules, explain, suggest or selftest. Try "
                          "barbwirectl --help.");
                return CTL_USAGE;
        }

        ctl_output_open(o.json, !o.no_pager);
        r = command_run(&o, argc - optind, argv + optind);
        if (ctl_output_close() < 0 && r == CTL_OK)
                r = CTL_FAILED;
        return r >= 0 ? r : r == -ENOTCONN ? CTL_NOT_RUNNING : CTL_FAILED;
}
