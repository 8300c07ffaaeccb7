"""Settings: the commented base file tells the truth, and a mistake is named with its remedy."""

import dataclasses
import typing
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from quantvietocr.common.yaml_settings import ConfigError, build, to_yaml
from quantvietocr.config import Config, FolderConfig, load_config

CONFIGS = Path(__file__).parent.parent / "configs"
TRAINABLE = "data.synth.share=1"  # the least that makes a configuration valid


def keys(kind: type, prefix: str = "") -> list[str]:
    """Dotted names of every plain setting of a dataclass."""
    hints = typing.get_type_hints(kind)
    return [
        key
        for name, hint in hints.items()
        for key in (keys(hint, f"{prefix}{name}.") if dataclasses.is_dataclass(hint) else [prefix + name])
    ]


def dotted(tree: dict, prefix: str = "") -> list[str]:
    return [
        key
        for name, value in tree.items()
        for key in (dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name])
    ]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_base_yml_holds_every_setting_with_its_default():
    tree = yaml.safe_load((CONFIGS / "base.yml").read_text(encoding="utf-8"))
    assert sorted(dotted(tree)) == sorted(keys(Config))
    assert build(Config, tree, "base.yml") == Config()


def test_every_setting_of_base_yml_has_a_comment_above_it():
    lines = (CONFIGS / "base.yml").read_text(encoding="utf-8").splitlines()
    sections = {"model", "data", "synth", "train", "quant", "distill"}
    bare = [
        line.strip()
        for before, line in pairwise(lines)
        if ":" in line and not line.lstrip().startswith("#") and not before.lstrip().startswith("#")
        if line.strip().rstrip(":") not in sections
    ]
    # The second of a pair shares the comment of the first.
    assert bare == ["max_chars: 110", "save_every: 100"]


@pytest.mark.parametrize("name", ["qat", "float", "demo", "pact", "lsq"])
def test_shipped_configs_load_and_are_short(name):
    path = CONFIGS / f"{name}.yml"
    config = load_config(path)
    assert config.train.method == ("qat" if name == "demo" else name)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 12
    assert config.train.clip_norm == Config().train.clip_norm  # what it does not name comes from base.yml


def test_without_data_the_remedy_is_named():
    with pytest.raises(ConfigError, match=r"Nothing to train on.*data\.train=.*data\.synth\.share"):
        load_config(CONFIGS / "base.yml")


def test_overrides_are_yaml_and_win_over_the_file(tmp_path):
    path = write(tmp_path, "a.yml", "train: {steps: 5, max_lr: 0.1}\ndata: {synth: {share: 1}}\n")
    folders = "data.train=[{annotation: a b/ký.txt, share: 2}, {annotation: c.txt}]"
    config = load_config(path, ["train.steps=7", "train.bf16=false", "train.max_lr=1e-4", "data.valid=", folders])
    assert (config.train.steps, config.train.bf16, config.train.max_lr) == (7, False, 1e-4)
    assert config.data.valid is None
    assert config.data.train == [FolderConfig("a b/ký.txt", 2.0, 1.0), FolderConfig("c.txt", 1.0, 1.0)]


def test_a_base_chain_merges_from_the_root_up(tmp_path):
    (tmp_path / "deep").mkdir()
    write(tmp_path, "root.yml", "train: {steps: 1, seed: 1, out: root}\ndata: {synth: {share: 1}}\n")
    write(tmp_path, "deep/middle.yml", "base: ../root.yml\ntrain: {seed: 2, out: middle}\n")
    config = load_config(write(tmp_path, "leaf.yml", "base: deep/middle.yml\ntrain: {out: leaf}\n"))
    assert (config.train.steps, config.train.seed, config.train.out) == (1, 2, "leaf")


