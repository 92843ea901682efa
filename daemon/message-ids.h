/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* MESSAGE_ID= of what we write to the journal: never changed once released, people's filters name them.
 * Each has its entry in units/barbwire.catalog. */

/* A secret was opened, and whoever had it talked to the network. */
#define MESSAGE_ID_THEFT "293e406e87264b8da3a6c6a72deb4395"
/* Something was not judged or could not be told: detection was not whole. */
#define MESSAGE_ID_LOSS  "aba72210cf344422b66c018e0c18b713"
/* Another policy is in force, or was refused. */
#define MESSAGE_ID_POLICY "ef3dcd11c978419ab1f2dfe2fa6e2770"
/* Programs of others sit where ours do. */
#define MESSAGE_ID_FOREIGN "d15db2d894e947c5ba4f1228860e2daf"
/* A decoy theft was not noticed: barbwirectl says so, not the daemon. */
#define MESSAGE_ID_SELFTEST "651224ba41d643729f822de400a405e4"
/* Alerts had to wait, and are told now. */
#define MESSAGE_ID_DELAY "5b58013227a5403cb7dba4f368fcde23"
