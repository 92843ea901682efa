/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rates a correlation. Each step looks at one circumstance and adds points with a reason; the points of all
 * reasons sum up to the score, so that a person can check it. Must not look at the system: everything it
 * needs is in the event, the policy and the arguments. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "event/cgroup-path.h"
#include "policy/lineage.h"
#include "policy/match.h"
#include "alert/evidence.h"
#include "alert/score.h"
#include "basic/util.h"

#define SCORE_LOWEST 1
#define SCORE_HIGHEST 100

/* A second class is the strongest sign of a harvester; after the fourth nothing new is learnt. */
#define POINTS_FURTHER_CLASS 10
#define POINTS_FURTHER_CLASSES_MAX 30
/* Each time that a process reads what another wrote, and when it executed another program since, it is less
 * certain that the data still contains the secret. But a long pipeline is how a secret is encoded, not how
 * it is lost: six filters in a row are a theft, and cost no more than five. */
#define POINTS_FLOW (-3)
#define POINTS_FLOW_MAX (-15)
/* One line written to a socket that everybody may write to makes the service behind it look like a thief. So
 * such an alert is a weak one: of a class of 80 it is low. step_floor() keeps it an alert. */
#define POINTS_FRAMED (-45)
/* A program with a rule prints what it was asked for, and people ask for it every day: $(gh auth token).
 * That counts for less than egress of its own: a class of 75 is low, two of them are medium. step_floor()
 * keeps it an alert. */
#define POINTS_PASSED (-10)
/* A process that listens on this host may serve many, and send what it has from others: of a class of 80 its
 * alert is low. That of the process which connected to it is not. */
#define POINTS_LOOPED (-40)
/* What a package manager, a server or a document adds; a build tool or cron adds less. */
#define POINTS_LINEAGE_SUSPECT 10
/* A person reads the first few; more would repeat what they say. */
#define LINEAGE_REASONS_MAX 8

typedef struct ScoreContext {
        const EventCorrelation *event;
        uint64_t mono_ns;
        const Policy *policy;
        const PolicyNames *names;
        uint64_t lineage_classes;
        unsigned worst_bit; /* of the class that scores; BW_CLASSES_MAX: the policy no longer has it */
        int further_points;
        bool framed, looped; /* step_framed(), step_looped() */
        Score score;
} ScoreContext;

_printf_(3, 4) static int score_add(ScoreContext *c, int points, const char *format, ...) {
        Score *s = &c->score;
        char *text = FORMAT_ARGUMENTS(format);

        if (!text)
                return -ENOMEM;
        s->score += points;
        s->reasons[s->n_reasons++] = (ScoreReason){ .points = points, .text = text };
        return 0;
}

/* Whether it has the class from programs whose rules pass it on, alone. */
static bool class_was_passed(const ScoreContext *c, unsigned bit) {
        return c->event->passed >> bit & 1;
}

static int points_of_evidence(const ScoreContext *c, unsigned bit) {
        return evidence_points(evidence_of_class(c->event, bit)) +
               (class_was_passed(c, bit) ? POINTS_PASSED : 0);
}

/* A class that the policy no longer has was worth an alert when the mark was made, and may have been
 * renamed: it still is. */
static int class_points(const ScoreContext *c, const PolicyClass *class, unsigned bit) {
        if (!class)
                return (int)c->policy->scoring.alert;
        return (int)class->score + points_of_evidence(c, bit);
}

/* Weaker evidence counts for less, so that a lesser class may be the one that scores. */
static int step_class(ScoreContext *c) {
        const PolicyClass *worst = NULL;
        int points = INT_MIN;

        c->worst_bit = BW_CLASSES_MAX;
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                if (!(c->event->classes >> bit & 1))
                        continue;
                const PolicyClass *class = policy_class_by_bit(c->policy, c->names, bit);
                if (class_points(c, class, bit) > points) {
                        worst = class;
                        points = class_points(c, class, bit);
                        c->worst_bit = class ? bit : BW_CLASSES_MAX;
                }
        }

        if (!worst)
                return score_add(c, (int)c->policy->scoring.alert,
                                "accessed a sensitive file of a class that the policy no longer has");
        if (worst->description)
                return score_add(c, (int)worst->score, "accessed a sensitive file: %s (class %s)",
                                worst->description, worst->name);
        return score_add(c, (int)worst->score, "accessed a sensitive file (class %s)", worst->name);
}

