/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* barbwirectl: one function for each command, ctl_NAME(), listed in verbs.h.
 *
 * This folder may include alert/, policy/, what they include, query/varlink.h and sink/reader.h. It must not
 * know the sensor, the sinks and the daemon, and nothing of them may include it: it learns about a running
 * daemon through Varlink and the journal only.
 *
 * This header has what the command line was parsed into, and what the commands share. */

#include <stdbool.h>

#include <jansson.h>

#include "alert/evaluate.h"
#include "client/outbreak.h"
#include "client/rows.h"
#include "client/top-rows.h"
#include "client/verbs.h"
#include "sink/fleet.h"
#include "sink/reader.h"

/* Exit statuses. status: failed means degraded. */
enum {
        CTL_OK = 0,
        CTL_FAILED = 1,
        CTL_USAGE = 2,
        CTL_NOT_RUNNING = 3,
};

/* --policy-dir= may be given this often, as to barbwired. */
#define CTL_POLICY_DIRS_MAX 16

/* The access that explain is to evaluate; NULL: not given. */
typedef struct CtlAccess {
        const char *exe, *script, *to;
        const char *ancestors[BW_LINEAGE_MAX];
        size_t n_ancestors, n_policy_dirs;
        char *policy_dirs[CTL_POLICY_DIRS_MAX + 1];
        bool user_known, container;
        uint32_t uid;
} CtlAccess;

/* --file= may be given this often: a shell's pattern is one option for each file. */
#define CTL_FILES_MAX 1024

/* The journal to read alerts from; nothing given: the daemon has them. */
typedef struct CtlJournal {
        const char *directory;
        const char *files[CTL_FILES_MAX + 1];
        size_t n_files;
        const char *machine; /* a local container */
        bool merge;
} CtlJournal;

/* How learn writes its drop-in. */
typedef struct CtlLearn {
        const char *output; /* NULL: standard output */
        bool interactive, dry_run;
        uint64_t min_days; /* 0: the default */
} CtlLearn;

/* What top shows, and how often. */
typedef struct CtlTop {
        TopColumn by;
        uint64_t delay_usec;
        bool once;
} CtlTop;

typedef struct Ctl {
        const char *socket_path;
        const char *host; /* --host=: ask the daemon there, over ssh; NULL: here */
        json_t *filter;   /* the parameters of ListAlerts; explain uses "unit", too */
        CtlAccess access;
        CtlJournal journal;
        CtlLearn learn;
        CtlTop top;
        bool reverse; /* newest first; top: the last one */
        bool all;     /* each alert, not one line for an incident */
        bool alarm;   /* selftest: report a failure to the journal, and success nowhere */
} Ctl;

/* ctl_NAME(): runs a command and returns an exit status, or, when it has printed what went wrong, a negative
 * errno: -ENOTCONN where the daemon is not running. argument: NULL where none is given. */
#define VERB_DECLARATION(name, argument, options, help) int ctl_##name(const Ctl *c, const char *);
VERBS(VERB_DECLARATION)
#undef VERB_DECLARATION

/* Gets the alert of an id, which may be a short one: a new reference to an object. A negative errno, or
 * CTL_USAGE where it cannot be an id; the error is printed. */
int ctl_get_alert(const Ctl *c, const char *id, json_t **ret);

/* Whether alerts are to be read from a journal. */
bool ctl_journal_given(const Ctl *c);

/* A journal, with what its description needs. */
typedef struct CtlSource {
        JournalSource journal;
        char *root;
} CtlSource;

/* The journal that the options name. The error is printed. The caller frees it with ctl_source_done(). */
int ctl_journal_open(const Ctl *c, CtlSource *ret);
void ctl_source_done(CtlSource *s);

/* Prints what reading it returned, and what was left out. Returns r. */
int ctl_journal_end(const CtlSource *s, const JournalCounts *counts, int r);

/* Reads the alerts of that journal, sorted, and finds its outbreaks. AlertRow.selected: those that the
 * filter selects; their JSON is kept if JSON is wanted. The error is printed; rows are to be freed also
 * then. */
int ctl_journal_rows(const Ctl *c, const json_t *filter, AlertRows *rows, Outbreak **ret, size_t *ret_n);

/* Finds the alert of an id, as ctl_get_alert() does. */
int ctl_journal_find(const Ctl *c, const char *id, json_t **ret);

/* Calls the handler with each alert of the span --since= to --until= of that journal. The error is printed,
 * but not what the handler returned. */
int ctl_journal_each(const Ctl *c, JournalReaderHandler handler, void *userdata, JournalCounts *ret);

/* Prints an alert in the mode that --json= asked for. */
int ctl_print_alert_json(const json_t *alert);
/* Asks for the marks of all processes: an object with "marks", "accounts" and "complete". The error is
 * printed. */
int ctl_marks_ask(const Ctl *c, json_t **ret);

/* Prints an alert in full. */
int ctl_print_alert(const json_t *alert);

/* Reads and compiles the policy on disk; its errors are printed as barbwired --check does. */
int ctl_policy_load(const Ctl *c, Policy **ret, PolicyNames *ret_names);

/* Looks at a program's file. path: absolute; it must outlive *ret. */
void ctl_program_look(const char *path, ExplainProgram *ret);
