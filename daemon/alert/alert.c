/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Event → Alert: replaces numbers by names, dates and scores the event, and copies everything, because the
 * record is gone when the ring buffer is read on. Must not print and must not look at the system.
 *
 * Classes are listed worst first, in the alert and in each of its files. */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/alert.h"
#include "event/cgroup-path.h"
#include "basic/strv.h"
#include "basic/util.h"

#define PORT_DNS 53

/* Each once. */
static int strv_extend_once(char ***strv, const char *item) {
        return strv_contains(*strv, item) ? 0 : strv_extend(strv, NULL, item);
}

static int bytes_copy(Bytes b, AlertBytes *ret) {
        if (b.size == 0)
                return 0;

        char *data = malloc(b.size + 1);
        if (!data)
                return -ENOMEM;

        memcpy(data, b.data, b.size);
        data[b.size] = '\0';
        *ret = (AlertBytes){ .data = data, .size = b.size };
        return 0;
}

static void bytes_done(AlertBytes *b) {
        free(b->data);
        *b = (AlertBytes){ 0 };
}

/* The bits of the event's and its files' classes, worst first; classes that the policy no longer has are
 * last. */
typedef struct Ranking {
        unsigned bits[BW_CLASSES_MAX];
        size_t n;
} Ranking;

static int class_score(const Policy *p, const PolicyNames *names, unsigned bit) {
        const PolicyClass *class = policy_class_by_bit(p, names, bit);
        return class ? (int)class->score : -1;
}

static Ranking classes_rank(const EventCorrelation *e, const Policy *p, const PolicyNames *names) {
        uint64_t classes = e->classes;
        int scores[BW_CLASSES_MAX];
        Ranking r = { 0 };

        for (size_t i = 0; i < e->n_files; i++)
                classes |= e->files[i].classes;

        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                if (!(classes >> bit & 1))
                        continue;

                scores[bit] = class_score(p, names, bit);
                size_t i = r.n++;
                for (; i > 0 && scores[r.bits[i - 1]] < scores[bit]; i--)
                        r.bits[i] = r.bits[i - 1];
                r.bits[i] = bit;
        }

        return r;
}

static char *class_name(const PolicyNames *names, unsigned bit) {
        char *name;

        if (names->class_names[bit])
                return strdup(names->class_names[bit]);
        return asprintf(&name, "class-%u", bit) < 0 ? NULL : name;
}

static int classes_name(const Ranking *r, uint64_t classes, const PolicyNames *names, char ***ret) {
        /* An empty list is a list, too. */
        _cleanup_(strv_freep) char **s = calloc(1, sizeof(char *));
        if (!s)
                return -ENOMEM;

        for (size_t i = 0; i < r->n; i++) {
                if (!(classes >> r->bits[i] & 1))
                        continue;

                int e = strv_consume(&s, NULL, class_name(names, r->bits[i]));
                if (e < 0)
                        return e;
        }

        *ret = STEAL_PTR(s);
        return 0;
}

/* The policy names the techniques of access, the destination that of exfiltration. */
static int techniques_name(const EventCorrelation *e, const Ranking *r, const Policy *p,
                const PolicyNames *names, char ***ret) {
        _cleanup_(strv_freep) char **s = NULL;
        const char *exfiltration;
        int k;

        for (size_t i = 0; i < r->n; i++) {
                if (!(e->classes >> r->bits[i] & 1))
                        continue;

                const PolicyClass *class = policy_class_by_bit(p, names, r->bits[i]);
                for (size_t j = 0; class && j < class->n_techniques; j++) {
                        k = strv_extend_once(&s, class->techniques[j]);
                        if (k < 0)
                                return k;
                }
        }

        if (e->destination.port == PORT_DNS)
                exfiltration = "T1071.004";
        else if (e->destination.protocol == IPPROTO_TCP)
                exfiltration = "T1041";
        else
                exfiltration = "T1048";
        k = strv_extend_once(&s, exfiltration);
        if (k < 0)
                return k;

        *ret = STEAL_PTR(s);
        return 0;
}

