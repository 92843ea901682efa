/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The fields of an alert as tables, from alert/field-list.h, for code that writes all of them. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alert.h"

/* How a value is written as JSON and in the journal, where an empty value is absent. Lower case: the rows of
 * alert/field-list.h name the type, and with it the member of AlertValue. */
typedef enum AlertFieldType {
        ALERT_FIELD_text,
        ALERT_FIELD_text_or_null,
        ALERT_FIELD_name,         /* escaped in JSON, its bytes in the journal */
        ALERT_FIELD_name_or_null, /* null in JSON when empty */
        ALERT_FIELD_number,
        ALERT_FIELD_points,      /* a signed number */
        ALERT_FIELD_port,        /* absent from the journal where the family has none */
        ALERT_FIELD_uid_or_null, /* UINT32_MAX: null in JSON, absent from the journal */
        ALERT_FIELD_boolean,     /* yes and no in the journal */
        ALERT_FIELD_time,        /* microseconds since 1970; RFC 3339 in JSON */
        ALERT_FIELD_age,         /* microseconds; milliseconds in JSON */
        ALERT_FIELD_delay,       /* the same, absent from both when 0 */
        ALERT_FIELD_strings,     /* an array in JSON, one field for each in the journal */
        ALERT_FIELD_flags,       /* BW_PROCESS_*: an array of names, the same */
        ALERT_FIELD_sentence,    /* alert_sentence() */
        ALERT_FIELD_reasons,     /* arrays of objects in JSON; one line for each in the journal */
        ALERT_FIELD_lineage,
        ALERT_FIELD_route, /* one line in the journal */
        ALERT_FIELD_files, /* all fields of each in the journal */
        ALERT_FIELD_process,
        ALERT_FIELD_destination,
} AlertFieldType;

typedef struct AlertList {
        const void *items;
        size_t n;
} AlertList;

/* The member of the field's type. Valid as long as the alert is. */
typedef union AlertValue {
        const char *text, *text_or_null;
        const AlertBytes *name, *name_or_null;
        uint64_t number, time, age, delay;
        int points;
        uint32_t uid_or_null, flags;
        bool boolean;
        char *const *strings;
        const Alert *sentence, *process, *destination, *port;
        AlertList reasons, lineage, files, route;
} AlertValue;

typedef struct AlertField {
        const char *name;    /* in JSON */
        const char *journal; /* NULL: not in the journal, or there in another form */
        AlertFieldType type;
        AlertValue (*get)(const void *object);
} AlertField;

typedef struct AlertFieldTable {
        const AlertField *fields;
        size_t n;
        size_t object_size; /* the distance from one object to the next in an AlertList */
} AlertFieldTable;

/* Of an Alert itself. */
extern const AlertFieldTable alert_fields;

/* Of the object, or of each object of the list, that a field of this type is; NULL: a plain value. */
const AlertFieldTable *alert_field_table(AlertFieldType type);
