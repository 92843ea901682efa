/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Composes the record of a correlation in a draft (process, lineage, files, destination) and submits it.
 *
 * Strings are appended at header.size, which grows with them: a value read back from the record is new to
 * the verifier, so that it does not walk every combination of lengths. Offsets and lengths are 64 bits wide
 * where they become addresses: kernels before 6.8 or so do not carry the bounds of a 32-bit comparison over
 * to the entire register. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "process/identity.bpf.h"
#include "egress/destination.bpf.h"

/* The largest cgroup2 depth that is reported. systemd's user services are at 6, a pod's containers at 5. */
#define CGROUP_DEPTH_MAX 16

/* Room that must be left before a string is written: the verifier adds the largest offset and the largest
 * length. */
#define STRING_SHORT_ROOM 256
#define STRING_LONG_ROOM 4096

/* Appends a NUL-terminated copy of `length` kernel bytes. */
static __always_inline bool string_put(
                struct draft *d, const __u64 room, const void *from, __u64 length, struct bw_string *ret) {
        __u64 at = d->record.header.size;

        if (at > BW_RECORD_MAX - room || length >= room)
                return false;
        if (bpf_probe_read_kernel(d->bytes + at, length & (room - 1), from))
                return false;
        d->bytes[at + (length & (room - 1))] = 0;
        ret->offset = at;
        ret->length = length;
        d->record.header.size = at + length + 1;
        return true;
}

/* Where in the record a struct bw_string may be: anywhere in its fixed part. */
#define STRING_AT_MASK 0x7fc
#define RECORD_AT(member) __builtin_offsetof(struct bw_correlation, member)
_Static_assert(RECORD_AT(files[BW_FILES_MAX - 1].script_object) <= STRING_AT_MASK,
                "every string of the fixed part can be reached");

/* Appends a name to the record in a draft, and sets the struct bw_string at byte `where`. */
__noinline int name_put(__u32 draft, __u64 id, __u64 where) {
        struct draft *d = draft_get(draft);
        bool done = true;

        if (!NAME_LENGTH(id) || !d)
                return 0;
        struct bw_string *ret = (void *)(d->bytes + (where & STRING_AT_MASK));
        if (NAME_LENGTH(id) <= NAME_SHORT_MAX) {
                const struct short_name *s = name_get(id);
                if (s)
                        done = string_put(d, STRING_SHORT_ROOM, s->text, s->length, ret);
                else
                        d->record.flags |= BW_CORRELATION_NAME_LOST;
        } else {
                __u32 slot = (id >> 12) % NAME_LONG_SLOTS;
                struct long_name *l = bpf_map_lookup_elem(&bw_long_names, &slot);
                if (l && l->id == id)
                        done = string_put(d, STRING_LONG_ROOM, l->text, l->length, ret);
                else
                        d->record.flags |= BW_CORRELATION_NAME_LOST;
        }
        if (!done)
                d->record.flags |= BW_CORRELATION_STRINGS_CUT;
        return 0;
}

/* The same of which file has the name, for openers: their processes may be gone. */
__noinline int name_object_put(__u32 draft, __u64 id, __u64 where) {
        struct draft *d = draft_get(draft);
        const struct bw_object *from = NULL;

        if (!NAME_LENGTH(id) || !d)
                return 0;
        if (NAME_LENGTH(id) <= NAME_SHORT_MAX) {
                const struct short_name *s = name_get(id);
                from = s ? &s->object : NULL;
        } else {
                __u32 slot = (id >> 12) % NAME_LONG_SLOTS;
                struct long_name *l = bpf_map_lookup_elem(&bw_long_names, &slot);
                from = l && l->id == id ? &l->object : NULL;
        }
        struct bw_string *ret = (void *)(d->bytes + (where & STRING_AT_MASK));
        if (from && !string_put(d, STRING_SHORT_ROOM, from, sizeof(*from), ret))
                d->record.flags |= BW_CORRELATION_STRINGS_CUT;
        return 0;
}

/* Which executable opened file number `n`, and the script that it ran. */
static __always_inline void opener_put(__u32 draft, __u64 exe, __u64 run, __u64 n) {
        const __u64 at = n % BW_FILES_MAX * sizeof(struct bw_touched_file);

        name_object_put(draft, exe, RECORD_AT(files[0].exe_object) + at);
        name_put(draft, run, RECORD_AT(files[0].script) + at);
        name_object_put(draft, run, RECORD_AT(files[0].script_object) + at);
}

