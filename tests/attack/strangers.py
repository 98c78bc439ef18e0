#!/usr/bin/env python3
"""A storm of strangers: thousands of connections that never sign in, each of which costs as much as it can.

    MUSTER=target/release/muster tests/attack/strangers.py [--connections 10000] [--shards 2] [KIND ...]

For each kind a server of its own is started. A player who has signed in pings it all the time, from a process of its own:
first alone, then while the strangers come, then while they stay. Printed are the server's resident memory and the kernel's
for sockets, and the player's p50 and p99. Exit 1: memory grew by 64 MiB or more, or, with --strict, the p99 by more than a tenth (which
only says something on a machine that has nothing else to do). Needs nothing but Python.
"""
import argparse
import hashlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           f"Sec-WebSocket-Key: {KEY}\r\n\r\n").encode()
ASK = b'{"command":"ask_session"}'
LONG = 30_000  # just below what a stranger may say at once
GROWTH_MIB = 64


def frame(payload, head=0x81, claimed=None):
    """A masked WebSocket frame; with `claimed` its head promises more than comes."""
    return struct.pack(">BBHI", head, 0xFE, claimed or len(payload), 0) + payload


def block(text):
    units = text.decode().encode("utf-16-be")
    return struct.pack(">II", len(units) + 4, len(units)) + units


def packet(body):
    return struct.pack("<I", len(body)) + body


ANSWERED = 3_000  # answers of some 300 bytes: far more than waits for a stranger
GREETING = b"\x05\x04utf8<GREETINGS>x"  # too short a name: refused in words, again and again

KINDS = {
    "silent": ("faf/json", b""),
    "unfinished-line": ("faf/json", b'{"command":"' + b"a" * LONG),
    "unfinished-block": ("faf/qdatastream", struct.pack(">I", 2 * LONG) + b"\0a" * (LONG - 100)),
    "half-frame": ("faf/websocket", UPGRADE + frame(b" " * (LONG - 100), claimed=LONG)),
    "fragments": ("faf/websocket", UPGRADE + frame(b"[" * 900, 0x01) + frame(b"[" * 900, 0x00) * 32),
    "unfinished-document": ("faf/websocket", UPGRADE + frame(b"[" * 900) * 33),
    "half-upgrade": ("faf/websocket", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 8_000),
    "half-packet": ("vcmi", struct.pack("<I", LONG) + b"x" * (LONG - 100)),
    "half-greeting": ("vcmi", packet(b"Aiya!\n") * 300),
    "never-reads-lines": ("faf/json", (ASK + b"\n") * ANSWERED),
    "never-reads-blocks": ("faf/qdatastream", block(ASK) * ANSWERED),
    "never-reads-frames": ("faf/websocket", UPGRADE + frame(ASK) * ANSWERED),
    "never-reads-packets": ("vcmi", packet(GREETING) * ANSWERED),
}


class Server:
    def __init__(self, binary, shards):
        self.folder = tempfile.mkdtemp()
        keys = ["faf.json_address", "faf.qdatastream_address", "faf.websocket_address", "vcmi.address",
                "http.control_address", "http.health_address", "http.metrics_address", "http.page_address"]
        settings = [f"{key}=127.0.0.1:0" for key in keys]
        settings += [f"server.shards={shards}", f"server.data_dir={self.folder}", "server.stop_grace_s=0",
                     "faf.auth=open"]
        command = [binary] + [word for one in settings for word in ("--set", one)]
        log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.ports = {}
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
            name = re.match(r"listening (\S+) \S*:(\d+)$", line.strip())
            if name:
                self.ports[name.group(1)] = int(name.group(2))
        sys.exit("the server did not start: " + open(log.name, errors="replace").read()[-2000:])

    def resident_mib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def counters(self):
        with socket.create_connection(("127.0.0.1", self.ports["http/metrics"]), timeout=30) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            page = b""
            while piece := peer.recv(1 << 16):
                page += piece
        found = {}
        for line in page.decode(errors="replace").splitlines():
            name = re.match(r"muster_(ended_[a-z_]+)_total(?:{.*})? (\S+)$", line)
            if name and float(name.group(2)):
                found[name.group(1)] = found.get(name.group(1), 0) + int(float(name.group(2)))
        return found

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def kernel_mib():
    """Memory of all TCP sockets of the machine, in both directions."""
    for line in open("/proc/net/sockstat"):
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * 4096 / (1 << 20)
    return 0.0