static int add_late(ScoreContext *c) {
        const int points = evidence_points(EVIDENCE_LATE);
        uint64_t age = 0;

        for (size_t i = 0; i < c->event->n_files && age == 0; i++) { /* newest first */
                const EventFile *f = &c->event->files[i];

                if (f->classes >> c->worst_bit & 1 && f->mono_ns < c->mono_ns)
                        age = (c->mono_ns - f->mono_ns) / NSEC_PER_SEC;
        }
        if (age == 0) /* the file is not among those that are remembered */
                return score_add(c, points, "opened the file longer ago than the class's window");
        return score_add(c, points, "opened the file %" PRIu64 " %s ago, longer than the class's window",
                        age < 120    ? age
                        : age < 7200 ? age / 60
                                     : age / 3600,
                        age < 120    ? "s"
                        : age < 7200 ? "min"
                                     : "h");
}

static int step_evidence(ScoreContext *c) {
        if (c->worst_bit == BW_CLASSES_MAX)
                return 0;
        switch (evidence_of_class(c->event, c->worst_bit)) {
        case EVIDENCE_BOUND:
                return score_add(c, evidence_points(EVIDENCE_BOUND), "%s",
                                class_was_passed(c, c->worst_bit)
                                                ? "a rule allows the access, but not by this program"
                                                : "a rule allows the access, but not this destination");
        case EVIDENCE_LATE:
                return add_late(c);
        default:
                return 0;
        }
}

static int step_passed(ScoreContext *c) {
        if (c->worst_bit == BW_CLASSES_MAX || !class_was_passed(c, c->worst_bit))
                return 0;
        return score_add(c, POINTS_PASSED,
                        "the rule of the program that opened the file passes on what it prints or leaves");
}

static int points_of_classes(uint64_t classes) {
        int n = __builtin_popcountll(classes);
        return n < 2 ? 0 : MIN((n - 1) * POINTS_FURTHER_CLASS, POINTS_FURTHER_CLASSES_MAX);
}

static int step_further_classes(ScoreContext *c) {
        c->further_points = points_of_classes(c->event->classes);
        if (c->further_points == 0)
                return 0;
        return score_add(c, c->further_points, "accessed sensitive files of %d classes",
                        __builtin_popcountll(c->event->classes));
}

/* A harvester that forks for each file: the sum is the same as if it opened all of them itself. */
static int step_lineage_classes(ScoreContext *c) {
        uint64_t more = c->lineage_classes & ~c->event->classes;
        if (more == 0)
                return 0;
        int points = points_of_classes(c->event->classes | more) - c->further_points;
        if ((more & (more - 1)) == 0)
                return score_add(c, points,
                                "its lineage accessed sensitive files of 1 more class within 5 minutes");
        return score_add(c, points,
                        "its lineage accessed sensitive files of %d more classes within 5 minutes",
                        __builtin_popcountll(more));
}

const char *path_in_shared_directory(Bytes path) {
        static const char *const directories[] = { "/tmp", "/var/tmp", "/dev/shm" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                size_t n = strlen(directories[i]);

                if (strncmp(path.data, directories[i], n) == 0 && path.data[n] == '/')
                        return directories[i];
        }
        return NULL;
}

/* Software that was dropped instead of installed. At most one of these, the worst first: an executable in
 * memory is deleted, too. */
