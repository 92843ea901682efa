/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The commands and options of barbwirectl: --help, the parser and both shell completions are made from these
 * two tables. A new command is a line here and its function, ctl_NAME() (client/ctl.h). Needs nothing but C,
 * as make-completions.c runs on the machine that builds. */

#include <stddef.h>

/* Options belong to groups: a command takes the common ones, and those of the groups in its line. */
enum {
        OPTIONS_COMMON = 1 << 0,
        OPTIONS_FILTER = 1 << 1,
        OPTIONS_ACCESS = 1 << 2,
        OPTIONS_SELFTEST = 1 << 3,
        OPTIONS_JOURNAL = 1 << 4,
        OPTIONS_SPAN = 1 << 5,
        OPTIONS_LEARN = 1 << 6,
        OPTION_REPEATS = 1 << 7, /* no group: it may be given several times */
        VERB_OCSF = 1 << 8,      /* no group: the command also takes --json=ocsf */
        OPTIONS_TOP = 1 << 9,
        OPTIONS_REMOTE = 1 << 10,
};

/* VERB(name, argument, options, help). The name of an argument or value also decides how the shells complete
 * it (make-completions.c); in brackets, it is optional. */
#define VERBS(VERB)                                                                                         \
        VERB(status, NULL, OPTIONS_REMOTE, "Show sensor state and gaps, without starting the service")      \
        VERB(alerts, NULL, OPTIONS_FILTER | OPTIONS_JOURNAL | OPTIONS_REMOTE | VERB_OCSF,                   \
                        "List recent alerts, the oldest first")                                             \
        VERB(show, "ID", OPTIONS_JOURNAL | OPTIONS_REMOTE | VERB_OCSF, "Show one alert in detail")          \
        VERB(follow, NULL, OPTIONS_JOURNAL | OPTIONS_REMOTE | VERB_OCSF, "Show alerts as they are raised")  \
        VERB(hosts, NULL, OPTIONS_JOURNAL | OPTIONS_SPAN,                                                   \
                        "List the hosts of a journal by their last heartbeat")                              \
        VERB(marks, NULL, OPTIONS_REMOTE, "List marked processes, and whose share of the tables is full")   \
        VERB(top, NULL, OPTIONS_TOP, "Show what each process does with files, live")                        \
        VERB(rules, "[NAME]", OPTIONS_REMOTE, "List the policy in force, or the sections of one name")      \
        VERB(explain, "PATH", OPTIONS_ACCESS, "Evaluate the on-disk policy for an access to PATH")          \
        VERB(suggest, "ID", OPTIONS_JOURNAL, "Print the smallest rule that would have allowed an alert")    \
        VERB(learn, NULL, OPTIONS_JOURNAL | OPTIONS_SPAN | OPTIONS_LEARN,                                   \
                        "Write a drop-in of what a journal's alerts have in common")                        \
        VERB(selftest, NULL, OPTIONS_SELFTEST, "Play a decoy theft and wait for its alert")                 \
        VERB(bridge, NULL, 0, "Connect standard input and output with barbwired, for --host=")

