/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Matches paths: walks from a dentry up to the root of its mount namespace and runs an automaton over the
 * names. The automaton reads paths backwards, so one pass without a buffer is enough, and there is nothing
 * that a preempting program could overwrite. Also the policy tables' view, names of paths, and drafts.
 *
 * Verifier: the loop over the bytes of a component is in a global function of its own (verified once, for
 * any argument); the loop over the components calls it. */

#include "abi/counters.h"
#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"

/* A name has a 64-bit id: 52 bits of hash over the path's components, device and inode, and in the lower 12
 * bits the path's length, which determines the table of its text. 0: no name. Hash and length of a component
 * are the dentry's own; that hash is salted with the parent's address (fs/namei.c hashlen_string()), so a
 * path may have two ids, which costs a table entry. */
#define NAME_LENGTH(id) ((__u32)((id)&0xfff))
/* Of a name that could not be stored: it stands for one that was lost. */
#define NAME_UNKNOWN 0xfffULL
/* The beginning of a path of the largest length may be missing. */
#define NAME_IS_CUT(id) (NAME_LENGTH(id) == NAME_LONG_MAX)

/* Names up to this length are inside the dentry (DNAME_INLINE_LEN, include/linux/dcache.h: 32, since 6.14
 * 40, but our stack has room for 32). Longer names are read in words. Either may read bytes before the name:
 * those are inside the dentry, or the header of an external name. */
#define NAME_INLINE 32
#define NAME_MAX 255

/* Result of path_component(): the state in the lower half, its output index above, and whether the name
 * could not be read. */
#define COMPONENT_STATE(r) ((__u32)(r)&BW_STATE_MASK)
#define COMPONENT_OUTPUT(r) ((__u32)((r) >> 32) & BW_OUTPUT_MASK)
#define COMPONENT_FAULT (1ULL << 63)

/* One byte class; the same as glob_automaton_step() in daemon/glob/pack.c. BW_DEFAULT_SKIPS in the result:
 * the automaton waits for the next '/', whatever comes before it. */
static __always_inline __u32 automaton_step(const struct bw_cell *cells, __u32 state, __u32 class) {
        const struct bw_cell *cell = &cells[(state + class) & cells_mask];
        if (cell->check == state)
                return cell->next;

        __u32 next = cells[state & cells_mask].next, fallback = next & BW_STATE_MASK;
        cell = &cells[(fallback + class) & cells_mask];
        return cell->check == fallback ? cell->next : next;
}

/* Steps over up to eight bytes of a component, the highest of `word` first. Returns the state, with
 * BW_DEFAULT_SKIPS; the dead state if there is no table. */
__noinline __u32 path_word(__u32 table, __u32 which, __u32 state, __u64 word, __u32 n) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);

        if (!t || !cells)
                return 0;
        const __u8 *class_of = t->byte_class[which % BW_AUTOMATON_SLOTS];
        for (__u32 i = 0; i < 8; i++) {
                if (i >= n || state & BW_DEFAULT_SKIPS)
                        break;
                __u8 byte = word >> 56; /* little endian: the last byte in memory */
                word <<= 8;
                state = automaton_step(cells, state, class_of[byte]);
        }
        return state;
}

/* Steps over the '/' before a component. */
static __always_inline __u64 path_slash(
                const struct bw_table *t, const struct bw_cell *cells, __u32 which, __u32 state) {
        __u32 class = t->byte_class[which % BW_AUTOMATON_SLOTS]['/'];

        state = automaton_step(cells, state & BW_STATE_MASK, class) & BW_STATE_MASK;
        __u64 output = cells[state & cells_mask].check & BW_OUTPUT_MASK;
        return output << 32 | state;
}

/* path_component() for a name outside the dentry. */
__noinline __u64 path_component_long(__u32 table, __u32 which, __u32 state, __u64 name, __u32 length) {
        for (__s64 left = length & NAME_MAX; left > 0; left -= 8) {
                __u64 word;
                if (state & BW_DEFAULT_SKIPS)
                        break;
                if (bpf_probe_read_kernel(&word, sizeof(word), (void *)(name + left - 8)))
                        return COMPONENT_FAULT;
                state = path_word(table, which, state, word, left);
                barrier_var(left); /* otherwise the comparison is one that kernel 5.10 learns nothing from */
        }
        /* Not before the loop, in which they would take stack. */
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);
        return t && cells ? path_slash(t, cells, which, state) : COMPONENT_FAULT;
}

