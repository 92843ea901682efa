# SPDX-License-Identifier: GPL-2.0-or-later
"""A repository of packages on the network of the tests, which asks for a password, and a package in two versions that
asks the administrator for a secret (debconf)."""

import base64
import contextlib
import hashlib
import http.server
import os
import subprocess
import threading

from net import HOST_V4

NAME, PORT = "bw-site", 8000
URL = f"http://{HOST_V4}:{PORT}/"
LOGIN = "ana", "decoy"
CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: Site <site@example.org>
Depends: debconf
Description: the settings of a site
"""
TEMPLATES = f"""Template: {NAME}/password
Type: password
Description: The password of the site
"""
CONFIG = f"""#!/bin/sh -e
. /usr/share/debconf/confmodule
db_input high {NAME}/password || true
db_go || true
"""
# As postinst scripts do: an answer becomes a setting, and the package has a user of its own.
POSTINST = f"""#!/bin/sh -e
. /usr/share/debconf/confmodule
db_get {NAME}/password
(umask 077; echo "password=$RET" >/etc/{NAME}.conf)
getent passwd {NAME} >/dev/null || useradd --system --no-create-home {NAME}
chown {NAME} /etc/{NAME}.conf
"""


def build(directory, version):
    """Returns the path of the package."""
    tree = f"{directory}/{NAME}-{version}"
    os.makedirs(f"{tree}/DEBIAN")
    os.makedirs(f"{tree}/usr/share/{NAME}")
    for name, text, mode in (("DEBIAN/control", CONTROL.format(name=NAME, version=version), 0o644),
                             ("DEBIAN/templates", TEMPLATES, 0o644), ("DEBIAN/config", CONFIG, 0o755),
                             ("DEBIAN/postinst", POSTINST, 0o755), (f"usr/share/{NAME}/version", version, 0o644)):
        with open(f"{tree}/{name}", "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(f"{tree}/{name}", mode)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, f"{tree}.deb"], check=True, stdout=subprocess.DEVNULL)
    return f"{tree}.deb"


class Repository:
    """with Repository(net, directory) as repository: apt finds what publish() was given at URL."""

    def __init__(self, net, directory):
        self.net, self.directory, self.files, self.logins = net, directory, {}, set()

    def publish(self, version):
        path = build(self.directory, version)
        with open(path, "rb") as file:
            package = file.read()
        index = (CONTROL.format(name=NAME, version=version) + f"Filename: ./{os.path.basename(path)}\n"
                 f"Size: {len(package)}\nSHA256: {hashlib.sha256(package).hexdigest()}\n").encode()
        release = f"Date: Tue, 01 Dec 2026 00:00:00 UTC\nSHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} " \
                  "Packages\n"
        self.files = {"/./Packages": index, "/./Release": release.encode(), f"/./{os.path.basename(path)}": package}

    def __enter__(self):
        files, logins, wanted = lambda: self.files, self.logins, base64.b64encode(":".join(LOGIN).encode()).decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                logins.add(self.headers.get("Authorization"))
                body = files().get(self.path) or files().get("/." + self.path)
                known = self.headers.get("Authorization") == f"Basic {wanted}"
                self.send_response(401 if not known else 404 if body is None else 200)
                self.send_header("Content-Length", str(len(body) if known and body else 0))
                self.end_headers()
                if known and body:
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        with self.net.inside(self.net.host):
            self.server = http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.directory)
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()
