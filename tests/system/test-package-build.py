#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the packages (tests/package), has the distribution's own tools judge them, and compares the deb with the rpm.
They stay in BUILD/packages for test-package.py and test-package-rpm.py."""

import bz2
import configparser
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import deal
import harness
import tap
from tap import Skip, require, require_equal

ROOT = harness.SOURCE_ROOT
BUILD = os.path.dirname(harness.BARBWIRED)
PACKAGES = os.path.join(BUILD, "packages")
TOOLS = ("dpkg-buildpackage", "dh", "lintian", "rpmbuild", "rpmlint", "man", "zsh", "bash")
RPM_MACROS = os.path.join(HERE, "../harness/rpm-macros")
# What scriptlets of the rpm call.
CALLED = ("systemctl", "systemd-sysusers", "semodule", "selinuxenabled", "load_policy", "fixfiles", "cp", "rm")


def run(*command, check=True, **kwargs):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False, **kwargs)
    require(not check or result.returncode == 0,
            f"{' '.join(command)}: exit status {result.returncode}\n{result.stdout[-6000:]}")
    return result.stdout


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def build(kind, directory, *before, **environment):
    # The unit tests run in the other builds.
    run(*before, os.path.join(HERE, "../package"), kind, directory,
        env=os.environ | {"DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"} | environment)


def package(pattern, directory=PACKAGES):
    found = glob.glob(f"{directory}/{pattern}")
    require(len(found) == 1, f"{pattern}: {found}")
    return found[0]


class Packages:
    """with Packages() as packages: the files of the packages, unpacked."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="barbwire-packages-")
        self.deb, self.rpm = f"{self.path}/deb", f"{self.path}/rpm"
        return self

    def unpack_deb(self):
        for name in ("barbwire", "barbwire-selinux"):
            run("dpkg-deb", "-x", package(f"{name}_*.deb"), self.deb)

    def unpack_rpm(self):
        for name in ("barbwire-[0-9]*64", "barbwire-selinux*noarch"):
            os.makedirs(self.rpm, exist_ok=True)
            run("sh", "-c", 'cd "$1" && rpm2cpio "$2" | cpio -id --quiet', "sh", self.rpm, package(f"{name}.rpm"))

    def __exit__(self, *exception):
        shutil.rmtree(self.path)


# ---- versions, options, the archive ----

def versions():
    wanted = re.search(r"^\s*version: '([^']+)'", read("meson.build"), re.MULTILINE)[1]
    for found, what in ((re.match(r"barbwire \((.*)-\d+\)", read("units/debian/changelog"))[1], "changelog"),
                        (re.search(r"^Version: +(\S+)$", read("units/barbwire.spec"), re.MULTILINE)[1], "spec"),
                        (re.search(r"^CHANGES WITH (\S+)", read("NEWS"), re.MULTILINE)[1], "NEWS")):
        require_equal(found, wanted, f"version in {what}")


def configuration():
    """The conffile names every key, none is set, and what it says of a default is right."""
    text = read("units/barbwire.conf")
    keys = {key for section, key in re.findall(r"\{ SECTION_(\w+), \"(\w+)\"", read("daemon/policy/schema.c"))
            if section in ("CORRELATOR", "QUERY")}
    named = dict(re.findall(r"^#(\w+)=(.*)$", text, re.MULTILINE))
    require_equal(set(named), keys, "keys in barbwire.conf")
    for key, value in named.items():
        if value:
            page = read("daemon/man/barbwire.conf.5.scd")
            require(re.search(rf"^\*{key}=\*\n(?:\t.*\n)*?\t.*Defaults to {value}\b", page, re.MULTILINE),
                    f"{key}= does not default to {value}")
    parser = configparser.ConfigParser()
    parser.read_string(text)
    require(not any(parser.items(section) for section in parser.sections()), "a key is set")