/* The path of the process's cgroup2, from the root down. */
static __always_inline void cgroup_put(struct draft *d, struct task_struct *task) {
        struct bw_correlation *r = &d->record;
        struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
        /* The far end of the record, which no string reaches yet, holds the names' addresses meanwhile. */
        const char **names = (void *)d->bytes + BW_RECORD_MAX - CGROUP_DEPTH_MAX * sizeof(*names);
        const __u64 begin = r->header.size;

        r->process.cgroup_id = BPF_CORE_READ(node, id);
        /* Above the root, and of NULL, everything reads as 0; the root's name is empty. */
        for (__u32 i = 0; i < CGROUP_DEPTH_MAX; i++) {
                names[i] = BPF_CORE_READ(node, name);
                node = kernfs_up(node);
        }

        for (int i = CGROUP_DEPTH_MAX - 1; i >= 0; i--) {
                __u64 at = r->header.size;
                if (at > BW_RECORD_MAX - CGROUP_DEPTH_MAX * sizeof(*names) - STRING_SHORT_ROOM - 2)
                        break;
                d->bytes[at] = '/';
                long n = bpf_probe_read_kernel_str(d->bytes + at + 1, STRING_SHORT_ROOM, names[i]);
                if (n > 1 && n <= STRING_SHORT_ROOM)
                        r->header.size = at + n;
        }
        for (__u32 i = 0; i < CGROUP_DEPTH_MAX; i++)
                names[i] = NULL; /* do not leak kernel addresses */

        __u64 at = r->header.size;
        if (at > BW_RECORD_MAX - 2) {
                r->flags |= BW_CORRELATION_STRINGS_CUT;
                return;
        }
        if (at == begin) /* the root cgroup */
                d->bytes[at++] = '/';
        d->bytes[at] = 0;
        r->process.cgroup.offset = begin;
        r->process.cgroup.length = at - begin;
        r->header.size = at + 1;
}

/* Bytes of argv, without the last NUL; 0 for a process that has none. */
static __always_inline __u64 cmdline_size(struct task_struct *task) {
        __u64 begin = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);

        return end > begin ? end - begin - 1 : 0;
}

/* argv as it is in the process's memory now. The process may have overwritten it: it is for people only,
 * decisions rely on the executable. */
static __always_inline void cmdline_put(struct draft *d, struct task_struct *task) {
        struct bw_correlation *r = &d->record;
        __u64 length = cmdline_size(task);
        __u64 at = r->header.size;

        if (!length || at > BW_RECORD_MAX - BW_CMDLINE_SIZE)
                return;
        if (length > BW_CMDLINE_SIZE - 1) {
                length = BW_CMDLINE_SIZE - 1;
                r->flags |= BW_CORRELATION_CMDLINE_CUT;
        }
        __u64 n = length & (BW_CMDLINE_SIZE - 1);
        if (bpf_probe_read_user(d->bytes + at, n, (void *)BPF_CORE_READ(task, mm, arg_start)))
                return;
        d->bytes[at + n] = 0;
        r->process.cmdline.offset = at;
        r->process.cmdline.length = n;
        r->header.size = at + n + 1;
}

#define PIDTYPE_PGID 2 /* include/linux/pid_types.h */

/* A process group may outlive its leader, so there is no start time of it. */
static __always_inline void group_put(struct bw_process *to, struct task_struct *task) {
        const struct pid *group = BPF_CORE_READ(task, signal, pids[PIDTYPE_PGID]);

        bpf_probe_read_kernel(&to->group, sizeof(to->group),
                        (const void *)group + bpf_core_field_offset(struct pid, numbers) +
                                        bpf_core_field_offset(struct upid, nr));
}

