# SPDX-License-Identifier: GPL-2.0-or-later
"""A package registry on one socket, with the parts of npm's protocol (packuments and tarballs) and of pip's (PEP 503)
that an installation needs. Requests must have the token, and are stored."""

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
import urllib.parse
import zipfile

TOKEN = "decoy-not-a-token"
PORT = 4873


def npm_package(name, version, files, scripts):
    """files: name → text, in addition to package.json. Returns the bytes of the tarball, and its metadata."""
    manifest = {"name": name, "version": version, "scripts": scripts}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in {"package.json": json.dumps(manifest), **files}.items():
            data = text.encode()
            member = tarfile.TarInfo(f"package/{path}")
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return manifest, out.getvalue()


def wheel(name, version):
    """PEP 427, the minimum that pip accepts."""
    info = f"{name}-{version}.dist-info"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{name}.py", "answer = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return out.getvalue()


class Registry:
    """with Registry(net, address) as registry: it serves in the namespace of the host."""

    def __init__(self, net, address):
        self.url = f"http://{address}:{PORT}"
        self.net, self.answers, self.asked, self.server = net, {}, [], None

    def add_npm(self, name, version="1.0.0", files=None, scripts=None):
        manifest, tarball = npm_package(name, version, files or {}, scripts or {})
        path = f"/{name}/-/{name}-{version}.tgz"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        dist = {"tarball": self.url + path, "integrity": integrity}
        self.answers[path] = tarball
        # hasInstallScript: as a real registry marks packages with lifecycle scripts.
        self.answers[f"/{name}"] = json.dumps({
            "name": name, "dist-tags": {"latest": version},
            "versions": {version: {**manifest, "dist": dist, "hasInstallScript": bool(scripts)}}}).encode()

    def add_wheel(self, name, version="1.0.0"):
        file = f"{name}-{version}-py3-none-any.whl"
        self.answers[f"/simple/{name}/"] = f'<a href="/files/{file}">{file}</a>'.encode()
        self.answers[f"/files/{file}"] = wheel(name, version)

    def npmrc(self):
        host = self.url.removeprefix("http:")
        return f"registry={self.url}/\n{host}/:_authToken={TOKEN}\n"

    def pip_conf(self):
        index = self.url.replace("//", f"//x:{TOKEN}@") + "/simple"
        return f"[global]\nindex-url = {index}\ntrusted-host = {self.url[7:]}\n"

    def __enter__(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = urllib.parse.unquote(self.path)
                answer = registry.answers.get(path)
                shown = self.headers.get("Authorization", "")
                basic = base64.b64encode(f"x:{TOKEN}".encode()).decode()
                if shown not in (f"Bearer {TOKEN}", f"Basic {basic}"):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", "Basic")
                    answer = b"{}"
                else:
                    self.send_response(200 if answer else 404)
                    registry.asked.append(path)
                answer = answer or b"{}"
                self.send_header("Content-Type", "text/html" if path.startswith("/simple") else "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        with self.net.inside(self.net.host):
            self.server = http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()
