"""Every Vietnamese syllable that the spelling rules allow: onset × rime × tone."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from ...common.wordlists import entries

# Combining marks: level, grave (huyền), acute (sắc), hook (hỏi), tilde (ngã), dot below (nặng).
TONES = ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
# A syllable closed by a stop carries only sắc or nặng.
STOP_TONES = ("\u0301", "\u0323")

# Before i, e, ê, y the sounds /k/, /g/, /ng/ are spelt k, gh, ngh; elsewhere c, g, ng.
HARD = {"k": "c", "gh": "g", "ngh": "ng"}
ONSETS = ("", *entries("b|ch|d|đ|gh|gi|h|k|kh|l|m|n|ngh|nh|p|ph|r|s|t|th|tr|v|x"))
# Onsets that take no rounded glide (oa, oe, uê, uy ...), except in the loans below.
NO_GLIDE = {"b", "m", "p", "ph", "v", "gi"}
LOANS = ("buýt", "voan", "phuy", "xoong", "goòng", "moóc", "boong", "noãn", "goá", "góa", "quốc", "quạu", "quít")

RIMES = entries("""
    a | ac | ach | ai | am | an | ang | anh | ao | ap | at | au | ay | ăc | ăm | ăn | ăng | ăp | ăt | âc | âm | ân
    âng | âp | ât | âu | ây | e | ec | em | en | eng | eo | ep | et | ê | êch | êm | ên | êng | ênh | êp | êt | êu
    i | ia | ich | im | in | inh | ip | it | iu | iêc | iêm | iên | iêng | iêp | iêt | iêu | o | oc | oi | om | on
    ong | oong | ooc | op | ot | ô | ôc | ôi | ôm | ôn | ông | ôp | ôt | ơ | ơi | ơm | ơn | ơp | ơt | u | ua | uc
    ui | um | un | ung | up | ut | uôc | uôi | uôm | uôn | uông | uôt | ư | ưa | ưc | ưi | ưm | ưn | ưng | ưt | ưu
    ươc | ươi | ươm | ươn | ương | ươp | ươt | ươu
""")
GLIDE_RIMES = entries("""
    oa | oac | oach | oai | oam | oan | oang | oanh | oao | oap | oat | oay | oăc | oăm | oăn | oăng | oăt | oe
    oen | oeo | oet | uân | uâng | uât | uây | uê | uêch | uên | uênh | uêt | uêu | uơ | uy | uya | uych | uyn
    uynh | uyp | uyt | uyu | uyên | uyêt
""")
# /i/ written y: by custom after these onsets, and always where nothing stands before iê.
Y_ONSETS = ("", "h", "k", "l", "m", "s", "t", "v")
BARE_Y_RIMES = ("yêm", "yên", "yêng", "yêt", "yêu")

VOWELS = "aăâeêioôơuưy"
QUALITY = "ăâêôơ"  # vowels that bear a mark of their own besides the tone


def _place(rime: str, tone: str, new_style: bool) -> str:
    """Put `tone` on the letter of `rime` that the spelling rules, old or new, choose."""
    if not tone:
        return rime
    vowels = [index for index, letter in enumerate(rime) if letter in VOWELS]
    marked = [index for index in vowels if rime[index] in QUALITY]
    if marked:
        at = marked[-1]  # ươ, iê, uyê, oă, uâ: the letter that has a mark already
    elif "ư" in rime:
        at = rime.index("ư")  # ưa, ưi, ưu
    elif len(vowels) == 1:
        at = vowels[0]
    elif rime == "uya":
        at = 1
    elif rime[:2] in ("oa", "oe", "uy", "oo"):
        closed = len(rime) > 2
        at = 1 if closed or new_style else 0  # hoà (new) or hòa (old); hoàn always
    else:
        at = vowels[0]  # ia, ua, ai, ao, oi, ui ...
    return unicodedata.normalize("NFC", rime[: at + 1] + tone + rime[at + 1 :])


def _toned(onset: str, rime: str) -> list[str]:
    tones = STOP_TONES if rime.endswith(("c", "ch", "p", "t")) else TONES
    return [onset + _place(rime, tone, new) for tone in tones for new in (False, True)]


@lru_cache(maxsize=1)
def syllables() -> tuple[str, ...]:
    """Return all spellings: lower case, NFC, sorted, with tones in the old (hòa) and in the new (hoà) place."""
    spellings: set[str] = set(LOANS)
    for onset in ONSETS:
        for rime in RIMES:
            front = rime[0] in "ieê"
            if onset == "gi":
                # gi swallows the i of its rime: giêng, giết; "gi" and "gìn" are g + i, gin.
                if rime.startswith("iê"):
                    spellings.update(_toned("gi", rime[1:]))
                elif rime in ("i", "in"):
                    spellings.update(_toned("g", rime))
                elif rime[0] != "i":
                    spellings.update(_toned("gi", rime))
                continue
            if onset == "" and rime.startswith("iê"):
                continue  # written yê
            spellings.update(_toned(onset if front else HARD.get(onset, onset), rime))
        if onset in Y_ONSETS:
            spellings.update(_toned(onset, "y"))
        if onset not in NO_GLIDE:
            for rime in GLIDE_RIMES:
                if onset == "k":  # k + glide is spelt qu, which takes the glide's letter
                    spellings.update(_toned("qu", rime[1:]))
                else:
                    spellings.update(_toned(HARD.get(onset, onset), rime))
    for rime in BARE_Y_RIMES:
        spellings.update(_toned("", rime))
    return tuple(sorted(spellings))