/* Steps over one component of at most NAME_INLINE bytes, last byte first, and over the '/' before it.
 * table: index of the policy table; which: enum bw_automaton; name: the kernel address of `length` bytes. */
__noinline __u64 path_component_short(__u32 table, __u32 which, __u32 state, __u64 name, __u32 length) {
        __u64 words[NAME_INLINE / 8];
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);

        if (!t || !cells ||
                        bpf_probe_read_kernel(words, sizeof(words), (void *)(name + length - sizeof(words))))
                return COMPONENT_FAULT;
        const __u8 *class_of = t->byte_class[which % BW_AUTOMATON_SLOTS];
        for (__u32 i = 0; i < NAME_INLINE; i++) {
                if (i >= length || state & BW_DEFAULT_SKIPS)
                        break;
                __u8 byte = ((__u8 *)words)[NAME_INLINE - 1 - i];
                state = automaton_step(cells, state, class_of[byte]);
        }
        return path_slash(t, cells, which, state);
}

static __always_inline __u64 path_component(
                __u32 table, __u32 which, __u32 state, __u64 name, __u32 length) {
        return length <= NAME_INLINE ? path_component_short(table, which, state, name, length)
                                     : path_component_long(table, which, state, name, length);
}

/* Parent, hash, length and address of the name: adjacent in struct dentry on every kernel that does not
 * randomize its layout, so one read is enough where each read is a call. */
static __always_inline bool dentry_head_read(__u64 dentry, struct dentry_head *ret) {
        const __u64 parent_at = bpf_core_field_offset(struct dentry, d_parent);

        if (!READS_ARE_DIRECT && bpf_core_field_offset(struct dentry, d_name) == parent_at + 8 &&
                        bpf_core_field_offset(struct qstr, hash_len) == 0 &&
                        bpf_core_field_offset(struct qstr, name) == 8)
                return bpf_probe_read_kernel(ret, sizeof(*ret), (void *)(dentry + parent_at)) == 0;

        const struct dentry *d = (const struct dentry *)dentry;
        ret->parent = (__u64)READ_OFTEN(d, d_parent);
        ret->hash_len = READ_OFTEN(d, d_name.hash_len);
        ret->name = (__u64)READ_OFTEN(d, d_name.name);
        return ret->parent;
}

static __always_inline void path_cursor_init(struct path_cursor *c, __u64 vfsmount, __u64 dentry) {
        c->dentry = dentry;
        c->mount = vfsmount - bpf_core_field_offset(struct mount, mnt);
        c->mnt_root = (__u64)READ_OFTEN((struct vfsmount *)vfsmount, mnt_root);
}

enum path_move { PATH_COMPONENT, PATH_MOUNT, PATH_ROOT, PATH_DISCONNECTED, PATH_FAULT };

/* Moves one step up: over a component, which goes to *h, from a mount's root to its mountpoint, or reaches
 * the root. That is the root of the mount namespace, not of the process: chroot(2) does not matter. */
static __always_inline enum path_move path_up(struct path_cursor *c, struct dentry_head *h) {
        if (c->dentry == c->mnt_root) {
                struct mount *m = (struct mount *)c->mount;
                __u64 parent = (__u64)READ_OFTEN(m, mnt_parent);
                if (parent == c->mount)
                        return PATH_ROOT;
                c->dentry = (__u64)READ_OFTEN(m, mnt_mountpoint);
                c->mount = parent;
                c->mnt_root = (__u64)READ_OFTEN((struct mount *)parent, mnt.mnt_root);
                return PATH_MOUNT;
        }
        if (!dentry_head_read(c->dentry, h))
                return PATH_FAULT;
        if (h->parent == c->dentry) { /* a memfd, a pipe, a file system that is not mounted */
                const struct dentry *d = (const struct dentry *)c->dentry;
                return READ_OFTEN(d, d_flags) & DCACHE_DISCONNECTED ? PATH_DISCONNECTED : PATH_ROOT;
        }
        c->dentry = h->parent;
        return PATH_COMPONENT;
}

static __always_inline __u64 hash_mix(__u64 hash, __u64 value) {
        hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL; /* 2^64 / golden ratio */
        return hash ^ hash >> 29;
}

