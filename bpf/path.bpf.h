/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* From a kernel object to a verdict: walks a dentry up to its mount namespace's root and runs the automaton over the
 * names on the way. The automaton reads paths backwards, so one pass is enough and nothing has to be kept: no
 * scratch buffer that a preempting program could overwrite.
 *
 * Verifier: the bytes of a component are a loop in a global function of their own (verified once, for any argument);
 * the components are a loop around its call. */

#include "emit.bpf.h"

/* Names are known by a 64-bit id: 52 bits of hash over the path's components, device and inode, and in the lower 12
 * bits the path's length, which tells where the text is kept. 0: no name. Hash and length of a component are the
 * dentry's own; that hash is salted with the parent's address (fs/namei.c hashlen_string()), so two ids of one
 * path are possible, and cost a table entry. */
#define NAME_LENGTH(id) ((__u32)((id) & 0xfff))
/* A path of the largest length may lack its beginning. */
#define NAME_IS_CUT(id) (NAME_LENGTH(id) == NAME_LONG_MAX)

/* What a dentry keeps in itself (DNAME_INLINE_LEN, include/linux/dcache.h: 32, from 6.14 on 40, of which 32 are as much
 * as our stack has room for). Longer names are read in words. Either may read bytes before the name: inside the dentry, or the header of an external name. */
#define NAME_INLINE 32
#define NAME_MAX 255

/* Results of path_component(): state in the lower half, its output index above, and whether the name was unreadable. */
#define COMPONENT_STATE(r) ((__u32)(r) & BW_STATE_MASK)
#define COMPONENT_OUTPUT(r) ((__u32)((r) >> 32) & BW_OUTPUT_MASK)
#define COMPONENT_FAULT (1ULL << 63)

/* One byte class; the same as glob_automaton_step() in daemon/glob-pack.c. BW_DEFAULT_SKIPS in the result: the
 * automaton waits for the next '/', whatever comes before it. */
static __always_inline __u32 automaton_step(const struct bw_cell *cells, __u32 state, __u32 class) {
        const struct bw_cell *cell = &cells[(state + class) & cells_mask];
        if (cell->check == state)
                return cell->next;

        __u32 next = cells[state & cells_mask].next, fallback = next & BW_STATE_MASK;
        cell = &cells[(fallback + class) & cells_mask];
        return cell->check == fallback ? cell->next : next;
}

/* Steps over one component, last byte first, and over the '/' before it.
 * table: index of the policy table; which: enum bw_automaton; name: the kernel address of `length` bytes. */
__noinline __u64 path_component(__u32 table, __u32 which, __u32 state, __u64 name, __u32 length) {
        __u64 words[NAME_INLINE / 8];
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);

        if (!t || !cells)
                return COMPONENT_FAULT;

        const __u8 *class_of = t->byte_class[which % BW_AUTOMATON_SLOTS];
        __u32 waiting = 0;

        if (length <= NAME_INLINE) {
                if (bpf_probe_read_kernel(words, sizeof(words), (void *)(name + length - sizeof(words))))
                        return COMPONENT_FAULT;
                for (__u32 i = 0; i < NAME_INLINE; i++) {
                        if (i >= length || waiting)
                                break;
                        __u8 byte = ((__u8 *)words)[NAME_INLINE - 1 - i];
                        state = automaton_step(cells, state, class_of[byte]);
                        waiting = state & BW_DEFAULT_SKIPS;
                        state &= BW_STATE_MASK;
                }
        } else {
                __u64 word = 0;
                for (__u32 i = 0; i < NAME_MAX; i++) {
                        if (i >= length || waiting)
                                break;
                        if (i % 8 == 0 && bpf_probe_read_kernel(&word, 8, (void *)(name + length - i - 8)))
                                return COMPONENT_FAULT;
                        __u8 byte = word >> 56; /* little endian: the last byte in memory */
                        word <<= 8;
                        state = automaton_step(cells, state, class_of[byte]);
                        waiting = state & BW_DEFAULT_SKIPS;
                        state &= BW_STATE_MASK;
                }
        }

        state = automaton_step(cells, state, class_of['/']) & BW_STATE_MASK;
        __u64 output = cells[state & cells_mask].check & BW_OUTPUT_MASK;
        return output << 32 | state;
}

struct dentry_head {
        __u64 parent;
        __u64 hash_len;
        __u64 name;
};

/* Parent, hash, length and address of the name: neighbours in struct dentry on every kernel that does not shuffle
 * its structs, so one read. */
static __always_inline bool dentry_head_read(__u64 dentry, struct dentry_head *ret) {
        const __u64 parent_at = bpf_core_field_offset(struct dentry, d_parent);

        if (bpf_core_field_offset(struct dentry, d_name) == parent_at + 8 &&
            bpf_core_field_offset(struct qstr, hash_len) == 0 && bpf_core_field_offset(struct qstr, name) == 8)
                return bpf_probe_read_kernel(ret, sizeof(*ret), (void *)(dentry + parent_at)) == 0;

        const struct dentry *d = (const struct dentry *)dentry;
        ret->parent = (__u64)BPF_CORE_READ(d, d_parent);
        ret->hash_len = BPF_CORE_READ(d, d_name.hash_len);
        ret->name = (__u64)BPF_CORE_READ(d, d_name.name);
        return ret->parent;
}

