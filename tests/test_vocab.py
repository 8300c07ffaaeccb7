"""The vocabulary numbers characters as VietOCR does."""

import numpy as np
import pytest

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS, Vocab, VocabError, describe_character


def test_default_vocabulary_is_vietocrs():
    assert len(DEFAULT_CHARS) == len(set(DEFAULT_CHARS)) == 229
    assert len(Vocab()) == 233
    assert DEFAULT_CHARS.startswith("aAàÀảẢ") and DEFAULT_CHARS.endswith(
        "zZ0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "
    )


def test_encodes_and_decodes_as_vietocr():
    theirs = pytest.importorskip("vietocr.model.vocab").Vocab(DEFAULT_CHARS)
    ours = Vocab()
    assert len(ours) == len(theirs)
    for text in ("", "Cộng hòa xã hội chủ nghĩa Việt Nam", DEFAULT_CHARS):
        assert ours.encode(text) == theirs.encode(text)
        assert ours.decode(ours.encode(text)) == text
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 233 if i % 2 else 12, size=9).tolist() for i in range(400)]
    assert [ours.decode(row) for row in rows] == [theirs.decode(row) for row in rows]
    assert ours.batch_decode(rows) == theirs.batch_decode(rows)


def test_decode_writes_special_classes_out():
    assert Vocab("ab").decode([1, 4, 0, 3, 5, 2, 4]) == "a<pad>*b"
    assert Vocab("ab").decode(np.array([4, 5])) == "ab"


def test_unknown_characters_are_named():
    with pytest.raises(VocabError, match=r"U\+20AC EURO SIGN.*U\+200B ZERO WIDTH SPACE"):
        Vocab().encode("5 €\u200b €")
    assert Vocab().unknown("€a€") == ["€"]
    assert describe_character("\n") == "U+000A unnamed character"


def test_classes_outside_are_refused():
    with pytest.raises(VocabError, match=r"\[6\].*0 to 5"):
        Vocab("ab").decode([4, 6])


@pytest.mark.parametrize(("chars", "message"), [("", "empty"), ("abca", "'a' U\\+0061")])
def test_unusable_vocabularies_are_refused(chars, message):
    with pytest.raises(VocabError, match=message):
        Vocab(chars)