/* Everything about the process that sends. */
__noinline int record_put_process(__u32 draft) {
        struct task_struct *task = current_task();
        struct draft *d = draft_get(draft);

        if (!d)
                return 0;
        struct bw_process *to = &d->record.process;
        struct inode *exe = BPF_CORE_READ(task, mm, exe_file, f_inode);

        to->start_boot_ns = task_start(task);
        to->exe_inode = BPF_CORE_READ(exe, i_ino);
        to->exe_device = BPF_CORE_READ(exe, i_sb, s_dev);
        to->pid = BPF_CORE_READ(task, tgid);
        to->tid = BPF_CORE_READ(task, pid);
        to->uid = BPF_CORE_READ(task, cred, uid.val);
        to->loginuid = bpf_core_field_exists(struct task_struct, loginuid)
                                       ? BPF_CORE_READ(task, loginuid.val)
                                       : -1;
        group_put(to, task);
        to->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
        BPF_CORE_READ_INTO(&to->comm, task, comm);
        const struct process *p = process_find(to->pid, to->start_boot_ns);
        name_put(draft, p ? p->exe : 0, RECORD_AT(process.exe));
        if (p && !p->awaits) {
                to->script = p->run;
                to->script.flags |= p->strange * BW_SCRIPT_FOREIGN_CODE;
                name_put(draft, p->run_name, RECORD_AT(process.script_path));
        }
        cmdline_put(d, task);
        cgroup_put(d, task);
        return 0;
}

/* Its ancestors. */
__noinline int record_put_lineage(__u32 draft, __u32 pid, __u64 start) {
        const struct process *p = process_find(pid, start);
        struct draft *d = draft_get(draft);

        if (!d)
                return 0;
        struct bw_correlation *r = &d->record;
        if (!p) {
                r->flags |= BW_CORRELATION_NAME_LOST;
                return 0;
        }
        for (__u32 i = 0; i < BW_LINEAGE_MAX; i++) {
                if (i >= p->depth)
                        return 0;
                const struct ancestor *from = &p->lineage[(p->depth - 1 - i) % BW_LINEAGE_MAX];
                struct bw_ancestor *to = &r->lineage[i];
                to->start_boot_ns = from->start_boot_ns;
                to->pid = from->pid;
                __builtin_memcpy(to->comm, from->comm, BW_COMM_SIZE);
                name_put(draft, from->exe, RECORD_AT(lineage[0].exe) + i * sizeof(*to));
                r->n_lineage = i + 1;
        }
        if (p->depth > BW_LINEAGE_MAX)
                r->flags |= BW_CORRELATION_LINEAGE_MORE;
        return 0;
}

/* Appends the hops of file number `n` of the record in a draft, whose `route` has the key of the last hop
 * until then. */
__noinline int route_put(__u32 draft, __u64 n) {
        struct draft *d = draft_get(draft);
        /* The far end of the record, which no string reaches yet, holds the keys meanwhile: the latest comes
         * first. */
        __u64 *keys = d ? (void *)d->bytes + BW_RECORD_MAX - BW_HOPS_MAX * sizeof(*keys) : NULL;

        if (!d)
                return 0;
        struct bw_touched_file *f = &d->record.files[n % BW_FILES_MAX];
        __u64 id = f->route.offset | (__u64)f->route.length << 16 | (__u64)f->real_path.offset << 32 |
                   (__u64)f->real_path.length << 48,
              at = d->record.header.size;
        f->route.offset = f->route.length = f->real_path.offset = f->real_path.length = 0;
        if (!id)
                return 0;
        const __u64 begin = at;
        if (at > BW_RECORD_MAX - BW_HOPS_MAX * (sizeof(*keys) + sizeof(struct bw_hop)) - 1) {
                d->record.flags |= BW_CORRELATION_STRINGS_CUT;
                return 0;
        }
        for (__u32 i = 0; i < BW_HOPS_MAX; i++) {
                const struct hop *hop = id ? bpf_map_lookup_elem(&bw_hops, &id) : NULL;
                keys[i] = hop ? id : 0;
                if (id && !hop)
                        f->flags |= BW_FILE_ROUTE_CUT;
                id = hop ? hop->before : 0;
        }
        for (int i = BW_HOPS_MAX - 1; i >= 0; i--) {
                __u64 key = keys[i];
                const struct hop *hop = key ? bpf_map_lookup_elem(&bw_hops, &key) : NULL;
                keys[i] = 0;
                if (!hop || at > BW_RECORD_MAX - sizeof(struct bw_hop) - 1)
                        continue;
                struct bw_hop *to = (void *)(d->bytes + at);
                bpf_probe_read_kernel(&to->pid, sizeof(to->pid), &hop->pid);
                to->via = hop->via;
                to->zero[0] = to->zero[1] = to->zero[2] = 0;
                bpf_probe_read_kernel(to->comm, sizeof(to->comm), hop->comm);
                at += sizeof(*to);
        }
        if (at == begin)
                return 0;
        d->bytes[at] = 0;
        f->route.offset = begin;
        f->route.length = at - begin;
        d->record.header.size = at + 1;
        return 0;
}

