/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each file of the alert is evaluated as if it was opened again: its classes, the rules for its opener, and
 * whether these pass it on by the way that it took. What is left is scored. Must not access the system. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/alert.h"
#include "alert/evaluate.h"
#include "alert/recorded.h"
#include "alert/replay.h"
#include "basic/util.h"

/* What makes no rule apply, whatever the executable is. */
#define FLAGS_VOID (BW_PROCESS_EXE_MEMORY | BW_PROCESS_INJECTED | BW_PROCESS_TRACED | BW_PROCESS_UNREAD)

typedef struct Replayer {
        const Policy *p;
        const PolicyNames *names;
        const json_t *alert, *process;
        uint32_t flags;
        struct bw_destination to;
        bool inet;
        char *script, *unit; /* script: as the first argument of the process; NULL: none */
        uint64_t recorded;   /* the classes of the alert, as far as the policy has them */
        uint64_t seen;       /* those of its files that count */
        uint64_t fresh, bound, passed;
        bool more; /* files than are recorded */
        Truth quiet[BW_CLASSES_MAX];
        char *by; /* the names of rules */
} Replayer;

const char *replay_result_to_string(ReplayResult r) {
        static const char *const names[_REPLAY_MAX] = { "raise", "change", "silence", "unknown" };
        return names[r];
}

void replay_done(Replay *r) {
        free(r->why);
        *r = (Replay){};
}

/* The classes of an array of names. */
static uint64_t classes_of(const Replayer *x, const json_t *array) {
        uint64_t classes = 0;
        const json_t *name;
        size_t i;

        json_array_foreach(array, i, name) for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const char *of_bit = x->names->class_names[bit];

                if (of_bit && policy_class_by_bit(x->p, x->names, bit) &&
                                strcmp(of_bit, json_string_value(name) ?: "") == 0)
                        classes |= UINT64_C(1) << bit;
        }
        return classes;
}

static void access_join(ExplainAccess *a, ExplainAccess *b) {
        a->touched |= b->touched;
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                a->clean[bit] = MAX(a->clean[bit], b->clean[bit]);
                a->bound[bit] = MAX(a->bound[bit], b->bound[bit]);
                a->quiet[bit] = MAX(a->quiet[bit], b->quiet[bit]);
                a->passes[bit] &= b->passes[bit];
        }
        for (Truth t = TRUTH_NO; t < _TRUTH_MAX; t++)
                if (!a->by[t])
                        a->by[t] = STEAL_PTR(b->by[t]);
        explain_access_done(b);
}

/* Evaluates a name of a file: for the executable, and for the script that it runs, which may be a program by
 * itself. */
static int name_evaluate(const Replayer *x, ExplainQuery *q, const char *path, ExplainAccess *ret) {
        ExplainAccess more = {};
        const char *exe = q->exe.path;

        q->path = path;
        int r = policy_evaluate(x->p, x->names, q, &more);
        if (r < 0)
                return r;
        access_join(ret, &more);
        if (!q->script)
                return 0;
        q->exe.path = q->script;
        r = policy_evaluate(x->p, x->names, q, &more);
        q->exe.path = exe;
        if (r == 0)
                access_join(ret, &more);
        return r;
}

/* Beside Passes=: a way that nothing goes which a rule lets the opener read. */
#define PASSES_NOTHING (BW_RULE_CHILDREN << 1)

/* By which of its rule's Passes= a file left its opener, or PASSES_NOTHING; 0: none of them is about it. */
static unsigned file_passes(const json_t *file) {
        const json_t *hop = json_array_get(json_object_get(file, "route"), 0);
        uint8_t via = alert_via_from_string(recorded_string(hop ?: file, "via"));

        switch (via) {
        case BW_VIA_OPEN: /* the process has executed another program since */
        case BW_VIA_FORK:
                return BW_RULE_CHILDREN;
        case BW_VIA_RECEIVED:
        case BW_VIA_TRACE:
                return 0;
        default:
                /* A hand-over that came later says nothing of a child before it. */
                if (json_integer_value(json_object_get(hop, "pid")) !=
                                json_integer_value(json_object_get(file, "pid")))
                        return BW_RULE_CHILDREN;
                return via == BW_VIA_LOOPBACK ? PASSES_NOTHING : BW_RULE_OUTPUT | BW_RULE_FILES;
        }
}

