"""Every line of an annotation becomes a sample or is accounted for."""

import unicodedata

import pytest
from PIL import Image

from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.dataset.annotation import AnnotationError, read_annotation

VOCAB = Vocab()


@pytest.fixture
def write(tmp_path):
    """Write an annotation beside two pictures, a.png and b.png; gives its path."""
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)

    def write(content: str | bytes):
        path = tmp_path / "annotation.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def texts(annotation) -> list[str]:
    return [sample.text for sample in annotation.samples]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_byte_order_mark(write, end, mark, last):
    path = write(mark + f"a.png\tHà Nội{end}b.png\tHuế" + end * last)
    got = read_annotation(path, VOCAB)
    assert [(s.path, s.text, s.line) for s in got.samples] == [
        (path.parent / "a.png", "Hà Nội", 1),
        (path.parent / "b.png", "Huế", 2),
    ]
    assert got.report.lines == 2 and got.report.summary() == f"{path}: 2 of 2 lines are used."


def test_separate_accents_are_composed_and_counted(write):
    got = read_annotation(write(unicodedata.normalize("NFD", "a.png\tTiếng Việt\nb.png\tabc")), VOCAB)
    assert texts(got) == ["Tiếng Việt", "abc"]
    assert got.report.normalized == 1 and "1 text(s) with separate accents" in got.report.summary()


def test_tabs_in_text_become_spaces_and_ends_are_stripped(write):
    got = read_annotation(write("a.png\t x\ty \t\nb.png\t z "), VOCAB)
    assert texts(got) == ["x y", "z"]
    assert got.report.tabs == 1 and "1 text(s) held tabs" in got.report.summary()


def test_blank_lines_keep_the_numbering(write):
    got = read_annotation(write("\na.png\tx\n \t \n\nb.png\ty\n"), VOCAB)
    assert [s.line for s in got.samples] == [2, 5]
    assert got.report.blank == 3 and "3 blank line(s)" in got.report.summary()


BROKEN = "a.png\tx\na.png no tab\nmissing.png\ty\nb.png\t \n\tz\nb.png\tlast\n"


def test_problems_stop_with_their_line_numbers(write):
    path = write(BROKEN)
    with pytest.raises(AnnotationError) as caught:
        read_annotation(path, VOCAB)
    message = str(caught.value)
    assert message.startswith(f"{path}:") and "4 line(s) cannot be used" in message
    for line, reason in ((2, "no tab"), (3, "no image file"), (4, "no text"), (5, "no image path")):
        assert f"line {line}: {reason}" in message
    assert str(path.parent / "missing.png") in message


def test_problems_can_be_skipped_and_are_reported(write):
    got = read_annotation(write(BROKEN), VOCAB, problems="skip")
    assert texts(got) == ["x", "last"]
    assert [p.line for p in got.report.problems] == [2, 3, 4, 5]
    assert "4 line(s) could not be used and were skipped" in got.report.summary()
    assert "line 3: no image file" in got.report.summary()


def test_long_lists_are_cut_with_a_total(write):
    with pytest.raises(AnnotationError) as caught:
        read_annotation(write("a.png\tx\n" + "no tab\n" * 25), VOCAB)
    message = str(caught.value)
    assert "25 line(s)" in message and "line 11:" in message and "line 12:" not in message and "15 more" in message


UNKNOWN = "a.png\tgiá 5€ và 6€\nb.png\tsạch\na.png\t€\n"


def test_unknown_characters_stop_by_default(write):
    with pytest.raises(AnnotationError, match=r"'€' U\+20AC EURO SIGN: 3 time\(s\), line\(s\) 1, 3"):
        read_annotation(write(UNKNOWN), VOCAB)


def test_problems_and_unknown_characters_are_told_together(write):
    with pytest.raises(AnnotationError, match=r"(?s)line 4: no tab.*EURO SIGN"):
        read_annotation(write(UNKNOWN + "no tab\n"), VOCAB)


