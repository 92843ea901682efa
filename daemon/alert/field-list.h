/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every field of an alert, one row each. The rows make its JSON (alert/json.c), its journal entry
 * (sink/entry.c), its Varlink types (alert/field-varlink.h) and its part of barbwire.journal-fields(7)
 * (man/journal-fields.c): a new field is a row here, and the data behind it in alert/alert.c.
 *
 * F(JSON name, journal field or NULL, type, value, documentation)
 *
 * The type (alert/fields.h) is also the name of the AlertValue's member. The value is an expression about
 * the object `o`. The documentation is plain text: one sentence or two. FIRST is F for the first row, for
 * users that put something between the rows. Includes nothing, so that the manual's generator builds without
 * the daemon's dependencies. */

/* o: an Alert */
#define ALERT_FIELDS(FIRST, F)                                                                              \
        FIRST(kind, NULL, text, "alert", "Always alert; a state alert has state.")                          \
        F(id, "BARBWIRE_ALERT_ID", text, o->id,                                                             \
                        "Boot id, time since boot and CPU of the egress: the same egress always has the "   \
                        "same id. A repeated alert is written again with this id and repeats above 0; the " \
                        "last one counts.")                                                                 \
        F(incident, "BARBWIRE_INCIDENT", text, o->incident,                                                 \
                        "The id of the first alert of its incident: of those that go back to the same "     \
                        "read of a file by the same process, come from the same process, or from a "        \
                        "process group and login within 5 minutes. It ends after 15 minutes without an "    \
                        "alert, and after a day.")                                                          \
        F(time, "BARBWIRE_TIME", time, o->realtime_usec,                                                    \
                        "When the egress happened. The entry itself (__REALTIME_TIMESTAMP=) may be later.") \
        F(severity, "BARBWIRE_SEVERITY", text, severity_to_string(o->score.severity),                       \
                        "low, medium or high; info: no alert, see script_sight.")                           \
        F(score, "BARBWIRE_SCORE", number, (uint64_t)o->score.score, "1 to 100.")                           \
        F(evidence, "BARBWIRE_EVIDENCE", text, evidence_to_string(o->evidence),                             \
                        "unbound: the file was opened by a program that no rule allows to, or its data "    \
                        "came "                                                                             \
                        "from one. bound: opened under a rule, or received as one passes it on, sent "      \
                        "where "                                                                            \
                        "none allows. late: after "                                                         \
                        "the window of the class. That of several classes is the strongest, in this "       \
                        "order.")                                                                           \
        F(summary, "MESSAGE", sentence, o, "The alert in one sentence.")                                    \
        F(reasons, "BARBWIRE_REASON", reasons, LIST(o->score.reasons, o->score.n_reasons),                  \
                        "Why the score is what it is: signed points and the reason in words. The points "   \
                        "add up to the score.")                                                             \
        F(script_sight, "BARBWIRE_SCRIPT_SIGHT", text_or_null, sight_to_string(o->sight),                   \
                        "first: a script of the file's own user read this class, and nothing else, for "    \
                        "the "                                                                              \
                        "first time; the severity is low. known: it did so before, and is unchanged; the "  \
                        "severity is info. Otherwise null.")                                                \
        F(action, "BARBWIRE_ACTION", text, action_to_string(o->action),                                     \
                        "What was done with the egress. alert: nothing. denied: it was refused "            \
                        "(Action=deny "                                                                     \
                        "of the class); stopped, killed: and the process was sent SIGSTOP, SIGKILL. "       \
                        "would-deny: it would have been refused, but for Enabled=dry-run. "                 \
                        "not-denied: it should have been refused, and could not be where it was noticed.")  \
        F(classes, "BARBWIRE_CLASS", strings, o->classes,                                                   \
                        "The classes of the policy that the alert was raised for, the worst first.")        \
        F(techniques, "BARBWIRE_TECHNIQUE", strings, o->techniques, "MITRE ATT&CK technique ids.")          \
        F(repeats, "BARBWIRE_REPEATS", number, o->repeats,                                                  \
                        "How often the same process repeated the same egress within the window; 0 in the "  \
                        "first entry. Egress after another file was read is an alert of its own.")          \
        F(process, NULL, process, o, "The process that the egress came from.")                              \
        F(lineage, "BARBWIRE_LINEAGE", lineage, LIST(o->lineage, o->n_lineage),                             \
                        "The ancestors of the process as recorded at fork, not as adopted since; "          \
                        "the parent first.")                                                                \
        F(lineage_more, NULL, boolean, o->lineage_more, "The lineage has more ancestors than are listed.")  \
        F(files, NULL, files, LIST(o->files, o->n_files),                                                   \
                        "The sensitive files whose data the process may have held, the latest first.")      \
        F(files_more, NULL, boolean, o->files_more, "There were more files than are listed.")               \
        F(flood, "BARBWIRE_FLOOD", boolean, o->flood,                                                       \
                        "The user's executable caused more correlations than are written one by one: "      \
                        "repeats counts all its others within 10 s.")                                       \
        F(suspect, "BARBWIRE_SUSPECT", boolean, o->suspect,                                                 \
                        "The process is not tracked itself: the share of marks of its user or cgroup is "   \
                        "full. It is judged by what processes of that user and cgroup read.")               \
        F(destination, NULL, destination, o, "Where the data may have gone.")                               \
        F(policy, "BARBWIRE_POLICY", text_or_null, o->policy[0] ? o->policy : NULL,                         \
                        "SHA-256 of the policy that judged the egress; null or absent: written by a "       \
                        "version that did not say.")                                                        \
        F(delayed_ms, "BARBWIRE_DELAYED_USEC", delay, o->delayed_usec,                                      \
                        "How long after the egress the alert was written; absent when that was within 5 "   \
                        "s.")

