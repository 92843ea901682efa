/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Follows the BPF programs step by step (bpf/files/file.bpf.h, process/identity.bpf.h, egress/egress.bpf.h):
 * classes, rules, mark, destination, score. What the query does not say is unknown, except for what cannot
 * be known in advance and is assumed: the process is in the host's mount namespace, and nothing makes it run
 * other code. Must not access the system. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "alert/alert.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "alert/evaluate.h"
#include "alert/recorded.h"
#include "policy/check.h"
#include "policy/match.h"
#include "policy/values.h"

typedef struct Explainer {
        const Policy *p;
        const PolicyNames *names;
        const ExplainQuery *q;
        PolicyPath path, exe;
        ExplainAccess a;
        bool code; /* it is of a class with Code=yes */
} Explainer;

const char *truth_to_string(Truth t) {
        static const char *const names[_TRUTH_MAX] = { "no", "unknown", "yes" };
        return names[t];
}

static json_t *json_text(const char *s) {
        return s ? json_from_bytes(s, strlen(s)) : json_null();
}

static json_t *json_truth(Truth t) {
        return json_string(truth_to_string(t));
}

static json_t *json_origin(const PolicyOrigin *o) {
        return json_sprintf("%s:%u", o->file, o->line);
}

static unsigned class_bit(const Explainer *x, const char *name) {
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (x->names->class_names[bit] && strcmp(x->names->class_names[bit], name) == 0)
                        return bit;
        return BW_CLASSES_MAX;
}