static __always_inline void bits_or(struct bw_bits *to, const struct bw_bits *from) {
        to->word[0] |= from->word[0];
        to->word[1] |= from->word[1];
        to->word[2] |= from->word[2];
        to->word[3] |= from->word[3];
}

static __always_inline bool bits_meet(const struct bw_bits *a, const struct bw_bits *b) {
        return (a->word[0] & b->word[0]) | (a->word[1] & b->word[1]) | (a->word[2] & b->word[2]) |
               (a->word[3] & b->word[3]);
}

static __always_inline struct scratch *scratch_get(void) {
        __u64 thread = bpf_get_current_pid_tgid();
        __u32 zero = 0;
        const void *empty = bpf_map_lookup_elem(&bw_zero, &zero);

        if (!empty || bpf_map_update_elem(&bw_scratch, &thread, empty, BPF_ANY))
                return NULL;
        return bpf_map_lookup_elem(&bw_scratch, &thread);
}

static __always_inline void scratch_put(void) {
        __u64 thread = bpf_get_current_pid_tgid();
        bpf_map_delete_elem(&bw_scratch, &thread);
}

/* Adds the automaton's output for the path so far (sticky) or for the complete path (final). words: how many
 * of struct bw_bits matter. */
static __always_inline void path_walk_collect(
                __u32 table, struct path_walk *w, bool final, const __u32 words) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);

        if (!t || !w->output)
                return;
        const struct bw_output *o = &t->outputs[w->output % BW_OUTPUTS_MAX];
        for (__u32 i = 0; i < words; i++)
                w->bits.word[i] |= final ? o->final.word[i] : o->sticky.word[i];
}

/* One step of an automaton over a path. */
static __always_inline enum walk path_walk_step(
                __u32 table, __u32 which, struct path_walk *w, const __u32 words) {
        if (!w->state)
                return WALK_SETTLED;
        enum path_move move = path_up(&w->cursor, &w->head);
        if (move == PATH_MOUNT)
                return WALK_GOES_ON;
        if (move != PATH_COMPONENT)
                return move == PATH_ROOT           ? WALK_WHOLE
                       : move == PATH_DISCONNECTED ? WALK_DISCONNECTED
                                                   : WALK_CUT;
        __u64 r = path_component(table, which, w->state, w->head.name, w->head.hash_len >> 32);
        if (r & COMPONENT_FAULT)
                return WALK_CUT;
        w->state = COMPONENT_STATE(r);
        w->output = COMPONENT_OUTPUT(r);
        if (w->output)
                path_walk_collect(table, w, false, words);
        return WALK_GOES_ON;
}

/* The result of path_match() when the walk has ended. */
static __always_inline __u64 path_verdict(__u32 which, enum walk end, const struct path_walk *w) {
        if (which == BW_AUTOMATON_CARRIER)
                return w->bits.word[0];
        if (end == WALK_DISCONNECTED)
                report_loss(BW_LOSS_PATH_UNKNOWN);
        else if (end == WALK_CUT || end == WALK_GOES_ON)
                report_loss(BW_LOSS_PATH_TRUNCATED);
        return w->bits.word[BW_FILE_WORD_INCLUDE] & ~w->bits.word[BW_FILE_WORD_EXCLUDE];
}

/* Stores the rules that an executable matches in the entry of process `pid`. Returns whether there is any.
 */
static __always_inline __u64 rules_keep(__u32 which, __u32 pid, const struct bw_bits *bits) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p)
                return 0;
        if (which == BW_AUTOMATON_EXE)
                p->rules = *bits;
        else if (which == BW_AUTOMATON_ANCESTOR)
                p->own = *bits;
        return (bits->word[0] | bits->word[1] | bits->word[2] | bits->word[3]) != 0;
}

/* The walk is not complete and continues in the current thread's scratch. A path that all 64 classes include
 * has the same value. */
#define VERDICT_LATER (~0ULL)

