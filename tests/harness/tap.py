# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP output: each case of a privileged test counts as one test. Knows nothing of barbwired."""

import os
import sys
import traceback


# Timeouts are multiplied by this, for machines that are slower, such as emulated ones.
SLOW = float(os.environ.get("BW_SLOW", "1"))


class Failure(Exception):
    """An expectation of a case was not met; the message names it, and the actual value."""


class Skip(Exception):
    """A case cannot run. With environment=True it is this machine that cannot run it, which CI accepts."""

    def __init__(self, reason, environment=False):
        super().__init__(("SKIP-ENV: " if environment else "") + reason)


def require(condition, message):
    if not condition:
        raise Failure(message)


def require_equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")


def skip_all(reason, environment=False):
    """Exits: no case of this program can run."""
    print(f"1..0 # SKIP {Skip(reason, environment)}", flush=True)
    sys.exit(0)


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0
        # For developers: runs only the cases whose name contains this.
        self.only = os.environ.get("BW_ONLY", "")
        self.matched = 0

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def explain(self, text):
        """Writes to stderr, which meson shows for a test that failed."""
        sys.stderr.write(f"case {self.count}: {text}\n")
        sys.stderr.flush()

    def case(self, name, function, *args, **kwargs):
        """Runs one case; returns whether it passed."""
        if self.only and self.only not in name:
            return True
        self.matched += 1
        return self.setup(name, function, *args, **kwargs)

    def setup(self, name, function, *args, **kwargs):
        """Runs a case that the others need, whatever BW_ONLY is."""
        self.count += 1
        name = name.replace("#", "no.")
        try:
            function(*args, **kwargs)
        except Skip as skip:
            print(f"ok {self.count} - {name} # SKIP {str(skip).replace(chr(10), '; ')}", flush=True)
            return True
        except Failure as failure:
            self.failed += 1
            print(f"not ok {self.count} - {name}", flush=True)
            self.explain(failure)
            return False
        except Exception:
            self.failed += 1
            print(f"not ok {self.count} - {name}", flush=True)
            self.explain(traceback.format_exc())
            return False
        print(f"ok {self.count} - {name}", flush=True)
        return True

    def done(self):
        """Prints the plan and exits. meson reads failures from the lines, not from the exit status."""
        print(f"1..{self.count}", flush=True)
        if self.only and not self.matched:
            sys.exit(f"no case's name contains {self.only!r} (BW_ONLY=)")
        sys.exit(1 if self.failed else 0)
