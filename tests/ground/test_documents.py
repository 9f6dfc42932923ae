from __future__ import annotations

import json
import os
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, strategies as st
from pydantic import Field

from tiercut import documents
from tiercut.documents import Document, Key, Si, quantity
from tiercut.errors import Fault, InputError

FORMAT = "tiercut.garden/1"


class Bed(Document):
    plant: str
    length: quantity("size", positive=True) = 1.0  # type: ignore[valid-type]
    rows: int = Field(default=1, ge=1)


class Garden(Document):
    format: Literal["tiercut.garden/1"]
    owner: str
    wild: bool = False
    share: float | None = Field(default=None, ge=0, le=1)
    kind: Literal["kitchen", "flower"] = "kitchen"
    beds: list[Bed] = Field(default_factory=list)
    tools: dict[str, int] = Field(default_factory=dict)

    def faults(self) -> Iterable[tuple[Key, str]]:
        for place, bed in enumerate(self.beds):
            if bed.plant == self.owner:
                yield ("beds", place, "plant"), "nobody plants themselves"


GOOD = f"""\
format: {FORMAT}
owner: ann
beds:
  - {{plant: bean, length: 2 B}}
  - {{plant: pea}}
tools: {{spade: 1}}
"""


def read(text: str, folder: Path, name: str = "garden.yaml", limit: int = 10_000) -> Garden:
    (folder / name).write_text(text)
    return documents.load(folder / name, Garden, format_=FORMAT, limit=limit)


def faults(text: str, folder: Path, name: str = "garden.yaml") -> tuple[Fault, ...]:
    with pytest.raises(InputError) as caught:
        read(text, folder, name)
    return caught.value.faults


def fault(text: str, folder: Path, name: str = "garden.yaml") -> Fault:
    (only,) = faults(text, folder, name)
    return only


def test_a_sound_document_is_read(tmp_path: Path) -> None:
    garden = read(GOOD, tmp_path)
    assert garden.owner == "ann"
    assert [bed.length for bed in garden.beds] == [2.0, 1.0]


def test_the_same_document_may_be_json(tmp_path: Path) -> None:
    data = {"format": FORMAT, "owner": "ann", "beds": [{"plant": "bean", "length": "2 B"}]}
    assert read(json.dumps(data), tmp_path, "garden.json").beds[0].length == 2.0


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "garden.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert documents.load(tmp_path / "garden.yaml", Garden, format_=FORMAT, limit=999).owner == "ann"


