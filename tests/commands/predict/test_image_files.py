"""Which files are predicted: none twice, none hidden, none that predict wrote; and a unique name for each."""

from pathlib import Path

import pytest

from skinlesion.commands.predict import image_files
from skinlesion.core.images import FORMATS
from skinlesion.runtime.errors import UserError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders of empty files, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/2.jpg", "a/10.PNG", "a/notes.txt", "a/below/x.tif", "a/.cache/y.jpg", "a/._2.jpg", "b/2.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


@pytest.mark.parametrize(
    ("given", "output", "expected"),
    [
        (["a"], None, ["a/10.PNG", "a/2.jpg", "a/below/x.tif"]),
        (["a/notes.txt"], None, ["a/notes.txt"]),  # a file may have any name
        (["b", "a/2.jpg", "b/../b/2.jpg", "a"], None, ["b/2.jpg", "a/2.jpg", "a/10.PNG", "a/below/x.tif"]),
        (["a"], "a/below", ["a/10.PNG", "a/2.jpg"]),  # pictures of an earlier run are no input
    ],
)
def test_images_are_listed_once_in_the_order_given(given, output, expected):
    files = image_files.find_images([Path(path) for path in given], Path(output) if output else None)
    assert [file.as_posix() for file in files] == expected


def test_two_links_to_one_file_are_two_images(tmp_path):
    links = [tmp_path / "one.jpg", tmp_path / "two.jpg"]
    for link in links:
        link.symlink_to(tmp_path / "b" / "2.jpg")
    assert image_files.find_images(links) == links


@pytest.mark.parametrize(
    ("given", "output", "names", "remedy"),
    [
        (["a", "gone.jpg", "nowhere"], None, ["gone.jpg", "nowhere"], "Correct the path"),
        (["a", "a/.cache"], "a/below", ["a/.cache", ".jpg", ".gif"], "Choose another folder"),
        (["b", "a/2.jpg"], "a", ["--gradcam a ", "a/2.jpg"], "Choose another output"),
        (["b", "a"], "a", ["--gradcam a ", "(a)"], "Choose another output"),
    ],
)
def test_unusable_paths_are_named(given, output, names, remedy):
    for file in Path("a/.cache").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=remedy) as error:
        image_files.find_images([Path(path) for path in given], Path(output) if output else None)
    assert all(name in str(error.value) for name in names)


def test_a_folder_is_searched_for_every_format_that_is_read():
    usual = {"BMP": ".bmp", "GIF": ".gif", "JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp"}
    assert {usual[kind] for kind in FORMATS} <= image_files.SUFFIXES


def test_names_are_unique_even_where_case_does_not_count():
    files = ["a/x.jpg", "b/x.jpg", "b/X.png", "b/x.png", "c/b-x.png", "c/y.jpg"]
    names = image_files.unique_names([Path(file) for file in files])
    assert list(names.values()) == ["x", "b-x", "X-2", "x-3", "c-b-x", "y"]
