"""What several verbs share."""

from __future__ import annotations

YAML_HELP = "the YAML a VietOCR .pth was trained with, if its vocabulary or sizes are not VietOCR's own"
