# SPDX-License-Identifier: GPL-2.0-or-later
"""What the jobs of a week talk to, in the network of the host: HTTPS whose certificate the world trusts, and as much of
IMAP and SMTP as clients need to log in."""

import base64
import contextlib
import http.server
import os
import socketserver
import ssl
import threading

from net import HOST_V4, ip

NAMES = ("api.example.com", "git.example.com", "s3.amazonaws.com", "sts.amazonaws.com", "api.github.com", "github.com",
         "registry.npmjs.org", "pypi.org", "registry.example.com", "mail.example.com", "db.example.com",
         "repo.maven.apache.org", "example.com", "vault.example.com", "hooks.example.com")
ADDRESS, CLIENT = "198.51.100.8", "198.51.100.1"  # RFC 5737
IMAP, SMTP = 143, 587

CERTIFICATE = """
set -e
cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=week -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=api.example.com -keyout server.key -out server.csr 2>/dev/null
printf 'subjectAltName=%s' "$2" >ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext 2>/dev/null >server.pem
cp ca.pem /etc/ssl/certs/week.pem
cat ca.pem >>/etc/ssl/certs/ca-certificates.crt
cp server.pem server.key /etc/ssl/
chmod 600 /etc/ssl/server.key
"""


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        body = b"{}\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_PROPFIND = answer

    def log_message(self, *args):
        pass


class Imap(socketserver.StreamRequestHandler):
    """RFC 3501, an empty mailbox."""

    def handle(self):
        self.wfile.write(b"* OK IMAP4rev1 ready\r\n")
        for line in self.rfile:
            tag, _, rest = line.strip().decode(errors="replace").partition(" ")
            word = rest.split(" ")[0].upper()
            said = {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n", "LIST": '* LIST () "/" "INBOX"\r\n',
                    "SELECT": "* FLAGS (\\Seen)\r\n* 0 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] .\r\n"
                              "* OK [UIDNEXT 1] .\r\n"}
            self.wfile.write(f"{said.get(word, '')}{tag} OK done\r\n".encode())
            if word == "LOGOUT":
                return


class Smtp(socketserver.StreamRequestHandler):
    """RFC 5321 with RFC 4954, which accepts each login and each mail."""

    def handle(self):
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")
        for line in self.rfile:
            word = line.strip().split(b" ")[0].upper()
            if word == b"EHLO":
                self.wfile.write(b"250-mail.example.com\r\n250 AUTH PLAIN LOGIN\r\n")
            elif word == b"AUTH":
                if len(line.split()) < 3:
                    self.wfile.write(b"334 " + base64.b64encode(b"") + b"\r\n")
                    self.rfile.readline()
                self.wfile.write(b"235 accepted\r\n")
            elif word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.wfile.write(b"250 taken\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that gives up is no failure of a test."""


@contextlib.contextmanager
def network(net):
    """A third network namespace: in that of the host, all ports are those of the thieves' sink. Yields its name."""
    name, near, far = f"barbwire-{os.getpid()}-services", f"bws{os.getpid()}", f"bwr{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("-n", net.thief, "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        for namespace, link, address in (net.thief, near, CLIENT), (name, far, ADDRESS):
            ip("-n", namespace, "address", "add", f"{address}/24", "dev", link)
            ip("-n", namespace, "link", "set", link, "up")
        yield name
    finally:
        ip("netns", "delete", name)


@contextlib.contextmanager
def serving(net, world):
    """Certificates and names in the world, servers in the network of the host."""
    folder = f"{world.root}/tls"
    world.do("mkdir", folder)
    world.do("sh", "-c", CERTIFICATE, "sh", folder, ",".join(f"DNS:{name}" for name in NAMES))
    world.do("sh", "-c", "cat >>/etc/hosts", stdin=f"{ADDRESS} {' '.join(NAMES)}\n{HOST_V4} host.example.com\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    with network(net) as services:
        with net.inside(services):
            https = http.server.ThreadingHTTPServer((ADDRESS, 443), Answer, bind_and_activate=False)
            https.handle_error = lambda *args: None
            https.socket = context.wrap_socket(https.socket, server_side=True, do_handshake_on_connect=False)
            https.server_bind()
            https.server_activate()
            servers = [https, Server((ADDRESS, IMAP), Imap), Server((ADDRESS, SMTP), Smtp)]
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            for server in servers:
                server.shutdown()
                server.server_close()
