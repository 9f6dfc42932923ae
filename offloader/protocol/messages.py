"""The messages of the Open Inference Protocol, built here in a pool of their own.

Stubs that were generated elsewhere register the same names in the default pool of protobuf, and two of them cannot live
in one process; these can live beside any. The numbers of the fields are those of the protocol's
``open_inference_grpc.proto``.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

__all__ = ["ACCEPTED", "METHODS", "SERVICE", "Method", "is_request", "message", "methods"]

SERVICE = "inference.GRPCInferenceService"

ACCEPTED = "accepted"
"""The parameter of an agent's answer to a frame whose result goes elsewhere; another server answers with the result."""

METHODS = (
    *("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"),
    *("RepositoryModelLoad", "RepositoryModelUnload"),
)
"""Those of the protocol, and of its extension for model repositories those that change what is served."""

_TEXT, _WHOLE, _FLAG, _RAW = "string", "int64", "bool", "bytes"

# name -> ((field, number, type, repeated), ...); a type that is no scalar is a message, "map<...>" is a map of it.
_SCALARS = {
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "bool": 8,
    "string": 9,
    "bytes": 12,
    "uint32": 13,
}
_MESSAGE = 11
_OPTIONAL, _REPEATED = 1, 3

_Field = tuple[str, int, str, bool]

_PARAMETER: tuple[_Field, ...] = (
    ("bool_param", 1, _FLAG, False),
    ("int64_param", 2, _WHOLE, False),
    ("string_param", 3, _TEXT, False),
    ("double_param", 4, "double", False),
    ("uint64_param", 5, "uint64", False),
)
_TENSOR: tuple[_Field, ...] = (
    ("name", 1, _TEXT, False),
    ("datatype", 2, _TEXT, False),
    ("shape", 3, _WHOLE, True),
    ("parameters", 4, "map<InferParameter>", False),
    ("contents", 5, "InferTensorContents", False),
)
_DESCRIBED: tuple[_Field, ...] = (
    ("name", 1, _TEXT, False),
    ("datatype", 2, _TEXT, False),
    ("shape", 3, _WHOLE, True),
)
_HELD: tuple[_Field, ...] = (
    ("repository_name", 1, _TEXT, False),
    ("model_name", 2, _TEXT, False),
    ("parameters", 3, "map<ModelRepositoryParameter>", False),
)
_NAMED: tuple[_Field, ...] = (("name", 1, _TEXT, False), ("version", 2, _TEXT, False))
_HEAD: tuple[_Field, ...] = (
    ("model_name", 1, _TEXT, False),
    ("model_version", 2, _TEXT, False),
    ("id", 3, _TEXT, False),
    ("parameters", 4, "map<InferParameter>", False),
)

_MESSAGES: dict[str, tuple[_Field, ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": (("live", 1, _FLAG, False),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", 1, _FLAG, False),),
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": (("ready", 1, _FLAG, False),),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (*_NAMED, ("extensions", 3, _TEXT, True)),
    "ModelMetadataRequest": _NAMED,
    "ModelMetadataResponse": (
        ("name", 1, _TEXT, False),
        ("versions", 2, _TEXT, True),
        ("platform", 3, _TEXT, False),
        ("inputs", 4, "ModelMetadataResponse.TensorMetadata", True),
        ("outputs", 5, "ModelMetadataResponse.TensorMetadata", True),
    ),
    "ModelMetadataResponse.TensorMetadata": _DESCRIBED,
    "ModelInferRequest": (
        *_HEAD,
        ("inputs", 5, "ModelInferRequest.InferInputTensor", True),
        ("outputs", 6, "ModelInferRequest.InferRequestedOutputTensor", True),
        ("raw_input_contents", 7, _RAW, True),
    ),
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": (
        ("name", 1, _TEXT, False),
        ("parameters", 2, "map<InferParameter>", False),
    ),
    "ModelInferResponse": (
        *_HEAD,
        ("outputs", 5, "ModelInferResponse.InferOutputTensor", True),
        ("raw_output_contents", 6, _RAW, True),
    ),
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "RepositoryModelLoadRequest": _HELD,
    "RepositoryModelLoadResponse": (),
    "RepositoryModelUnloadRequest": _HELD,
    "RepositoryModelUnloadResponse": (),
    "InferParameter": _PARAMETER,
    "ModelRepositoryParameter": (*_PARAMETER[:3], ("bytes_param", 4, _RAW, False)),
    "InferTensorContents": (
        ("bool_contents", 1, _FLAG, True),
        ("int_contents", 2, "int32", True),
        ("int64_contents", 3, _WHOLE, True),
        ("uint_contents", 4, "uint32", True),
        ("uint64_contents", 5, "uint64", True),
        ("fp32_contents", 6, "float", True),
        ("fp64_contents", 7, "double", True),
        ("bytes_contents", 8, _RAW, True),
    ),
}


class Method(NamedTuple):
    """A call of the service: its path, and the classes of what it takes and gives."""

    path: str
    request: Any
    response: Any


@cache
def _classes() -> dict[str, Any]:
    """Return the class of every message, made once."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="tiercut/open_inference.proto", package="inference", syntax="proto3")
    built: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        part = (built[outer].nested_type if outer else file.message_type).add(name=inner)
        built[name] = part
        for field in fields:
            _add(part, name, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}")) for name in _MESSAGES
    }


def _add(part: Any, owner: str, name: str, number: int, kind: str, repeated: bool) -> None:
    """Add a field to the description of a message."""
    field = part.field.add(name=name, number=number, label=_REPEATED if repeated else _OPTIONAL)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        if owner in ("InferParameter", "ModelRepositoryParameter"):
            if not part.oneof_decl:
                part.oneof_decl.add(name="parameter_choice")
            field.oneof_index = 0
        return
    field.type = _MESSAGE
    if not kind.startswith("map<"):
        field.type_name = f".inference.{kind}"
        return
    entry = part.nested_type.add(name=f"{name.title()}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_OPTIONAL, type=_SCALARS["string"])
    entry.field.add(
        name="value", number=2, label=_OPTIONAL, type=_MESSAGE, type_name=f".inference.{kind.removeprefix('map<')[:-1]}"
    )
    field.label, field.type_name = _REPEATED, f".inference.{owner}.{entry.name}"


def message(name: str, /, **fields: Any) -> Any:
    """Return a message by its name, such as ``ModelInferRequest``."""
    return _classes()[name](**fields)


def methods() -> dict[str, Method]:
    """Return the calls of the service by name."""
    known = _classes()
    return {name: Method(f"/{SERVICE}/{name}", known[f"{name}Request"], known[f"{name}Response"]) for name in METHODS}


@cache
def is_request(kind: Any) -> bool:
    """Return whether a class of messages is that of requests, which costs protobuf 7 us to say."""
    return hasattr(kind, "RAW_INPUT_CONTENTS_FIELD_NUMBER")