def left_out(packages):
    """Without cmocka, llvm-objdump, scdoc and the Makefile of SELinux it builds, and says what it lacks."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    hide = "\n".join(f'mount --bind /dev/null "{path}"' for pattern in
                     ("/usr/lib/*/pkgconfig/cmocka.pc", "/usr/lib/*/cmake/cmocka/*.cmake", "/usr/share/cmake/cmocka/*",
                      "/usr/bin/scdoc", "/usr/bin/llvm-objdump*")
                     for path in sorted({os.path.realpath(found) for found in glob.glob(pattern)}))
    selinux = "/usr/share/selinux/devel"
    hide += f"\nmount -t tmpfs tmpfs {selinux}" if os.path.isdir(selinux) else ""
    hide += '\nmeson setup -Doptimization=0 -Ddebug=false "$1" "$2"\nninja -C "$1"'
    said = run("unshare", "--mount", "sh", "-ec", hide, "sh", f"{packages.path}/least", ROOT)
    summary = dict(re.findall(r"^ +([\w ]+\w) *: (YES|NO)$", said, re.MULTILINE))
    require_equal(summary, {"manual pages": "NO", "SELinux module": "NO", "tests": "NO"}, "found")


def archive(packages):
    """meson dist and the packages have the same files: those of the commit."""
    if not os.path.exists(os.path.join(ROOT, ".git")):
        raise Skip("needs the repository", environment=True)
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT]
    if run(*git, "status", "--porcelain"):
        raise Skip("meson dist takes the commit, and the tree has changes")
    names = sorted(run(*git, "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    directory = f"{packages.path}/dist"
    run("meson", "setup", "-Dtests=disabled", directory, ROOT)
    # git refuses a repository of another user, as in continuous integration.
    run("meson", "dist", "--no-tests", "-C", directory,
        env=os.environ | {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
    for path in (glob.glob(f"{directory}/meson-dist/*.tar.xz")[0], package("*.orig.tar.xz")):
        with tarfile.open(path) as tar:
            found = sorted(member.name.split("/", 1)[1] for member in tar if not member.isdir() and "/" in member.name)
        require_equal(sorted(set(found) ^ set(names)), [], f"files of {os.path.basename(path)}, and of the commit")


# ---- the deb ----

def deb_built(packages):
    shutil.rmtree(PACKAGES, ignore_errors=True)
    build("deb", PACKAGES)
    packages.unpack_deb()
    conffiles = run("dpkg-deb", "-I", package("barbwire_*.deb"), "conffiles")
    require_equal(conffiles, "/etc/barbwire/barbwire.conf\n", "conffiles")
    package("barbwire-dbgsym_*.deb")


def lintian():
    """Errors, warnings and pedantic tags; and no override without a reason above it."""
    said = run("lintian", "--pedantic", "--fail-on=none", "--allow-root", package("*.changes"))
    require_equal(said, "", "lintian")
    for path in glob.glob(f"{ROOT}/units/debian/**/*lintian-overrides", recursive=True):
        lines = read(path).splitlines()
        for above, line in zip(lines, lines[1:]):
            require(line.startswith("#") or above.startswith("# "), f"{path}: {line} has no reason")


def places(packages):
    """Nobody but root may change what is installed, and no place of a build is named."""
    for directory, children, names in os.walk(packages.deb):
        for path in (os.path.join(directory, name) for name in children + names):
            mode = os.lstat(path).st_mode
            require(os.path.islink(path) or mode & 0o6022 == 0, f"{path}: mode {mode:o}")
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    require(b"/tmp/tmp." not in file.read(), f"{path} names the directory where it was built")


def manual(packages):
    pages = glob.glob(f"{packages.deb}/usr/share/man/man*/*.gz")
    require_equal(len(pages), len(glob.glob(f"{ROOT}/daemon/man/*.scd*")), "manual pages")

    def warnings(path):
        """Without the page itself."""
        result = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path], text=True, check=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                env=os.environ | {"MANROFFSEQ": "", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        return result.stderr.splitlines()

    for path in pages:
        require_equal(warnings(path), [], path)
    # It would tell.
    bad = f"{packages.path}/bad.8"
    with open(bad, "w", encoding="ascii") as out:
        out.write('.TH bad 8\n.SH NAME\nbad \\- x\n.nosuchrequest\n')
    require(any("warning" in line for line in warnings(bad)), "man --warnings does not warn")
    # And every page that a unit names is there.
    for path in glob.glob(f"{packages.deb}/usr/lib/systemd/system/*"):
        for name, section in re.findall(r"man:([\w.-]+)\((\d)\)", read(path)):
            require(os.path.exists(f"{packages.deb}/usr/share/man/man{section}/{name}.{section}.gz"), f"{path}: {name}")


def completions(packages):
    """Each shell finds it where Debian's looks, and reads it without an error."""
    share = f"{packages.deb}/usr/share"
    said = run("bash", "-c", '. "$1" && complete -p barbwirectl', "bash",
               f"{share}/bash-completion/completions/barbwirectl")
    require("barbwirectl" in said, said)
    said = run("zsh", "-f", "-c", 'autoload -Uz compinit && compinit -D && print -r -- $_comps[barbwirectl] && '
               'autoload +X -Uz _barbwirectl && whence -w _barbwirectl',
               env=os.environ | {"FPATH": f"{share}/zsh/vendor-completions:{zsh_functions()}"})
    require_equal(said.split(), ["_barbwirectl", "_barbwirectl:", "function"], "zsh")


def zsh_functions():
    return run("zsh", "-f", "-c", "print -r -- $FPATH").strip()


# ---- the rpm ----

def rpm_built(packages):
    build("rpm", PACKAGES)
    packages.unpack_rpm()