def test_unknown_characters_skip(write):
    got = read_annotation(write(UNKNOWN), VOCAB, unknown="skip")
    assert texts(got) == ["sạch"] and got.report.skipped == 2
    assert "2 line(s) were skipped because of 1 character(s)" in got.report.summary()


def test_unknown_characters_replace(write):
    got = read_annotation(write(UNKNOWN), VOCAB, unknown="replace", replacement="?")
    assert texts(got) == ["giá 5? và 6?", "sạch", "?"] and got.report.replaced == 2
    assert "2 line(s) were rewritten" in got.report.summary()


def test_a_text_of_unknown_characters_alone_is_a_problem_when_they_are_removed(write):
    with pytest.raises(AnnotationError, match="line 3: nothing is left"):
        read_annotation(write(UNKNOWN), VOCAB, unknown="replace")
    got = read_annotation(write(UNKNOWN), VOCAB, unknown="replace", problems="skip")
    assert texts(got) == ["giá 5 và 6", "sạch"]


def test_every_line_is_accounted_for(write):
    report = read_annotation(write(BROKEN + UNKNOWN + "\n"), VOCAB, unknown="skip", problems="skip").report
    assert report.lines == 10
    assert report.samples + report.blank + len(report.problems) + report.skipped == report.lines


def test_repeated_pictures_are_kept_and_reported(write):
    got = read_annotation(write("a.png\tx\na.png\ty\nb.png\tz\na.png\tx\n"), VOCAB)
    assert len(got.samples) == 4 and got.report.duplicates == 2
    assert "2 line(s) name a picture that an earlier line names" in got.report.summary()


def test_bytes_that_are_not_utf8_are_placed(write):
    with pytest.raises(AnnotationError, match=r"line 2 is not UTF-8 \(byte 0xE9 at offset 17"):
        read_annotation(write(b"\xef\xbb\xbfa.png\tx\nb.png\t\xe9t\xe9\n"), VOCAB)


def test_images_can_start_from_another_root(write, tmp_path):
    (tmp_path / "labels").mkdir()
    moved = write("a.png\tx\n").rename(tmp_path / "labels" / "annotation.txt")
    with pytest.raises(AnnotationError, match="no image file"):
        read_annotation(moved, VOCAB)
    assert read_annotation(moved, VOCAB, root=tmp_path).samples[0].path == tmp_path / "a.png"
    absolute = write(f"{tmp_path / 'b.png'}\tx\n")
    assert read_annotation(absolute, VOCAB, root="/nowhere").samples[0].path == tmp_path / "b.png"


def test_paths_written_on_other_systems_are_found(write, tmp_path):
    (tmp_path / "ảnh").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "ảnh" / "ế.png")
    decomposed = unicodedata.normalize("NFD", "ảnh\\ế.png")
    assert read_annotation(write(f"{decomposed}\tx\n"), VOCAB).samples[0].path == tmp_path / "ảnh" / "ế.png"


def test_missing_and_empty_annotations(write, tmp_path):
    with pytest.raises(AnnotationError, match="nowhere.txt: no such annotation file"):
        read_annotation(tmp_path / "nowhere.txt", VOCAB)
    with pytest.raises(AnnotationError, match="is a folder"):
        read_annotation(tmp_path, VOCAB)
    with pytest.raises(AnnotationError, match="no line of it can be used"):
        read_annotation(write("\n\n"), VOCAB)
    with pytest.raises(AnnotationError, match="no line of it can be used"):
        read_annotation(write(""), VOCAB)


def test_choices_are_checked(write):
    with pytest.raises(ValueError, match="stop, skip or replace"):
        read_annotation(write("a.png\tx\n"), VOCAB, unknown="ignore")
    with pytest.raises(AnnotationError, match="replacement '€'"):
        read_annotation(write("a.png\tx\n"), VOCAB, unknown="replace", replacement="€")
