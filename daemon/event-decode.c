/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Bytes from the ring buffer → Event. Every offset, count and enumerator is checked before it is used; the
 * record's alignment is not relied on. Must not read past `size`, allocate, or keep anything: the Event
 * points into the record. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "event-decode.h"
#include "util.h"

/* A record under examination. The first failed check is the one that is told. */
typedef struct Reader {
        const char *record;
        size_t size;       /* header.size: what lies behind it means nothing */
        size_t fixed_size; /* strings begin here at the earliest */
        const char *why;
} Reader;

static int bad(Reader *r, const char *why) {
        r->why = why;
        return -EBADMSG;
}

static int read_string(Reader *r, struct bw_string s, bool is_cmdline, Bytes *ret) {
        if (s.offset == 0) {
                *ret = (Bytes){.data = ""};
                return 0;
        }

        size_t end = (size_t)s.offset + s.length;
        if (s.offset < r->fixed_size)
                return bad(r, "a string begins inside the fixed part");
        if (end >= r->size)
                return bad(r, "a string ends behind the record");
        if (r->record[end] != '\0')
                return bad(r, "a string has no terminator");

        /* A name that was changed while the kernel read it may hold a NUL: an alert with half a name is better
         * than none. */
        size_t size = is_cmdline ? s.length : strnlen(r->record + s.offset, s.length);
        *ret = (Bytes){.data = r->record + s.offset, .size = size};
        return 0;
}

/* The view must point into the record, not into the aligned copy of it: hence the offset. */
static int read_comm(Reader *r, size_t offset, Bytes *ret) {
        const char *comm = r->record + offset;
        const char *end = memchr(comm, '\0', BW_COMM_SIZE);
        if (!end)
                return bad(r, "a comm has no terminator");

        *ret = (Bytes){.data = comm, .size = (size_t)(end - comm)};
        return 0;
}

static int read_process(Reader *r, size_t offset, const struct bw_process *p, EventProcess *ret) {
        int e;

        if (p->flags & ~(uint32_t)BW_PROCESS_FLAGS)
                return bad(r, "the process has an unknown flag");

        *ret = (EventProcess){
                        .start_boot_ns = p->start_boot_ns,
                        .cgroup_id = p->cgroup_id,
                        .exe_inode = p->exe_inode,
                        .exe_device = p->exe_device,
                        .pid = p->pid,
                        .tid = p->tid,
                        .uid = p->uid,
                        .loginuid = p->loginuid,
                        .mount_namespace = p->mount_namespace,
                        .pid_namespace = p->pid_namespace,
                        .flags = p->flags,
        };

        e = read_comm(r, offset + offsetof(struct bw_process, comm), &ret->comm);
        if (e < 0)
                return e;
        e = read_string(r, p->exe, false, &ret->exe);
        if (e < 0)
                return e;
        e = read_string(r, p->cmdline, true, &ret->cmdline);
        if (e < 0)
                return e;
        return read_string(r, p->cgroup, false, &ret->cgroup);
}

static int read_ancestor(Reader *r, size_t offset, const struct bw_ancestor *a, EventAncestor *ret) {
        int e;

        *ret = (EventAncestor){.start_boot_ns = a->start_boot_ns, .pid = a->pid};

        e = read_comm(r, offset + offsetof(struct bw_ancestor, comm), &ret->comm);
        if (e < 0)
                return e;
        return read_string(r, a->exe, false, &ret->exe);
}

/* The hops are bytes within the strings, and as little aligned. */
static int read_way(Reader *r, struct bw_string s, EventFile *ret) {
        Bytes way;
        int e = read_string(r, s, true, &way);

        if (e < 0)
                return e;
        if (way.size % sizeof(struct bw_hop) != 0 || way.size / sizeof(struct bw_hop) > BW_HOPS_MAX)
                return bad(r, "a way is not made of hops, or of too many");
        for (size_t at = 0; at < way.size; at += sizeof(struct bw_hop)) {
                struct bw_hop hop;

                memcpy(&hop, way.data + at, sizeof(hop));
                if (hop.zero[0] != 0 || hop.zero[1] != 0 || hop.zero[2] != 0)
                        return bad(r, "a hop's padding is not zero");
                if (hop.via < BW_VIA_RECEIVED || hop.via > BW_VIA_QUEUE)
                        return bad(r, "a hop is no hand-over");
                EventHop *to = &ret->way[ret->n_way++];
                *to = (EventHop){.pid = hop.pid, .via = hop.via};
                e = read_comm(r, s.offset + at + offsetof(struct bw_hop, comm), &to->comm);
                if (e < 0)
                        return e;
        }
        return 0;
}

static int read_file(Reader *r, size_t offset, const struct bw_touched_file *f, EventFile *ret) {
        int e;

        if (f->zero != 0 || f->zero2 != 0)
                return bad(r, "a file's padding is not zero");
        if (f->via < BW_VIA_OPEN || f->via > BW_VIA_QUEUE)
                return bad(r, "a file came in an unknown way");

        *ret = (EventFile){
                        .mono_ns = f->mono_ns,
                        .classes = f->classes,
                        .inode = f->inode,
                        .device = f->device,
                        .pid = f->pid,
                        .uid = f->uid,
                        .hops = f->hops,
                        .via = f->via,
                        .path_truncated = f->flags & BW_FILE_PATH_TRUNCATED,
                        .handed_over = f->flags & BW_FILE_HANDED_OVER,
                        .way_cut = f->flags & BW_FILE_WAY_CUT,
        };

        e = read_comm(r, offset + offsetof(struct bw_touched_file, comm), &ret->comm);
        if (e < 0)
                return e;
        e = read_string(r, f->path, false, &ret->path);
        if (e < 0)
                return e;
        e = read_string(r, f->exe, false, &ret->exe);
        if (e < 0)
                return e;
        e = read_way(r, f->way, ret);
        ret->handed_over |= ret->n_way > 0;
        return e;
}

