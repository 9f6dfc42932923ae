"""Tables in Parquet files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tiercut.documents.files import write_whole
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_parquet"]


def write_parquet(frame: pd.DataFrame, path: str | os.PathLike[str], sorts: Mapping[str, type] | None = None) -> None:
    """Write a frame as a Parquet file, whole and without its index.

    Parameters
    ----------
    frame
        The rows.
    path
        Where to.
    sorts
        The columns that are no float64: of str, int or bool, empty cells allowed in each; by default what the frame
        says.

    Raises
    ------
    InputError
        If there is no such place to write.
    QuestionError
        If pyarrow, which writes it, is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise QuestionError(
            "writing Parquet needs the package pyarrow; install it with pip install 'tiercut[tables]'"
        ) from None
    schema = None
    if sorts is not None:
        known = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
        schema = pa.schema([(name, known[sorts.get(name, float)]) for name in frame.columns])
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    write_whole(path, lambda stream: parquet.write_table(table, stream))
