"""Lesions that are known to be one become one group, along chains, whatever the order of the pairs."""

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


def test_without_pairs_a_group_is_a_lesion() -> None:
    group_of, joined = groups.join(LESION_OF, [])
    pd.testing.assert_series_equal(group_of, LESION_OF)
    assert joined == 0


def test_a_pair_joins_every_image_of_both_lesions() -> None:
    group_of, joined = groups.join(LESION_OF, [("c1", "a2")])
    assert group_of.to_dict() == {
        "a1": "A", "a2": "A", "b1": "B", "c1": "A", "d1": "D", "e1": "E", "f1": "F",
    }  # fmt: skip
    assert joined == 1


def test_chains_are_followed_in_every_order() -> None:
    pairs = [("d1", "c1"), ("b1", "c1"), ("d1", "a2"), ("f1", "e1")]
    for order in permutations(pairs):
        group_of, joined = groups.join(LESION_OF, list(order))
        assert list(group_of) == ["A", "A", "A", "A", "A", "E", "E"]
        assert joined == 4


def test_a_long_chain_is_one_group() -> None:
    lesion_of = pd.Series({f"i{number:04d}": f"L{number:04d}" for number in range(3000)})
    pairs = [(f"i{number:04d}", f"i{number + 1:04d}") for number in reversed(range(2999))]
    group_of, joined = groups.join(lesion_of, pairs)
    assert set(group_of) == {"L0000"}
    assert joined == 2999


def test_circles_and_repetitions_do_no_harm() -> None:
    group_of, _ = groups.join(LESION_OF, [("b1", "c1"), ("c1", "d1"), ("d1", "b1"), ("c1", "b1"), ("a1", "a2")])
    assert list(group_of) == ["A", "A", "B", "B", "B", "E", "F"]


def test_pairs_outside_the_data_are_passed_over_and_not_counted() -> None:
    group_of, joined = groups.join(LESION_OF, [("x1", "a1"), ("b1", "x1"), ("x1", "x2"), ("e1", "f1")])
    assert list(group_of) == ["A", "A", "B", "C", "D", "E", "E"]
    assert joined == 1


def test_pairs_are_read_past_comments(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("# source: me\nimage_id_1,image_id_2\n001,b\n# more\nc,d\n")
    assert groups.read_pairs(path) == [("001", "b"), ("c", "d")]


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "# only a comment\n"])
def test_a_list_without_the_columns_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(content)
    with pytest.raises(UserError, match=r"pairs\.csv must be a CSV with the columns image_id_1 and image_id_2"):
        groups.read_pairs(tmp_path / "pairs.csv")


def test_a_missing_list_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"data\.duplicates names .*pairs\.csv, which is missing; null joins no pairs",
    ):
        groups.read_pairs(tmp_path / "pairs.csv")


@pytest.mark.parametrize(("name", "number"), [("ham10000.csv", 18), ("sample.csv", 4)])
def test_the_committed_lists_name_each_pair_once(name: str, number: int) -> None:
    pairs = groups.read_pairs(PRESETS / name)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == number
    assert all(isinstance(image, str) and image for pair in pairs for image in pair)
    assert all(first != second for first, second in pairs)
