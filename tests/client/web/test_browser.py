"""The page in a real Chromium: what a user does with hand, keyboard and screen reader."""

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cipherlens.client import Naming
from tests.chromium import launched
from tests.client.web.conftest import answering
from tests.client.web.test_pictures import file_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MANY = 10_000
DROP = """([half, name, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(bytes)], name, { type: 'image/png' }));
  const drag = (target, type) => target.dispatchEvent(
    new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  drag(document.body, 'dragenter');
  const zone = document.querySelector(`[data-drop=${half}]`);
  if (!zone.checkVisibility()) throw new Error(`nothing can be dropped to ${half}`);
  drag(zone, 'dragover');
  drag(zone, 'drop');
}"""


# A name of somebody else's that leads to this machine, as DNS rebinding makes one.
FOREIGN = "evil.example"


@pytest.fixture(scope="module")
def chromium():
    with launched(f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def tab(chromium):
    """An empty tab; what the page says or asks that it must not is a failure."""
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(120_000)  # a busy machine is no failure
    made = context.new_page()
    said, asked = [], []
    made.on("console", lambda each: said.append(each.text) if each.type == "error" else None)
    made.on("pageerror", lambda error: said.append(str(error)))
    made.on("request", lambda request: asked.append(request.url))
    made.said, made.asked = said, asked
    yield made
    assert said == []
    local = re.compile(r"(http://127\.0\.0\.1:\d+/|blob:)")
    assert [url for url in asked if not local.match(url)] == []
    context.close()


@pytest.fixture
def opened(tab, shown, photos, noise):
    """The page of five pictures, and the page's server."""
    page = shown(photos)
    for number in range(5):
        tags = ["odd"] if number % 2 else ["even"]
        page.upload(f"{number}.png", file_of(noise(number)), tag=tags)
    tab.goto(page.address)
    tab.locator(".tile .name", has_text="4.png").wait_for()
    tab.server = page
    return tab


def tiles(tab):
    """Return the names that are shown, in the order of the list."""
    return tab.locator(".tile .name").all_text_contents()


def expect_tiles(tab, count):
    tab.wait_for_function(
        "count => document.querySelectorAll('.tile').length === count &&"
        " [...document.querySelectorAll('.tile .name')].every((each) => each.textContent)",
        arg=count,
    )
    return tiles(tab)


def loaded(tab, selector):
    """Wait until the images of a selector are there, and return how many they are."""
    tab.wait_for_function(
        "selector => { const all = [...document.querySelectorAll(selector)];"
        " return all.length && all.every((each) => each.complete && each.naturalWidth); }",
        arg=selector,
    )
    return tab.locator(selector).count()


def test_a_collection_is_shown_and_the_token_leaves_the_address(opened):
    assert tiles(opened) == [f"{number}.png" for number in range(5)]
    assert loaded(opened, ".tile img") == 5
    assert opened.server.token not in opened.url
    assert opened.get_by_text("5 pictures · held to manifest 1").is_visible()
    opened.reload()
    assert len(expect_tiles(opened, 5)) == 5


def test_without_the_token_nothing_is_shown(chromium, opened):
    with chromium.new_context() as stranger:
        stranger.set_default_timeout(120_000)
        page = stranger.new_page()
        page.goto(opened.url)
        page.get_by_role("alert").get_by_text("open the address that the terminal").wait_for()
        assert page.locator(".tile").count() == 0


def test_a_picture_that_is_dropped_finds_what_is_like_it(opened, noise):
    opened.evaluate(DROP, ["search", "mine.png", list(file_of(noise(3)))])
    opened.get_by_role("heading", name="mine.png").wait_for()
    assert expect_tiles(opened, 5)[0] == "3.png"
    assert opened.locator(".tile .score").first.text_content() == "1.000"
    assert loaded(opened, "#query img") == 2
    opened.get_by_role("button", name="Back to the collection").click()
    opened.locator("#query").wait_for(state="hidden")
    assert expect_tiles(opened, 5)[0] == "0.png"


def test_what_is_no_picture_is_told_when_it_is_dropped(opened):
    opened.evaluate(DROP, ["search", "mine.png", [1, 2, 3]])
    opened.get_by_role("alert").get_by_text("not a picture").wait_for()
    opened.said.clear()  # the browser itself tells of the refusal


def test_a_hit_is_the_next_query_and_back_goes_back(opened):
    opened.get_by_role("button", name="Find pictures similar to 1.png").click()
    opened.get_by_role("heading", name="1.png", exact=True).wait_for()
    assert expect_tiles(opened, 5)[0] == "1.png"
    second = tiles(opened)[1]
    opened.get_by_role("button", name=f"Find pictures similar to {second}").click()
    opened.get_by_role("heading", name=second, exact=True).wait_for()
    assert expect_tiles(opened, 5)[0] == second
    opened.go_back()
    opened.get_by_role("heading", name="1.png", exact=True).wait_for()
    opened.go_back()
    opened.locator("#query").wait_for(state="hidden")


def test_what_the_server_sees_stands_beside(opened):
    opened.get_by_role("radio", name="The server sees").check(force=True)
    opened.wait_for_function("() => document.querySelectorAll('.tile img').length === 5")
    assert loaded(opened, ".tile img[src^=seen]") == 5
    opened.get_by_role("radio", name="Both").check(force=True)
    opened.wait_for_function("() => document.querySelectorAll('.tile img').length === 10")
    assert loaded(opened, ".tile img") == 10
    shown = opened.locator(".tile img").evaluate_all(
        "images => images.map((each) => each.getAttribute('src').split('?')[0])"
    )
    assert shown == ["picture", "seen"] * 5


def test_names_and_tags_filter(opened):
    opened.get_by_role("searchbox", name="Filter by name").fill("3")
    assert expect_tiles(opened, 1) == ["3.png"]
    opened.get_by_role("searchbox", name="Filter by name").fill("")
    expect_tiles(opened, 5)
    opened.get_by_role("button", name="odd 2").click()
    assert expect_tiles(opened, 2) == ["1.png", "3.png"]
    opened.get_by_role("button", name="with odd 2", pressed=True).click()
    assert expect_tiles(opened, 3) == ["0.png", "2.png", "4.png"]
    opened.get_by_role("button", name="Find pictures similar to 0.png").click()
    opened.get_by_text("among pictures without odd").wait_for()
    assert sorted(expect_tiles(opened, 3)) == ["0.png", "2.png", "4.png"]
    opened.get_by_role("button", name="without odd 2").click()
    expect_tiles(opened, 5)


def test_tags_beyond_the_most_frequent_are_found_by_a_part_of_them(opened, noise):
    finder = opened.get_by_role("searchbox", name="Find a tag")
    assert not finder.is_visible()
    tags = [f"Rare {number:02}" for number in range(60)]
    opened.server.upload("5.png", file_of(noise(5)), tag=tags)
    opened.reload()
    expect_tiles(opened, 6)
    assert opened.get_by_text("and 22 more").is_visible()
    assert not opened.get_by_role("button", name="Rare 57 1").is_visible()
    finder.fill("rare 5")
    assert opened.locator("#tag-more").text_content() == ""
    opened.get_by_role("button", name="Rare 57 1").click()
    assert expect_tiles(opened, 1) == ["5.png"]
    finder.fill("odd")
    assert opened.get_by_role("button", name="with Rare 57 1").is_visible()  # what is chosen stays
    opened.get_by_role("button", name="odd 2").click()
    opened.get_by_text("No picture fits the filter.").wait_for()


def test_an_original_is_downloaded(opened, noise):
    with opened.expect_download() as download:
        opened.get_by_role("link", name="Download the original of 2.png").click()
    assert download.value.suggested_filename == "2.png"
    assert download.value.path().read_bytes() == file_of(noise(2))


def test_a_folder_is_uploaded_with_its_tags(opened, folder, client, photos):
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not sent")
    opened.set_input_files("#folder-files", folder)
    dialog = opened.get_by_role("dialog", name="Add 6 pictures?")
    dialog.get_by_role("textbox").fill("trip, 2026 ")
    dialog.get_by_role("button", name="Upload").click()
    panel = opened.get_by_role("complementary", name="Upload")
    panel.get_by_role("heading", name="Upload done").wait_for()
    assert panel.get_by_role("progressbar").evaluate("each => each.value / each.max") == 1
    assert panel.get_by_text("6 of 6: 5 indexed, 1 skipped").is_visible()
    (passed_over,) = panel.get_by_role("listitem").all_text_contents()
    assert passed_over.startswith("broken.png: ")
    assert "deep/er/e.webp" in expect_tiles(opened, 10)
    opened.get_by_role("button", name="trip 5").click()
    assert len(expect_tiles(opened, 5)) == 5
    assert client.get_collection(photos).item_count == 10
    assert not [each for each in opened.asked if "notes.txt" in each]


def test_a_file_that_is_gone_by_then_is_told_and_the_others_are_sent(opened, folder):
    opened.set_input_files("#folder-files", folder)
    dialog = opened.get_by_role("dialog", name="Add 5 pictures?")
    (folder / "deep" / "er" / "e.webp").unlink()
    dialog.get_by_role("button", name="Upload").click()
    panel = opened.get_by_role("complementary", name="Upload")
    panel.get_by_text("5 of 5: 4 indexed, 1 failed").wait_for()
    (told,) = panel.get_by_role("listitem").all_text_contents()
    assert told == "deep/er/e.webp: the file cannot be read"


def test_an_upload_that_is_cancelled_sends_nothing(opened, folder, client, photos):
    opened.set_input_files("#folder-files", folder)
    opened.get_by_role("dialog", name="Add 5 pictures?").get_by_role("button").first.click()
    opened.get_by_role("dialog").wait_for(state="hidden")
    assert client.get_collection(photos).item_count == 5


def test_an_upload_that_goes_wrong_says_so_and_stops(opened, folder):
    opened.set_input_files("#folder-files", folder)
    opened.get_by_role("dialog").get_by_role("textbox").fill("x" * 500)
    opened.get_by_role("button", name="Upload").click()
    opened.get_by_role("heading", name="Upload done").wait_for()
    assert opened.get_by_text("5 of 5: 0 indexed, 5 failed").is_visible()
    opened.get_by_role("button", name="Close").click()
    opened.server.server.should_exit = True
    opened.server.thread.join()
    opened.set_input_files("#folder-files", folder)
    opened.get_by_role("dialog").get_by_role("textbox").fill("")
    opened.get_by_role("button", name="Upload").click()
    opened.get_by_role("heading", name="Upload stopped").wait_for()
    skipped = opened.get_by_role("complementary", name="Upload").get_by_role("listitem")
    assert "was it ended?" in skipped.first.text_content()
    opened.said.clear()  # the browser itself tells of both


def focused(tab):
    return tab.evaluate("document.activeElement.getAttribute('aria-label')")


def test_all_of_it_is_reached_by_the_keyboard(opened):
    opened.get_by_role("button", name="0.png, tags: even", exact=True).focus()
    for key, name in [
        ("ArrowRight", "1.png, tags: odd"),
        ("End", "4.png, tags: even"),
        ("ArrowRight", "4.png, tags: even"),
        ("Home", "0.png, tags: even"),
        ("Tab", "Find pictures similar to 0.png"),
        ("Tab", "Download the original of 0.png"),
    ]:
        opened.keyboard.press(key)
        assert focused(opened) == name
    opened.keyboard.press("Shift+Tab")
    opened.keyboard.press("Shift+Tab")
    opened.keyboard.press("Enter")
    opened.get_by_role("dialog", name="0.png").wait_for()
    opened.keyboard.press("ArrowRight")
    opened.get_by_role("dialog", name="1.png").wait_for()
    assert loaded(opened, "#viewer img") == 2
    opened.keyboard.press("Escape")
    opened.get_by_role("dialog").wait_for(state="hidden")
    opened.wait_for_function(
        "() => document.activeElement.getAttribute('aria-label') === '1.png, tags: odd'"
    )


def test_one_tile_alone_is_a_stop_of_the_tabulator_key(opened):
    stops = opened.locator(".tile [tabindex='0']")
    assert stops.count() == 3
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "To the pictures"


def test_a_screen_reader_is_told_what_is_there(opened):
    pictures = opened.get_by_role("list", name="Pictures")
    items = pictures.get_by_role("listitem")
    assert items.count() == 5
    assert items.nth(1).get_attribute("aria-setsize") == "5"
    assert items.nth(1).get_attribute("aria-posinset") == "2"
    assert opened.get_by_role("status").text_content() == "5 pictures"
    opened.get_by_role("button", name="Find pictures similar to 1.png").click()
    opened.get_by_role("button", name="1.png, hit 1, 1.000, tags: odd").wait_for()
    assert opened.get_by_role("status").text_content() == "5 hits for 1.png"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(opened, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened.emulate_media(color_scheme=scheme)
    faults = {"the collection": axe.run(opened).response["violations"]}
    opened.get_by_role("button", name="Find pictures similar to 1.png").click()
    opened.locator("#query").wait_for()
    faults["a search"] = axe.run(opened).response["violations"]
    opened.locator(".pictures").first.click()
    opened.get_by_role("dialog").wait_for()
    faults["a picture"] = axe.run(opened).response["violations"]
    told = {where: [(each["id"], each["nodes"][0]["html"]) for each in found]
            for where, found in faults.items()}  # fmt: skip
    assert told == {"the collection": [], "a search": [], "a picture": []}


WATCH = """() => {
  window.frames = [];
  window.longTasks = [];
  const keep = (list) => longTasks.push(...list.getEntries().map((each) => each.duration));
  new PerformanceObserver(keep).observe({ entryTypes: ['longtask'] });
  let last = performance.now();
  const frame = () => requestAnimationFrame((now) => {
    frames.push(now - last);
    last = now;
    frame();
  });
  frame();
}"""


def scrolled(tab):
    """Scroll through a list at several speeds; return milliseconds between frames, and of tasks."""
    tab.evaluate(WATCH)
    tab.mouse.move(600, 600)
    for pixels in (120, 600, 3000):
        for _ in range(40):
            tab.mouse.wheel(0, pixels)
            tab.wait_for_timeout(16)
    return np.array(tab.evaluate("frames")), tab.evaluate("longTasks")


def test_ten_thousand_pictures_are_never_in_the_document_at_once(
    tab, shown, client, codes, key, noise, record_property
):
    naming = Naming(key, codes.uuid)
    names = [f"{number:05}.png" for number in range(MANY)]
    rows = np.random.default_rng(0).integers(0, 256, (MANY, 6), np.uint8)
    tags = [bytes(32) + naming.sealed(name) for name in names]
    picture = file_of(noise(1))
    client.index_codes(
        codes,
        list(map(naming.id_of, names)),
        rows,
        owner_tags=tags,
        originals=[picture] * MANY,
    )
    page = shown(codes.name)
    begun = time.perf_counter()
    tab.goto(page.address)
    tab.get_by_role("button", name="00000.png", exact=True).wait_for()
    record_property("10,000 items: first tiles, s", round(time.perf_counter() - begun, 3))
    frames, long_tasks = scrolled(tab)
    record_property("10,000 items: frame, p50, ms", round(float(np.median(frames)), 1))
    record_property("10,000 items: frame, p95, ms", round(float(np.percentile(frames, 95)), 1))
    record_property("10,000 items: tasks above 50 ms while scrolling, ms", sorted(long_tasks))
    tab.evaluate("scrollTo(0, 0)")
    before = len(tab.asked)
    tab.get_by_role("radio", name="Both").check(force=True)
    tab.get_by_role("button", name="00000.png", exact=True).wait_for()
    tab.get_by_role("button", name="00000.png", exact=True).focus()
    tab.keyboard.press("End")
    tab.get_by_role("button", name="09999.png", exact=True).wait_for()
    assert focused(tab) == "09999.png"
    tab.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    tab.wait_for_function(
        "() => [...document.querySelectorAll('.name')]"
        ".some((each) => each.textContent.startsWith('05'))"
    )
    assert tab.locator(".tile").count() < 100
    loaded(tab, ".tile img")
    places = tab.locator(".tile").evaluate_all("all => all.map((each) => +each.ariaPosInSet)")
    assert places == sorted(places)
    tab.evaluate("scrollBy(0, -1500)")
    first = f"() => document.querySelector('.tile').ariaPosInSet < {places[0]}"
    tab.wait_for_function(first)
    places = tab.locator(".tile").evaluate_all("all => all.map((each) => +each.ariaPosInSet)")
    assert places == sorted(places)
    assert tab.locator(".tile").first.get_attribute("aria-setsize") == str(MANY)
    pages = [each for each in tab.asked[before:] if "/items?" in each]
    assert len(pages) < 10  # of 50
    tab.get_by_role("searchbox", name="Filter by name").fill("0777")
    assert len(expect_tiles(tab, 11)) == 11


def test_an_end_of_the_program_is_told(tab, client, codes, tmp_path):
    from cipherlens.client.manifests import ManifestFolder
    from cipherlens.client.web.album import Album
    from cipherlens.client.web.listening import listen

    client.index_codes(codes, ["a"], np.zeros((1, 6), np.uint8))
    album = Album(client, client.get_collection(codes.name), ManifestFolder(tmp_path))
    album.refresh()
    with answering(listen(album, None)) as page:
        tab.goto(page.address)
        expect_tiles(tab, 1)
    tab.get_by_role("button", name="Find pictures similar to a").click()
    tab.get_by_role("alert").get_by_text("was it ended?").wait_for()
    tab.said.clear()  # the browser itself tells of it


def test_a_script_from_elsewhere_does_not_run(opened):
    with pytest.raises(Exception, match="Trusted"):
        opened.evaluate("document.body.innerHTML = '<img src=x onerror=alert(1)>'")
    opened.evaluate(
        "document.head.append(Object.assign(document.createElement('style'),"
        " { textContent: 'body { color: red }' }))"
    )
    colour = opened.evaluate("getComputedStyle(document.body).color")
    assert colour != "rgb(255, 0, 0)"
    assert all("Content Security Policy" in each or "Trusted" in each for each in opened.said)
    assert opened.said
    opened.said.clear()


ATTACK = """async ([place, picture]) => {
  const tried = ['collection', 'items', 'search?k=3', 'upload?name=a.png', 'session'];
  for (const path of tried) {
    const isRead = ['collection', 'items'].includes(path);
    await fetch(place + path, {
      method: isRead ? 'GET' : 'POST', mode: 'no-cors', credentials: 'include',
      ...(isRead ? {} : { body: Uint8Array.from(picture) }),
    }).catch(() => null);
  }
  const image = new Image();
  image.src = `${place}collection`;
  await image.decode().catch(() => null);
}"""


class Innocent(BaseHTTPRequestHandler):
    """Gives a page that looks like nothing."""

    def do_GET(self) -> None:
        """Give it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>an innocent page</title>")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", FOREIGN])
def test_a_page_elsewhere_in_the_same_browser_gets_and_does_nothing(
    opened, host, client, photos, noise
):
    """Even if it knows the whole path: the user's session is in this browser."""
    failed = []
    opened.on("requestfailed", lambda request: failed.append(request.failure))
    with ThreadingHTTPServer(("127.0.0.1", 0), Innocent) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        opened.goto(f"http://{host}:{other.server_address[1]}/")
        failed.clear()
        place = opened.server.origin + opened.server.place
        opened.evaluate(ATTACK, [place, list(file_of(noise(9)))])
        other.shutdown()
    assert failed == ["net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin"] * 6
    assert client.get_collection(photos).item_count == 5
    opened.said.clear()
    opened.asked.clear()


def test_a_name_that_was_made_to_lead_here_is_not_answered(opened):
    port = opened.server.host.partition(":")[2]
    answer = opened.goto(f"http://{FOREIGN}:{port}{opened.server.place}")
    assert answer.status == 421
    opened.said.clear()
    opened.asked.clear()