static int step_executable(ScoreContext *c) {
        static const struct {
                uint32_t flag;
                int points;
                const char *text;
        } signs[] = {
                { BW_PROCESS_EXE_MEMORY, 15, "runs from memory: its executable is not a file on disk" },
                { BW_PROCESS_EXE_DIR_WRITABLE, 15, "runs from a directory that anyone may write to" },
                { BW_PROCESS_EXE_DELETED, 10, "its executable was deleted or replaced after it started" },
                { BW_PROCESS_EXE_WRITABLE, 10, "its executable is writable by others than its owner" },
                { BW_PROCESS_EXE_NOT_ROOTS, 5, "its executable is not owned by root" },
        };
        const EventProcess *p = &c->event->process;
        const char *directory = path_in_shared_directory(p->exe);

        for (size_t i = 0; i < ELEMENTSOF(signs); i++) {
                if (directory && signs[i].flag == BW_PROCESS_EXE_DIR_WRITABLE)
                        return score_add(c, signs[i].points, "runs from %s, which anyone may write to",
                                        directory);
                if (p->flags & signs[i].flag)
                        return score_add(c, signs[i].points, "%s", signs[i].text);
        }
        return 0;
}

/* The program may do what it was not written for. */
static int step_control(ScoreContext *c) {
        static const struct {
                uint32_t flag;
                int points;
                const char *text;
        } signs[] = {
                { BW_PROCESS_INJECTED, 10,
                                "was started with LD_PRELOAD= or the like, which makes it run other code" },
                { BW_PROCESS_FOREIGN_CODE, 10,
                                "runs code from a file that users other than root may change" },
                { BW_PROCESS_TRACED, 10, "is traced by another process, which may control it" },
                { BW_PROCESS_UNREAD, 0,
                                "was started with an environment that is too large to be examined, so that "
                                "no rule applies to it" },
                { BW_PROCESS_NOT_HOST, 0,
                                "runs in a container or chroot: it sees other files than the host" },
        };
        uint32_t flags = c->event->process.flags;
        int r = 0;

        /* Its own executable is such a file, and has its reason already. */
        if (flags & (BW_PROCESS_EXE_NOT_ROOTS | BW_PROCESS_EXE_WRITABLE | BW_PROCESS_EXE_MEMORY))
                flags &= ~(uint32_t)BW_PROCESS_FOREIGN_CODE;
        for (size_t i = 0; i < ELEMENTSOF(signs) && r == 0; i++)
                if (flags & signs[i].flag)
                        r = score_add(c, signs[i].points, "%s", signs[i].text);
        return r;
}

static int step_flood(ScoreContext *c) {
        return c->event->flags & BW_CORRELATION_FLOOD
                               ? score_add(c, 0,
                                                 "flood: further correlations of this executable and uid %u "
                                                 "are counted for 10 s, not written",
                                                 c->event->process.uid)
                               : 0;
}

static int step_untracked(ScoreContext *c) {
        if (c->event->flags & BW_CORRELATION_CLOSED)
                return score_add(c, 0,
                                "FailClosed=yes of the class: what the process would have done with the "
                                "file could not be followed, as a table is full or the policy kept "
                                "changing");
        return c->event->flags & BW_CORRELATION_SUSPECT
                               ? score_add(c, 0,
                                                 "the process is not tracked itself, as the share of a "
                                                 "table "
                                                 "of uid %u "
                                                 "is full: it is judged by what processes of its user and "
                                                 "cgroup "
                                                 "read or renamed",
                                                 c->event->process.uid)
                               : 0;
}

static int step_inherited(ScoreContext *c) {
        for (size_t i = 0; i < c->event->n_files; i++) {
                const EventFile *f = &c->event->files[i];

                if (f->via != BW_VIA_FORK)
                        continue;
                if (f->handed_over)
                        continue;
                if (f->generation > 1)
                        return score_add(c, 0, "inherited from its ancestor, pid %u, %u generations up",
                                        f->pid, f->generation);
                return score_add(c, 0, "inherited from its parent, pid %u", f->pid);
        }

        return 0;
}

/* Of the alerted file that is the nearest: how often its data was written and read again, and whether
 * another program was executed since it was opened. A received descriptor and another process's memory are
 * the secret itself, so these hops do not count. Returns false: there is no file. */
