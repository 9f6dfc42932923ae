"""Encrypted channels between agents, and certificates on both sides."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiercut.errors import InputError, QuestionError
from tiercut.offloader.transports.offer import Wanted

__all__ = ["Tls", "load_tls", "only_grpc"]

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
"""Files of a folder, called as in a secret of Kubernetes."""

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True, repr=False)
class Tls:
    """What a process shows of itself, and whom it believes; PEM.

    Parameters
    ----------
    certificate, key
        Its own certificate with those between it and the authority, and the key; None: it shows none.
    authority
        Whose certificates it believes. Callers of a server must then show one of them; None: servers are held against
        the authorities of this system, and callers are not asked.
    """

    certificate: bytes | None
    key: bytes | None
    authority: bytes | None

    def server(self) -> Any:
        """Return gRPC's credentials of a server.

        Raises
        ------
        InputError
            If there is no certificate.
        """
        import grpc

        if self.certificate is None or self.key is None:
            raise InputError(CERTIFICATE, "a server needs a certificate of its own")
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], self.authority, require_client_auth=self.authority is not None
        )

    def channel(self) -> Any:
        """Return gRPC's credentials of a caller."""
        import grpc

        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def load_tls(folder: str | os.PathLike[str], *, server: bool = True) -> Tls:
    """Read ``tls.crt``, ``tls.key`` and ``ca.crt`` of a folder; the last may be missing.

    Parameters
    ----------
    folder
        Where they lie.
    server
        Whether there must be a certificate, as servers need one; a caller alone may have just ``ca.crt``.

    Raises
    ------
    InputError
        If a file is missing, is no PEM, or certificate and key do not belong together.
    """
    place = Path(folder)
    found = {name: _read(place / name) for name in (CERTIFICATE, KEY, AUTHORITY)}
    shown = [name for name in (CERTIFICATE, KEY) if found[name] is not None]
    if len(shown) == 1 or (server and not shown):
        missing = CERTIFICATE if CERTIFICATE not in shown else KEY
        raise InputError(
            os.fspath(place / missing),
            f"there is no such file; a folder for TLS holds {CERTIFICATE} and {KEY}, and {AUTHORITY} for certificates "
            "on both sides",
        )
    if not shown and found[AUTHORITY] is None:
        raise InputError(os.fspath(place / AUTHORITY), "there is no such file, nor a certificate")
    _check(place, own=bool(shown), authority=found[AUTHORITY] is not None)
    return Tls(found[CERTIFICATE], found[KEY], found[AUTHORITY])


def only_grpc(transport: Wanted, tls: Tls | None) -> Wanted:
    """Return how frames may travel: with TLS by gRPC alone, as the others encrypt nothing.

    Raises
    ------
    QuestionError
        If another way was asked for.
    """
    if tls is None:
        return transport
    if transport not in ("auto", "grpc"):
        raise QuestionError(f"--transport {transport} encrypts nothing: leave it out, or leave out --tls")
    return "grpc"


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            found = stream.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(os.fspath(path), f"cannot be read: {error.strerror}") from None
    if len(found) > _LARGEST:
        raise InputError(os.fspath(path), f"is larger than {_LARGEST} bytes, so it is no certificate")
    return found


def _check(place: Path, *, own: bool, authority: bool) -> None:
    """Let the ssl module read what gRPC reads, as that says nothing of what it cannot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if own:
        try:
            context.load_cert_chain(place / CERTIFICATE, place / KEY, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise InputError(
                os.fspath(place / CERTIFICATE), f"does not belong to {KEY}, or one of both is no PEM ({_why(error)})"
            ) from None
    if authority:
        try:
            context.load_verify_locations(place / AUTHORITY)
        except ssl.SSLError as error:
            raise InputError(os.fspath(place / AUTHORITY), f"holds no certificate in PEM ({_why(error)})") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted; agents ask for no password")


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error)[:200].lower().replace("_", " ")