/* The files of the classes that are reported. unnamed: the places of those that are in no earlier report. */
__noinline int record_put_files(__u32 draft, __u64 holder, __u32 unnamed) {
        const struct mark *m = mark_get(holder);
        struct draft *d = draft_get(draft);

        if (!d || !m)
                return 0;
        struct bw_correlation *r = &d->record;
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *from = &m->files[i];
                if (!(from->classes & r->classes))
                        continue;
                __u64 n = r->n_files % BW_FILES_MAX;
                struct bw_touched_file *to = &r->files[n];
                to->mono_ns = from->mono_ns;
                to->classes = from->classes;
                to->inode = from->inode;
                to->device = from->device;
                to->pid = from->pid;
                to->uid = from->uid;
                to->generation = from->generation;
                to->via = from->via;
                to->flags = (from->flags & ~FILE_RULED) | (unnamed >> i & 1 ? 0 : BW_FILE_NAMED);
                __builtin_memcpy(to->comm, from->comm, BW_COMM_SIZE);
                name_put(draft, from->path, RECORD_AT(files[0].path) + n * sizeof(*to));
                name_put(draft, from->exe, RECORD_AT(files[0].exe) + n * sizeof(*to));
                to->route.offset = from->route; /* for route_put() */
                to->route.length = from->route >> 16;
                to->real_path.offset = from->route >> 32;
                to->real_path.length = from->route >> 48;
                r->n_files++;
        }
        if (m->n_files > BW_FILES_MAX)
                r->flags |= BW_CORRELATION_FILES_MORE;
        return 0;
}

/* The names by which the classes of these files are known, after their routes, which use the same place. If
 * one was not kept, it is no loss: the record has the name that was used. */
__noinline int record_put_real(__u32 draft, __u64 holder) {
        const struct mark *m = mark_get(holder);
        struct draft *d = draft_get(draft);
        __u64 n = 0;

        if (!d || !m)
                return 0;
        struct bw_correlation *r = &d->record;
        const __u32 lost = r->flags & BW_CORRELATION_NAME_LOST;
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *from = &m->files[i];
                if (!(from->classes & r->classes) || n >= r->n_files)
                        continue;
                /* Another thread may have opened a file since, which has taken the place. */
                struct bw_touched_file *to = &r->files[n % BW_FILES_MAX];
                if (to->inode == from->inode && to->mono_ns == from->mono_ns) {
                        r->flags &= ~BW_CORRELATION_NAME_LOST;
                        name_put(draft, from->real, RECORD_AT(files[0].real_path) + n * sizeof(*to));
                        if (r->flags & BW_CORRELATION_NAME_LOST)
                                to->flags |= BW_FILE_REAL_LOST;
                }
                n++;
        }
        r->flags = (r->flags & ~BW_CORRELATION_NAME_LOST) | lost;
        return 0;
}

/* Which executables opened these files, and the scripts that they ran. Apart, as the frame above has no
 * room. */
__noinline int record_put_openers(__u32 draft, __u64 holder) {
        const struct mark *m = mark_get(holder);
        struct draft *d = draft_get(draft);
        __u64 n = 0;

        if (!d || !m)
                return 0;
        const struct bw_correlation *r = &d->record;
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *from = &m->files[i];
                const struct bw_touched_file *to = &r->files[n % BW_FILES_MAX];
                if (!(from->classes & r->classes) || n >= r->n_files)
                        continue;
                if (to->inode == from->inode && to->mono_ns == from->mono_ns)
                        opener_put(draft, from->exe, from->run, n);
                n++;
        }
        return 0;
}

