/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The shared maps and the load-time constants. Map names begin with bw_, so that bpftool shows whose they
 * are. Each limit has its reason here; a size that sensor/load.c sets before loading is a placeholder. */

#include "abi/event.h"
#include "abi/policy.h"
#include "abi/shared.h"
#include "lib/kernel.bpf.h"

/* ---- set by sensor/load.c before loading, constant to the verifier ---- */

/* Cells in one policy table minus one; a power of two minus one, so that an index is masked, not compared.
 */
const volatile __u32 cells_mask = 0xffff;
/* The limit of each table, by enum bw_share_of: above it new entries are refused and counted. Marks: 90 % of
 * MaxMarks=, as an eviction from an LRU hash could not be counted; the map has room for the free lists of
 * every CPU beside it. */
const volatile __u32 table_limit[BW_SHARE_SLOTS] = { 7372, 65536, 16384, 65536, 131072, 16384, 16384 };
/* The share of one user; of uid 0, of one cgroup. A cgroup of another user has half of the user's share.
 */
const volatile __u32 user_share[BW_SHARE_SLOTS] = { 1843, 16384, 4096, 16384, 32768, 4096, 4096 };
/* Above this many marked processes a state record warns. 75 %. */
const volatile __u32 marks_pressure = 6144;
/* The limit of contents, which live in the same map: many objects share one. */
const volatile __u32 contents_limit = 3686;
/* Pairs of user and cgroup that can be suspected at the same time; these entries are in the same map, too.
 */
const volatile __u32 suspects_max = 1024;
/* Bytes from an inode of btrfs back to the pointer to its root, and from there to the number of its
 * subvolume; 0: not known. */
const volatile __u32 btrfs_root_at = 0;
const volatile __u32 btrfs_id_at = 0;
/* Alerts whose repeats can be counted at the same time, per CPU and in total: those of processes that still
 * run. */
const volatile __u32 repeat_slots_per_cpu = 1024;
const volatile __u32 repeat_slots = 1024;

/* ---- state shared with the daemon through a mapping of .bss: its only variable ---- */

struct bw_shared shared;

/* Inserts an entry: 0 or -errno. Before 6.4 a program calls the kernel's function directly, which returns an
 * int: the upper half of the register is not its sign. */
#define MAP_INSERT(map, key, value) ((int)bpf_map_update_elem((map), (key), (value), BPF_NOEXIST))

/* ---- policy ---- */

/* Written by the daemon through a mapping: map updates by descriptor need CAP_BPF before 5.19, writes to a
 * mapping never do. */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, BW_TABLES);
        __type(key, __u32);
        __type(value, struct bw_table);
} bw_table SEC(".maps");

/* One value holds all cells of a table: cells_mask + 1 of them. */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, BW_TABLES);
        __uint(key_size, sizeof(__u32));
        __uint(value_size, 65536 * sizeof(struct bw_cell));
} bw_cells SEC(".maps");

/* ---- marks ---- */

/* Times in marks are kept in ticks of 2^24 ns (16.8 ms): 32 bits of them wrap after 834 days. 0: never. */
#define TICK_SHIFT 24

/* A sensitive file whose data a holder may have. */
struct touched_file {
        __u64 mono_ns;
        __u64 classes;
        __u64 path;     /* name id, see lib/path.bpf.h */
        __u64 real;     /* the same of the name by which its class is known, if that is another; 0: none */
        __u64 exe, run; /* name ids of the opener's executable and script; 0: none, or not known */
        __u64 inode;
        __u32 device;
        __u32 pid; /* the opener */
        __u32 uid;
        __u8 generation;
        __u8 via;
        __u8 flags;
        __u8 hops;   /* hand-overs so far, which MaxHops= limits */
        __u64 route; /* the latest of them, key of bw_hops; 0: none */
        char comm[BW_COMM_SIZE];
};

/* The mark of one holder: a process, or an object that a marked process has written to and that marks its
 * readers. last[] and bound_last[] decide, with one word per class, so that two threads that mark at the
 * same time cannot undo each other. */
