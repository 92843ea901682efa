# SPDX-License-Identifier: GPL-2.0-or-later
"""Compilers of other Debian suites than this machine's: their packages are unpacked with all that they depend on, and
run from there with their own loader and libraries, so that nothing is installed. Headers and the linker are this
machine's, so that what they build runs here."""

import contextlib
import dataclasses
import glob
import json
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vm"))

import images
from archive import Archive, Unreachable

# In this order: where a compiler is in several suites, the last one's package is the newest.
SUITES = ("bookworm", "trixie", "sid")
# The oldest that Barbwire is built with; those of Debian 12.
OLDEST = {"clang": 14, "gcc": 12}
NEWEST_SUITE = SUITES[-1]
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"
# The driver starts its parts by the loader, too. Only objects are made: the linker is this machine's gcc.
GCC = """#!/bin/sh
case " $* " in
*' -c '*|*' -E '*|*' -S '*|*' --version '*)
        exec {loader} --library-path {libraries} {root}/usr/bin/gcc-{version} -B {root}/usr/bin/ \\
                -wrapper {loader},--library-path,{libraries} "$@" ;;
esac
exec gcc "$@"
"""
CLANG = """#!/bin/sh
exec {loader} --library-path {libraries} {root}/usr/lib/llvm-{version}/bin/clang \\
        -resource-dir {resources} "$@"
"""


@dataclasses.dataclass(frozen=True)
class Compiler:
    """path: a program that is used like the compiler itself."""
    family: str  # "clang" or "gcc"
    version: int
    package_version: str
    path: str

    @property
    def name(self):
        return f"{self.family} {self.version} ({self.package_version})"


def versions_found(archive):
    """{family: {major version: the version of its package}}, of every compiler that is not too old."""
    found = {family: {} for family in OLDEST}
    names = [name for family in OLDEST for name in archive.apt("apt-cache", "pkgnames", f"{family}-").split()
             if re.fullmatch(rf"{family}-\d+", name)]
    text = archive.apt("apt-cache", "show", "--no-all-versions", *names)
    for family, number, version in re.findall(r"^Package: (\w+)-(\d+)\n(?:.+\n)*?Version: (.+)\n", text, re.MULTILINE):
        if int(number) >= OLDEST[family]:
            found[family][int(number)] = version
    return found


class Compilers:
    """The compilers of `suites`, unpacked into the cache when they are asked for."""

    def __init__(self, cache, suites):
        self.cache, self.suites = cache, suites
        self.archive, self.scratch = None, contextlib.ExitStack()
        self.versions = self.resolve()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.scratch.close()

    def updated(self):
        if not self.archive:
            directory = self.scratch.enter_context(tempfile.TemporaryDirectory(dir=self.cache.directory))
            self.archive = Archive(directory, self.suites, bare=True)
            self.archive.update()
        return self.archive

    def resolve(self):
        """As of kernels: asked for again after a day, and the last known ones if the archive does not answer."""
        path, known = self.cache.path(f"resolved-compilers-{'-'.join(self.suites)}.json"), None
        with contextlib.suppress(FileNotFoundError, ValueError):
            known = json.loads(images.content(path))
            if 0 <= time.time() - known["time"] < images.RESOLVED_SECONDS:
                return self.numbered(known["versions"])
        try:
            versions = versions_found(self.updated())
        except Unreachable as problem:
            if not known:
                raise
            self.cache.say(f"compilers: {problem}; going on with those of the last run")
            return self.numbered(known["versions"])
        with open(path, "w", encoding="ascii") as out:
            json.dump({"time": time.time(), "versions": versions}, out)
        return versions

    @staticmethod
    def numbered(versions):
        """JSON has no numbers as keys."""
        return {family: {int(number): version for number, version in found.items()}
                for family, found in versions.items()}

    def newest(self, family):
        return max(self.versions[family])

    def get(self, family, number):
        version = self.versions[family][number]

        def make(directory):
            self.updated().fetch_programs([f"{family}-{number}"], f"{directory}/root")

        directory = self.cache.artefact(f"{family}-{number}", images.digest(version, SUITES), make)
        path = f"{directory}/{family}"
        # Each time, as it has this directory's name.
        images.write(path, script(family, number, f"{directory}/root"), 0o755)
        return Compiler(family, number, version, path)


def script(family, number, root):
    libraries = [f"{root}/{path}" for path in LIBRARIES]
    loader = next((f"{path}/{LOADER}" for path in libraries if os.path.exists(f"{path}/{LOADER}")), None)
    if not loader:
        raise images.Missing(f"no {LOADER} below {root}")
    values = {"loader": loader, "libraries": ":".join(libraries), "root": root, "version": number}
    if family == "gcc":
        return GCC.format(**values)
    # Up to 15 it is named after all three parts of the version.
    resources = glob.glob(f"{root}/usr/lib/llvm-{number}/lib/clang/*/include")
    if len(resources) != 1:
        raise images.Missing(f"the headers of clang {number}: {resources}")
    return CLANG.format(resources=os.path.dirname(resources[0]), **values)
