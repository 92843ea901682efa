/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Action=deny: whether an egress that would be reported is refused. The same programs and tables that raise
 * the alert decide it, before anything about repeats and floods, so that it depends neither on barbwired nor
 * on room for a record. What a hook cannot refuse is reported, and nothing else is done about it. */

#include "abi/event.h"
#include "abi/policy.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "mark/activity.bpf.h"
#include "mark/mark.bpf.h"
#include "process/identity.bpf.h"

/* In bw_destination.act until correlate(): what the hook can do about the egress. Without any of them it can
 * do nothing. */
#define ACT_DENIES 0x4000 /* the hook refuses what correlate() tells it to */
#define ACT_DENIED_BEFORE                                                                                   \
        0x2000                  /* an earlier hook of the same operation has refused it, if it was to be    \
                                 */
#define ACT_DENIED_LATER 0x1000 /* a later one will, if the sensor is one whose hooks for files can */
#define ACT_ONLY_DENIES 0x0800  /* with ACT_DENIES: what is not refused is reported by a later hook */
#define ACT_ASKED 0x0400        /* current_is_exempt() was asked, and said no, */
#define ACT_EXEMPT 0x0200       /* or yes */
#define ACT_ENFORCEMENT                                                                                     \
        (ACT_DENIES | ACT_DENIED_BEFORE | ACT_DENIED_LATER | ACT_ONLY_DENIES | ACT_ASKED | ACT_EXEMPT)

/* 1: the programs for reads and writes of files can refuse these (sensor lsm). */
const volatile __u32 files_deny = 0;

/* 1: the programs that refuse connections may send signals: those of cgroups since 6.16. */
const volatile __u32 signals = 0;

/* Whether Never= names the executable of the current process, `pid`: that is judged at exec as for an
 * [Allow], and once more if the policy has changed since; and it must be an object that only root can
 * change. -1: the policy changed meanwhile. */
__noinline int never_by_exe(__u32 pid) {
        struct task_struct *task = current_task();
        struct policy_view v;
        struct process *p = process_view_get(pid, &v);
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);

        if (!p || !v.table->never_exe || !file)
                return false;
        __u32 rule = (v.table->never_exe - 1U) % BW_RULES_MAX;
        if (p->generation != v.table->generation) {
                path_match_rules(v.index, BW_AUTOMATON_EXE, pid, &file->f_path);
                if (!p->object)
                        object_look(pid, (__u64)task, false);
                if (p->program && p->object == FINDING_GOOD)
                        program_match(v.index, BW_AUTOMATON_EXE, pid);
        }
        bool named = p->rules.word[rule / 64] >> rule % 64 & 1 && p->object == FINDING_GOOD &&
                     p->host == FINDING_GOOD && host_seen(task) && !process_is_void(p) &&
                     !task_is_traced(task);
        return policy_view_held(&v) ? named : -1;
}

/* And by its unit, whatever it executes. */
static __always_inline bool never_by_unit(__u32 table, const struct bw_table *t, struct task_struct *task) {
        __u32 rule = (t->never_unit - 1U) % BW_RULES_MAX;

        if (!t->never_unit)
                return false;
        const struct bw_output *o = &t->outputs[unit_match(table, (__u64)task) % BW_OUTPUTS_MAX];
        return (o->sticky.word[rule / 64] | o->final.word[rule / 64]) >> rule % 64 & 1;
}

/* Whether Never= names the current process. Apart from enforce(), which has no stack left for it. */
__noinline int current_is_exempt(void) {
        struct task_struct *task = current_task();
        struct policy_view v;
        int named = -1;

        for (__u32 i = 0; i < POLICY_TRIES && named < 0; i++)
                named = never_by_exe(BPF_CORE_READ(task, tgid));
        return named > 0 || (policy_view_get(&v) && never_by_unit(v.index, v.table, task));
}

/* Beside enum bw_action: ask current_is_exempt(). */
#define ACTION_ASK 0x100

/* Whether the current process, `pid`, is barbwired. */
static __always_inline bool is_daemon(const struct bw_table *t, __u32 pid) {
        return pid == t->daemon_pid && task_start(current_task()) / BW_START_TICK_NS == t->daemon_start;
}