def rpmlint():
    said = run("rpmlint", "--config", os.path.join(HERE, "../harness/rpmlint.toml"), *glob.glob(f"{PACKAGES}/*.rpm"),
               os.path.join(ROOT, "units/barbwire.spec"), check=False)
    found = [line for line in said.splitlines() if re.search(r": [EW]: ", line)]
    require(not found and "0 errors, 0 warnings" in said, said)
    lines = read("tests/harness/rpmlint.toml").splitlines()
    for above, line in zip(lines, lines[1:]):
        require(not line.startswith('    "') or above.startswith('    '), f"rpmlint.toml: {line} has no reason")


def as_rpm(path):
    """Where the rpm has a file of the deb: Fedora has no sbin any more, and zsh, SELinux and documents elsewhere."""
    for deb, rpm in ((r"^/usr/sbin/", "/usr/bin/"), ("vendor-completions", "site-functions"),
                     (r"packages/barbwire\.pp$", "packages/targeted/barbwire.pp.bz2")):
        path = re.sub(deb, rpm, path)
    return path


def not_compared(path):
    """Documents, which each has in its own way, directories that belong to others, and what tmpfiles.d makes, which
    only rpm counts among the files."""
    return re.match(r"/(usr/(share/(doc|licenses|lintian)|lib/\.build-id)|run)(/|$)", path)


def same_files():
    """The same files with the same owners and modes."""
    deb, rpm = {}, {}
    for name in ("barbwire", "barbwire-selinux"):
        for line in run("dpkg-deb", "-c", package(f"{name}_*.deb")).splitlines():
            mode, owner, _, _, _, path = line.split(None, 5)
            if not mode.startswith("d") or path.startswith("./etc/barbwire"):
                deb[as_rpm(path[1:].rstrip("/"))] = (mode, owner)
    for pattern in ("barbwire-[0-9]*64.rpm", "barbwire-selinux*noarch.rpm"):
        for line in run("rpm", "-qp", "--qf", r"[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]",
                        package(pattern)).splitlines():
            mode, owner, path = line.split(None, 2)
            if not mode.startswith("d") or path.startswith("/etc/barbwire"):
                rpm[path] = (mode, owner)
    for files in (deb, rpm):
        for path in [path for path in files if not_compared(path)]:
            del files[path]
    require(len(deb) > 60, f"files: {sorted(deb)}")
    require_equal(sorted(set(deb.items()) ^ set(rpm.items())), [], "files of only one")


def same_contents(packages):
    """Built twice, in two directories. Of programs, which each strips in its own way, the linker's digest of what it
    wrote is the same. The unit names the program where it is."""
    compared = 0
    for directory, _, names in os.walk(packages.deb):
        for path in (os.path.join(directory, name)[len(packages.deb):] for name in names):
            if not_compared(path):
                continue
            if re.search(r"bin/barbwire(d|ctl)$", path):
                ids = [re.search(r"Build ID: (\w+)", run("readelf", "-n", file))[1]
                       for file in (packages.deb + path, packages.rpm + as_rpm(path))]
            else:
                with open(packages.deb + path, "rb") as deb, open(packages.rpm + as_rpm(path), "rb") as rpm:
                    ids = [deb.read(), bz2.decompress(rpm.read()) if as_rpm(path).endswith(".bz2") else rpm.read()]
            if path.endswith("/barbwire.service"):
                ids[0] = ids[0].replace(b"=/usr/sbin/barbwired", b"=/usr/bin/barbwired")
            require(ids[0] == ids[1], f"{path} differs")
            compared += 1
    require(compared > 60, f"compared: {compared}")


def sbin():
    """The program is where the distribution has sbin: merged with bin, or apart."""
    for sbin_directory in ("/usr/bin", "/usr/sbin"):
        said = run("rpmspec", "--load", RPM_MACROS, "--define", f"_sbindir {sbin_directory}", "--define",
                   f"_sourcedir {ROOT}/units", "-P", os.path.join(ROOT, "units/barbwire.spec"))
        require(f"--sbindir={sbin_directory} " in said and f"\n{sbin_directory}/barbwired\n" in said,
                f"{sbin_directory}: {said}")