def player(port, results, over, connect=None):
    """Signs in and pings; each answer's time is noted with when it came. `connect` makes another connection than a plain one."""
    peer = connect() if connect else socket.create_connection(("127.0.0.1", port), timeout=60)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = peer.makefile("rb")
    password = hashlib.sha256(b"secret").hexdigest()
    hello = {"command": "hello", "login": "control", "password": password, "unique_id": "x"}
    peer.sendall(json.dumps(hello).encode() + b"\n")
    while b'"game_info"' not in lines.readline():
        pass
    taken = []
    while not over.is_set():
        begun = time.perf_counter()
        peer.sendall(b'{"command":"ping"}\n')
        while (line := lines.readline()) and b'"pong"' not in line:
            pass
        if not line:
            break
        taken.append((time.time(), time.perf_counter() - begun))
        time.sleep(0.005)
    results.put(taken)


def quantiles(taken, since, until):
    times = sorted(took * 1000 for at, took in taken if since <= at < until)
    if not times:
        return 0, float("inf"), float("inf")
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    return len(times), at(0.5), at(0.99)


class Stranger:
    """One connection, which sends what it has as fast as the kernel takes it, and reads nothing."""

    def __init__(self, port, payload):
        self.peer = socket.socket()
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.peer.connect(("127.0.0.1", port))
        self.peer.setblocking(False)
        self.left = memoryview(payload)
        self.push()

    def push(self):
        """Whether something was sent, or there is nothing more to send."""
        try:
            while self.left:
                self.left = self.left[self.peer.send(self.left):]
        except BlockingIOError:
            pass
        except OSError:
            self.left = self.left[len(self.left):]  # the server has ended it


def strangers(port, payload, count, pace, came, over):
    """Lets them come, `pace` a second, and keeps them until it is over. On a network they would be another machine's work, so
    here they take only what time of the processors nobody else wants."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    begun, there = time.time(), []
    for number in range(count):
        if number % 50 == 0:
            time.sleep(max(0.0, begun + number / pace - time.time()))
        there.append(Stranger(port, payload))
    came.set()
    while not over.wait(0.1):
        for one in there:
            if one.left:
                one.push()


class Phase:
    """A stretch of a run: how the player fared in it, and the most memory seen."""

    def __init__(self, server):
        self.server, self.begun, self.until = server, time.time(), None
        self.resident = self.kernel = 0.0

    def look_until(self, over):
        while not over():
            self.resident = max(self.resident, self.server.resident_mib())
            self.kernel = max(self.kernel, kernel_mib())
            time.sleep(0.05)
        self.until = time.time()
        return self

    def player(self, taken):
        return quantiles(taken, self.begun, self.until)

    def look_for(self, seconds):
        return self.look_until(lambda: time.time() >= self.begun + seconds)


def storm(kind, options):
    listener, payload = KINDS[kind]
    server = Server(options.binary, options.shards)
    results, came, over = multiprocessing.Queue(), multiprocessing.Event(), multiprocessing.Event()
    control = multiprocessing.Process(target=player, args=(server.ports["faf/json"], results, over), daemon=True)
    control.start()
    time.sleep(1)
    alone = Phase(server).look_for(options.seconds)
    crowd = (server.ports[listener], payload, options.connections, options.pace, came, over)
    crowd = multiprocessing.Process(target=strangers, args=crowd, daemon=True)
    crowd.start()
    coming = Phase(server).look_until(lambda: came.is_set() or not crowd.is_alive())
    staying = Phase(server).look_for(options.seconds)
    counters = server.counters()
    over.set()
    taken = results.get(timeout=90)
    grown = max(coming.resident, staying.resident) - alone.resident
    kernel = max(coming.kernel, staying.kernel) - alone.kernel
    figures = [(name, *phase.player(taken)) for name, phase in (("alone", alone), ("they come", coming), ("they stay", staying))]
    said = ", ".join(f"{name} p50 {p50:.2f} p99 {p99:.2f} ms ({count})" for name, count, p50, p99 in figures)
    print(f"{kind:20} memory +{grown:6.1f} MiB (kernel, both ends +{kernel:6.1f})   player {said}   {counters}", flush=True)
    crowd.join(timeout=90)
    server.stop()
    return grown < GROWTH_MIB and (not options.strict or all(p99 <= 1.1 * figures[0][3] for *_, p99 in figures))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--binary", default=os.environ.get("MUSTER", "target/release/muster"))
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--pace", type=int, default=2_000, help="how many come a second")
    parser.add_argument("--seconds", type=float, default=5, help="how long the player is looked at without and with them")
    parser.add_argument("--strict", action="store_true", help="the player's p99 counts, too")
    options = parser.parse_args()
    unknown = [kind for kind in options.kinds if kind not in KINDS]
    if unknown:
        parser.error(f"no such kind: {', '.join(unknown)}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    outcomes = [storm(kind, options) for kind in options.kinds or KINDS]
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
