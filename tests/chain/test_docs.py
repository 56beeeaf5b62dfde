"""README and docs/: generated pages are as the code says, and what the pages name is there."""

import re
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from docs import generate
from skinlesion.__main__ import COMMANDS
from skinlesion.commands.preset import presets
from tests.helpers.chain import ROOT, STAGES

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST = {"README.md": 120}  # lines; of pages written by hand
ARGUMENTS = r"(?: +--?\w[\w-]*)*"  # as in `dvc repro -f train`
# Words of a command line -> those that exist.
WORDS = {
    r"\bskinlesion +([a-z][a-z-]+)": set(COMMANDS),
    rf"\bmake{ARGUMENTS} +([a-z][a-z-]+)": set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    ),
    rf"\bdvc repro{ARGUMENTS} +([a-z]+)": set(STAGES),
    r"-m (stages\.[a-z]+)": {f"stages.{stage}" for stage in STAGES},
}


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def code_of(page: Path) -> str:
    """The blocks and the inline code of a page, a line each, less comments."""
    text = re.sub(r" +# .*", "", page.read_text(encoding="utf-8"))
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join(
        [*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))]
    )


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_generated_page_is_what_make_docs_writes(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generate.PAGES[name](), "make docs"


def test_another_preset_leaves_the_page_of_params_as_it_is(folder):
    assert presets.apply("resnet18")
    assert generate.write_params() == (ROOT / "docs" / "params.md").read_text(encoding="utf-8")


def test_the_layout_that_dvc_exp_run_writes_leaves_the_page_of_params_as_it_is(folder):
    apply_overrides("params.yaml", ["train.max_epochs=3"])
    assert "- train: all" in (folder / "params.yaml").read_text()
    assert generate.write_params() == (ROOT / "docs" / "params.md").read_text(encoding="utf-8")


def test_the_page_of_params_has_every_key():
    keys = set(re.findall(r"^(?:- `|## )([\w.]+)", (ROOT / "docs" / "params.md").read_text(), re.MULTILINE))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert not {f"{name}.{key}" for name, value in params.items() if isinstance(value, dict) for key in value} - keys
    assert not params.keys() - keys
    assert {f"balance.operations.{name}" for name in params["balance"]["operations"]} <= keys


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_short_and_its_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    written = re.sub(r"(?s)<!-- (table|figure): .*?<!-- end -->", "", text)  # by people
    assert [line for line in written.splitlines() if len(line) > generate.WIDTH and line[0] != "|"] == []
    assert page.name in generate.PAGES or len(written.splitlines()) <= LONGEST.get(page.name, 150)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.is_file(), link
            assert not anchor or anchor in anchors(target), link
            assert page.parent != ROOT / "docs" or page.parent in target.resolve().parents, f"{link}: not on the site"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_params_and_files_that_a_page_names_exist(page, document):
    code = code_of(page)
    for pattern, known in WORDS.items():
        assert set(re.findall(pattern, code)) <= known
    for key in re.findall(r"-S (?!networks)'?([\w.]+)=", code):
        value = document
        for part in key.split("."):
            assert part in value, key
            value = value[part]
    files = re.findall(
        r"(?<![\w./])((?:skinlesion|stages|tests|benchmarks|presets|notebooks|\.github|\.ci)/[\w./-]*\w)", code
    )
    assert [file for file in files if not (ROOT / file).exists() and "NAME" not in file] == []
