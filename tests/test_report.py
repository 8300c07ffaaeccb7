"""The written tables: every number where its head says, sections replaced and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from quantvietocr.cli.main import main
from quantvietocr.measure.conditions import Conditions
from quantvietocr.measure.lines.front import FrontError, front
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
    cer_interval=(0.0, 0.01),
    against="a|b",
    cer_delta=0.0,
    same=1.0,
    cer_folded=0.0,
    ms_per_line=12.34,
    ms_rounds=(12.34,),
    cores=1.0,
    together=False,
    plain=False,
    size_ratio=1.0,
    speed_ratio=1.0,
    auroc=None,
    accepted=1.0,
    ece=0.125,
    reliability=((0.875, 1.0, 3),),
    confusions=(),
)
CONDITIONS = Conditions("A CPU", (), 2, "Linux", (1,), {"torch": "2"}, None, "2026-01-01", None)
SETUP = Setup("data.txt", 3, 320, "a|b", 3, 1, CONDITIONS)


def cells_of(table: list[str]) -> list[dict[str, str]]:
    head, _, *lines = [[cell.strip() for cell in line.replace("a\\|b", "a/b").split("|")[1:-1]] for line in table]
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_markdown_of_a_row_that_is_all_right():
    other = dataclasses.replace(ROW, name="c", cer=0.0213, cer_delta=0.0213, auroc=0.5)
    cells = cells_of(markdown([ROW, other], SETUP).splitlines()[:4])
    assert cells[0]["AUROC"] == "-" and cells[1]["AUROC"] == "0.500"
    assert cells[0]["Δ CER"] == "—" and cells[1]["Δ CER"] == "+2.13 pp"
    assert [row["Same text"] for row in cells] == ["—", "100.0%"]
    assert cells[0]["MB (MiB)"] == "1.0 (1.0)" and cells[0]["ms/line"] == "12.3" and cells[0]["Exact lines"] == "100.0%"
    assert cells[0]["ECE"] == "0.125" and cells[0]["CER 95 %"] == "0.00–1.00%" and cells[0]["File"] == "a"


def test_only_batched_readers_are_named_as_such():
    assert "by one process" not in markdown([ROW], SETUP)
    program = dataclasses.replace(ROW, name="c", together=True)
    assert "one line at a time. c reads all timed lines by one process" in markdown([ROW, program], SETUP)


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
    assert "3 lines of form, 1 lines of letter" in text and "1 thread. CPU: A CPU (no AVX2), 2 core(s)." in text
    assert "Computed: “a|b” by torch: float32; “c” by torch: int8." in text
    assert text.index("### form") < text.index(markdown(form.rows, form.setup)) < text.index("### letter")
    assert text.endswith(markdown(letter.rows, letter.setup))


def test_the_summary_of_one_set_says_how_it_was_measured():
    text = summary([Table(SETUP, (ROW,))])
    (cells,) = cells_of(text.splitlines()[:3])
    assert list(cells) == ["Weights", "MB", "× smaller", "Exact lines", "CER", "ms/line", "× faster"]
    assert "3 lines of data.txt. Their median width is 320 px" in text and "Computed: “a|b” by torch: float32." in text


def test_a_table_goes_into_its_section_and_nowhere_else(tmp_path):
    page = tmp_path / "PAGE.md"
    page.write_text(
        "before\n<!-- table one -->\nold\n<!-- end one -->\nbetween <!-- table two --> kept <!-- end two -->\n"
    )
    insert_section(f"{page}#one", "new\n")
    insert_section(f"{page}#one", "newer\n")
    assert page.read_text() == (
        "before\n<!-- table one -->\n\nnewer\n\n<!-- end one -->\nbetween <!-- table two --> kept <!-- end two -->\n"
    )
    with pytest.raises(ReportError, match="no section 'three'"):
        insert_section(f"{page}#three", "x")
    with pytest.raises(ReportError, match="no file"):
        insert_section(f"{tmp_path / 'NONE.md'}#one", "x")


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


def four_and_more() -> Table:
    """The rows of a long table: VietOCR's own code, two float files, int8 files and networks alone, other readers."""
    rows = [
        dataclasses.replace(ROW, name="VietOCR 0.3.13, float", file=None, plain=True),
        dataclasses.replace(ROW, name="float (a)", method="float"),
        dataclasses.replace(ROW, name="float (b)", method="float"),
        dataclasses.replace(ROW, name="int8, all (shipped)", method="qat", speed_ratio=4.466, cer=0.00084),
        dataclasses.replace(ROW, name="int8, all", method="static"),
        dataclasses.replace(ROW, name="int8, network alone", method="qat", plain=True),
        dataclasses.replace(ROW, name="Tesseract 5.3.0 (vie)", method="peer", together=True),
        dataclasses.replace(ROW, name="AsterOCR 1.0.2", method="peer"),
    ]
    rows = [dataclasses.replace(row, against=rows[0].name) for row in rows]
    return Table(dataclasses.replace(SETUP, reference=rows[0].name), tuple(rows))


def test_the_front_table_has_four_rows_one_sentence_and_a_fold():
    text = front(four_and_more())
    cells = cells_of(text.splitlines()[:6])
    assert list(cells[0]) == ["Reader", "MB", "Exact lines", "CER", "× faster"]
    assert [row["Reader"] for row in cells] == [
        "VietOCR 0.3.13, float",
        "float (a)",
        "int8, all (shipped)",
        "AsterOCR 1.0.2",
    ]
    assert list(cells[2].values())[1:] == ["1.0", "100.0%", "0.08%", "4.47"]
    before, fold = text.split("<details><summary>How this was measured</summary>\n\n")
    sentence = before.splitlines()[7]
    assert "3 lines of data.txt on 1 thread" in sentence and sentence.count(". ") == 0
    assert fold.rstrip().endswith("</details>") and "CPU: A CPU" in fold and "Tesseract" not in fold


def test_the_front_tables_rows_can_be_named():
    table = four_and_more()
    cells = cells_of(front(table, ["int8, network alone", "float (b)"]).splitlines()[:4])
    assert [row["Reader"] for row in cells] == ["int8, network alone", "float (b)"]
    with pytest.raises(FrontError, match="no row is called 'none'; name some of VietOCR 0.3.13, float; "):
        front(table, ["none"])
    without = Table(table.setup, tuple(row for row in table.rows if "shipped" not in row.name)[1:-1])
    cells = cells_of(front(without).splitlines()[:4])
    assert [row["Reader"] for row in cells] == ["float (a)", "int8, all"]


def test_a_section_that_is_not_there_is_told_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("quantvietocr.measure.lines.compare.compare", lambda *_: pytest.fail("measured"))
    (tmp_path / "PAGE.md").write_text("<!-- end one --> <!-- table one -->")
    for option in ("--into", "--summary-into", "--front-into"):
        target = f"{tmp_path / 'PAGE.md'}#one"
        assert main(["compare", "--data", "x", "--weights", "y", "--out", str(tmp_path / "out"), option, target]) == 2
        assert "has no section 'one'" in capsys.readouterr().err