static json_t *classes_explain(Explainer *x) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < x->p->n_classes; i++) {
                const PolicyClass *c = x->p->classes + i;
                const PolicyGlob *in = policy_match_looked(x->p, c->paths, c->n_paths, &x->path);
                const PolicyGlob *out = policy_match_looked(x->p, c->excludes, c->n_excludes, &x->path);
                unsigned bit = class_bit(x, c->name);

                if (!in)
                        continue;
                if (!out && !x->q->directory && c->code)
                        x->code = true;
                else if (!out && !x->q->directory && bit < BW_CLASSES_MAX)
                        x->a.touched |= UINT64_C(1) << bit;
                if (json_array_append_new(array,
                                    json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "name",
                                                    json_text(c->name), "first_sight", c->first_sight,
                                                    "description", json_text(c->description), "pattern",
                                                    json_text(in->glob), "origin", json_origin(&in->origin),
                                                    "exclude", json_text(out ? out->glob : NULL),
                                                    "exclude_origin",
                                                    out ? json_origin(&out->origin) : json_null())) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

Truth explain_trust(const ExplainProgram *program) {
        if (!program->seen)
                return TRUTH_UNKNOWN;
        return program->regular && !(program->flags & (BW_PROCESS_EXE_NOT_ROOTS | BW_PROCESS_EXE_WRITABLE))
                               ? TRUTH_YES
                               : TRUTH_NO;
}

Truth explain_trust_of_user(const ExplainProgram *program, uint32_t uid) {
        if (!program->seen)
                return TRUTH_UNKNOWN;
        return explain_trust(program) == TRUTH_YES ||
                                               (program->regular && program->kept && program->owner == uid)
                               ? TRUTH_YES
                               : TRUTH_NO;
}

/* Whether a rule of the user level may apply: everything is of one user, that of the query or else of the
 * file. */
static Truth user_level_judge(const Explainer *x, const PolicyAllow *a, const char **ret_text) {
        const ExplainQuery *q = x->q;
        uint32_t uid = q->user_known ? q->uid : q->owner;
        Truth applies = explain_trust_of_user(&q->exe, uid);

        if (a->n_scripts > 0 && q->script)
                applies = MIN(applies, explain_trust_of_user(&q->script_file, uid));
        if (q->links > 0 && q->owner != uid) {
                *ret_text = "the file is not the user's";
                return TRUTH_NO;
        }
        if (q->links == 0 && !q->user_known && applies == TRUTH_YES) {
                *ret_text = "the owner of the file is not known, and must be the user of the program";
                return TRUTH_UNKNOWN;
        }
        *ret_text = applies == TRUTH_YES ? "can be changed by root and the user of the file only"
                    : applies == TRUTH_UNKNOWN
                                    ? "cannot be accessed"
                                    : "can be changed by others than root and the user of the file";
        return applies;
}

/* Whose program it is, as far as its file says. */
static const char *executable_level(const ExplainProgram *exe, bool elsewhere) {
        static const char *const levels[_TRUTH_MAX] = { "none: no rule applies", "not known", "system" };

        if (elsewhere)
                return "that of the container, which decides what is at the path";
        if (explain_trust_of_user(exe, exe->owner) == TRUTH_YES && explain_trust(exe) == TRUTH_NO)
                return "user: rules with ~/ apply, to files of its owner";
        return levels[explain_trust(exe)];
}

static json_t *executable_explain(const ExplainProgram *exe, bool elsewhere) {
        const struct {
                bool is;
                const char *text;
        } problems[] = {
                { !exe->seen, "it does not exist, or cannot be accessed" },
                { exe->seen && !exe->regular, "it is not a regular file" },
                { exe->flags & BW_PROCESS_EXE_NOT_ROOTS, "it is not owned by root" },
                { exe->flags & BW_PROCESS_EXE_WRITABLE, "it is writable by its group or others" },
                { exe->flags & BW_PROCESS_EXE_DIR_WRITABLE, "its directory is writable by others" },
        };
        json_auto_t *array = json_array();

        if (!exe->path)
                return json_null();
        for (size_t i = 0; i < ELEMENTSOF(problems); i++)
                if (problems[i].is && json_array_append_new(array, json_string(problems[i].text)) < 0)
                        return NULL;
        return json_pack("{s:o, s:o, s:s, s:O, s:o}", "path", json_text(exe->path), "trusted",
                        json_truth(explain_trust(exe)), "level", executable_level(exe, elsewhere),
                        "problems", array, "interpreter",
                        json_text(exe->path[0] == '/' ? policy_interpreter(exe->path) : NULL));
}

/* "/a /b" */
static char *globs_join(const PolicyGlob *globs, size_t n) {
        TextStream text;
        FILE *f = text_open(&text);

        for (size_t i = 0; f && i < n; i++)
                fprintf(f, "%s%s", i > 0 ? " " : "", globs[i].glob);
        return f ? text_take(&text) : NULL;
}

/* Adds a condition, with a new reference to its text. */
static int condition_put(
                json_t *conditions, const char *key, const Truth applies, json_t *text, Truth *rule) {
        *rule = MIN(*rule, applies);
        return json_array_append_new(conditions, json_pack("{s:s, s:o, s:o}", "key", key, "applies",
                                                                 json_truth(applies), "text", text)) < 0
                               ? -ENOMEM
                               : 0;
}

/* Adds a condition, without which the rule does not apply. given: the value in the query, or NULL. by: the
 * item that matches it. */
static int condition_add(json_t *conditions, const char *key, const char *option, const PolicyGlob *globs,
                size_t n, const char *given, const PolicyGlob *by, Truth *rule) {
        _cleanup_free_ char *all = globs_join(globs, n);
        Truth applies = by ? TRUTH_YES : given ? TRUTH_NO : TRUTH_UNKNOWN;
        json_t *text;

        if (!all)
                return -ENOMEM;
        if (by)
                text = json_sprintf("%s (%s:%u)", by->glob, by->origin.file, by->origin.line);
        else if (given)
                text = json_sprintf("%s: not %s", all, given);
        else
                text = json_sprintf("%s: not known, use %s", all, option);
        return condition_put(conditions, key, applies, text, rule);
}

bool explain_script_is_plain(const char *script) {
        _cleanup_free_ char *s = NULL;

        if (script[0] != '/' || asprintf(&s, "%s/", script) < 0)
                return false;
        return !strstr(s, "//") && !strstr(s, "/./") && !strstr(s, "/../");
}

static const PolicyGlob *ancestor_match(const Explainer *x, const PolicyAllow *a) {
        for (size_t i = 0; i < x->q->n_ancestors; i++) {
                const ExplainProgram *ancestor = x->q->ancestors + i;
                const PolicyGlob *g = policy_match_path(x->p, a->ancestors, a->n_ancestors, ancestor->path);

                if (g && explain_trust(ancestor) == TRUTH_YES)
                        return g;
        }
        return NULL;
}

/* Adds User=, by its names. carrier: of a [Carrier]. */
static int user_condition(
                const Explainer *x, const PolicyAllow *a, bool carrier, json_t *conditions, Truth *rule) {
        _cleanup_free_ PolicyGlob *globs = calloc(a->n_users + 1, sizeof(PolicyGlob));
        const PolicyGlob *by = NULL;
        bool started = false;
        char uid[16];

        if (!globs)
                return -ENOMEM;
        (void)snprintf(uid, sizeof(uid), "%u", x->q->uid);
        for (size_t i = 0; i < a->n_users; i++) {
                globs[i] = (PolicyGlob){ .glob = a->users[i].name, .origin = a->users[i].origin };
                if (!by && x->q->user_known && a->users[i].uid == x->q->uid)
                        by = globs + i;
                started |= carrier && x->q->user_known && a->users[i].uid == 0;
        }
        if (!by && started)
                return condition_put(conditions, "User", TRUTH_UNKNOWN,
                                json_string("if root has executed it"), rule);
        return condition_add(conditions, "User", "--user=", globs, a->n_users, x->q->user_known ? uid : NULL,
                        by, rule);
}

/* Adds ExcludeArgument=. Of a process that is not known it is only said. */
static int argument_condition(const Explainer *x, const PolicyAllow *a, json_t *conditions, Truth *rule) {
        Truth applies = TRUTH_YES;
        const char *by = NULL;

        for (size_t i = 0; i < a->n_excluded && !by && x->q->cmdline; i++) {
                int has = recorded_argument(x->q->cmdline, a->excluded[i].name);

                if (has == -ENOMEM)
                        return has;
                const Truth is = has == 0 ? TRUTH_YES : has == 1 ? TRUTH_NO : TRUTH_UNKNOWN;
                applies = MIN(applies, is);
                by = has == 1 ? a->excluded[i].name : NULL;
        }
        TextStream text;
        FILE *f = text_open(&text);
        for (size_t i = 0; f && i < a->n_excluded; i++)
                fprintf(f, "%s%s", i > 0 ? " " : "", a->excluded[i].name);
        _cleanup_free_ char *all = f ? text_take(&text) : NULL;
        if (!all)
                return -ENOMEM;
        json_t *said = json_sprintf("%s it was started with %s", by ? "no:" : "unless", by ?: all);
        return condition_put(conditions, "ExcludeArgument", applies, said, rule);
}

/* Whether a rule can apply to the executable, whatever its name. */
static Truth rule_trust(const PolicyAllow *a, const ExplainQuery *q) {
        Truth trusted = explain_trust(&q->exe);

        if (q->voided || q->foreign)
                return TRUTH_NO;
        /* The path is inside the container, and cannot be checked from here. In one that the host's root
         * made, a rule may apply without Container=yes. */
        if (a->container != q->elsewhere && trusted == TRUTH_YES)
                return TRUTH_UNKNOWN;
        return trusted;
}

/* Evaluates all conditions of a rule. *ret_conditions: a new reference. */
static int rule_judge(const Explainer *x, const PolicyAllow *a, bool carrier, json_t **ret_conditions,
                Truth *ret) {
        const ExplainQuery *q = x->q;
        const char *opened = q->opened ?: q->path;
        json_auto_t *conditions = json_array();
        const PolicyGlob *exe = policy_match_looked(x->p, a->exes, a->n_exes, &x->exe);
        Truth applies = rule_trust(a, q);
        const char *text = a->container               ? "is in a container, and cannot be checked from here"
                           : applies == TRUTH_YES     ? "can be changed by root only"
                           : applies == TRUTH_UNKNOWN ? "cannot be accessed"
                                                      : "can be changed by users other than root";
        int r = 0;

        if (policy_rule_is_users(a) && !a->container && !q->voided && !q->strange) {
                applies = user_level_judge(x, a, &text);
                if (q->elsewhere && applies == TRUTH_YES)
                        applies = TRUTH_UNKNOWN;
        }
        r = condition_put(conditions, "executable", applies, json_string(text), &applies)
                            ?: condition_add(conditions, "Exe", "--exe=", a->exes, a->n_exes, q->exe.path,
                                               exe, &applies);
        if (r == 0 && a->n_paths > 0)
                r = condition_add(conditions, "Path", "", a->paths, a->n_paths, opened,
                                policy_match_path(x->p, a->paths, a->n_paths, opened), &applies);
        if (r == 0 && a->n_excluded > 0)
                r = argument_condition(x, a, conditions, &applies);
        if (r == 0 && a->n_scripts > 0)
                r = condition_add(conditions, "Script", "--script=", a->scripts, a->n_scripts, q->script,
                                q->script && explain_script_is_plain(q->script)
                                                ? policy_match_path(
                                                                  x->p, a->scripts, a->n_scripts, q->script)
                                                : NULL,
                                &applies);
        if (r == 0 && a->n_units > 0)
                r = condition_add(conditions, "Unit", "--unit=", a->units, a->n_units, q->unit,
                                q->unit ? policy_match_unit(x->p, a->units, a->n_units, q->unit) : NULL,
                                &applies);
        if (r == 0 && a->n_users > 0)
                r = user_condition(x, a, carrier, conditions, &applies);
        if (r == 0 && a->n_ancestors > 0)
                r = condition_add(conditions, "Ancestor", "--ancestor=", a->ancestors, a->n_ancestors,
                                q->n_ancestors > 0 ? "one of the given ancestors that only root can change"
                                                   : NULL,
                                ancestor_match(x, a), &applies);
        if (r < 0)
                return r;
        *ret_conditions = json_incref(conditions);
        *ret = applies;
        return 0;
}

/* Records what the rule allows for the classes of the file. */
static int rule_apply(Explainer *x, const PolicyAllow *a, uint64_t classes, Truth applies) {
        bool to = x->q->local ||
                  (!x->q->accepted && x->q->to.family &&
                                  policy_match_address(a->destinations, a->n_destinations, &x->q->to));
        Truth *what = a->n_destinations > 0 || a->passes ? x->a.bound : x->a.clean;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                if (!(classes >> bit & 1))
                        continue;
                what[bit] = MAX(what[bit], applies);
                if (applies == TRUTH_YES)
                        x->a.passes[bit] &= a->passes;
                if (a->n_destinations == 0 || to)
                        x->a.quiet[bit] = MAX(x->a.quiet[bit], applies);
        }
        if (applies == TRUTH_NO || (a->n_destinations > 0 && !to))
                return 0;

        char *by;
        if (asprintf(&by, "%s%s[Allow %s]", x->a.by[applies] ?: "", x->a.by[applies] ? ", " : "", a->name) <
                        0)
                return -ENOMEM;
        free(x->a.by[applies]);
        x->a.by[applies] = by;
        return 0;
}

