# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced: installs what is missing on Debian. Does nothing, not even an update, when all is there.

# What builds and runs barbwired, and the two namespaces of the demonstration.
BUILD_PACKAGES=(meson ninja-build gcc libc6-dev clang llvm bpftool libbpf-dev libelf-dev libsystemd-dev
        libcap-ng-dev libjansson-dev nettle-dev libcmocka-dev pkg-config iproute2 python3 scdoc)
# What the tests use beside that.
TEST_PACKAGES=(libclang-rt-14-dev openssh-server openssh-client sshfs sudo tmux curl wget binutils git systemd dbus man-db less mmdebstrap cron
        nginx-light postgresql-client gnupg nodejs python3-pip make openssl login firefox-esr
        util-linux e2fsprogs kmod zstd lld)
# What the benchmark compares with, and draws with (tests/bench/run --peers); it does without what is not there.
BENCH_PACKAGES=(bpftrace auditd fatrace libbpf-tools gnuplot-nox)

# packages_install NAME...
packages_install() {
        local name missing=()

        for name in "$@"; do
                [[ $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) == 'install ok installed' ]] ||
                        missing+=("$name")
        done
        ((${#missing[@]})) || return 0
        if ((EUID != 0)); then
                echo "missing packages: ${missing[*]}" >&2
                return 1
        fi
        echo "installing: ${missing[*]}" >&2
        # A package's service must not start on a machine that only tests.
        apt-get -qq update </dev/null >&2 &&
                DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
                        apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null >&2
}