/* Whether it came out of the memory of a process, anywhere on its way: whatever a rule passes. */
static bool file_was_read_out(const json_t *file) {
        const json_t *hop;
        size_t i;

        json_array_foreach(json_object_get(file, "route"), i,
                        hop) if (alert_via_from_string(recorded_string(hop, "via")) ==
                                 BW_VIA_TRACE) return true;
        return alert_via_from_string(recorded_string(file, "via")) == BW_VIA_TRACE;
}

typedef enum Held {
        HELD_UNBOUND,
        HELD_PASSED, /* only as the opener's rule passes it on */
        HELD_BOUND,  /* under a rule of the sender's own */
} Held;

/* How the sender holds the class of a file. */
static Held file_held(const Replayer *x, const ExplainAccess *opener, const ExplainAccess *sender,
                unsigned bit, const json_t *file) {
        const unsigned how = file_passes(file);

        if (MAX(opener->bound[bit], opener->clean[bit]) != TRUTH_YES)
                return HELD_UNBOUND;
        if (recorded_opener_sent(x->alert, file) ||
                        (how & BW_RULE_OUTPUT && MAX(sender->bound[bit], sender->clean[bit]) == TRUTH_YES))
                return HELD_BOUND;
        return !x->more && opener->passes[bit] & how && !file_was_read_out(file) ? HELD_PASSED
                                                                                 : HELD_UNBOUND;
}

/* What becomes of a class of a file that another process sent: the opener's rule may end it. What it passes
 * is an alert; but that of a reader's own rule is not. */
static Truth handed_on(
                const ExplainAccess *opener, const ExplainAccess *sender, unsigned bit, unsigned how) {
        Truth may = MAX(opener->bound[bit], opener->clean[bit]);

        if (may == TRUTH_NO)
                return TRUTH_NO;
        if (how && !(opener->passes[bit] & how))
                return may;
        /* Which of the two it was is not recorded. */
        if (how & BW_RULE_OUTPUT && (opener->passes[bit] & how) != how)
                return TRUTH_UNKNOWN;
        if (how & BW_RULE_OUTPUT)
                return MIN(may, sender->quiet[bit]);
        return TRUTH_NO;
}

static int by_add(Replayer *x, const char *by) {
        char *joined;

        if (!by || (x->by && strstr(x->by, by)))
                return 0;
        if (asprintf(&joined, "%s%s%s", x->by ?: "", x->by ? ", " : "", by) < 0)
                return -ENOMEM;
        free(x->by);
        x->by = joined;
        return 0;
}

static int lineage_query(const Replayer *x, ExplainQuery *q, char *ret_owned[static BW_LINEAGE_MAX]) {
        const json_t *ancestor;
        size_t i;

        json_array_foreach(json_object_get(x->alert, "lineage"), i, ancestor) {
                if (i == BW_LINEAGE_MAX)
                        break;
                ret_owned[i] = recorded_name(recorded_string(ancestor, "exe"));
                if (!ret_owned[i])
                        return -ENOMEM;
                q->ancestors[q->n_ancestors++] =
                                (ExplainProgram){ .path = ret_owned[i], .seen = true, .regular = true };
        }
        return 0;
}

/* Evaluates a file for a program: its opener, or else the sender. */
static int file_evaluate(const Replayer *x, const json_t *file, bool sender, ExplainAccess *ret) {
        _cleanup_free_ char *path = recorded_name(recorded_string(file, "path")),
                            *real = recorded_name(recorded_string(file, "real_path")),
                            *exe = recorded_name(recorded_string(sender ? x->process : file, "exe"));
        char *lineage[BW_LINEAGE_MAX] = {};
        bool known = sender || recorded_opener_sent(x->alert, file);
        ExplainQuery q = {
                .exe = { .path = exe, .seen = true, .regular = true, .flags = known ? x->flags : 0 },
                .script = known ? x->script : NULL,
                .script_file = { .path = x->script, .seen = true, .regular = true },
                .unit = known && x->unit[0] ? x->unit : NULL,
                .cmdline = known ? recorded_string(x->process, "cmdline") : "",
                .user_known = true,
                .uid = (uint32_t)json_integer_value(json_object_get(sender ? x->process : file, "uid")),
                .to = x->to,
                .elsewhere = x->flags & BW_PROCESS_NOT_HOST,
                .voided = known && x->flags & FLAGS_VOID,
                .foreign = known && x->flags & BW_PROCESS_FOREIGN_CODE,
                .strange = known && x->flags & BW_PROCESS_FOREIGN_CODE && !(x->flags & BW_PROCESS_USERS),
                .accepted = strcmp(recorded_string(json_object_get(x->alert, "destination"), "act"),
                                            "accept") == 0,
                .local = !x->inet,
        };

        /* The kernel has asked who may change the program; of a script, and of the file's owner, the alert
         * says nothing. */
        q.exe.kept = known && x->flags & BW_PROCESS_USERS;
        q.exe.owner = q.script_file.owner = q.uid;
        q.script_file.kept = true;
        int r = path && real && exe ? 0 : -ENOMEM;
        if (r == 0 && known)
                r = lineage_query(x, &q, lineage);
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                ret->passes[bit] = BW_RULE_PASSES;
        if (r == 0)
                r = name_evaluate(x, &q, path, ret);
        q.opened = path;
        if (r == 0 && real[0])
                r = name_evaluate(x, &q, real, ret);
        for (size_t i = 0; i < BW_LINEAGE_MAX; i++)
                free(lineage[i]);
        return r;
}

