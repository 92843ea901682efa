/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For policy/test-default.c: files that must be of a class, and neighbours that must not be. Homes are
 * those of its passwd file: /home/NAME, /root, /var/lib/postgresql and "/opt/runner [1]". */

#include <stddef.h>

#define SYSTEM "system-credentials"
#define SSH "ssh-private-keys"
#define HOST_KEYS "ssh-host-keys"
#define GPG "gpg-private-keys"
#define AGENTS "agent-sockets"
#define AWS "cloud-aws"
#define GCP "cloud-gcp"
#define AZURE "cloud-azure"
#define CLOUD "cloud-other"
#define KUBE "kubernetes"
#define IMAGES "container-registries"
#define REGISTRY "package-registries"
#define NPM "npm-registries"
#define PIP "python-registries"
#define FORGE "code-forges"
#define NETRC "netrc"
#define BROWSER "browsers"
#define PASSWORDS "password-stores"
#define WALLET "wallets"
#define TLS "tls-private-keys"
#define VPN "vpn-wifi"
#define DATABASE "database-credentials"
#define MYSQL "mysql-credentials"
#define MONGO "mongo-credentials"
#define APP "app-secrets"
#define AI "ai-tools"
#define HISTORY "shell-history"
#define SCRIPTS "developer-tokens"
#define DESKTOP "desktop-tokens"
#define WEB "web-applications"
#define BROWSING "browsing-history"
#define CONTAINER "container-secrets"
#define SERVER "server-secrets"
#define MAIL "mail"
#define MACHINE "machine-secrets"
#define PROCESS "process-secrets"
#define MEMORY "process-memory"

#define H "/home/x/"

