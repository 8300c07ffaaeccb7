"""The written tables: every number where its head says, sections replaced and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from quantvietocr.cli.main import main
from quantvietocr.measure.lines.report import Row, Setup, Table, markdown, page, summary
from quantvietocr.measure.markdown import ReportError, insert_section

ROW = Row(
    name="a|b",
    file="a.pth",
    method="float",
    stored="float32",
    engine="torch",
    precision="float32",
    bytes=2**20,
    lines=3,
    exact=1.0,
    cer=0.0,
    cer_delta=0.0,
    cer_folded=0.0,
    ms_per_line=12.34,
    ms_rounds=(12.34,),
    cores=1.0,
    together=False,
    size_ratio=1.0,
    speed_ratio=1.0,
    auroc=None,
    accepted=1.0,
    ece=0.125,
    reliability=((0.875, 1.0, 3),),
    confusions=(),
)
SETUP = Setup("data.txt", 3, 320, "a|b", 3, 1, 1, "A CPU", (), {"torch": "2"}, "2026-01-01", None)


def cells_of(table: list[str]) -> list[dict[str, str]]:
    head, _, *lines = [[cell.strip() for cell in line.replace("a\\|b", "a/b").split("|")[1:-1]] for line in table]
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_markdown_of_a_row_that_is_all_right():
    other = dataclasses.replace(ROW, name="c", cer=0.0213, cer_delta=0.0213, auroc=0.5)
    cells = cells_of(markdown([ROW, other], SETUP).splitlines()[:4])
    assert cells[0]["AUROC"] == "-" and cells[1]["AUROC"] == "0.500"
    assert cells[0]["Δ CER"] == "—" and cells[1]["Δ CER"] == "+2.13 pp"
    assert cells[0]["MB (MiB)"] == "1.0 (1.0)" and cells[0]["ms/line"] == "12.3" and cells[0]["Exact lines"] == "100.0%"
    assert cells[0]["ECE"] == "0.125"


def test_only_batched_readers_are_named_as_such():
    assert "by one process" not in markdown([ROW], SETUP)
    program = dataclasses.replace(ROW, name="c", together=True)
    assert "one line at a time (c: all timed lines by one process" in markdown([ROW, program], SETUP)


def test_one_set_is_its_table_alone():
    assert page([Table(SETUP, (ROW,))]) == markdown([ROW], SETUP)


def test_the_summary_has_each_sets_rates_and_the_mean_time_of_all_lines():
    worse = dataclasses.replace(ROW, name="c", precision="int8", cer=0.5, exact=0.25, ms_per_line=2 * ROW.ms_per_line)
    form = Table(dataclasses.replace(SETUP, data="form", lines=3), (ROW, worse))
    letter = Table(
        dataclasses.replace(SETUP, data="letter", lines=1),
        tuple(
            dataclasses.replace(row, lines=1, ms_per_line=time, cer=row.cer + 0.1)
            for row, time in zip(form.rows, (20, 40))
        ),
    )
    text = page([form, letter])
    first, second = cells_of(text.splitlines()[:4])
    assert list(first) == [
        "Weights",
        "MB",
        "× smaller",
        "form: exact",
        "form: CER",
        "letter: exact",
        "letter: CER",
        "ms/line",
        "× faster",
    ]
    assert list(first.values()) == ["a/b", "1.0", "1.00", "100.0%", "0.00%", "100.0%", "10.00%", "14.3", "1.00"]
    assert list(second.values())[3:7] == ["25.0%", "50.00%", "25.0%", "60.00%"] and second["Weights"] == "c"
    assert second["× faster"] == "0.50"  # 12.34 x 3 and 20 of the first, 24.68 x 3 and 40 of this one
    assert "3 lines of form, 1 lines of letter" in text and "1 thread(s). CPU: A CPU (no AVX2)." in text
    assert "Computed: a|b by torch: float32; c by torch: int8." in text
    assert text.index("### form") < text.index(markdown(form.rows, form.setup)) < text.index("### letter")
    assert text.endswith(markdown(letter.rows, letter.setup))


def test_the_summary_of_one_set_says_how_it_was_measured():
    text = summary([Table(SETUP, (ROW,))])
    (cells,) = cells_of(text.splitlines()[:3])
    assert list(cells) == ["Weights", "MB", "× smaller", "Exact lines", "CER", "ms/line", "× faster"]
    assert "3 lines of data.txt, median width 320 px" in text and "Computed: a|b by torch: float32." in text


def test_a_table_goes_into_its_section_and_nowhere_else(tmp_path):
    page = tmp_path / "PAGE.md"
    page.write_text(
        "before\n<!-- table one -->\nold\n<!-- end one -->\nbetween <!-- table two --> kept <!-- end two -->\n"
    )
    insert_section(page, "one", "new\n")
    insert_section(page, "one", "newer\n")
    assert page.read_text() == (
        "before\n<!-- table one -->\n\nnewer\n\n<!-- end one -->\nbetween <!-- table two --> kept <!-- end two -->\n"
    )
    with pytest.raises(ReportError, match="no section 'three'"):
        insert_section(page, "three", "x")
    with pytest.raises(ReportError, match="no file"):
        insert_section(tmp_path / "NONE.md", "one", "x")


def test_the_verb_puts_the_page_in_one_place_and_the_summary_in_another(tmp_path, monkeypatch):
    tables = [Table(SETUP, (ROW,)), Table(dataclasses.replace(SETUP, data="more.txt"), (ROW,))]
    monkeypatch.setattr("quantvietocr.measure.lines.compare.compare", lambda *_: tables)
    (tmp_path / "table.md").write_text(page(tables), encoding="utf-8")
    places = [tmp_path / "LONG.md", tmp_path / "SHORT.md"]
    for place in places:
        place.write_text("<!-- table t --><!-- end t -->")
    assert (
        main(
            [
                "compare",
                "--data",
                "x",
                "--weights",
                "y",
                "--out",
                str(tmp_path),
                "--into",
                f"{places[0]}#t",
                "--summary-into",
                f"{places[1]}#t",
            ]
        )
        == 0
    )
    long, short = (place.read_text(encoding="utf-8") for place in places)
    assert summary(tables).strip() in short and "### more.txt" not in short
    assert page(tables).strip() in long and "### more.txt" in long