struct mark {
        __u64 start_boot_ns;        /* whose mark this is: the PID may have been reused. 0: being made. Of an
                                     * object:        a second hash of what it is */
        __u64 until_mono_ns;        /* no class is within its window after this */
        __u32 last[BW_CLASSES_MAX]; /* tick of the last open of each class */
        __u32 bound_last[BW_CLASSES_MAX]; /* same, for opens under a rule */
        struct bw_bits rules;             /* those rules: they apply to this process alone, until it execs */
        __u32 n_files;                    /* files touched so far; files[] holds the latest, in no order */
        __u32 reported; /* a correlation was reported: user space wants to hear of the exit */
        __u32 changes;  /* times that something was added: what was passed on before need not be again */
        __u32 refs;     /* of a content: objects that refer to it */
        __u64 idle_ns;  /* of a content: since when no object refers to it; 0: one does. Of a process:
                           `changes` and the policy's generation when all of it was permitted anywhere */
        __u64 cgroup;   /* charged for the entry, see mark/share.bpf.h */
        __u32 uid, charged;
        __u32 owner;  /* uid of the process, and its comm, when it was marked or last executed a program */
        __u32 listed; /* in the listing of this number, see egress/list.bpf.h */
        char comm[BW_COMM_SIZE];
        __u64 only; /* the holder that all that is not bound came from; 0: it touched a file itself, or there
                       are several */
        struct touched_file files[BW_FILES_MAX];
};

/* Key: a PID (thread group), a content of objects, or the holder that stands for a user and cgroup. LRU only
 * as a last resort: the limits are far below max_entries. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 12288);
        __type(key, __u64);
        __type(value, struct mark);
} bw_marks SEC(".maps");

/* The keys of bw_marks in the order in which they were made, to find expired marks. A sweep takes an entry
 * out and puts it back if its mark is still needed. The entry of a mark that has been removed stays until
 * its turn comes, so there is room for twice as many as marks. */
struct {
        __uint(type, BPF_MAP_TYPE_QUEUE);
        __uint(max_entries, 24576);
        __type(value, __u64);
} bw_marked SEC(".maps");

/* In the `via` of an object: a file of a file system in memory, whose inodes leave the cache only when they
 * are deleted. */
#define FLOW_TO_MEMORY 0x400

/* An object that carries a mark: its content, and where to see whether it still exists. Entries are
 * allocated when they are made, so that a high limit costs nothing. */
struct object_ref {
        __u64 is;      /* a second hash of what it is */
        __u64 content; /* key of bw_marks */
        __u64 until_mono_ns;
        __u64 address; /* of the inode or sock; 0: not in the cache, or not known */
        __u64 cgroup;  /* charged for the entry, with uid */
        __u32 uid;
        __u8 via;         /* enum bw_via of what passes through it */
        __u8 memory_only; /* FLOW_TO_MEMORY */
        __u8 zero[2];
};

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 65536);
        __type(key, __u64);
        __type(value, struct object_ref);
} bw_objects SEC(".maps");

/* The same as bw_marked, for bw_objects. */
struct {
        __uint(type, BPF_MAP_TYPE_QUEUE);
        __uint(max_entries, 131072);
        __type(value, __u64);
} bw_object_queue SEC(".maps");

/* The same for the sensitive files that are known by every name, see files/sensitive.bpf.h. */
struct {
        __uint(type, BPF_MAP_TYPE_QUEUE);
        __uint(max_entries, 32768);
        __type(value, __u64);
} bw_sensitive_queue SEC(".maps");

/* ---- shares ---- */

/* The account of a user in one cgroup or, with cgroup 0, in all of them. */
struct charge_key {
        __u64 cgroup;
        __u32 uid;
        __u32 table; /* enum bw_share_of */
};

struct charge {
        __s64 live;
        __u64 refused;
        __u64 reported;    /* of them, those in the latest record */
        __u64 reported_ns; /* when that was made */
        __u32 listed;      /* in the listing of this number */
        __u32 zero;
        char name[BW_CGROUP_NAME_SIZE]; /* the last component of the cgroup's path */
};

/* Removed with its last entry. The limit is one of users and cgroups with entries at the same time; a
 * further one gets no entries. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 65536);
        __type(key, struct charge_key);
        __type(value, struct charge);
} bw_charges SEC(".maps");

/* One hop and its predecessor: who gave the data, and by which means. Hops with the same giver, means and
 * predecessor share an entry. */