/* Of these classes those whose data process `pid` has over at most ActionHops= hand-overs, or over nobody
 * knows how many: none of its remembered files is of them, or it had more files than are remembered. */
__noinline __u64 classes_near(__u32 table, __u32 pid, __u64 classes) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct mark *m = mark_get(pid);
        __u64 listed = 0, near = 0;

        if (!t || !m || m->n_files > BW_FILES_MAX)
                return classes;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *f = &m->files[i];
                listed |= f->classes;
                near |= f->classes & ~t->far[f->hops % BW_FAR_SLOTS];
        }
        return classes & (near | ~listed);
}

/* What is done with egress by the current process of a class with Action=deny: enum bw_action. holder: its
 * number; 0: it holds nothing itself, and is suspected only, by what others of its user and cgroup have
 * read. That refuses egress of a class with FailClosed=yes alone, and nobody gets a signal for it. */
__noinline int enforce(__u32 table, __u32 holder, __u32 how, __u64 classes) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        if (!t)
                return BW_ACTION_NOT_DENIED;
        classes = t->denies & (holder ? classes_near(table, holder, classes) : classes & t->closes);
        if (!holder && (!classes || how & ACT_EXEMPT))
                return BW_ACTION_NOT_DENIED;
        if (!classes || how & ACT_EXEMPT || pid == 1 || is_daemon(t, pid))
                return BW_ACTION_ALERT;
        if (!(how & ACT_ASKED) && (t->never_exe | t->never_unit))
                return ACTION_ASK;
        if (!(classes & ~t->dry))
                return how & (ACT_DENIES | ACT_DENIED_BEFORE) ? BW_ACTION_WOULD_DENY : BW_ACTION_NOT_DENIED;
        if (!(how & ACT_DENIES))
                return BW_ACTION_NOT_DENIED;
        classes &= ~t->dry;
        return !signals || !holder  ? BW_ACTION_DENIED
               : t->kills & classes ? BW_ACTION_KILLED
               : t->stops & classes ? BW_ACTION_STOPPED
                                    : BW_ACTION_DENIED;
}

static __always_inline bool action_refuses(__u32 action) {
        return action == BW_ACTION_DENIED || action == BW_ACTION_STOPPED || action == BW_ACTION_KILLED;
}

#define SIGKILL 9
#define SIGSTOP 19

/* To the current process, which gets it before it returns to user space. */
static __always_inline void action_signal(__u32 action) {
        if (signals && action == BW_ACTION_STOPPED)
                bpf_send_signal(SIGSTOP);
        if (signals && action == BW_ACTION_KILLED)
                bpf_send_signal(SIGKILL);
}

/* Counts egress for those who look at what processes do, once for each operation. how: ACT_ENFORCEMENT. A
 * hook that only refuses is followed by another one, unless it refuses: enum bw_action. */
static __always_inline void egress_begins(__u32 how) {
        if (activity_wanted() && !(how & ACT_ONLY_DENIES))
                activity_current(ACTIVITY_EGRESS);
}

static __always_inline void egress_ends(__u32 how, __u32 action) {
        if (action_refuses(action) && how & ACT_ONLY_DENIES && activity_wanted())
                activity_current(ACTIVITY_EGRESS);
}

/* Whether another hook of the same operation reports it. suspected: the process holds nothing itself. */
static __always_inline bool reported_elsewhere(__u32 action, __u32 how, bool suspected) {
        if (how & ACT_ONLY_DENIES)
                return !action_refuses(action);
        return files_deny && how & ACT_DENIED_LATER && action == BW_ACTION_NOT_DENIED && !suspected;
}

#define EPERM 1
#define EACCES 13

/* What an LSM program, or one of fmod_ret, returns. A branch, which the compiler must not make a negation
 * of: before 6.13 or so the verifier does not know the range of one (seen on 6.12). */
#define HOOK_ANSWER(denied, error)                                                                          \
        ({                                                                                                  \
                int _answer = 0;                                                                            \
                if (denied)                                                                                 \
                        asm volatile("%0 = %1" : "=r"(_answer) : "i"(-(error)));                            \
                _answer;                                                                                    \
        })

static __always_inline int hook_answer(bool denied) {
        return HOOK_ANSWER(denied, EPERM);
}