/* o: a ScoreReason */
#define ALERT_REASON_FIELDS(FIRST, F)                                                                       \
        FIRST(points, NULL, points, o->points, "What it added to the score; may be negative or 0.")         \
        F(text, NULL, text, o->text, "The reason in words.")

/* o: an Alert */
#define ALERT_PROCESS_FIELDS(FIRST, F)                                                                        \
        FIRST(pid, "BARBWIRE_PID", number, o->process.pid, "Process id in the initial PID namespace.")        \
        F(tid, "BARBWIRE_TID", number, o->process.tid, "Thread id in the initial PID namespace.")             \
        F(start_time, "BARBWIRE_START_TIME", time, o->process.start_realtime_usec,                            \
                        "When the process started, by the clock as it was set at the time of the alert: "     \
                        "alerts of one process differ here when the clock was adjusted between them.")        \
        F(exe, "BARBWIRE_EXE", name, &o->process.exe, "Path of its executable.")                              \
        F(exe_object, "BARBWIRE_EXE_OBJECT", text_or_null,                                                    \
                        o->process.exe_object[0] ? o->process.exe_object : NULL,                              \
                        "Which file that was: device and inode.")                                             \
        F(comm, "BARBWIRE_COMM", name, &o->process.comm,                                                      \
                        "The thread's name, at most 15 bytes; the process can change it.")                    \
        F(cmdline, "BARBWIRE_CMDLINE", name, &o->process.cmdline,                                             \
                        "Its arguments, quoted as for a shell; ends in … when cut. The process can change " \
                        "them.")                                                                              \
        F(script, "BARBWIRE_SCRIPT", name_or_null, &o->process.script,                                        \
                        "Path of the script that its interpreter (of Python, Node.js, Ruby, Perl or PHP) "    \
                        "opened; absent or null: none, or not known.")                                        \
        F(script_object, "BARBWIRE_SCRIPT_OBJECT", text_or_null,                                              \
                        o->process.script_object[0] ? o->process.script_object : NULL,                        \
                        "Which file that was: device, inode, time of its last change, and size.")             \
        F(uid, "BARBWIRE_UID", number, o->process.uid, "User id in the initial user namespace.")              \
        F(loginuid, "BARBWIRE_LOGINUID", uid_or_null, o->process.loginuid,                                    \
                        "User id that its session was logged in with; absent or null: not from a login.")     \
        F(unit, "BARBWIRE_UNIT", name_or_null, &o->process.unit, "The systemd unit that it runs in.")         \
        F(cgroup, "BARBWIRE_CGROUP", name, &o->process.cgroup, "Path of its control group.")                  \
        F(container, "BARBWIRE_CONTAINER", name_or_null, &o->process.container,                               \
                        "The container that it runs in.")                                                     \
        F(mount_namespace, "BARBWIRE_MOUNT_NAMESPACE", number, o->process.mount_namespace,                    \
                        "Inode number of its mount namespace.")                                               \
        F(flags, "BARBWIRE_EXE_FLAG", flags, o->process.flags,                                                \
                        "Why its executable may not be trusted: not-roots (root does not own it), "           \
                        "writable (its group or others may write it), directory-writable (anyone may "        \
                        "create files beside it), deleted, memory (never a file on disk), not-host (the "     \
                        "process sees other files than the host: a container, a chroot), injected "           \
                        "(started with LD_PRELOAD or the like), foreign-code (runs code from a file that "    \
                        "users other than root may change), traced, environment-unread (its environment "     \
                        "was larger "                                                                         \
                        "than 1 MiB, or could not be read: no rule applies); users: what of its code is "     \
                        "not "                                                                                \
                        "root's, only its own user may change; script: the kernel ran a script of root's, "   \
                        "which Exe= can name.")

