"""Runs inside a container: prints, as JSON, what of other jobs could be seen from here.

With the argument "leave" it first leaves as much behind as a program can.
"""

import contextlib
import ctypes
import json
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
MARK = "left-by-an-earlier-job"


def text(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError as error:
        return f"errno {error.errno}"


def tree(top):
    """All names below a directory that a job may write to, with size and mode."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = Path(folder, name)
            stat = path.lstat()
            found[str(path)] = [stat.st_mode, stat.st_size]
    return found


def auxv_random():
    """The 16 bytes that the kernel gave this program (AT_RANDOM, getauxval(3))."""
    libc.getauxval.restype = ctypes.c_void_p
    return ctypes.string_at(libc.getauxval(25), 16).hex()


def connect(family, kind, address):
    """errno of a connection, or of the first byte sent."""
    with socket.socket(family, kind) as one:
        one.settimeout(0.2)
        try:
            one.connect(address)
            one.send(b"x")
        except OSError as error:
            return error.errno
    return 0


def leave():
    """Marks wherever one can be made; what is refused leaves none."""

    def attempt(call, *args):
        with contextlib.suppress(OSError):
            call(*args)

    for place in ["/", "/tmp", "/dev/shm", "/run", "/var/tmp", "/etc", "/root"]:
        attempt(Path(place, MARK).write_text, MARK * 1000)
    attempt(Path("/etc/hosts").write_text, MARK)
    libc.shmget(4711, 1 << 20, 0o1666)
    libc.semget(4711, 5, 0o1666)
    libc.msgget(4711, 0o1666)
    libc.mq_open(b"/" + MARK.encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
    libc.syscall(248, b"user", MARK.encode(), MARK.encode(), len(MARK), -3)  # add_key(2)
    os.environ[MARK] = MARK
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    attempt(Path("/proc/self/oom_score_adj").write_text, "500")
    attempt(socket.sethostname, MARK)
    libc.prctl(29, 1000000)  # PR_SET_TIMERSLACK
    os.umask(0)
    # Traffic, refused connections, no routes: each moves counters of the network namespace.
    server = socket.create_server(("127.0.0.1", 4711))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", 4711)) as one:
            other, _ = server.accept()
            one.send(b"x" * 5000)
            other.close()
    connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 4712))
    connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 4712))
    connect(socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80))
    connect(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 4712))
    connect(socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(f"\0{MARK}")
    unix.listen()
    # Those who stay: the kernel has to end them with their first process.
    for _ in range(3):
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
    if os.fork() == 0:
        ballast = bytearray(40 << 20)
        server.accept()
        print(len(ballast))
    while time.process_time() < 1:
        json.dumps([n * n for n in range(10_000)])


def observe():
    """What there is to see, without what differs from one container to the next by itself."""
    seen = {top: tree(top) for top in ["/tmp", "/dev", "/run", "/var/tmp", "/root", "/home"]}
    seen["top"] = sorted(str(path) for path in Path("/").iterdir())
    seen["hosts"] = [line for line in text("/etc/hosts").splitlines() if "localhost" in line]
    seen["environment"] = {k: v for k, v in os.environ.items() if k != "HOSTNAME"}
    seen["hostname"] = len(socket.gethostname())
    seen["fds"] = [fd for fd in range(1024) if Path(f"/proc/self/fd/{fd}").exists()]
    seen["pids"] = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    for name in ["shm", "sem", "msg"]:
        seen[name] = text(f"/proc/sysvipc/{name}").splitlines()[1:]
    seen["keys"] = text("/proc/keys")
    seen["key"] = libc.syscall(249, b"user", MARK.encode(), None, -3)  # request_key(2)
    for name in ["dev", "snmp", "snmp6", "netstat", "sockstat", "sockstat6", "tcp", "udp", "unix"]:
        seen[f"net/{name}"] = text(f"/proc/net/{name}")
    for name in ["arp", "route", "if_inet6", "icmp", "raw", "packet", "dev_snmp6/lo", "protocols"]:
        seen[f"net/{name}"] = text(f"/proc/net/{name}")
    seen["net/stat"] = text("/proc/net/stat/nf_conntrack")
    seen["limits"] = text("/proc/self/limits")
    seen["oom"] = text("/proc/self/oom_score_adj")
    seen["slack"] = libc.prctl(30)  # PR_GET_TIMERSLACK
    seen["groups"] = text("/proc/self/cgroup")
    status = text("/proc/self/status").splitlines()
    fields = ("Umask", "Sig", "Shd", "Cap", "NoNewPrivs", "Seccomp", "Groups", "Uid")
    seen["status"] = [line for line in status if line.startswith(fields)]
    mounts = text("/proc/self/mountinfo").splitlines()
    seen["mounts"] = sorted(line.split(" ")[4] for line in mounts)
    seen["groups' files"] = sorted(str(path) for path in Path("/sys/fs/cgroup").rglob("*"))
    with socket.socket(socket.AF_UNIX) as unix:
        seen["name"] = unix.connect_ex(f"\0{MARK}")
    return seen


def used():
    """What this container's groups have counted, as far as it can see them."""
    found = {}
    for path in Path("/sys/fs/cgroup").rglob("*"):
        if path.name in ("memory.max_usage_in_bytes", "memory.peak"):
            found["memory"] = int(text(path))
        elif path.name == "cpuacct.usage":
            found["cpu"] = int(text(path)) // 1000
        elif path.name == "cpu.stat" and "usage_usec" in text(path):
            found["cpu"] = int(text(path).split()[1])
        elif path.name in ("memory.failcnt", "pids.failcnt"):
            found[path.name] = int(text(path))
    return found


if sys.argv[1:] == ["leave"]:
    leave()
    print("left")
else:
    unlike = {"random": auxv_random(), "urandom": os.urandom(16).hex(), "address": id(object())}
    print(json.dumps({"seen": observe(), "unlike": unlike, "used": used()}))