def test_an_error_begins_with_file_line_column_and_key(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(GOOD.replace("2 B", "0 B"), tmp_path)
    expected = f"{tmp_path / 'garden.yaml'}:4:27: beds[0].length: a size must be greater than 0, got '0 B'"
    assert str(caught.value) == expected


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = faults(GOOD.replace("2 B", "2").replace("spade: 1", "spade: x").replace("ann", "3"), tmp_path)
    assert [(each.line, each.key) for each in found] == [(2, "owner"), (4, "beds[0].length"), (6, "tools.spade")]


def test_a_long_list_of_faults_is_cut_and_counted(tmp_path: Path) -> None:
    text = GOOD.replace("  - {plant: pea}\n", "  - {plant: pea, rows: 0}\n" * 30)
    found = faults(text, tmp_path)
    assert len(found) == 13
    assert found[-1].message == "... and 18 more"


def test_rules_between_keys_are_located_like_those_of_one(tmp_path: Path) -> None:
    found = fault(GOOD.replace("plant: pea", "plant: ann"), tmp_path)
    assert (found.line, found.column, found.key) == (5, 13, "beds[1].plant")


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("tools", "tols", "tols", "unknown key 'tols'; did you mean 'tools'?"),
        ("{plant: pea}", "{plant: pea, lenght: 1 B}", "beds[1].lenght", "did you mean 'length'?"),
        ("{plant: pea}", "{plant: pea, xyz: 1 B}", "beds[1].xyz", "known here: plant, length, rows"),
        ("owner: ann\n", "", "owner", "this key is missing"),
        ("{plant: pea}", "{rows: 2}", "beds[1].plant", "this key is missing"),
        ("2 B", "2", "beds[0].length", "such as '150 KB', got the bare value 2"),
        ("2 B", "2 b", "beds[0].length", "whose unit 'b' is none of B kB KB MB GB KiB MiB GiB"),
        ("2 B", ".nan", "beds[0].length", "got the bare value nan"),
        ("2 B", "nan B", "beds[0].length", "expected a size with its unit"),
        ("2 B", "-2 B", "beds[0].length", "must be greater than 0, got '-2 B'"),
        ("spade: 1", "spade: 1.5", "tools.spade", "expected a whole number, got 1.5"),
        ("spade: 1", "spade: '1'", "tools.spade", "expected a whole number, got '1'; leave the quotes out"),
        ("spade: 1", "spade: x", "tools.spade", "expected a whole number, got 'x'"),
        ("spade: 1", "spade: 1, 7: 2", "tools[7]", "expected text, got 7; put it in quotes"),
        ("owner: ann", "owner: 12", "owner", "expected text, got 12; put it in quotes"),
        ("owner: ann", "owner: 2024-01-31", "owner", "expected text, got the date 2024-01-31; put it in quotes"),
        ("owner: ann", "owner: true", "owner", "expected text, got true; put it in quotes"),
        ("owner: ann", "owner:", "owner", "expected text, got nothing"),
        ("owner: ann", "owner: [ann, bob]", "owner", "expected text, got a list of 2"),
        ("owner: ann", "owner: ann\nwild: 'yes'", "wild", "expected true or false, got 'yes'"),
        ("owner: ann", "owner: ann\nshare: .nan", "share", "expected a finite number, got nan"),
        ("owner: ann", "owner: ann\nshare: 2", "share", "expected a number that is at most 1, got 2"),
        ("owner: ann", "owner: ann\nshare: -1", "share", "expected a number that is at least 0, got -1"),
        ("owner: ann", "owner: ann\nkind: herb", "kind", "expected 'kitchen' or 'flower', got 'herb'"),
        ("{plant: pea}", "pea", "beds[1]", "expected a mapping, got 'pea'"),
        ("tools: {spade: 1}", "tools: [spade]", "tools", "expected a mapping, got a list of 1"),
        ("tools: {spade: 1}", "tools: &t {spade: 1}\nwild: *t", "wild", "expected true or false, got a mapping"),
        ("tools: {spade: 1}", "tools: &t {spade: *t}", "", "the alias '*t' holds itself"),
        ("tools: {spade: 1}", "tools: {spade: *t}", "", "not YAML: found undefined alias 't'"),
        ("tools: {spade: 1}", "tools: {<<: {rake: 2}, spade: 1, spade: 2}", "spade", "the key stands twice"),
        ("tools: {spade: 1}", "tools: {<<: 3}", "", "expected a mapping or list of mappings for merging"),
        ("owner: ann", "owner: ann\nowner: bob", "owner", "the key stands twice in one mapping"),
        ("owner: ann", "owner: ann\n12: x", "[12]", "expected a key that is text, got 12; put it in quotes"),
        ("owner: ann", "owner: ann: bob", "", "not YAML: mapping values are not allowed here"),
        ("owner: ann", "\towner: ann", "", "indent with spaces, not tabs"),
        ("owner: ann", "owner: [ann", "", "not YAML: while parsing a flow sequence"),
        ("owner: ann", "owner: !!python/name:os.system x", "", "could not determine a constructor"),
        ("owner: ann", "owner: 2024-13-31", "", "looks like a date or a number but is none"),
        ("owner: ann", f"owner: {'9' * 5000}", "", "looks like a date or a number but is none"),
        ("tools: {spade: 1}", "---\nowner: bob", "", "expected a single document in the stream"),
        ("garden/1", "garden/2", "format", "this version of tiercut reads no other version of a garden"),
        ("tiercut.garden/1", "tiercut.topology/1", "format", "got a topology, 'tiercut.topology/1'"),
        ("tiercut.garden/1", "tiercut.answer/1", "format", "expected a garden, 'tiercut.garden/1', got an answer, "),
        ("format: tiercut.garden/1\n", "", "format", "this key is missing; expected 'format: tiercut.garden/1'"),
        ("tiercut.garden/1", "yaml", "format", "expected 'tiercut.garden/1', got 'yaml'"),
        ("tiercut.garden/1", "[1, 2]", "format", "expected 'tiercut.garden/1', got a list of 2"),
    ],
)
def test_a_fault_says_what_was_expected_and_what_came(
    old: str, new: str, key: str, message: str, tmp_path: Path
) -> None:
    assert old in GOOD
    found = fault(GOOD.replace(old, new, 1), tmp_path)
    assert found.key == key
    assert message in found.message