/* As Python's shlex.quote(), but bytes above ASCII are plain: a shell gives them no meaning. */
static bool argument_is_plain(const char *data, size_t size) {
        for (size_t i = 0; i < size; i++) {
                unsigned char b = (unsigned char)data[i];

                if (b < 0x80 && !(b >= '0' && b <= '9') && !(b >= 'A' && b <= 'Z') &&
                                !(b >= 'a' && b <= 'z') && (b == '\0' || !strchr("_@%+=:,./-", b)))
                        return false;
        }

        return size > 0;
}

/* Formats one line that a shell would split into the same arguments. */
static int cmdline_format(Bytes cmdline, bool cut, AlertBytes *ret) {
        static const char ellipsis[] = "…";

        if (cmdline.size == 0)
                return 0;

        /* A quote becomes four bytes. An argument gains a pair of quotes and a space, for which the four
         * bytes of its separator suffice; the last argument has none. */
        _cleanup_free_ char *line = malloc(cmdline.size * 4 + 2 + sizeof(ellipsis));
        if (!line)
                return -ENOMEM;

        const char *end = cmdline.data + cmdline.size;
        char *out = line;
        for (const char *arg = cmdline.data; arg <= end;) {
                const char *arg_end = memchr(arg, '\0', (size_t)(end - arg));
                if (!arg_end)
                        arg_end = end;

                if (arg != cmdline.data)
                        *out++ = ' ';
                if (argument_is_plain(arg, (size_t)(arg_end - arg)))
                        out = mempcpy(out, arg, (size_t)(arg_end - arg));
                else {
                        *out++ = '\'';
                        for (const char *p = arg; p < arg_end; p++)
                                out = *p == '\'' ? mempcpy(out, "'\\''", 4) : mempcpy(out, p, 1);
                        *out++ = '\'';
                }

                arg = arg_end + 1;
        }
        if (cut)
                out = mempcpy(out, ellipsis, strlen(ellipsis));
        *out = '\0';

        ret->size = (size_t)(out - line);
        ret->data = STEAL_PTR(line);
        return 0;
}

static uint64_t realtime_usec(uint64_t boot_ns, const AlertEpoch *epoch) {
        int64_t usec;

        /* boot_ns / 1000 fits for 584 years; an epoch that makes it overflow is no date. */
        if (__builtin_add_overflow((int64_t)(boot_ns / NSEC_PER_USEC), epoch->realtime_minus_boottime_usec,
                            &usec) ||
                        usec < 0)
                return 0;
        return (uint64_t)usec;
}

static int process_copy(const EventCorrelation *e, const AlertEpoch *epoch, Alert *a) {
        const EventProcess *p = &e->process;
        Bytes unit, container;
        int r;

        a->process.pid = p->pid;
        a->process.tid = p->tid;
        a->process.uid = p->uid;
        a->process.loginuid = p->loginuid;
        a->process.mount_namespace = p->mount_namespace;
        a->process.flags = p->flags;
        a->process.start_realtime_usec = realtime_usec(p->start_boot_ns, epoch);

        if (p->exe_inode != 0)
                (void)snprintf(a->process.exe_object, sizeof(a->process.exe_object), "%u:%u/%" PRIu64,
                                p->exe_device >> 20, p->exe_device & 0xfffff, p->exe_inode);
        if (p->script.inode != 0)
                script_object_format(&p->script, a->process.script_object);
        r = bytes_copy(p->script.path, &a->process.script);
        if (r < 0)
                return r;
        r = bytes_copy(p->exe, &a->process.exe);
        if (r < 0)
                return r;
        r = bytes_copy(p->comm, &a->process.comm);
        if (r < 0)
                return r;
        r = cmdline_format(p->cmdline, e->flags & BW_CORRELATION_CMDLINE_CUT, &a->process.cmdline);
        if (r < 0)
                return r;
        r = bytes_copy(p->cgroup, &a->process.cgroup);
        if (r < 0)
                return r;
        cgroup_split(p->cgroup, &unit, &container);
        r = bytes_copy(unit, &a->process.unit);
        if (r < 0)
                return r;
        return bytes_copy(container, &a->process.container);
}

