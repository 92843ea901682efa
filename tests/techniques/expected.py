# SPDX-License-Identifier: GPL-2.0-or-later
"""What is expected of each sensor: every case of the catalogue is caught, but for the holes. A hole that closes must be
taken out here, and one that opens is a failure: README's table is made of this."""

# What a hole is there for is a kernel's matter, and told to whoever reads README.
HOLES = [
    {"cases": ["E02 *", "E03 *", "E07 * that was there before*", "E08 an echo request *", "H03 pipe sent on a connection *"],
     "sensors": ["tracepoint"], "before": (6, 5),
     "reason": "data on connections that were there before, accepted connections and raw sockets: the kernel has a "
               "tracepoint for what is sent (`sock_send_length`) since 6.5"},
    {"cases": ["E06 * to a connection that was there before", "H03 pipe pages *"],
     "sensors": ["lsm", "fentry", "tracepoint"], "before": (6, 5),
     "reason": "before 6.5 the kernel gives pages to a TCP connection without a message, which no hook sees"},
]
