"""The only file that imports vietocr (and through it torchvision).

It builds VietOCR's own network with VietOCR's own code, reads VietOCR's weights and YAML, and writes weights that
VietOCR loads. Everything else in the package works on plain tensors.
"""

from __future__ import annotations

import copy
import importlib
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch
from torch import nn

from ..checkpoint import layout, transformer_layout
from ..checkpoint.layout import LAST_CONVOLUTION, backbone_of, channels_of, rows_at_once
from ..checkpoint.sizes import sizes_of
from ..checkpoint.types import Checkpoint
from ..checkpoint.vietocr_yaml import ARCHITECTURES, BridgeError, VietOCRConfig
from ..checkpoint.vocab import Vocab
from ..common.files import replace_whole
from ..common.packages import missing
from .types import CNN, Vgg

CLASSES = (layout.EMBEDDING, layout.OUTPUT, transformer_layout.EMBEDDING, transformer_layout.OUTPUT)  # a row for each
VIETOCR = VietOCRConfig()  # the model that VietOCR publishes


def import_vietocr() -> SimpleNamespace:
    """Import the parts of VietOCR that work without its dead dependencies.

    Returns:
        A namespace with `VietOCR`, `Vocab` and `translate` (the module `vietocr.tool.translate`).

    Raises:
        BridgeError: Where vietocr or torchvision is missing.
    """
    _define_missing_torchvision_operators()
    try:
        network = importlib.import_module("vietocr.model.transformerocr")
        vocab = importlib.import_module("vietocr.model.vocab")
        translate = importlib.import_module("vietocr.tool.translate")
    except ModuleNotFoundError as error:
        raise BridgeError(missing(error, "building VietOCR's network")) from error
    return SimpleNamespace(VietOCR=network.VietOCR, Vocab=vocab.Vocab, translate=translate)


_LIBRARIES: list[torch.library.Library] = []


def _define_missing_torchvision_operators() -> None:
    """Name the operators that torchvision looks for and does not have, so that it can be imported.

    PyPI's torchvision wheel is built against CUDA torch. Beside a CPU torch its compiled operators do not load, and
    importing it dies while registering shape functions for operators that do not exist. Naming the two is enough for
    the VGG builder, which is all that VietOCR uses of it.
    """
    if _LIBRARIES:
        return
    try:
        importlib.import_module("torchvision")
        return
    except ModuleNotFoundError:
        return  # import_vietocr names what is missing
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for name in ("nms", "qnms"):
        library.define(name + arguments)
    _LIBRARIES.append(library)  # the definitions live as long as the Library object
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    importlib.import_module("torchvision")


def build_float(
    config: VietOCRConfig = VIETOCR, cnn_dropout: float = 0.5, channels: Sequence[int] | None = None, rows: int = 1
) -> nn.Module:
    """Build VietOCR's own `VietOCR` module with random weights.

    Args:
        config: Its vocabulary and architecture.
        cnn_dropout: Probability before the last 1×1 convolution; VietOCR's default is 0.5. It has no weights.
        channels: That each convolution of the VGG puts out, in order; None for the VGG's own.
        rows: Rows of the VGG's last map that the last convolution reads at once; VietOCR's reads 1.

    Returns:
        The module, on the CPU, in training mode: `forward(img (N,3,H,W), tgt (T,N), mask) -> (N,T,classes)`.

    Raises:
        BridgeError: Where VietOCR is not installed.
    """
    architecture = copy.deepcopy(dict(config.architecture))
    with warnings.catch_warnings():  # torch says that another order of axes would be faster
        warnings.filterwarnings("ignore", message="enable_nested_tensor is True")
        network = import_vietocr().VietOCR(
            config.classes,
            architecture["backbone"],
            architecture["cnn"] | {"pretrained": False, "dropout": cnn_dropout},
            architecture["transformer"],
            architecture["seq_modeling"],
        )
    vgg = cast(CNN, network.cnn).model
    if channels is not None:
        _set_channels(vgg, channels)
    if rows > 1:
        last = vgg.last_conv_1x1
        vgg.last_conv_1x1 = nn.Conv2d(last.in_channels, last.out_channels, (rows, 1))
    # VietOCR's `permute(-1, 0, 1)` is `(2, 0, 1)`; nothing else of its forward pass is touched.
    nn.init.kaiming_normal_(network.cnn.model.last_conv_1x1.weight, nonlinearity="relu")
    return network