static bool nearest_file(const EventCorrelation *e, size_t *ret_hops, bool *ret_execed) {
        size_t nearest = SIZE_MAX;

        for (size_t i = 0; i < e->n_files; i++) {
                const EventFile *f = &e->files[i];
                size_t n = 0;

                for (size_t k = 0; k < f->n_route; k++)
                        n += f->route[k].via >= BW_VIA_PIPE;
                if (!(f->classes & e->classes) || n + f->execed >= nearest)
                        continue;
                nearest = n + f->execed;
                *ret_hops = n;
                *ret_execed = f->execed;
        }
        return nearest != SIZE_MAX;
}

static int step_flow(ScoreContext *c) {
        size_t n_hops = 0;
        bool execed = false;

        if (!nearest_file(c->event, &n_hops, &execed) || n_hops + execed == 0)
                return 0;
        const int points = MAX(((int)n_hops + execed) * POINTS_FLOW, POINTS_FLOW_MAX);
        const char *and_execed =
                        execed ? ", and another program was executed since the file was opened" : "";
        if (n_hops == 0)
                return score_add(c, points,
                                "another program was executed since the file was opened: what it was given "
                                "may "
                                "not contain the secret");
        if (n_hops == 1)
                return score_add(c, points,
                                "the data was written and read again once%s: it may no longer contain the "
                                "secret",
                                and_execed);
        return score_add(c, points,
                        "the data was written and read again %zu times%s: it may no longer contain the "
                        "secret",
                        n_hops, and_execed);
}

/* All alerted files came by a socket that another user's process wrote to. */
static int step_framed(ScoreContext *c) {
        const EventFile *framed = NULL;

        for (size_t i = 0; i < c->event->n_files; i++) {
                const EventFile *f = &c->event->files[i];

                if (!(f->classes & c->event->classes))
                        continue;
                if (!event_file_framed(f, &c->event->process))
                        return 0;
                framed = f;
        }
        c->framed = framed != NULL;
        return framed ? score_add(c, POINTS_FRAMED,
                                        "a process of another user, uid %u, wrote the data to a socket of "
                                        "this one: it may be framed",
                                        framed->uid)
                      : 0;
}

/* All alerted files went through a connection within this host. */
static int step_looped(ScoreContext *c) {
        bool looped = false;

        for (size_t i = 0; i < c->event->n_files; i++) {
                const EventFile *f = &c->event->files[i];

                if (!(f->classes & c->event->classes))
                        continue;
                if (!event_file_looped(f))
                        return 0;
                looped = true;
        }
        c->looped = looped;
        return looped && !c->framed
                               ? score_add(c, POINTS_LOOPED,
                                                 "the data went through a connection within this host, to a "
                                                 "process that may serve others, too")
                               : 0;
}

static bool has_bit(const struct bw_bits *bits, size_t i) {
        return bits->word[i / 64] >> i % 64 & 1;
}

static int add_lineage(ScoreContext *c, const PolicyLineage *l, const EventAncestor *ancestor) {
        const char *text = l->description ?: "has a lineage that the policy rates";

        if (ancestor && ancestor->pid > 0) /* 0: a hypothetical one (alert/evaluate.h) */
                return score_add(c, l->score, "%s (lineage %s, pid %u)", text, l->name, ancestor->pid);
        return score_add(c, l->score, "%s (lineage %s)", text, l->name);
}

