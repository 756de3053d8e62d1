"""A management server that plays a script, for what a real one does not do on demand.

  fake_mgmd.py MODE LOG PORTFILE

MODE is `closing`, `silent`, `deaf`, `stock`, or `recorded:FOLDER[:NAME]`. `recorded` answers as the server of the dialogues in that folder did
(NAME.txt, which is no part of this project; the one that is named comes before all others): the same request gets the recorded answer, an
unknown one with a recorded command the first answer to that command, everything else "Unknown command", once for the command and once for
each of its keys, as NDB's own server does. `closing` closes the connection instead of answering anything, `silent` says nothing. `deaf` knows our commands, and closes the connection instead of answering the first two `ndb create nodegroup`, and remembers 2000 events; `stock`
knows NDB's commands alone. Every request is written to LOG, one line each: command, then its arguments in order. Ends
after five minutes, as tests do.
"""
import json
import os
import re
import signal
import socketserver
import sys

mode, log_name, port_name = sys.argv[1:4]
signal.alarm(300)
fixture = os.path.join(os.path.dirname(__file__), "..", "fixtures", "config-v2.b64")
deaf_calls = 2
waits = False

STATUS = """node status
nodes: 4
node.1.type: NDB
node.1.status: STARTED
node.1.startphase: 0
node.1.node_group: 0
node.1.address: 10.0.0.1
node.2.type: NDB
node.2.status: STARTED
node.2.startphase: 0
node.2.node_group: 0
node.2.address: 10.0.0.2
node.3.type: NDB
node.3.status: NO_CONTACT
node.3.startphase: 0
node.3.node_group: -256
node.3.address:
node.49.type: MGM
node.49.status: CONNECTED
node.49.address: 10.0.0.9
"""


def recorded_dialogues(folder, first):
    """{(command, sorted keys): reply} and {command: reply} of all dialogues."""
    exact, by_command = {}, {}
    for name in sorted(os.listdir(folder), key=lambda n: (n != first + ".txt", n)):
        if not name.endswith(".txt"):
            continue
        with open(os.path.join(folder, name)) as f:
            parts = re.split(r"(?:^|\n)=== (client|server)\n", f.read())
        request = None
        for who, text in zip(parts[1::2], parts[2::2]):
            if who == "client":
                lines = [line for line in text.split("\n") if line]
                request = (lines[0], tuple(sorted(normal(line) for line in lines[1:]))) if lines else None
            elif request is not None:
                exact.setdefault(request, text)
                by_command.setdefault(request[0], text)
    return exact, by_command


def events(after, limit):
    """Of 2000 events that are remembered, with numbers from 501 on, at most 1000."""
    numbers = range(max(after, 500) + 1, 2501)[:min(limit, 1000)]
    text = json.dumps({"format_version": 1, "events": [
        {"number": n, "when_s": 0, "severity": "info", "category": "schema", "node": 0, "text": f"event {n}"} for n in numbers]})
    return (f"ndb list events reply\nresult: Ok\nlast: {numbers[-1] if numbers else after}\nContent-Length: {len(text)}\n"
            f"Content-Type: application/json\n\n{text}\n")


def normal(line):
    key, *value = re.split(r"[:=]", line, maxsplit=1)  # a bulk's lines have no value
    return key.strip() + ":" + "".join(value).strip().strip('"')


def recorded_answer(command, keys):
    request = (command, tuple(sorted(k + ":" + v.strip().strip('"') for k, v in keys.items())))
    text = exact.get(request) or by_command.get(command)
    # A dialogue ends each turn with a line end of its own; handle() adds the empty line again.
    return f"result: Unknown command, '{command}'\n" if text is None else text.rstrip("\n") + "\n"


def answer(command, keys):
    global deaf_calls, waits
    if mode.startswith("recorded:"):
        return recorded_answer(command, keys)
    if command == "check connection":
        return "check connection reply\nresult: Ok\n"
    if command == "ndb check connection" and mode == "deaf":
        return "ndb check connection reply\nresult: Ok\n"
    if command == "ndb create nodegroup" and mode == "deaf":
        if deaf_calls:
            deaf_calls -= 1
            return None
        return f"ndb create nodegroup reply\nresult: Ok\nchanged: 1\nversion: 9\nrequest: {keys['request']}\ngroups: 1\n"
    if command == "ndb list events" and mode == "deaf":
        return events(int(keys["after"]), int(keys["limit"]))
    if command.startswith("ndb ") or mode == "deaf":
        return f"result: Unknown command, '{command}'\n"
    if command == "set clientversion":
        return "set clientversion reply\nresult: Ok\n"
    if command == "dump events" and keys["type"] == "50":
        used = "".join(f"log event reply\ntype=50\ntime=0\nsource_nodeid={n}\ngth=0\npage_size_bytes=32768\npages_used={u}\n"
                       f"pages_total=3836\nblock={b}\n\n" for n in (1, 2) for u, b in ((400 * n, 249), (40, 248)))
        return "dump events reply\nresult: Ok\nevents: 4\n\n" + used.removesuffix("\n")
    if command == "get status":
        return STATUS.replace("node.2.status: STARTED", "node.2.status: NOT_STARTED") if waits else STATUS
    if command == "create nodegroup":
        if keys["nodes"] == "3":
            return "create nodegroup reply\nng: -1\nerror_code: 320\nresult: 320-Invalid no of nodes in nodegroup\n"
        return "create nodegroup reply\nng: 1\nresult: Ok\n"
    if command == "drop nodegroup":
        return "drop nodegroup reply\nresult: " + {"0": "error: -2", "9": "error: -1"}.get(keys["ng"], "Ok") + "\n"
    if command in ("stop v2", "restart node v2"):
        verb = command.split()[0]
        if keys["node"] != "2":
            return f"{verb} reply\nresult: 5028-Node shutdown would cause system crash\n"
        waits = keys.get("nostart") == "1"  # node 2 waits to be started
        return f"{verb} reply\nresult: Ok\n{verb.replace('stop', 'stopp')}ed: 1\ndisconnect: 0\n"
    if command == "start":
        waits = False
    if command in ("start", "start all", "stop all", "restart all", "enter single user", "exit single user"):
        return f"{command.removesuffix(' all')} reply\nresult: Ok\n"
    if command == "get config_v2":
        with open(fixture) as f:
            text = f.read()
        return (f"get config reply\nresult: Ok\nContent-Length: {len(text)}\nContent-Type: ndbconfig/octet-stream\n"
                f"Content-Transfer-Encoding: base64\n\n{text}")
    return f"result: Unknown command, '{command}'\n"


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            lines = []
            while True:
                line = self.rfile.readline().decode()
                if not line:
                    return
                if line == "\n":
                    break
                lines.append(line.rstrip("\n"))
            keys = dict(l.split(": ", 1) for l in lines[1:])
            with open(log_name, "a") as f:
                f.write(" | ".join(lines) + "\n")
            if mode == "silent":
                continue
            text = None if mode == "closing" else answer(lines[0], keys)
            if text is None:
                return
            self.wfile.write(text.encode() + b"\n")
            if text.startswith("result: Unknown command"):  # as NDB's own: the keys are read as further commands
                for line in lines[1:]:
                    self.wfile.write(f"result: Unknown command, '{line}'\n\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if mode.startswith("recorded:"):
    folder, _, first = mode.partition(":")[2].partition(":")
    exact, by_command = recorded_dialogues(folder, first or "show")  # the state that most tests ask for

with Server(("127.0.0.1", 0), Session) as server:
    with open(port_name + ".new", "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(port_name + ".new", port_name)
    server.serve_forever()