/* The first steps of path_match(), which are enough for nearly every path; otherwise VERDICT_LATER. */
__noinline __u64 path_match_short(__u32 table, __u32 which, __u64 vfsmount, __u64 dentry) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        enum walk end = WALK_GOES_ON;
        struct path_walk w;

        if (!t)
                return 0;
        /* Zeros that the verifier does not know as constants, so that all steps look alike to it. */
        for (__u32 i = 0; i < BW_FILE_WORDS; i++)
                w.bits.word[i] = t->outputs[0].sticky.word[i];
        w.output = t->outputs[0].sticky.word[0];
        w.state = t->start[which % BW_AUTOMATON_SLOTS];
        path_cursor_init(&w.cursor, vfsmount, dentry);
        for (__u32 i = 0; i < WALK_STEPS && end == WALK_GOES_ON; i++)
                end = path_walk_step(table, which, &w, BW_FILE_WORDS);
        if (end == WALK_GOES_ON) {
                struct scratch *s = scratch_get();
                if (s) {
                        s->walk.cursor = w.cursor;
                        for (__u32 i = 0; i < BW_FILE_WORDS; i++)
                                s->walk.bits.word[i] = w.bits.word[i];
                        s->walk.state = w.state;
                        s->walk.output = w.output;
                        return VERDICT_LATER;
                }
        }
        if (end == WALK_WHOLE)
                path_walk_collect(table, &w, true, BW_FILE_WORDS);
        return path_verdict(which, end, &w);
}

/* Some more steps, in the current thread's scratch. last: the walk ends here, complete or not. */
__noinline __u64 path_match_some(__u32 table, __u32 which, __u32 pid, __u32 last) {
        __u64 thread = bpf_get_current_pid_tgid();
        struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);
        enum walk end = WALK_GOES_ON;

        if (!s)
                return VERDICT_LATER; /* as a verdict: all classes */
        for (__u32 i = 0; i < WALK_STEPS && end == WALK_GOES_ON; i++)
                end = path_walk_step(table, which, &s->walk, BW_WORDS);
        if (end == WALK_GOES_ON && !last)
                return VERDICT_LATER;
        if (end == WALK_WHOLE)
                path_walk_collect(table, &s->walk, true, BW_WORDS);
        if (which == BW_AUTOMATON_FILE || which == BW_AUTOMATON_CARRIER)
                return path_verdict(which, end, &s->walk);
        if (end != WALK_WHOLE && end != WALK_SETTLED)
                __builtin_memset(&s->walk.bits, 0, sizeof(s->walk.bits));
        return rules_keep(which, pid, &s->walk.bits);
}

/* With BW_AUTOMATON_PATH the rules are left there. The verifier walks every iteration of a loop: so this is
 * a loop around a loop, with the state between them
 * in a map. */
__noinline __u64 path_match_long(__u32 table, __u32 which, __u32 pid) {
        __u64 r = VERDICT_LATER;

        for (__u32 left = BW_PATH_STEPS_MAX / WALK_STEPS; left > 0 && r == VERDICT_LATER; left--)
                r = path_match_some(table, which, pid, left == 1);
        if (which != BW_AUTOMATON_PATH)
                scratch_put();
        return r;
}

/* Runs an automaton over the path of a file. BW_AUTOMATON_FILE: the classes that are included and not
 * excluded; a truncated path is counted as a loss and judged by its end. BW_AUTOMATON_CARRIER: BW_CARRIER_*.
 * Uses global functions, which are verified once, however many hooks call them (before 5.12 they accept no
 * pointer to the stack). */
static __always_inline __u64 path_match(__u32 table, __u32 which, __u64 vfsmount, __u64 dentry) {
        __u64 r = path_match_short(table, which, vfsmount, dentry);

        return r == VERDICT_LATER ? path_match_long(table, which, 0) : r;
}

/* Begins a walk in the current thread's scratch. false: there is none. */
__noinline int path_begin(__u32 table, __u32 which, __u64 vfsmount, __u64 dentry) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct scratch *s = t ? scratch_get() : NULL;

        if (!s)
                return false;
        s->walk.state = t->start[which % BW_AUTOMATON_SLOTS];
        path_cursor_init(&s->walk.cursor, vfsmount, dentry);
        return true;
}

/* The same for the path of an executable: BW_AUTOMATON_EXE or BW_AUTOMATON_ANCESTOR. Writes the matching
 * rules to the entry of process `pid`, as `rules` or `own`; a truncated path matches none. Returns whether
 * any did. */