struct hop {
        __u64 before; /* 0: it was the first */
        __u32 pid;
        __u8 via;
        __u8 zero[3];
        char comm[BW_COMM_SIZE];
};

/* LRU: a route in use is looked up at every further hop; of one whose first hops were evicted the alert has
 * as much as is known, and that it is cut. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, struct hop);
} bw_hops SEC(".maps");

/* Flows already made: a pipe is written to a thousand times, and marked once. */
struct flow_key {
        __u64 from, to; /* holders */
        __u64 to_is;    /* start_boot_ns of its mark; of a process also what it executes: rules may stop one
                           program only */
};

struct flow_value {
        __u32 changes;    /* of the source, when it was */
        __u32 generation; /* of the policy */
        __u32 stopped;    /* 1: nothing may pass */
};

/* LRU: an evicted flow is made again. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct flow_key);
        __type(value, struct flow_value);
} bw_flowed SEC(".maps");

/* Which thread took which place of a mark's files[]: insertion into the map decides, as 5.10 has no
 * compare-and-swap. */
struct file_place {
        __u64 start_boot_ns;
        __u32 pid;
        __u32 place;
};

/* LRU: an entry matters only while two threads open at the same time, and 4,096 such opens fit. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct file_place);
        __type(value, __u8);
} bw_file_places SEC(".maps");

/* All zeros, never written: the source of new entries, which are too large for the stack. */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct mark);
} bw_zero SEC(".maps");

/* ---- ancestry ---- */

struct ancestor {
        __u64 start_boot_ns;
        __u64 exe; /* name id */
        __u32 pid;
        __u32 zero;
        char comm[BW_COMM_SIZE];
};

/* A finding about a process at exec. 0: not examined. */
enum finding {
        FINDING_GOOD = 1,
        FINDING_BAD = 2,
        FINDING_UNSEEN = 3, /* it could not be read completely, or the process was not known */
        FINDING_INSIDE = 4, /* of `host`: in a container's own file system, see container_seen() */
        FINDING_USERS = 5,  /* of `object`: its user owns it, and nobody but root and she may write it */
};

/* A process and its true ancestors, copied at each fork: ancestors may exit, be reparented or have their PID
 * reused, and nothing is lost. depth counts the ancestors; the newest is at (depth - 1) % BW_LINEAGE_MAX.
 *
 * Whether the executable is trusted is determined at exec, as the process can overwrite its arguments and
 * environment later, and only if a rule names the executable. Each finding is a byte of its own, as two
 * threads may write at the same time. */
struct process {
        __u64 start_boot_ns;
        __u64 exe;         /* name id */
        __u64 image;       /* identifies the exec that this entry describes, see process_image() */
        __u64 script_hash; /* of argv[1] when `script` was determined; 0: it was not */
        __u64 program;     /* name id of the script that was executed, see process/program.bpf.h; 0: none */
        __u64 task;        /* the address of its leader, to see whether it still exists */
        __u64 cgroup;      /* charged for the entry and its mappings, with uid */
        __u32 uid, mappings; /* places taken in bw_mappings */
        __u32 arrivals;      /* shared.memory_changes when they were last examined */
        __u32 depth;
        __u32 generation, own_generation; /* of the policies that `rules` and `own` were made by; 0: none */
        __u8 object;                      /* root owns the executable, and only root may write it */
        __u8 host;                        /* it was executed in the host's file system */
        __u8 environment;                 /* nothing in it makes the program run other code */
        __u8 foreign;  /* 1: it has mapped code that users other than root may change. Until it execs */
        __u8 strange;  /* 1: and others than its own user, too */
        __u8 traced;   /* 1: it has been seen under ptrace(2). Until it execs */
        __u8 unlisted; /* why it shares memory that bw_mappings lacks: UNLISTED_*. Until it execs */
        __u8 unlisted_written; /* 1: and it may write there */
        __u8 through_env;      /* 1: the script names env(1), which will execute its interpreter */
        __u8 put_off;          /* 1: what it holds is not passed on yet, see memory_put_off() */
        __u8 passed;           /* 1: binfmt_misc(5) has passed the file as a descriptor to an interpreter */
        __u8 users_program;    /* 1: the script is its user's, and not root's */
        __u8 awaits;           /* enum awaits, see process/script.bpf.h */
        __u8 roots, zero[2];  /* roots: 1: root has executed it. Until the next exec, also as another user */
        __u64 run_name;       /* name id of `run`; while it is awaited, where its name is in memory */
        struct bw_script run; /* the script that the interpreter has opened */
        struct bw_bits rules; /* whose Exe= matches: the executable or the script */
        struct bw_bits script;    /* whose Script= matches */
        struct bw_bits own;       /* whose Ancestor= matches: what its children inherit */
        struct bw_bits ancestors; /* whose Ancestor= an ancestor matched while it ran */
        struct ancestor lineage[BW_LINEAGE_MAX];
};

