"""Starts `candela` commands by forking a process that has imported everything: a tenth of the time of a fresh start.

Reads one JSON object per line: {"start": arguments, "environment": ..., "log": path} is answered by the pid
(`client` first: what `client.py` does), {"status": pid} by the exit code as subprocess tells it, or null while it runs.
"""

import json
import os
import sys
import traceback
from pathlib import Path

from candela_processes.cli import main, serve
from ledger_processes import client

LOADED = (serve,)  # what the commands would import one by one


def _begin(arguments: list[str], environment: dict[str, str], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        os.environ.clear()
        os.environ.update(environment)
        with Path(log).open("ab") as sink, Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
        if arguments[0] == "client":
            client.serve(arguments[1:])
        else:
            sys.argv = ["candela", *arguments]
            main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - told in the log; a forked child must never return
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def answer() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        found: int | None
        if "start" in asked:
            found = _begin(asked["start"], asked["environment"], asked["log"])
        else:
            found = _status(asked["status"])
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    answer()
