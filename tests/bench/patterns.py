# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies with any number of realistic patterns: files of tenants, programs and services, most of them literal, some
with globs within a name, few across names."""

import random

PROGRAMS = ("vault", "consul", "backup", "mailer", "billing", "ledger", "gateway", "agent", "worker", "portal",
            "crawler",
            "metrics", "search", "runner", "builder", "registry", "broker", "cache", "proxy", "sync")
NAMES = ("credentials", "token", "secret", "client", "server", "service-account", "deploy", "signing", "session", "api")
ENDINGS = ("json", "pem", "key", "yml", "env", "p12", "toml", "db")
CLASS_PATTERNS = 500


def pattern(chance, n):
    program, name, ending = chance.choice(PROGRAMS), chance.choice(NAMES), chance.choice(ENDINGS)
    number = chance.randrange(10000)
    # A small policy has a pattern that ends in ** as well, like every real one: without it, most paths would be decided
    # by their last name, and the sizes would not be comparable.
    shape = 19 - n % 20
    if shape < 6:
        return f"/srv/tenant-{number:04}/{program}/{name}.{ending}"
    if shape < 10:
        return f"~/.config/{program}-{number}/{name}.{ending}"
    if shape < 14:
        return f"/etc/{program}/{name}-{number}.{ending}"
    if shape < 17:
        return f"/var/lib/{program}/{number}/{name}*"
    if shape < 19:
        return f"/opt/{program}-{number}/etc/*.{ending}"
    return f"/srv/{program}-{number}/secrets/**"


def policy(n_patterns):
    """The text of a policy with this many different patterns; the same every time."""
    chance = random.Random(n_patterns)
    patterns = {}
    n = 0
    while len(patterns) < n_patterns:
        patterns[pattern(chance, n)] = None
        n += 1
    patterns = list(patterns)
    lines = []
    for start in range(0, n_patterns, CLASS_PATTERNS):
        lines.append(f"[Class generated-{start // CLASS_PATTERNS}]")
        lines += [f"Path={path}" for path in patterns[start:start + CLASS_PATTERNS]]
    return "\n".join(lines) + "\n"