/* OPTION(identifier, letter, name, value, groups, help) */
#define OPTIONS(OPTION)                                                                                     \
        OPTION(HELP, 'h', "help", NULL, OPTIONS_COMMON, "Show this help")                                   \
        OPTION(VERSION, 0, "version", NULL, OPTIONS_COMMON, "Show the version")                             \
        OPTION(SOCKET, 0, "socket", "PATH", OPTIONS_COMMON, "Connect to the daemon that listens on PATH")   \
        OPTION(JSON, 0, "json", "MODE", OPTIONS_COMMON, "Print JSON: short, pretty, ocsf or off (default)") \
        OPTION(NO_PAGER, 0, "no-pager", NULL, OPTIONS_COMMON, "Do not pipe output into a pager")            \
        OPTION(UTC, 0, "utc", NULL, OPTIONS_COMMON, "Read and show times in UTC")                           \
        OPTION(LINES, 'n', "lines", "N", OPTIONS_FILTER | OPTIONS_TOP,                                      \
                        "Show the newest N alerts, or the first N processes only")                          \
        OPTION(SINCE, 'S', "since", "TIME", OPTIONS_FILTER | OPTIONS_SPAN,                                  \
                        "Only alerts raised at TIME or later")                                              \
        OPTION(UNTIL, 'U', "until", "TIME", OPTIONS_FILTER | OPTIONS_SPAN,                                  \
                        "Only alerts raised at TIME or earlier")                                            \
        OPTION(SEVERITY, 'p', "severity", "LEVEL", OPTIONS_FILTER,                                          \
                        "Only alerts of this severity or worse: info, low (default), medium, high")         \
        OPTION(CLASS, 0, "class", "CLASS", OPTIONS_FILTER, "Only alerts about files of this class")         \
        OPTION(ACTION, 0, "action", "ACTION", OPTIONS_FILTER,                                               \
                        "Only alerts with this action: alert, denied, stopped, killed, would-deny, "        \
                        "not-denied")                                                                       \
        OPTION(PID, 0, "pid", "PID", OPTIONS_FILTER, "Only alerts of this process")                         \
        OPTION(UID, 0, "uid", "USER", OPTIONS_FILTER | OPTIONS_ACCESS,                                      \
                        "The process runs as this user, a name or a number")                                \
        OPTION(ALL, 0, "all", NULL, OPTIONS_FILTER, "Show each alert, not one line for an incident")        \
        OPTION(INCIDENT, 0, "incident", "ID", OPTIONS_FILTER,                                               \
                        "Only alerts of the incident of this alert, each")                                  \
        OPTION(REVERSE, 'r', "reverse", NULL, OPTIONS_FILTER | OPTIONS_TOP,                                 \
                        "Show the newest alert, or the last process first")                                 \
        OPTION(SORT, 0, "sort", "COLUMN", OPTIONS_TOP,                                                      \
                        "Sort by process, uid, opens (default), sensitive, given, taken, egress, classes, " \
                        "marks")                                                                            \
        OPTION(DELAY, 'd', "delay", "SECONDS", OPTIONS_TOP, "Seconds between two samples (default: 1)")     \
        OPTION(ONCE, 0, "once", NULL, OPTIONS_TOP, "Print one sample, and exit")                            \
        OPTION(DIRECTORY, 'D', "directory", "DIR", OPTIONS_JOURNAL,                                         \
                        "Alerts of the journal files in DIR, not of the daemon")                            \
        OPTION(FILE, 0, "file", "PATH", OPTIONS_JOURNAL | OPTION_REPEATS,                                   \
                        "Alerts of this journal file, not of the daemon")                                   \
        OPTION(MERGE, 'm', "merge", NULL, OPTIONS_JOURNAL,                                                  \
                        "Alerts of all journals here, also those of other hosts")                           \
        OPTION(MACHINE, 'M', "machine", "MACHINE", OPTIONS_JOURNAL,                                         \
                        "Alerts of the journal of a local container")                                       \
        OPTION(HOST, 'H', "host", "HOST", OPTIONS_REMOTE, "Ask barbwired on HOST, over ssh")                \
        OPTION(EXE, 0, "exe", "EXE", OPTIONS_ACCESS, "Program that opens the file")                         \
        OPTION(SCRIPT, 0, "script", "PATH", OPTIONS_ACCESS, "Script that an interpreter was started with")  \
        OPTION(USER, 0, "user", "USER", OPTIONS_ACCESS,                                                     \
                        "User that the program runs as, a name or a number")                                \
        OPTION(CONTAINER, 0, "container", NULL, OPTIONS_ACCESS,                                             \
                        "It runs in a container, which sees other files than the host")                     \
        OPTION(ANCESTOR, 0, "ancestor", "EXE", OPTIONS_ACCESS | OPTION_REPEATS,                             \
                        "Program of the parent process; repeated: of its parent")                           \
        OPTION(TO, 0, "to", "ADDR[:PORT]", OPTIONS_ACCESS,                                                  \
                        "Destination of the data; the port defaults to 443")                                \
        OPTION(POLICY_DIR, 0, "policy-dir", "DIR", OPTIONS_ACCESS | OPTIONS_LEARN | OPTION_REPEATS,         \
                        "Read the policy from DIR, not the standard directories")                           \
        OPTION(UNIT, 'u', "unit", "UNIT", OPTIONS_FILTER | OPTIONS_ACCESS,                                  \
                        "The process runs in this systemd unit")                                            \
        OPTION(OUTPUT, 'o', "output", "PATH", OPTIONS_LEARN,                                                \
                        "Write the drop-in to PATH, and keep the answers that it has")                      \
        OPTION(INTERACTIVE, 'i', "interactive", NULL, OPTIONS_LEARN, "Ask about each rule")                 \
        OPTION(DRY_RUN, 0, "dry-run", NULL, OPTIONS_LEARN, "Print the drop-in, write nothing")              \
        OPTION(MIN_DAYS, 0, "min-days", "N", OPTIONS_LEARN,                                                 \
                        "Allow what was seen on N days or more (default: 3)")                               \
        OPTION(ALARM, 0, "alarm", NULL, OPTIONS_SELFTEST,                                                   \
                        "Print nothing on success; log a failure to the journal")

#define OPTION_ENUM(identifier, letter, name, value, groups, help) OPTION_##identifier,
typedef enum OptionId { OPTIONS(OPTION_ENUM) _OPTION_MAX } OptionId;
#undef OPTION_ENUM

typedef struct VerbInfo {
        const char *name, *argument, *help;
        unsigned options; /* groups */
} VerbInfo;

typedef struct OptionInfo {
        char letter; /* 0: none */
        const char *name, *value, *help;
        unsigned groups;
} OptionInfo;

#define VERB_INFO(name, argument, options, help) { #name, argument, help, options },
static const VerbInfo verb_infos[] = { VERBS(VERB_INFO) };
#undef VERB_INFO

#define OPTION_INFO(identifier, letter, name, value, groups, help) { letter, name, value, help, groups },
static const OptionInfo option_infos[_OPTION_MAX] = { OPTIONS(OPTION_INFO) };
#undef OPTION_INFO