static const struct {
        const char *path;
        const char *class; /* NULL: of none */
} files[] = {
        { "/etc/shadow", SYSTEM },
        { "/etc/shadow-", SYSTEM },
        { "/etc/gshadow", SYSTEM },
        { "/etc/gshadow-", SYSTEM },
        { "/etc/sudoers", SYSTEM },
        { "/etc/sudoers.d/90-cloud-init-users", SYSTEM },
        { "/etc/security/opasswd", SYSTEM },
        { "/etc/krb5.keytab", SYSTEM },
        { "/var/lib/sss/db/cache_example.ldb", SYSTEM },
        { "/var/lib/sss/secrets/secrets.ldb", SYSTEM },
        { "/var/backups/shadow.bak", SYSTEM },
        { "/var/backups/gshadow.bak", SYSTEM },
        /* What every resolver reads. */
        { "/etc/passwd", NULL },
        { "/etc/passwd-", NULL },
        { "/etc/group", NULL },
        { "/etc/hosts", NULL },
        { "/etc/resolv.conf", NULL },
        { "/etc/nsswitch.conf", NULL },
        { "/etc/ssl/certs/ca-certificates.crt", NULL },
        { "/etc/shadow.d/x", NULL },
        { "/etc/sudo.conf", NULL },
        { "/etc/sudoers.d", NULL },
        { "/etc/security/limits.conf", NULL },
        { "/var/lib/sss/mc/passwd", NULL },
        { "/var/lib/sss/pubconf/known_hosts", NULL },
        { "/var/backups/passwd.bak", NULL },
        { "/shadow", NULL },

        { H ".local/lib/python3.11/site-packages/x.pth", "interpreter-code" },
        { "/usr/lib/python3/dist-packages/distutils-precedence.pth", "interpreter-code" },
        { H ".local/lib/python3.11/site-packages/usercustomize.py", "interpreter-code" },
        { H "a/__pycache__/sitecustomize.cpython-311.pyc", "interpreter-code" },
        { H "a/usercustomize/__init__.py", "interpreter-code" },
        { H ".gem/ruby/3.1.0/gems/x-1/lib/rubygems_plugin.rb", "interpreter-code" },
        { H "shop/.pnpmfile.cjs", "interpreter-code" },
        { H "models/resnet50.pth", NULL },
        { H "shop/customize.py", NULL },
        { "/usr/share/doc/etc/shadow", NULL },

        { "/root/.ssh/id_ed25519", SSH },
        { H ".ssh/id_rsa", SSH },
        { H ".ssh/work/deploy", SSH },
        { H ".ssh/id_rsa.pub.bak", SSH },
        { "/var/lib/postgresql/.ssh/id_rsa", SSH },
        { "/opt/runner [1]/.ssh/id_rsa", SSH },
        { "/var/lib/docker/overlay2/0af/merged/root/.ssh/id_ed25519", SSH },
        { "/var/home/x/.ssh/id_ed25519", SSH },
        { "/etc/ssh/ssh_host_ed25519_key", HOST_KEYS },
        { "/etc/ssh/ssh_host_rsa_key.pub", NULL },
        { "/etc/ssh/sshd_config", NULL },
        { H ".ssh/id_ed25519.pub", NULL },
        { H ".ssh/work/deploy-cert.pub", NULL },
        { H ".ssh/known_hosts", NULL },
        { H ".ssh/known_hosts.old", NULL },
        { H ".ssh/config", NULL },
        { H ".ssh/config.d/work", NULL },
        { H ".ssh/authorized_keys", NULL },
        { H ".ssh/allowed_signers", NULL },
        { H ".ssh/ssh-copy-id.yiCX5yentC/popids_tmp_id", NULL },
        { H ".ssh", NULL },
        { H "src/.ssh/id_rsa", SSH },
        { "/opt/runner 1/.ssh/id_rsa", SSH },
        { "/home/CORP/ana/.ssh/id_rsa", SSH },
        { "/var/roothome/.ssh/id_rsa", SSH },
        { "/srv/backup/home/ana/.ssh/id_rsa.pub", NULL },

        { H ".gnupg/private-keys-v1.d/0A1B.key", GPG },
        { "/root/.gnupg/secring.gpg", GPG },
        { H ".gnupg/pubring.kbx", NULL },
        { H ".gnupg/trustdb.gpg", NULL },
        { "/etc/apt/trusted.gpg.d/debian.gpg", NULL },

        { "/tmp/ssh-Xy3abcDE/agent.4711", AGENTS },
        { "/run/user/1000/keyring/ssh", AGENTS },
        { "/run/user/1000/gnupg/S.gpg-agent.ssh", AGENTS },
        { "/run/user/1000/gnupg/d.0a1b/S.gpg-agent", AGENTS },
        { H ".gnupg/S.gpg-agent", AGENTS },
        /* units, which systemd --user reads at each login */
        { "/usr/lib/systemd/user/ssh-agent.socket", NULL },
        { H ".config/systemd/user/ssh-agent.socket", NULL },
        { "/run/user/1000/gnupg/S.dirmngr", NULL },
        { "/run/user/1000/bus", NULL },

        { H ".aws/credentials", AWS },
        { H ".aws/cli/cache/0a1b.json", AWS },
        { "/root/.aws/sso/cache/0a1b.json", AWS },
        { H ".aws/config", NULL },
        { H ".aws/cli/alias", NULL },

        { H ".config/gcloud/credentials.db", GCP },
        { H ".config/gcloud/access_tokens.db", GCP },
        { H ".config/gcloud/application_default_credentials.json", GCP },
        { H ".config/gcloud/legacy_credentials/x@example.org/adc.json", GCP },
        { H ".config/gcloud/configurations/config_default", NULL },
        { H ".config/gcloud/logs/2026.11.22/1.log", NULL },

        { H ".azure/accessTokens.json", AZURE },
        { H ".azure/msal_token_cache.json", AZURE },
        { H ".azure/msal_token_cache.bin", AZURE },
        { H ".azure/service_principal_entries.json", AZURE },
        { H ".azure/config", NULL },
        { H ".azure/azureProfile.json", NULL },

        { H ".config/doctl/config.yaml", CLOUD },
        { H ".config/hcloud/cli.toml", CLOUD },
        { H ".oci/config", CLOUD },
        { H ".oci/oci_api_key.pem", CLOUD },
        { H ".oci/sessions/DEFAULT/token", CLOUD },
        { H ".fly/config.yml", CLOUD },
        { H ".local/share/com.vercel.cli/auth.json", CLOUD },
        { H ".config/netlify/config.json", CLOUD },
        { H ".config/.wrangler/config/default.toml", CLOUD },
        { H ".wrangler/config/default.toml", CLOUD },
        { H ".s3cfg", CLOUD },
        { H ".config/rclone/rclone.conf", CLOUD },
        { H ".terraform.d/credentials.tfrc.json", CLOUD },
        { H ".vault-token", CLOUD },
        { "/srv/infra/terraform.tfstate", CLOUD },
        { H "infra/prod.tfstate.backup", CLOUD },
        { H ".oci/oci_api_key_public.pem", NULL },
        { H ".terraform.d/checkpoint_cache", NULL },
        { H "infra/main.tf", NULL },
        { H ".local/share/com.vercel.cli/config.json", NULL },

        { H ".kube/config", KUBE },
        { "/etc/kubernetes/admin.conf", KUBE },
        { "/etc/kubernetes/kubelet.conf", KUBE },
        { "/etc/kubernetes/pki/ca.key", KUBE },
        { "/etc/kubernetes/pki/etcd/server.key", KUBE },
        { "/etc/rancher/k3s/k3s.yaml", KUBE },
        { "/run/secrets/kubernetes.io/serviceaccount/token", KUBE },
        { "/run/secrets/kubernetes.io/serviceaccount/..2026_11_22/token", KUBE },
        { "/var/run/secrets/kubernetes.io/serviceaccount/token", KUBE },
        { "/run/secrets/kubernetes.io/serviceaccount/ca.crt", NULL },
        { "/run/secrets/kubernetes.io/serviceaccount/..2026_11_22/namespace", NULL },
        { "/etc/kubernetes/pki/ca.crt", NULL },
        { H ".kube/cache/discovery/x/serverresources.json", NULL },

        { H ".docker/config.json", IMAGES },
        { H ".config/containers/auth.json", IMAGES },
        { "/run/user/1000/containers/auth.json", IMAGES },
        { H ".docker/contexts/meta/0a/meta.json", NULL },
        { H ".config/containers/registries.conf", NULL },

        { H ".npmrc", NPM },
        { H ".yarnrc.yml", NPM },
        { H ".pypirc", PIP },
        { H ".config/pip/pip.conf", PIP },
        { H ".cargo/credentials", REGISTRY },
        { H ".cargo/credentials.toml", REGISTRY },
        { H ".gem/credentials", REGISTRY },
        { H ".m2/settings.xml", REGISTRY },
        { H ".nuget/NuGet/NuGet.Config", REGISTRY },
        { H ".config/composer/auth.json", REGISTRY },
        { H ".composer/auth.json", REGISTRY },
        { H ".cargo/config.toml", NULL },
        { H "src/project/.npmrc", NULL },
        { "/usr/lib/node_modules/npm/.npmrc", NULL },
        { "/etc/pip.conf", NULL },

        { H ".git-credentials", FORGE },
        { H ".config/git/credentials", FORGE },
        { H ".config/gh/hosts.yml", FORGE },
        { H ".config/glab-cli/config.yml", FORGE },
        { H ".netrc", NETRC },
        { H ".gitconfig", NULL },
        { H ".config/gh/config.yml", NULL },
        { H "src/.git/config", NULL },

        { H ".config/google-chrome/Default/Login Data", BROWSER },
        { H ".config/google-chrome/Default/Cookies", BROWSER },
        { H ".config/google-chrome/Profile 1/Network/Cookies", BROWSER },
        { H ".config/google-chrome/Local State", BROWSER },
        { H ".config/chromium/Default/Login Data For Account", BROWSER },
        { H ".config/BraveSoftware/Brave-Browser/Default/Network/Cookies", BROWSER },
        { H ".config/BraveSoftware/Brave-Browser/Local State", BROWSER },
        { H ".config/microsoft-edge/Default/Login Data", BROWSER },
        { H ".config/vivaldi/Default/Cookies", BROWSER },
        { H ".config/opera/Cookies", BROWSER },
        { H ".mozilla/firefox/abcd.default-release/logins.json", BROWSER },
        { H ".mozilla/firefox/abcd.default-release/key4.db", BROWSER },
        { H ".mozilla/firefox/abcd.default-release/cookies.sqlite", BROWSER },
        { H "snap/firefox/common/.mozilla/firefox/abcd.default/logins.json", BROWSER },
        { H "snap/chromium/common/chromium/Default/Cookies", BROWSER },
        { H ".var/app/org.mozilla.firefox/.mozilla/firefox/abcd.default/key4.db", BROWSER },
        { H ".var/app/com.google.Chrome/config/google-chrome/Default/Cookies", BROWSER },
        { H ".mozilla/firefox/abcd.default-release/places.sqlite", BROWSING },
        { H ".mozilla/firefox/profiles.ini", NULL },
        { H ".config/google-chrome/Default/Preferences", NULL },
        { H ".config/google-chrome/Default/History", BROWSING },

        { H "Documents/all.kdbx", PASSWORDS },
        { "/mnt/nas/all.kdbx", PASSWORDS },
        { H ".local/share/keyrings/login.keyring", PASSWORDS },
        { H ".local/share/kwalletd/kdewallet.kwl", PASSWORDS },
        { H ".password-store/mail/example.org.gpg", PASSWORDS },
        { H ".config/sops/age/keys.txt", PASSWORDS },
        { H ".config/Bitwarden/data.json", PASSWORDS },
        { H ".password-store/.git/objects/0a/1b", NULL },
        { H ".local/share/kwallet", NULL },

        { H ".bitcoin/wallet.dat", WALLET },
        { H ".bitcoin/testnet3/wallets/mine/wallet.dat", WALLET },
        { H ".ethereum/keystore/UTC--2026", WALLET },
        { H ".electrum/wallets/default_wallet", WALLET },
        { H ".config/solana/id.json", WALLET },
        { H ".config/Exodus/exodus.wallet/seed.seco", WALLET },
        { H ".config/atomic/Local Storage/leveldb/000003.log", WALLET },
        { H ".config/Ledger Live/app.json", WALLET },
        { H ".bitcoin/debug.log", NULL },
        { H ".electrum/config", NULL },

        { "/etc/ssl/private/ssl-cert-snakeoil.key", TLS },
        { "/etc/letsencrypt/live/example.org/privkey.pem", TLS },
        { "/etc/letsencrypt/archive/example.org/privkey12.pem", TLS },
        { "/etc/pki/tls/private/localhost.key", TLS },
        { "/srv/app/server.p12", TLS },
        { H "client.pfx", TLS },
        { "/opt/kafka/keystore.jks", TLS },
        { "/etc/letsencrypt/live/example.org/fullchain.pem", NULL },
        { "/etc/ssl/certs/ssl-cert-snakeoil.pem", NULL },
        { "/etc/ssl/certs/java/cacerts.jks", NULL },
        { "/usr/share/doc/x/example.p12", NULL },

        { "/etc/wireguard/wg0.conf", VPN },
        { "/etc/openvpn/client/work.key", VPN },
        { "/etc/openvpn/server.conf", VPN },
        { "/etc/ipsec.secrets", VPN },
        { "/etc/NetworkManager/system-connections/Home.nmconnection", VPN },
        { "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf", VPN },
        { "/etc/wpa_supplicant/wpa_supplicant.conf", VPN },
        { "/etc/openvpn/ca.crt", NULL },
        { "/etc/openvpn/update-resolv-conf", NULL },
        { "/etc/NetworkManager/NetworkManager.conf", NULL },

        { H ".pgpass", DATABASE },
        { "/root/.my.cnf", MYSQL },
        { H ".mylogin.cnf", MYSQL },
        { H ".mongorc.js", MONGO },
        { "/etc/mysql/my.cnf", NULL },
        { H ".psqlrc", NULL },

        { "/srv/shop/.env", APP },
        { H "src/shop/.env.production", APP },
        { "/srv/rails/config/master.key", APP },
        { "/srv/shop/service-account-prod.json", APP },
        { "/opt/actions-runner/.credentials_rsaparams", APP },
        { "/etc/gitlab-runner/config.toml", APP },
        { H "src/shop/.env.example", NULL },
        { H "src/shop/environment", NULL },
        { H "src/.envrc", APP },
        { "/srv/rails/config/database.yml", APP },

        { H ".claude/.credentials.json", AI },
        { H ".codex/auth.json", AI },
        { H ".gemini/oauth_creds.json", AI },
        { H ".cursor/mcp.json", AI },
        { H ".config/Claude/claude_desktop_config.json", AI },
        { H ".claude/settings.json", AI },
        { H ".codex/config.toml", AI },
        { H ".gemini/GEMINI.md", NULL },

        { H ".bash_history", HISTORY },
        { "/root/.zsh_history", HISTORY },
        { H ".psql_history", HISTORY },
        { H ".python_history", HISTORY },
        { H ".bashrc", NULL },
        { H ".history", HISTORY },

        { "/proc/1/environ", PROCESS },
        { "/proc/4711/mem", MEMORY },
        { "/proc/4711/task/4712/mem", MEMORY },
        { "/proc/4711/task/4712/environ", PROCESS },
        { "/var/lib/systemd/coredump/core.nginx.33.zst", PROCESS },
        { "/var/crash/_usr_bin_x.1000.crash", PROCESS },
        { "/run/credentials/web.service/token", CONTAINER },
        { "/run/secrets/database", CONTAINER },
        { "/run/secrets/rhsm/ca/redhat-uep.pem", NULL },
        { "/proc/4711/maps", NULL },
        { "/proc/4711/cmdline", NULL },
        { "/proc/meminfo", NULL },
        { "/proc/sys/kernel/environ", NULL },
};

