"""The options of everything that reads: their choices, their names on a command line, and that they arrive."""

from __future__ import annotations

import argparse

import pytest

from quantvietocr import Predictor
from quantvietocr.cli.shared import add_reading_options, reading_combinations, reading_options
from quantvietocr.reading.again import LOOKS
from quantvietocr.reading.options import MAX_RETRIES, USUAL, ReadingOptions


def parsed(*arguments: str, several: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_reading_options(parser, several)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    "option, sentence",
    [
        ({"wide": "crop"}, "wide is 'crop'; it must be one of cut, squeeze"),
        ({"leaders": "cut"}, "leaders is 'cut'; it must be one of count, drop, keep"),
        ({"retries": 3}, "retries is 3; it must be 0 to 2"),
        ({"retries": "2"}, "retries is '2'; it must be 0 to 2"),
        ({"beam": 33}, "beam is 33; it must be 0 to 32"),
        ({"beam": -1}, "beam is -1; it must be 0 to 32"),
    ],
)
def test_another_value_is_refused(option, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        ReadingOptions(**option)


def test_there_are_as_many_looks_as_may_be_asked_for():
    assert len(LOOKS) == MAX_RETRIES


def test_what_is_unusual_is_told():
    assert USUAL.unusual() == {} and ReadingOptions(words=None, beam=4).unusual() == {"words": None, "beam": 4}


def test_without_arguments_the_options_are_the_usual_ones():
    assert reading_options(parsed()) == USUAL
    assert reading_combinations(parsed(several=True)) == [USUAL]


def test_every_option_is_read_from_the_command_line():
    arguments = ["--wide", "squeeze", "--leaders", "drop", "--retries", "1", "--words", "none", "--beam", "3"]
    arguments += ["--whitelist", "abc"]
    expected = ReadingOptions("squeeze", "drop", 1, None, 3, "abc")
    assert reading_options(parsed(*arguments)) == expected
    assert reading_combinations(parsed(*arguments, several=True)) == [expected]


def test_the_former_names_are_still_taken():
    assert reading_options(parsed("--loops", "keep", "--again", "2")) == ReadingOptions(leaders="keep", retries=2)


def test_of_several_values_every_combination_is_made():
    found = reading_combinations(parsed("--retries", "0", "2", "--words", "vi", "none", several=True))
    assert [(one.retries, one.words) for one in found] == [(0, "vi"), (0, None), (2, "vi"), (2, None)]


@pytest.mark.parametrize("arguments", [["--beam", "33"], ["--beam", "-1"], ["--retries", "3"], ["--leaders", "cut"]])
def test_a_command_line_with_another_value_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        parsed(*arguments)
    assert f"argument {arguments[0]}" in capsys.readouterr().err


def test_a_predictor_takes_options_whole_or_by_name(tiny_weights):
    squeezing = ReadingOptions(wide="squeeze", words=None)
    assert Predictor(tiny_weights).options == USUAL
    assert Predictor(tiny_weights, options=squeezing).options == squeezing
    assert Predictor(tiny_weights, wide="squeeze", words=None).options == squeezing
    assert Predictor(tiny_weights, options=squeezing, retries=2).options == ReadingOptions("squeeze", "count", 2, None)
    with pytest.raises(TypeError, match="loops"):
        Predictor(tiny_weights, loops="keep")