def test_settings_survive_being_written_down():
    config = load_config(CONFIGS / "qat.yml", ["model.vietocr=của tôi.yml", "quant.float_layers=[features.0]"])
    assert build(Config, yaml.safe_load(to_yaml(config)), "config.yml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.step=3", r"unknown setting train\.step; did you mean train\.steps\?"),
        ("trian.steps=3", r"unknown setting trian; did you mean train\?"),
        ("data.train=[{anotation: x}]", r"unknown setting data\.train\[0\]\.anotation; did you mean .*annotation\?"),
        ("quant.zzz=3", r"unknown setting quant\.zzz; known: backend, path"),
        ("train.steps=many", r"train\.steps must be int, not 'many'"),
        ("train.steps=1.5", r"train\.steps must be int, not 1\.5"),
        ("train.steps=true", r"train\.steps must be int, not True"),
        ("train.max_lr=fast", r"train\.max_lr must be float, not 'fast'"),
        ("train.bf16=1", r"train\.bf16 must be bool, not 1"),
        ("data.valid=3", r"data\.valid must be str, not 3"),
        ("data.synth.texts=a.txt", r"data\.synth\.texts must be a list, not 'a\.txt'"),
        ("data.synth.texts=[1]", r"data\.synth\.texts\[0\] must be str, not 1"),
        ("train=5", r"train\. must hold key: value settings, not 5"),
        ("train.steps", r"'train\.steps' is not of the form key=value"),
        ("train.steps=[", r"the value is not readable as YAML"),
        ("train.steps.more=1", r"steps holds a value, not settings"),
        ("train.method=pruning", r"train\.method is 'pruning'; it must be one of float, qat"),
        ("quant.backend=arm", r"quant\.backend is 'arm'; it must be one of x86, fbgemm, onednn, qnnpack"),
        ("quant.decoder=int4", r"quant\.decoder is 'int4'"),
        ("data.unknown=ask", r"data\.unknown is 'ask'; it must be one of stop, skip, replace"),
        ("data.problems=replace", r"data\.problems is 'replace'"),
        ("train.steps=0", r"train\.steps is 0; it must be greater than 0"),
        ("train.max_lr=-1e-4", r"train\.max_lr is -0\.0001; it must be greater than 0"),
        ("train.label_smoothing=1.5", r"train\.label_smoothing is 1\.5; it must lie between 0 and 1"),
        ("quant.freeze_observers=-0.1", r"quant\.freeze_observers is -0\.1; it must lie between 0 and 1"),
        ("train.pct_start=.nan", r"train\.pct_start is nan; it must lie between 0 and 1"),
        ("train.max_lr=nan", r"train\.max_lr is nan; it must be greater than 0, and finite"),
        ("train.max_lr=.inf", r"train\.max_lr is inf; it must be greater than 0, and finite"),
        ("train.weight_decay=-0.1", r"train\.weight_decay is -0\.1; it must be 0 or more"),
        ("train.weight_decay=inf", r"train\.weight_decay is inf; it must be 0 or more, and finite"),
        ("train.threads=-1", r"train\.threads is -1; it must be 0 or more"),
        ("train.seed=-1", r"train\.seed is -1; it must be 0 or more"),
        ("data.workers=-1", r"data\.workers is -1; it must be 0 or more"),
        ("data.merge_widths=-1", r"data\.merge_widths is -1; it must be 0 or more"),
        ("data.valid_lines=-1", r"data\.valid_lines is -1; it must be 0 or more"),
        ("data.chunk=0", r"data\.chunk is 0; it must be greater than 0"),
        (
            "data.train=[{annotation: a}, {annotation: b, share: 0}]",
            r"data\.train\[1\]\.share is 0\.0; it must be greater than 0",
        ),
        ("data.train=[{annotation: a, share: -1}]", r"data\.train\[0\]\.share is -1\.0"),
        ("data.train=[{annotation: a, augment: -1}]", r"data\.train\[0\]\.augment is -1\.0; it must be 0 or more"),
        (
            "data.train=[{annotation: a}, {share: 2}]",
            r"data\.train\[1\]\.annotation is empty; name the annotation file",
        ),
        ("data.train=[{annotation: ' '}]", r"data\.train\[0\]\.annotation is empty"),
        ("data.synth.share=-1", r"data\.synth\.share is -1\.0; it must be 0 or more"),
        ("data.synth.degrade=-1", r"data\.synth\.degrade is -1\.0; it must be 0 or more"),
        ("data.synth.embedded_share=1.1", r"data\.synth\.embedded_share is 1\.1; it must lie between 0 and 1"),
        ("data.synth.min_chars=0", r"data\.synth\.min_chars is 0; it must be greater than 0"),
        ("data.synth.max_chars=0", r"data\.synth\.min_chars is 1 and data\.synth\.max_chars 0; the shortest"),
        ("train.out=2024-13-01", r"'train\.out=2024-13-01': the value is not readable as YAML"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(tmp_path, override, message):
    path = write(tmp_path, "a.yml", "train: {steps: 5}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path, [TRAINABLE, override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=3", r"^the command line: unknown setting train\.stepz; did you mean train\.steps\?"),
        ("train.steps=many", r"^the command line: train\.steps must be int, not 'many'"),
        ("data.train=[{anotation: x}]", r"^the command line: unknown setting data\.train\[0\]\.anotation"),
        ("train=5", r"^the command line: train\. must hold"),
        ("problems=skip", r"^the command line: unknown setting problems; did you mean data\.problems\?"),
        ("train.seed=3", r"a\.yml: train\.steps must be int, not 'few'"),  # which the file says, not the command line
    ],
)
def test_who_wrote_the_mistake_is_named(tmp_path, override, message):
    path = write(tmp_path, "a.yml", "train: {steps: few}\n" if "seed" in override else "")
    with pytest.raises(ConfigError, match=message):
        load_config(path, [TRAINABLE, override])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: [", r"bad\.yml is not readable as YAML"),
        ("- a\n- b\n", r"bad\.yml holds list, not key: value settings"),
        ("base: missing.yml\n", r"No such config file: .*missing\.yml"),
        ("base: bad.yml\n", r"bad\.yml is its own base, through bad\.yml: take `base:` out"),
        ("base: 3\n", r"bad\.yml: base must be the name of another config file, not 3"),
        ("base: [a.yml]\n", r"bad\.yml: base must be the name of another config file, not \['a\.yml'\]"),
        ("base: ''\n", r"bad\.yml: base must be the name of another config file, not ''"),
        ("base: .\n", r"cannot be read \(Is a directory\): name a YAML file"),
        ("0\n", r"bad\.yml holds int, not key: value settings"),
        ("train: {out: 2024-13-01}\n", r"bad\.yml is not readable as YAML: month must be"),
        ("train: {stepz: 3}\n", r"bad\.yml: unknown setting train\.stepz; did you mean train\.steps\?"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, "bad.yml", text), [TRAINABLE])


