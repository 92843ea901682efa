/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The compiled policy: what barbwired writes into the kernel's tables and the kernel programs read.
 *
 * Two copies exist (BW_TABLES); the daemon fills the idle one through a shared mapping and then switches an
 * index. A copy's seq is odd while it is being written: a program that saw it change judges again. */

#include <linux/types.h>

#define BW_TABLES 2
/* One bit each in a 64-bit word: marks carry the word. */
#define BW_CLASSES_MAX 64
/* Bits of struct bw_bits: an executable's DFA output is the set of rules it may use. */
#define BW_RULES_MAX 256
/* Scanned linearly, but only for a process that was marked under a rule, and unless a rule without
 * Destination= permits what it holds. */
#define BW_NETS_MAX 256
/* Distinct sets of patterns that can match one path. A default policy needs some dozens. */
#define BW_OUTPUTS_MAX 1024

/* Steps a walk up a path may take, one a component and one a mount crossed; beyond, the path counts as
 * truncated. It bounds loops that the verifier walks on every kernel: 200 components below 40 mounts. */
#define BW_PATH_STEPS_MAX 240

#define BW_WORDS 4
struct bw_bits {
        __u64 word[BW_WORDS];
};

/* Bits of a file automaton's output: word[0] the classes whose Path= matched, word[1] those whose
 * ExcludePath= did. Bits of the other automata's outputs: one per rule. */
#define BW_FILE_WORD_INCLUDE 0
#define BW_FILE_WORD_EXCLUDE 1
#define BW_FILE_WORDS 2

enum bw_automaton {
        BW_AUTOMATON_FILE = 0,
        BW_AUTOMATON_EXE = 1,
        BW_AUTOMATON_SCRIPT = 2,   /* of the script an interpreter was started with */
        BW_AUTOMATON_UNIT = 3,     /* of one component: "/ssh.service" */
        BW_AUTOMATON_ANCESTOR = 4, /* of an ancestor's executable */
        BW_AUTOMATON_CARRIER =
                        5, /* of a file, or of a unix socket's path: word[0] of the output is BW_CARRIER_* */
        BW_AUTOMATON_PATH = 6, /* of a file that a rule is about */
        BW_AUTOMATA = 7,
};
/* Places for them: a power of two, which an index is masked to. */
#define BW_AUTOMATON_SLOTS 8

/* Conditions that a rule may have beside its executable. */
enum bw_condition {
        BW_CONDITION_SCRIPT = 0,
        BW_CONDITION_UNIT = 1,
        BW_CONDITION_ANCESTOR = 2,
        BW_CONDITION_USER = 3,
        BW_CONDITION_HOST = 4, /* the process sees the host's file system: every rule but one with Container=
                                */
        BW_CONDITION_OWNER = 5, /* the user level, of a rule with ~/ in Exe= or Script=: the program may be
                                   its user's, and the file must be that user's, too */
        BW_CONDITION_PATH = 6,  /* the file is one of these, beside its class */
        BW_CONDITION_ARGUMENT = 7, /* the process was not started with one of these arguments */
        /* Of a [Carrier] with User=0: a process that root has executed counts, whatever user it is now. */
        BW_CONDITION_STARTED = 8,
        BW_CONDITIONS = 9,
};

/* The automaton reads a path backwards, as the kernel can walk it without storing it: the bytes of the last
 * component from last to first, a '/', the next component, … and for the root's '/' the end. "/etc/shadow"
 * is read as "wodahs/cte/".
 *
 * All states of all automata live in one array of cells. State s is the index of its header cell. For a byte
 * of class c (1 ≤ c ≤ 255), cell s+c holds its transition if that cell's check equals s. Otherwise the byte
 * is looked up once more from the header's default state; if it is not there either, the automaton is in the
 * default state. A default state's default is itself. State 0 is dead: no further byte can change the
 * outcome. Cells s+1…s+255 of every state lie inside the array. */
struct bw_cell {
        __u32 next;  /* transition: the next state. Header: default state, and BW_DEFAULT_SKIPS */
        __u32 check; /* transition: the state it belongs to. Header: BW_IS_HEADER and the output's index */
};

#define BW_IS_HEADER 0x80000000U
/* After this default nothing but '/' matters: the rest of the component must be skipped. (The default state
 * may have transitions for other bytes, which serve states whose default it is; they are not its own.) */
#define BW_DEFAULT_SKIPS 0x80000000U
#define BW_STATE_MASK 0x7fffffffU
#define BW_OUTPUT_MASK 0x0000ffffU

/* Output of a state. Index 0 is empty. Outputs are collected after each '/' only. */
struct bw_output {
        struct bw_bits sticky; /* these patterns match whatever is left of the path */
        struct bw_bits final;  /* these match if the path ends (at the root) here */
};

struct bw_rule {
        __u64 classes; /* that it allows; of a carrier: that do not mark the process. 0: no such rule */
        __u32 n_nets;  /* destinations it names; 0: any */
        __u32 flags;   /* BW_RULE_* */
};

#define BW_RULE_CARRIER 1 /* a process that it applies to is not marked by what it reads or maps */
#define BW_RULE_TERMINAL                                                                                    \
        4 /* or not by what it reads from a terminal: every [Carrier] has this flag, and allows nothing */
