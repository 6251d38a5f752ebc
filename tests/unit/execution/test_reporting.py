from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_processes.execution import reporting
from candela_processes.execution.reporting import ProgressWriter
from candela_processes.jobs.directory import AttemptDirectory, JobDirectory


class Recorder(AttemptDirectory):
    """Remembers what is written instead of writing."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"), 1)
        object.__setattr__(self, "written", [])

    def write_progress(self, percent: float, message: str) -> None:
        self.written.append((percent, message))  # type: ignore[attr-defined]


def written(recorder: Recorder) -> list[tuple[float, str]]:
    reports: list[tuple[float, str]] = recorder.written  # type: ignore[attr-defined]
    return reports


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_reports_are_throttled_and_the_last_is_written() -> None:
    clock, recorder, said = Clock(), Recorder(), list[str]()
    progress = ProgressWriter(recorder, said.append, clock=clock)
    for percent in range(100):
        progress(percent, f"step {percent // 50}")
        clock.now += 0.01
    progress.close()
    assert len(written(recorder)) <= 7
    assert written(recorder)[0] == (0, "step 0")
    assert written(recorder)[-1] == (99, "step 1")
    assert said == ["  0 % step 0", " 50 % step 1"]


def test_held_back_report_is_written_in_time(tmp_path: Path) -> None:
    attempt = JobDirectory(tmp_path).attempt(1)
    attempt.create()
    heard = threading.Event()

    def hear(percent: float, message: str) -> None:
        if percent == 7:
            heard.set()

    progress = ProgressWriter(attempt, lambda line: None, hear)
    progress(1, "first")
    progress(7, "then silence")
    assert heard.wait(60)
    progress.close()
    report = attempt.read_progress()
    assert report is not None
    assert (report.percent, report.message) == (7, "then silence")


@given(st.lists(st.floats()))  # type: ignore[untyped-decorator, unused-ignore]
def test_percent_never_falls_and_stays_in_range(values: list[float]) -> None:
    clock, recorder = Clock(), Recorder()
    progress = ProgressWriter(recorder, lambda line: None, clock=clock)
    for value in values:
        progress(value, "x")
        clock.now += 1
    progress.close()
    percents = [percent for percent, _ in written(recorder)]
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)


def test_stage_in_gets_the_first_five_percent() -> None:
    clock, recorder = Clock(), Recorder()
    progress = ProgressWriter(recorder, lambda line: None, clock=clock)
    for report, value in ((progress.of_staging, 50), (progress.of_staging, 100), (progress.of_run, 0)):
        report(value, "x")
        clock.now += 1
    progress.of_run(100, "x")
    progress.close()
    assert written(recorder) == [(2.5, "x"), (5.0, "x"), (99.0, "x")]


def test_message_is_one_short_line() -> None:
    recorder, said = Recorder(), list[str]()
    progress = ProgressWriter(recorder, said.append)
    progress(1, "a\nb\r\n  c" + "x" * 1000)
    progress(math.nan, "")
    progress.close()
    assert len(said) == 1
    assert written(recorder)[0][1].startswith("a b cx")
    assert len(written(recorder)[0][1]) == reporting.MAX_MESSAGE


def test_unwritable_report_does_not_end_the_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    progress = ProgressWriter(JobDirectory(tmp_path / "missing").attempt(1), lambda line: None)
    progress(1, "x")
    progress.close()
    assert "progress could not be written" in caplog.text