/* o: an AlertAncestor */
#define ALERT_ANCESTOR_FIELDS(FIRST, F)                                                                     \
        FIRST(pid, NULL, number, o->pid, "Process id.")                                                     \
        F(exe, NULL, name, &o->exe, "Path of its executable; empty when not known.")                        \
        F(comm, NULL, name, &o->comm, "Its name; empty when not known.")

/* o: an AlertFile */
#define ALERT_FILE_FIELDS(FIRST, F)                                                                         \
        FIRST(path, "BARBWIRE_FILE", name_or_null, &o->path,                                                \
                        "Path of the file from the root of its opener's mount namespace. It begins "        \
                        "without a slash when it was too deep to be read completely. With path_lost, "      \
                        "which file it was, in words.")                                                     \
        F(path_lost, NULL, boolean, o->path_lost,                                                           \
                        "The path was evicted from the kernel's table of names before the alert.")          \
        F(real_path, "BARBWIRE_FILE_REAL_PATH", name_or_null, &o->real_path,                                \
                        "The name by which the file's class is known, where path is another one: a link, "  \
                        "a mount elsewhere, or its name after it was renamed.")                             \
        F(real_path_lost, NULL, boolean, o->real_path_lost,                                                 \
                        "real_path is missing, as the kernel's table of names had no room for it.")         \
        F(class, NULL, text_or_null, o->classes[0], "The worst of its classes.")                            \
        F(classes, "BARBWIRE_FILE_CLASS", strings, o->classes,                                              \
                        "All its classes, whether the alert was raised for them or not.")                   \
        F(age_ms, "BARBWIRE_FILE_AGE_USEC", age, o->age_usec, "Time from the open to the egress.")          \
        F(pid, "BARBWIRE_FILE_PID", number, o->pid, "Process id of the opener.")                            \
        F(uid, "BARBWIRE_FILE_UID", number, o->uid, "User id of the opener.")                               \
        F(exe, "BARBWIRE_FILE_EXE", name, &o->exe, "Path of the opener's executable.")                      \
        F(exe_object, NULL, text_or_null, o->exe_object[0] ? o->exe_object : NULL,                          \
                        "Which file that was: device, inode, and the time of its last change.")             \
        F(comm, "BARBWIRE_FILE_COMM", name, &o->comm, "The opener's name.")                                 \
        F(script, NULL, name_or_null, &o->script,                                                           \
                        "Path of the script that the opener ran, as script of a process.")                  \
        F(script_object, NULL, text_or_null, o->script_object[0] ? o->script_object : NULL,                 \
                        "Which file that was, as exe_object.")                                              \
        F(generation, "BARBWIRE_FILE_GENERATION", number, o->generation,                                    \
                        "Processes that the mark passed through since the opener: 1 for a child of it, 0 "  \
                        "for the opener itself.")                                                           \
        F(via, "BARBWIRE_FILE_VIA", text, o->via,                                                           \
                        "How the sender got the mark: open (it opened the file), fork (inherited from its " \
                        "parent), received (it received the open descriptor), trace (one had access to "    \
                        "the other's memory), or by reading what a marked process wrote to a pipe, a unix " \
                        "socket, a file, a terminal, a message queue, semaphores, shared memory or a "      \
                        "connection within this host (loopback).")                                          \
        F(truncated, NULL, boolean, o->path_truncated, "The path lacks its beginning.")                     \
        F(route, "BARBWIRE_FILE_ROUTE", route, LIST(o->route, o->n_route),                                  \
                        "Each hand-over of the data from process to process, the first one first.")         \
        F(route_cut, NULL, boolean, o->route_cut, "The route lacks its beginning.")

