/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Everything that the kernel programs count, in two lists with numbers of their own: losses, each of which
 * is a detection gap and is reported by its cause, and plain counts. A new one is one line here, at the end
 * of its list: tables that outlive a daemon are indexed by these numbers. */

/* X(enumerator, name, meaning, remedy). name: the cause, in alerts, in the status and in the daemon's last
 * line. meaning: what was lost and why. remedy: what an administrator can do, NULL: nothing. Only the
 * daemon's event/counters.c uses the texts. */
/* clang-format off */
#define BW_LOSSES(X)                                                                                       \
        X(RING_FULL, "ring_full",                                                                          \
                "an alert was dropped: the ring buffer between the kernel and barbwired was full",         \
                "raise RingBuffer= in [Correlator]")                                                       \
        X(MARK_REFUSED, "mark_refused",                                                                    \
                "a process that read a sensitive file was not marked: the mark table was full",            \
                "raise MaxMarks= in [Correlator], or add an [Allow] rule for the program that reads so much") \
        X(PATH_TRUNCATED, "path_truncated",                                                                \
                "a path was too deep or changed meanwhile: only its end was matched",                      \
                NULL)                                                                                      \
        X(NAME_LOST, "name_lost",                                                                          \
                "an alert lacks names of files or executables: too many others were in use",                   \
                NULL)                                                                                      \
        X(POLICY_BUSY, "policy_busy",                                                                      \
                "an open was not judged: the policy was reloaded several times meanwhile",                 \
                "reload the policy less often")                                                            \
        X(FILE_GONE, "file_gone",                                                                          \
                "an opened file was not judged: its descriptor was closed before the system call returned", \
                NULL)                                                                                      \
        X(REPEAT_GONE, "repeat_gone",                                                                      \
                "a repeat of an alert was not counted: too many alerts were outstanding, or barbwired was " \
                "restarted",                                                                               \
                NULL)                                                                                      \
        X(PATH_UNKNOWN, "path_unknown",                                                                    \
                "a file opened by its handle (open_by_handle_at) was not judged: the kernel did not know its " \
                "path",                                                                                    \
                NULL)                                                                                      \
        X(DRAFT_BUSY, "draft_busy",                                                                        \
                "an alert was dropped: too many were being composed at the same moment",                   \
                NULL)                                                                                      \
        X(OBJECT_REFUSED, "object_refused",                                                                \
                "a pipe, socket or file that a marked process wrote to was not marked: the mark table was full", \
                "raise MaxMarks= in [Correlator], or add an [Allow] rule for the program that writes so much") \
        X(FLOW_UNKNOWN, "flow_unknown",                                                                    \
                "data of a marked process was not followed: its receiver is not known",                    \
                NULL)                                                                                      \
        X(SWEEP_LOST, "sweep_lost",                                                                        \
                "an entry of a table stays until its process ends: the queue of entries to look at was full", \
                NULL)                                                                                      \
        X(NAMES_CUT, "names_cut",                                                                          \
                "other names of an opened file were not examined: it has too many links, or its file system too " \
                "many mounts",                                                                             \
                NULL)                                                                                      \
        X(FILE_REFUSED, "file_refused",                                                                    \
                "an opened sensitive file is known by this name only: the table of such files was full",   \
                NULL)                                                                                      \
        X(CALL_UNKNOWN, "call_unknown",                                                                    \
                "data of a marked process was not followed: the kernel is newer than this Barbwire, and the process " \
                "used a system call that it does not know",                                                \
                "install the newest Barbwire")                                                              \
        X(LINEAGE_REFUSED, "lineage_refused",                                                              \
                "the ancestors of a process are not known, and no rule applies to it: the table was full", \
                "raise MaxProcesses= in [Correlator]")                                                     \
        X(MAPPING_REFUSED, "mapping_refused",                                                              \
                "data that passes through shared memory is not followed: the table of mappings was full",  \
                NULL)                                                                                      \
        X(ACCOUNT_REFUSED, "account_refused",                                                              \
                "an entry of a user or cgroup was refused: the table of their accounts was full",          \
                NULL)                                                                                      \
        X(RING_REFUSED, "ring_refused",                                                                    \
                "what a process opened or received through io_uring may be missed: the table of rings was full", \
                NULL)
/* clang-format on */

#define BW_LOSS_ENUMERATOR(enumerator, name, meaning, remedy) BW_LOSS_##enumerator,
enum bw_loss { BW_LOSSES(BW_LOSS_ENUMERATOR) BW_LOSS_MAX };

enum bw_count {
        BW_COUNT_CORRELATIONS,   /* correlations found, repeats not included */
        BW_COUNT_REPEATS,        /* repeats of a correlation within its window */
        BW_COUNT_MARKS_LIVE,     /* processes marked now (goes up and down) */
        BW_COUNT_MARKS_MADE,     /* processes marked since start, forked children included */
        BW_COUNT_OPENS_MATCHED,  /* opens of a file that belongs to a class */
        BW_COUNT_OPENS_ALLOWED,  /* those of them that [Allow] rules permitted */
        BW_COUNT_EGRESS_ALLOWED, /* egress by a marked process, or of a suspected user, that a rule permitted
                                  */
        BW_COUNT_FLOODED,        /* correlations counted as repeats of a flood's */
        BW_COUNT_OBJECTS_LIVE,   /* pipes, sockets and files marked now (goes up and down) */
        BW_COUNT_FLOWS,          /* marks made or extended by what a process read, received or mapped */
        BW_COUNT_FLOWS_STOPPED,  /* propagations stopped by a [Carrier] or MaxHops= */
        BW_COUNT_CONTENTS_LIVE, /* contents of objects now, and what is suspected of users (goes up and down)
                                 */
        BW_COUNT_MARKS_SUSPECTED,   /* processes not marked, as their user's share was full */
        BW_COUNT_OBJECTS_SUSPECTED, /* the same of objects */
        BW_COUNT_FILES_LIVE,        /* sensitive files that are known by every name (goes up and down) */
        BW_COUNT_FILES_REFUSED,     /* opens and renames of files that there was no room to remember */
        BW_COUNT_FILES_DROPPED,     /* forgotten for others of their user and class: not in the cache */
        BW_COUNT_NAMES_SUSPECTED,   /* the files of FILES_REFUSED that were renamed or linked */
        BW_COUNT_LINEAGES_LIVE,     /* processes whose ancestors are known now (goes up and down) */
        BW_COUNT_MAPPINGS_LIVE,     /* what they share in memory now (goes up and down) */
        BW_COUNT_LINEAGES_SWEPT,    /* processes whose exit was missed */
        BW_COUNT_LINEAGES_REFUSED,  /* that often a process got no entry, as its user's share was full */
        BW_COUNT_MAPPINGS_REFUSED,  /* mappings without an entry: a share, or all places of a process, in use
                                     */
        BW_COUNT_OBJECTS_DROPPED,   /* marked files that made room for others: not in the cache */
        BW_COUNT_NAMES_LIVE,        /* names of executables and files now (goes up and down) */
        BW_COUNT_NAMES_REFUSED,     /* that often there was no room for one there */
        BW_COUNT_RINGS_LIVE,        /* rings of io_uring with requests to remember (goes up and down) */
        BW_COUNT_DENIED,            /* egress that was refused, repeats included */
        BW_COUNT_WOULD_DENY,        /* that would have been, but for Enabled=dry-run */
        BW_COUNT_NOT_DENIED,        /* that should have been, and could not be */
        BW_COUNT_MAX
};