@pytest.mark.parametrize("text", ["- a\n- b\n", "hello", "# only a comment\n", "--- \n...\n", "12"])
def test_what_is_no_mapping_is_told_how_a_document_begins(text: str, tmp_path: Path) -> None:
    assert f"expected a mapping that begins with 'format: {FORMAT}', got " in fault(text, tmp_path).message


@pytest.mark.parametrize("text", ["", "  \n\n"])
def test_an_empty_file_is_called_empty(text: str, tmp_path: Path) -> None:
    assert fault(text, tmp_path).message == "the file is empty"


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: there is no such file"):
        documents.load(tmp_path / "none.yaml", Garden, format_=FORMAT, limit=999)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is a directory; name a file in it"):
        documents.read_text(tmp_path, limit=1 << 20)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be the name of a file"):
        documents.read_text("a\0b", limit=9)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        documents.read_text(path, limit=9999)


def test_a_file_that_is_not_utf_8_says_which_byte_where(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"format: x\nowner: Ren\xe9\n")
    with pytest.raises(InputError) as caught:
        documents.read_text(path, limit=999)
    (found,) = caught.value.faults
    assert (found.line, found.column) == (2, 11)
    assert "(0xe9) is not UTF-8; save the file as UTF-8 text" in found.message


def test_200_megabytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as stream:
        stream.truncate(200 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"has 209,715,200 bytes; one of its kind may have 1,048,576 at most"):
            documents.load(path, Garden, format_=FORMAT, limit=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no endless file here")
def test_a_file_without_an_end_is_left_after_its_limit() -> None:
    with pytest.raises(InputError, match="the file goes on and on"):
        documents.read_text("/dev/zero", limit=1 << 20)


def test_a_billion_laughs_are_refused_where_they_become_too_many(tmp_path: Path) -> None:
    lines = ["a0: &a0 [ha, ha]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]
    began = time.perf_counter()
    found = fault("\n".join(lines), tmp_path)
    assert found.line == 15
    assert "the aliases up to here repeat more than 100,000 values" in found.message
    assert time.perf_counter() - began < 60  # unrefused it would take hours


@pytest.mark.parametrize("link", ["[*a{}]", "{{<<: *a{}, k: 1}}"])
def test_aliases_of_aliases_count_as_deep_as_what_they_stand_for(tmp_path: Path, link: str) -> None:
    lines = ["a0: &a0 {j: 1}", *(f"a{i}: &a{i} {link.format(i - 1)}" for i in range(1, 100))]
    assert "is nested too deeply" in fault("\n".join(lines), tmp_path).message


def test_anchors_and_merge_keys_are_written_out() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a]\nd: {<<: [*a, {z: 4}]}\na2: &a 5\ne: *a"
    pair = {"x": 1, "y": 2}
    wanted = {"a": pair, "b": {"x": 1, "y": 3}, "c": [pair], "d": pair | {"z": 4}, "a2": 5, "e": 5}
    assert documents.parse_yaml(text, "a.yaml") == wanted


def test_a_fault_in_what_was_merged_is_shown_where_it_stands(tmp_path: Path) -> None:
    text = GOOD.replace("tools: {spade: 1}", "tools: {<<: {spade: x}}")
    assert text != GOOD
    found = fault(text, tmp_path)
    assert (found.key, text.splitlines()[(found.line or 0) - 1][(found.column or 0) - 1]) == ("tools.spade", "x")


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", "[" * 50_000), ("a.json", "[" * 100_000), ("b.yaml", "- " * 4000)]
)
def test_deep_nesting_is_refused_in_no_time(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    began = time.perf_counter()
    with pytest.raises(InputError, match="is nested too deeply"):
        documents.load(tmp_path / name, Garden, format_=FORMAT, limit=1 << 20)
    assert time.perf_counter() - began < 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": NaN}', "holds NaN, which is not a JSON number"),
        ('{"share": -Infinity}', "holds -Infinity"),
        ('{"owner": "a", "owner": "b"}', "the key stands twice in one object"),
        ('{"owner": "a",}', "not JSON: "),
        ("[1, 2", "not JSON: "),
    ],
)
def test_json_that_only_python_would_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    assert message in fault(text, tmp_path, "garden.json").message


def test_a_fault_in_json_has_line_and_column_too(tmp_path: Path) -> None:
    text = json.dumps(
        {"format": FORMAT, "owner": 'a "b" [{', "tools": {}, "beds": [{"plant": "x"}, {"plant": 1}]}, indent=1
    )
    found = fault(text, tmp_path, "garden.json")
    assert found.key == "beds[1].plant"
    row = text.splitlines()[found.line - 1 if found.line else 0]
    assert row[(found.column or 0) - 1 :] == "1"


def test_a_fault_far_down_a_long_json_file_is_found_quickly(tmp_path: Path) -> None:
    beds: list[dict[str, Any]] = [{"plant": "bean", "rows": 1} for _ in range(50_000)]
    beds[-1]["rows"] = 0
    path = tmp_path / "garden.json"
    path.write_text(json.dumps({"format": FORMAT, "owner": "ann", "beds": beds}, indent=1))
    began = time.perf_counter()
    with pytest.raises(InputError) as caught:
        documents.load(path, Garden, format_=FORMAT, limit=1 << 24)
    assert time.perf_counter() - began < 60  # about a second
    assert caught.value.faults[0].line == 4 + 50_000 * 4 - 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=12,
    ).filter(lambda value: isinstance(value, dict)),
    st.data(),
)
def test_every_value_of_a_json_text_is_found_where_it_stands(value: Any, data: st.DataObject) -> None:
    from tiercut.documents.parse import locate

    text = json.dumps(value, indent=data.draw(st.sampled_from([None, 2])))
    key: list[str | int] = []
    while isinstance(value, dict | list) and value:
        step = data.draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        key.append(step)
        value = value[step]
    ((line, column),) = locate(text, [tuple(key)])
    assert line is not None
    assert column is not None
    rest = "\n".join([text.splitlines()[line - 1][column - 1 :], *text.splitlines()[line:]])
    assert json.JSONDecoder().raw_decode(rest)[0] == value


