/* SPDX-License-Identifier: GPL-2.0-or-later */

/* How bad a correlation is, and why. Each step looks at one circumstance and adds points with a reason; the
 * points of all reasons sum up to the score, so that a person can check it. Must not look at the system:
 * everything it needs is in the event and the policy. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "score.h"
#include "util.h"

#define SCORE_LOWEST 1
#define SCORE_HIGHEST 100

/* From these scores on a correlation is medium, high. */
#define SCORE_MEDIUM 40
#define SCORE_HIGH 70

/* A second kind of secret is the strongest sign of a harvester; after the fourth nothing new is learnt. */
#define POINTS_FURTHER_CLASS 10
#define POINTS_FURTHER_CLASSES_MAX 30
/* Software that was not installed, but dropped. */
#define POINTS_WRITABLE_EXE 15
/* A proxy or a resolver may stand behind both: they lower the score, they never excuse. */
#define POINTS_THIS_HOST (-20)
#define POINTS_NAME_LOOKUP (-5)

#define PORT_DNS 53

typedef struct ScoreContext {
        const EventCorrelation *event;
        const Policy *policy;
        const PolicyNames *names;
        Score score;
} ScoreContext;

_printf_(3, 4) static int score_add(ScoreContext *c, int points, const char *format, ...) {
        Score *s = &c->score;
        va_list ap;
        char *text;

        va_start(ap, format);
        int r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;

        s->score += points;
        s->reasons[s->n_reasons++] = (ScoreReason){.points = points, .text = text};
        return 0;
}

static int step_class(ScoreContext *c) {
        const PolicyClass *worst = NULL;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                if (!(c->event->classes >> bit & 1))
                        continue;
                const PolicyClass *class = policy_class_by_bit(c->policy, c->names, bit);
                if (class && (!worst || class->score > worst->score))
                        worst = class;
        }

        if (!worst)
                return score_add(c, 0, "touched a secret of a class that the policy no longer has");
        if (worst->description)
                return score_add(c, (int)worst->score, "touched a secret: %s (class %s)", worst->description,
                                worst->name);
        return score_add(c, (int)worst->score, "touched a secret (class %s)", worst->name);
}

static int step_further_classes(ScoreContext *c) {
        int n = __builtin_popcountll(c->event->classes);
        if (n < 2)
                return 0;

        int points = MIN((n - 1) * POINTS_FURTHER_CLASS, POINTS_FURTHER_CLASSES_MAX);
        return score_add(c, points, "touched %d different classes of secrets", n);
}

static int step_executable(ScoreContext *c) {
        static const char *const directories[] = {"/tmp", "/var/tmp", "/dev/shm"};
        const char *exe = c->event->process.exe.data;

        /* The path the kernel gives to what memfd_create(2) made. */
        if (strncmp(exe, "/memfd:", strlen("/memfd:")) == 0)
                return score_add(c, POINTS_WRITABLE_EXE,
                                "runs from memory, its executable is no file on disk");

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                size_t n = strlen(directories[i]);

                if (strncmp(exe, directories[i], n) == 0 && exe[n] == '/')
                        return score_add(c, POINTS_WRITABLE_EXE, "runs from %s, where anyone may write",
                                        directories[i]);
        }

        return 0;
}

static int step_inherited(ScoreContext *c) {
        for (size_t i = 0; i < c->event->n_files; i++) {
                const EventFile *f = &c->event->files[i];

                if (f->via != BW_VIA_FORK)
                        continue;
                if (f->hops > 1)
                        return score_add(c, 0, "inherited from pid %u, its ancestor %u generations ago",
                                        f->pid, f->hops);
                return score_add(c, 0, "inherited from its parent, pid %u", f->pid);
        }

        return 0;
}

/* Loopback (RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3) and the unspecified address, which connect(2) takes for
 * it. */
static bool is_this_host(const struct bw_destination *d) {
        static const uint8_t loopback[16] = {[15] = 1}, unspecified[16] = {0};

        if (d->family == AF_INET)
                return d->address[0] == 127 || memcmp(d->address, unspecified, 4) == 0;
        return memcmp(d->address, loopback, 16) == 0 || memcmp(d->address, unspecified, 16) == 0;
}

static int step_this_host(ScoreContext *c) {
        if (!is_this_host(&c->event->destination))
                return 0;
        return score_add(c, POINTS_THIS_HOST, "the destination is this host itself");
}

static int step_name_lookup(ScoreContext *c) {
        if (c->event->destination.port != PORT_DNS)
                return 0;
        return score_add(c, POINTS_NAME_LOOKUP, "looks like a name lookup (port %d)", PORT_DNS);
}

/* Keeps the score in its range by a reason of its own: the sum stays true. */
static int step_limit(ScoreContext *c) {
        if (c->score.score > SCORE_HIGHEST)
                return score_add(c, SCORE_HIGHEST - c->score.score, "no score is above %d", SCORE_HIGHEST);
        if (c->score.score < SCORE_LOWEST)
                return score_add(c, SCORE_LOWEST - c->score.score, "no score is below %d", SCORE_LOWEST);
        return 0;
}

static int step_severity(ScoreContext *c) {
        const PolicyClass *strictest = NULL;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                if (!(c->event->classes >> bit & 1))
                        continue;
                const PolicyClass *class = policy_class_by_bit(c->policy, c->names, bit);
                if (class && class->severity != _SEVERITY_INVALID &&
                                (!strictest || class->severity > strictest->severity))
                        strictest = class;
        }

        Severity severity = c->score.score >= SCORE_HIGH     ? SEVERITY_HIGH
                            : c->score.score >= SCORE_MEDIUM ? SEVERITY_MEDIUM
                                                             : SEVERITY_LOW;
        c->score.severity = severity;
        if (!strictest || strictest->severity <= severity)
                return 0;

        c->score.severity = strictest->severity;
        return score_add(c, 0, "class %s is never less than %s", strictest->name,
                        severity_to_string(strictest->severity));
}

typedef int (*ScoreStep)(ScoreContext *c);

/* In the order in which a person is told. Each adds one reason at most. */
static const ScoreStep steps[] = {
                step_class,
                step_further_classes,
                step_executable,
                step_inherited,
                step_this_host,
                step_name_lookup,
                step_limit,
                step_severity,
};

_Static_assert(ELEMENTSOF(steps) <= SCORE_REASONS_MAX, "every step may add a reason");

int score_event(const EventCorrelation *e, const Policy *p, const PolicyNames *names, Score *ret) {
        ScoreContext c = {.event = e, .policy = p, .names = names};

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

void score_done(Score *s) {
        for (size_t i = 0; i < s->n_reasons; i++)
                free(s->reasons[i].text);
        *s = (Score){0};
}