static int lineage_copy(const EventCorrelation *e, Alert *a) {
        a->n_lineage = e->n_lineage;
        a->lineage_more = e->flags & BW_CORRELATION_LINEAGE_MORE;

        for (size_t i = 0; i < e->n_lineage; i++) {
                a->lineage[i].pid = e->lineage[i].pid;

                int r = bytes_copy(e->lineage[i].exe, &a->lineage[i].exe);
                if (r < 0)
                        return r;
                r = bytes_copy(e->lineage[i].comm, &a->lineage[i].comm);
                if (r < 0)
                        return r;
        }

        return 0;
}

static const char *const action_names[BW_ACTION_MAX] = {
        [BW_ACTION_ALERT] = "alert",
        [BW_ACTION_DENIED] = "denied",
        [BW_ACTION_WOULD_DENY] = "would-deny",
        [BW_ACTION_NOT_DENIED] = "not-denied",
        [BW_ACTION_STOPPED] = "stopped",
        [BW_ACTION_KILLED] = "killed",
};

const char *action_to_string(uint8_t action) {
        return action_names[action]; /* checked when the record was decoded */
}

int action_from_string(const char *s) {
        for (int i = 0; i < BW_ACTION_MAX; i++)
                if (strcmp(action_names[i], s) == 0)
                        return i;
        return -EINVAL;
}

const char *process_flag_name(unsigned bit) {
        static const char *const names[] = { "not-roots", "writable", "directory-writable", "deleted",
                "memory", "not-host", "injected", "foreign-code", "traced", "environment-unread", "users",
                "script" }; /* as in bpf/abi/event.h */

        _Static_assert(BW_PROCESS_FLAGS == (1U << ELEMENTSOF(names)) - 1, "each flag has a name");
        return bit < ELEMENTSOF(names) ? names[bit] : NULL;
}

static const char *const via_names[] = {
        [BW_VIA_OPEN] = "open",
        [BW_VIA_FORK] = "fork",
        [BW_VIA_RECEIVED] = "received",
        [BW_VIA_TRACE] = "trace",
        [BW_VIA_PIPE] = "pipe",
        [BW_VIA_SOCKET] = "socket",
        [BW_VIA_FILE] = "file",
        [BW_VIA_MEMORY] = "memory",
        [BW_VIA_TERMINAL] = "terminal",
        [BW_VIA_QUEUE] = "queue",
        [BW_VIA_SEMAPHORES] = "semaphores",
        [BW_VIA_LOOPBACK] = "loopback",
};

static const char *via_to_string(uint8_t via) {
        return via_names[via]; /* checked when the record was decoded */
}

uint8_t alert_via_from_string(const char *name) {
        for (size_t via = BW_VIA_OPEN; via < ELEMENTSOF(via_names); via++)
                if (strcmp(via_names[via], name) == 0)
                        return (uint8_t)via;
        return BW_VIA_OPEN;
}

static const char *act_to_string(uint16_t act) {
        static const char *const names[] = {
                [BW_ACT_CONNECT] = "connect",
                [BW_ACT_SEND] = "send",
                [BW_ACT_ACCEPT] = "accept",
                [BW_ACT_OPEN] = "open",
        };
        return names[act]; /* the same */
}

/* A name is kept in a table of limited size. What is always known is which file it was. */
static int bytes_format_lost(const EventFile *f, AlertBytes *ret) {
        int n = asprintf(&ret->data, "inode %" PRIu64 " of device %u:%u (its name was evicted)", f->inode,
                        f->device >> 20, f->device & 0xfffff);

        if (n < 0) {
                ret->data = NULL;
                return -ENOMEM;
        }
        ret->size = (size_t)n;
        return 0;
}

static void object_format(const EventObject *o, char ret[static OBJECT_SIZE]) {
        if (o->inode != 0)
                (void)snprintf(ret, OBJECT_SIZE, "%u:%u/%" PRIu64 "/%" PRIu64 ".%09" PRIu64, o->device >> 20,
                                o->device & 0xfffff, o->inode, (uint64_t)(o->ctime_ns / NSEC_PER_SEC),
                                (uint64_t)(o->ctime_ns % NSEC_PER_SEC));
}

