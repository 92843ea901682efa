/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Makes a getter and a table row of each row of alert/field-list.h. */

#include "alert/field-list.h"
#include "alert/fields.h"
#include "basic/util.h"

#define LIST(first, count)                                                                                  \
        { .items = (first), .n = (count) }

#define GETTER(prefix, object_type, name, type, ...)                                                        \
        static AlertValue get_##prefix##_##name(const void *object) {                                       \
                const object_type *o = object;                                                              \
                                                                                                            \
                (void)o;                                                                                    \
                return (AlertValue){ .type = __VA_ARGS__ };                                                 \
        }
#define ROW(prefix, name, journal, type) { #name, journal, ALERT_FIELD_##type, get_##prefix##_##name },

#define ALERT_GETTER(name, journal, type, value, doc) GETTER(alert, Alert, name, type, value)
#define ALERT_ROW(name, journal, type, value, doc) ROW(alert, name, journal, type)
#define REASON_GETTER(name, journal, type, value, doc) GETTER(reason, ScoreReason, name, type, value)
#define REASON_ROW(name, journal, type, value, doc) ROW(reason, name, journal, type)
#define PROCESS_GETTER(name, journal, type, value, doc) GETTER(process, Alert, name, type, value)
#define PROCESS_ROW(name, journal, type, value, doc) ROW(process, name, journal, type)
#define ANCESTOR_GETTER(name, journal, type, value, doc) GETTER(ancestor, AlertAncestor, name, type, value)
#define ANCESTOR_ROW(name, journal, type, value, doc) ROW(ancestor, name, journal, type)
#define FILE_GETTER(name, journal, type, value, doc) GETTER(file, AlertFile, name, type, value)
#define FILE_ROW(name, journal, type, value, doc) ROW(file, name, journal, type)
#define HOP_GETTER(name, journal, type, value, doc) GETTER(hop, AlertHop, name, type, value)
#define HOP_ROW(name, journal, type, value, doc) ROW(hop, name, journal, type)
#define DESTINATION_GETTER(name, journal, type, value, doc) GETTER(destination, Alert, name, type, value)
#define DESTINATION_ROW(name, journal, type, value, doc) ROW(destination, name, journal, type)

ALERT_FIELDS(ALERT_GETTER, ALERT_GETTER)
ALERT_REASON_FIELDS(REASON_GETTER, REASON_GETTER)
ALERT_PROCESS_FIELDS(PROCESS_GETTER, PROCESS_GETTER)
ALERT_ANCESTOR_FIELDS(ANCESTOR_GETTER, ANCESTOR_GETTER)
ALERT_FILE_FIELDS(FILE_GETTER, FILE_GETTER)
ALERT_HOP_FIELDS(HOP_GETTER, HOP_GETTER)
ALERT_DESTINATION_FIELDS(DESTINATION_GETTER, DESTINATION_GETTER)

static const AlertField alert_rows[] = { ALERT_FIELDS(ALERT_ROW, ALERT_ROW) };
static const AlertField reason_rows[] = { ALERT_REASON_FIELDS(REASON_ROW, REASON_ROW) };
static const AlertField process_rows[] = { ALERT_PROCESS_FIELDS(PROCESS_ROW, PROCESS_ROW) };
static const AlertField ancestor_rows[] = { ALERT_ANCESTOR_FIELDS(ANCESTOR_ROW, ANCESTOR_ROW) };
static const AlertField file_rows[] = { ALERT_FILE_FIELDS(FILE_ROW, FILE_ROW) };
static const AlertField hop_rows[] = { ALERT_HOP_FIELDS(HOP_ROW, HOP_ROW) };
static const AlertField destination_rows[] = { ALERT_DESTINATION_FIELDS(DESTINATION_ROW, DESTINATION_ROW) };

const AlertFieldTable alert_fields = { alert_rows, ELEMENTSOF(alert_rows), sizeof(Alert) };

const AlertFieldTable *alert_field_table(AlertFieldType type) {
        static const AlertFieldTable tables[] = {
                [ALERT_FIELD_reasons] = { reason_rows, ELEMENTSOF(reason_rows), sizeof(ScoreReason) },
                [ALERT_FIELD_process] = { process_rows, ELEMENTSOF(process_rows), sizeof(Alert) },
                [ALERT_FIELD_lineage] = { ancestor_rows, ELEMENTSOF(ancestor_rows), sizeof(AlertAncestor) },
                [ALERT_FIELD_files] = { file_rows, ELEMENTSOF(file_rows), sizeof(AlertFile) },
                [ALERT_FIELD_route] = { hop_rows, ELEMENTSOF(hop_rows), sizeof(AlertHop) },
                [ALERT_FIELD_destination] = { destination_rows, ELEMENTSOF(destination_rows),
                                sizeof(Alert) },
        };

        return tables[type].fields ? &tables[type] : NULL;
}
