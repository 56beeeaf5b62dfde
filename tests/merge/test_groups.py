"""Lesions known to be one become one group, along chains, in any order of the pairs."""

from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest

from skinlesion.merge import groups
from skinlesion.runtime.errors import UserError
from tests.helpers.chain import ROOT

# Two images of lesion a, one each of b to f.
LESION_OF = pd.Series({"a1": "A", "a2": "A", "b1": "B", "c1": "C", "d1": "D", "e1": "E", "f1": "F"})
PRESETS = ROOT / "presets" / "duplicates"


@pytest.mark.parametrize(
    ("pairs", "expected", "number"),
    [
        ([], "AABCDEF", 0),
        ([("c1", "a2")], "AABADEF", 1),
        ([("b1", "c1"), ("c1", "d1"), ("d1", "b1"), ("c1", "b1"), ("a1", "a2")], "AABBBEF", 5),
        ([("x1", "a1"), ("b1", "x1"), ("x1", "x2"), ("e1", "f1")], "AABCDEE", 1),
    ],
    ids=["none", "one", "circles and repetitions", "images that are not there"],
)
def test_pairs_join_every_image_of_both_lesions(pairs: list, expected: str, number: int) -> None:
    group_of, joined = groups.join(LESION_OF, pairs)
    assert "".join(group_of) == expected
    assert joined == number


def test_chains_are_followed_in_every_order() -> None:
    pairs = [("d1", "c1"), ("b1", "c1"), ("d1", "a2"), ("f1", "e1")]
    for order in permutations(pairs):
        group_of, joined = groups.join(LESION_OF, list(order))
        assert list(group_of) == ["A", "A", "A", "A", "A", "E", "E"]
        assert joined == 4


def test_a_long_chain_is_one_group() -> None:
    lesion_of = pd.Series({f"i{number:04d}": f"L{number:04d}" for number in range(1500)})
    pairs = [(f"i{number:04d}", f"i{number + 1:04d}") for number in reversed(range(1499))]
    group_of, joined = groups.join(lesion_of, pairs)
    assert set(group_of) == {"L0000"}
    assert joined == 1499


def test_pairs_are_read_past_comments(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("# source: me\nimage_id_1,image_id_2\n001, b\n# more\nc ,d\n")
    assert groups.read_pairs(path) == [("001", "b"), ("c", "d")]


@pytest.mark.parametrize("row", ["c,", ",d", "c", " ,d"])
def test_a_pair_without_two_ids_is_refused(row: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"image_id_1,image_id_2\na,b\n{row}\n")
    with pytest.raises(UserError, match=r"pairs\.csv: pair 2 lacks an id"):
        groups.read_pairs(path)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "# only a comment\n", None])
def test_a_list_without_the_columns_or_no_list_is_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "pairs.csv").write_text(content)
    with pytest.raises(UserError, match=r"pairs\.csv.*(image_id_1 and image_id_2. Correct|data.duplicates: null)"):
        groups.read_pairs(tmp_path / "pairs.csv")


@pytest.mark.parametrize(("name", "number"), [("ham10000.csv", 18), ("sample.csv", 4)])
def test_the_committed_lists_name_each_pair_once(name: str, number: int) -> None:
    pairs = groups.read_pairs(PRESETS / name)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == number
    assert all(isinstance(image, str) and image for pair in pairs for image in pair)
    assert all(first != second for first, second in pairs)
