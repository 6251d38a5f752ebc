"""Earth-observation analytics as OGC API - Processes; `run` and `submit` are the Python interface.

Lazy: importing the package costs nothing, the interface is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from candela_processes._version import __version__

if TYPE_CHECKING:
    from candela_processes.api import LocalRun, RemoteJob, Server, run, submit

__all__ = ["LocalRun", "RemoteJob", "Server", "__version__", "run", "submit"]


def __getattr__(name: str) -> Any:
    """Load the Python interface on first use."""
    if name in __all__:
        from candela_processes import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