/* o: an AlertHop */
#define ALERT_HOP_FIELDS(FIRST, F)                                                                          \
        FIRST(pid, NULL, number, o->pid, "Process id of the giver.")                                        \
        F(comm, NULL, name, &o->comm, "The giver's name.")                                                  \
        F(via, NULL, text, o->via, "By which means, as via of a file.")

/* o: an Alert */
#define ALERT_DESTINATION_FIELDS(FIRST, F)                                                                  \
        FIRST(family, "BARBWIRE_DESTINATION_FAMILY", text, o->destination.family_name,                      \
                        "inet or inet6; unix for a local service that reaches the network for others; "     \
                        "file for a file that leaves this machine (on a network file system, or by "        \
                        "Egress=); vsock; packet; none if the act is open; others by number, as "           \
                        "family-16.")                                                                       \
        F(protocol, "BARBWIRE_DESTINATION_PROTOCOL", text, o->destination.protocol,                         \
                        "tcp, udp, icmp, …; a number where it has no well-known name.")                     \
        F(address, "BARBWIRE_DESTINATION_ADDRESS", text, o->destination.address,                            \
                        "The address as numbers; of vsock the CID, of packet the index of the network "     \
                        "interface; empty or absent where there is none.")                                  \
        F(port, "BARBWIRE_DESTINATION_PORT", port, o,                                                       \
                        "The port as a number; of an accepted connection the local one. Absent from the "   \
                        "journal where the family has none.")                                               \
        F(act, "BARBWIRE_DESTINATION_ACT", text, o->destination.act,                                        \
                        "connect; send for data sent otherwise; accept: then the address is that of the "   \
                        "first peer, and the alert is about all connections to that port, from other "      \
                        "hosts or from this one; repeats counts the further ones, except with the sensor "  \
                        "tracepoint, which does not see them; open, without any destination: the process "  \
                        "was not allowed to open the file, or would not be (Access=allowed).")              \
        F(path, "BARBWIRE_DESTINATION_PATH", name_or_null, &o->destination.path,                            \
                        "Of file its path on its file system, of unix the address of the service's "        \
                        "socket; begins with @ where that is abstract.")                                    \
        F(text, "BARBWIRE_DESTINATION", text, o->destination.text,                                          \
                        "The destination in words, of any family: 192.0.2.7:443, a local service, network " \
                        "interface 2.")
