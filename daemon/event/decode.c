/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Bytes from the ring buffer → Event. Every offset, count and enumerator is checked before it is used; the
 * record's alignment is not relied on. Must not read past `size`, allocate, or keep anything: the Event
 * points into the record. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "abi/counters.h"
#include "event/decode.h"
#include "basic/util.h"

/* The record being decoded. why: the first check that failed. */
typedef struct Reader {
        const char *record;
        size_t size;       /* header.size: bytes after it have no meaning */
        size_t fixed_size; /* strings begin here or later */
        const char *why;
} Reader;

static int bad(Reader *r, const char *why) {
        r->why = why;
        return -EBADMSG;
}

static int read_string(Reader *r, struct bw_string s, bool is_cmdline, Bytes *ret) {
        if (s.offset == 0) {
                *ret = (Bytes){ .data = "" };
                return 0;
        }

        size_t end = (size_t)s.offset + s.length;
        if (s.offset < r->fixed_size)
                return bad(r, "a string begins inside the fixed part");
        if (end >= r->size)
                return bad(r, "a string ends after the record");
        if (r->record[end] != '\0')
                return bad(r, "a string has no terminator");

        /* A name that changed while the kernel read it may contain a NUL: an alert with half a name is
         * better than none. */
        size_t size = is_cmdline ? s.length : strnlen(r->record + s.offset, s.length);
        *ret = (Bytes){ .data = r->record + s.offset, .size = size };
        return 0;
}

/* Takes an offset, because the view must point into the record, not into its aligned copy. */
static int read_comm(Reader *r, size_t offset, Bytes *ret) {
        const char *comm = r->record + offset;
        const char *end = memchr(comm, '\0', BW_COMM_SIZE);
        if (!end)
                return bad(r, "a comm has no terminator");

        *ret = (Bytes){ .data = comm, .size = (size_t)(end - comm) };
        return 0;
}

static int read_process(Reader *r, size_t offset, const struct bw_process *p, EventProcess *ret) {
        int e;

        if (p->flags & ~(uint32_t)BW_PROCESS_FLAGS)
                return bad(r, "the process has an unknown flag");
        if (p->script.flags & ~(uint32_t)BW_SCRIPT_FLAGS)
                return bad(r, "the script has an unknown flag");

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
                .group = p->group,
                .flags = p->flags,
                .script = { .inode = p->script.inode,
                                .ctime_ns = p->script.ctime_ns,
                                .size = p->script.size,
                                .device = p->script.device,
                                .flags = p->script.flags },
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
        e = read_string(r, p->script_path, false, &ret->script.path);
        if (e < 0)
                return e;
        return read_string(r, p->cgroup, false, &ret->cgroup);
}

static int read_ancestor(Reader *r, size_t offset, const struct bw_ancestor *a, EventAncestor *ret) {
        int e;

        *ret = (EventAncestor){ .start_boot_ns = a->start_boot_ns, .pid = a->pid };

        e = read_comm(r, offset + offsetof(struct bw_ancestor, comm), &ret->comm);
        if (e < 0)
                return e;
        return read_string(r, a->exe, false, &ret->exe);
}

/* Hops are stored among the strings, unaligned like them. */
static int read_route(Reader *r, struct bw_string s, EventFile *ret) {
        Bytes route;
        int e = read_string(r, s, true, &route);

        if (e < 0)
                return e;
        if (route.size % sizeof(struct bw_hop) != 0 || route.size / sizeof(struct bw_hop) > BW_HOPS_MAX)
                return bad(r, "a route has an incomplete hop or too many hops");
        for (size_t at = 0; at < route.size; at += sizeof(struct bw_hop)) {
                struct bw_hop hop;

                memcpy(&hop, route.data + at, sizeof(hop));
                if (hop.zero[0] != 0 || hop.zero[1] != 0 || hop.zero[2] != 0)
                        return bad(r, "a hop's padding is not zero");
                if (hop.via < BW_VIA_RECEIVED || hop.via > BW_VIA_LOOPBACK)
                        return bad(r, "a hop has an unknown means");
                EventHop *to = &ret->route[ret->n_route++];
                *to = (EventHop){ .pid = hop.pid, .via = hop.via };
                e = read_comm(r, s.offset + at + offsetof(struct bw_hop, comm), &to->comm);
                if (e < 0)
                        return e;
        }
        return 0;
}

