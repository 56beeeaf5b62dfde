"""The metadata is read as it is, and each fault of a row is named by line and id."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.merge import metadata
from skinlesion.runtime.errors import UserError

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
ROWS = (
    "HAM_2,ISIC_3,mel,histo,80.0,male,back",
    "HAM_1,ISIC_1,nv,follow_up,,unknown,unknown",
    "HAM_1,ISIC_2,nv,histo,45,female,",
)


def write(folder: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path = folder / "HAM10000_metadata.csv"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def test_rows_come_sorted_as_text_and_age_as_a_number(tmp_path: Path) -> None:
    table = metadata.read(write(tmp_path, HEADER, *ROWS))
    assert list(table["image_id"]) == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert list(table["lesion_id"]) == ["HAM_1", "HAM_1", "HAM_2"]
    assert list(table["dx"]) == ["nv", "nv", "mel"]
    assert list(table["sex"]) == ["unknown", "female", "male"]
    assert list(table["localization"]) == ["unknown", "", "back"]
    np.testing.assert_array_equal(table["age"], [np.nan, 45, 80])
    assert tuple(table.columns) == metadata.COLUMNS


def test_ids_that_look_like_numbers_or_gaps_stay_as_they_are(tmp_path: Path) -> None:
    rows = ("007,0012,nv,histo,45,male,back", "NA,1e3,nv,histo,45,male,back")
    table = metadata.read(write(tmp_path, HEADER, *rows))
    assert list(table["image_id"]) == ["0012", "1e3"]
    assert list(table["lesion_id"]) == ["007", "NA"]


@pytest.mark.parametrize(
    ("encoding", "end", "header", "rows"),
    [
        ("utf-8-sig", "\r\n", HEADER, ROWS),
        ("utf-8", "\n", HEADER, [row.replace(",", " , ") for row in ROWS]),
        ("utf-8", "\n", f"{HEADER},dataset", [f"{row},vidir" for row in ROWS]),
        ("utf-8", "\n", f'"{HEADER.replace(",", chr(34) + "," + chr(34))}"', ROWS),
        ("utf-8", "\r", HEADER, ROWS),
        ("utf-16", "\r\n", HEADER, ROWS),
        ("utf-8", "\n", HEADER.replace(",", ";"), [row.replace(",", ";") for row in ROWS]),
        ("utf-8", "\n", HEADER.replace(",", "\t"), [row.replace(",", "\t") for row in ROWS]),
        ("utf-8", "\n", HEADER.upper().replace(",", " ,"), [row.replace(",nv,", ",NV,") for row in ROWS]),
        ("utf-8", "\n\n", HEADER, [*ROWS, ",,,,,,"]),
        ("utf-8", "\n", f"{HEADER},,", [f"{row},,,," for row in ROWS]),
    ],
    ids=[
        "Windows",
        "spaces",
        "another column",
        "quotes",
        "old Mac",
        "UTF-16",
        "semicolons",
        "tabs",
        "capitals",
        "blank lines",
        "blank cells behind",
    ],
)
def test_ways_of_writing_do_not_matter(
    encoding: str, end: str, header: str, rows: tuple[str, ...], tmp_path: Path
) -> None:
    plain = metadata.read(write(tmp_path, HEADER, *ROWS))
    other = metadata.read(write(tmp_path, header, *rows, encoding=encoding, end=end))
    pd.testing.assert_frame_equal(other, plain)


REFUSED = {
    "blank image_id": (("HAM_5,,nv,histo,45,male,back",), "image_id must be the image's name", "'' in line 5"),
    "image_id of spaces": (("HAM_5,  ,nv,histo,45,male,back",), "image_id must be", "'' in line 5"),
    "image_id above": (("HAM_5,../x,nv,histo,45,male,back",), "image_id must be", "'../x' in line 5"),
    "image_id of the root": (("HAM_5,/etc/x,nv,histo,45,male,back",), "'/etc/x' in line 5"),
    "image_id without end": ((f"HAM_5,{'x' * 101},nv,histo,45,male,back",), "up to 100 letters", "in line 5"),
    "blank lesion_id": ((",ISIC_9,nv,histo,45,male,back",), "lesion_id must be filled in", "line 5 (ISIC_9)"),
    "rows that differ": (
        ("HAM_5,ISIC_3,nv,histo,80.0,male,back",),
        "rows of one image_id must agree",
        "ISIC_3, whose lines 2 and 5 differ in lesion_id, dx",
    ),
    "unknown dx": (("HAM_5,ISIC_9,scc,histo,45,male,back",), "dx must be one of akiec", "'scc' in line 5 (ISIC_9)"),
    "row too short": (("HAM_5,ISIC_9",), "line 5 has 2 cells, the header has 7"),
    "row too long": (("HAM_5,ISIC_9,nv,histo,45,male,back,x",), "line 5 has 8 cells, the header has 7"),
    "a NUL": (("HAM_5,ISIC_9,nv,histo,45,ma\0le,back",), "sex must be printable text", "line 5 (ISIC_9)"),
    "quote not closed": (
        ('HAM_5,ISIC_9,nv,"histo,45,male,back',),
        "the quotes of the row that begins in line 5 do not pair, or a cell is too long",
    ),
    "many": (
        [f"HAM_5,ISIC_9{number},scc,histo,45,male,back" for number in range(7)],
        "'scc' in line 9 (ISIC_94) and 2 more",
    ),
    "after blank lines": (("", "", "HAM_5,ISIC_9,scc,histo,45,male,back"), "in line 7"),
    "after a cell of two lines": (
        ('HAM_5,ISIC_8,nv,histo,45,male,"lower', 'extremity"', "HAM_5,ISIC_9,scc,histo,45,male,back"),
        "in line 7",
    ),
} | {
    f"age {age}": ((f"HAM_5,ISIC_9,nv,histo,{age},male,back",), "age must be a number of years", f"{age!r} in line 5")
    for age in ("abc", "45 years", "nan", "inf", "-5", "1e9", "121", "0x10", "True", "٤٥")
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_rows_are_named(name: str, tmp_path: Path) -> None:
    rows, *words = REFUSED[name]
    path = write(tmp_path, HEADER, *ROWS, *rows)
    with pytest.raises(UserError) as caught:
        metadata.read(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_separator_at_the_end_of_every_row_shifts_no_column(tmp_path: Path) -> None:
    """Pandas takes the first column for an index then; rows are refused, or read as they are meant."""
    path = write(tmp_path, HEADER, *(f"{row}," for row in ROWS))
    try:
        table = metadata.read(path)
    except UserError:
        return
    assert list(table["image_id"]) == ["ISIC_1", "ISIC_2", "ISIC_3"]


def test_missing_and_repeated_columns_are_named_beside_the_found(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,diagnosis,age,Age ", "ISIC_1,nv,45,46")
    with pytest.raises(
        UserError,
        match=r"once\. Not so: lesion_id, dx, dx_type, age, sex, localization\. Found: image_id, diagnosis, age, age\.",
    ):
        metadata.read(path)


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a header and no rows"):
        metadata.read(write(tmp_path, HEADER))


def test_the_same_row_again_counts_once(tmp_path: Path) -> None:
    plain = metadata.read(write(tmp_path, HEADER, *ROWS))
    pd.testing.assert_frame_equal(metadata.read(write(tmp_path, HEADER, *ROWS, *ROWS)), plain)


def test_commas_and_newlines_inside_of_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    row = 'HAM_5,ISIC_9,nv,histo,45,male,"lower\r\nextremity, left"'
    table = metadata.read(write(tmp_path, f"note,{HEADER}", f'"a, ""b""\n\nc",{row}'))
    assert table.loc[0, "localization"] == "lower extremity, left"
    assert table.loc[0, "image_id"] == "ISIC_9"


def test_other_bytes_matter_only_where_they_are_used(tmp_path: Path) -> None:
    rows = [f"{row},Müller" for row in ROWS]
    plain = metadata.read(write(tmp_path, HEADER, *ROWS))
    pd.testing.assert_frame_equal(metadata.read(write(tmp_path, f"{HEADER},by", *rows, encoding="latin-1")), plain)
    path = write(tmp_path, HEADER, *ROWS, "HAM_5,ISIC_9,nv,histo,45,male,Rücken", encoding="latin-1")
    with pytest.raises(
        UserError, match=r"localization must be printable text in UTF-8\. Received: 'R\\udcfccken' in line 5"
    ):
        metadata.read(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00a", b'lesion_id,"image'], ids=["empty", "binary", "cut"])
def test_what_is_no_csv_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "HAM10000_metadata.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(str(path))):
        metadata.read(path)


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metadata\.csv is missing: .*dvc repro -f download"):
        metadata.read(tmp_path / "metadata.csv")


def test_rows_and_images_are_matched(tmp_path: Path) -> None:
    table = metadata.read(write(tmp_path, HEADER, *ROWS))
    files: dict[str, Path] = {f"ISIC_{number}": Path(f"part_1/ISIC_{number}.jpg") for number in (1, 2, 3)}
    metadata.join_images(table, files)
    with pytest.raises(UserError, match=r"2 rows of the metadata have no image: ISIC_2, ISIC_3\. .*download"):
        metadata.join_images(table, {"ISIC_1": files["ISIC_1"]})
    with pytest.raises(UserError, match=r"1 images have no row in the metadata: part_1/x\.jpg\. Correct"):
        metadata.join_images(table, files | {"x": Path("part_1/x.jpg")})


def test_real_metadata(real_raw: Path) -> None:
    table = metadata.read(real_raw / "HAM10000_metadata.csv")

    def counted(column: str) -> dict:
        return table[column].value_counts().to_dict()

    assert len(table) == 10_015
    assert table["lesion_id"].nunique() == 7_470
    assert counted("dx") == {
        "nv": 6705, "mel": 1113, "bkl": 1099, "bcc": 514, "akiec": 327, "vasc": 142, "df": 115,
    }  # fmt: skip
    assert counted("dx_type") == {
        "histo": 5340,
        "follow_up": 3704,
        "consensus": 902,
        "confocal": 69,
    }
    assert table["age"].isna().sum() == 57
    assert counted("sex")["unknown"] == 57
    assert counted("localization")["unknown"] == 234
    assert (table.groupby("lesion_id")["dx"].nunique() == 1).all()
