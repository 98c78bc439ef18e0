#!/usr/bin/env python3
"""A storm of handshakes of TLS: clients that do nothing but come, show no session and go again, as fast as they can.

    MUSTER=target/release/muster tests/attack/handshakes.py [--clients 4] [--shards 2] [--key p256|rsa2048]

A player who has signed in, with TLS, pings the server all the time, from a process of its own: first alone, then in the storm.
Printed are the handshakes a second and the player's p50 and p99. Exit 1: with --strict, a p99 of 5 ms or more in the storm. Needs
Python and openssl, whose processes have the lowest priority: what is asked is how long the server lets a player wait, not how long
a full machine does.
"""
import argparse
import os
import re
import subprocess
import ssl
import socket
import sys
import tempfile
import time

import strangers

KEYS = {"p256": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa2048": ["rsa:2048"]}


def certify(folder, key):
    """A certificate for localhost, and settings that name it."""
    files = {name: os.path.join(folder, name + ".pem") for name in ("certificate", "key")}
    command = ["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-newkey", *KEYS[key],
               "-keyout", files["key"], "-out", files["certificate"]]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return [f"server.tls_{name}={path}" for name, path in files.items()] + ["faf.json_tls_address=127.0.0.1:0"]


class Server(strangers.Server):
    def __init__(self, binary, shards, more):
        self.more = more
        words = [word for one in more for word in ("--set", one)]
        wrapper = os.path.join(tempfile.mkdtemp(), "muster")
        with open(wrapper, "w") as script:
            script.write(f'#!/bin/sh\nexec {os.path.abspath(binary)} {" ".join(words)} "$@"\n')
        os.chmod(wrapper, 0o755)
        super().__init__(wrapper, shards)


def secured(port):
    """A connection of the player's, with TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60))


def handshakes(server):
    page = b""
    with socket.create_connection(("127.0.0.1", server.ports["http/metrics"]), timeout=30) as peer:
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while piece := peer.recv(1 << 16):
            page += piece
    found = re.findall(rb'muster_tls_handshakes(?:_deferred)?_total{(?:outcome="(\w+)",)?shard="\d+"} (\d+)', page)
    counts = {}
    for outcome, count in found:
        outcome = outcome.decode() or "deferred"
        counts[outcome] = counts.get(outcome, 0) + int(count)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.environ.get("MUSTER", "target/release/muster"))
    parser.add_argument("--clients", type=int, default=4, help="processes, each with one handshake at a time")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=8, help="how long the quiet and the storm are looked at")
    parser.add_argument("--key", choices=KEYS, default="p256")
    parser.add_argument("--strict", action="store_true", help="the player's p99 counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(options.binary, options.shards, certify(folder, options.key))
        port = server.ports["faf/json/tls"]
        results, over = strangers.multiprocessing.Queue(), strangers.multiprocessing.Event()
        connect = lambda: secured(port)
        control = strangers.multiprocessing.Process(target=strangers.player, args=(port, results, over, connect), daemon=True)
        control.start()
        time.sleep(1)
        quiet_from = time.time()
        time.sleep(options.seconds)
        before, storm_from = handshakes(server), time.time()
        command = ["nice", "-n", "19", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(options.seconds)]
        storm = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(options.clients)]
        time.sleep(options.seconds)
        storm_until, after = time.time(), handshakes(server)
        for one in storm:
            one.wait()
        over.set()
        taken = results.get(timeout=90)
        server.stop()
    _, quiet50, quiet99 = strangers.quantiles(taken, quiet_from, storm_from)
    count, p50, p99 = strangers.quantiles(taken, storm_from, storm_until)
    rates = {name: round((after[name] - before.get(name, 0)) / (storm_until - storm_from)) for name in after}
    print(f"{options.key}: a second {rates}   player alone p50 {quiet50:.2f} p99 {quiet99:.2f} ms, "
          f"in the storm p50 {p50:.2f} p99 {p99:.2f} ms ({count})")
    sys.exit(1 if options.strict and p99 >= 5 else 0)


if __name__ == "__main__":
    main()