def _set_channels(vgg: Vgg, channels: Sequence[int]) -> None:
    """Give a VGG's convolutions other widths, with new random weights where a width changes.

    Args:
        vgg: VietOCR's, which is changed.
        channels: Of each convolution in order.
    """
    inputs, widths = 3, iter(channels)
    for index, module in enumerate(vgg.features):
        if not isinstance(module, nn.Conv2d):
            continue
        outputs = next(widths)
        if (module.in_channels, module.out_channels) != (inputs, outputs):
            vgg.features[index] = nn.Conv2d(inputs, outputs, 3, padding=1)
            vgg.features[index + 1] = nn.BatchNorm2d(outputs)
        inputs = outputs
    if vgg.last_conv_1x1.in_channels != inputs:
        vgg.last_conv_1x1 = nn.Conv2d(inputs, vgg.last_conv_1x1.out_channels, 1)


def load_float(network: nn.Module, state: Mapping[str, torch.Tensor], origin: str) -> None:
    """Load a VietOCR state dict.

    Args:
        network: VietOCR's, which takes the weights.
        state: Of any floating type; it is stored in the network's.
        origin: The file's name, for messages.

    Raises:
        BridgeError: Naming the first tensor that is missing, unknown or of another shape; for another vocabulary it
            says which length would fit.
    """
    own = network.state_dict()
    for name, tensor in state.items():
        if name in own and own[name].shape != tensor.shape:
            advice = "it was trained with another architecture; pass the YAML it was trained with."
            vocabulary = name.startswith(CLASSES)
            if vocabulary and tensor.shape[:1] != own[name].shape[:1]:
                advice = (
                    f"a vocabulary of {tensor.shape[0] - len(Vocab.specials)} characters fits this file and the one "
                    f"given has {own[name].shape[0] - len(Vocab.specials)}; pass the YAML it was trained with."
                )
            raise BridgeError(
                f"{origin}: tensor {name} has shape {list(tensor.shape)}, the network needs "
                f"{list(own[name].shape)}: {advice}"
            )
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        what = (
            f"lacks {missing[0]} ({len(missing)} in all)"
            if missing
            else f"has unknown {unknown[0]} ({len(unknown)} in all)"
        )
        raise BridgeError(f"{origin} {what}: it is not a VietOCR state dict for this architecture.")
    network.load_state_dict(dict(state), strict=False)


def float_network(
    checkpoint: Checkpoint, cnn_dropout: float = 0.5, dropout: Mapping[str, float] | None = None
) -> nn.Module:
    """VietOCR's own network with the weights of a float checkpoint, whose shapes say how it is built.

    Args:
        checkpoint: A float checkpoint.
        cnn_dropout: Probability before the last 1×1 convolution.
        dropout: Probabilities in the encoder and the decoder, by VietOCR's names; None for VietOCR's own.

    Returns:
        The network in evaluation mode.

    Raises:
        BridgeError: Where VietOCR is not installed, or a tensor is unknown to its network.
    """
    pools = [list(pool) for pool in checkpoint.meta.pools]
    channels = checkpoint.tensors[f"{LAST_CONVOLUTION}.weight"].shape[0]
    published = VietOCRConfig(architecture=ARCHITECTURES[checkpoint.meta.seq_modeling])
    head: dict[str, float] = {**sizes_of(checkpoint), **(dropout or published.dropout)}
    if "nhead" in published.architecture["transformer"]:
        head["nhead"] = checkpoint.meta.heads
    architecture = {
        "backbone": backbone_of(checkpoint.tensors),
        "seq_modeling": published.seq_modeling,
        "cnn": {"ks": pools, "ss": pools, "hidden": channels},
        "transformer": head,
    }
    config = VietOCRConfig(checkpoint.meta.chars, architecture, checkpoint.meta.image)
    network = build_float(config, cnn_dropout, channels_of(checkpoint.tensors), rows_at_once(checkpoint.tensors))
    load_float(
        network, {name: torch.from_numpy(np.array(t)) for name, t in checkpoint.tensors.items()}, checkpoint.origin
    )
    return network.eval()


def save_vietocr(state: Mapping[str, torch.Tensor], path: str | os.PathLike) -> Path:
    """Write the `.pth` that VietOCR's `Predictor(config)` loads, whole or not at all.

    Args:
        state: Weights of any floating type; they are written in float32.
        path: The file's name.

    Returns:
        The path.
    """
    full = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    with replace_whole(path) as temporary, temporary.open("wb") as stream:
        torch.save(full, stream)
    return Path(path)
