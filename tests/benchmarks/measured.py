"""Runs commands in turn and reports wall time, CPU time and peak memory of each as the kernel accounts them."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run of a command: seconds, seconds, MiB of the largest process."""

    wall: float
    cpu: float
    peak: float


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; raises RuntimeError with its last words when it fails."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        env=None if environment is None else {**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said[-2000:].decode(errors='replace')}")
    return Run(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)


def in_turn(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, list[Run]]:
    """Run every command once to warm up, then `runs` times in turn (A B A B …), so that drift hits all alike."""
    results: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            run = measure(command)
            print(f"{name}: {run.wall:.2f} s wall, {run.cpu:.2f} s cpu, {run.peak:.0f} MiB", file=sys.stderr)
            if number:
                results[name].append(run)
    return results


def table(results: Mapping[str, Sequence[Run]]) -> str:
    """Return a Markdown table of medians with minimum and maximum of the wall time."""
    lines = ["| command | wall s, median (min-max) | cpu s | peak MiB |", "|---|---|---|---|"]
    for name, runs in results.items():
        walls = [run.wall for run in runs]
        spread = f"{statistics.median(walls):.2f} ({min(walls):.2f}-{max(walls):.2f})"
        cpu = statistics.median(run.cpu for run in runs)
        peak = statistics.median(run.peak for run in runs)
        lines.append(f"| {name} | {spread} | {cpu:.2f} | {peak:.0f} |")
    return "\n".join(lines)


def machine() -> str:
    """Return one line about the machine."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as source:
        model = next((line.partition(":")[2].strip() for line in source if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}"
