# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian archive, accessed by apt with directories of its own, so that the apt of this machine is not changed."""

import os
import re
import subprocess
import tempfile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The package that depends on the newest kernel of a suite, in the flavour for clouds: it boots fast, since it has no
# drivers for hardware.
META_PACKAGE = "linux-image-cloud-"
# A kernel is one package, or, since 2026, a signed image without modules and the modules.
KERNEL_PACKAGE = re.compile(r"^linux-(image|binary|modules)-\d")


class Unreachable(Exception):
    """No archive is configured, or it does not answer."""


def site(label):
    """The address from which this machine gets its packages. label: "Debian" or "Debian-Security"."""
    result = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages",
                             "Origin: Debian", f"Label: {label}", "Component: main"],
                            capture_output=True, text=True, check=False)
    return result.stdout.split("\n", 1)[0]


def answers(suite):
    """If it does, what could not be fetched is missing for another reason than this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            Archive(scratch, [suite]).update()
        except Unreachable:
            return False
    return True


class Archive:
    """The packages of some suites, below a directory. With `bare`, and for another architecture than this machine's, no
    package counts as installed."""

    def __init__(self, directory, suites, architecture="amd64", bare=False):
        self.directory, self.suites = str(directory), suites
        self.meta_package = META_PACKAGE + architecture
        options = {"Dir::Etc::SourceList": f"{directory}/sources.list", "Dir::Etc::SourceParts": "/dev/null",
                   "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
                   "Dir::State::Lists": f"{directory}/lists", "Dir::Cache": f"{directory}/cache",
                   "APT::Sandbox::User": "root", "Debug::NoLocking": "1", "Acquire::Languages": "none",
                   "Acquire::Retries": "3", "APT::Install-Recommends": "0"}
        if architecture != "amd64":
            options |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
        if bare or architecture != "amd64":
            options["Dir::State::status"] = "/dev/null"
        self.options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def apt(self, program, *args, cwd=None):
        result = subprocess.run([program, *self.options, *args], stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, cwd=cwd, check=False)
        if result.returncode != 0:
            raise Unreachable(f"{program} {' '.join(args)}: {result.stderr.strip()[-500:]}")
        return result.stdout

    def update(self):
        """Security updates have an address of their own, which does not have every suite."""
        main, security = site("Debian"), site("Debian-Security")
        if not main:
            raise Unreachable("apt has no Debian archive configured on this machine")
        for path in ("lists/partial", "cache/archives/partial"):
            os.makedirs(f"{self.directory}/{path}", exist_ok=True)
        signed = f"[signed-by={KEYRING}] " if os.path.exists(KEYRING) else ""
        lines = [f"deb {signed}{main} {suite} main\n" for suite in self.suites]
        fixes = [f"deb {signed}{security} {suite}-security main\n" for suite in self.suites if security]
        for sources in (lines + fixes, lines) if fixes else (lines,):
            with open(f"{self.directory}/sources.list", "w", encoding="ascii") as out:
                out.writelines(sources)
            try:
                self.apt("apt-get", "update", "-qq", "--error-on=any")
                return
            except Unreachable:
                if sources is lines:
                    raise

    def show(self, package):
        """The newest version of a package, as {field: value}."""
        text = self.apt("apt-cache", "show", "--no-all-versions", package)
        return dict(line.split(": ", 1) for line in text.splitlines() if re.match(r"[\w-]+: ", line))

    def kernel(self):
        """(version, [package=version]) of the newest kernel."""
        def needed(package):
            names = re.split(r"[,|]\s*", self.show(package).get("Depends", ""))
            return [n.split()[0] for n in names if KERNEL_PACKAGE.match(n)]

        packages = needed(self.meta_package)
        for package in packages:
            packages += [name for name in needed(package) if name not in packages]
        if not packages:
            raise Unreachable(f"{self.meta_package} of {self.suites[0]} names no kernel")
        versions = [self.show(package)["Version"] for package in packages]
        return versions[0], [f"{package}={version}" for package, version in zip(packages, versions)]

    def fetch(self, packages, target):
        """Downloads and unpacks these packages below target."""
        os.makedirs(f"{self.directory}/debs", exist_ok=True)
        self.apt("apt-get", "download", "-qq", *packages, cwd=f"{self.directory}/debs")
        self.unpack(f"{self.directory}/debs", target)

    def fetch_programs(self, packages, target):
        """Downloads and unpacks packages with those of their dependencies that do not count as installed."""
        self.apt("apt-get", "install", "-qq", "-y", "--download-only", "-t", self.suites[-1], *packages)
        self.unpack(f"{self.directory}/cache/archives", target)

    @staticmethod
    def unpack(directory, target):
        for name in sorted(os.listdir(directory)):
            if name.endswith(".deb"):
                subprocess.run(["dpkg-deb", "-x", f"{directory}/{name}", target], check=True)
                os.unlink(f"{directory}/{name}")