static json_t *rules_explain(Explainer *x) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < x->p->n_allows; i++) {
                const PolicyAllow *a = x->p->allows + i;
                json_auto_t *names = json_array(), *conditions = NULL;
                char passes[VALUE_PASSES_SIZE];
                uint64_t classes = 0;
                Truth applies = TRUTH_UNKNOWN;

                for (size_t k = 0; k < a->n_classes; k++) {
                        unsigned bit = class_bit(x, a->classes[k].name);

                        if (bit == BW_CLASSES_MAX || !(x->a.touched >> bit & 1))
                                continue;
                        classes |= UINT64_C(1) << bit;
                        if (json_array_append_new(names, json_text(a->classes[k].name)) < 0)
                                return NULL;
                }
                if (classes == 0 ||
                                (x->q->exe.path && !policy_match_looked(x->p, a->exes, a->n_exes, &x->exe)))
                        continue;
                if (!x->q->exe.path)
                        conditions = json_array();
                else if (rule_judge(x, a, false, &conditions, &applies) < 0 ||
                                rule_apply(x, a, classes, applies) < 0)
                        return NULL;
                if (json_array_append_new(array,
                                    json_pack("{s:o, s:o, s:s, s:O, s:b, s:s, s:o, s:O}", "name",
                                                    json_text(a->name), "origin", json_origin(&a->origin),
                                                    "level", policy_rule_is_users(a) ? "user" : "system",
                                                    "classes", names, "destinations", a->n_destinations > 0,
                                                    "passes", value_format_passes(a->passes, passes),
                                                    "applies", json_truth(applies), "conditions",
                                                    conditions)) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

/* Those that the path or the program is one of. */
static json_t *carriers_explain(const Explainer *x) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < x->p->n_carriers; i++) {
                const PolicyCarrier *c = x->p->carriers + i;
                const PolicyGlob *path = policy_match_looked(x->p, c->paths, c->n_paths, &x->path);
                json_auto_t *conditions = NULL;
                const char *exe = x->q->exe.path;
                Truth applies = TRUTH_NO;

                if (exe && policy_match_looked(x->p, c->rule.exes, c->rule.n_exes, &x->exe)) {
                        if (rule_judge(x, &c->rule, true, &conditions, &applies) < 0)
                                return NULL;
                } else if (path)
                        conditions = json_array();
                else
                        continue;
                if (json_array_append_new(array,
                                    json_pack("{s:o, s:o, s:o, s:b, s:b, s:b, s:o, s:O}", "name",
                                                    json_text(c->rule.name), "origin",
                                                    json_origin(&c->rule.origin), "pattern",
                                                    json_text(path ? path->glob : NULL), "egress", c->egress,
                                                    "terminal", c->terminal, "own", c->own, "applies",
                                                    json_truth(applies), "conditions", conditions)) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

/* How sure an alert would be that the program had no business with the file. */
static json_t *evidence_explain(const Explainer *x) {
        Truth bound = TRUTH_YES;

        if (x->a.touched == 0)
                return json_null();
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                Truth of_class = MAX(x->a.bound[bit], x->a.clean[bit]);

                if (x->a.touched >> bit & 1)
                        bound = MIN(bound, of_class);
        }
        return json_string(evidence_to_string(bound == TRUTH_YES ? EVIDENCE_BOUND : EVIDENCE_UNBOUND));
}

/* The minimum over the classes of the file. YES: it has none. */
static Truth classes_all(const Explainer *x, const Truth truths[static BW_CLASSES_MAX]) {
        Truth all = TRUTH_YES;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (x->a.touched >> bit & 1)
                        all = MIN(all, truths[bit]);
        return all;
}

/* The classes that an alert would be about; those that may be allowed are included. late: only those that
 * count after the window. */
static uint64_t classes_left(const Explainer *x, bool late, uint64_t *ret_window_usec) {
        uint64_t left = 0, longest = 0;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const PolicyClass *c = policy_class_by_bit(x->p, x->names, bit);

                if (!c || !(x->a.touched >> bit & 1) || x->a.quiet[bit] == TRUTH_YES ||
                                (late && c->late_window_usec <= c->window_usec))
                        continue;
                left |= UINT64_C(1) << bit;
                longest = MAX(longest, late ? c->late_window_usec : c->window_usec);
        }
        *ret_window_usec = longest;
        return left;
}

/* Those of them that some rule surely lets the program read. */
static uint64_t classes_bound(const Explainer *x, uint64_t classes) {
        uint64_t bound = 0;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (classes >> bit & 1 && MAX(x->a.bound[bit], x->a.clean[bit]) == TRUTH_YES)
                        bound |= UINT64_C(1) << bit;
        return bound;
}

static Bytes view(const char *s) {
        return (Bytes){ .data = s ?: "", .size = s ? strlen(s) : 0 };
}

static json_t *score_explain(const Explainer *x, bool late) {
        _cleanup_free_ char *cgroup = NULL;
        json_auto_t *reasons = json_array();
        EventCorrelation e = { .n_lineage = x->q->n_ancestors, .destination = x->q->to };
        Score s = {};
        uint64_t window_usec;
        int r = 0;

        e.classes = classes_left(x, late, &window_usec);
        e.fresh = late ? 0 : e.classes;
        e.bound = classes_bound(x, e.fresh);
        if (e.classes == 0)
                return json_null();
        if (asprintf(&cgroup, "/%s", x->q->unit ?: "") < 0) {
                cgroup = NULL;
                return NULL;
        }
        e.process = (EventProcess){ .uid = x->q->uid,
                .flags = x->q->exe.flags,
                .comm = view(NULL),
                .exe = view(x->q->exe.path),
                .cmdline = view(NULL),
                .cgroup = view(cgroup) };
        for (size_t i = 0; i < e.n_lineage; i++)
                e.lineage[i] = (EventAncestor){ .comm = view(NULL), .exe = view(x->q->ancestors[i].path) };
        if (score_event(&e, 0, x->p, x->names, 0, &s) < 0)
                return NULL;

        for (size_t i = 0; r == 0 && i < s.n_reasons; i++)
                r = json_array_append_new(reasons, json_pack("{s:i, s:o}", "points", s.reasons[i].points,
                                                                   "text", json_text(s.reasons[i].text)));
        json_t *o = r < 0 ? NULL
                          : json_pack("{s:i, s:s, s:b, s:b, s:I, s:O}", "score", s.score, "severity",
                                            severity_to_string(s.severity), "ignored", s.ignored, "below",
                                            s.below, "window_usec", (json_int_t)window_usec, "reasons",
                                            reasons);
        score_done(&s);
        return o;
}

static json_t *destination_explain(const Explainer *x) {
        const struct bw_destination *to = &x->q->to;
        char address[INET6_ADDRSTRLEN] = "", family[FAMILY_NAME_SIZE];

        if (!to->family)
                return json_null();
        (void)inet_ntop(to->family, to->address, address, sizeof(address));
        return json_pack("{s:s, s:s, s:i, s:o}", "family", family_name(to->family, family), "address",
                        address, "port", to->port, "allowed", json_truth(classes_all(x, x->a.quiet)));
}

static json_t *verdict_of(const char *result, json_t *text) {
        return json_pack("{s:s, s:o}", "result", result, "text", text);
}

/* The kernel's programs know the names of a file that are in its cache; a path does not lead to them. */
static bool names_are_unknown(const Explainer *x) {
        return x->a.touched == 0 && x->q->links > 1;
}

/* Whether Never= names the program, or its unit. */
static bool verdict_never(const Explainer *x) {
        const PolicyEnforcement *e = &x->p->enforcement;

        return (x->q->unit && policy_match_unit(x->p, e->never, e->n_never, x->q->unit)) ||
               (x->q->exe.path && policy_match_path(x->p, e->never, e->n_never, x->q->exe.path));
}

/* Whether an alert about these classes comes with a refusal, as far as a policy tells it. */
static bool verdict_denies(const Explainer *x) {
        uint64_t window_usec, left = classes_left(x, false, &window_usec);
        bool denies = false;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const PolicyClass *c = left >> bit & 1 ? policy_class_by_bit(x->p, x->names, bit) : NULL;

                denies |= c && policy_class_denies(x->p, c);
        }
        return denies && !verdict_never(x);
}

