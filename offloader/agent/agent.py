"""An agent: a partition that answers the Open Inference Protocol, and hands on what does not leave in it.

A request that names a ``destination`` is acknowledged at once; its result goes there, from wherever the frame leaves.
Without one the call answers with the result itself, however many partitions follow.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, TimeoutError as FutureTimeout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tiercut.errors import InputError, QuestionError, TiercutError
from tiercut.offloader.agent.admission import Seen, check_destination, left_s
from tiercut.offloader.agent.emulation import AS_IT_IS, Emulation, counting, slowing
from tiercut.offloader.agent.held import Held, HeldAnswers
from tiercut.offloader.agent.job import Job
from tiercut.offloader.agent.outlet import Full, Outlet
from tiercut.offloader.agent.shelf import Shelf, is_whole
from tiercut.offloader.agent.stand_in import SlowedServer, as_result, as_stage
from tiercut.offloader.agent.timings import came_by, named
from tiercut.offloader.agent.version import Outlets, Version, only_version, several_versions
from tiercut.offloader.agent.waits import ASKS, what_waits
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.bundles.stage import Ended, Runtime
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import Way
from tiercut.offloader.protocol.channels import Peer, address_of
from tiercut.offloader.protocol.messages import ACCEPTED, message
from tiercut.offloader.protocol.service import Refused, Service
from tiercut.offloader.protocol.tensors import DATATYPES, describe, put_parameters, take_parameters
from tiercut.offloader.protocol.tls import Tls, only_grpc
from tiercut.offloader.protocol.wire import Opened
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.offer import TRANSPORTS, Wanted
from tiercut.offloader.transports.server import Arrival, StreamServer

__all__ = ["RESULTS", "SERVER", "Agent"]

log = logging.getLogger(__name__)

SERVER = "tiercut"
"""What the server calls itself in its metadata."""

RESULTS = "results"
"""The model that results are sent to at a destination."""

_LONGEST_ID = 256
_MOST_HOMES, _MOST_RESULTS = 64, 4096
_TOLD_S = 5.0
_PASSED_ON = ("destination", "fallback_ns", "warm_up", "leave", "by_links")


class Agent:
    """A partition as a server.

    Parameters
    ----------
    folder
        Its bundle, or that of a whole network, of which it runs what it is told to.
    listen
        HOST:PORT; port 0 takes a free one.
    next_address
        The agent of the next partition; None for the last.
    runtime, threads
        See `tiercut.offloader.bundles.stage.StageRunner`.
    emulation
        What it stands for.
    results
        Hosts, beside this machine's own, to which results may go.
    most
        How many frames may wait for a worker.
    transport
        How frames may travel, here and from here; by gRPC where the other side does not take that.
    tls
        What all its channels are encrypted with; frames then travel by gRPC.

    Raises
    ------
    InputError, QuestionError
        If the bundle is damaged, there is no next one although frames go on, or an address cannot be.
    """

    def __init__(
        self,
        folder: Path,
        listen: str,
        next_address: str | None = None,
        *,
        runtime: Runtime | None = None,
        threads: int | None = None,
        emulation: Emulation = AS_IT_IS,
        results: Sequence[str] = (),
        most: int = 64,
        transport: Wanted = "auto",
        tls: Tls | None = None,
    ) -> None:
        self._transport, self._tls = only_grpc(transport, tls), tls
        self._emulation, self._allowed, self._most = emulation, frozenset(results), most
        self._clock = None if emulation.clock is None else LinkClock(emulation.clock)
        self._slow, self._count = slowing(emulation, self._clock), counting(emulation, self._clock)
        self._homes = Outlets(self._way_home, lambda: max(_MOST_HOMES, len(emulation.shares)))
        if is_whole(folder):
            outlets = Outlets(self._outlet, lambda: _MOST_HOMES)
            self._shelf = Shelf.of_whole(folder, runtime, threads, outlets, shaped=self._clock is not None)
        elif emulation.shares:
            self._shelf = Shelf.of_several(several_versions(emulation, self._clock, runtime, threads))
        else:
            self._shelf = Shelf.of_one(only_version(folder, next_address, emulation, runtime, threads))
        self._most_bytes = self._shelf.most_bytes
        self._jobs: queue.Queue[Job | None] = queue.Queue(most)
        self._seen, self._held = Seen(), HeldAnswers()
        self._at_work: dict[int, tuple[str, int]] = {}  # by thread: of which version, and since when
        self._stood_for = SlowedServer(emulation.next_factor)
        if next_address is not None:
            self.follow(next_address)
        self._workers = [
            threading.Thread(target=self._work, daemon=True, name=f"worker-{place}")
            for place in range(emulation.workers)
        ]
        for worker in self._workers:
            worker.start()
        handlers = {
            "ServerLive": lambda _, __: message("ServerLiveResponse", live=True),
            "ServerReady": lambda _, __: message("ServerReadyResponse", ready=True),
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }
        address = address_of(listen, what="--listen")
        self._streams = StreamServer(address.rpartition(":")[0], self._streamed, self._most_bytes, self._transport)
        try:
            self.service = Service(handlers, address, self._most_bytes, tls=tls)
        except InputError:
            self._streams.close()
            raise

    def follow(self, next_address: str, number: str = "") -> None:
        """Hand on to an agent that listens at HOST:PORT, from now on; of several plans, what one of them has it do."""
        version = self._shelf.numbered(number) if number else self._shelf.only
        before, address = version.onward, address_of(next_address, what="--next")
        version.follow(self._outlet(address, version.way, carries=version.bundle.onward_bytes))
        if before is not None:
            before.close()

    def _outlet(self, address: str, way: Way, most: int | None = None, carries: int | None = None) -> Outlet:
        peer = Peer(address, self._most_bytes, self._tls)
        return Outlet(peer, way, self._clock, most=most or self._most, transport=self._transport, carries=carries)

    def _way_home(self, address: str, way: Way) -> Outlet:
        return self._outlet(address, way, _MOST_RESULTS, self.bundle.result_bytes if self._shelf.is_one else None)

    @property
    def bundle(self) -> Bundle:
        """What it serves, where that is but one partition."""
        return self._shelf.only.bundle

    @property
    def awaits_next(self) -> bool:
        """Whether it has to be told who comes next."""
        return self._shelf.is_one and not self.bundle.is_last

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.service.address

    def close(self) -> None:
        """End; frames that wait are given up."""
        self.service.close()
        self._streams.close()
        for _ in self._workers:
            try:
                self._jobs.put_nowait(None)
            except queue.Full:
                break
        self._shelf.close()
        self._homes.close()

    # What the protocol asks.

    def _load(self, request: Any, _: Any) -> Any:
        """Make a range of a whole network ready: the parameters name its ``version`` and, as ``config``, what it is."""
        number, config = (request.parameters[name].string_param for name in ("version", "config"))
        self._shelf.load(request.model_name, number, config, partial(check_destination, allowed=self._allowed))
        return message("RepositoryModelLoadResponse")

    def _unload(self, request: Any, _: Any) -> Any:
        self._shelf.unload(request.parameters["version"].string_param)
        return message("RepositoryModelUnloadResponse")

    def _model_ready(self, request: Any, _: Any) -> Any:
        self._shelf.of(request.name, request.version)
        return message("ModelReadyResponse", ready=True)

    def _server_metadata(self, _: Any, __: Any) -> Any:
        from tiercut import __version__

        streams = self._streams.extensions
        return message("ServerMetadataResponse", name=SERVER, version=__version__, extensions=streams)

    def _model_metadata(self, request: Any, _: Any) -> Any:
        served, numbers = self._shelf.of(request.name, request.version), self._shelf.numbers
        numbers = ("1",) if self._shelf.is_one else numbers
        found = message("ModelMetadataResponse", name=request.name, versions=numbers, platform=served.run.runtime)
        for part, tensors in ((found.inputs, served.bundle.inputs), (found.outputs, served.bundle.outputs)):
            for each in tensors:
                part.add(name=each.name, datatype=DATATYPES[each.dtype], shape=each.shape)
        return found

    def _infer(self, came: Opened, context: Any) -> Any:
        return self._arrived(Arrival(*came, context.time_remaining()))

    def _streamed(self, arrival: Arrival) -> Any:
        """Take a frame of a stream, whose sender does not wait for the result."""
        if "destination" not in arrival.request.parameters:
            raise Refused("INVALID_ARGUMENT", "a stream takes frames that name a destination")
        return self._arrived(arrival)

    def _arrived(self, arrival: Arrival) -> Any:
        received_ns = time.monotonic_ns()
        request = arrival.request
        version = self._shelf.of(request.model_name, request.model_version)
        if len(request.id) > _LONGEST_ID:
            raise Refused("INVALID_ARGUMENT", f"the id of a frame has {_LONGEST_ID} characters at most")
        try:
            parameters = take_parameters(request)
            if parameters.get("fall_back") is True:
                return self._asked_to_fall_back(request.id, parameters)
            if parameters.get(ASKS) is True:
                check_destination(destination := parameters.get("destination", ""), self._allowed)
                home = self._homes.held(
                    str(destination), self._emulation.home if version.home is None else version.home
                )
                return what_waits(request, self._at_work, version.onward, home)
            tensors = version.coming.take(request, parameters, arrival.contents)
        except QuestionError as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from None
        decode_ns = time.monotonic_ns() - received_ns
        until_ns = received_ns + round(left_s(parameters, arrival.left_s) * 1e9)
        job = Job(arrival, version, tensors, parameters, received_ns, decode_ns, until_ns)
        if "destination" not in parameters:
            return self._answered(job)
        check_destination(parameters["destination"], self._allowed)
        self._seen.check(str(parameters["destination"]), version.number, request.id)
        self._wait_for_worker(job)
        return self._accepted(request.id)

    def _accepted(self, frame: str) -> Any:
        answer = message("ModelInferResponse", model_name=self._shelf.model, id=frame)
        put_parameters(answer, {ACCEPTED: True})
        return answer

    def _wait_for_worker(self, job: Job) -> None:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise Refused("RESOURCE_EXHAUSTED", f"{self._most} frames wait already") from None

    def _answered(self, job: Job) -> Any:
        """Return the result of a frame whose caller waits for it."""
        waiting: Future[tuple[Ended, dict[str, int]]] = Future()
        self._wait_for_worker(replace(job, result=waiting))
        try:
            ended, timings = waiting.result(timeout=max(job.until_ns - time.monotonic_ns(), 0) / 1e9)
        except FutureTimeout:
            raise Refused("DEADLINE_EXCEEDED", "the frame was not done before its deadline") from None
        except QuestionError as error:
            raise Refused("INTERNAL", str(error)) from None
        if not ended.leaves:
            return self._asked_next(job, ended, timings)
        return self._answer(job.request.id, ended, timings)

    def _answer(self, frame: str, ended: Ended, said: Mapping[str, str | int | bool]) -> Any:
        """Return the result of a frame as the answer to its call."""
        answer = message("ModelInferResponse", model_name=self._shelf.model, id=frame)
        contents = describe(answer, ended.tensors)
        put_parameters(answer, {**self._said_of(ended), **said})
        return answer, contents

    def _asked_next(self, job: Job, ended: Ended, timings: Mapping[str, int]) -> Any:
        import grpc

        assert job.version.onward is not None
        peer, request = job.version.onward.peer, self._request(job)
        try:
            contents = self._described(job.version, request, ended.tensors)
        except QuestionError as error:
            raise Refused("INTERNAL", str(error)[:300]) from None
        spare_ns = job.spare_ns
        try:
            answer = peer.infer(request, (job.until_ns - spare_ns - time.monotonic_ns()) / 1e9, contents)
        except (grpc.RpcError, ValueError) as error:  # the latter: its channel was closed meanwhile
            code: Any = error if isinstance(error, grpc.RpcError) else None
            why = f"{peer.address}: {error if code is None else code.details()}"[:300]
            if spare_ns and ended.instead is not None:
                return self._answer(job.request.id, ended.instead, {"fell_back": why, **timings})
            raise Refused("UNAVAILABLE" if code is None else code.code().name, why) from None
        put_parameters(answer.message, timings)
        return answer

    def _said_of(self, ended: Ended) -> dict[str, str | int | bool]:
        said: dict[str, str | int | bool] = {}
        if ended.exit is not None:
            said["exit"] = ended.exit
        if ended.entropy is not None:
            said["entropy"] = repr(ended.entropy)
        return said

    # What workers do.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            begun_ns = time.monotonic_ns()
            try:
                self._serve(job)
            except Exception as error:  # a frame that cannot be served is reported, and the next one served
                log.exception("frame '%s'", job.request.id)
                self._fail(job, f"{type(error).__name__}: {error}"[:300])
            finally:
                self._at_work.pop(threading.get_ident(), None)
                job.arrival.release()
                self._count(time.monotonic_ns() - begun_ns)

    def _serve(self, job: Job) -> None:
        begun_ns = time.monotonic_ns()
        if begun_ns > job.until_ns:
            self._fail(job, "it waited for a worker until its deadline")
            return
        self._at_work[threading.get_ident()] = job.version.number, begun_ns
        try:
            tensors, decode_ns = self._decoded(job)
            ended, more = job.run(tensors, (job.version.slow or self._slow))
            timings = self._timings(job, begun_ns, time.monotonic_ns(), decode_ns) | more
            self._at_work.pop(threading.get_ident(), None)
            ended = job.apart(ended)
            if job.result is None:
                self._send(job, ended, timings)
            else:
                job.result.set_result((ended, timings))
        except TiercutError as error:
            self._fail(job, str(error)[:300])

    def _decoded(self, job: Job) -> tuple[dict[str, NDArray[Any]], int]:
        """Return what came through a codec as it was, and the nanoseconds that this took, as on a slower machine."""
        coming, clock = job.version.coming, job.version.run.clock
        if not coming.is_encoded(job.parameters):
            return job.tensors, 0
        since_ns, begun = time.monotonic_ns(), clock()
        tensors = coming.decoded(job.tensors, job.parameters)
        (job.version.slow or self._slow)(clock() - begun)
        return tensors, time.monotonic_ns() - since_ns

    @staticmethod
    def _request(job: Job, model: str | None = None) -> Any:
        """Return a request about a frame, to the next partition or another model."""
        name = job.version.bundle.model if model is None else model
        return message("ModelInferRequest", model_name=name, model_version=job.version.number, id=job.request.id)

    def _described(self, version: Version, request: Any, tensors: Mapping[str, NDArray[Any]]) -> list[Bytes]:
        """Describe what goes on, through its codec if there is one, as on a slower machine; return its bytes."""
        begun = version.run.clock()
        contents = version.going.describe(request, tensors)
        if version.going.codec is not None:
            (version.slow or self._slow)(version.run.clock() - begun)
        return contents

    def _timings(self, job: Job, begun_ns: int, ended_ns: int, decode_ns: int) -> dict[str, int]:
        stage, sent_ns = job.version.bundle.stage, job.parameters.get("sent_ns")
        found = {
            named(stage, "queue"): begun_ns - job.received_ns - job.decode_ns,
            named(stage, "decode"): job.decode_ns + decode_ns,
            named(stage, "compute"): ended_ns - begun_ns - decode_ns,
            came_by(stage): TRANSPORTS.index(job.arrival.by),
        }
        if isinstance(sent_ns, int):
            found[named(stage, "send")] = job.received_ns - sent_ns
        return found

    def _send(self, job: Job, ended: Ended, timings: dict[str, int]) -> None:
        begun_ns = time.monotonic_ns()
        request = self._request(job, RESULTS if ended.leaves else None)
        described = describe if ended.leaves else partial(self._described, job.version)
        contents = described(request, ended.tensors)
        kept = {name: job.parameters[name] for name in _PASSED_ON if name in job.parameters and not ended.leaves}
        said = {"warm_up": True} if job.warms_up else {}
        put_parameters(request, self._said_of(ended) | said if ended.leaves else kept)
        carried = {
            name: value for name, value in job.parameters.items() if name.startswith("stage") and isinstance(value, int)
        }
        timings[named(job.version.bundle.stage, "encode")] = time.monotonic_ns() - begun_ns
        spare_ns = 0 if ended.leaves else job.spare_ns
        if spare_ns and ended.instead is not None:
            kept_until = Held(ended.instead, carried | timings, job.until_ns, job.version)
            self._held.keep(job.destination, job.request.id, kept_until)
        if job.warms_up and not ended.leaves:
            job.version.follows.wait(_TOLD_S)  # whoever starts agents tells them the next one only once all are ready
        outlet = self._home(job.destination, job.version.home) if ended.leaves else job.version.onward
        assert outlet is not None
        if spare_ns and not outlet.is_up:
            self._not_taken(job, f"{outlet.address} does not answer")
            return
        try:
            outlet.put(
                request,
                contents,
                job.until_ns,
                lambda why: self._not_taken(job, why),
                carried | timings,
                direct=job.skips_links,
                spare_ns=spare_ns,
                answered=None if ended.leaves else partial(self._pass_on, job, carried | timings, time.monotonic_ns()),
            )
        except Full:
            self._not_taken(job, "too many frames wait for the link already")

    def _pass_on(self, job: Job, timings: dict[str, int], sent_ns: int, answer: Opened, called_ns: int) -> None:
        """Send home what a server that is no agent answered itself, once the machine it stands for would have."""
        waited_ns, took_ns = self._stood_for.taken(called_ns, time.monotonic_ns())
        try:
            request, contents = as_result(answer, job, self._request(job, RESULTS))
            self._home(job.destination, self._emulation.next_home).put(
                request,
                contents,
                job.until_ns,
                lambda why: self._not_taken(job, why),
                timings | as_stage(job, called_ns - sent_ns, waited_ns, took_ns),
                direct=job.skips_links,
                ready_ns=called_ns + waited_ns + took_ns,
            )
        except (Full, QuestionError) as error:
            self._not_taken(job, str(error) or "too many results wait already")

    # Where a frame cannot go on.

    def _not_taken(self, job: Job, reason: str) -> None:
        """Answer a frame that the next partition did not take from the last exit here, if there is one, or fail it."""
        if not self._fell_back(job.destination, job.request.id, reason):
            self._fail(job, reason)

    def _asked_to_fall_back(self, frame: str, parameters: Mapping[str, str | int | bool]) -> Any:
        """Answer a frame that went on, and whose result does not come."""
        destination, why = str(parameters.get("destination", "")), str(parameters.get("why", ""))
        if not self._fell_back(destination, frame, why):
            raise Refused("NOT_FOUND", "no answer is held for this frame")
        return self._accepted(frame)

    def _fell_back(self, destination: str, frame: str, why: str) -> bool:
        """Send what the last exit said of a frame; return whether it is held."""
        held = self._held.take(destination, frame)
        if held is None:
            return False
        number = held.version.number
        request = message("ModelInferRequest", model_name=RESULTS, model_version=number, id=frame)
        contents = describe(request, held.ended.tensors)
        said = f"{held.version.bundle.node}: {why}"[:300]
        put_parameters(request, self._said_of(held.ended) | {"fell_back": said})
        try:
            self._home(destination, held.version.home).put(
                request,
                contents,
                held.until_ns,
                lambda lost: log.warning("frame '%s': %s; %s", frame, said, lost),
                held.timings,
            )
        except Full:
            return False
        return True

    def _home(self, destination: str, way: Way | None = None) -> Outlet:
        return self._homes.get(destination, self._emulation.home if way is None else way)

    def _fail(self, job: Job, reason: str) -> None:
        """Report a frame as failed to whoever waits for it; that its report fails too is left to their deadline."""
        said = f"{job.version.bundle.node}: {reason}"
        if job.result is not None:
            if not job.result.done():
                job.result.set_exception(QuestionError(said))
            return
        request = self._request(job, RESULTS)
        put_parameters(request, {"failed": said[:1000]})
        until_ns = max(job.until_ns, time.monotonic_ns()) + round(1e9)
        try:
            self._home(job.destination, job.version.home).put(
                request, (), until_ns, lambda why: log.warning("frame '%s': %s; %s", job.request.id, said, why), {}
            )
        except (Full, QuestionError):
            log.warning("frame '%s': %s", job.request.id, said)
