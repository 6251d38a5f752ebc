"""The use-cases on a memory store: what is recorded, what is written, what is left behind on an error."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from candela_processes.errors import (
    InsufficientStorage,
    InvalidInput,
    NoSuchJob,
    NoSuchProcess,
    NoSuchResult,
    RecordedError,
    ResultGone,
    ResultNotReady,
    Unavailable,
)
from candela_processes.identity import Principal
from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.record import Job, Mode, Phase, Status
from candela_processes.jobs.store import JobQuery
from candela_processes.service.submission import OutputRequest, Submission

from .conftest import Rig

ALICE, BOB = Principal(subject="alice"), Principal(subject="bob")
RIVER = {"images": ["landsat_pucallpa/1985.tif", "landsat_pucallpa/1995.tif"]}


def echo(mode: Mode = Mode.SYNC, **inputs: object) -> Submission:
    return Submission(process_id="echo", inputs={"text": "hi"} | inputs, mode=mode, principal=ALICE)


def test_an_inline_process_is_done_at_once_through_record_and_directory(rig: Rig) -> None:
    job = rig.service.submit(echo(numbers=[1, 2]))
    assert (job.status, job.phase, job.runner) == (Status.SUCCESSFUL, Phase.DONE, "inline")
    results = rig.service.results(ALICE, job.id)
    assert list(results.files) == ["text", "numbers", "inputCount"]
    assert results.path(results.file("numbers")).read_text() == "[1,2]"
    assert rig.store.get(job.id) == job
    assert not JobDirectory.of(rig.workspace, job.id).is_alive()


def test_asynchronously_it_is_queued_with_its_directory_before_the_row(rig: Rig) -> None:
    job = rig.service.submit(echo(Mode.ASYNC))
    assert (job.status, job.phase, job.attempt) == (Status.ACCEPTED, Phase.QUEUED, 0)
    inputs = JobDirectory.of(rig.workspace, job.id).read_inputs()
    assert (inputs.process, dict(inputs.inputs)) == ("echo", {"text": "hi"})
    with pytest.raises(ResultNotReady, match="accepted"):
        rig.service.results(ALICE, job.id)


def test_limits_are_capped_by_the_settings(rig: Rig) -> None:
    service = rig.with_settings(job_seconds=5.0, job_memory=1 << 30)
    submission = Submission(process_id="ChangeDetection", inputs=RIVER)
    inputs = JobDirectory.of(rig.workspace, service.submit(submission).id).read_inputs()
    assert (inputs.seconds, inputs.memory) == (5.0, 1 << 30)


def test_local_files_are_staged_by_their_place_below_a_root(rig: Rig, data: Path) -> None:
    job = rig.service.submit(Submission(process_id="ChangeDetection", inputs=RIVER))
    staged = JobDirectory.of(rig.workspace, job.id).read_staging().references
    assert [entry.path for entry in staged] == [str(data / href) for href in RIVER["images"]]


@pytest.mark.parametrize("href", ["/etc/passwd", "../../etc/passwd", "landsat_pucallpa/none.tif", "s3://bucket/key"])
def test_what_is_not_below_a_root_is_refused_and_nothing_is_left(rig: Rig, href: str) -> None:
    images = [href, "landsat_pucallpa/1995.tif"]
    with pytest.raises(InvalidInput) as caught:
        rig.service.submit(Submission(process_id="ChangeDetection", inputs={"images": images}))
    assert caught.value.name == "images/0"
    assert rig.directories == []


def test_unknown_processes_and_outputs_are_refused(rig: Rig) -> None:
    with pytest.raises(NoSuchProcess, match="'nope'"):
        rig.service.submit(replace(echo(), process_id="nope"))
    with pytest.raises(InvalidInput, match="is not an output of echo; it has text"):
        rig.service.submit(replace(echo(), outputs={"nope": OutputRequest()}))
    with pytest.raises(InvalidInput, match="offers 'value' only"):
        rig.service.submit(replace(echo(), outputs={"text": OutputRequest(transmission="reference")}))
    with pytest.raises(InvalidInput, match="application/json"):
        rig.service.submit(replace(echo(), outputs={"text": OutputRequest(media_type="image/png")}))


def test_too_little_space_refuses_the_job_before_anything_is_written(rig: Rig) -> None:
    with pytest.raises(InsufficientStorage):
        rig.with_settings(free_space_floor=1 << 62).submit(echo())
    assert rig.directories == []


def test_a_store_that_is_away_leaves_no_directory(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(job: Job) -> None:
        raise Unavailable("The store is away.")

    monkeypatch.setattr(rig.store, "add", away)
    with pytest.raises(Unavailable):
        rig.service.submit(echo())
    assert rig.directories == []


def test_others_jobs_do_not_exist(rig: Rig) -> None:
    job = rig.service.submit(echo())
    for ask in (rig.service.job, rig.service.results, rig.service.log, rig.service.dismiss):
        with pytest.raises(NoSuchJob):
            ask(BOB, job.id)
    assert rig.service.jobs(BOB, JobQuery(owner="alice")).jobs == ()
    assert [entry.id for entry in rig.service.jobs(ALICE, JobQuery()).jobs] == [job.id]


def test_dismissing_is_recorded_at_once_and_repeats_itself(rig: Rig) -> None:
    job = rig.service.submit(echo(Mode.ASYNC))
    first = rig.service.dismiss(ALICE, job.id)
    assert (first.status, first.phase) == (Status.DISMISSED, Phase.DISMISSING)
    assert rig.service.dismiss(ALICE, job.id) == first
    with pytest.raises(ResultGone):
        rig.service.results(ALICE, job.id)


def test_a_finished_job_can_be_dismissed(rig: Rig) -> None:
    job = rig.service.submit(echo())
    assert rig.service.dismiss(ALICE, job.id).message == "dismissed, results removed"


def test_waiting_ends_at_its_time(rig: Rig) -> None:
    job = rig.service.submit(echo(Mode.ASYNC))
    assert rig.service.wait(ALICE, job.id, 0.0) == job


def test_a_failed_job_answers_its_own_error(rig: Rig) -> None:
    job = rig.service.submit(echo(Mode.ASYNC))
    error = InvalidInput("text", "is not what it seems").as_data()
    assert rig.store.replace(job, job.failed(datetime.now(UTC), error))
    with pytest.raises(RecordedError) as caught:
        rig.service.results(ALICE, job.id)
    assert caught.value.as_data() == error


def test_an_output_of_another_job_is_linked_and_survives_it(rig: Rig) -> None:
    source = rig.service.submit(echo())
    href = f"/jobs/{source.id}/results/inputCount"
    submission = Submission(process_id="echo", inputs={"text": "x", "numbers": {"href": href}}, principal=ALICE)
    job = rig.service.submit(submission)
    directory = JobDirectory.of(rig.workspace, job.id)
    (entry,) = directory.read_staging().references
    original = rig.service.results(ALICE, source.id)
    pinned = directory.path / entry.path
    assert pinned.samefile(original.path(original.file("inputCount")))
    assert (entry.href, entry.deferred) == (href, "numbers")


@pytest.mark.parametrize("root", ["https://eo.example", "https://eo.example/api"])
def test_an_absolute_link_to_this_server_is_its_own_output(rig: Rig, root: str) -> None:
    source = rig.service.submit(echo())
    inputs = {"text": {"href": f"{root}/jobs/{source.id}/results/text"}}
    submission = Submission(process_id="echo", inputs=inputs, principal=ALICE, root=root)
    staging = JobDirectory.of(rig.workspace, rig.service.submit(submission).id).read_staging()
    assert staging.references[0].path.startswith("inputs/")


def test_others_outputs_and_missing_outputs_cannot_be_linked(rig: Rig) -> None:
    source = rig.service.submit(echo())
    for principal, href in ((BOB, f"/jobs/{source.id}/results/text"), (ALICE, f"/jobs/{source.id}/results/nope")):
        submission = Submission(process_id="echo", inputs={"text": {"href": href}}, principal=principal)
        with pytest.raises(InvalidInput, match="the linked result cannot be used") as caught:
            rig.service.submit(submission)
        assert caught.value.name == "text"


def test_results_name_what_there_is(rig: Rig) -> None:
    results = rig.service.results(ALICE, rig.service.submit(echo()).id)
    with pytest.raises(NoSuchResult, match="it has text, inputCount"):
        results.file("record")
    with pytest.raises(NoSuchResult, match=r"it has 1\.\.1"):
        results.file("text", 2)


@pytest.mark.parametrize("fate", ["gone", "link", "changed"])
def test_a_linked_output_that_is_not_there_any_more_is_refused(rig: Rig, data: Path, fate: str) -> None:
    source = rig.service.submit(echo())
    original = rig.service.results(ALICE, source.id)
    path = original.path(original.file("text"))
    path.unlink()
    if fate == "link":
        path.symlink_to(data / "landsat_pucallpa" / "1985.tif")
    elif fate == "changed":
        path.write_text('"something else"')
    submission = replace(echo(Mode.ASYNC), inputs={"text": {"href": f"/jobs/{source.id}/results/text"}})
    with pytest.raises(InvalidInput, match="text: the linked result cannot be used"):
        rig.service.submit(submission)
    assert [folder.name for folder in rig.directories] == [source.id]


def test_a_linked_output_keeps_its_own_name_unless_it_is_given_one(rig: Rig) -> None:
    source = rig.service.submit(echo())
    link = {"href": f"/jobs/{source.id}/results/text"}
    for value, name in ((link, "text.json"), (link | {"title": "mine"}, "mine")):
        job = rig.service.submit(replace(echo(Mode.ASYNC), inputs={"text": value}))
        (entry,) = JobDirectory.of(rig.workspace, job.id).read_staging().references
        assert entry.name == name
