"""How wide the network of a run is: settings for random weights, shapes for a file's."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

from torch import nn

from ..checkpoint import layout
from ..checkpoint.sizes import sizes_of
from ..checkpoint.types import Checkpoint, Meta
from ..checkpoint.vietocr_yaml import VietOCRConfig
from ..config import ModelConfig
from ..vietocr_bridge.network import build_float
from .state import TrainError

HIDDEN = ("encoder_hidden", "decoder_hidden")  # VietOCR's names of what `model.hidden` sets


def random_network(
    model: ModelConfig, trained_with: VietOCRConfig, meta: Meta, dropout: float
) -> tuple[nn.Module, Meta]:
    """VietOCR's network with random weights, as wide as `model` says.

    Args:
        model: the settings.
        trained_with: vocabulary, sizes of picture and VietOCR's own widths.
        meta: of VietOCR's own network.
        dropout: probability before the last convolution.

    Returns:
        The network, and `meta` with its pools.

    Raises:
        TrainError: a width does not fit.
    """
    architecture = copy.deepcopy(dict(trained_with.architecture))
    pools = [list(pool) for pool in meta.pools]
    if model.pools is not None:
        if len(model.pools) != layout.POOLS or any(len(pool) != 2 for pool in model.pools):
            raise TrainError(f"model.pools is {model.pools}; it must be {layout.POOLS} pairs of height and width.")
        pools = model.pools
    architecture["cnn"] |= {"ks": pools, "ss": pools}
    if model.hidden is not None:
        if len(model.hidden) != 2:
            raise TrainError(f"model.hidden is {model.hidden}; it must be two sizes: the encoder's and the decoder's.")
        if trained_with.seq_modeling != "seq2seq":
            raise TrainError(
                "model.hidden is of seq2seq networks: a transformer's sizes are in its YAML, which model.vietocr names."
            )
        architecture["transformer"] |= dict(zip(HIDDEN, model.hidden))
    rows = layout.rows_of_map(meta.image.height, [(pool[0], pool[1]) for pool in pools])
    columns = layout.rows_of_map(meta.image.min_width, [(pool[1], pool[0]) for pool in pools])
    if rows < 1 or columns < 1:
        raise TrainError(
            f"model.pools is {pools}, which leaves nothing of an image of {meta.image.min_width} x {meta.image.height} "
            "px: take smaller pools."
        )
    channels = _each_convolution(model.channels, architecture["backbone"])
    config = dataclasses.replace(trained_with, architecture=architecture)
    network = build_float(config, dropout, channels, rows if model.one_row else 1)
    return network, dataclasses.replace(meta, pools=tuple((pool[0], pool[1]) for pool in pools))


def _each_convolution(channels: Sequence[int] | None, backbone: str) -> list[int] | None:
    """One width for each convolution, from those or from one for each stage."""
    stages = layout.STAGES[backbone]
    if channels is None or len(channels) == sum(stages):
        return None if channels is None else list(channels)
    if len(channels) != len(stages):
        raise TrainError(
            f"model.channels is {list(channels)}; {backbone} takes {len(stages)} numbers, one for each stage, or "
            f"{sum(stages)}, one for each convolution."
        )
    return [width for width, count in zip(channels, stages) for _ in range(count)]


def refuse_other_widths(model: ModelConfig, loaded: Checkpoint) -> None:
    """Raise TrainError for settings that say other widths than a file's tensors have."""
    sizes = sizes_of(loaded)
    backbone = layout.backbone_of(loaded.tensors)
    rows = layout.rows_at_once(loaded.tensors)
    for name, wanted, found in (
        ("channels", _each_convolution(model.channels, backbone), list(layout.channels_of(loaded.tensors))),
        ("pools", model.pools, [list(pool) for pool in loaded.meta.pools]),
        ("hidden", model.hidden, [sizes[name] for name in HIDDEN if name in sizes]),
        ("one_row", model.one_row or None, rows == layout.rows_of_map(loaded.meta.image.height, loaded.meta.pools)),
    ):
        if wanted is not None and wanted != found:
            raise TrainError(
                f"model.{name} is {wanted} and {model.weights} has {found}: leave it away, or make such a file with "
                "`quantvietocr slim`."
            )
