"""The marked steps of the dispatcher, in one place: the fault tests kill it at every one of them."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """One instruction at which a test may kill the dispatcher; what a later round repairs is said beside it."""

    BEFORE_STARTING = "dispatcher.before-starting"  # still queued
    STARTING_WRITTEN = "dispatcher.starting-written"  # handed over to nobody yet: submitted again
    LOCK_TAKEN = "dispatcher.lock-taken"  # the lock dies with the dispatcher: submitted again
    LABEL_WRITTEN = "dispatcher.label-written"  # known, but the attempt was not begun: submitted again
    ATTEMPT_MARKED = "dispatcher.attempt-marked"  # perhaps begun: counts as lost
    WORKER_SPAWNED = "dispatcher.worker-spawned"  # the worker goes on by itself and is found again
    RUNNING_WRITTEN = "dispatcher.running-written"
    REQUEUED_WRITTEN = "dispatcher.requeued-written"
    ACCEPTED_WRITTEN = "dispatcher.accepted-written"  # verified again
    VERIFIED = "dispatcher.verified"  # verified again
    SUCCEEDED_WRITTEN = "dispatcher.succeeded-written"
    FAILED_WRITTEN = "dispatcher.failed-written"
    STOP_SENT = "dispatcher.stop-sent"  # asked again
    REMAINS_KILLED = "dispatcher.remains-killed"  # the label is still there: released again
    LABEL_REMOVED = "dispatcher.label-removed"
    FILES_RENAMED = "dispatcher.files-renamed"  # invisible, in the trash: emptied by the next sweep
    FILES_REMOVED = "dispatcher.files-removed"
    REMOVED_WRITTEN = "dispatcher.removed-written"
    EXPIRED_FILES_REMOVED = "dispatcher.expired-files-removed"  # the row is removed by the next sweep
    EXPIRED_ROW_REMOVED = "dispatcher.expired-row-removed"
