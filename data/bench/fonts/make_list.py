"""Write `debian12.yml` from the fonts installed here: `python data/bench/fonts/make_list.py` (Debian: asks dpkg).

What receipts, forms and letters are printed in: Times, Arial, Courier and Calibri by the free families made to their
measures, and the families that offices and tills use beside them. Each draws all 233 characters.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import yaml

FOUR = ("Regular", "Bold", "Italic", "BoldItalic")
CHOSEN = {
    "fonts-liberation2": [f"Liberation{family}-{face}.ttf" for family in ("Serif", "Sans", "Mono") for face in FOUR],
    "fonts-freefont-ttf": [
        "FreeSerif.ttf",
        "FreeSerifBold.ttf",
        "FreeSerifItalic.ttf",
        "FreeSans.ttf",
        "FreeSansBold.ttf",
        "FreeMono.ttf",
        "FreeMonoBold.ttf",
    ],
    "fonts-crosextra-carlito": [f"Carlito-{face}.ttf" for face in FOUR],
    "fonts-dejavu-core": ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"],
    "fonts-noto-core": [
        "NotoSans-Regular.ttf",
        "NotoSans-Bold.ttf",
        "NotoSerif-Regular.ttf",
        "NotoSerif-Bold.ttf",
        "NotoSerif-Italic.ttf",
    ],
    "fonts-noto-mono": ["NotoSansMono-Regular.ttf", "NotoSansMono-Bold.ttf"],
    "fonts-roboto-unhinted": [
        "Roboto-Regular.ttf",
        "Roboto-Bold.ttf",
        "Roboto-Italic.ttf",
        "RobotoCondensed-Regular.ttf",
    ],
    "fonts-open-sans": ["OpenSans-Regular.ttf", "OpenSans-Bold.ttf", "OpenSans-Italic.ttf"],
    "fonts-linuxlibertine": ["LinLibertine_R.otf", "LinLibertine_RB.otf", "LinLibertine_RI.otf"],
    "fonts-jetbrains-mono": ["JetBrainsMono-Regular.ttf", "JetBrainsMono-Bold.ttf"],
}


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    rows = []
    for package, names in CHOSEN.items():
        version = ask("dpkg-query", "--show", "--showformat=${Version}", package)
        files = {Path(path).name: Path(path) for path in ask("dpkg", "--listfiles", package).splitlines()}
        for name in names:
            digest = hashlib.sha256(files[name].read_bytes()).hexdigest()
            rows.append({"file": name, "sha256": digest, "package": package, "version": version})
    head = "# Written by make_list.py on Debian 12. The recipes one folder up name it with `fonts:`.\n"
    text = head + yaml.safe_dump(rows, sort_keys=False, width=1000)
    Path(__file__).with_name("debian12.yml").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
