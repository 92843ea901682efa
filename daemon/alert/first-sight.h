/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* People's own scripts. Most of them read one kind of credentials of their user, and no rule can name them.
 * So where the class says FirstSight=, the first egress of such a script is an alert of low severity, and
 * further ones are records of severity info, as long as the script is the same file, unchanged. The same
 * file: device, inode, time of its last change, and size. Pure.
 *
 * Which scripts have been seen is forgotten when the table is full, and is read back from kept alerts after
 * a restart. What is forgotten is seen for the first time again. */

#include <stdint.h>

#include <jansson.h>

#include "alert/score.h"
#include "event/decode.h"
#include "policy/compile.h"

typedef enum Sight {
        SIGHT_NONE, /* it is no such script, or there is more to it */
        SIGHT_FIRST,
        SIGHT_KNOWN,
} Sight;

/* Scripts that are remembered: 256 KiB. A user may have a quarter of it, and forgets his own first. */
#define FIRST_SIGHTS_MAX 4096

typedef struct FirstSight {
        EventScript script;     /* without its path; inode 0: unused */
        uint64_t class;         /* a hash of its name, as bits change */
        uint64_t first_boot_ns; /* of the event by which it was seen first; 0: it was read back */
        uint64_t turn;          /* grows with each use */
        uint32_t uid;
} FirstSight;

typedef struct FirstSights {
        FirstSight items[FIRST_SIGHTS_MAX];
        uint64_t turn;
} FirstSights;

/* Judges a correlation, and remembers its script. score: of its alert. lineage_classes: what its lineage
 * accessed lately. boot_ns: of the event; one that comes again has the same result. */
Sight first_sights_look(FirstSights *all, const EventCorrelation *e, uint64_t boot_ns, const Score *score,
                uint64_t lineage_classes, const Policy *p, const PolicyNames *names);

/* "first", "known"; NULL: none. */
const char *sight_to_string(Sight sight);

/* Device, inode, time of the last change and size of a script as text: "8:1/1234/1733000000.123456789/532".
 */
#define SCRIPT_OBJECT_SIZE 96
void script_object_format(const EventScript *script, char ret[static SCRIPT_OBJECT_SIZE]);

/* Reads back what an alert of before a restart tells, from its JSON. */
void first_sights_restore(FirstSights *all, const json_t *alert);
