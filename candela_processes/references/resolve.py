"""What a reference of a client means on this server: a local file below an allowed root, or a URL for the worker."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from candela_processes.errors import InvalidInput
from candela_processes.process import Reference
from candela_processes.references.guard import SCHEMES, Guard, check_form
from candela_processes.references.policy import FetchPolicy
from candela_processes.references.staged import StagedReference

_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):")


def resolve(
    name: str, reference: Reference, roots: Sequence[Path], *, policy: FetchPolicy | None = None, deferred: str = ""
) -> StagedReference:
    """Return where the file of a reference is; raises InvalidInput naming the input.

    Local are plain paths and `file:` URLs; links are followed and the end has to lie below one of `roots`. A relative
    path is looked for below each root in turn. With a `policy` the hosts of https and http URLs are checked now, as
    far as that goes without a name server; the worker checks again when it connects, in any case.
    """
    path, url = _place(name, reference.href, roots, policy)
    return StagedReference(
        href=reference.href,
        name=reference.name,
        path=path,
        url=url,
        media_type=reference.type or "",
        deferred=deferred,
    )


def _place(name: str, href: str, roots: Sequence[Path], policy: FetchPolicy | None) -> tuple[str, str]:
    """Return path and URL, of which one is empty."""
    scheme = _SCHEME.match(href)
    if scheme is None:
        return str(_below(name, href, roots)), ""
    kind = scheme["scheme"].lower()
    if kind == "file":
        return str(_below(name, _file_path(name, href), roots)), ""
    if kind in SCHEMES:
        if policy is None:
            check_form(name, href)
        else:
            Guard(policy).check(name, href)
        return "", href
    if kind == "s3":
        raise InvalidInput(name, "s3: object storage is not configured on this server; give an https URL or a path")
    raise InvalidInput(name, f"the scheme {kind[:20]!r} is not allowed; allowed are https, http, file and plain paths")


def _file_path(name: str, href: str) -> str:
    """Return the path of a `file:` URL, percent-decoded once; only this host's files can be meant."""
    parts = urlsplit(href)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise InvalidInput(name, "a file: URL has no host, query or fragment; write file:///path")
    if not parts.path.startswith("/"):
        raise InvalidInput(name, "a file: URL names an absolute path; write file:///path")
    try:
        return unquote(parts.path, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidInput(name, "the percent-encoding of the file: URL is not UTF-8") from error


def _below(name: str, text: str, roots: Sequence[Path]) -> Path:
    """Return the real path of a file below a root; one answer for what is missing, outside or not to be read.

    Which of these it is would tell a client about files that are none of its business.
    """
    if not roots:
        raise InvalidInput(name, "local files are not configured on this server; give an https URL")
    everything = any(root == Path("/") for root in roots)  # the command line reads what its caller may read
    if not text.isprintable() or (".." in text.split("/") and not everything):
        raise InvalidInput(name, "a path must not contain '..' or control characters")
    for root in roots:
        # an absolute path replaces the root
        found = _real(Path(root) / text)
        if found is not None and any(_is_below(found, allowed) for allowed in roots):
            return found
    raise InvalidInput(name, "there is no such file below the folders that inputs may name")


def _real(path: Path) -> Path | None:
    try:
        found = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
    return found if (found.is_file() or found.is_dir()) and os.access(found, os.R_OK) else None


def _is_below(path: Path, root: Path) -> bool:
    """Return whether a real path lies below a root, which may itself be reached by a link; the root itself does not."""
    real = root.resolve()
    return path != real and path.is_relative_to(real)