/* Programs that run any code, or send any file. */
static const char *const tools[] = {
        "/usr/bin/bash",
        "/usr/bin/dash",
        "/usr/bin/sh",
        "/usr/bin/zsh",
        "/usr/bin/busybox",
        "/usr/bin/python3.11",
        "/usr/bin/python3.9",
        "/usr/libexec/platform-python3.6",
        "/usr/bin/node",
        "/usr/bin/node-22",
        "/usr/bin/perl",
        "/usr/bin/ruby3.1",
        "/usr/bin/php8.2",
        "/usr/bin/lua5.4",
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        "/usr/bin/env",
        "/usr/bin/cat",
        "/usr/bin/cp",
        "/usr/bin/tar",
        "/usr/bin/dd",
        "/usr/bin/base64",
        "/usr/bin/gzip",
        "/usr/bin/nc.openbsd",
        "/usr/bin/ncat",
        "/usr/bin/socat",
        "/usr/bin/openssl",
        "/usr/bin/scp",
        "/usr/bin/sftp",
        "/usr/bin/rsync",
        "/usr/bin/git",
        "/usr/bin/nsenter",
        "/usr/bin/unshare",
        "/usr/lib/ld-linux-x86-64.so.2",
        "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "/tmp/sshd",
        "/var/tmp/ssh",
        "/dev/shm/aws",
        "/home/x/bin/kubectl",
        "/home/x/.local/bin/aws",
        "/sshd",
};
