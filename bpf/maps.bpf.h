/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every map, every counter and every knob. Map names begin with bw_ so that bpftool shows whose they are. Sizes
 * given here are placeholders where sensor.c sets them before loading; the reason for each limit stands here. */

#include "event.h"
#include "kernel.bpf.h"
#include "policy.h"
#include "shared.h"

/* ---- knobs, set by sensor.c before loading, constant to the verifier ---- */

/* Cells in one policy table minus one; a power of two minus one, so that an index is masked, not compared. */
const volatile __u32 cells_mask = 0xffff;
/* Above this many marked processes new marks are refused (and counted): an eviction would be a loss that nobody
 * sees. 90 % of the capacity asked for; the map has room for the free lists of every CPU beside it. */
const volatile __u32 marks_limit = 7372;
/* Above this many, a state record warns. 75 %. */
const volatile __u32 marks_pressure = 6144;
/* The same limit for objects, which have a share of their own in the table: a marked process that writes thousands of files
 * must not keep others from being marked. */
const volatile __u32 objects_limit = 3686;
/* Alerts whose repeats can be counted at one time, on each CPU and in all. */
const volatile __u32 repeat_slots_per_cpu = 1024;
const volatile __u32 repeat_slots = 1024;

/* ---- state shared with the daemon through a mapping of .bss: its only variable ---- */

struct bw_shared shared;

/* ---- policy ---- */

/* Written by the daemon through a mapping: map updates by descriptor need CAP_BPF before 5.19, writes to a mapping
 * never do. */
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

/* A sensitive file this process, or one it descends from, has opened. */
struct touched_file {
        __u64 mono_ns;
        __u64 classes;
        __u64 path; /* name id, see path.bpf.h */
        __u64 exe;  /* name id of the opener's executable */
        __u64 inode;
        __u32 device;
        __u32 pid; /* the opener */
        __u32 uid;
        __u8 hops;
        __u8 via;
        __u8 flags;
        __u8 handed; /* hand-overs on its way */
        __u64 way;   /* the latest of them, key of bw_hops; 0: none */
        char comm[BW_COMM_SIZE];
};

/* The mark of one holder: a process, or an object that a marked process has written to, and that marks who reads from it.
 * Its truth is in last[] and bound_last[], one word per class: two threads that mark at the same time cannot undo each
 * other. */
struct mark {
        __u64 start_boot_ns;             /* whose mark this is: the PID may have been reused. 0: being made. Of an object:
                                          * a second hash of what it is */
        __u64 until_mono_ns;             /* no class is within its window after this */
        __u32 last[BW_CLASSES_MAX];      /* tick of the last open of each class */
        __u32 bound_last[BW_CLASSES_MAX]; /* same, for opens under a rule with Destination= */
        struct bw_bits rules;            /* those rules: they hold for this process alone, until it execs */
        __u32 n_files;                   /* files touched so far; files[] holds the latest, in no order */
        __u32 reported;                  /* a correlation was reported: user space wants to hear of the exit */
        __u32 changes;                   /* times that something was added: what was passed on before need not be again */
        __u32 zero;
        __u64 only;                      /* the holder that all of it came from; 0: it touched a file itself, or there are several */
        struct touched_file files[BW_FILES_MAX];
};

/* Per holder: PIDs (thread groups), and BW_HOLDER_OBJECT with a hash of an object. LRU as a last resort only: the limits are far below max_entries. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 12288);
        __type(key, __u64);
        __type(value, struct mark);
} bw_marks SEC(".maps");

/* Marked holders in the order in which they were marked: where to look for marks that have expired. A queue in a ring; it
 * is worked off faster than it grows, so it holds few entries beside the live ones: room for the default of MaxMarks= and
 * its objects. A power of two. With a larger MaxMarks= what laps the queue expires only with its process. */
#define MARKED_MAX 16384

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, MARKED_MAX);
        __type(key, __u32);
        __type(value, __u64);
} bw_marked SEC(".maps");

/* One hand-over of a secret, and the one before it: who gave, and by which means. The same giver, means and past are one
 * entry, whatever passes. LRU: a way that is needed is looked up at every further step; one whose beginning was evicted is
 * told as far as it is known. */
struct hop {
        __u64 before; /* 0: it was the first */
        __u32 pid;
        __u8 via;
        __u8 zero[3];
        char comm[BW_COMM_SIZE];
};

struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, struct hop);
} bw_hops SEC(".maps");

/* What has flowed already: a pipe is written to a thousand times, and marked once. */
struct flow_key {
        __u64 from, to; /* holders */
        __u64 to_is;    /* start_boot_ns of its mark; of a process also what it executes: rules may stop one program only */
};

struct flow_value {
        __u32 changes;    /* of the source, when it was */
        __u32 generation; /* of the policy */
        __u32 stopped;    /* 1: nothing came through, and nothing will */
};