static int check_destination(Reader *r, const struct bw_destination *d) {
        if (d->family == AF_UNSPEC)
                return bad(r, "the destination has no family");
        if (d->act < BW_ACT_CONNECT || d->act > BW_ACT_ACCEPT)
                return bad(r, "the act is unknown");
        return 0;
}

static int read_correlation(Reader *r, EventCorrelation *ret) {
        struct bw_correlation c;
        int e;

        memcpy(&c, r->record, sizeof(c));

        if (c.zero != 0)
                return bad(r, "the correlation's padding is not zero");
        if (c.n_lineage > BW_LINEAGE_MAX)
                return bad(r, "more ancestors than a record holds");
        if (c.n_files > BW_FILES_MAX)
                return bad(r, "more files than a record holds");
        e = check_destination(r, &c.destination);
        if (e < 0)
                return e;

        *ret = (EventCorrelation){
                        .classes = c.classes,
                        .fresh = c.fresh & c.classes,
                        .window_ns = c.window_ns,
                        .slot = c.slot,
                        .generation = c.generation,
                        .flags = c.flags,
                        .destination = c.destination,
                        .n_lineage = c.n_lineage,
                        .n_files = c.n_files,
        };

        e = read_string(r, c.destination_path, false, &ret->destination_path);
        if (e < 0)
                return e;
        e = read_process(r, offsetof(struct bw_correlation, process), &c.process, &ret->process);
        if (e < 0)
                return e;

        for (size_t i = 0; i < c.n_lineage; i++) {
                size_t offset = offsetof(struct bw_correlation, lineage) + i * sizeof(struct bw_ancestor);

                e = read_ancestor(r, offset, &c.lineage[i], &ret->lineage[i]);
                if (e < 0)
                        return e;
        }

        for (size_t i = 0; i < c.n_files; i++) {
                size_t offset = offsetof(struct bw_correlation, files) + i * sizeof(struct bw_touched_file);

                EventFile file;
                e = read_file(r, offset, &c.files[i], &file);
                if (e < 0)
                        return e;

                /* newest first */
                size_t at = i;
                for (; at > 0 && ret->files[at - 1].mono_ns < file.mono_ns; at--)
                        ret->files[at] = ret->files[at - 1];
                ret->files[at] = file;
        }

        return 0;
}

static int read_exit(Reader *r, Event *ret) {
        struct bw_exit x;

        memcpy(&x, r->record, sizeof(x));
        if (x.zero != 0)
                return bad(r, "the exit's padding is not zero");

        ret->exit.start_boot_ns = x.start_boot_ns;
        ret->exit.pid = x.pid;
        return 0;
}

static int read_state(Reader *r, Event *ret) {
        struct bw_state s;

        memcpy(&s, r->record, sizeof(s));
        if (s.zero != 0)
                return bad(r, "the state's padding is not zero");
        if (s.counter >= BW_COUNT_MAX)
                return bad(r, "the counter is unknown");

        ret->state.count = s.count;
        ret->state.counter = s.counter;
        return 0;
}

/* 0 for a kind this build does not know. */
static size_t kind_fixed_size(unsigned kind) {
        switch (kind) {
        case BW_KIND_CORRELATION:
                return sizeof(struct bw_correlation);
        case BW_KIND_EXIT:
                return sizeof(struct bw_exit);
        case BW_KIND_STATE:
                return sizeof(struct bw_state);
        default:
                return 0;
        }
}

static int read_record(Reader *r, size_t size, Event *ret) {
        struct bw_header h;

        if (size < sizeof(h))
                return bad(r, "shorter than a header");
        memcpy(&h, r->record, sizeof(h));

        if (h.version != BW_EVENT_VERSION) {
                r->why = "another version of the format";
                return -EPROTO;
        }
        r->fixed_size = kind_fixed_size(h.kind);
        if (r->fixed_size == 0) {
                r->why = "an unknown kind of record";
                return -EPROTO;
        }
        if (h.size > size)
                return bad(r, "longer than what arrived");
        if (h.size < r->fixed_size)
                return bad(r, "shorter than its kind's fixed part");
        if (h.zero != 0)
                return bad(r, "the header's padding is not zero");
        r->size = h.size;

        *ret = (Event){.kind = h.kind, .boot_ns = h.boot_ns, .mono_ns = h.mono_ns, .cpu = h.cpu};

        switch (ret->kind) {
        case BW_KIND_CORRELATION:
                return read_correlation(r, &ret->correlation);
        case BW_KIND_EXIT:
                return read_exit(r, ret);
        case BW_KIND_STATE:
                return read_state(r, ret);
        }

        return -EPROTO;
}

int event_decode(const void *record, size_t size, Event *ret, const char **ret_why) {
        Reader r = {.record = record};
        Event event;

        int e = read_record(&r, size, &event);
        if (e < 0) {
                *ret_why = r.why;
                return e;
        }

        *ret = event;
        return 0;
}