/* By PID. Not LRU: without its entry no rule applies to a process, so none may be forgotten while it runs,
 * however many others do. An entry ends with its process. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 65536);
        __type(key, __u32);
        __type(value, struct process);
} bw_processes SEC(".maps");

/* ---- shared memory ---- */

struct mapping_key {
        __u32 pid;
        __u32 place; /* below process.mappings */
};

/* What a process shares with others: a mapping, or its address space or descriptors. */
struct mapping {
        __u64 holder, is; /* the object */
        __u64 address;    /* of the inode; 0: it has none, or its file system maps another's */
        __u64 gave;       /* the content that the process itself gave to it last */
        __u16 what;       /* that flows there, see mark_flow(); 0: nothing, it only reads */
        __u16 thread;     /* that made it: the lower half of its id */
        __u32 tick;       /* when it was made */
};

/* Entries end when the process does, or executes another program. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 131072);
        __type(key, struct mapping_key);
        __type(value, struct mapping);
} bw_mappings SEC(".maps");

/* ---- the host ---- */

/* The namespaces and the root of the init process of barbwired's PID namespace. Kernel addresses, which are
 * only compared: not in a map that the daemon can read. */
struct host {
        __u64 mount_namespace;
        __u64 user_namespace; /* that owns the mount namespace */
        __u64 root;           /* dentry */
        __u64 idmap;          /* of its mount */
        __u64 cgroup;         /* kernfs node of its cgroup namespace's root */
};

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct host);
} bw_host SEC(".maps");

/* ---- scratch ---- */

/* A longer script path matches no rule; those of package managers are below 100 bytes. A unit's name is
 * never longer (NAME_MAX). A power of two. */
#define TEXT_MAX 256

/* The position of a walk from a dentry up to the root. */
struct path_cursor {
        __u64 dentry;
        __u64 mount;    /* struct mount */
        __u64 mnt_root; /* its root dentry */
};

/* The dentry there. */
struct dentry_head {
        __u64 parent;
        __u64 hash_len;
        __u64 name;
};

/* An automaton on such a walk. */
struct path_walk {
        struct path_cursor cursor;
        struct dentry_head head;
        struct bw_bits bits; /* outputs collected so far */
        __u32 state;
        __u32 output; /* of the component before */
};

/* How the walk ended. */
enum walk {
        WALK_GOES_ON,
        WALK_WHOLE,
        WALK_CUT,
        WALK_DISCONNECTED,
        WALK_SETTLED /* the rest of the path does not matter */
};

/* Steps per loop: more than the components and mounts of nearly all paths. Divides BW_PATH_STEPS_MAX. */
#define WALK_STEPS 16

/* State that changes between iterations of a loop is kept in a map: a value read back from there is new to
 * the verifier, so that it verifies the iterations as one state. */
struct scratch {
        struct path_walk walk;
        struct bw_bits bits;
        __u64 hash;
        __u64 shape; /* of the component that is being read */
        __u64 bad;
        __u32 length;
        __u32 state;
        __u32 output;
        __u32 zero;
        char text[TEXT_MAX];
};

/* By thread, so that a preempted program keeps its own. (A discarded reservation in the ring would wake the
 * daemon, and one discarded without a wake-up would delay the next record.) As many threads at the same time
 * as have room here; a further one gets none: no rule with Script= or Unit= applies, and a long path counts
 * as truncated. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 512);
        __type(key, __u64);
        __type(value, struct scratch);
} bw_scratch SEC(".maps");

/* ---- io_uring ---- */