/* Whether the open is refused, of a class that no rule allows it to read, as far as a policy tells it. */
static bool verdict_locks(const Explainer *x) {
        bool locks = false;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const PolicyClass *c =
                                x->a.touched >> bit & 1 ? policy_class_by_bit(x->p, x->names, bit) : NULL;

                locks |= c && policy_class_locks(x->p, c) &&
                         MAX(x->a.bound[bit], x->a.clean[bit]) == TRUTH_NO;
        }
        return locks && !verdict_never(x);
}

/* What is added to an alert in a verdict. */
static const char *denial_text(const Explainer *x) {
        return !verdict_denies(x)                                     ? ""
               : x->p->enforcement.enabled == POLICY_ENFORCED_DRY_RUN ? ", would be refused (dry-run)"
                                                                      : ", refused";
}

static json_t *verdict_explain(const Explainer *x, const json_t *classes, const json_t *score) {
        Truth clean = classes_all(x, x->a.clean), quiet = classes_all(x, x->a.quiet);
        const char *exe = x->q->exe.path, *severity = json_string_value(json_object_get(score, "severity"));
        int points = (int)json_integer_value(json_object_get(score, "score"));

        if (x->q->directory)
                return verdict_of("silent", json_string("silent: a directory; give a file in it."));
        if (names_are_unknown(x))
                return verdict_of("unknown",
                                json_sprintf("not known: the file has %lu names, and belongs to no class by "
                                             "this one; explain the others (find / -samefile FILE).",
                                                x->q->links));
        if (x->a.touched == 0 && x->code)
                return verdict_of("silent",
                                json_string("silent: it is code that interpreters load. If users other than "
                                            "root can change it, a script that opens it loses its rules."));
        if (x->a.touched == 0 && json_array_size(classes) > 0)
                return verdict_of("silent", json_string("silent: excluded by ExcludePath=."));
        if (x->a.touched == 0)
                return verdict_of("silent", json_string("silent: it belongs to no class."));
        if (json_is_true(json_object_get(score, "ignored")))
                return verdict_of("silent", json_string("silent: the destination has Ignore=yes."));
        if (verdict_locks(x) && !exe)
                return verdict_of("alert",
                                json_string("alert: not allowed to open it (Access=allowed), if no rule "
                                            "names the program."));
        if (verdict_locks(x))
                return verdict_of("alert",
                                json_sprintf("alert: %s %s not allowed to open it (Access=allowed).", exe,
                                                x->p->enforcement.enabled == POLICY_ENFORCED_DRY_RUN
                                                                ? "would be"
                                                                : "is"));
        if (clean == TRUTH_YES)
                return verdict_of("silent",
                                json_sprintf("silent: %s may read it, by %s.", exe, x->a.by[TRUTH_YES]));
        if (quiet == TRUTH_YES)
                return verdict_of("silent",
                                json_sprintf("silent: %s may read it and connect to %s "
                                             "destination, by %s.",
                                                exe, x->q->to.family ? "this" : "any", x->a.by[TRUTH_YES]));
        if (json_is_true(json_object_get(score, "below")))
                return verdict_of("silent", json_sprintf("silent: the score of %d is below Alert=%u.",
                                                            points, x->p->scoring.alert));
        if (quiet == TRUTH_UNKNOWN && x->q->to.family)
                return verdict_of("unknown",
                                json_sprintf("unknown: silent if %s applies, else an alert of severity %s, "
                                             "score %d%s.",
                                                x->a.by[TRUTH_UNKNOWN], severity, points, denial_text(x)));
        if (quiet == TRUTH_UNKNOWN)
                return verdict_of("unknown",
                                json_sprintf("unknown: silent if %s applies, else an alert of severity %s, "
                                             "score %d%s, at its first network access.",
                                                x->a.by[TRUTH_UNKNOWN], severity, points, denial_text(x)));
        if (!exe)
                return verdict_of("alert",
                                json_sprintf("alert: severity %s, score %d%s, if no rule names the program.",
                                                severity, points, denial_text(x)));
        if (!x->q->to.family)
                return verdict_of("alert",
                                json_sprintf("alert: severity %s, score %d%s, at its first network access.",
                                                severity, points, denial_text(x)));
        return verdict_of("alert",
                        json_sprintf("alert: severity %s, score %d%s.", severity, points, denial_text(x)));
}

