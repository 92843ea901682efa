#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line and its exit statuses: 0 ok, 1 failed, 2 usage or --check found errors. Needs no root."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
from tap import require, require_equal

NOBODY = 65534
OPTIONS = ("--alerts", "--policy-dir", "--config", "--sensor", "--user", "--log-level",
           "--check", "--replay", "--since", "--until", "--version", "--help")


def run(*args):
    return subprocess.run([harness.BARBWIRED, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)


def run_expecting(status, *args):
    result = run(*args)
    require_equal(result.returncode, status, f"exit status of {args}\n{result.stdout}{result.stderr}")
    return result


def help_names_all():
    text = run_expecting(0, "--help").stdout
    missing = [option for option in OPTIONS if not re.search(re.escape(option) + r"\b", text)]
    require(not missing, f"--help does not name {missing}")
    unknown = sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - set(OPTIONS))
    for option in unknown:
        # Options that --help names must be accepted: an unknown one is a usage error, a known one with --version is
        # not.
        result = run(f"{option}=x" if f"{option}=" in text else option, "--version")
        require("unrecognized" not in result.stderr and "unknown option" not in result.stderr.lower(),
                f"--help names {option}, which is not there: {result.stderr}")


def version():
    text = run_expecting(0, "--version").stdout
    require(re.search(r"\d+\.\d+|\d+", text), f"no version: {text!r}")


def usage_errors():
    for args in (["--no-such-option"], ["operand"], ["--alerts=nonsense"], ["--alerts"], ["--policy-dir"],
                 ["--log-level=nonsense"], ["--check=yes"], ["--user"]):
        result = run_expecting(2, *args)
        require(result.stderr.strip() and not result.stdout.strip(), f"{args}: message not on stderr")


def check_default():
    result = run_expecting(0, "--check", f"--policy-dir={harness.DEFAULT_POLICY}")
    # Notes say what links on this machine lead to.
    complaints = [line for line in (result.stdout + result.stderr).splitlines()
                  if re.search(r":\d+:\d+:", line) and not line.endswith(" (note)")]
    require(not complaints, "\n".join(complaints))


# For each: a line, and the column of the error; it is line 2 of the file.
BAD_LINES = {
    "unknown key": "Colour=blue",
    "no equals sign": "nonsense",
    "bad window": "Window=soon",
    "negative score": "Score=-1",
    "relative path": "Path=relative",
    "unclosed bracket": "Path=/etc/[abc",
}


def check_error(line):
    with tempfile.TemporaryDirectory(prefix="barbwire-check-") as directory:
        conf = os.path.join(directory, "50-bad.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f"[Class good]\n{line}\nPath=/etc/good\n")
        result = run_expecting(2, "--check", f"--policy-dir={directory}")
        text = result.stdout + result.stderr
        require(re.search(re.escape(conf) + r":2:\d+: \S", text), f"no FILE:LINE:COLUMN: in {text!r}")


def check_missing_directory():
    result = run("--check", "--policy-dir=/nonexistent/barbwire")
    require(result.returncode in (1, 2), f"exit status {result.returncode}")
    require("/nonexistent/barbwire" in result.stderr, f"does not name it: {result.stderr}")


def empty_policy():
    """A daemon without a class would monitor nothing: it does not start, and says where it looked."""
    with tempfile.TemporaryDirectory(prefix="barbwire-empty-") as directory:
        other = f"{directory}/other.d"
        os.mkdir(other)
        for content in (None, "", "[Scoring]\nAlert=20\n", "[Class a]\nPath=relative\n"):
            if content is not None:
                with open(f"{directory}/50-site.conf", "w", encoding="ascii") as out:
                    out.write(content)
            for status, args in ((1, []), (2, ["--check"])):
                result = run_expecting(status, *args, f"--policy-dir={directory}", f"--policy-dir={other}")
                require(f"{directory}, {other}: there is no usable [Class]" in result.stderr,
                        f"{content!r}, {args}: {result.stderr}")
                require("armed" not in result.stderr, f"{content!r}: armed without a class: {result.stderr}")


def not_root():
    """Without root it must fail soon, with a reason, and leave nothing running."""
    if os.geteuid() != 0:
        result = run(f"--policy-dir={harness.DEFAULT_POLICY}")
    else:
        # The build directory may not be accessible to other users: the program is passed by descriptor.
        binary = os.open(harness.BARBWIRED, os.O_RDONLY)
        with tempfile.TemporaryDirectory(prefix="barbwire-unprivileged-") as directory:
            os.chmod(directory, 0o755)
            with open(f"{directory}/50-good.conf", "w", encoding="ascii") as out:
                out.write("[Class good]\nPath=/etc/good\n")
            result = subprocess.run([f"/proc/self/fd/{binary}", f"--policy-dir={directory}"],
                                    pass_fds=[binary], stdin=subprocess.DEVNULL, capture_output=True,
                                    text=True, timeout=60, user=NOBODY, group=NOBODY, extra_groups=[])
        os.close(binary)
    require(result.returncode in (1, 3), f"exit status {result.returncode}\n{result.stderr}")
    require(result.stderr.strip(), "no word about why")
    require("armed" not in result.stderr, f"armed without privilege: {result.stderr}")


def main():
    t = tap.Tap()
    t.case("--help names every option", help_names_all)
    t.case("--version", version)
    t.case("usage errors: exit 2, message on stderr", usage_errors)
    t.case("--check accepts the default policy", check_default)
    for name, line in BAD_LINES.items():
        t.case(f"--check: {name}: FILE:LINE:COLUMN and exit 2", check_error, line)
    t.case("--check names a directory that does not exist", check_missing_directory)
    t.case("a policy without a class does not start", empty_policy)
    t.case("an unprivileged user gets a reason", not_root)
    t.done()


if __name__ == "__main__":
    main()
