"""Which files are predicted, and what is written for each: nothing twice, nothing hidden, no picture over another."""

from pathlib import Path

import pytest

from skinlesion.commands.predict import inputs
from skinlesion.runtime.errors import UserError


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Two folders of files with nothing in them, as the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/2.jpg", "a/10.PNG", "a/notes.txt", "a/below/x.tif", "a/.cache/y.jpg", "a/._2.jpg", "b/2.jpg"):
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


def found(*given: str, outside: str | None = None) -> list[str]:
    files = inputs.find([Path(one) for one in given], Path(outside) if outside else None)
    return [file.as_posix() for file in files]


def test_a_folder_holds_the_pictures_in_it_and_below_it_by_name(here):
    assert found("a") == ["a/10.PNG", "a/2.jpg", "a/below/x.tif"]


def test_a_file_that_is_named_counts_whatever_its_name(here):
    assert found("a/notes.txt") == ["a/notes.txt"]


def test_the_order_is_that_given_and_nothing_counts_twice(here):
    assert found("b", "a/2.jpg", "b/../b/2.jpg", "a") == ["b/2.jpg", "a/2.jpg", "a/10.PNG", "a/below/x.tif"]


def test_two_links_to_equal_bytes_are_two_images(here):
    for name in ("one.jpg", "two.jpg"):
        (here / name).symlink_to(here / "b" / "2.jpg")
    assert found("one.jpg", "two.jpg") == ["one.jpg", "two.jpg"]


def test_all_that_is_missing_is_named(here):
    with pytest.raises(UserError, match=r"Missing: gone\.jpg, nowhere\."):
        found("a", "gone.jpg", "nowhere")


def test_a_folder_without_pictures_is_named_with_what_counts_as_one(here):
    (here / "empty").mkdir()
    with pytest.raises(UserError, match=r"\.jpg.*Received: empty, which holds none"):
        found("a", "empty")


def test_pictures_written_before_are_no_input(here):
    assert found("a", outside="a/below") == ["a/10.PNG", "a/2.jpg"]


@pytest.mark.parametrize("given", ["a/2.jpg", "a", "a/below"])
def test_pictures_are_never_written_where_they_could_replace_an_input(given, here):
    with pytest.raises(UserError, match=rf"Received: a, which holds {given}\. Name another folder"):
        found("b", given, outside="a")


def test_names_are_unique_on_file_systems_that_do_not_tell_case_apart_too():
    files = ["a/x.jpg", "b/x.jpg", "b/X.png", "b/x.png", "c/b-x.png", "c/y.jpg"]
    assert inputs.names([Path(file) for file in files]) == ["x", "b-x", "X-2", "x-3", "c-b-x", "y"]
