"""What an agent holds: a partition, one of each of several plans, or a whole network, of which it is told what to run.

Ranges are loaded and unloaded by the calls of the protocol's extension for model repositories, as versions of the
model; every frame says by its ``model_version`` which one it is meant for. So a change of plan is a matter of the
number that the next frame bears, and frames of the plan before still find what they need.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tiercut import documents
from tiercut.errors import InputError, QuestionError
from tiercut.offloader.agent.version import Outlets, Version
from tiercut.offloader.bundles.stage import Runtime
from tiercut.offloader.bundles.whole import NAME, RANGE, Range, WholeNetwork, load_whole
from tiercut.offloader.links.path import NO_LINKS, Way
from tiercut.offloader.protocol.channels import address_of
from tiercut.offloader.protocol.service import Refused

__all__ = ["Shelf", "is_whole"]

_MOST_VERSIONS, _LONGEST_NUMBER = 64, 20


def is_whole(folder: Path) -> bool:
    """Return whether a bundle holds a whole network."""
    return (folder / NAME).is_file()


class Shelf:
    """The partitions that an agent holds.

    Parameters
    ----------
    model
        What the profile calls the network.
    most_bytes
        Bytes of the tensors of a message, at most.
    versions
        What is there to begin with.
    whole
        Of what ranges can be loaded; None: what is there is all.
    runtime, threads
        See `tiercut.offloader.bundles.stage.StageRunner`.
    outlets
        Where ranges hand on to.
    shaped
        Whether links are shaped here, as a range may say.
    """

    def __init__(
        self,
        model: str,
        most_bytes: int,
        versions: dict[str, Version],
        whole: WholeNetwork | None = None,
        runtime: Runtime | None = None,
        threads: int | None = None,
        outlets: Outlets | None = None,
        *,
        shaped: bool = False,
    ) -> None:
        self.model, self.most_bytes = model, most_bytes
        self._versions, self._whole, self._outlets = versions, whole, outlets
        self._runtime, self._threads, self._shaped = runtime, threads, shaped
        self._lock = threading.Lock()

    @classmethod
    def of_one(cls, version: Version) -> Shelf:
        """Return what an agent of one partition holds."""
        return cls(version.bundle.model, version.bundle.most_bytes, {"": version})

    @classmethod
    def of_whole(
        cls, folder: Path, runtime: Runtime | None, threads: int | None, outlets: Outlets, *, shaped: bool = False
    ) -> Shelf:
        """Return what an agent of a whole network holds: nothing, until it is told."""
        if runtime == "keras":
            raise QuestionError("a whole network is run by ONNX Runtime: leave out --runtime keras")
        found = load_whole(folder, threads=threads)
        return cls(found.whole.model, found.whole.most_bytes, {}, found, "onnx", threads, outlets, shaped=shaped)

    @classmethod
    def of_several(cls, versions: Sequence[Version]) -> Shelf:
        """Return what an agent holds that has part in several plans, of one network or of several."""
        models = dict.fromkeys(each.bundle.model for each in versions)
        most_bytes = max(each.bundle.most_bytes for each in versions)
        return cls(", ".join(models), most_bytes, {each.number: each for each in versions})

    @property
    def is_one(self) -> bool:
        """Whether there is but one partition, which needs no number."""
        return self._whole is None and "" in self._versions

    @property
    def is_whole(self) -> bool:
        """Whether ranges can be loaded."""
        return self._whole is not None

    @property
    def only(self) -> Version:
        """The partition, of an agent that has but one."""
        if not self.is_one:
            raise QuestionError("an agent of several partitions is told by its caller what it runs, and who comes next")
        return self._versions[""]

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of what is there."""
        return tuple(self._versions)

    def numbered(self, number: str) -> Version:
        """Return what is there under a number."""
        if number not in self._versions:
            raise QuestionError(f"there is no plan '{number[:_LONGEST_NUMBER]}' here")
        return self._versions[number]

    def of(self, model: str, number: str) -> Version:
        """Return what a frame is meant for.

        Raises
        ------
        Refused
            If it is not here.
        """
        found = self._versions.get("" if self.is_one else number)
        if model != (self.model if found is None else found.bundle.model):
            raise Refused("NOT_FOUND", f"there is no model '{model[:100]}' here; this is '{self.model}'")
        if found is None:
            raise Refused("NOT_FOUND", f"there is no version '{number[:_LONGEST_NUMBER]}' of '{self.model}' here")
        return found

    def load(self, model: str, number: str, text: str, check: Callable[[str], None]) -> None:
        """Make a range ready to be run; one of that number that is there already stays as it is.

        Parameters
        ----------
        model
            The network.
        number
            What frames will call it.
        text
            The range, as JSON (``tiercut.range/1``).
        check
            Refuses an address that frames may not go on to.

        Raises
        ------
        Refused
            If it is no range of this network, or there are too many, or it names links that are not shaped here.
        """
        if self._whole is None or self._outlets is None:
            raise Refused("UNIMPLEMENTED", "this agent has but one partition; start it with a bundle of split --whole")
        if model != self.model:
            raise Refused("NOT_FOUND", f"there is no model '{model[:100]}' here; this is '{self.model}'")
        if not number or len(number) > _LONGEST_NUMBER:
            raise Refused("INVALID_ARGUMENT", f"a version has 1 to {_LONGEST_NUMBER} characters")
        try:
            wanted = documents.loads(text, "range.json", Range, format_=RANGE)
            onward, home = (NO_LINKS if each is None else Way.from_data(each) for each in (wanted.onward, wanted.home))
            if not self._shaped and (onward.directions or home.directions):
                raise Refused("INVALID_ARGUMENT", "links are not shaped here: leave out onward and home")
            following = None if wanted.next is None else address_of(wanted.next, what="next")
            if following is not None:
                check(following)
            with self._lock:
                if number in self._versions:
                    return
                if len(self._versions) >= _MOST_VERSIONS:
                    raise Refused("RESOURCE_EXHAUSTED", f"{_MOST_VERSIONS} versions are here already; unload one")
                with TemporaryDirectory(prefix="tiercut-range-") as folder:
                    self._whole.write(wanted, Path(folder) / "bundle")
                    found = Version(
                        Path(folder) / "bundle", number, runtime=self._runtime, threads=self._threads, home=home
                    )
                if following is not None:
                    found.follow(self._outlets.get(following, onward))
                self._versions[number] = found
        except (InputError, QuestionError) as error:
            raise Refused("INVALID_ARGUMENT", str(error)[:1000]) from None

    def unload(self, number: str) -> None:
        """Forget a range; frames of it that are here already are still served."""
        with self._lock:
            self._versions.pop(number, None)

    def close(self) -> None:
        """Close the ways onward."""
        if self._outlets is not None:
            self._outlets.close()
        for version in self._versions.values():
            if self._outlets is None and version.onward is not None:
                version.onward.close()
