"""The site: built as `make docs` builds it, then read, in a browser too."""

import html
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import pytest

from labkit.labs.lab import find_labs
from tests.conftest import ROOT

pytest.importorskip(
    "sphinx", reason='the site needs Sphinx: pip install -e ".[docs]"', exc_type=None
)
sys.path.append(str(ROOT / "docs" / "site"))
api_pages, build, charts, command_pages, extension = map(
    import_module, ("api_pages", "build", "charts", "command_pages", "extension")
)
LABS = [path.stem for path in find_labs(ROOT / "solutions")]
# What a page brings along, beside what it leads to.
BROUGHT = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src")}


class Page(HTMLParser):
    """What a page leads to, what it brings along, and the names of its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.text = path, path.read_text("utf-8")
        self.links: list[str] = []
        self.brought: list[str] = []
        self.ids: set[str] = set()
        self.tags: dict[str, int] = defaultdict(int)
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif (tag, name) in BROUGHT:
                self.brought.append(value)
            elif name == "href":
                self.links.append(value)


@pytest.fixture(scope="session")
def site(environment, tmp_path_factory) -> Path:
    """The folder of the site, built in a process of its own, as `make docs` does."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "docs" / "site" / "build.py"), str(out)]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return out


@pytest.fixture(scope="session")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


@pytest.fixture
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium or Chrome on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


def test_every_link_leads_to_a_page_and_a_place_on_it(pages):
    nowhere = []
    for path, page in pages.items():
        for link in page.links + page.brought:
            if re.match(r"(https?|mailto|data):", link):
                continue
            name, _, anchor = link.partition("#")
            name = unquote(name.partition("?")[0])
            target = (path.parent / name).resolve() if name else path
            there = target.is_file()
            if anchor and target in pages:
                there = unquote(anchor) in pages[target].ids
            nowhere += [] if there else [f"{path.name}: {link}"]
    assert nowhere == []


def test_no_page_brings_anything_from_outside(site, pages):
    outside = [
        f"{path.name}: {address}"
        for path, page in pages.items()
        for address in page.brought
        if re.match(r"(https?:)?//", address)
    ]
    assert outside == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles) == []


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_is_shown_with_figures_and_formulas(pages, site, lab):
    page = pages[site / "docs" / "labs" / f"{lab}.html"]
    assert page.tags["math"] > 3 and "$" not in re.sub(
        r"<(pre|code|script|math)\b.*?</\1>", "", page.text, flags=re.S
    )
    assert any(address.endswith("-0.png") for address in page.brought)
    assert "raise NotImplementedError" in html.unescape(
        re.sub(r"<[^>]+>", "", page.text)
    )
    assert "The figures here come from the cells that are given" in page.text
    words = re.findall(r'<img alt="([^"]*)" class="figure"', page.text)
    assert len(words) == page.text.count('class="figure"')
    assert all(len(one) > 10 for one in words) and len(set(words)) > len(words) / 2


def test_every_command_has_a_page_with_all_its_options(pages, site):
    for words, command in command_pages.commands():
        name = command_pages.page_name(words)
        text = pages[site / "docs" / "commands" / f"{name}.html"].text
        said = " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())
        assert " ".join(words) in said
        for one in command.params:
            if one.param_type_name == "option" and not one.hidden:
                assert set(one.opts) <= set(re.split(r"[\s,]+", said)), name
        for line in command_pages.example_lines(command):
            assert line in said, name
    index = pages[site / "docs" / "commands" / "index.html"]
    for words, _ in command_pages.commands():
        assert f"{command_pages.page_name(words)}.html" in index.links


def test_the_pages_of_modules_show_all_that_they_offer(pages, site):
    for module in api_pages.MODULES:
        page = pages[site / "docs" / "api" / f"{module}.html"]
        names = [name for name, _ in api_pages.offered(import_module(module))]
        assert names
        assert [name for name in names if f"{module}.{name}" not in page.ids] == []
        for name, value in api_pages.offered(import_module(module)):
            assert value.__doc__, f"{module}.{name} has no docstring"
    check = pages[site / "docs" / "api" / "index.html"]
    assert "labkit.checks.cell.Check.predictions" in check.ids


def test_charts_are_pictures(pages, site):
    for name, count in {
        "values": 1,
        "drawn": 1,
        "sandbox": 1,
        "architecture": 3,
    }.items():
        page = pages[site / "docs" / f"{name}.html"]
        assert page.text.count('<div class="chart"><svg') == count
        assert "flowchart TD" not in page.text


def test_a_chart_that_is_not_understood_is_refused():
    assert "<svg" in charts.chart('flowchart TD\na["one"] -- "two" --> b')
    with pytest.raises(ValueError, match="has the line 'a ==> b'"):
        charts.chart("flowchart TD\na ==> b")


def test_a_formula_that_is_not_known_is_refused():
    assert "<mi>x</mi>" in extension.mathml("x_1, \\dots", block=False)
    with pytest.raises(extension.ExtensionError, match="nonsense"):
        extension.mathml("\\nonsense{x}", block=False)


def test_every_page_of_the_repository_is_on_the_site(pages, site):
    there = {str(path.relative_to(site).with_suffix("")) for path in pages}
    wanted = {
        str(path.relative_to(ROOT).with_suffix(""))
        for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
    }
    assert wanted - there <= {"README"}


def test_the_site_is_read_on_a_phone(browser, pages):
    """390 pixels wide, nothing goes beyond them; and a browser asks for local files."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    wide = {}
    for path in pages:
        if 'http-equiv="refresh"' in path.read_text("utf-8"):
            continue  # it leads to another page, perhaps in the midst of being measured
        page.goto(path.as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide[path.name] = width
    assert wide == {} and faults == []
    assert {address.partition(":")[0] for address in asked} <= {"file", "data"}


def test_the_search_works_from_files(browser, site):
    page = browser.new_page()
    address = (site / "docs" / "index.html").as_uri()
    page.goto(address)
    page.fill("input[name=q]", "cross-correlation")
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results ul.search li a", timeout=60_000)
    found = page.eval_on_selector_all(
        "#search-results ul.search li a", "all => all.map(one => one.href)"
    )
    assert any("/labs/" in address for address in found)