/* The latest opens of a ring that were submitted and not yet completed: as many as one batch opens before it
 * uses the files. */
#define URING_OPENS_MAX 8
/* The latest requests of a ring that read repeatedly: a server has one for each of its sockets, and they are
 * the same process's. A request that has ended may be another of that ring. */
#define URING_READS_MAX 16

struct uring_ring {
        __u64 open[URING_OPENS_MAX]; /* struct io_kiocb; 0: completed */
        __u64 read[URING_READS_MAX]; /* the same; 0: there are fewer */
        __u32 slot[URING_OPENS_MAX]; /* of the ring's own table, see files/uring.bpf.h */
        __u32 opens, reads;
        __u64 is;     /* which ring it is: another one may have the address later */
        __u64 cgroup; /* charged for the entry, with uid */
        __u32 uid;
        __u32 zero;
};

/* By the address of the ring, of which there are as many as processes or CPUs that use io_uring. No hook
 * fires when a ring ends: entries of those that have are looked for when others are made, see ring_enter().
 * Without an entry opens are judged when they complete, from 5.19 on; before, only the sensors lsm and
 * fentry, which have a hook for every open, see them. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 16384);
        __type(key, __u64);
        __type(value, struct uring_ring);
} bw_rings SEC(".maps");

/* The same as bw_marked, for bw_rings. */
struct {
        __uint(type, BPF_MAP_TYPE_QUEUE);
        __uint(max_entries, 16384);
        __type(value, __u64);
} bw_ring_queue SEC(".maps");

/* ---- names ---- */

/* Paths, each once. Nearly all are shorter than 256 bytes. */
#define NAME_SHORT_MAX 255
struct short_name {
        __u64 cgroup;            /* charged for the entry, with uid */
        __u32 uid, round;        /* round: shared.names_round when it was seen in use last */
        struct bw_object object; /* as it was when the name was stored */
        __u16 length;
        __u8 text[NAME_SHORT_MAX + 1], zero[6];
};

/* Of executables, scripts and sensitive files. No LRU: a name is there as long as a process, its
 * descendants, a mark or a remembered file refers to it, see mark/name.bpf.h. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, 16384);
        __type(key, __u64);
        __type(value, struct short_name);
} bw_names SEC(".maps");

/* Their ids, as bw_marked has those of marks. */
struct {
        __uint(type, BPF_MAP_TYPE_QUEUE);
        __uint(max_entries, 16384);
        __type(value, __u64);
} bw_name_queue SEC(".maps");

/* Names beyond the share of their user: the id determines the slot and the newer name replaces the older, so
 * that what was opened last is known even of a user who has filled the share. The id shows that a name was
 * lost, which is counted. A power of two; 72 KiB. */
#define NAME_SPARE_SLOTS 256
struct spare_name {
        __u64 id; /* 0: being written */
        struct short_name name;
};

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, NAME_SPARE_SLOTS);
        __type(key, __u32);
        __type(value, struct spare_name);
} bw_spare_names SEC(".maps");

/* Longer ones, up to PATH_MAX - 1: few at any time, so all users have the same places. */
#define NAME_LONG_SLOTS 128
#define NAME_LONG_MAX (BW_PATH_SIZE - 1)
struct long_name {
        __u64 id; /* 0: being written */
        struct bw_object object;
        __u16 length;
        __u8 text[BW_PATH_SIZE];
};

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, NAME_LONG_SLOTS);
        __type(key, __u32);
        __type(value, struct long_name);
} bw_long_names SEC(".maps");

/* ---- drafts ---- */

/* A walk that writes the text of a path. */
struct name_walk {
        struct path_cursor cursor;
        __u64 hash;
        __u32 at;       /* where the text begins so far */
        __u32 complete; /* it reached the root */
};

/* A buffer to compose a record in, before it is copied to the ring at its exact length, or to write the text
 * of a path in, from its end. Global functions, which are verified once, get its number. */