/* With BW_RULE_TERMINAL alone, a [Carrier] with Own=yes: `classes` has its bit of BW_CARRIER_OWN(). */
#define BW_RULE_OWN 2
/* What the sensitive data goes on to from a process under it (Passes=): */
#define BW_RULE_OUTPUT 8    /* descriptors that it was started with, such as its standard output */
#define BW_RULE_FILES 16    /* files and sockets that it opens itself */
#define BW_RULE_CHILDREN 32 /* processes that it starts, and what it executes itself */
#define BW_RULE_PASSES (BW_RULE_OUTPUT | BW_RULE_FILES | BW_RULE_CHILDREN)

/* Data written there does not mark its readers. */
#define BW_CARRIER_SILENT 1
/* A unix socket of a service that uses the network on behalf of any client. */
#define BW_CARRIER_EGRESS 2
/* What the programs of this [Carrier] with Own=yes write there does not mark its readers. */
#define BW_CARRIER_OWN(n) (4ULL << (n))
#define BW_CARRIER_OWN_MAX 62
#define BW_CARRIER_OWN_ALL (~3ULL)

/* Both families. */
#define BW_NET_ANY 0xffff

/* One destination of one rule. An address matches if (address[i] & mask[i]) == net.address[i] for both
 * words, taken as memory images of struct bw_destination's 16 bytes: byte order does not matter. */
struct bw_net {
        __u64 address[2];
        __u64 mask[2];
        __u16 family; /* AF_INET, AF_INET6 or BW_NET_ANY; 0: unused entry, and the last one was before it */
        __u16 rule;   /* index into rules */
        __u16 port_first; /* host order, inclusive */
        __u16 port_last;
};

/* A rule that applies to this user only. */
struct bw_user {
        __u32 uid;
        __u16 rule;
        __u16 used; /* 0: unused entry, and the last one was before it */
};

/* Scanned linearly, but only for an executable that a rule names. */
#define BW_USERS_MAX 128

/* An argument of a process, by its first bytes, that a rule does not apply with. An argument matches if
 * (its word[i] & mask[i]) == text[i] for all words; the mask includes the NUL of one that must be equal. */
#define BW_ARGUMENT_WORDS 4
#define BW_ARGUMENT_SIZE (8 * BW_ARGUMENT_WORDS)
struct bw_argument {
        __u64 text[BW_ARGUMENT_WORDS];
        __u64 mask[BW_ARGUMENT_WORDS];
        __u16 rule;
        __u16 used; /* 0: unused entry, and the last one was before it */
        __u32 zero;
};

/* Scanned for each argument, but only of a program that such a rule names. */
#define BW_ARGUMENTS_MAX 32

/* A power of two above BW_HOPS_MAX (abi/event.h), by which an index is masked. */
#define BW_FAR_SLOTS 16

/* What /proc/PID/stat counts a start time in. */
#define BW_START_TICK_NS 10000000ULL

struct bw_table {
        __u32 seq; /* odd: being written */
        __u32 generation;
        __u32 start[BW_AUTOMATON_SLOTS]; /* start states; 0: matches nothing */
        __u32 hops_max;                  /* data is not followed beyond so many hops */
        /* Never=: egress of a process that such a rule applies to is not refused. A rule's number and 1; 0:
         * there is none. The second has units only, and asks for no executable. */
        __u16 never_exe;
        __u16 never_unit;
        __u64 denies; /* classes whose egress is refused; 0: nothing is */
        __u64 stops;  /* those of them whose process is stopped as well, */
        __u64 kills;  /* or killed */
        __u64 locks;  /* classes that only a process which a rule allows to may open */
        __u64 closes; /* classes that are refused, too, where the programs cannot follow their data */
        __u64 dry;    /* classes of which it is only said that something would be refused */
        /* By a number of hand-overs: the classes whose ActionHops= are fewer. */
        __u64 far[BW_FAR_SLOTS];
        __u32 daemon_pid; /* whose egress is never refused, */
        __u32 zero;
        __u64 daemon_start; /* if the process began at this BW_START_TICK_NS of the boot clock: another one
                               may get the number of a daemon that was killed */
        __u8 byte_class[BW_AUTOMATON_SLOTS][256];
        __u64 code;                         /* classes of code that interpreters load: they leave no mark */
        __u64 window_ns[BW_CLASSES_MAX];    /* a mark's life, CLOCK_MONOTONIC; 0: no such class */
        __u64 fresh_ns[BW_CLASSES_MAX];     /* an egress later than this is late; at most window_ns */
        struct bw_bits asks[BW_CONDITIONS]; /* the rules that have this condition */
        struct bw_user users[BW_USERS_MAX];
        struct bw_argument arguments[BW_ARGUMENTS_MAX];
        struct bw_rule rules[BW_RULES_MAX];
        struct bw_net nets[BW_NETS_MAX];
        struct bw_output outputs[BW_OUTPUTS_MAX];
};

_Static_assert(sizeof(struct bw_cell) == 8, "table layout");
_Static_assert(sizeof(struct bw_output) == 64, "table layout");
_Static_assert(sizeof(struct bw_rule) == 16, "table layout");
_Static_assert(sizeof(struct bw_net) == 40, "table layout");
_Static_assert(sizeof(struct bw_user) == 8, "table layout");
_Static_assert(sizeof(struct bw_argument) == 72, "table layout");
_Static_assert(sizeof(struct bw_table) == 8 + 32 + 8 + 64 + 128 + 2048 + 8 + 2 * 512 + 288 + 1024 + 2304 +
                                                          4096 + 10240 + 65536,
                "table layout");