/* Whether egress so long after the open counts, and as what. */
static bool file_is_late(const Replayer *x, const json_t *file, unsigned bit, bool *ret_fresh) {
        const PolicyClass *c = policy_class_by_bit(x->p, x->names, bit);
        uint64_t age = (uint64_t)json_integer_value(json_object_get(file, "age_ms")) * 1000;

        *ret_fresh = age <= c->window_usec;
        return age > c->late_window_usec;
}

static int file_replay(Replayer *x, const json_t *file) {
        ExplainAccess opener = {}, sender = {};
        bool sent = recorded_opener_sent(x->alert, file);

        int r = file_evaluate(x, file, false, &opener);
        if (r == 0 && !sent)
                r = file_evaluate(x, file, true, &sender);
        /* A name that was lost: the classes are as they were. */
        uint64_t was = classes_of(x, json_object_get(file, "classes"));
        if (json_is_true(json_object_get(file, "path_lost")) ||
                        json_is_true(json_object_get(file, "truncated")))
                opener.touched |= was;
        /* Not what the file was known for, and was not the reason of an alert. */
        uint64_t counts = opener.touched & (x->recorded | ~was);
        for (unsigned bit = 0; r == 0 && bit < BW_CLASSES_MAX; bit++) {
                bool fresh;

                if (!(counts >> bit & 1) || file_is_late(x, file, bit, &fresh))
                        continue;
                Truth quiet = sent ? opener.quiet[bit] : handed_on(&opener, &sender, bit, file_passes(file));
                x->quiet[bit] = x->seen >> bit & 1 ? MIN(x->quiet[bit], quiet) : quiet;
                x->seen |= UINT64_C(1) << bit;
                if (quiet != TRUTH_YES && fresh)
                        x->fresh |= UINT64_C(1) << bit;
                const Held held = file_held(x, &opener, &sender, bit, file);
                if (quiet != TRUTH_YES && fresh && held == HELD_UNBOUND)
                        x->bound &= ~(UINT64_C(1) << bit);
                if (held != HELD_PASSED)
                        x->passed &= ~(UINT64_C(1) << bit);
                if (quiet != TRUTH_NO)
                        r = by_add(x, opener.by[quiet] ?: sender.by[quiet]);
        }
        explain_access_done(&opener);
        explain_access_done(&sender);
        return r;
}

static Bytes view(const char *s) {
        return (Bytes){ .data = s ?: "", .size = s ? strlen(s) : 0 };
}

static void event_files(const Replayer *x, EventCorrelation *e) {
        const json_t *file, *hop;
        size_t i, k;

        json_array_foreach(json_object_get(x->alert, "files"), i, file) {
                if (i == BW_FILES_MAX)
                        break;
                EventFile *f = &e->files[e->n_files++];
                *f = (EventFile){
                        .classes = classes_of(x, json_object_get(file, "classes")),
                        .pid = (uint32_t)json_integer_value(json_object_get(file, "pid")),
                        .uid = (uint32_t)json_integer_value(json_object_get(file, "uid")),
                        .via = alert_via_from_string(recorded_string(file, "via")),
                        .generation = (uint8_t)json_integer_value(json_object_get(file, "generation")),
                        .path = view(NULL),
                        .exe = view(NULL),
                        .comm = view(NULL),
                };
                f->execed = f->via == BW_VIA_OPEN && !recorded_opener_sent(x->alert, file);
                json_array_foreach(json_object_get(file, "route"), k, hop) if (k < BW_HOPS_MAX)
                                f->route[f->n_route++] = (EventHop){
                        .via = alert_via_from_string(recorded_string(hop, "via")),
                        .comm = view(NULL),
                };
        }
}