def test_code_gives_quantities_in_the_inner_unit_and_they_are_checked_alike() -> None:
    assert Bed(plant="bean", length=Si(3.0)).length == 3.0
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must be finite and greater than 0"):
            Bed(plant="bean", length=Si(wrong))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    documents.write_text(path, "one")
    assert path.read_text() == "one"

    def fail(stream: Any) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        documents.write_whole(path, fail)
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_a_written_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        documents.write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_whether_a_file_can_be_written_later_is_found_out_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("kept")
    documents.check_writable(tmp_path / "there.txt")
    documents.check_writable(tmp_path / "deep" / "deeper" / "new.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["there.txt"]
    assert (tmp_path / "there.txt").read_text() == "kept"


def test_a_file_that_could_not_be_written_later_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for path, fault in (
        (tmp_path, "this is a directory; name a file in it"),
        (tmp_path / "file" / "deep" / "it.txt", r"cannot be written: '.*file' is no folder; name another place"),
        (tmp_path / ("x" * 300), "cannot be written: File name too long"),
    ):
        with pytest.raises(InputError, match=fault):
            documents.check_writable(path)

    def forbid(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", forbid)
    with pytest.raises(InputError, match=r"it\.txt: cannot be written: Permission denied; name another place"):
        documents.check_writable(tmp_path / "it.txt")