/* Stored as hops are. */
static int read_object(Reader *r, struct bw_string s, EventObject *ret) {
        struct bw_object object = {};
        Bytes bytes;
        int e = read_string(r, s, true, &bytes);

        if (e < 0)
                return e;
        if (bytes.size != 0 && bytes.size != sizeof(object))
                return bad(r, "an object has another size");
        memcpy(&object, bytes.data, bytes.size);
        if (object.zero != 0)
                return bad(r, "an object's padding is not zero");
        *ret = (EventObject){ .inode = object.inode, .ctime_ns = object.ctime_ns, .device = object.device };
        return 0;
}

static int read_file(Reader *r, size_t offset, const struct bw_touched_file *f, EventFile *ret) {
        int e;

        if (f->zero != 0 || f->zero_end != 0)
                return bad(r, "a file's padding is not zero");
        if (f->via < BW_VIA_OPEN || f->via > BW_VIA_LOOPBACK)
                return bad(r, "a file has an unknown means");

        *ret = (EventFile){
                .mono_ns = f->mono_ns,
                .classes = f->classes,
                .inode = f->inode,
                .device = f->device,
                .pid = f->pid,
                .uid = f->uid,
                .generation = f->generation,
                .via = f->via,
                .path_truncated = f->flags & BW_FILE_PATH_TRUNCATED,
                .handed_over = f->flags & BW_FILE_HANDED_OVER,
                .route_cut = f->flags & BW_FILE_ROUTE_CUT,
                .real_lost = f->flags & BW_FILE_REAL_LOST,
                .named = f->flags & BW_FILE_NAMED,
                .execed = f->flags & BW_FILE_EXECED,
                .owned = f->flags & BW_FILE_OWNED,
        };

        e = read_comm(r, offset + offsetof(struct bw_touched_file, comm), &ret->comm);
        if (e < 0)
                return e;
        e = read_string(r, f->path, false, &ret->path);
        if (e < 0)
                return e;
        e = read_string(r, f->real_path, false, &ret->real_path);
        if (e < 0)
                return e;
        e = read_string(r, f->exe, false, &ret->exe);
        if (e < 0)
                return e;
        e = read_string(r, f->script, false, &ret->script);
        if (e < 0)
                return e;
        e = read_object(r, f->exe_object, &ret->exe_object);
        if (e < 0)
                return e;
        e = read_object(r, f->script_object, &ret->script_object);
        if (e < 0)
                return e;
        e = read_route(r, f->route, ret);
        ret->handed_over |= ret->n_route > 0;
        return e;
}

static int check_destination(Reader *r, const struct bw_destination *d) {
        if (d->family == AF_UNSPEC)
                return bad(r, "the destination has no family");
        if (d->act < BW_ACT_CONNECT || d->act > BW_ACT_OPEN)
                return bad(r, "the act is unknown");
        if ((d->act == BW_ACT_OPEN) != (d->family == BW_FAMILY_NONE))
                return bad(r, "an open has a destination, or something else has none");
        return 0;
}

