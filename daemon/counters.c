/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "counters.h"
#include "util.h"

static const CounterInfo counters[BW_COUNT_MAX] = {
        [BW_LOSS_RING_FULL] = {
                "ring_full",
                "an alert could not be handed over: the ring buffer between kernel and daemon was full",
                "raise RingBuffer= in [Correlator]",
        },
        [BW_LOSS_MARK_REFUSED] = {
                "mark_refused",
                "a process that opened a sensitive file could not be marked: too many processes are",
                "raise MaxMarks= in [Correlator], or allow the program that opens so much with an [Allow] rule",
        },
        [BW_LOSS_DRAFT_BUSY] = {
                "draft_busy",
                "an alert could not be put together: too many were, at the same moment",
                NULL,
        },
        [BW_LOSS_PATH_TRUNCATED] = {
                "path_truncated",
                "a path could not be seen whole (too deep, or it changed meanwhile) and was judged by its end only",
                NULL,
        },
        [BW_LOSS_NAME_LOST] = {
                "name_lost",
                "an alert could not name every file and executable: too many different ones were in use",
                NULL,
        },
        [BW_LOSS_POLICY_BUSY] = {
                "policy_busy",
                "an open could not be judged: the policy was reloaded again and again while it was looked at",
                "reload the policy less often",
        },
        [BW_LOSS_FILE_GONE] = {
                "file_gone",
                "an opened file could not be judged: its descriptor was closed before the call returned",
                NULL,
        },
        [BW_LOSS_PATH_UNKNOWN] = {
                "path_unknown",
                "a file was opened by its handle (open_by_handle_at) and the kernel did not know its path: it could not be "
                "judged",
                NULL,
        },
        [BW_LOSS_REPEAT_GONE] = {
                "repeat_gone",
                "a repetition of an alert could not be counted: too many alerts are outstanding, or barbwired was "
                "started again",
                NULL,
        },
        [BW_LOSS_OBJECT_REFUSED] = {
                "object_refused",
                "a pipe, socket or file that a marked process wrote to could not be marked: too many are",
                "raise MaxMarks= in [Correlator], or allow the program that writes so much with an [Allow] rule",
        },
        [BW_LOSS_FLOW_UNKNOWN] = {
                "flow_unknown",
                "a marked process gave something away, and the kernel did not tell to whom",
                NULL,
        },
        [BW_COUNT_CORRELATIONS] = { "correlations", "thefts seen, repetitions not included", NULL },
        [BW_COUNT_REPEATS] = { "repetitions", "the same process, secrets and destination again", NULL },
        [BW_COUNT_MARKS_LIVE] = { "marks_live", "processes that are marked now", NULL },
        [BW_COUNT_MARKS_MADE] = { "marks_made", "processes that have been marked", NULL },
        [BW_COUNT_OPENS_MATCHED] = { "opens_matched", "opens of sensitive files", NULL },
        [BW_COUNT_OPENS_ALLOWED] = { "opens_allowed", "opens of sensitive files that an [Allow] rule made clean", NULL },
        [BW_COUNT_EGRESS_ALLOWED] = { "egress_allowed", "acts on the network that a Destination= allowed", NULL },
        [BW_COUNT_FLOODED] = { "flooded", "thefts that were counted as repetitions of a flood's alert", NULL },
        [BW_COUNT_OBJECTS_LIVE] = { "objects_live", "pipes, sockets and files that are marked now", NULL },
        [BW_COUNT_FLOWS] = { "flows", "times a mark came to a process by what it read, received or mapped", NULL },
        [BW_COUNT_FLOWS_STOPPED] = { "flows_stopped", "times it did not, for a [Carrier] or for MaxHops=", NULL },
};

const CounterInfo *counter_info(unsigned counter) {
        static const CounterInfo none = {};

        return counter < ELEMENTSOF(counters) ? &counters[counter] : &none;
}
