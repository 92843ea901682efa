/* SPDX-License-Identifier: GPL-2.0-or-later */

/* barbwired: the daemon. A checklist. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "barbwire-config.h"
#include "sensor/hooks.h"
#include "basic/log.h"
#include "policy/time-parse.h"
#include "basic/time-util.h"
#include "manager.h"
#include "policy/load.h"
#include "policy/compile.h"
#include "policy/types.h"
#include "privilege.h"
#include "replay.h"

enum {
        EXIT_OK = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,  /* also: --check found errors */
        EXIT_KERNEL = 3, /* this kernel is not supported */
};

/* --policy-dir= may be given this often. */
#define POLICY_DIRS_MAX 16

typedef struct Options {
        ManagerOptions manager;
        char *policy_dirs[POLICY_DIRS_MAX + 1];
        const char *user;
        bool check;
        const char *replay;
        uint64_t since_usec, until_usec; /* of the alerts to replay */
} Options;

static void help(void) {
        printf("barbwired [OPTIONS...]\n\n"
               "Raises an alert when a process reads a sensitive file and then sends to the network.\n\n"
               "  -h --help               Show this help\n"
               "     --version            Show the version\n"
               "     --check              Check configuration and policy and exit: 0 no errors, 2 errors\n"
               "     --replay=JOURNAL     With --check: also print which alerts of a journal file or\n"
               "                          directory (or system: this machine's journal) the policy\n"
               "                          would raise, change or silence\n"
               "     --since=TIME         Of these alerts, only those of this time or later\n"
               "     --until=TIME         Of these alerts, only those of this time or earlier\n"
               "     --sensor=SENSOR      Kernel hooks to use: auto, lsm, fentry, tracepoint\n"
               "                          (default: auto, the first that is available)\n"
               "     --policy-dir=DIR     Read *.conf from DIR instead of the standard directories;\n"
               "                          may be repeated; of files with the same name the first is used\n"
               "     --config=FILE        Read FILE instead of the standard barbwire.conf\n"
               "     --listen=PATH        Listen for queries (barbwirectl, Varlink) on this Unix socket\n"
               "                          (default: the one of barbwire.socket when started by systemd)\n"
               "     --alerts=FORMAT      Write alerts as text or json to standard output, or to the "
               "journal\n"
               "                          (default: journal when started by systemd, else text)\n"
               "     --user=NAME          Switch to this user after loading, when started as root\n"
               "                          (default: barbwire, or an unused uid)\n"
               "     --log-level=LEVEL    Log up to error, warning, notice, info or debug (default: "
               "info)\n\n"
               "Policy files: *.conf in /etc/barbwire/policy.d, /run/barbwire/policy.d,\n"
               "/usr/local/lib/barbwire/policy.d, /usr/lib/barbwire/policy.d.\n"
               "Messages are written to standard error.\n"
               "SIGHUP reloads the policy; SIGTERM and SIGINT write pending alerts and exit.\n"
               "Exit status: 0 ok, 1 failed, 2 wrong usage or --check found errors,\n"
               "3 kernel not supported.\n");
}

/* Negative: go on; otherwise the exit status. */
static int options_parse(int argc, char **argv, Options *o) {
        enum {
                ARG_VERSION = 256,
                ARG_CHECK,
                ARG_REPLAY,
                ARG_SINCE,
                ARG_UNTIL,
                ARG_SENSOR,
                ARG_POLICY_DIR,
                ARG_CONFIG,
                ARG_LISTEN,
                ARG_ALERTS,
                ARG_USER,
                ARG_LOG_LEVEL
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "check", no_argument, NULL, ARG_CHECK },
                { "replay", required_argument, NULL, ARG_REPLAY },
                { "since", required_argument, NULL, ARG_SINCE },
                { "until", required_argument, NULL, ARG_UNTIL },
                { "sensor", required_argument, NULL, ARG_SENSOR },
                { "policy-dir", required_argument, NULL, ARG_POLICY_DIR },
                { "config", required_argument, NULL, ARG_CONFIG },
                { "listen", required_argument, NULL, ARG_LISTEN },
                { "alerts", required_argument, NULL, ARG_ALERTS },
                { "user", required_argument, NULL, ARG_USER },
                { "log-level", required_argument, NULL, ARG_LOG_LEVEL },
                {},
        };
        size_t n_dirs = 0;
        int level, r;

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return EXIT_OK;
                case ARG_VERSION:
                        puts("barbwired " BARBWIRE_VERSION);
                        return EXIT_OK;
                case ARG_CHECK:
                        o->check = true;
                        break;
                case ARG_REPLAY:
                        o->replay = optarg;
                        break;
                case ARG_SINCE:
                case ARG_UNTIL:
                        if (time_parse(optarg, time_now_usec(CLOCK_REALTIME),
                                            c == ARG_SINCE ? &o->since_usec : &o->until_usec) < 0) {
                                log_error("\"%s\" is not a time. Examples: " TIME_PARSE_EXAMPLES ".",
                                                optarg);
                                return EXIT_USAGE;
                        }
                        break;
                case ARG_SENSOR:
                        r = sensor_kind_from_string(optarg);
                        if (r < 0) {
                                log_error("--sensor=%s: unknown sensor; use auto, lsm, fentry or "
                                          "tracepoint.",
                                                optarg);
                                return EXIT_USAGE;
                        }
                        o->manager.sensor = r;
                        break;
                case ARG_POLICY_DIR:
                        if (n_dirs == POLICY_DIRS_MAX) {
                                log_error("At most %d --policy-dir= options are supported.",
                                                POLICY_DIRS_MAX);
                                return EXIT_USAGE;
                        }
                        o->policy_dirs[n_dirs++] = optarg;
                        o->manager.policy_dirs = o->policy_dirs;
                        break;
                case ARG_CONFIG:
                        o->manager.config_file = optarg;
                        break;
                case ARG_LISTEN:
                        o->manager.listen_path = optarg;
                        break;
                case ARG_ALERTS:
                        if (strcmp(optarg, "text") == 0) {
                                o->manager.format = ALERT_FORMAT_TEXT;
                        } else if (strcmp(optarg, "json") == 0) {
                                o->manager.format = ALERT_FORMAT_JSON;
                        } else if (strcmp(optarg, "journal") == 0) {
                                o->manager.format = ALERT_FORMAT_JOURNAL;
                        } else {
                                log_error("--alerts=%s: unknown format; use text, json or journal.", optarg);
                                return EXIT_USAGE;
                        }
                        break;
                case ARG_USER:
                        o->user = optarg;
                        break;
                case ARG_LOG_LEVEL:
                        level = log_level_from_string(optarg);
                        if (level < 0) {
                                log_error("--log-level=%s: unknown level; use error, warning, notice, info "
                                          "or debug.",
                                                optarg);
                                return EXIT_USAGE;
                        }
                        log_set_max_level(level);
                        break;
                default:
                        fprintf(stderr, "Try barbwired --help.\n");
                        return EXIT_USAGE;
                }

        if ((o->replay && !o->check) || ((o->since_usec || o->until_usec) && !o->replay)) {
                log_error("--replay= requires --check, and --since= and --until= require --replay=.");
                return EXIT_USAGE;
        }
        if (optind < argc) {
                log_error("Unexpected argument \"%s\": barbwired takes only options. Try barbwired --help.",
                                argv[optind]);
                return EXIT_USAGE;
        }
        return -1;
}

