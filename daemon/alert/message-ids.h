/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* MESSAGE_ID= of our journal entries. They never change after a release, as filters of sites name them. Each
 * has its entry in units/barbwire.catalog. */

/* An alert. */
#define MESSAGE_ID_ALERT "293e406e87264b8da3a6c6a72deb4395"
/* A loss: events could not be judged, or alerts could not be written. */
#define MESSAGE_ID_LOSS "aba72210cf344422b66c018e0c18b713"
/* A policy was loaded, or a reload failed. */
#define MESSAGE_ID_POLICY "ef3dcd11c978419ab1f2dfe2fa6e2770"
/* Other BPF programs are attached to the network hooks. */
#define MESSAGE_ID_FOREIGN "d15db2d894e947c5ba4f1228860e2daf"
/* The selftest failed. Written by barbwirectl, not by the daemon. */
#define MESSAGE_ID_SELFTEST "651224ba41d643729f822de400a405e4"
/* Alerts were delivered late. */
#define MESSAGE_ID_DELAY "5b58013227a5403cb7dba4f368fcde23"
/* A class has fallen back to a dry run. */
#define MESSAGE_ID_FALLBACK "7b0f5b7c2e9d4f0c8a4d1c63b2f7ae15"
/* A user has filled its share of a table. */
#define MESSAGE_ID_SHARE "c4a5d1b6f0e84a6c9b7f2d3e815a60c7"
/* The sensor runs, or was stopped in order: at the start, every hour, at the end. */
#define MESSAGE_ID_HEARTBEAT "0a8e2f5d7c914b63a1de5b9f3c6072d4"
