"""The pages: short where they must be, no link that leads nowhere, no command that the program does not know."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantvietocr.cli import main as console

ROOT = Path(__file__).resolve().parents[1]
FRONT_PAGES = [ROOT / "README.md", ROOT / "README.vi.md"]
PAGES = [
    *FRONT_PAGES,
    ROOT / "CHANGELOG.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "weights").glob("*.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
ENDS_COMMAND = {"|", "||", "&&", ";", "&", ">", ">>", "<", "}"}
MARKER = re.compile(r"<!-- (table|end) (\S+) -->")
SECTION = re.compile(r"<!-- table (\S+) -->(.*?)<!-- end \1 -->", re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """What GitHub and mkdocs call the headings of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in HEADING.findall(text)]
    return {re.sub(r"[\s]+", "-", heading) for heading in plain}


def commands(text: str) -> Iterator[list[str]]:
    """The words after `quantvietocr` of each command in the fenced blocks of a page that a shell runs."""
    for language, block in FENCE.findall(text):
        if language not in ("sh", "bash", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shell_words(line)
            for start, word in enumerate(words):
                if word == "quantvietocr" and (not start or words[start - 1] in ENDS_COMMAND | {"{"}):
                    rest = words[start + 1 :]
                    yield rest[: next((at for at, one in enumerate(rest) if one in ENDS_COMMAND), len(rest))]


def shell_words(line: str) -> list[str]:
    """The words of a line of shell, operators among them; a comment is left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)
    return words[: next((at for at, word in enumerate(words) if word.startswith("#")), len(words))]


@pytest.mark.parametrize(
    ("page", "most"), [("README.md", 120), ("README.vi.md", 120), ("weights/WEIGHTS.md", 80)], ids=str
)
def test_first_pages_are_short(page, most):
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_ones_that_the_program_takes(page, capsys):
    refused = []
    for words in commands(page.read_text(encoding="utf-8")):
        try:
            console._parser().parse_args(words)
        except SystemExit:
            refused.append((shlex.join(words), capsys.readouterr().err.strip().splitlines()[-1]))
    assert not refused


def test_commands_are_found_and_a_wrong_one_is_refused(capsys):
    page = (
        "```sh\nls | quantvietocr describe a.pth > b  # as c\nquantvietocr compare \\\n  --into d.md#e --nope f\n```\n"
    )
    assert list(commands(page)) == [["describe", "a.pth"], ["compare", "--into", "d.md#e", "--nope", "f"]]
    with pytest.raises(SystemExit):
        console._parser().parse_args(["describe", "--nope", "a.pth"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_sections_of_tables_open_and_close(page):
    found = MARKER.findall(page.read_text(encoding="utf-8"))
    assert found[::2] == [("table", name) for _, name in found[::2]]
    assert found[1::2] == [("end", name) for _, name in found[::2]]
    assert not [name for name, content in SECTION.findall(page.read_text(encoding="utf-8")) if not content.strip()]


def test_both_first_pages_have_the_same_table_and_pictures():
    table = re.compile(r"<!-- table front -->.*?<!-- end front -->", re.DOTALL)
    english, vietnamese = (page.read_text(encoding="utf-8") for page in FRONT_PAGES)
    assert table.findall(english) == table.findall(vietnamese) != []
    pictures = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
    assert pictures.findall(english) == pictures.findall(vietnamese)


def test_example_of_the_first_page_reads_so():
    """The rows shown below the command are those that the samples' labels have."""
    shown = re.search(r"```text\n(.*?)```", FRONT_PAGES[0].read_text(encoding="utf-8"), re.DOTALL)[1]
    labels = dict(
        line.split("\t") for line in (ROOT / "data/samples/annotation.txt").read_text(encoding="utf-8").splitlines()
    )
    for row in shown.splitlines():
        path, text, confidence = row.split("\t")
        assert labels[Path(path).name] == text and 0 < float(confidence) <= 1


@pytest.mark.parametrize("page", FRONT_PAGES, ids=name_of)
def test_python_of_the_first_pages_runs_and_prints_what_it_says(page):
    block = next(block for language, block in FENCE.findall(page.read_text(encoding="utf-8")) if language == "python")
    ran = subprocess.run(
        [sys.executable, "-c", block], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert not ran.returncode, ran.stderr
    assert ran.stdout.splitlines() == re.findall(r"print\(.*\)  # (.+)", block)


def test_site_is_built_without_warnings_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
    assert not built.returncode, built.stderr
    for page in tmp_path.glob("**/*.html"):
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"([^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]* rel=\"(?:stylesheet|preconnect|icon)\"[^>]* href=\"([^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]* href=\"([^\"]+)\"[^>]* rel=\"(?:stylesheet|preconnect|icon)\"", html)
        assert not [one for one in loaded if re.match(r"(https?:)?//", one)], page
