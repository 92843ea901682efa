/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The Varlink types of an alert, as text of an interface description, from alert/field-list.h. */

#include "alert/field-list.h"

#define VARLINK_TYPE_text "string"
#define VARLINK_TYPE_text_or_null "?string"
#define VARLINK_TYPE_name "string"
#define VARLINK_TYPE_name_or_null "?string"
#define VARLINK_TYPE_number "int"
#define VARLINK_TYPE_points "int"
#define VARLINK_TYPE_port "int"
#define VARLINK_TYPE_uid_or_null "?int"
#define VARLINK_TYPE_boolean "bool"
#define VARLINK_TYPE_time "string"
#define VARLINK_TYPE_age "int"
#define VARLINK_TYPE_delay "?int"
#define VARLINK_TYPE_strings "[]string"
#define VARLINK_TYPE_flags "[]string"
#define VARLINK_TYPE_sentence "string"
#define VARLINK_TYPE_reasons "[]Reason"
#define VARLINK_TYPE_process "Process"
#define VARLINK_TYPE_lineage "[]Ancestor"
#define VARLINK_TYPE_files "[]File"
#define VARLINK_TYPE_route "[]Hop"
#define VARLINK_TYPE_destination "Destination"

#define VARLINK_DOC(name, journal, type, value, doc) "# " #name ": " doc "\n"
#define VARLINK_FIRST(name, journal, type, value, doc) #name ": " VARLINK_TYPE_##type
#define VARLINK_NEXT(name, journal, type, value, doc) ",\n  " #name ": " VARLINK_TYPE_##type

#define VARLINK_TYPE(title, doc, FIELDS)                                                                    \
        "# " doc "\n" FIELDS(VARLINK_DOC, VARLINK_DOC) "type " title                                        \
                                                       " (" FIELDS(VARLINK_FIRST, VARLINK_NEXT) ")\n\n"

#define ALERT_VARLINK_TYPES                                                                                 \
        VARLINK_TYPE("Reason", "Why an alert's score is what it is.", ALERT_REASON_FIELDS)                  \
        VARLINK_TYPE("Process", "The process that the egress came from. Times are RFC 3339, UTC.",          \
                        ALERT_PROCESS_FIELDS)                                                               \
        VARLINK_TYPE("Ancestor", "One process of a lineage.", ALERT_ANCESTOR_FIELDS)                        \
        VARLINK_TYPE("Hop", "One hand-over of data.", ALERT_HOP_FIELDS)                                     \
        VARLINK_TYPE("File", "A sensitive file and its opener.", ALERT_FILE_FIELDS)                         \
        VARLINK_TYPE("Destination", "Where the data may have gone.", ALERT_DESTINATION_FIELDS)              \
        VARLINK_TYPE("Alert", "A correlation that was raised.", ALERT_FIELDS)