/* LRU: what is pushed out is found out once more. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct flow_key);
        __type(value, struct flow_value);
} bw_flowed SEC(".maps");

/* Which thread took which place of a mark's files[]: insertion decides, where 5.10 has no compare-and-swap. An entry
 * that is evicted has done its work: it matters while two threads open at the same time, and 4,096 such opens fit. */
struct file_place {
        __u64 start_boot_ns;
        __u32 pid;
        __u32 place;
};

struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct file_place);
        __type(value, __u8);
} bw_file_places SEC(".maps");

/* All zeros, never written: what a new entry is copied from, as it is too large for the stack. */
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

/* What was found out about a process when it ran exec. 0: not looked at. */
enum finding {
        FINDING_GOOD   = 1,
        FINDING_BAD    = 2,
        FINDING_UNSEEN = 3, /* it could not be seen whole, or was forgotten */
};

/* A process and its true ancestors, copied down at each fork: parents may die, be reparented or have their PID
 * reused without anything being lost. depth counts the ancestors; the newest is at (depth - 1) % BW_LINEAGE_MAX.
 *
 * And what its executable is worth: found out at exec, as the process can overwrite its arguments and environment
 * later, and only if a rule names the executable. A byte for each finding: two threads write theirs at one time. */
struct process {
        __u64 start_boot_ns;
        __u64 exe;             /* name id */
        __u64 image;           /* the exec that all this is about, see process_image() */
        __u64 script_hash;     /* of argv[1] when `script` was found out; 0: it was not */
        __u32 depth;
        __u32 generation;      /* of the policy that `rules` was made by; 0: by none */
        __u32 own_generation;  /* the same for `own` */
        __u8 object;           /* is the executable root's, and nobody else may write it? */
        __u8 host;             /* was it the host's file system where it was executed? */
        __u8 environment;      /* does nothing in it make the program run other code? */
        __u8 foreign;          /* 1: it has mapped code that others than root may change. Until it execs */
        __u8 traced;           /* 1: it has been seen under ptrace(2). Until it execs */
        __u8 zero[7];
        struct bw_bits rules;     /* whose Exe= matches */
        struct bw_bits script;    /* whose Script= matches */
        struct bw_bits own;       /* whose Ancestor= matches: what its children inherit */
        struct bw_bits ancestors; /* whose Ancestor= an ancestor matched while it ran */
        struct ancestor lineage[BW_LINEAGE_MAX];
};

/* LRU: when a machine runs more processes than this, the ancestry of the one that was quiet longest is rebuilt from
 * the process tree when it is needed. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 8192);
        __type(key, __u32);
        __type(value, struct process);
} bw_processes SEC(".maps");

/* ---- the host ---- */

/* What the init of barbwired's PID namespace sees. Kernel addresses, only ever compared: not where the daemon could
 * read them. */
struct host {
        __u64 mount_namespace;
        __u64 user_namespace; /* that owns the mount namespace */
        __u64 root;           /* dentry */
        __u64 cgroup;         /* kernfs node of its cgroup namespace's root */
};

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct host);
} bw_host SEC(".maps");

/* ---- scratch ---- */

/* A longer path of a script matches no rule; those of package managers are below 100 bytes. The name of a unit is never
 * longer (NAME_MAX). A power of two. */
#define TEXT_MAX 256

/* Where a walk from a dentry up to the root stands. */
struct path_cursor {
        __u64 dentry;
        __u64 mount;    /* struct mount */
        __u64 mnt_root; /* its root dentry */
};

/* What it sees there. */
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

/* How it has ended. */
enum walk { WALK_GOES_ON, WALK_WHOLE, WALK_CUT, WALK_DISCONNECTED, WALK_SETTLED /* what is left of the path changes nothing */ };

/* Steps that are taken at once: more than the components and mounts of nearly all paths. Divides BW_PATH_STEPS_MAX. */
#define WALK_STEPS 16

/* Everything that changes from turn to turn of a loop is kept here: what is read back is a new value to the verifier, so
 * that each turn is like the one before. */
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

/* By thread: a program that is preempted keeps its own. (Not a reservation in the ring: discarding it would wake the
 * daemon, and without waking it, it would miss the record behind.) Threads that are in the midst of it at one time;
 * without one no rule with Script= or Unit= holds, and a long path counts as truncated. */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 512);
        __type(key, __u64);
        __type(value, struct scratch);
} bw_scratch SEC(".maps");

/* ---- io_uring ---- */

/* Opens of a ring that were submitted, and not posted yet, the latest: what one batch opens before it uses it. */
#define URING_OPENS_MAX 8

