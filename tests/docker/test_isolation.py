"""Flags of isolation, beside Docker's: rights, filters, namespaces, the init."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from compare import Both

flag = pytest.mark.docker_flag


def output(both: Both, *words: str | Path, script: str) -> str:
    """The same script in both, with these flags; its output. Notes of ours are on stderr."""
    return both(*words, "IMAGE", "sh", "-c", script).same_output()


RIGHTS = "grep -E '^(Seccomp:|NoNewPrivs)' /proc/self/status;"
# Without the three youngest, which Docker knows from 23.0 on.
RIGHTS += " sed -n 's/^Cap[A-Z]...:.//p' /proc/self/status | sed 's/^......//'"
RIGHTS += " | while read bits; do echo $((0x$bits & 0x3fffffffff)); done"

# As root it would have every capability, and Docker starts it only where it has them all itself.
PRIVILEGED = ["--privileged", "-u", "user"]


@flag("privileged")
@pytest.mark.parametrize(
    "words",
    [
        PRIVILEGED,
        [*PRIVILEGED, "--cap-drop", "ALL"],
        [*PRIVILEGED, "--security-opt", "no-new-privileges"],
        ["--privileged=false"],
    ],
)
def test_rights(both: Both, words: list[str]) -> None:
    output(both, *words, script=RIGHTS)


@flag("privileged")
def test_nothing_is_hidden(both: Both) -> None:
    # What lies over proc, and whether sysfs and the groups can be written to.
    script = 'awk \'$2 ~ "^/proc/" && $2 !~ "^/proc/sys/fs" {print $2}\' /proc/mounts;'
    script += ' awk \'$2 == "/sys" || $2 ~ "/memory$" {print $2, substr($4, 1, 2)}\' /proc/mounts'
    words = [*PRIVILEGED, "-m", "64m"]
    assert output(both, *words, script=script) == "/sys rw\n/sys/fs/cgroup/memory rw\n"


@flag("privileged")
def test_all_devices(both: Both) -> None:
    script = "find /dev -xdev \\( -type c -o -type b \\) -exec stat -c '%n %F %t:%T %u:%g' {} + "
    script += "| grep -v /dev/console | sort"
    assert "/dev/kmsg" in output(both, *PRIVILEGED, script=script)


@flag("cap-add")
@pytest.mark.parametrize(
    "words",
    [
        ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"],
        ["--cap-add", "all", "--cap-drop=NET_RAW", "--cap-drop", "sys_resource"],
        ["--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "kill"],
    ],
)
def test_all_capabilities(both: Both, words: list[str]) -> None:
    output(both, *words, script=RIGHTS)


def profile(folder: Path, **more: object) -> str:
    """A profile that allows all but what `more` says of it."""
    path = folder / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", **more}))
    return f"seccomp={path}"


@flag("security-opt")
def test_profile(both: Both, tmp_path: Path) -> None:
    calls = [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
        {
            "names": ["symlink", "symlinkat"],
            "action": "SCMP_ACT_ERRNO",
            "includes": {"caps": ["CAP_SYS_TIME"]},
        },
        {
            "names": ["unlink", "unlinkat"],
            "action": "SCMP_ACT_ERRNO",
            "excludes": {"caps": ["CAP_CHOWN"]},
        },
        {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "includes": {"arches": ["s390x"]}},
        {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "99.1"}},
        {
            "names": ["kill"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 3,
            "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}],
        },
    ]
    option = profile(tmp_path, syscalls=calls)
    script = "mkdir /x; ln -s a /b && rm /b && chmod 700 /tmp; kill -USR1 1; kill -CONT 1; echo $?"
    both("--security-opt", option, "IMAGE", "sh", "-c", script).same()
    both("--security-opt", option, "--cap-drop", "CHOWN", "IMAGE", "sh", "-c", script).same()
    both("--security-opt", option, "--cap-add", "SYS_TIME", "IMAGE", "sh", "-c", script).same()


@flag("security-opt")
def test_profile_that_denies(both: Both, tmp_path: Path) -> None:
    option = profile(
        tmp_path, syscalls=[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]
    )
    done = both("--security-opt", option, "IMAGE", "sh", "-c", "mkdir /x; echo $?")
    assert done.same_output() == "159\n"


@flag("security-opt")
@pytest.mark.parametrize("word", ["unconfined", "builtin"])
def test_profile_by_name(both: Both, word: str) -> None:
    script = "grep -E '^Seccomp:' /proc/self/status; unshare -U true 2>/dev/null; echo $?"
    # 20.10 has no builtin by name: its default is meant.
    words = ["--security-opt", f"seccomp={word}"] if word == "unconfined" else []
    theirs = both(*words, "IMAGE", "sh", "-c", script)
    theirs.same_output()
    ours = both.fastbox("run", "--security-opt", f"seccomp={word}", "compared", "sh", "-c", script)
    assert ours.stdout == theirs.docker.stdout


@flag("security-opt")
@pytest.mark.parametrize("text", ["{", "[]", '{"defaultAction": "SCMP_ACT_MAYBE"}', ""])
def test_bad_profile(both: Both, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    option = f"seccomp={tmp_path}/bad.json"
    ours = both.fastbox("run", "--security-opt", option, "compared", "true")
    assert ours.code == 125, ours
    assert "seccomp profile" in ours.stderr, ours
    if text.startswith("{"):  # Docker takes an empty file for no filter, and a list for none
        both("--security-opt", option, "IMAGE", "true").refused("seccomp profile")


@flag("security-opt")
@pytest.mark.parametrize(
    "word",
    [
        "no-new-privileges",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "no-new-privileges:false",
        "apparmor=unconfined",
        "label=disable",
        "label:disable",
    ],
)
def test_security_words(both: Both, word: str) -> None:
    output(both, "--security-opt", word, script=RIGHTS)


@flag("security-opt")
@pytest.mark.parametrize("word", ["no-such-thing", "seccomp=/no/such/file", "systempaths=some"])
def test_security_words_refused(both: Both, word: str) -> None:
    both("--security-opt", word, "IMAGE", "true").refused(word.rpartition("=")[2])


@flag("security-opt")
def test_system_paths(both: Both) -> None:
    script = "awk '$2 ~ \"^/proc/.\" {print $2}' /proc/mounts | sort | uniq"
    assert output(both, "--security-opt", "systempaths=unconfined", script=script) == ""


NAMESPACE = "readlink /proc/self/ns/{}"


def own(name: str) -> str:
    """This process's namespace, as the link reads."""
    return f"{Path(f'/proc/self/ns/{name}').readlink()}\n"