/* Points that depend on other processes of its lineage, which are not recorded. */
static int lineage_points(const Replayer *x) {
        const json_t *reason;
        int points = 0;
        size_t i;

        json_array_foreach(json_object_get(x->alert, "reasons"), i,
                        reason) if (strncmp(recorded_string(reason, "text"), "its lineage ", 12) == 0)
                        points += (int)json_integer_value(json_object_get(reason, "points"));
        return points;
}

static int alert_score(const Replayer *x, uint64_t left, Score *ret, Evidence *ret_evidence) {
        const json_t *destination = json_object_get(x->alert, "destination");
        _cleanup_free_ char *cgroup = recorded_name(recorded_string(x->process, "cgroup")),
                            *exe = recorded_name(recorded_string(x->process, "exe")),
                            *path = recorded_name(recorded_string(destination, "path"));
        EventCorrelation e = { .classes = left,
                .fresh = x->fresh & left,
                .bound = x->bound & x->fresh & left,
                .passed = x->passed & x->seen & left,
                .destination = x->to };
        char *lineage[BW_LINEAGE_MAX] = {};
        ExplainQuery q = {};

        int r = cgroup && exe && path ? lineage_query(x, &q, lineage) : -ENOMEM;
        if (r == 0) {
                e.process = (EventProcess){
                        .uid = (uint32_t)json_integer_value(json_object_get(x->process, "uid")),
                        .flags = x->flags,
                        .comm = view(NULL),
                        .exe = view(exe),
                        .cmdline = view(NULL),
                        .cgroup = view(cgroup),
                };
                for (size_t i = 0; i < q.n_ancestors; i++)
                        e.lineage[e.n_lineage++] =
                                        (EventAncestor){ .comm = view(NULL), .exe = view(lineage[i]) };
                e.destination_path = view(path);
                event_files(x, &e);
                r = score_event(&e, 0, x->p, x->names, 0, ret);
        }
        for (size_t i = 0; i < BW_LINEAGE_MAX; i++)
                free(lineage[i]);
        if (r < 0)
                return r;
        *ret_evidence = evidence_of_event(&e);
        ret->score = MIN(ret->score + lineage_points(x), 100);
        if (ret->score >= (int)x->p->scoring.high)
                ret->severity = MAX(ret->severity, SEVERITY_HIGH);
        else if (ret->score >= (int)x->p->scoring.medium)
                ret->severity = MAX(ret->severity, SEVERITY_MEDIUM);
        return 0;
}

_printf_(3, 4) static int result_set(Replay *ret, ReplayResult result, const char *format, ...) {
        ret->result = result;
        ret->why = FORMAT_ARGUMENTS(format);
        return ret->why ? 0 : -ENOMEM;
}

/* Whether the policy refuses egress of one of these classes, or would; open: the same of an open. */
static bool classes_deny(const Replayer *x, uint64_t classes, bool open) {
        bool denies = false;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const PolicyClass *c = classes >> bit & 1 ? policy_class_by_bit(x->p, x->names, bit) : NULL;

                denies |= c && (open ? policy_class_locks(x->p, c) : policy_class_denies(x->p, c));
        }
        return denies;
}

/* A person's own script stays one, whatever the policy, while its only class has FirstSight=. */
static int score_look(const Replayer *x, uint64_t left, Score *s) {
        const char *sight = recorded_string(x->alert, "script_sight");
        const PolicyClass *c = left && !(left & (left - 1))
                                               ? policy_class_by_bit(x->p, x->names,
                                                                 (unsigned)__builtin_ctzll(left))
                                               : NULL;

        if (!sight[0] || !c || !c->first_sight)
                return 0;
        return score_soften(s, &x->p->scoring, strcmp(sight, "known") == 0 ? SEVERITY_INFO : SEVERITY_LOW,
                        "a script of the same user");
}