static int step_lineage(ScoreContext *c) {
        const EventCorrelation *e = c->event;
        const LineageTable *t = c->policy->lineage_table;
        struct bw_bits exes[1 + BW_LINEAGE_MAX]; /* the process's own, then its ancestors' */
        unsigned n_reasons = 0;

        if (!t)
                return 0;
        struct bw_bits units = lineage_match_unit(t, cgroup_system_unit(e->process.cgroup));
        exes[0] = lineage_match_exe(t, e->process.exe);
        for (size_t i = 0; i < e->n_lineage; i++)
                exes[1 + i] = lineage_match_exe(t, e->lineage[i].exe);

        for (size_t i = 0; i < c->policy->n_lineages && n_reasons < LINEAGE_REASONS_MAX; i++) {
                const PolicyLineage *l = c->policy->lineages + i;
                size_t k = 0;

                while (l->n_exes > 0 && k <= e->n_lineage && !has_bit(&exes[k], i))
                        k++;
                if (k > e->n_lineage || (l->n_units > 0 && !has_bit(&units, i)) ||
                                l->n_exes + l->n_units == 0)
                        continue;
                /* Not by its own executable: Node.js is what package managers run, and every server. */
                if (l->score >= POINTS_LINEAGE_SUSPECT && (k > 0 || l->n_exes == 0))
                        c->score.lineage_is_suspect = true;
                int r = add_lineage(c, l, k > 0 ? &e->lineage[k - 1] : NULL);
                if (r < 0)
                        return r;
                n_reasons++;
        }
        return 0;
}

/* Returns how many bits of the address the section names; -1: it does not match. An unknown address is any,
 * and not near. */
static int destination_match(const PolicyDestination *d, const struct bw_destination *to) {
        const bool unknown = event_destination_unknown(to);
        bool port = d->n_ports == 0;
        int longest = d->n_addresses == 0 && d->n_ports > 0 ? 0 : -1;

        for (size_t i = 0; i < d->n_ports; i++)
                port = port || (d->ports[i].first <= to->port && to->port <= d->ports[i].last);
        for (size_t i = 0; port && i < d->n_addresses; i++)
                if (policy_match_network(d->addresses + i, to) && (!unknown || d->addresses[i].prefix == 0))
                        longest = MAX(longest, (int)d->addresses[i].prefix);
        return port ? longest : -1;
}

/* A local service or a file, which a [Carrier] with Egress=yes may declare to reach the network. */
static int step_service(ScoreContext *c) {
        const Bytes *path = &c->event->destination_path;

        for (size_t i = 0; path->size > 0 && i < c->policy->n_carriers; i++) {
                const PolicyCarrier *carrier = c->policy->carriers + i;

                if (carrier->egress &&
                                policy_match_path(c->policy, carrier->paths, carrier->n_paths, path->data))
                        return score_add(c, carrier->score, "the destination is %s (carrier %s)",
                                        carrier->description
                                                        ?: "a local service that reaches the network for "
                                                           "others",
                                        carrier->rule.name);
        }
        return 0;
}

/* The most specific section scores; any matching one with Ignore=yes ignores the destination. */
static int step_destination(ScoreContext *c) {
        const PolicyDestination *nearest = NULL;
        int longest = -1;

        if (c->event->destination.family != AF_INET && c->event->destination.family != AF_INET6)
                return step_service(c);
        for (size_t i = 0; i < c->policy->n_destinations; i++) {
                const PolicyDestination *d = c->policy->destinations + i;
                int length = destination_match(d, &c->event->destination);

                if (length < 0)
                        continue;
                c->score.ignored = c->score.ignored || d->ignore;
                if (length > longest) {
                        longest = length;
                        nearest = d;
                }
        }
        if (!nearest)
                return event_destination_unknown(&c->event->destination)
                                       ? score_add(c, 0,
                                                         "the destination is not known: this sensor does "
                                                         "not see "
                                                         "the addresses of raw packets")
                                       : 0;
        return score_add(c, nearest->score, "the destination is %s (destination %s)",
                        nearest->description ?: "one that the policy rates", nearest->name);
}

/* A thief chooses when to send and by which route. That may lower the score, but not below Alert=, unless
 * the class is a mere hint; nor may a program that is asked for a secret by its rule. A site that wants no
 * alert sets Ignore=yes, which is counted. */