@flag("uts")
def test_uts(both: Both) -> None:
    script = NAMESPACE.format("uts") + "; hostname"
    assert output(both, "--uts", "host", script=script).startswith(own("uts"))
    both("--uts", "host", "-h", "x", "IMAGE", "true").refused("--uts host")
    both("--uts", "both", "IMAGE", "true").refused("uts")


@flag("domainname")
def test_domainname(both: Both) -> None:
    script = "hostname; cat /proc/sys/kernel/domainname"
    assert "example.org" in output(both, "--domainname", "example.org", "-h", "h", script=script)


@flag("ipc")
def test_ipc(both: Both) -> None:
    assert output(both, "--ipc=host", script=NAMESPACE.format("ipc")) == own("ipc")
    shm = "stat -f -c %T /dev/shm; echo x >/dev/shm/x && cat /dev/shm/x"
    for mode in ("private", "shareable"):
        assert output(both, "--ipc", mode, script=shm) == "tmpfs\nx\n"
    none = "echo x 2>/dev/null >/dev/shm/x || echo none; grep -c /dev/shm /proc/mounts"
    assert output(both, "--ipc", "none", script=none) == "none\n0\n"
    both("--ipc", "other", "IMAGE", "true").refused("IPC mode")


@flag("pid")
def test_pid(both: Both) -> None:
    assert output(both, "--pid", "host", script=NAMESPACE.format("pid")) == own("pid")
    both("--pid", "other", "IMAGE", "true").refused("PID mode")


@flag("userns")
def test_userns(both: Both) -> None:
    assert output(both, "--userns", "host", script=NAMESPACE.format("user")) == own("user")
    both("--userns", "other", "IMAGE", "true").refused("userns")


@flag("group-add")
@pytest.mark.parametrize(
    "words",
    [
        ["--group-add", "daemon"],
        ["--group-add", "daemon", "--group-add", "777", "-u", "user"],
        ["--group-add", "33", "-u", "4000"],
    ],
)
def test_group_add(both: Both, words: list[str]) -> None:
    output(both, *words, script="id -G | tr ' ' '\\n' | sort -n | uniq")


@flag("group-add")
@pytest.mark.parametrize("group", ["no-such-group", "-7", "99999999999"])
def test_group_add_refused(both: Both, group: str) -> None:
    both("--group-add", group, "IMAGE", "true").refused(group)


@flag("init")
@pytest.mark.parametrize("script", ["exit 0", "exit 7", "kill -TERM $$", "kill -KILL $$"])
def test_init_ends_as_the_program(both: Both, script: str) -> None:
    both("--init", "IMAGE", "sh", "-c", script).same()


@flag("init")
def test_init_is_first(both: Both) -> None:
    # Its child leads a group of its own, and orphans are waited for.
    script = "(sleep 0.1 &); sleep 0.4; ps -o stat | grep -c Z; set -- $(cat /proc/$$/stat);"
    script += " echo $4; test $5 = $$ && echo leads; test $$ -gt 1 && echo second"
    output(both, "--init", script=script)
    both("--init", "IMAGE", "no-such-program").refused("no-such-program")


@flag("init")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_init_hands_signals_on(both: Both, number: signal.Signals) -> None:
    script = f"trap 'echo caught; exit 9' {number}; echo ready; while :; do sleep 0.05; done"
    for words in both.commands("--init", "IMAGE", "sh", "-c", script):
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=both.environment) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"ready\n"
            time.sleep(0.2)  # Docker's client hears of the start before it passes signals on
            client.send_signal(number)
            assert (client.stdout.read(), client.wait()) == (b"caught\n", 9), words
