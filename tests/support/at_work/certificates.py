"""Certificates that are made by the command openssl, for agents on 127.0.0.1."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["authority", "folder_of", "needs_openssl"]

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def needs_openssl() -> None:
    """Skip where there is no such command."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by the command openssl")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path) -> Path:
    """Make an authority: a folder with ca.crt and ca.key."""
    folder.mkdir(parents=True)
    _openssl("req", "-x509", *_KEY, "-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-subj", "/CN=authority",
             "-days", "2")  # fmt: skip
    return folder


def folder_of(
    folder: Path, by: Path, *, days: int = 2, host: str = "IP:127.0.0.1", believes: Path | None = None
) -> Path:
    """Make what a process shows: a certificate that an authority signed, and the authority that it believes itself.

    Parameters
    ----------
    folder
        To make.
    by
        The authority that signs.
    days
        How long from now it is valid; below 0: it was.
    host
        Whom it is for.
    believes
        Another authority than the one that signs.
    """
    folder.mkdir(parents=True)
    wish = folder / "wish.csr"
    _openssl("req", *_KEY, "-keyout", folder / "tls.key", "-out", wish, "-subj", "/CN=agent", "-addext",
             f"subjectAltName={host}")  # fmt: skip
    _openssl("x509", "-req", "-in", wish, "-CA", by / "ca.crt", "-CAkey", by / "ca.key", "-out", folder / "tls.crt",
             "-days", str(days), "-copy_extensions", "copy")  # fmt: skip
    shutil.copyfile((believes or by) / "ca.crt", folder / "ca.crt")
    return folder
