/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Writes the journal entry of an alert to standard output: with as many files and ancestors as there can be,
 * long names, and characters that formats quote. Every field has one value or several, as barbwired sends
 * it. */

#include <stdio.h>
#include <stdlib.h>

#include "alert/alert.h"
#include "sink/entry.h"
#include "../unit/alert-fixture.h"

/* A file's path below a directory of that many bytes, which makes the complete JSON longer than a reader
 * takes. */
#define LONG_NAME 700

static char paths[BW_FILES_MAX][LONG_NAME + 64];

int main(void) {
        Event e = event_new();
        EventCorrelation *c = &e.correlation;
        _cleanup_(alert_freep) Alert *a = NULL;
        _cleanup_free_ char *entry = NULL;
        size_t size;

        c->n_files = BW_FILES_MAX;
        for (size_t i = 0; i < BW_FILES_MAX; i++) {
                memset(paths[i], 'a' + (int)i, LONG_NAME);
                paths[i][0] = '/';
                snprintf(paths[i] + LONG_NAME, sizeof(paths[i]) - LONG_NAME, "/\"caf\xc3\xa9\" %zu/id_rsa",
                                i);
                c->files[i] = c->files[0];
                c->files[i].path = view(paths[i]);
        }
        c->classes = BIT(SSH) | BIT(AWS);
        c->files[1].classes = BIT(AWS);
        c->process.exe = view("/opt/caf\xc3\xa9 {x}/\"tool\"");
        c->process.cmdline = (Bytes){ .data = "tool\0--json={\"a\": [1]}\0$(date)", .size = 31 };
        if (alert_new(&e, &policy, &names, &epoch, 0, &a) < 0)
                return 1;
        _cleanup_free_ char *line = alert_line(a);
        if (!line || journal_entry_from_alert(a, line, &entry, &size) < 0)
                return 1;
        return fwrite(entry, 1, size, stdout) == size ? 0 : 1;
}