static int step_floor(ScoreContext *c) {
        const PolicyScoring *scoring = &c->policy->scoring;
        int missing = (int)scoring->alert - c->score.score;
        bool serious = false;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX && !serious; bit++) {
                if (!(c->event->classes >> bit & 1))
                        continue;
                const PolicyClass *class = policy_class_by_bit(c->policy, c->names, bit);
                serious = !class ||
                          class->score >= (class_was_passed(c, bit) ? scoring->alert : scoring->medium);
        }
        if (!serious || missing <= 0)
                return 0;
        return score_add(c, missing,
                        "raised to the alert threshold: delay, indirection and destination may not suppress "
                        "an "
                        "alert");
}

/* Keeps the score in its range by a reason of its own, so that the sum stays true. */
static int step_limit(ScoreContext *c) {
        if (c->score.score > SCORE_HIGHEST)
                return score_add(c, SCORE_HIGHEST - c->score.score, "capped at the highest score, %d",
                                SCORE_HIGHEST);
        if (c->score.score < SCORE_LOWEST)
                return score_add(c, SCORE_LOWEST - c->score.score, "raised to the lowest score, %d",
                                SCORE_LOWEST);
        return 0;
}

static int step_severity(ScoreContext *c) {
        const PolicyScoring *scoring = &c->policy->scoring;
        const PolicyClass *strictest = NULL;
        bool always = false;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                if (!(c->event->classes >> bit & 1))
                        continue;
                const PolicyClass *class = policy_class_by_bit(c->policy, c->names, bit);
                if (!class || class->severity == _SEVERITY_INVALID)
                        continue;
                always = true;
                if (!class_was_passed(c, bit) && (!strictest || class->severity > strictest->severity))
                        strictest = class;
        }

        Severity severity = c->score.score >= (int)scoring->high     ? SEVERITY_HIGH
                            : c->score.score >= (int)scoring->medium ? SEVERITY_MEDIUM
                                                                     : SEVERITY_LOW;
        c->score.severity = severity;
        c->score.below = !always && c->score.score < (int)scoring->alert;
        if (!strictest || strictest->severity <= severity || c->framed || c->looped)
                return 0;

        c->score.severity = strictest->severity;
        return score_add(c, 0, "class %s has a severity of at least %s", strictest->name,
                        severity_to_string(strictest->severity));
}

typedef int (*ScoreStep)(ScoreContext *c);

/* In the order in which the reasons are shown. */
static const ScoreStep steps[] = {
        step_class,
        step_evidence,
        step_passed,
        step_further_classes,
        step_lineage_classes,
        step_executable,
        step_control,
        step_inherited,
        step_flow,
        step_framed,
        step_looped,
        step_flood,
        step_untracked,
        step_lineage,
        step_destination,
        step_floor,
        step_limit,
        step_severity,
};

_Static_assert(ELEMENTSOF(steps) + 3 + LINEAGE_REASONS_MAX - 1 + 1 <= SCORE_REASONS_MAX,
                "every step may add a reason, the one about control four, the one about lineages more, and "
                "score_soften() one");

int score_event(const EventCorrelation *e, uint64_t mono_ns, const Policy *p, const PolicyNames *names,
                uint64_t lineage_classes, Score *ret) {
        ScoreContext c = {
                .event = e,
                .mono_ns = mono_ns,
                .policy = p,
                .names = names,
                .lineage_classes = lineage_classes,
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                int r = steps[i](&c);
                if (r < 0) {
                        score_done(&c.score);
                        return r;
                }
        }

        *ret = c.score;
        return 0;
}

int score_soften(Score *s, const PolicyScoring *scoring, Severity to, const char *reason) {
        const int most = MAX((int)(to == SEVERITY_INFO ? scoring->alert : scoring->medium) - 1,
                                  SCORE_LOWEST),
                  points = MIN(0, most - s->score);
        char *text = strdup(reason);

        if (!text)
                return -ENOMEM;
        s->score += points;
        s->severity = MIN(s->severity, to);
        s->reasons[s->n_reasons++] = (ScoreReason){ .points = points, .text = text };
        return 0;
}

void score_done(Score *s) {
        for (size_t i = 0; i < s->n_reasons; i++)
                free(s->reasons[i].text);
        *s = (Score){ 0 };
}
