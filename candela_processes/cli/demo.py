"""`candela demo`: a server, a real series of images, a progress bar and a picture at the end, all through HTTP.

With KILL=1 the demonstration kills its own server and worker in mid-job with SIGKILL, starts the server again and
shows that the job still ends, with the same sha256 of every output as an undisturbed run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from candela_processes import settings as configuration
from candela_processes.api.remote import RemoteJob, Server
from candela_processes.cli.demo_server import DemoServer
from candela_processes.cli.progress import Bar
from candela_processes.errors import SettingsError

SAMPLES: Final = Path(__file__).resolve().parents[2] / "tests" / "data"
RIVER_YEARS: Final = ("1985", "1995", "2010", "2020")
KILL_AT: Final = (15.0, 95.0)
METHODS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("IR-MAD, scaled chi2", {}),
    ("MAD, k-means", {"method": "mad", "threshold": "kmeans"}),
    ("CVA, k-means", {"method": "cva", "threshold": "kmeans"}),
)


@click.command()
@click.option("--once", is_flag=True, envvar="ONCE", help="Stop the server at the end instead of serving on.")
@click.option("--kill", is_flag=True, envvar="KILL", help="Kill server and worker in mid-job, with SIGKILL.")
@click.option("--port", default=0, help="Port to listen on; 0: the first free one from 5000.")
def demo(once: bool, kill: bool, port: int) -> None:
    """Show the server at work on the repository's images."""
    if not SAMPLES.is_dir():
        raise SettingsError("The demonstration needs the sample images of a source checkout (tests/data).")
    workspace = configuration.load().workspace / "demo"
    with DemoServer(workspace, SAMPLES, port) as server:
        tour = Tour(server)
        river = tour.river_killed() if kill else tour.river()
        tour.taizhou()
        tour.farewell(river, once=once)
        if not once:
            server.serve_until_interrupted()


def say(text: str = "") -> None:
    """Write one line to the terminal."""
    click.echo(text)
    sys.stdout.flush()


@dataclass(frozen=True)
class Tour:
    """What is shown, one station per method."""

    server: DemoServer

    @property
    def client(self) -> Server:
        """Return a client of the running server."""
        return Server(self.server.url)

    def river_inputs(self) -> dict[str, Any]:
        """Return the inputs of the main job: four dates, three couples."""
        return {
            "images": [f"landsat_pucallpa/{year}.tif" for year in RIVER_YEARS],
            "dates": list(RIVER_YEARS),
        }

    def river(self) -> RemoteJob:
        """Run the main job with a live progress bar."""
        say("35 years of a moving river: Landsat of the Ucayali at Pucallpa, 1985 - 1995 - 2010 - 2020")
        job = self.client.submit("ChangeDetection", self.river_inputs())
        say(f"  job {job.id}")
        self._follow(job)
        self._river_table(job)
        return job

    def river_killed(self) -> RemoteJob:
        """Run the main job twice, the second time through a kill -9 of everything; compare the digests."""
        say("First an undisturbed run, for comparison.")
        expected = digests(self.river())
        say()
        say("Now the same job again; at its middle everything is killed with SIGKILL.")
        job = self.client.submit("ChangeDetection", self.river_inputs())
        say(f"  job {job.id}")
        killed = self._kill_in_mid_job(job)
        say(f"  killed -9: {killed}")
        self.server.start()
        say(f"  server started again at {self.server.url}")
        job = self.client.job(job.id)
        self._follow(job)
        self._compare(expected, digests(job))
        return job

    def _kill_in_mid_job(self, job: RemoteJob) -> str:
        with Bar(sys.stderr, "  ") as bar:
            while True:
                status = job.status()
                percent = float(status.get("progress", 0))
                bar(percent, status.get("message", ""))
                if status["status"] in ("successful", "failed", "dismissed"):
                    raise SettingsError("The job ended before it could be killed; try again.")
                if KILL_AT[0] <= percent <= KILL_AT[1]:
                    return self.server.kill_everything(job.id)

    def _compare(self, expected: Mapping[str, str], found: Mapping[str, str]) -> None:
        for name, digest in expected.items():
            verdict = "same" if found.get(name) == digest else "DIFFERENT"
            say(f"  {name:<32} sha256 {digest[:16]}…  {verdict}")
        if dict(expected) != dict(found):
            raise SettingsError("The interrupted job ended with other outputs than the undisturbed one.")
        say("The killed job ended right: every output is the same to the last bit.")

    def _follow(self, job: RemoteJob) -> None:
        with Bar(sys.stderr, "  ") as bar:
            self._finish(job, bar)

    def _finish(self, job: RemoteJob, bar: Bar | None = None) -> None:
        status = job.wait(bar)
        if status["status"] != "successful":
            raise SettingsError(f"The job ended {status['status']}: {status.get('message', '')}")

    def _river_table(self, job: RemoteJob) -> None:
        for couple in report_of(job)["couples"]:
            say(
                f"  {couple.get('start_date', '')} to {couple.get('end_date', '')}: "
                f"{couple['changed_share']:6.2%} changed, mapped area {couple['mapped_area_km2']:.0f} km2"
            )
            if not couple["reliable"]:
                say(f"    to be read with care: {couple['reason']}")

    def taizhou(self) -> None:
        """Run three methods on a pair with reference samples and print their accuracies."""
        say()
        say("Taizhou 2000 - 2003, judged by 21 390 reference samples")
        say(f"  {'method':<22} {'overall accuracy':>17} {'kappa':>8}")
        for name, options in METHODS:
            images = ["landsat_taizhou/2000TM", "landsat_taizhou/2003TM"]
            inputs = {"images": images, "dates": ["2000-03-17", "2003-02-06"], **options}
            change = self.client.submit("ChangeDetection", inputs)
            self._finish(change)
            accuracy = self._assess(change)
            say(f"  {name:<22} {accuracy['overall_accuracy']:>17.4f} {accuracy['kappa']:>8.4f}")

    def _assess(self, change: RemoteJob) -> dict[str, float]:
        inputs = {
            "map": {"href": f"{change.url}/results/changes/1"},
            "changed": "landsat_taizhou/change.bmp",
            "unchanged": "landsat_taizhou/unchanged.bmp",
        }
        job = self.client.submit("AssessChange", inputs)
        self._finish(job)
        accuracy: dict[str, float] = report_of(job)["accuracy"]
        return accuracy

    def farewell(self, river: RemoteJob, *, once: bool) -> None:
        """Say where the results are and how to ask for more."""
        url = self.server.url
        say()
        say(f"Picture    {self.server.output_path(river.id, 'quicklook')}")
        if not once:
            say(f"Job page   {river.url}")
            say(f"Processes  curl {url}/processes")
            say(f"Status     curl {river.url}")
            say(f"Map        curl -OJ {river.url}/results/changes/1")
            say("Serving until Ctrl-C.")


def digests(job: RemoteJob) -> dict[str, str]:
    """Return the sha256 of every output of a finished job, from the strong ETags, by its path below /results/."""
    found = {}
    for hrefs in job.files().values():
        for href in hrefs:
            etag = job.server.request("HEAD", href).headers["ETag"]
            found[href.partition("/results/")[2]] = etag.strip('"')
    return found


def report_of(job: RemoteJob) -> dict[str, Any]:
    """Return the report output of a finished job."""
    return job.server.document(f"{job.url}/results/report")