def test_a_circle_of_bases_is_named(tmp_path):
    write(tmp_path, "a.yml", "base: deep/b.yml\n")
    (tmp_path / "deep").mkdir()
    write(tmp_path, "deep/b.yml", "base: ../a.yml\n")
    with pytest.raises(ConfigError, match=r"a\.yml is its own base, through a\.yml and b\.yml"):
        load_config(tmp_path / "a.yml")


def test_one_base_may_be_reached_once_by_each_of_two_files(tmp_path):
    write(tmp_path, "root.yml", "data: {synth: {share: 1}}\n")
    for name in "ab":
        assert load_config(write(tmp_path, f"{name}.yml", "base: root.yml\n")).data.synth.share == 1


def test_a_folder_and_another_encoding_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\): name a YAML file"):
        load_config(tmp_path)
    (tmp_path / "latin.yml").write_bytes("train: {out: ký}".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yml is not UTF-8 text \(byte 14\): save it as UTF-8"):
        load_config(tmp_path / "latin.yml")


@pytest.mark.parametrize("text", ["train:\n", "train:\ndata: {synth:}\n", ""])
def test_an_empty_section_changes_nothing(tmp_path, text):
    write(tmp_path, "root.yml", "train: {steps: 5, seed: 3}\ndata: {synth: {share: 2}}\n")
    config = load_config(write(tmp_path, "a.yml", f"base: root.yml\n{text}"), ["train.steps=7", "train="])
    assert (config.train.steps, config.train.seed, config.data.synth.share) == (7, 3, 2)
    alone = load_config(write(tmp_path, "alone.yml", text), ["train.steps=7", TRAINABLE])
    assert alone.train == dataclasses.replace(Config().train, steps=7)


def test_a_missing_file_and_no_file():
    with pytest.raises(ConfigError, match="No such config file: nowhere.yml"):
        load_config("nowhere.yml")
    assert load_config(None, [TRAINABLE]).train == Config().train