/* --check: everything that is wrong, as FILE:LINE:COLUMN: message on standard error. With --replay=, what it
 * would make of the alerts of a journal. */
static int policy_check(const Options *o) {
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        PolicyMessage message = {};
        PolicyNames names = {};

        int r = policy_load(o->manager.config_file, o->manager.policy_dirs, NULL, &p);
        for (size_t i = 0; p && i < p->n_messages; i++) {
                _cleanup_free_ char *text = policy_message_format(&p->messages[i]);
                fprintf(stderr, "%s%s\n", text ?: "?",
                                p->messages[i].level == POLICY_WARNING ? " (warning)"
                                : p->messages[i].level == POLICY_NOTE  ? " (note)"
                                                                       : "");
        }
        if (r < 0) {
                (void)log_error_errno(r, "Failed to load the policy: %m");
                return EXIT_USAGE;
        }

        assert(p);
        r = policy_compile(p, &names, 0, &t, &message);
        if (r < 0) {
                _cleanup_free_ char *text = message.text ? policy_message_format(&message) : NULL;
                fprintf(stderr, "%s\n", text ?: "Out of memory.");
                free(message.text);
        } else if (p->n_errors == 0) {
                printf("Policy is valid: %zu files, %zu classes (%zu patterns, %zu states), %zu allow rules "
                       "(%zu patterns, %zu states), %zu KiB.\n",
                                p->n_files, p->n_classes, t->n_patterns[BW_AUTOMATON_FILE],
                                t->n_states[BW_AUTOMATON_FILE], p->n_allows, t->n_patterns[BW_AUTOMATON_EXE],
                                t->n_states[BW_AUTOMATON_EXE], t->n_cells * sizeof(struct bw_cell) / 1024);
        }
        int replayed = r >= 0 && p->n_errors == 0 && o->replay
                                       ? replay_print(o->replay, o->since_usec, o->until_usec, p, &names)
                                       : 0;
        policy_names_done(&names);
        return r < 0 || p->n_errors > 0 ? EXIT_USAGE : replayed < 0 ? EXIT_FAILED : EXIT_OK;
}

/* A closed standard descriptor would be given to the next file that is opened: a message would be written
 * into it. */
static int standard_descriptors_check(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                if (fd == STDOUT_FILENO) {
                        log_error("Standard output is closed: alerts could not be written.");
                        return -EBADF;
                }
                if (open("/dev/null", O_RDWR) != fd)
                        return -EBADF;
        }
        return 0;
}

static int exit_status(int r) {
        return r >= 0 ? EXIT_OK : r == -EOPNOTSUPP ? EXIT_KERNEL : EXIT_FAILED;
}

int main(int argc, char **argv) {
        _cleanup_(manager_freep) Manager *manager = NULL;
        Options options = { .manager.sensor = SENSOR_AUTO };
        uid_t uid;
        gid_t gid;
        int r;

        if (standard_descriptors_check() < 0)
                return EXIT_FAILED;
        log_open();
        if (log_is_journal()) /* systemd started us */
                options.manager.format = ALERT_FORMAT_JOURNAL;
        r = options_parse(argc, argv, &options);
        if (r >= 0)
                return r;
        if (options.check)
                return policy_check(&options);
        signal(SIGPIPE, SIG_IGN);

        r = privilege_find_user(options.user, &uid, &gid);
        if (r < 0)
                return EXIT_USAGE;
        r = manager_new(&options.manager, &manager);
        if (r < 0)
                return EXIT_FAILED;
        r = manager_load_policy(manager);
        if (r < 0)
                return EXIT_FAILED;
        r = manager_load_sensor(manager);
        if (r < 0)
                return exit_status(r);
        r = manager_open(manager);
        if (r < 0)
                return EXIT_FAILED;
        r = privilege_drop(uid, gid);
        if (r < 0)
                return EXIT_FAILED;
        return exit_status(manager_run(manager));
}
