"""The page of `quantvietocr serve` in a real headless Chromium: drop a receipt, read the total, point at a box."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_receipts import ROWS, SHOP, draw
from serving import encoded

webdriver = pytest.importorskip("selenium.webdriver", reason="drives the browser: make setup")
pytest.importorskip("starlette", reason="the page's server: make setup")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no browser: apt-get install chromium chromium-driver")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 240  # seconds, on a machine that is busy with something else
RECEIPT = ROWS[:1] + ROWS[5:6] + ROWS[7:9] + ROWS[11:12]
# What a person does with the mouse and the driver cannot: file names and contents let go over the page.
DROP = """
const files = new DataTransfer();
for (const [name, kind, content] of arguments) {
  files.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name, {type: kind}));
}
document.getElementById("drop").dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer:
files}));
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server with the shipped weights on a free port, stopped by Ctrl-C."""
    command = [sys.executable, "-m", "quantvietocr", "serve", "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().split()[1]
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        finally:
            server.kill()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    downloads = tmp_path_factory.mktemp("downloads")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
        browser.downloads = downloads
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    """The page, loaded anew; what went wrong in its scripts fails the test."""
    chromium.set_window_size(1000, 900)
    chromium.get(address)
    until(chromium, lambda: find(chromium, "#limits").text)
    yield chromium
    # A refused upload is in the browser's log too, and is what a test is about.
    assert not [entry for entry in chromium.get_log("browser") if "Failed to load resource" not in entry["message"]]


def find(browser: Any, selector: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, selector)


def find_all(browser: Any, selector: str) -> list[Any]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def until(browser: Any, holds: Callable[[], Any]) -> None:
    WebDriverWait(browser, PATIENCE, poll_frequency=0.1).until(lambda _: holds())


def drop(browser: Any, *files: tuple[str, str, bytes]) -> None:
    browser.execute_script(DROP, *((name, kind, base64.b64encode(content).decode()) for name, kind, content in files))


def keep_screenshot(browser: Any, name: str) -> None:
    """A look at the page for people, where QUANTVIETOCR_SCREENSHOTS names a folder for it."""
    if folder := os.environ.get("QUANTVIETOCR_SCREENSHOTS"):
        for width in (1280, 375):
            for scheme in ("light", "dark"):
                scheme_of = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme_of)
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
                taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
                Path(folder, f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(taken))
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": False})


def test_a_receipt_is_dropped_and_read(page):
    drop(page, ("hóa đơn.png", "image/png", encoded(draw(RECEIPT))))
    until(page, lambda: find_all(page, "#fields .total"))
    assert find(page, "#fields .total td").text == "250.000 đ (not sure)"  # the items add up to 90.000
    assert find(page, "#fields .shop td").text == SHOP and find(page, "#fields .date td").text == "12/03/2024 18:05"
    assert [cell.text for cell in find_all(page, "#items tbody tr:first-child td")][1:] == ["2", "32.500", "65.000"]
    picture, overlay = find(page, "#picture").rect, find(page, "#overlay").rect
    assert all(abs(picture[side] - overlay[side]) <= 1 for side in picture)  # the boxes lie on the picture

    rows, boxes = find_all(page, "#lines tbody tr"), find_all(page, "#overlay polygon")
    assert len(rows) == len(boxes) >= sum(map(len, RECEIPT))
    ActionChains(page).move_to_element(boxes[0]).perform()
    until(page, lambda: find(page, "#tip").is_displayed())
    assert find(page, "#tip-text").text == SHOP == find(page, "#lines tr.chosen td").text
    assert "%" in find(page, "#tip-confidence").text
    assert len(find_all(page, "#overlay .chosen")) == 1 and "chosen" in boxes[0].get_attribute("class")
    keep_screenshot(page, "read")

    ActionChains(page).move_to_element(find(page, "#fields .total td")).perform()
    assert "250.000" in find(page, "#tip-text").text and len(find_all(page, "#overlay .area")) == 1
    page.execute_script("arguments[0].focus()", rows[0])
    ActionChains(page).send_keys(Keys.ARROW_DOWN).perform()
    assert page.switch_to.active_element == rows[1] and "chosen" in boxes[1].get_attribute("class")
    ActionChains(page).send_keys(Keys.END).perform()
    assert page.switch_to.active_element == rows[-1] and not find_all(page, "#overlay .area")

    for button, ending in (("#save-json", "json"), ("#save-pdf", "pdf")):
        find(page, button).click()
        until(page, (page.downloads / f"hóa đơn.{ending}").is_file)
    saved = json.loads((page.downloads / "hóa đơn.json").read_text(encoding="utf-8"))
    assert saved["schema_version"] == 1 and {"name": "total", "value": 250000}.items() <= saved["fields"][-1].items()
    assert (page.downloads / "hóa đơn.pdf").read_bytes().startswith(b"%PDF-")
    page.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    find(page, "#copy").click()
    until(page, lambda: find(page, "#done").text == "Copied.")
    copied = page.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied.startswith(SHOP) and "250.000đ" in copied

    find(page, "#compare").click()
    until(page, lambda: find_all(page, "#lines.compared"))
    assert len(find_all(page, "#times tbody tr")) == 3 and "times as long" in find(page, "#times-note").text
    texts = [[cell.text for cell in find_all(row, ".text")] for row in find_all(page, "#lines tbody tr")]
    assert len(find_all(page, "#lines tr.differs")) == sum(one != other for one, other in texts)
    keep_screenshot(page, "compared")
    page.set_window_size(400, 900)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_files_wait_for_each_other_and_a_bad_one_says_why(page):
    two = encoded(draw(ROWS[:2])), encoded(draw(RECEIPT))
    hostile = "<img src=x onerror=alert(1)>.png"
    drop(page, ("a.png", "image/png", two[0]), (hostile, "image/png", b"no picture"), ("c.png", "image/png", two[1]))
    files = "#documents button"
    assert [name.text for name in find_all(page, f"{files} .name")] == ["a.png", hostile, "c.png"]
    assert find_all(page, f"{files} .state")[2].text == "waiting"
    until(page, lambda: [state.text for state in find_all(page, f"{files} .state")] == ["read", "failed", "read"])
    assert SHOP in find(page, "#lines tbody").text and not find(page, "#error").is_displayed()
    find_all(page, files)[1].click()
    assert find(page, "#error").text == f"{hostile}: not a picture that can be opened here; save it as PNG or JPEG."
    assert not find(page, "#text-side").is_displayed()
    keep_screenshot(page, "refused")
    find_all(page, files)[2].click()
    assert "250.000" in find(page, "#fields .total td").text and not find(page, "#error").is_displayed()


def test_the_sample_is_read_and_a_phone_sees_the_fields_first(page):
    assert find(page, ".mouse").is_displayed() and not find(page, "label[for=camera]").is_displayed()
    keep_screenshot(page, "empty")
    find(page, "#sample").click()
    until(page, lambda: find_all(page, "#fields .total"))
    assert find(page, "#fields .total td").text == "356.400 đ"
    assert find(page, "#fields .shop th [lang=vi]").text == "Cửa hàng"
    keep_screenshot(page, "sample")
    page.set_window_size(500, 900)  # no browser's window is narrower than this one's
    until(page, lambda: find(page, "label[for=camera]").is_displayed())
    assert find(page, "#camera").get_attribute("capture") == "environment" and not find(page, ".mouse").is_displayed()
    tops = [find(page, one).rect["y"] for one in ("#actions", "#fields-section", "#picture-side", "#lines-section")]
    assert tops == sorted(tops)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_a_file_that_is_too_large_is_not_sent(page):
    page.execute_script(
        "const files = new DataTransfer();"
        "files.items.add(new File([new Uint8Array(21 * 2 ** 20)], 'big.png'));"
        "document.getElementById('file').files = files.files;"
        "document.getElementById('file').dispatchEvent(new Event('change'));"
    )
    assert find(page, "#error").text == "big.png: larger than 20 MB; save it smaller, or split it."


def test_a_tiff_of_two_pages_is_leafed_through(page):
    scan = encoded(draw(ROWS[:1]), "TIFF", save_all=True, append_images=[draw(RECEIPT)])
    drop(page, ("scan.tif", "image/tiff", scan))
    until(page, lambda: find(page, "#page-number").text == "page 1 of 2")
    assert SHOP in find(page, "#lines tbody").text and find(page, "#picture").get_attribute("naturalWidth") == "760"
    find(page, "#next").click()
    until(page, lambda: find(page, "#page-number").text == "page 2 of 2")
    assert "250.000" in find(page, "#fields .total td").text and not find(page, "#next").is_enabled()
    find(page, "#previous").click()
    assert SHOP in find(page, "#lines tbody").text  # it was read before