/* The destination travels in three words: a global function takes no pointer to the stack before 5.12. */
#define DESTINATION_PACK(d)                                                                                 \
        ((__u64)(d)->port | (__u64)(d)->family << 16 | (__u64)(d)->protocol << 32 | (__u64)(d)->act << 48)

static __always_inline void destination_unpack(
                struct bw_destination *d, __u64 address_low, __u64 address_high, __u64 packed) {
        __builtin_memcpy(d->address, &address_low, 8);
        __builtin_memcpy(d->address + 8, &address_high, 8);
        d->port = packed;
        d->family = packed >> 16;
        d->protocol = packed >> 32;
}

/* The result of a correlation, before there is a record. */
struct correlation {
        struct reported_key key; /* of the claim: the correlation's own, or the flood's */
        __u64 holder;            /* that has the mark: the process, or what stands for its user and cgroup */
        __u32 n_files; /* of the mark: as long as there are no more, an egress can have sent nothing else */
        __u16 how;     /* ACT_* */
        __u16 unnamed; /* places of the mark's files that no earlier report named, see files_unnamed() */
        __u64 fresh, bound;
        __u64 window_ns;    /* repeats are not reported for this long */
        struct moment when; /* its id */
        __u32 generation;
        __u32 slot;
};

/* The record of a correlation in a new draft, with what does not depend on its kind; NULL, which is counted:
 * there is no draft. */
static __always_inline struct bw_correlation *record_begin(const struct correlation *c, __u32 *ret_draft) {
        *ret_draft = draft_claim(DRAFT_TRIES_ALERT);
        struct draft *d = draft_get(*ret_draft);

        if (!d) {
                report_loss(BW_LOSS_DRAFT_BUSY);
                return NULL;
        }
        struct bw_correlation *r = &d->record;
        record_clear(r);
        stamp(&r->header, BW_KIND_CORRELATION, RECORD_FIXED, c->when);
        r->classes = c->key.classes;
        r->window_ns = c->window_ns;
        r->slot = c->slot;
        r->generation = c->generation;
        r->action = c->key.action;
        return r;
}

/* Submits it, with the ancestors of the current process, and releases its draft. Returns false, and counts a
 * loss, if there was no room. */
static __always_inline bool record_end(struct bw_correlation *r, __u32 draft) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);

        record_put_lineage(draft, pid, task_start(task));
        /* A process without an entry exceeds the share of its user, which is reported, or the table, which
         * is counted. */
        if (r->flags & (BW_CORRELATION_NAME_LOST | BW_CORRELATION_STRINGS_CUT) &&
                        process_find(pid, task_start(task)))
                count_loss(BW_LOSS_NAME_LOST);

        __u64 size = r->header.size;
        bool done = size <= BW_RECORD_MAX && bpf_ringbuf_output(&bw_ring, r, size, 0) == 0;
        draft_release(draft);
        if (!done)
                count_loss(BW_LOSS_RING_FULL);
        return done;
}

/* Composes and submits the record of a correlation by the current process. Returns false, and counts a loss,
 * if there was no room. */
static __always_inline bool record_emit(
                const struct correlation *c, __u64 address_low, __u64 address_high, __u64 packed) {
        __u32 pid = BPF_CORE_READ(current_task(), tgid), draft;
        struct bw_correlation *r = record_begin(c, &draft);

        if (!r)
                return false;
        r->fresh = c->fresh;
        r->bound = c->bound;
        r->passed = r->classes & mark_passed(c->holder);
        destination_unpack(&r->destination, address_low, address_high, packed);
        r->destination.act = packed >> 48 & ~(__u64)ACT_FLAGS; /* not in the key: connect(2) and the first
                                                                  send are one correlation */
        r->flags = (c->key.evidence == REPORT_FLOOD ? BW_CORRELATION_FLOOD : 0) |
                   (c->holder & BW_HOLDER_OBJECT ? BW_CORRELATION_SUSPECT : 0);
        /* The most important first, in case the record gets full. */
        if (family_has_path(r->destination.family))
                name_put(draft, address_low, RECORD_AT(destination_path));
        record_put_process(draft);
        r->process.flags = process_flags(pid);
        record_put_files(draft, c->holder, c->unnamed);
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (i < r->n_files)
                        route_put(draft, i);
        record_put_real(draft, c->holder);
        record_put_openers(draft, c->holder);
        return record_end(r, draft);
}
