# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP output: each case of a privileged test counts as one test. Knows nothing of barbwired."""

import os
import sys
import traceback


# A machine that is that many times slower than ours, as an emulated one is, is given as much more time.
SLOW = float(os.environ.get("BW_SLOW", "1"))


class Failure(Exception):
    """A case's expectation was not met; the message says which and what came instead."""


class Skip(Exception):
    """A case cannot run. With environment=True it is this machine that cannot, which even CI accepts."""

    def __init__(self, reason, environment=False):
        super().__init__(("SKIP-ENV: " if environment else "") + reason)


def require(condition, message):
    if not condition:
        raise Failure(message)


def require_equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")


def skip_all(reason, environment=False):
    """Ends the program: no case of it can run."""
    print(f"1..0 # SKIP {Skip(reason, environment)}", flush=True)
    sys.exit(0)


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0
        # For a developer: only the cases whose name contains this.
        self.only = os.environ.get("BW_ONLY", "")

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def explain(self, text):
        """On stderr, which meson shows for a test that failed."""
        sys.stderr.write(f"case {self.count}: {text}\n")
        sys.stderr.flush()

    def case(self, name, function, *args, **kwargs):
        """Runs one case; returns whether it passed."""
        if self.only and self.only not in name:
            return True
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
        """The plan, then the end of the program. meson reads failures from the lines, not from the
        status."""
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)
