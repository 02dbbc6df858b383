"""The viewer in a real browser, headless: no network, no console errors, mouse and keyboard."""

import os
import re
import shutil
from itertools import pairwise

import pytest
from small_network import SmallNetwork

import autograd_cnn as ag

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
if CHROMIUM is None:
    pytest.skip("no Chromium on the PATH: the viewer is not tested", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FLAGS = [
    "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
if hasattr(os, "geteuid") and os.geteuid() == 0:
    FLAGS.append("--no-sandbox")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        try:
            browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    loss = SmallNetwork().loss()
    return ag.graph(loss).view().save(tmp_path_factory.mktemp("viewer") / "net.html")


@pytest.fixture
def page(browser, file):
    """An open page; afterwards nothing was complained about and nothing was fetched."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    troubles, requests = [], []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert troubles == []
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    context.close()


def shown(page):
    """The keys of the cards that can be seen, top to bottom."""
    cards = page.locator(".card.here")
    boxes = [(card.bounding_box()["y"], card.get_attribute("data-key")) for card in cards.all()]
    return [key for _, key in sorted(boxes) if key[0] in "nm"]


def title(page):
    return page.locator("#details h2").inner_text()


def test_all_operations_are_there_without_overlap(page):
    keys = shown(page)
    assert keys == [f"n{i}" for i in range(len(keys))]
    boxes = [page.locator(f"#{key}").bounding_box() for key in keys]
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] < below["y"]


def test_modules_collapse_and_expand(page):
    everything = shown(page)
    page.locator(".module .name", has_text="stem").click()
    collapsed = shown(page)
    assert len(collapsed) == len(everything) - 3 and collapsed[1][0] == "m"
    page.locator(f"#{collapsed[1]}").dblclick()
    assert shown(page) == everything
    page.click("#collapse")
    assert len([key for key in shown(page) if key[0] == "m"]) == 3
    page.click("#expand")
    assert shown(page) == everything


def test_a_click_tells_all_about_an_operation(page):
    page.click("#n1")
    details = page.locator("#details").inner_text()
    for words in ("conv2d", "stem.conv", "2×8×8×8 float32", "k3×3 s1 p1", "8×3×3×3",
                  "y = w ∗ x + b", "∂L/∂x = conv_input_grad(g, w"):  # fmt: skip
        assert words in details
    page.click("#readers button")
    assert title(page) == "batch_norm"
    page.click("#close")
    assert not page.locator("#panel").is_visible()


def test_hovering_lights_producers_and_consumers(page):
    page.hover("#n4")  # max_pool, which the convolution and the addition read
    lit = {card.get_attribute("data-key") for card in page.locator(".card.lit").all()}
    assert {key for key in lit if key[0] == "n"} == {"n3", "n4", "n5", "n6"}


def test_search_finds_and_walks_into_collapsed_modules(page):
    page.click("#collapse")
    page.fill("#search", "conv2d")
    assert page.locator("#found").inner_text() == "2 hits"
    page.keyboard.press("Enter")
    assert title(page) == "conv2d" and "n1" in shown(page)
    page.keyboard.press("Enter")
    assert page.locator("#found").inner_text() == "2 of 2" and "n5" in shown(page)
    page.keyboard.press("Escape")
    assert page.input_value("#search") == "" and page.locator(".searching").count() == 0


def test_colours_follow_a_metric(page):
    head = page.locator("#n1 rect").nth(1)
    before = head.get_attribute("fill")
    page.select_option("#colour", "flop")
    assert head.get_attribute("fill") == "#FEE838"  # the convolution has the most
    assert page.locator("#scale").is_visible()
    page.select_option("#colour", "")
    assert head.get_attribute("fill") == before and not page.locator("#scale").is_visible()


def test_the_player_goes_forward_and_then_back(page):
    rows = len(shown(page))
    order = []
    for _ in range(2 * rows - 1):  # x has no gradient
        page.click("#next")
        order.append(page.locator(".card.now").get_attribute("data-key"))
    assert order == [f"n{i}" for i in range(rows)] + [f"b{i}" for i in range(rows - 1, 0, -1)]
    story = page.locator("#story").inner_text()
    assert story.startswith("Backward: from g = ∂L/∂conv2d") and "weight, bias" in story


def test_kept_values_live_from_the_forward_to_the_backward_step(page):
    rung = page.locator("path[data-rung='1']")  # of the first convolution
    last = int(page.locator("#step").get_attribute("max"))

    def lives(step):
        page.locator("#step").fill(str(step))
        return "todo" not in rung.get_attribute("class").split()

    assert [lives(step) for step in (1, 2, 12, last)] == [False, True, True, True]
    assert "now" in rung.get_attribute("class").split()  # the last rule to run reads it
    loss = page.locator("path[data-rung='10']")
    assert "todo" in loss.get_attribute("class").split()  # read long ago, and free


def test_play_runs_by_itself_and_pauses(page):
    page.select_option("#pace", "250")
    page.click("#play")
    playwright.expect(page.locator("#count")).to_have_text(re.compile("^[2-9] / "))
    page.click("#play")
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_everything_works_by_keyboard(page):
    press = page.keyboard.press
    focused = "document.activeElement.dataset.key"
    press("Home")
    press("ArrowDown")
    assert page.evaluate(focused) == "n1"
    press("ArrowRight")
    assert page.evaluate(focused) == "b1"
    press("ArrowDown")
    assert page.evaluate(focused) == "b2"
    press("ArrowLeft")
    press("Enter")
    assert title(page) == "batch_norm"
    press("Escape")
    press("c")
    key = page.evaluate(focused)
    assert key[0] == "m"
    press("e")
    assert "n2" in shown(page)
    press(".")
    press(".")
    assert page.locator(".card.now").get_attribute("data-key") == "n1"
    press("Escape")
    assert page.locator(".playing").count() == 0
    press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    press("Escape")
    press("b")
    assert not [c for c in page.locator(".card.here").all() if c.get_attribute("id")[0] == "b"]
    press("?")
    assert page.locator("#keys").is_visible()


def test_every_control_has_a_name(page):
    for control in page.locator("button:visible, input:visible, select:visible").all():
        named = control.evaluate("e => e.ariaLabel || e.textContent.trim() || e.labels?.length")
        assert named
    for card in page.locator(".card.here").all():
        assert card.get_attribute("aria-label") and card.get_attribute("role") == "button"
    assert page.locator(".card[tabindex='0']").count() == 1


def test_zoom_and_pan(page):
    before = page.locator("#n1").bounding_box()
    page.keyboard.press("+")
    assert page.locator("#n1").bounding_box()["width"] > before["width"]
    page.keyboard.press("0")
    assert page.locator("#n10").bounding_box()["y"] < 700
    page.keyboard.press("1")
    page.mouse.move(640, 400)
    page.mouse.wheel(0, 100)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.locator("#n1").bounding_box()["y"] < before["y"] - 90


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_theme_is_the_readers(page):
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert light == "rgb(255, 255, 255)" and dark != light
    page.keyboard.press("t")  # auto, then light whatever the reader's system says
    assert background(page) == light


def test_little_moves_for_those_who_asked_for_it(page):
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("document.querySelector('#canvas svg > g').classList.add('gliding')")
    duration = "getComputedStyle(document.querySelector('.gliding')).transitionDuration"
    assert page.evaluate(duration) == "0s"


def test_the_picture_stands_without_scripts(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("#n1").is_visible() and not page.locator("#play").is_visible()
    assert not [g for g in page.locator("g[id^=m]").all() if g.is_visible()]
    context.close()
