"""The metadata are read whole and as text, whatever bytes there are: rows that keep the rules, or one message.

tests/chain/test_bad_inputs.py has the faults, one by one.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skinlesion.core import metadata
from skinlesion.core.ham10000 import CODES
from skinlesion.runtime.errors import UserError

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
ROWS = (
    "HAM_2,ISIC_3,mel,histo,80.0,male,back",
    "HAM_1,ISIC_1,nv,follow_up,,unknown,unknown",
    "HAM_1,ISIC_2,nv,histo,45,female,",
)


def read(folder: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> pd.DataFrame:
    path = folder / "HAM10000_metadata.csv"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return metadata.read(path)


def test_rows_come_sorted_as_text_and_age_as_a_number(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER, *ROWS)
    assert list(table["image_id"]) == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert list(table["lesion_id"]) == ["HAM_1", "HAM_1", "HAM_2"]
    assert list(table["dx"]) == ["nv", "nv", "mel"]
    assert list(table["sex"]) == ["unknown", "female", "male"]
    assert list(table["localization"]) == ["unknown", "", "back"]
    np.testing.assert_array_equal(table["age"], [np.nan, 45, 80])
    assert list(table.columns) == metadata.COLUMNS


def test_ids_that_look_like_numbers_or_gaps_stay_as_they_are(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER, "007,0012,nv,histo,45,male,back", "NA,1e3,nv,histo,45,male,back")
    assert list(table["image_id"]) == ["0012", "1e3"]
    assert list(table["lesion_id"]) == ["007", "NA"]


@pytest.mark.parametrize(
    ("header", "rows", "ways"),
    {
        "Windows": (HEADER, ROWS, {"encoding": "utf-8-sig", "end": "\r\n"}),
        "spaces": (HEADER.replace(",", " ,"), [row.replace(",", " , ") for row in ROWS], {}),
        "another column": (f"{HEADER},dataset", [f"{row},vidir" for row in ROWS], {}),
        "quotes": (HEADER, [f'"{row}"'.replace(",", '","') for row in ROWS], {}),
        "blank lines": (HEADER, [*ROWS, ",,,,,,"], {"end": "\n\n"}),
        "unused bytes": (f"{HEADER},by", [f"{row},Müller" for row in ROWS], {"encoding": "latin-1"}),
    }.values(),
)
def test_ways_of_writing_do_not_matter(header: str, rows: list[str], ways: dict, tmp_path: Path) -> None:
    plain = read(tmp_path, HEADER, *ROWS)
    pd.testing.assert_frame_equal(read(tmp_path, header, *rows, **ways), plain)


def test_commas_in_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    table = read(tmp_path, f"note,{HEADER}", '"a, ""b""\n\nc",HAM_5,ISIC_9,nv,histo,45,male,"lower extremity, left"')
    assert table.loc[0, ["localization", "image_id"]].tolist() == ["lower extremity, left", "ISIC_9"]


def test_rows_and_images_are_matched(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER, *ROWS)
    files = {f"ISIC_{number}": Path(f"part_1/ISIC_{number}.jpg") for number in (1, 2, 3)}
    metadata.match_images(table, files)
    with pytest.raises(UserError, match=r"without an image.*ISIC_2, ISIC_3"):
        metadata.match_images(table, {"ISIC_1": files["ISIC_1"]})
    with pytest.raises(UserError, match=r"without a row.*part_1/x\.jpg"):
        metadata.match_images(table, files | {"x": Path("part_1/x.jpg")})


within = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
odd = st.sampled_from(["", " ", "nan", "-5", "1e9", "../x", '"', '"a\nb"', "\0", "\ufeff", "Rücken", "NV", "x" * 200])
good = st.fixed_dictionaries(
    {
        "lesion_id": st.sampled_from(["HAM_1", "HAM_2"]),
        "image_id": st.integers(0, 5).map("ISIC_{}".format),
        "dx": st.sampled_from(CODES),
        "dx_type": st.just("histo"),
        "age": st.sampled_from(["", "45", "80.0"]),
        "sex": st.sampled_from(["male", "female", "unknown"]),
        "localization": st.sampled_from(["back", '"lower extremity, left"']),
    }
)
good_rows = st.lists(good, min_size=1, max_size=6, unique_by=lambda row: row["image_id"])


def csv(columns: list[str], rows: list[dict[str, str]], end: str, separator: str = ",") -> str:
    return end.join(separator.join(cells) for cells in [columns, *([row.get(c, "") for c in columns] for row in rows)])


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A CSV that is right but for some cells, its separators, line ends, encoding, and bytes here and there."""
    columns = draw(st.permutations([*metadata.COLUMNS, "more"]) | st.lists(st.sampled_from(metadata.COLUMNS)))
    rows = [dict(row) for row in draw(good_rows)]
    for row in rows:
        row.update(
            draw(st.dictionaries(st.sampled_from([*metadata.COLUMNS, "more"]), odd | st.text(max_size=8), max_size=1))
        )
    text = csv(columns, rows, draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"])), draw(st.sampled_from(",;\t|")))
    content = bytearray(text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace"))
    for place, value in draw(st.just([]) | st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=3)):
        content[place : place + 1] = bytes([value])
    return bytes(content[: draw(st.just(None) | st.integers(0, 500))])


@within
@given(content=st.binary(max_size=300) | tables())
def test_any_bytes_are_rows_that_keep_the_rules_or_one_message(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    try:
        table = metadata.read(path)
    except UserError as error:
        assert str(path) in str(error)
        assert len(str(error)) < 2000
        assert str(error).isprintable()
        return
    assert list(table.columns) == metadata.COLUMNS
    assert all(metadata.IMAGE_ID.fullmatch(image_id) for image_id in table["image_id"])
    assert table["image_id"].is_unique
    assert table["image_id"].is_monotonic_increasing
    assert table["dx"].isin(CODES).all()
    assert (table["lesion_id"] != "").all()
    assert (table["age"].isna() | table["age"].between(0, 120)).all()
    assert all(value.isprintable() for name in metadata.COLUMNS if name != "age" for value in table[name])


@within
@given(
    rows=good_rows,
    columns=st.permutations([*metadata.COLUMNS, "more"]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_right_tables_are_read_whole(rows: list, columns: list[str], end: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(csv(columns, rows, end).encode(encoding))
    table = metadata.read(tmp_path / "x.csv").set_index("image_id")
    assert sorted(table.index) == sorted(row["image_id"] for row in rows)
    for row in rows:
        cells = table.loc[row["image_id"]]
        assert cells["dx"] == row["dx"]
        assert cells["localization"] == row["localization"].strip('"')
        assert cells["age"] == pytest.approx(float(row["age"] or "nan"), nan_ok=True)