static void explainer_begin(Explainer *x) {
        x->path = policy_path_look(x->p, x->q->path);
        if (x->q->exe.path)
                x->exe = policy_path_look(x->p, x->q->exe.path);
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                x->a.passes[bit] = BW_RULE_PASSES;
}

void explain_access_done(ExplainAccess *a) {
        for (Truth t = TRUTH_NO; t < _TRUTH_MAX; t++)
                free(a->by[t]);
        *a = (ExplainAccess){};
}

int policy_evaluate(const Policy *p, const PolicyNames *names, const ExplainQuery *q, ExplainAccess *ret) {
        Explainer x = { .p = p, .names = names, .q = q };

        explainer_begin(&x);
        json_auto_t *classes = classes_explain(&x), *rules = classes ? rules_explain(&x) : NULL;
        if (!rules) {
                explain_access_done(&x.a);
                return -ENOMEM;
        }
        *ret = x.a;
        return 0;
}

int policy_explain(const Policy *p, const PolicyNames *names, const ExplainQuery *q, json_t **ret) {
        Explainer x = { .p = p, .names = names, .q = q };

        explainer_begin(&x);
        json_auto_t *classes = classes_explain(&x), *rules = rules_explain(&x),
                    *score = score_explain(&x, false);
        Truth clean = classes_all(&x, x.a.clean);

        json_t *o = json_pack("{s:o, s:b, s:I, s:O, s:o, s:O, s:o, s:o, s:o, s:o, s:O, s:o, s:o}", "path",
                        json_text(q->path), "directory", q->directory, "links", (json_int_t)q->links,
                        "classes", classes, "executable", executable_explain(&q->exe, q->elsewhere), "rules",
                        rules, "carriers", carriers_explain(&x), "mark",
                        json_truth(names_are_unknown(&x) ? TRUTH_UNKNOWN : TRUTH_YES - clean), "evidence",
                        evidence_explain(&x), "destination", destination_explain(&x), "score", score, "late",
                        score_explain(&x, true), "verdict", verdict_explain(&x, classes, score));
        explain_access_done(&x.a);
        if (!o)
                return -ENOMEM;
        *ret = o;
        return 0;
}