def scriptlets(packages):
    """rpm installs into an empty root, in which what scriptlets call only writes down that it was called."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    root = f"{packages.path}/empty"
    for directory in ("usr/bin", "usr/sbin", "lib64", "lib", "var/lib/rpm"):
        os.makedirs(f"{root}/{directory}")
    os.symlink("usr/bin", f"{root}/bin")
    shell = os.path.realpath("/bin/sh")
    for library in re.findall(r"(/\S+\.so\S*)", run("ldd", shell)):
        os.makedirs(os.path.dirname(f"{root}{library}"), exist_ok=True)
        shutil.copy(library, f"{root}{library}")
    shutil.copy(shell, f"{root}/usr/bin/sh")
    for name in CALLED:
        with open(f"{root}/usr/bin/{name}", "w", encoding="ascii") as out:
            out.write(f'#!/bin/sh\necho "{name} $*" >>/trace\n')
        os.chmod(f"{root}/usr/bin/{name}", 0o755)

    def trace(*command):
        with open(f"{root}/trace", "w", encoding="ascii"):
            pass
        run(*command)
        return read(f"{root}/trace").splitlines()

    def rpm(*arguments):
        return trace("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "--nodeps", "--nosignature", *arguments)

    daemon, module = package("barbwire-[0-9]*64.rpm"), package("barbwire-selinux*noarch.rpm")
    units = "barbwire.service barbwire.socket barbwire-selftest.timer"
    require_equal(rpm("-i", daemon), ["systemd-sysusers --replace=/usr/lib/sysusers.d/barbwire.conf -",
                                      f"systemctl --no-reload preset {units}"], "install")
    policy = "/etc/selinux/targeted/contexts/files/file_contexts"
    require_equal(rpm("-i", module),
                  ["selinuxenabled ", f"cp -f {policy} /var/lib/rpm-state/file_contexts.pre",
                   "semodule -n -s targeted -X 200 -i /usr/share/selinux/packages/targeted/barbwire.pp.bz2",
                   "selinuxenabled ", "load_policy ", "selinuxenabled ",
                   "fixfiles -C /var/lib/rpm-state/file_contexts.pre restore",
                   "rm -f /var/lib/rpm-state/file_contexts.pre"], "install the module")
    # As rpm calls that of the old package in an upgrade.
    script = run("rpm", "-qp", "--qf", "%{POSTUN}", daemon)
    require_equal(trace("chroot", root, "/bin/sh", "-c", script, "sh", "1"),
                  ["systemctl daemon-reload", "systemctl try-restart barbwire.service"], "upgrade")
    require_equal(rpm("-e", "barbwire-selinux"),
                  ["semodule -n -s targeted -X 200 -r barbwire", "selinuxenabled ", "load_policy "], "erase the module")
    with open(f"{root}/etc/barbwire/barbwire.conf", "a", encoding="ascii") as out:
        out.write("# changed\n")
    require_equal(rpm("-e", "barbwire"), [f"systemctl --no-reload disable --now {units}", "systemctl daemon-reload"],
                  "erase")
    left = [os.path.join(directory, name)[len(root):] for directory, _, names in os.walk(root) for name in names
            if "barbwire" in os.path.join(directory, name)[len(root):]]
    require_equal(left, ["/etc/barbwire/barbwire.conf.rpmsave"], "left: the changed configuration, and nothing else")


def twice(kinds):
    """Everything once more: in other directories, on a machine of another name, with another umask and time zone."""
    elsewhere = ("sh", "-ec", 'umask 077\nexec "$@"', "sh")
    if os.geteuid() == 0:
        elsewhere = ("unshare", "--uts", "sh", "-ec", 'hostname elsewhere\numask 077\nexec "$@"', "sh")
    with tempfile.TemporaryDirectory(prefix="barbwire-again-") as again:
        for kind in kinds:
            build(kind, again, *elsewhere, TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
        for path in glob.glob(f"{PACKAGES}/*"):
            # These name the machine and the time.
            if not path.endswith((".buildinfo", ".changes")) and path.endswith(".rpm") in [k == "rpm" for k in kinds]:
                with open(path, "rb") as one, open(os.path.join(again, os.path.basename(path)), "rb") as other:
                    require(one.read() == other.read(), f"{os.path.basename(path)} differs")


def main():
    for tool in TOOLS:
        if not shutil.which(tool):
            tap.skip_all(f"needs {tool}", environment=True)
    t = tap.Tap()
    with Packages() as packages:
        t.case("one version in meson.build, NEWS, changelog and spec", versions)
        t.case("barbwire.conf names every key", configuration)
        t.case("what is not found is left out", left_out, packages)
        if t.setup("deb: built, with its conffile", deb_built, packages):
            t.case("deb: lintian --pedantic", lintian)
            t.case("deb: modes, and no place of the build", places, packages)
            t.case("deb: man --warnings", manual, packages)
            t.case("deb: completions of bash and zsh", completions, packages)
            t.case("meson dist has the same files", archive, packages)
        if t.setup("rpm: built", rpm_built, packages):
            t.case("rpm: rpmlint", rpmlint)
            t.case("rpm: the deb's files, owners and modes", same_files)
            t.case("rpm: the deb's contents, although built elsewhere", same_contents, packages)
            t.case("rpm: sbin merged and apart", sbin)
            t.case("rpm: scriptlets in an empty root", scriptlets, packages)
            kinds = deal.dealt(("deb", "rpm"), 2)
            t.case(f"{' and '.join(kinds)}: built twice, equal byte for byte", twice, kinds)
    t.done()


if __name__ == "__main__":
    main()
