#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""swap and rollout as somebody types them, on a real server and a real terminal.

    terminal.py HEIRLOOM"""
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import bridges

N_POINTS, SIZES, LIMIT_S = 400, {"v1": 6, "v2": 8}, 60
EASY = ("--kind", "ridge", "--gates", '{"criterion":false}')


def fill(server, draw):
    server.result("PUT", "/collections/c", {
        "vectors": {name: {"size": size, "distance": "Cosine"} for name, size in SIZES.items()}})
    server.result("PUT", "/collections/c/points?wait=true", {"points": [
        {"id": i, "vector": {name: [draw.gauss(0, 1) for _ in range(size)] for name, size in SIZES.items()}}
        for i in range(N_POINTS)]})


class Shell:
    def __init__(self, server):
        self.server = server

    def words(self, *words):
        return [self.server.program, *words, "--collection", "c", "--url", f"http://127.0.0.1:{self.server.port}"]

    def run(self, *words):
        """What it printed, what it said beside, and its status."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=LIMIT_S)
        return done.stdout, done.stderr, done.returncode


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, words, rows=24, columns=80):
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(words[0], words)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def screen(self):
        """The lines that were drawn last."""
        return self.shown.decode(errors="replace").replace("\033[K", "").split("\033[H")[-1].split("\033[J")[0]

    def read(self, seconds):
        """False at the end of it."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                piece = os.read(self.fd, 1 << 16)
            except OSError:
                return False
            self.shown += piece
            return piece != b""
        return True

    def wait_for(self, is_so):
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until and not is_so(self.screen()):
            if not self.read(0.1):
                break
        return is_so(self.screen())

    def press(self, keys):
        """And the status with which it ends."""
        os.write(self.fd, keys)
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until and self.read(0.1):
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def swap(shell):
    out, err, status = shell.run("swap", "--to", "v2")
    yield "swap wants to know what to learn from", status == 1 and "--dataset NAME" in err and out == ""
    out, _, status = shell.run("swap", "--from", "v1", "--to", "v2", "--dataset", "nope", "--dry-run")
    yield "a dry run says what is missing and the call that mends it", (
        status == 0 and 'blocked   fit: Not found: there is no dataset "nope"\n' in out and
        "next      PUT /collections/c/datasets/nope\n" in out)
    out, err, status = shell.run("swap", "--from", "v1", "--to", "v2", "--pairs", "--kind", "ridge", "--gates",
                                 '{"criterion":false,"max_negative_flips":0,"min_self":1}')
    yield "it ends with status 1 where it stops, and says where and what is next", (
        status == 1 and "gate      blocked\n" in out and "next      POST /collections/c/swap " in out and
        'heirloom: it stopped at "gate": ' in err and "swap: " in err)
    out, _, status = shell.run("swap", "--from", "v1", "--to", "v2", "--pairs", *EASY)
    yield "other gates go on behind what is done", (
        status == 0 and "fit       done (revision 1)\n" in out and "shadow    done\n" in out and
        f"coverage  {N_POINTS} of {N_POINTS} points have a vector of v2" in out and
        'next      POST /collections/c/rollout/advance {"percent":5}\n' in out)


def steps(shell):
    out, _, status = shell.run("rollout", "status")
    yield "status shows the rollout and what is next", (
        status == 0 and out.startswith("c          v1 -> v2   rollout 1, step 1\nstage      shadow   since ") and
        "next       POST /collections/c/rollout/advance\n" in out)
    refused = [shell.run("rollout", *words) for words in (
        ("promote",), ("dance",), ("status", "--percent", "5"), ("advance", "--percent", "5", "--expect", "9"), ())]
    yield "what is no step, no action, out of place or out of date is refused with a sentence", (
        [status for _, _, status in refused] == [1, 1, 1, 1, 2] and
        all(wanted in err for wanted, (_, err, _) in zip((
            "promote is no step from there", 'does not know "dance"', '"--percent" does not go with "status"',
            "step 9 was expected", "wants an action"), refused)))
    out, _, status = shell.run("rollout", "advance", "--percent", "5", "--why", 'it is "time"')
    yield "a step shows what it led to, and why", (
        status == 0 and "stage      canary 5 %   since " in out and 'advance to canary: it is "time"\n' in out)
    stages = [re.search(r"stage +(\w+)", shell.run("rollout", *words)[0]).group(1) for words in (
        ("promote", "--force"), ("rollback",), ("abort",), ("end",), ("start", "--from", "v1", "--to", "v2", *(
            "--gate", '{"criterion":false}', "--guard", '{"latency_ratio":"off"}', "--sample", "1", "--ttl", "3")))]
    yield "each step has its word", stages == ["live", "shadow", "aborted", "none", "shadow"]
    now = shell.server.result("GET", "/collections/c/rollout")
    yield "start says all that a rollout can be told", (
        now["sample"] == 1 and now["ttl_s"] == 3 and now["guard"]["latency_ratio"] == "off" and not now["gate"]["criterion"])


def watch(shell):
    log = subprocess.Popen(shell.words("rollout", "watch"), stdout=subprocess.PIPE, text=True)
    lines = [log.stdout.readline()]
    terminal = Terminal(shell.words("rollout", "watch"))
    yield "watch draws the rollout in place", (
        terminal.wait_for(lambda screen: "stage      shadow" in screen and "next " in screen) and
        terminal.shown.startswith(b"\033[2J"))
    shell.run("rollout", "advance", "--percent", "7", "--force")
    lines.append(log.stdout.readline())
    yield "and what becomes of it", terminal.wait_for(lambda screen: "stage      canary 7 %" in screen)
    terminal.resize(5, 20)
    yield "in as much room as there is", terminal.wait_for(
        lambda screen: len(screen.splitlines()) == 4 and max(map(len, screen.splitlines())) <= 20)
    began = time.monotonic()
    status = terminal.press(b"\x03")
    yield "ctrl-C ends it at once, with a cursor", (
        status == 0 and time.monotonic() - began < 5 and terminal.shown.rstrip().endswith(b"\033[?25h"))
    log.send_signal(signal.SIGINT)
    rest = log.communicate(timeout=LIMIT_S)[0].splitlines()
    yield "without a terminal there is a line for each change", (
        log.returncode == 0 and "c v1 -> v2: shadow, step " in lines[0] and "canary 7 %" in lines[1] and
        not any("\033" in line for line in [*lines, *rest]))
    terminal = Terminal(shell.words("rollout", "watch"))
    terminal.wait_for(lambda screen: "canary 7 %" in screen)
    shell.server.end()
    yield "a server that is away is said to be", terminal.wait_for(lambda screen: "could not reach a server" in screen)
    yield "and ctrl-C still ends it", terminal.press(b"\x03") == 0
    shell.server.again()


def play(server):
    fill(server, random.Random(1))
    shell = Shell(server)
    yield from swap(shell)
    yield from steps(shell)
    yield from watch(shell)


if __name__ == "__main__":
    sys.exit(bridges.tell("terminal", play))
