"""Kill the dispatcher at every marked step: what follows repairs it, and nothing ever runs twice at once."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import candela_processes
from candela_processes.dispatch.steps import Step
from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.processes import kill_marked, marked
from candela_processes.jobs.record import Job, Phase, Status
from candela_processes.jobs.store import JobQuery

from .conftest import Offspring, Site

pytestmark = pytest.mark.integration

FINISHING = (
    Step.BEFORE_STARTING,
    Step.STARTING_WRITTEN,
    Step.LOCK_TAKEN,
    Step.LABEL_WRITTEN,
    Step.ATTEMPT_MARKED,
    Step.WORKER_SPAWNED,
    Step.RUNNING_WRITTEN,
    Step.ACCEPTED_WRITTEN,
    Step.VERIFIED,
    Step.SUCCEEDED_WRITTEN,
    Step.REMAINS_KILLED,
    Step.LABEL_REMOVED,
)
FAILING = (Step.FAILED_WRITTEN,)
LOSING = (Step.REQUEUED_WRITTEN,)
DISMISSING = (Step.STOP_SENT, Step.FILES_RENAMED, Step.FILES_REMOVED, Step.REMOVED_WRITTEN)
SUBMITTING = ("submit.directory-created", "submit.inputs-written", "submit.row-written")
INLINE = ("inline.ran", "inline.accepted-written")
ASKING_TO_DISMISS = ("dismiss.row-written",)
WORKING = (
    "worker.locked",
    "worker.child-started",
    "worker.child-ended",
    "worker.outcome-written",
    "execution.staged",
    "execution.run-done",
    "execution.result-written",
)
EXPIRING = (Step.EXPIRED_FILES_REMOVED, Step.EXPIRED_ROW_REMOVED)


def kill_all_of(job: Job) -> None:
    """Kill supervisor and analytic at once."""
    while kill_marked(job.id):
        pass


def supervisor_of(site: Site, job: Job) -> int:
    attempt = JobDirectory(site.directory(job)).attempt(site.row(job).attempt)
    return int(json.loads(attempt.worker.read_text())["pid"])


def wait_for_death(process: Offspring) -> None:
    assert process.wait() == -signal.SIGKILL


def test_every_step_is_walked() -> None:
    assert sorted((*FINISHING, *FAILING, *LOSING, *DISMISSING, *EXPIRING)) == sorted(Step)


def test_every_step_is_passed_in_the_code_and_no_other() -> None:
    package = Path(candela_processes.__file__).parent
    text = "\n".join(path.read_text() for path in package.rglob("*.py"))
    assert set(re.findall(r"\bStep\.([A-Z_]+)", text)) == set(Step.__members__)
    others = re.findall(r'step\(\s*"([^"]+)"', text)
    assert sorted(others) == sorted((*SUBMITTING, *INLINE, *ASKING_TO_DISMISS, *WORKING))


@pytest.mark.parametrize("step", FINISHING)
def test_a_job_that_finishes(site: Site, step: Step) -> None:
    job = site.submit()
    first = site.start_dispatcher(step)
    site.wait_until(
        lambda: site.marker.exists() or (site.row(job).phase is Phase.RUNNING and "waiting" in site.events()),
        "the dispatcher died early or the job runs",
    )
    site.let_go()
    wait_for_death(first)
    site.start_dispatcher()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert (done.status, done.error) == (Status.SUCCESSFUL, None)
    assert site.events() == ["start", "waiting", "end"]
    assert done.interruptions == (1 if step is Step.ATTEMPT_MARKED else 0)


@pytest.mark.parametrize("step", FAILING)
def test_a_job_that_fails(site: Site, step: Step) -> None:
    job = site.submit("fail")
    wait_for_death(site.start_dispatcher(step))
    site.start_dispatcher()
    site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    done = site.row(job)
    assert (done.status, done.message) == (Status.FAILED, "act: was told to fail")
    assert site.events() == ["start"]


@pytest.mark.parametrize("step", LOSING)
def test_a_job_that_was_lost(site: Site, step: Step) -> None:
    job = site.submit()
    first = site.start_dispatcher(step)
    site.wait_for_event("waiting")
    site.wait_for_phase(job, Phase.RUNNING)
    kill_all_of(job)
    wait_for_death(first)
    site.let_go()
    site.start_dispatcher()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert (done.status, done.interruptions, done.accepted_attempt) == (Status.SUCCESSFUL, 1, 2)
    assert site.events() == ["start", "waiting", "start", "waiting", "end"]


@pytest.mark.parametrize("step", DISMISSING)
def test_a_job_that_is_dismissed(site: Site, step: Step) -> None:
    job = site.submit()
    first = site.start_dispatcher(step)
    site.wait_for_event("waiting")
    site.dismiss(job)
    wait_for_death(first)
    site.start_dispatcher()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert (done.status, site.directory(job).exists()) == (Status.DISMISSED, False)
    assert site.events() == ["start", "waiting"]


@pytest.mark.parametrize("step", EXPIRING)
def test_a_job_that_expires(new_site: Callable[..., Site], step: Step) -> None:
    site = new_site(expiry_days=1e-6)
    site.let_go()
    job = site.submit()
    wait_for_death(site.start_dispatcher(step))
    site.start_dispatcher()
    site.wait_until(lambda: site.store.get(job.id) is None, "the row expired")
    site.wait_for_rest()
    assert not site.directory(job).exists()
    assert site.events() == ["start", "waiting", "end"]


@pytest.mark.parametrize("step", SUBMITTING)
def test_a_web_process_that_dies_while_it_submits(site: Site, step: str) -> None:
    site.let_go()
    wait_for_death(site.start("client", "submit", str(site.ledger), step=step))
    site.start_dispatcher()
    jobs = site.store.find(JobQuery()).jobs
    assert len(jobs) == (1 if step == "submit.row-written" else 0)
    for job in jobs:
        assert site.wait_for_phase(job, Phase.DONE).status is Status.SUCCESSFUL
    site.wait_for_rest()
    assert site.events() == ["start", "waiting", "end"] * len(jobs)


@pytest.mark.parametrize("step", ["submit.row-written", *INLINE])
def test_a_web_process_that_dies_while_it_runs_a_job_inline(site: Site, step: str) -> None:
    wait_for_death(site.start("client", "echo", step=step))
    (job,) = site.store.find(JobQuery()).jobs
    site.start_dispatcher()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert (done.status, done.interruptions) == (Status.SUCCESSFUL, 1 if step == "submit.row-written" else 0)


@pytest.mark.parametrize("step", ASKING_TO_DISMISS)
def test_a_web_process_that_dies_while_it_dismisses(site: Site, step: str) -> None:
    job = site.submit()
    site.start_dispatcher()
    site.wait_for_event("waiting")
    wait_for_death(site.start("client", "dismiss", job.id, step=step))
    site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert (site.row(job).status, site.directory(job).exists()) == (Status.DISMISSED, False)


@pytest.mark.parametrize("step", WORKING)
def test_a_worker_that_dies_at_each_of_its_steps(site: Site, step: str) -> None:
    site.let_go()
    job = site.submit()
    site.start_dispatcher(step)
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert site.marker.exists()
    assert (done.status, done.error) == (Status.SUCCESSFUL, None)
    assert done.interruptions <= 1
    assert site.events()[-1] == "end"
    assert "overlap" not in site.events()


def test_two_dispatchers_run_each_job_once(site: Site) -> None:
    jobs = [site.submit() for _ in range(2)]
    site.start_dispatcher()
    site.start_dispatcher()
    site.wait_for_event("waiting", 1)
    site.let_go()
    for job in jobs:
        assert site.wait_for_phase(job, Phase.DONE).status is Status.SUCCESSFUL
        assert site.row(job).attempt == 1
    site.wait_for_rest()


def test_the_second_dispatcher_takes_over(site: Site) -> None:
    job = site.submit()
    first = site.start_dispatcher()
    site.wait_for_event("waiting")
    site.start_dispatcher()
    first.kill()
    first.wait()
    site.let_go()
    assert site.wait_for_phase(job, Phase.DONE).status is Status.SUCCESSFUL
    site.wait_for_rest()
    assert site.events() == ["start", "waiting", "end"]


@pytest.mark.parametrize("victim", ["supervisor", "all"])
def test_a_killed_worker_is_started_again(site: Site, victim: str) -> None:
    job = site.submit("detach")
    site.start_dispatcher()
    site.wait_for_event("waiting")
    site.wait_for_phase(job, Phase.RUNNING)
    site.let_go() if victim == "all" else None
    if victim == "all":
        kill_all_of(job)
    else:
        os.kill(supervisor_of(site, job), signal.SIGKILL)
        site.wait_until(lambda: site.row(job).interruptions == 1, "the loss was noticed")
        site.let_go()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert done.status is Status.SUCCESSFUL
    assert "overlap" not in site.events()


def test_a_job_that_is_lost_too_often_fails_and_says_so(new_site: Callable[..., Site]) -> None:
    site = new_site(max_interruptions=1)
    job = site.submit()
    site.start_dispatcher()
    for attempt in (1, 2):
        site.wait_for_event("waiting", attempt)
        kill_all_of(job)
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert done.status is Status.FAILED
    assert done.message == "The server lost the worker of this job 2 times; it is not started again."
    assert "overlap" not in site.events()


def test_a_killed_analytic_is_the_fault_of_the_process(site: Site) -> None:
    job = site.submit()
    site.start_dispatcher()
    site.wait_for_event("waiting")
    site.wait_for_phase(job, Phase.RUNNING)
    supervisor = supervisor_of(site, job)
    for pid in marked(job.id):
        if pid != supervisor:
            os.kill(pid, signal.SIGKILL)
    site.let_go()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert done.message and done.is_final
    assert "overlap" not in site.events()


@pytest.mark.parametrize("act", ["finish", "stubborn", "detach"])
def test_a_running_job_is_dismissed(site: Site, act: str) -> None:
    job = site.submit(act)
    site.start_dispatcher()
    site.wait_for_event("waiting")
    assert site.dismiss(job).status is Status.DISMISSED
    site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert site.row(job).status is Status.DISMISSED
    assert not site.directory(job).exists()
    assert site.events() == ["start", "waiting"]


def test_a_queued_job_is_dismissed(site: Site) -> None:
    job = site.submit()
    site.dismiss(job)
    site.start_dispatcher()
    site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert not site.directory(job).exists()
    assert site.events() == []


def test_a_finished_job_is_dismissed(site: Site) -> None:
    site.let_go()
    job = site.submit()
    site.start_dispatcher()
    site.wait_for_phase(job, Phase.DONE)
    site.dismiss(job)
    site.wait_until(lambda: not site.directory(job).exists(), "the files are gone")
    site.wait_for_rest()
    assert site.row(job).status is Status.DISMISSED


def test_corrupt_inputs_fail_the_job_with_a_sentence(site: Site) -> None:
    job = site.submit()
    (site.directory(job) / "inputs.json").write_text("{")
    site.start_dispatcher()
    done = site.wait_for_phase(job, Phase.DONE)
    site.wait_for_rest()
    assert done.status is Status.FAILED
    assert done.message.endswith(".")
    assert site.events() == []


def test_a_directory_that_vanished_fails_the_job_with_a_sentence(site: Site) -> None:
    job = site.submit()
    site.directory(job).rename(site.folder / "elsewhere")
    site.start_dispatcher()
    done = site.wait_for_phase(job, Phase.DONE)
    assert (done.status, done.message) == (Status.FAILED, "The files of the job disappeared from the server.")


def test_an_orphaned_directory_is_removed(site: Site) -> None:
    orphan = JobDirectory.of(site.workspace, "9b1d7b1e-0000-4000-8000-000000000000")
    orphan.path.mkdir(parents=True)
    (orphan.path / "inputs.json").write_text("{}")
    site.start_dispatcher()
    site.wait_for_rest()
    assert not orphan.path.exists()


def test_the_places_are_not_exceeded(new_site: Callable[..., Site]) -> None:
    site = new_site(parallel_jobs=1)
    jobs = [site.submit() for _ in range(3)]
    site.start_dispatcher()
    site.wait_for_event("waiting")
    site.let_go()
    for job in jobs:
        assert site.wait_for_phase(job, Phase.DONE).status is Status.SUCCESSFUL
    assert site.events() == ["start", "waiting", "end"] * 3
    started = [str(site.row(job).started) for job in jobs]
    assert started == sorted(started), "the oldest runs first"