struct draft {
        union {
                struct bw_correlation record;
                struct bw_mark mark; /* begins with such a record */
                __u8 bytes[BW_RECORD_MAX];
                struct {
                        struct name_walk walk;
                        struct short_name name;
                        __u8 text[BW_PATH_SIZE + NAME_SHORT_MAX +
                                        1]; /* the verifier adds the largest offset and length */
                };
        };
};

/* A preempted program keeps its draft, so there must be more than CPUs: four for each of at least eight. A
 * power of two. */
const volatile __u32 drafts_mask = 31;

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 32); /* drafts_mask + 1 */
        __type(key, __u32);
        __type(value, struct draft);
} bw_drafts SEC(".maps");

/* The drafts in use: the program that inserts the number owns it (5.10 has no compare-and-swap). */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries,
                        64); /* twice as many, as a full hash rejects an update even of an existing key */
        __type(key, __u32);
        __type(value, __u8);
} bw_draft_claims SEC(".maps");

/* ---- correlations ---- */

/* The best evidence that any class has, or what the report stands for instead. */
#define REPORT_UNBOUND 0
#define REPORT_BOUND 1
#define REPORT_LATE 2
#define REPORT_FLOOD 3   /* pid: the user; start_boot_ns: the executable */
#define REPORT_SUSPECT 4 /* of a suspected user and cgroup; start_boot_ns: their holder */

struct reported_key {
        __u64 start_boot_ns;
        __u64 classes;
        struct bw_destination destination;
        __u32 pid;
        __u16 evidence, action; /* REPORT_*, enum bw_action: different ones do not suppress each other */
};

struct reported_value {
        __u64 until_mono_ns; /* the end of the report's window: a later correlation is reported again */
        __u64 boot_ns;       /* with cpu: the report's id */
        __u32 cpu;
        __u32 slot;
        __u32 n_files; /* of the mark, at the last report or repeat */
        __u32 zero;
};

/* Recent reports: the alerts of a busy minute. LRU: after an eviction a repeat is an alert of its own:
 * noise, but no loss. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct reported_key);
        __type(value, struct reported_value);
} bw_reported SEC(".maps");

/* The files that these reports name, by a hash of the claim and the file, each until the report's window is
 * over: a further egress to the same destination is a repeat only if it can have sent nothing else. As many
 * as the alerts above name, which have some two each. LRU: after an eviction a repeat is an alert of its
 * own, too. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 8192);
        __type(key, __u64);
        __type(value, __u64);
} bw_named SEC(".maps");

/* Repeat counters, which the daemon reads without privilege and without a record for each. */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, 1024); /* repeat_slots + BW_FLOOD_SLOTS_PER_CPU for each CPU */
        __type(key, __u32);
        __type(value, struct bw_repeat);
} bw_repeats SEC(".maps");

/* The slot to try next on each CPU: [0] ordinary, [1] floods. If two programs race they share a slot, and
 * the older alert's repeats are counted as a loss. */
struct {
        __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
        __uint(max_entries, 2);
        __type(key, __u32);
        __type(value, __u32);
} bw_repeat_next SEC(".maps");

/* ---- floods ---- */

/* Recent reports of one executable of a user, or of all of them. */
struct budget_key {
        __u64 exe; /* name id; 0 for all */
        __u32 uid;
        __u32 of_all;
};

struct budget {
        __u64 until_mono_ns; /* the end of this interval */
        __u64 count;         /* reports in it */
};

/* LRU: a flooding user is never the oldest. After an eviction more alerts are written one by one. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 1024);
        __type(key, struct budget_key);
        __type(value, struct budget);
} bw_budgets SEC(".maps");

/* 8 MiB hold some 2,700 ordinary alerts: 0.13 s of 20,000 a second. sensor/sizes.c has the size. */
struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, 8 << 20);
} bw_ring SEC(".maps");

/* ---- programs ---- */

/* The parts of programs, by enum bw_tail. The daemon fills it before anything is attached, and keeps it: the
 * kernel empties it when the last descriptor of it is closed, also while programs use it. */
struct {
        __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
        __uint(max_entries, BW_TAIL_MAX);
        __uint(key_size, sizeof(__u32));
        __uint(value_size, sizeof(__u32));
} bw_tails SEC(".maps");
