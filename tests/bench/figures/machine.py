# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on, and with what."""
import json
import os
import pathlib
import platform
import re
import subprocess
import time

FLAGS = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"]
PACKAGES = ["libfaiss-dev", "libhnswlib-dev", "libopenblas0-pthread", "libmicrohttpd12", "libsqlite3-0"]


def read(path, otherwise=""):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return otherwise


def said(argv):
    """What a command prints, or nothing where it cannot."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20).stdout.strip()
    except OSError:
        return ""


def first(pattern, text, otherwise=""):
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else otherwise


def compiler(build):
    try:
        return json.loads(read(f"{build}/meson-info/intro-compilers.json", "{}"))["host"]["c"]["full_version"]
    except (KeyError, ValueError):
        return ""


def options(build):
    listed = json.loads(read(f"{build}/meson-info/intro-buildoptions.json", "[]"))
    known = {entry["name"]: entry["value"] for entry in listed}
    return {name: known[name] for name in ("buildtype", "b_lto", "b_sanitize") if name in known}


def times():
    """Processor time of all since the start, and of it what was idle and what was stolen."""
    fields = [int(field) for field in read("/proc/stat").split("\n")[0].split()[1:]]
    return sum(fields[:8]), fields[3] + fields[4], fields[7]


def busy_share(seconds=1.0):
    """How much of the processors others use: figures of a busy machine are worth little."""
    before = times()
    time.sleep(seconds)
    after = times()
    return 1 - (after[1] - before[1]) / max(after[0] - before[0], 1)


def stolen_share(before, after):
    """What the machine around this one gave to others."""
    return (after[2] - before[2]) / max(after[0] - before[0], 1)


def describe(build, source):
    info = read("/proc/cpuinfo")
    flags = first(r"^flags\s*: (.*)", info).split()
    packages = dict(line.split(" ", 1) for line in said(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES]).split("\n") if " " in line)
    return {"processor": first(r"^model name\s*: (.*)", info, platform.machine()), "processors": os.cpu_count(),
            "flags": [flag for flag in FLAGS if flag in flags],
            "last_cache": read("/sys/devices/system/cpu/cpu0/cache/index3/size"),
            "memory_mb": int(first(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), "0")) // 1024,
            "huge_pages": first(r"\[(\w+)\]", read("/sys/kernel/mm/transparent_hugepage/enabled")),
            "kernel": platform.release(), "system": first(r'^PRETTY_NAME="(.*)"', read("/etc/os-release")),
            "compiler": compiler(build), "options": options(build), "packages": packages,
            "commit": said(["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12"])}


def in_a_line(described):
    return (f"{described['processor']} ({', '.join(described['flags'])}), Linux {described['kernel']}, "
            f"{described['commit'] or 'no commit'}")