static int file_copy(const EventFile *f, const EventProcess *sender, uint64_t mono_ns,
                const Ranking *ranking, const PolicyNames *names, AlertFile *ret) {
        int r;

        ret->pid = f->pid;
        ret->uid = f->uid;
        ret->generation = f->generation;
        ret->via = via_to_string(f->via);
        ret->path_truncated = f->path_truncated;
        ret->handed_over = f->handed_over;
        ret->route_cut = f->route_cut;
        ret->real_path_lost = f->real_lost;
        ret->named = f->named;
        ret->framed = event_file_framed(f, sender);
        ret->n_route = f->n_route;
        for (size_t i = 0; i < f->n_route; i++) {
                ret->route[i].pid = f->route[i].pid;
                ret->route[i].via = via_to_string(f->route[i].via);
                r = bytes_copy(f->route[i].comm, &ret->route[i].comm);
                if (r < 0)
                        return r;
        }
        /* Another thread's open may have been stamped after this one's egress. */
        ret->age_usec = f->mono_ns < mono_ns ? (mono_ns - f->mono_ns) / NSEC_PER_USEC : 0;

        r = classes_name(ranking, f->classes, names, &ret->classes);
        if (r < 0)
                return r;
        ret->path_lost = f->path.size == 0;
        r = ret->path_lost ? bytes_format_lost(f, &ret->path) : bytes_copy(f->path, &ret->path);
        if (r < 0)
                return r;
        /* A path may have two ids. */
        if (f->real_path.size > 0 &&
                        (f->real_path.size != f->path.size ||
                                        memcmp(f->real_path.data, f->path.data, f->path.size) != 0)) {
                r = bytes_copy(f->real_path, &ret->real_path);
                if (r < 0)
                        return r;
        }
        object_format(&f->exe_object, ret->exe_object);
        object_format(&f->script_object, ret->script_object);
        r = bytes_copy(f->script, &ret->script);
        if (r < 0)
                return r;
        r = bytes_copy(f->exe, &ret->exe);
        if (r < 0)
                return r;
        return bytes_copy(f->comm, &ret->comm);
}

static const char *protocol_to_string(unsigned protocol) {
        switch (protocol) {
        case 0:
                return "unknown";
        case IPPROTO_ICMP:
                return "icmp";
        case IPPROTO_TCP:
                return "tcp";
        case IPPROTO_UDP:
                return "udp";
        case IPPROTO_DCCP:
                return "dccp";
        case IPPROTO_ICMPV6:
                return "icmpv6";
        case IPPROTO_SCTP:
                return "sctp";
        case IPPROTO_UDPLITE:
                return "udplite";
        case IPPROTO_RAW:
                return "raw";
        case IPPROTO_MPTCP:
                return "mptcp";
        default:
                return NULL;
        }
}

const char *family_name(unsigned family, char ret[static FAMILY_NAME_SIZE]) {
        static const struct {
                unsigned family;
                const char *name;
        } known[] = {
                { AF_INET, "inet" },
                { AF_INET6, "inet6" },
                { AF_UNIX, "unix" },
                { AF_VSOCK, "vsock" },
                { AF_PACKET, "packet" },
                { BW_FAMILY_FILE, "file" },
                { BW_FAMILY_NONE, "none" },
        };

        (void)snprintf(ret, FAMILY_NAME_SIZE, "family-%u", family);
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (known[i].family == family)
                        (void)stpcpy(ret, known[i].name);
        return ret;
}

/* Says of any family where the data went. Contains numbers and our own words only: journalctl -x prints it
 * unescaped. */
