"""What a web process does for a client, in a process of its own that can be killed in the middle."""

from candela_processes import settings
from candela_processes.identity import ANONYMOUS
from candela_processes.jobs.record import Mode
from candela_processes.service.assemble import assemble
from candela_processes.service.submission import Submission
from candela_processes.telemetry import faults


def serve(arguments: list[str]) -> None:
    """Do one thing under the settings of the environment."""
    configured = settings.load()
    faults.arm(configured.fault_step, configured.fault_marker)
    service = assemble(configured).service
    match arguments:
        case ["submit", folder]:
            service.submit(Submission(process_id="ledger", inputs={"folder": folder}))
        case ["echo"]:
            service.submit(Submission(process_id="echo", inputs={"text": "hello"}, mode=Mode.SYNC))
        case ["dismiss", job_id]:
            service.dismiss(ANONYMOUS, job_id)
