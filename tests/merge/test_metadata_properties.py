"""Whatever bytes stand in the metadata: they are read as rows that keep the rules, or refused in a message."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skinlesion.core.ham10000 import CODES
from skinlesion.core.ids import IMAGE_ID
from skinlesion.merge import metadata
from skinlesion.runtime.errors import UserError

within = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
odd = st.sampled_from(
    ["", " ", "nan", "-5", "1e9", "../x", "a/b", '"', '"a\nb"', "\0", "\ufeff", "Rücken", "NV", "x" * 200]
)
cell = odd | st.text(max_size=8)
good = st.fixed_dictionaries(
    {
        "lesion_id": st.sampled_from(["HAM_1", "HAM_2"]),
        "image_id": st.integers(0, 5).map("ISIC_{}".format),
        "dx": st.sampled_from([*CODES, "NV"]),
        "dx_type": st.just("histo"),
        "age": st.sampled_from(["", "45", "80.0"]),
        "sex": st.sampled_from(["male", "female", "unknown"]),
        "localization": st.sampled_from(["back", '"lower\nextremity, left"']),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A CSV that is right but for some cells, its separators, line ends, encoding, and bytes here and there."""
    columns = draw(st.permutations([*metadata.COLUMNS, "more"]) | st.lists(st.sampled_from(metadata.COLUMNS)))
    rows = [dict(row) for row in draw(st.lists(good, max_size=6, unique_by=lambda row: row["image_id"]))]
    for row in rows:
        row.update(draw(st.just({}) | st.dictionaries(st.sampled_from([*metadata.COLUMNS, "more"]), cell, max_size=2)))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    lines = [separator.join(columns), *(separator.join(row.get(name, "") for name in columns) for row in rows)]
    text = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"])).join(lines)
    content = bytearray(text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace"))
    for place, value in draw(st.just([]) | st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=3)):
        content[place : place + 1] = bytes([value])
    return bytes(content[: draw(st.just(None) | st.integers(0, 500))])


def check(content: bytes, path: Path) -> bool:
    """Whether it is read; asserts what is to hold either way."""
    path.write_bytes(content)
    try:
        table = metadata.read(path)
    except UserError as refused:
        assert str(path) in str(refused)
        assert len(str(refused)) < 2000
        assert str(refused).isprintable()
        return False
    assert tuple(table.columns) == metadata.COLUMNS
    assert len(table) > 0
    assert all(IMAGE_ID.fullmatch(image_id) for image_id in table["image_id"])
    assert table["image_id"].is_unique
    assert table["image_id"].is_monotonic_increasing
    assert table["dx"].isin(CODES).all()
    assert (table["lesion_id"] != "").all()
    assert (table["age"].isna() | table["age"].between(0, 120)).all()
    assert all(value.isprintable() for name in metadata.COLUMNS if name != "age" for value in table[name])
    return True


@within
@given(content=st.binary(max_size=300))
def test_any_bytes(content: bytes, tmp_path: Path) -> None:
    check(content, tmp_path / "x.csv")


@within
@given(content=tables())
def test_nearly_right_tables(content: bytes, tmp_path: Path) -> None:
    check(content, tmp_path / "x.csv")


@within
@given(
    rows=st.lists(good, min_size=1, max_size=6, unique_by=lambda row: row["image_id"]),
    columns=st.permutations([*metadata.COLUMNS, "more"]),
    separator=st.sampled_from([";", "\t", ","]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_right_tables_are_read_whole(
    rows: list[dict[str, str]], columns: list[str], separator: str, end: str, encoding: str, tmp_path: Path
) -> None:
    lines = [separator.join(columns), *(separator.join(row.get(name, "") for name in columns) for row in rows)]
    assert check(end.join(lines).encode(encoding), tmp_path / "x.csv")
    table = metadata.read(tmp_path / "x.csv").set_index("image_id")
    assert sorted(table.index) == sorted(row["image_id"] for row in rows)
    for row in rows:
        found = table.loc[row["image_id"]]
        assert found["dx"] == row["dx"].lower()
        assert found["localization"] == row["localization"].replace("\n", " ").strip('"')
        assert found["age"] == pytest.approx(float(row["age"] or "nan"), nan_ok=True)