static void destination_format(Alert *a) {
        const char *address = a->destination.address;
        char *text = a->destination.text;
        size_t size = sizeof(a->destination.text);
        bool accepted = strcmp(a->destination.act, "accept") == 0;

        switch (a->destination.family) {
        case AF_INET:
        case AF_INET6:
                if (address[0] == 0) {
                        (void)snprintf(text, size, "an unknown %s address",
                                        a->destination.family == AF_INET ? "IPv4" : "IPv6");
                        break;
                }
                if (a->destination.family == AF_INET6) {
                        (void)snprintf(text, size, accepted ? "%s on local port %u" : "[%s]:%u", address,
                                        a->destination.port);
                        break;
                }
                (void)snprintf(text, size, accepted ? "%s on local port %u" : "%s:%u", address,
                                a->destination.port);
                break;
        case AF_UNIX:
                (void)snprintf(text, size, "a local service");
                break;
        case BW_FAMILY_FILE:
                (void)snprintf(text, size, "a file that leaves this machine");
                break;
        case BW_FAMILY_NONE:
                (void)snprintf(text, size, "nothing: it was judged when it opened the file");
                break;
        case AF_VSOCK:
                (void)snprintf(text, size, "vsock CID %s, port %u", address, a->destination.port);
                break;
        case AF_PACKET:
                (void)snprintf(text, size, "network interface %s", address);
                break;
        default:
                (void)snprintf(text, size, "a socket of %s", a->destination.family_name);
        }
}

static int destination_copy(const EventCorrelation *e, Alert *a) {
        const struct bw_destination *d = &e->destination;
        bool inet = d->family == AF_INET || d->family == AF_INET6;
        uint32_t numbers[2];

        a->destination.family = d->family;
        (void)family_name(d->family, a->destination.family_name);
        a->destination.port = d->port;
        a->destination.act = act_to_string(d->act);

        (void)snprintf(a->destination.protocol_number, sizeof(a->destination.protocol_number), "%u",
                        d->protocol);
        /* The names are those of internet protocols. */
        a->destination.protocol = (inet || d->protocol == 0 ? protocol_to_string(d->protocol) : NULL)
                                                  ?: a->destination.protocol_number;

        memcpy(numbers, d->address, sizeof(numbers));
        if (inet && !event_destination_unknown(d)) /* cannot fail: the buffer fits either */
                (void)inet_ntop(d->family, d->address, a->destination.address,
                                sizeof(a->destination.address));
        else if (d->family == AF_VSOCK || d->family == AF_PACKET)
                (void)snprintf(a->destination.address, sizeof(a->destination.address), "%" PRIu32,
                                numbers[0]);
        if (d->family == AF_VSOCK)
                a->destination.port = numbers[1];
        destination_format(a);
        return bytes_copy(e->destination_path, &a->destination.path);
}

