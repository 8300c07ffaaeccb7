"""How often each kind of text comes up on each kind of page."""

from __future__ import annotations

from collections.abc import Callable

from . import drills, phrases
from .dice import Dice, Weighted

MAKERS: dict[str, Callable[[Dice], str]] = {
    "person": phrases.person,
    "address": phrases.address,
    "date": phrases.date,
    "time": phrases.time_of_day,
    "money": phrases.money,
    "phone": phrases.phone,
    "web": phrases.web,
    "code": phrases.code,
    "item": phrases.item,
    "total": phrases.total,
    "receipt_note": phrases.receipt_note,
    "field": phrases.field,
    "legal": phrases.legal,
    "sentence": phrases.sentence,
    "syllables": drills.syllable_run,
    "tones": drills.tone_pairs,
    "symbols": drills.symbols,
}

# How often each maker is asked, for each kind of page. "scramble" is made for the vocabulary at hand.
MIX = {
    "any": Weighted(
        [
            ("person", 6),
            ("address", 7),
            ("date", 4),
            ("time", 3),
            ("money", 5),
            ("phone", 4),
            ("web", 4),
            ("code", 6),
            ("item", 7),
            ("total", 4),
            ("receipt_note", 2),
            ("field", 8),
            ("legal", 8),
            ("sentence", 7),
            ("syllables", 20),
            ("tones", 3),
            ("symbols", 4),
            ("scramble", 8),
        ]
    ),
    "receipt": Weighted(
        [
            ("item", 30),
            ("total", 18),
            ("receipt_note", 14),
            ("money", 8),
            ("time", 7),
            ("phone", 4),
            ("address", 6),
            ("code", 4),
            ("person", 3),
            ("web", 2),
            ("syllables", 4),
        ]
    ),
    "form": Weighted(
        [
            ("field", 45),
            ("person", 10),
            ("address", 10),
            ("date", 8),
            ("code", 8),
            ("phone", 4),
            ("web", 2),
            ("legal", 6),
            ("syllables", 4),
            ("symbols", 2),
        ]
    ),
    "letter": Weighted(
        [
            ("legal", 40),
            ("sentence", 30),
            ("date", 5),
            ("person", 6),
            ("address", 5),
            ("code", 4),
            ("field", 4),
            ("syllables", 3),
            ("web", 1),
        ]
    ),
}
