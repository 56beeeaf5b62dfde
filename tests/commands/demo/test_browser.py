"""The page in a real browser: Debian's Chromium, driven by Playwright, at a desktop's and a phone's width."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, TimeoutError, sync_playwright

from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle
from skinlesion.model.classify import natural, square
from tests.helpers.chain import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60_000  # ms: the machine may be busy

pytestmark = [
    pytest.mark.chain,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium or google-chrome on PATH (Debian: apt-get install chromium)"
    ),
]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """`start(model)`: the demo as it is typed, on a free port; gives its address and its temporary folder."""
    running = []

    def begin(model: Path) -> tuple[str, Path]:
        scratch = tmp_path_factory.mktemp("scratch")
        log = scratch.parent / f"{scratch.name}.log"
        words = [sys.executable, "-m", "skinlesion", "demo", "--port", "0", "--model", str(model)]
        with log.open("w") as output:
            one = subprocess.Popen(
                words, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(scratch)}
            )
        running.append(one)
        until = time.monotonic() + 120
        while "demo: http://" not in log.read_text():
            assert one.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        return log.read_text().split("demo: http://")[1].split()[0], scratch

    def end() -> None:
        """End the one that was started last."""
        one = running.pop()
        one.terminate()
        one.wait(30)

    begin.end = end
    yield begin
    while running:
        end()


@pytest.fixture(scope="module")
def served(start, model_file) -> tuple[str, Path]:
    return start(model_file)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        # Containers run tests as root, where Chromium's sandbox cannot start; the page is our own.
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(params=[1280, 390])
def page(request, browser, served) -> Iterator[Page]:
    """The page, loaded; it must fit its width and fetch nothing from elsewhere."""
    fetched: list[str] = []
    one = browser.new_page(viewport={"width": request.param, "height": 900})
    one.set_default_timeout(PATIENCE)
    one.on("request", lambda seen: fetched.append(seen.url))
    one.goto(f"http://{served[0]}")
    one.wait_for_selector("#upload input[type=file]", state="attached")
    yield one
    assert one.evaluate("document.documentElement.scrollWidth") <= request.param
    elsewhere = [url for url in fetched if not url.startswith((f"http://{served[0]}", "data:", "blob:"))]
    assert not elsewhere
    one.close()


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> Path:
    from skinlesion.commands.demo import examples

    path, _ = examples.draw(tmp_path_factory.mktemp("photograph"))[3]
    return path.rename(path.with_name("photograph.png"))  # a name that no example has


def send(page: Page, path: Path) -> None:
    """Choose a file. On a busy machine Gradio may be exchanging the input just then and hear nothing: choose again."""
    for patience in (5_000, 10_000, PATIENCE):
        with suppress(TimeoutError), page.expect_request("**/upload*", timeout=patience):
            page.set_input_files("#upload input[type=file]", str(path))
            return
    pytest.fail(f"the page never sent {path.name}")


def read(page: Page) -> dict[str, float]:
    """The probabilities on the page, by code."""
    page.wait_for_selector("#bars li")
    rows = page.locator("#bars li").all()
    return {row.get_attribute("data-code"): float(row.get_attribute("data-probability")) for row in rows}


def test_an_upload_is_answered_explained_and_deleted(page, served, model_file, photograph):
    send(page, photograph)
    found = read(page)
    loaded = bundle.load(model_file)
    expected = natural(loaded, square(loaded, photograph)[None])[0]
    np.testing.assert_allclose([found[code] for code in CODES], expected, atol=2e-6)

    heat = page.locator("#figures img").nth(1)
    before = heat.get_attribute("src")
    best = max(found, key=found.get)
    other = "Melanoma" if best != "mel" else "Dermatofibroma"
    page.get_by_label(other, exact=True).check()
    page.wait_for_selector(f"#figures figcaption:has-text('{other.lower()}')")
    assert heat.get_attribute("src") != before
    assert read(page) == found, "another explanation is no other answer"
    assert "Research only, not a diagnosis" in page.inner_text("body")

    def uploaded() -> list[Path]:
        return [path for path in served[1].rglob("*") if path.is_file() and path.stem not in CODES]

    until = time.monotonic() + 30
    while uploaded() and time.monotonic() < until:
        time.sleep(0.2)
    assert not uploaded()


def test_a_text_file_named_jpg_gets_a_sentence_and_the_next_image_an_answer(page, tmp_path, photograph):
    (tmp_path / "photo.jpg").write_text("Dear doctor,")
    send(page, photograph)
    read(page)
    send(page, tmp_path / "photo.jpg")
    page.wait_for_selector("[role=alert]:has-text('This file is no picture that can be read here.')")
    assert page.locator("#bars li:visible").count() == 0
    assert "Traceback" not in page.inner_text("body")
    page.locator("#examples button").first.click()
    page.wait_for_selector("#bars li:visible")


def test_an_image_unlike_the_training_data_gets_a_note(page, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    send(page, tmp_path / "a.png")
    page.wait_for_selector("#said:has-text('looks unlike the training data')")


def test_without_a_model_the_page_says_what_to_run_and_ended_it_leaves_nothing_behind(
    start, browser, tmp_path, photograph
):
    address, scratch = start(tmp_path / "model.keras")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"http://{address}")
    page.wait_for_selector("[role=alert]:has-text('dvc repro')")
    send(page, photograph)
    page.wait_for_selector("#said:has-text('train a model first')")
    page.close()
    assert list(scratch.iterdir())
    start.end()
    assert not list(scratch.iterdir())