/* egress: it has a destination. */
static int read_correlation(Reader *r, bool egress, EventCorrelation *ret) {
        struct bw_correlation c;
        int e;

        memcpy(&c, r->record, sizeof(c));

        if (c.action >= BW_ACTION_MAX)
                return bad(r, "the correlation's action is unknown");
        if (c.n_lineage > BW_LINEAGE_MAX)
                return bad(r, "more ancestors than a record holds");
        if (c.n_files > BW_FILES_MAX)
                return bad(r, "more files than a record holds");
        e = egress ? check_destination(r, &c.destination) : 0;
        if (e < 0)
                return e;

        *ret = (EventCorrelation){
                .classes = c.classes,
                .fresh = c.fresh & c.classes,
                .bound = c.bound & c.classes,
                .passed = c.passed & c.classes,
                .window_ns = c.window_ns,
                .slot = c.slot,
                .generation = c.generation,
                .flags = c.flags,
                .action = c.action,
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

static int read_mark(Reader *r, Event *ret) {
        struct bw_mark m;

        memcpy(&m, r->record, sizeof(m));
        ret->mark.until_mono_ns = m.until_mono_ns;
        ret->mark.payer = m.payer;
        ret->mark.number = m.number;
        return read_correlation(r, false, &ret->mark.holder);
}

/* Whose entries a record counts, and of which table. */
static int check_payer(Reader *r, uint32_t table, const char cgroup[static BW_CGROUP_NAME_SIZE]) {
        if (table >= BW_SHARE_TABLES)
                return bad(r, "the table is unknown");
        if (cgroup[BW_CGROUP_NAME_SIZE - 1] != 0)
                return bad(r, "a cgroup has no terminator");
        return 0;
}

static int read_account(Reader *r, Event *ret) {
        struct bw_account a;

        memcpy(&a, r->record, sizeof(a));
        if (a.zero != 0)
                return bad(r, "the account's padding is not zero");
        int valid = check_payer(r, a.table, a.cgroup);
        if (valid < 0)
                return valid;

        ret->account.cgroup_id = a.cgroup_id;
        ret->account.live = a.live;
        ret->account.refused = a.refused;
        ret->account.max = a.max;
        ret->account.table = a.table;
        ret->account.uid = a.uid;
        ret->account.number = a.number;
        memcpy(ret->account.cgroup, a.cgroup, sizeof(a.cgroup));
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

static int read_state(Reader *r, unsigned n_numbers, Event *ret) {
        struct bw_state s;

        memcpy(&s, r->record, sizeof(s));
        if (s.zero != 0)
                return bad(r, "the state's padding is not zero");
        if (s.number >= n_numbers)
                return bad(r, "the counter is unknown");

        ret->state.value = s.value;
        ret->state.number = s.number;
        return 0;
}

static int read_share(Reader *r, Event *ret) {
        struct bw_share s;

        memcpy(&s, r->record, sizeof(s));
        if (s.zero != 0)
                return bad(r, "the share's padding is not zero");
        if (s.comm[sizeof(s.comm) - 1] != 0)
                return bad(r, "a comm has no terminator");
        int valid = check_payer(r, s.table, s.cgroup);
        if (valid < 0)
                return valid;

        ret->share.cgroup_id = s.cgroup_id;
        ret->share.live = s.live;
        ret->share.refused = s.refused;
        ret->share.table = s.table;
        ret->share.uid = s.uid;
        ret->share.pid = s.pid;
        memcpy(ret->share.comm, s.comm, sizeof(s.comm));
        memcpy(ret->share.cgroup, s.cgroup, sizeof(s.cgroup));
        return 0;
}

/* Returns 0 for a kind that this build does not know. */
static size_t kind_fixed_size(unsigned kind) {
        switch (kind) {
        case BW_KIND_CORRELATION:
                return sizeof(struct bw_correlation);
        case BW_KIND_EXIT:
                return sizeof(struct bw_exit);
        case BW_KIND_LOSS:
        case BW_KIND_COUNT:
                return sizeof(struct bw_state);
        case BW_KIND_SHARE:
                return sizeof(struct bw_share);
        case BW_KIND_MARK:
                return sizeof(struct bw_mark);
        case BW_KIND_ACCOUNT:
                return sizeof(struct bw_account);
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

        *ret = (Event){ .kind = h.kind, .boot_ns = h.boot_ns, .mono_ns = h.mono_ns, .cpu = h.cpu };

        switch (ret->kind) {
        case BW_KIND_CORRELATION:
                return read_correlation(r, true, &ret->correlation);
        case BW_KIND_EXIT:
                return read_exit(r, ret);
        case BW_KIND_LOSS:
                return read_state(r, BW_LOSS_MAX, ret);
        case BW_KIND_COUNT:
                return read_state(r, BW_COUNT_MAX, ret);
        case BW_KIND_SHARE:
                return read_share(r, ret);
        case BW_KIND_MARK:
                return read_mark(r, ret);
        case BW_KIND_ACCOUNT:
                return read_account(r, ret);
        }

        return -EPROTO;
}

int event_decode(const void *record, size_t size, Event *ret, const char **ret_why) {
        Reader r = { .record = record };
        Event event;

        int e = read_record(&r, size, &event);
        if (e < 0) {
                *ret_why = r.why;
                return e;
        }

        *ret = event;
        return 0;
}

bool event_file_framed(const EventFile *f, const EventProcess *p) {
        const uint8_t via = f->n_route > 0 ? f->route[f->n_route - 1].via : 0;

        return (via == BW_VIA_SOCKET || via == BW_VIA_LOOPBACK) && f->uid != p->uid;
}

bool event_file_looped(const EventFile *f) {
        for (size_t i = 0; i < f->n_route; i++)
                if (f->route[i].via == BW_VIA_LOOPBACK)
                        return true;
        return false;
}

bool event_destination_unknown(const struct bw_destination *d) {
        static const uint8_t none[sizeof(d->address)];

        return (d->family == AF_INET || d->family == AF_INET6) && d->port == 0 && d->act == BW_ACT_SEND &&
               memcmp(d->address, none, sizeof(none)) == 0;
}