static int replay_judge(const Replayer *x, uint64_t left, uint64_t unknown, Replay *ret) {
        const char *action = recorded_string(x->alert, "action");
        bool open = strcmp(recorded_string(json_object_get(x->alert, "destination"), "act"), "open") == 0,
             denies = classes_deny(x, left, open), denied = action[0] && strcmp(action, "alert") != 0;
        const char *severity = recorded_string(x->alert, "severity"),
                   *was = recorded_string(x->alert, "evidence");
        Evidence evidence;
        Score s = {};

        if (left == 0 && x->seen == 0)
                return result_set(
                                ret, REPLAY_SILENCE, "its files are in no class, or were opened too early");
        if (left == 0)
                return result_set(ret, REPLAY_SILENCE, "by %s", x->by ?: "a rule");
        int r = alert_score(x, left, &s, &evidence);
        if (r == 0 && !denies)
                r = score_look(x, left, &s);
        if (r < 0) {
                score_done(&s);
                return r;
        }
        /* A refusal is always an alert. */
        if (denies)
                s.ignored = s.below = false;
        ret->severity = s.severity;
        ret->score = s.score;
        if (s.ignored)
                r = result_set(ret, REPLAY_SILENCE, "the destination has Ignore=yes");
        else if (s.below)
                r = result_set(ret, REPLAY_SILENCE, "the score of %d is below Alert=%u", s.score,
                                x->p->scoring.alert);
        else if (unknown == left)
                r = result_set(ret, REPLAY_UNKNOWN, "silent if %s applies", x->by ?: "a rule");
        else if (s.severity != severity_from_string(severity))
                r = result_set(ret, REPLAY_CHANGE, "severity %s instead of %s",
                                severity_to_string(s.severity), severity);
        else if (was[0] && strcmp(evidence_to_string(evidence), was) != 0)
                r = result_set(ret, REPLAY_CHANGE, "evidence %s instead of %s", evidence_to_string(evidence),
                                was);
        else if (denies != denied)
                r = result_set(ret, REPLAY_CHANGE, "its %s %s refused%s", open ? "open" : "egress",
                                denies ? "is" : "is no longer",
                                denies && x->p->enforcement.enabled == POLICY_ENFORCED_DRY_RUN
                                                ? ", but for Enabled=dry-run"
                                                : "");
        else if (left != x->recorded)
                r = result_set(ret, REPLAY_CHANGE, "for other classes");
        else
                ret->result = REPLAY_RAISE;
        score_done(&s);
        return r;
}

int alert_replay(const Policy *p, const PolicyNames *names, const json_t *alert, Replay *ret) {
        Replayer x = { .p = p,
                .names = names,
                .alert = alert,
                .process = json_object_get(alert, "process"),
                .to = recorded_destination(alert),
                .bound = UINT64_MAX,
                .passed = UINT64_MAX,
                .more = json_is_true(json_object_get(alert, "files_more")) };
        uint64_t left = 0, unknown = 0;
        Replay replay = {};
        const json_t *file;
        size_t i;

        if (!json_is_object(x.process) || json_array_size(json_object_get(alert, "files")) > BW_FILES_MAX ||
                        severity_from_string(recorded_string(alert, "severity")) < 0)
                return -EBADMSG;
        x.inet = x.to.family != 0;
        x.flags = recorded_flags(x.process);
        x.recorded = classes_of(&x, json_object_get(alert, "classes"));
        int r = recorded_script(recorded_string(x.process, "cmdline"), &x.script);
        if (r == 0)
                r = recorded_unit(x.process, &x.unit);
        json_array_foreach(json_object_get(alert, "files"), i, file) if (r == 0) r = file_replay(&x, file);
        if (r == 0 && json_is_true(json_object_get(alert, "files_more"))) {
                /* Others of its files may be what remains. */
                x.fresh |= x.recorded & ~x.seen;
                left |= x.recorded & ~x.seen;
        }
        for (unsigned bit = 0; r == 0 && bit < BW_CLASSES_MAX; bit++)
                if (x.seen >> bit & 1 && x.quiet[bit] != TRUTH_YES) {
                        left |= UINT64_C(1) << bit;
                        unknown |= (uint64_t)(x.quiet[bit] == TRUTH_UNKNOWN) << bit;
                }
        if (r == 0)
                r = replay_judge(&x, left, unknown, &replay);
        free(x.script);
        free(x.unit);
        free(x.by);
        if (r < 0)
                replay_done(&replay);
        else
                *ret = replay;
        return r;
}