/* Where a walk stands. */
struct path_cursor {
        __u64 dentry;
        __u64 mount;    /* struct mount */
        __u64 mnt_root; /* its root dentry */
};

static __always_inline void path_cursor_init(struct path_cursor *c, __u64 vfsmount, __u64 dentry) {
        c->dentry = dentry;
        c->mount = vfsmount - bpf_core_field_offset(struct mount, mnt);
        c->mnt_root = (__u64)BPF_CORE_READ((struct vfsmount *)vfsmount, mnt_root);
}

enum path_move { PATH_COMPONENT, PATH_MOUNT, PATH_ROOT, PATH_DISCONNECTED, PATH_FAULT };

/* Moves one step up: over a component (told in *h), from a mount's root to what it is mounted on, or finds the
 * root. The root is that of the mount namespace, not the process's: chroot(2) changes nothing. */
static __always_inline enum path_move path_up(struct path_cursor *c, struct dentry_head *h) {
        if (c->dentry == c->mnt_root) {
                struct mount *m = (struct mount *)c->mount;
                __u64 parent = (__u64)BPF_CORE_READ(m, mnt_parent);
                if (parent == c->mount)
                        return PATH_ROOT;
                c->dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
                c->mount = parent;
                c->mnt_root = (__u64)BPF_CORE_READ((struct mount *)parent, mnt.mnt_root);
                return PATH_MOUNT;
        }
        if (!dentry_head_read(c->dentry, h))
                return PATH_FAULT;
        if (h->parent == c->dentry) { /* a memfd, a pipe, a file system that is mounted nowhere (any more) */
                const struct dentry *d = (const struct dentry *)c->dentry;
                return BPF_CORE_READ(d, d_flags) & DCACHE_DISCONNECTED ? PATH_DISCONNECTED : PATH_ROOT;
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

/* Runs an automaton over a path. For files it returns the classes that are included and not excluded, and a path that
 * was too long to be seen whole is counted and judged as far as it was seen. For what carries, BW_CARRIER_*. For executables it returns whether any rule
 * matches; which ones is written to the entry of process `pid`, as `rules` or `own`; a path that was not seen whole
 * matches none. A global function: verified once, however many hooks call it (and it takes no pointer to the stack
 * before 5.12). */
__noinline __u64 path_match(__u32 table, __u32 which, __u32 pid, __u64 vfsmount, __u64 dentry) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct path_cursor cursor;
        struct dentry_head head;
        struct bw_bits bits = {};
        __u32 output = 0;
        bool whole = false, connected = true;

        if (!t)
                return 0;
        __u32 state = t->start[which % BW_AUTOMATON_SLOTS];
        path_cursor_init(&cursor, vfsmount, dentry);

        for (__u32 i = 0; i < BW_PATH_STEPS_MAX; i++) {
                if (!state) {
                        whole = true; /* what is left of it changes nothing */
                        output = 0;
                        break;
                }
                enum path_move move = path_up(&cursor, &head);
                if (move == PATH_MOUNT)
                        continue;
                if (move == PATH_ROOT)
                        whole = true;
                if (move == PATH_DISCONNECTED)
                        connected = false;
                if (move != PATH_COMPONENT)
                        break;

                __u64 r = path_component(table, which, state, head.name, head.hash_len >> 32);
                if (r & COMPONENT_FAULT)
                        break;
                state = COMPONENT_STATE(r);
                output = COMPONENT_OUTPUT(r);
                if (output)
                        bits_or(&bits, &t->outputs[output % BW_OUTPUTS_MAX].sticky);
        }

        if (whole && output)
                bits_or(&bits, &t->outputs[output % BW_OUTPUTS_MAX].final);
        if (which == BW_AUTOMATON_CARRIER)
                return bits.word[0];
        if (which == BW_AUTOMATON_FILE) {
                if (!connected)
                        count_and_tell(BW_LOSS_PATH_UNKNOWN);
                else if (!whole)
                        count_and_tell(BW_LOSS_PATH_TRUNCATED);
                return bits.word[BW_FILE_WORD_INCLUDE] & ~bits.word[BW_FILE_WORD_EXCLUDE];
        }

        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (!p)
                return 0;
        if (!whole)
                __builtin_memset(&bits, 0, sizeof(bits));
        if (which == BW_AUTOMATON_EXE)
                p->rules = bits;
        else
                p->own = bits;
        return bits.word[0] | bits.word[1] | bits.word[2] | bits.word[3];
}

/* ---- drafts ---- */

#define DRAFT_NONE 0xffffffffU
/* Drafts tried before giving up: for a name, those of one CPU and the next; for an alert, all there are at most. */
#define DRAFT_TRIES_NAME 8
#define DRAFT_TRIES_ALERT 128

/* Takes a draft that nobody has; its number, or DRAFT_NONE. */
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

/* The end of a path's text lies here, and it grows towards the beginning. */
#define TEXT_END NAME_LONG_MAX

/* Keeps the text of a name, text[at … TEXT_END), if it is not kept yet. */
static __always_inline void name_keep(struct draft *d, __u64 id, __u64 at, bool of_file) {
        __u64 length = TEXT_END - at;

        if (NAME_LENGTH(id) > NAME_SHORT_MAX) {
                __u32 slot = (id >> 12) % NAME_LONG_SLOTS;
                struct long_name *l = bpf_map_lookup_elem(&bw_long_names, &slot);
                if (!l || l->id == id)
                        return;
                l->id = 0;
                bpf_probe_read_kernel(l->text, length & NAME_LONG_MAX, d->text + (at & NAME_LONG_MAX));
                l->length = length;
                l->id = id;
                return;
        }
        if (of_file ? bpf_map_lookup_elem(&bw_file_names, &id) : bpf_map_lookup_elem(&bw_exe_names, &id))
                return;
        bpf_probe_read_kernel(d->name.text, length & NAME_SHORT_MAX, d->text + (at & NAME_LONG_MAX));
        d->name.length = length;
        if (of_file)
                bpf_map_update_elem(&bw_file_names, &id, &d->name, BPF_ANY);
        else
                bpf_map_update_elem(&bw_exe_names, &id, &d->name, BPF_ANY);
}

/* Masking keeps the range of a running sum the same in every turn of a loop: then the verifier sees each turn once, not
 * once for each way to come to it. */
#define LENGTH_MASK 0xffff

/* The name id of a path, whose text is kept; `salt` is device and inode. 0, and counted, when there is no draft. */
__noinline __u64 name_learn(__u64 vfsmount, __u64 dentry, __u64 salt, __u32 of_file) {
        struct path_cursor cursor;
        struct dentry_head head;
        __u64 hash = hash_mix(shared.name_seed, salt);
        bool whole = false;

        __u32 draft = draft_claim(DRAFT_TRIES_NAME);
        struct draft *d = draft_get(draft);
        if (!d) {
                count(BW_LOSS_NAME_LOST);
                return 0;
        }
        d->name.length = TEXT_END;
        __u32 at = *(volatile __u16 *)&d->name.length; /* from memory: of the same range from the first turn on */
        path_cursor_init(&cursor, vfsmount, dentry);
        for (__u32 i = 0; i < BW_PATH_STEPS_MAX; i++) {
                enum path_move move = path_up(&cursor, &head);
                if (move == PATH_MOUNT)
                        continue;
                if (move == PATH_ROOT)
                        whole = true;
                if (move != PATH_COMPONENT)
                        break;

                __u32 n = head.hash_len >> 32;
                if (n > NAME_MAX || n + 1 > at)
                        break;
                hash = hash_mix(hash, head.hash_len);
                at = (at - n) & LENGTH_MASK;
                barrier_var(at);
                if (bpf_probe_read_kernel(d->text + (at & NAME_LONG_MAX), n & NAME_MAX, (void *)head.name))
                        break;
                at = (at - 1) & LENGTH_MASK;
                barrier_var(at);
                d->text[at & NAME_LONG_MAX] = '/';
        }

        __u64 id = hash << 12 | (whole ? (TEXT_END - at) & NAME_LONG_MAX : NAME_LONG_MAX);
        if (NAME_LENGTH(id))
                name_keep(d, id, at, of_file);
        draft_release(draft);
        return id;
}

/* Keeps an executable's name from becoming the oldest of its table. */
static __always_inline void exe_name_touch(__u64 id) {
        if (NAME_LENGTH(id) && NAME_LENGTH(id) <= NAME_SHORT_MAX)
                (void)bpf_map_lookup_elem(&bw_exe_names, &id);
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

/* What tells files of one path apart that came after one another. */
static __always_inline __u64 file_salt(const struct inode *inode) {
        return BPF_CORE_READ(inode, i_ino) ^ (__u64)BPF_CORE_READ(inode, i_sb, s_dev) << 32;
}

/* The policy table in force, for one look. */
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

/* Was the table left alone while we looked? The daemon makes seq odd before it writes a table. (A compiler barrier is
 * all that BPF has before 6.12; on arm64 a change may go unseen for some nanoseconds.) */
static __always_inline bool policy_view_held(const struct policy_view *v) {
        barrier();
        return !(v->seq & 1) && *(volatile __u32 *)&v->table->seq == v->seq;
}

/* A policy change while an open is judged is rare; two in a row at the same open rarer. */
#define POLICY_TRIES 3
