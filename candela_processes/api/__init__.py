"""Using the processes from Python: `run` on this machine, `submit` to a server.

import candela_processes
run = candela_processes.run("ChangeDetection", images=["1985.tif", "1995.tif"], out="changes")
run.outputs["changes"]            # (PosixPath('changes/changes_1_1985….tif'),)

job = candela_processes.submit("http://127.0.0.1:5000", "ChangeDetection", images=[…])
job.wait()["status"]              # 'successful'
job.download("changes")
"""

from candela_processes.api.local import LocalRun, run, run_process
from candela_processes.api.remote import RemoteJob, Server, submit

__all__ = ["LocalRun", "RemoteJob", "Server", "run", "run_process", "submit"]