static __always_inline bool path_match_rules(__u32 table, __u32 which, __u32 pid, const struct path *path) {
        if (path_begin(table, which, (__u64)BPF_CORE_READ(path, mnt), (__u64)BPF_CORE_READ(path, dentry)))
                return path_match_long(table, which, pid);
        const struct bw_bits none = {};
        return rules_keep(which, pid, &none);
}

/* ---- drafts ---- */

#define DRAFT_NONE 0xffffffffU
/* Drafts tried before giving up: for a name, those of one CPU and the next; for an alert, all of them. */
#define DRAFT_TRIES_NAME 8
#define DRAFT_TRIES_ALERT 128

/* Takes a free draft. Returns its number, or DRAFT_NONE. */
__noinline __u32 draft_claim(__u32 tries) {
        __u32 first = bpf_get_smp_processor_id() * 4;
        __u8 taken = 1;

        for (__u32 i = 0; i < DRAFT_TRIES_ALERT; i++) {
                if (i >= tries)
                        break;
                __u32 draft = (first + i) & drafts_mask;
                if (bpf_map_update_elem(&bw_draft_claims, &draft, &taken, BPF_NOEXIST) == 0)
                        return draft;
        }
        return DRAFT_NONE;
}

static __always_inline struct draft *draft_get(__u32 draft) {
        return bpf_map_lookup_elem(&bw_drafts, &draft);
}

static __always_inline void draft_release(__u32 draft) {
        bpf_map_delete_elem(&bw_draft_claims, &draft);
}

/* ---- names ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timespec64 {
        long long tv_sec;
        long tv_nsec;
};

/* Fields of struct inode: one in every version, and one that was renamed twice. */
struct inode___size {
        long long i_size;
};

struct inode___since_6_11 {
        long long i_ctime_sec;
        __u32 i_ctime_nsec; /* and flags in the highest bit, since 6.13 */
};

struct inode___since_6_6 {
        struct timespec64 __i_ctime;
};

struct inode___before_6_6 {
        struct timespec64 i_ctime;
};

#pragma clang attribute pop

static __always_inline __u64 inode_ctime_ns(const struct inode *inode) {
        const struct inode___since_6_11 *newest = (const void *)inode;
        const struct inode___since_6_6 *newer = (const void *)inode;
        const struct inode___before_6_6 *older = (const void *)inode;

        if (bpf_core_field_exists(newest->i_ctime_sec))
                return BPF_CORE_READ(newest, i_ctime_sec) * 1000000000ULL +
                       (BPF_CORE_READ(newest, i_ctime_nsec) & 0x7fffffff);
        if (bpf_core_field_exists(newer->__i_ctime))
                return BPF_CORE_READ(newer, __i_ctime.tv_sec) * 1000000000ULL +
                       BPF_CORE_READ(newer, __i_ctime.tv_nsec);
        return BPF_CORE_READ(older, i_ctime.tv_sec) * 1000000000ULL + BPF_CORE_READ(older, i_ctime.tv_nsec);
}

/* Distinguishes files that had the same path one after another. */
static __always_inline __u64 file_salt(const struct inode *inode) {
        return BPF_CORE_READ(inode, i_ino) ^ (__u64)BPF_CORE_READ(inode, i_sb, s_dev) << 32;
}

/* Also what a file contained that was changed in place: its name says which object ran. */
static __always_inline __u64 program_salt(const struct inode *inode) {
        return hash_mix(file_salt(inode), inode_ctime_ns(inode));
}

/* The active policy table, for one evaluation. */
struct policy_view {
        const struct bw_table *table;
        __u32 index;
        __u32 seq;
};

static __always_inline bool policy_view_get(struct policy_view *v) {
        v->index = *(volatile __u32 *)&shared.policy_active % BW_TABLES;
        v->table = bpf_map_lookup_elem(&bw_table, &v->index);
        if (!v->table)
                return false;
        v->seq = *(volatile __u32 *)&v->table->seq;
        return true;
}

/* Whether the table was not written meanwhile: the daemon makes seq odd before it writes a table.
 * (Before 6.12 BPF has only a compiler barrier; on arm64 a change may be missed for some nanoseconds.) */
static __always_inline bool policy_view_held(const struct policy_view *v) {
        barrier();
        return !((v->seq & 1) | (*(volatile __u32 *)&v->table->seq ^ v->seq));
}

/* A policy change while an open is judged is rare; two in a row for one open are rarer. */
#define POLICY_TRIES 3
