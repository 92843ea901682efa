/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which files a journal consists of. libsystemd opens all of them, and compares their next entries for each
 * entry that it returns: with the files of hundreds of hosts, that takes most of the time. A caller that
 * needs no order opens one after the other. */

#include "sink/reader.h"

typedef int (*JournalVisitor)(sd_journal *j, void *userdata);

/* Opens the source as one journal; the caller closes it. It may be without any file that can be read. */
int journal_source_open(const JournalSource *s, sd_journal **ret);

/* Calls visit once, for all files together: 0, what it returned, or -ENOENT: no journal that can be read. */
int journal_all_files(const JournalSource *s, JournalVisitor visit, void *userdata);

/* Calls it for each file; for this machine's own journal once. Files that cannot be read are counted; if
 * there are no others, the error of one of them. */
int journal_each_file(const JournalSource *s, JournalVisitor visit, void *userdata, JournalCounts *c);

/* The paths of all its files, sorted; not of this machine's own journal. */
int journal_source_list(const JournalSource *s, char ***files, size_t *n);
