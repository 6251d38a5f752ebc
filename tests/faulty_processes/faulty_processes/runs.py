"""What the processes do."""

import ctypes
import json
import logging
import mmap
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

from candela_processes.errors import InvalidInput
from candela_processes.process import File, Progress, Workdir

type Returned = Mapping[str, Any]

MIB = 1024 * 1024


def _print(line: str, sink: TextIO | None = None) -> None:
    (sink or sys.stdout).write(f"{line}\n")


def _wait() -> NoReturn:
    while True:
        signal.pause()


def _detach(workdir: Workdir) -> None:
    """Leave a grandchild in a session of its own that ignores every polite signal; its pid goes into steps."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    grandchild = os.fork()
    if grandchild:
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for descriptor in range(3, 64):
        with suppress(OSError):
            os.close(descriptor)
    temporary = workdir.steps / ".grandchild"
    temporary.write_text(str(os.getpid()))
    temporary.rename(workdir.steps / "grandchild")
    _wait()


def _until(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def fine(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    first, second = workdir.outputs / "a.tif", workdir.outputs / "images_1_20200101_20210101.tif"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    third = workdir.outputs / "deep" / "b.tif"
    third.parent.mkdir()
    third.write_bytes(b"three")
    (workdir.outputs / "forgotten.tmp").write_bytes(b"x")
    progress(50, "half")
    contents = [workdir.file(reference).read_text() for reference in inputs.files]
    return {
        "value": {"contents": contents, "text": inputs.text, "umlaut": "ä"},
        "image": File(path=second, metadata={"bands": 1}),
        "images": (File(path=first, start="20200101", end="20210101"), File(path=third)),
    }


def sleep(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    progress(10, "sleeping")
    (workdir.steps / "asleep").touch()
    _wait()


def allocate(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    hold: list[bytearray] = []
    while True:
        hold.append(bytearray(b"x" * (8 * MIB)))
        time.sleep(0.01)


def share(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    """Eight processes share 64 MiB: more than 512 MiB by resident sizes, 64 MiB in truth."""
    memory = mmap.mmap(-1, 64 * MIB)
    memory.write(b"x" * (64 * MIB))
    children = []
    for _ in range(8):
        ready, done = os.pipe()
        child = os.fork()
        if not child:
            sum(memory[i] for i in range(0, 64 * MIB, 4096))
            os.write(done, b"x")
            _wait()
        os.read(ready, 1)
        children.append(child)
    until = time.monotonic() + inputs.number
    while time.monotonic() < until:
        time.sleep(0.02)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return {"value": {"shared": len(memory)}}


def fill(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    number = 0
    while True:
        number += 1
        (workdir.scratch / str(number)).write_bytes(b"x" * MIB)
        time.sleep(0.005)


def fill_outputs(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    """Fill the disk down to its last byte, hiding the reason as libraries do."""
    with (workdir.outputs / "large").open("wb", buffering=0) as sink:
        try:
            while sink.write(b"x" * MIB):
                pass
        except OSError:
            with suppress(OSError):
                while sink.write(b"x"):
                    pass
            raise RuntimeError("writing failed") from None
    return {}


def orphans(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    _detach(workdir)
    _until(workdir.steps / "grandchild")
    return {"value": {"pid": int((workdir.steps / "grandchild").read_text())}}


def stubborn(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _detach(workdir)
    _until(workdir.steps / "grandchild")
    (workdir.steps / "asleep").touch()
    _wait()


def chatter(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    _print("first line")
    line = b"y" * 99 + b"\n"
    for _ in range(int(inputs.number)):
        os.write(1, line * 1000)
    _print("last line")
    return {"value": {}}


def fail(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    raise RuntimeError("secret of the process: /etc/shadow")


def leave(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    os._exit(int(inputs.number))


def crash(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    ctypes.string_at(0)
    return {}


def kill(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def link(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    (workdir.outputs / "image.tif").symlink_to("/etc/passwd")
    return {"image": File(path=workdir.outputs / "image.tif")}


def outside(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    path = workdir.scratch / "image.tif"
    path.write_bytes(b"x")
    return {"image": File(path=path)}


def missing(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    return {}


def surroundings(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    return {
        "value": {
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
            "oom": Path("/proc/self/oom_score_adj").read_text().strip(),
            "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
            "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
            "path": sys.path,
        }
    }


def paths(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    _print(f"writing {workdir.outputs}/x.tif")
    _print(f"reading {workdir.file(inputs.files[0])}", sys.stderr)
    _print(f"in {__import__('pydantic').__file__}")
    logging.getLogger("process").warning("for the operator: %s", workdir.outputs)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    return {"value": {}}


def refuse(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    raise InvalidInput("number", "must be another one")


def endless(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    """Finish, but leave a thread that never ends."""
    threading.Thread(target=_until, args=(Path("/nowhere"),)).start()
    return {"value": {}}


def forge(inputs: Any, workdir: Workdir, progress: Progress) -> Returned:
    """Write a result of its own that names a file outside, then die."""
    entry = {"output": "value", "path": "../../../inputs.json", "media_type": "application/json", "size": 1}
    document = {"contract": 1, "job": workdir.steps.parent.name, "attempt": 1}
    document["outputs"] = [entry | {"sha256": "0" * 64, "n": 0, "metadata": {}}]
    (workdir.outputs.parent / "result.json").write_text(json.dumps(document))
    os._exit(0)