/* The process, and what it holds. */
static int holder_copy(const EventCorrelation *c, const Ranking *ranking, uint64_t mono_ns,
                const PolicyNames *names, const AlertEpoch *epoch, Alert *a) {
        int r = classes_name(ranking, c->classes, names, &a->classes);

        if (r >= 0)
                r = process_copy(c, epoch, a);
        if (r < 0)
                return r;
        a->files_more = c->flags & BW_CORRELATION_FILES_MORE;
        a->flood = c->flags & BW_CORRELATION_FLOOD;
        a->suspect = c->flags & BW_CORRELATION_SUSPECT;
        a->n_files = c->n_files;
        for (size_t i = 0; i < c->n_files; i++) {
                r = file_copy(&c->files[i], &c->process, mono_ns, ranking, names, &a->files[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int alert_of_mark(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
                Alert **ret) {
        const EventCorrelation *c = &e->mark.holder;

        _cleanup_(alert_freep) Alert *a = calloc(1, sizeof(Alert));
        if (!a)
                return -ENOMEM;
        a->realtime_usec = realtime_usec(e->boot_ns, epoch);
        Ranking ranking = classes_rank(c, p, names);
        int r = holder_copy(c, &ranking, e->mono_ns, names, epoch, a);
        if (r >= 0)
                *ret = STEAL_PTR(a);
        return r;
}

int alert_class_names(const EventCorrelation *e, uint64_t classes, const Policy *p, const PolicyNames *names,
                char ***ret) {
        Ranking ranking = classes_rank(e, p, names);

        return classes_name(&ranking, classes, names, ret);
}

int alert_new(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
                uint64_t lineage_classes, Alert **ret) {
        const EventCorrelation *c = &e->correlation;
        int r;

        _cleanup_(alert_freep) Alert *a = calloc(1, sizeof(Alert));
        if (!a)
                return -ENOMEM;

        alert_id_format(a->id, epoch, e->boot_ns, e->cpu);
        memcpy(a->incident, a->id, sizeof(a->id));
        memcpy(a->policy, p->hash, sizeof(a->policy));
        a->realtime_usec = realtime_usec(e->boot_ns, epoch);
        if (epoch->monotonic_usec > e->mono_ns / NSEC_PER_USEC + ALERT_DELAYED_USEC)
                a->delayed_usec = epoch->monotonic_usec - e->mono_ns / NSEC_PER_USEC;
        r = destination_copy(c, a);
        if (r < 0)
                return r;

        r = score_event(c, e->mono_ns, p, names, lineage_classes, &a->score);
        if (r < 0)
                return r;

        a->action = c->action;
        /* A refusal is always an alert. */
        if (action_refused(c->action) || c->action == BW_ACTION_WOULD_DENY)
                a->score.ignored = a->score.below = false;
        a->evidence = evidence_of_event(c);
        Ranking ranking = classes_rank(c, p, names);
        r = techniques_name(c, &ranking, p, names, &a->techniques);
        if (r < 0)
                return r;
        r = lineage_copy(c, a);
        if (r < 0)
                return r;
        r = holder_copy(c, &ranking, e->mono_ns, names, epoch, a);
        if (r < 0)
                return r;

        *ret = STEAL_PTR(a);
        return 0;
}

int alert_look(Alert *a, FirstSights *sights, const Event *e, const Policy *p, const PolicyNames *names,
                uint64_t lineage_classes) {
        /* What is refused, or would be, is an alert at its own severity. */
        if (a->action != BW_ACTION_ALERT)
                return 0;
        a->sight = first_sights_look(
                        sights, &e->correlation, e->boot_ns, &a->score, lineage_classes, p, names);
        switch (a->sight) {
        case SIGHT_FIRST:
                return score_soften(&a->score, &p->scoring, SEVERITY_LOW,
                                "a script of the same user, seen reading this class alone for the first "
                                "time");
        case SIGHT_KNOWN:
                return score_soften(&a->score, &p->scoring, SEVERITY_INFO,
                                "a script of the same user, seen reading this class alone before, and not "
                                "changed since");
        default:
                return 0;
        }
}

Alert *alert_free(Alert *a) {
        if (!a)
                return NULL;

        score_done(&a->score);
        strv_free(a->classes);
        strv_free(a->techniques);

        bytes_done(&a->process.exe);
        bytes_done(&a->process.comm);
        bytes_done(&a->process.cmdline);
        bytes_done(&a->process.cgroup);
        bytes_done(&a->process.unit);
        bytes_done(&a->process.container);
        bytes_done(&a->process.script);
        bytes_done(&a->destination.path);

        for (size_t i = 0; i < a->n_lineage; i++) {
                bytes_done(&a->lineage[i].exe);
                bytes_done(&a->lineage[i].comm);
        }

        for (size_t i = 0; i < a->n_files; i++) {
                strv_free(a->files[i].classes);
                bytes_done(&a->files[i].path);
                bytes_done(&a->files[i].real_path);
                bytes_done(&a->files[i].exe);
                bytes_done(&a->files[i].script);
                bytes_done(&a->files[i].comm);
                for (size_t k = 0; k < a->files[i].n_route; k++)
                        bytes_done(&a->files[i].route[k].comm);
        }

        free(a);
        return NULL;
}

void alert_id_format(char ret[static 64], const AlertEpoch *epoch, uint64_t boot_ns, uint32_t cpu) {
        /* Fixed width, so that the ids of one boot sort by time: 32 + 1 + 16 + 1 + at most 8, and NUL. */
        (void)snprintf(ret, 64, "%.32s-%016" PRIx64 "-%" PRIx32, epoch->boot_id, boot_ns, cpu);
}
