"""PyTorch models as ONNX files: exported for a batch, and read back."""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from tiercut.errors import QuestionError

__all__ = ["exported_from_torch", "is_torch"]


def is_torch(made: Any) -> bool:
    """Return whether what a function returned is a PyTorch model, alone or with an example of its input."""
    torch = sys.modules.get("torch")
    first = made[0] if isinstance(made, tuple | list) and made else made
    keras = sys.modules.get("keras")
    if torch is None or (keras is not None and isinstance(first, keras.Model)):
        return False
    return isinstance(first, torch.nn.Module)


@contextmanager
def exported_from_torch(name: str, made: Any, batch: int | None) -> Iterator[Path]:
    """Give the ONNX file of a PyTorch model, as long as the context lasts.

    The exporter that traces is taken: it names tensors by the modules that make them. It writes the batch of the
    example into the file, so the example is made as many samples as one call has.

    Parameters
    ----------
    name
        What the model is called.
    made
        A ``torch.nn.Module`` and an example of its input, a tensor or a tuple of them.
    batch
        Samples in one call; None: those of the example.

    Raises
    ------
    QuestionError
        If there is no example, or it cannot be exported.
    """
    import torch

    if not isinstance(made, tuple | list) or len(made) != 2:
        raise QuestionError(
            f"'{name}' returns a PyTorch model alone; let it return the model and an example of its input, such as "
            "(model, torch.zeros(1, 3, 224, 224))"
        )
    model, example = made
    tensors = example if isinstance(example, tuple | list) else (example,)
    if not tensors or not all(isinstance(each, torch.Tensor) for each in tensors):
        raise QuestionError(
            f"'{name}': the example must be a tensor or a tuple of tensors, not {type(example).__name__}"
        )
    inputs = tuple(tensors) if batch is None else tuple(_of_batch(each, batch) for each in tensors)
    with tempfile.TemporaryDirectory(prefix="tiercut-") as folder:
        path = Path(folder) / f"{name}.onnx"
        try:
            _export(model.eval(), inputs, path)
        except Exception as error:  # what torch raises for what it cannot export is of every kind
            first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise QuestionError(f"torch cannot export '{name}' to ONNX: {first.strip()[:300]}") from error
        yield path


def _export(model: Any, inputs: Sequence[Any], path: Path) -> None:
    import torch

    names = [f"input{number}" if len(inputs) > 1 else "input" for number in range(1, len(inputs) + 1)]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")  # that the exporter which traces is the older one, and what it traces
        torch.onnx.export(model, tuple(inputs), str(path), input_names=names, dynamo=False)


def _of_batch(tensor: Any, batch: int) -> Any:
    """Return a tensor of so many samples, each the first one."""
    if tensor.dim() == 0:
        return tensor
    return tensor[:1].expand(batch, *tensor.shape[1:]).contiguous()
