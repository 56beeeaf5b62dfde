"""The page in Chromium, driven by Playwright, at the width of a desktop and of a phone."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright

from skinlesion.core.ham10000 import CODES
from skinlesion.model.classify import RESEARCH_ONLY, Classifier
from tests.helpers.chain import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMEOUT = 60_000  # ms: the machine may be busy
NO_CHROMIUM = "no chromium or google-chrome on PATH (Debian: apt-get install chromium)"
pytestmark = [pytest.mark.chain, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)
    assert condition()


@contextmanager
def run_demo(model: Path, folder: Path) -> Iterator[str]:
    """Run the demo on a free port with its temporary folder in `folder`; give its address."""
    log = folder.parent / f"{folder.name}.log"
    words = [sys.executable, "-m", "skinlesion", "demo", "--port", "0", "--model", str(model)]
    with log.open("w") as output:
        process = subprocess.Popen(
            words, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(folder)}
        )
    try:
        wait_until(lambda: "demo: http://" in log.read_text() or process.poll() is not None, 120)
        yield log.read_text().split("demo: ")[-1].split()[0]
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def address(model_file: Path, scratch: Path) -> Iterator[str]:
    with run_demo(model_file, scratch) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Containers run tests as root, where Chromium's sandbox cannot start; the page is our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[1280, 390])
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    """The page, loaded; it must fit its width and load nothing from other sites."""
    urls: list[str] = []
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    page.set_default_timeout(TIMEOUT)
    page.on("request", lambda sent: urls.append(sent.url))
    page.goto(address)
    page.wait_for_selector("#upload input[type=file]", state="attached")
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= request.param
    assert not [url for url in urls if not url.startswith((address, "data:", "blob:"))]
    page.close()


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skinlesion.commands.demo import webpage

    path = webpage.draw_examples(tmp_path_factory.mktemp("photograph"))[3]
    return path.rename(path.with_name("photograph.png"))  # a name that no example has


def send(page: Page, path: Path, answer: str = "#answer details") -> None:
    """Choose a file and wait for `answer`; again if Gradio misses the file, as it may while it replaces the input."""
    for timeout in (10_000, 20_000, TIMEOUT):
        with suppress(TimeoutError):
            with page.expect_response("**/upload*", timeout=timeout):
                page.set_input_files("#upload input[type=file]", str(path))
            page.wait_for_selector(answer, timeout=timeout)
            return
    pytest.fail(f"the page never answered {path.name} with {answer}")


def read(page: Page) -> dict[str, float]:
    """The probabilities on the page by code, in their order."""
    page.wait_for_selector("#answer details")
    rows = page.locator("#answer details").all()
    return {row.get_attribute("data-code"): float(row.get_attribute("data-probability")) for row in rows}


def test_an_upload_is_answered_explained_and_deleted(page, scratch, model_file, photograph):
    send(page, photograph)
    probabilities = read(page)
    assert probabilities == pytest.approx(Classifier.load(model_file).predict(photograph), abs=2e-6)
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert page.locator("#answer details img:visible").count() == 1
    expect(page.locator("#answer summary").nth(3)).to_be_in_viewport(ratio=1)  # on a phone too
    page.locator("#answer details").nth(2).locator("summary").click()
    page.wait_for_selector("#answer details:nth-of-type(3) img:visible")
    assert page.locator("#answer details img:visible").count() == 1, "one Grad-CAM picture at a time"
    assert RESEARCH_ONLY in page.inner_text("body")
    wait_until(lambda: not [path for path in scratch.rglob("*") if path.is_file() and path.stem not in CODES], 30)


def test_a_bad_file_is_refused_and_an_example_is_answered_then(page, tmp_path):
    (tmp_path / "photo.jpg").write_text("Dear doctor,")
    send(page, tmp_path / "photo.jpg", "#answer [role=alert]:has-text('Send a whole image file')")
    assert page.locator("#answer details").count() == 0
    page.locator("#examples button").first.click()
    assert len(read(page)) == 7


def test_without_a_model_the_page_gives_the_remedy_and_leaves_no_file(browser, tmp_path, photograph):
    (tmp_path / "scratch").mkdir()
    with run_demo(tmp_path / "model.keras", tmp_path / "scratch") as address:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(address)
        page.wait_for_selector("#answer [role=alert]:has-text('dvc repro')")
        send(page, photograph, "#answer [role=alert]:has-text('dvc repro')")
        page.close()
        assert list((tmp_path / "scratch").iterdir())
    assert not list((tmp_path / "scratch").iterdir())