struct uring_opens {
        __u64 request[URING_OPENS_MAX]; /* struct io_kiocb; 0: posted */
        __u32 slot[URING_OPENS_MAX];    /* of the ring's own table, see uring.bpf.h */
        __u32 n;
        __u32 zero;
};

/* By the address of the ring. One that is evicted loses what its batch has opened and not posted; more rings than this
 * do not open files at one time. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, struct uring_opens);
} bw_uring_opens SEC(".maps");

/* ---- names ---- */

/* Paths, each once. Nearly all are shorter than 256 bytes. */
#define NAME_SHORT_MAX 255
struct short_name {
        __u16 length;
        __u8 text[NAME_SHORT_MAX + 1];
};

/* Of executables. Every fork looks up those of the parent and its ancestors: what a living lineage needs is never
 * the oldest, however many programs are run meanwhile. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, struct short_name);
} bw_exe_names SEC(".maps");

/* Of sensitive files that were opened: apart, so that no number of executables pushes them out. A machine has some
 * hundreds of them. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 2048);
        __type(key, __u64);
        __type(value, struct short_name);
} bw_file_names SEC(".maps");

/* Longer ones, up to PATH_MAX - 1: few at any time, so the slot follows from the id and the newer owner wins; the
 * loss of a name is noticed by its id and counted. */
#define NAME_LONG_SLOTS 128
#define NAME_LONG_MAX (BW_PATH_SIZE - 1)
struct long_name {
        __u64 id; /* 0: being written */
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

/* The text of a path on the walk that writes it. */
struct name_walk {
        struct path_cursor cursor;
        __u64 hash;
        __u32 at; /* where the text begins so far */
        __u32 whole;
};

/* Where a record is put together before it goes into the ring at its exact length, and where a path's text is written
 * from its end to its beginning. Global functions find it by its number: each is verified once. */
struct draft {
        union {
                struct bw_correlation record;
                __u8 bytes[BW_RECORD_MAX];
                struct {
                        struct name_walk walk;
                        struct short_name name;
                        __u8 text[BW_PATH_SIZE + NAME_SHORT_MAX + 1]; /* the verifier adds the largest offset and length */
                };
        };
};

/* A program that is preempted keeps its draft, so there must be some more than CPUs: four for each of at least eight. A
 * power of two. */
const volatile __u32 drafts_mask = 31;

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 32); /* drafts_mask + 1 */
        __type(key, __u32);
        __type(value, struct draft);
} bw_drafts SEC(".maps");

/* Which drafts are taken: whoever inserts the number has it (5.10 has no compare-and-swap). */
struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 64); /* twice as many: a hash that is full takes no element, also where it would replace one */
        __type(key, __u32);
        __type(value, __u8);
} bw_draft_claims SEC(".maps");

/* ---- correlations ---- */

struct reported_key {
        __u64 start_boot_ns;
        __u64 classes;
        struct bw_destination destination;
        __u32 pid;
        __u32 late; /* 1: every class has waited. Such a report and a fresh one do not suppress each other. 2: a flood's */
};

struct reported_value {
        __u64 until_mono_ns; /* the window of the report: what comes later is reported anew */
        __u64 boot_ns;       /* with cpu: the report's id */
        __u32 cpu;
        __u32 slot;
        __u32 n_files; /* of the mark, when it was told or repeated last */
        __u32 zero;
};

/* What was reported lately: a busy minute's alerts. An eviction makes a repeat an alert of its own: more noise, no
 * loss. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct reported_key);
        __type(value, struct reported_value);
} bw_reported SEC(".maps");

/* Repeats are counted where the daemon can read them without privilege and without a record each. */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, 1024); /* repeat_slots + BW_FLOOD_SLOTS_PER_CPU for each CPU */
        __type(key, __u32);
        __type(value, struct bw_repeat);
} bw_repeats SEC(".maps");

/* The next free slot of each CPU: [0] of the ordinary ones, [1] of floods'. Two programs that interleave here share a slot: the older alert's repeats are
 * counted as gone, nothing else. */
struct {
        __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
        __uint(max_entries, 2);
        __type(key, __u32);
        __type(value, __u32);
} bw_repeat_next SEC(".maps");

/* ---- floods ---- */

/* What one user's executable has reported lately, or all of the user's. */
struct budget_key {
        __u64 exe; /* name id; 0 for all */
        __u32 uid;
        __u32 of_all;
};

struct budget {
        __u64 until_mono_ns; /* the end of this interval */
        __u64 count;         /* reports in it */
};

/* LRU: who floods is never the oldest. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 1024);
        __type(key, struct budget_key);
        __type(value, struct budget);
} bw_budgets SEC(".maps");

/* 8 MiB hold some 2,700 ordinary alerts: 0.13 s of 20,000 a second. */
struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, 8 << 20);
} bw_ring SEC(".maps");
