"""Text that somebody else wrote, nested beyond what a parser can follow, is refused by each that reads it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from quantvietocr.bulk.folder import FolderError, JobFolder
from quantvietocr.bulk.settings import Settings
from quantvietocr.checkpoint import CheckpointError, read
from quantvietocr.checkpoint.types import METADATA_KEY
from quantvietocr.checkpoint.vietocr_yaml import BridgeError, read_yaml
from quantvietocr.cli.rows import RowFile
from quantvietocr.common.parsing import json_of, yaml_of
from quantvietocr.common.yaml_settings import ConfigError, override
from quantvietocr.config import load_config
from quantvietocr.errors import UserError

DEEP = "[" * 100_000


@pytest.mark.parametrize("parse", [json_of, yaml_of])
def test_what_is_nested_too_deeply_is_a_value_error(parse):
    assert parse('{"a": [1]}') == {"a": [1]}
    for text in (DEEP, "[1", "\0"):
        with pytest.raises(ValueError):
            parse(text)


def test_yaml_files_are_refused(tmp_path):
    (tmp_path / "a.yml").write_text(f"model: {DEEP}", encoding="utf-8")
    with pytest.raises(ConfigError, match="a.yml is not readable as YAML: its values are nested too deeply"):
        load_config(tmp_path / "a.yml")
    with pytest.raises(BridgeError, match="nested too deeply"):
        read_yaml(tmp_path / "a.yml")
    with pytest.raises(ConfigError, match="not readable"):
        override({}, f"model.weights={DEEP}")


def test_metadata_is_refused(tmp_path):
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "a.safetensors", {METADATA_KEY: DEEP})
    with pytest.raises(CheckpointError, match="its metadata is not quantvietocr's"):
        read(tmp_path / "a.safetensors")


def test_rows_of_a_run_are_refused(tmp_path):
    (tmp_path / "rows.json").write_text(f"{DEEP}\n", encoding="utf-8")
    (tmp_path / "rows.json.reader").write_text("me\n", encoding="utf-8")
    with pytest.raises(UserError, match="does not hold rows"):
        RowFile(tmp_path / "rows.json", "json", "me").has("a.png")


@pytest.mark.parametrize("content", [DEEP, "{", "[1]", "\udcff"])
def test_the_job_of_a_folder_is_refused(tmp_path, content):
    (tmp_path / "weights.bin").write_bytes(b"weights")
    settings = Settings(weights=str(tmp_path / "weights.bin"))
    JobFolder(str(tmp_path / "out"), settings)
    job = tmp_path / "out" / "_job.json"
    assert json.loads(job.read_text(encoding="utf-8"))["fingerprint"]
    job.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(FolderError, match=r"_job\.json is"):
        JobFolder(str(tmp_path / "out"), settings)
