# SPDX-License-Identifier: GPL-2.0-or-later
# To be sourced: installs missing packages on Debian. If none is missing it does nothing, not even an update.

# For building and running barbwired, and for the two namespaces of the demonstration.
BUILD_PACKAGES=(meson ninja-build gcc libc6-dev clang bpftool libbpf-dev libsystemd-dev
        libcap-ng-dev libjansson-dev nettle-dev pkg-config iproute2 python3 scdoc)
# For the tests.
TEST_PACKAGES=(libcmocka-dev llvm libclang-rt-14-dev openssh-server openssh-client sshfs sudo tmux curl wget binutils git systemd dbus man-db less mmdebstrap cron
        nginx-light postgresql-client mariadb-client exim4-daemon-light bundler composer gnupg nodejs python3-pip make openssl login firefox-esr lynis runc
        systemd-journal-remote stunnel4 util-linux e2fsprogs btrfs-progs libnss-extrausers kmod zstd lld clang-format-14 clang-tidy-14
        haproxy isync msmtp pass gh awscli python3-boto3 python3-psycopg2 python3-requests gunicorn redis-server)
# More jobs of an ordinary week (tests/week), which leaves out what is missing; for tests/check --long.
WEEK_PACKAGES=(podman pgcli certbot aide clamav restic borgbackup ansible-core mutt spamassassin spamd spamc apache2 postgresql
        python3-paramiko lftp duplicity monit fetchmail ldap-utils smbclient dnsutils s3cmd python3-venv wireguard-tools
        openvpn mosquitto-clients subversion mercurial sshpass autossh chkrootkit debsums needrestart logrotate emacs-nox
        docker-compose skopeo buildah vdirsyncer maven memcached nmap iputils-ping locales php-cli mariadb-server rclone w3m
        lynx screen mc reportbug popularity-contest at aptitude xauth wpasupplicant cryptsetup-bin samba-common-bin tnftp tcpdump
        whois chrony fail2ban apt-listchanges sqlite3 sshfs nano ncftp cadaver httpie jq zsh offlineimap3 ipmitool snmp
        libwww-perl libdbd-pg-perl pwgen apg rsyslog procmail aria2 axel busybox exim4-daemon-light dovecot-core apache2-utils)
# For building and judging packages (tests/package).
PACKAGE_PACKAGES=(debhelper dpkg-dev lintian rpm rpmlint selinux-policy-dev policycoreutils checkpolicy bzip2 cpio zsh)
# For comparisons and the plot of the benchmark (tests/bench/run --peers), which leaves out what is missing.
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
        # Services of these packages must not start on a machine that only runs tests.
        apt-get -qq update </dev/null >&2 &&
                DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
                        apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null >&2
}
