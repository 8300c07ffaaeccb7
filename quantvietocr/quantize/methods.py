"""From the settings to a network that trains for int8: which scheme, which fake-quant modules, which path."""

from __future__ import annotations

import dataclasses
from typing import cast

from torch import Tensor, nn
from torch.ao.quantization import QConfig

from ..config import QuantConfig
from .fx import TracedCNN
from .learned.lsq import LSQWeight, lsq_qconfig
from .learned.pact import pact_qconfig
from .learned.ranges import bits_for_learned_ranges
from .qat import prepare_cnn
from .scheme import LayerBits, QuantizeError, Scheme
from .stubs import QuantizedCNN

TRAINED = ("qat", "pact", "lsq")


def scheme_of(quant: QuantConfig, method: str = "qat") -> Scheme:
    """How the settings quantize the CNN for one of `TRAINED`. Raises QuantizeError."""
    overrides = {pattern: dataclasses.asdict(change) for pattern, change in (quant.overrides or {}).items()}
    values = {field.name: getattr(quant, field.name) for field in dataclasses.fields(Scheme)} | {"overrides": overrides}
    scheme = Scheme(**values | {"scales": quant.scales or "any"})
    if method != "qat":
        return bits_for_learned_ranges(scheme)
    return scheme if quant.scales else scheme.with_powers()


def prepare_training(network: nn.Module, quant: QuantConfig, method: str = "qat") -> QuantizedCNN | TracedCNN:
    """Replace `network.cnn` by one with the fake-quant modules of `method`, one of `TRAINED`; returns it.

    The input keeps a plain range: pictures are what they are. Raises QuantizeError, LayerNameError.
    """
    scheme = scheme_of(quant, method)
    if method == "lsq" and quant.lsq_weights and scheme.weights == "grouped":
        raise QuantizeError(
            "LSQ learns one step for a channel, not for groups: set quant.lsq_weights=false, or "
            "quant.weights=per-channel."
        )

    def qconfig(layer: LayerBits | None) -> QConfig:
        if method == "pact":
            return pact_qconfig(scheme, layer, quant.pact_alpha, quant.pact_decay)
        if method == "lsq":
            return lsq_qconfig(scheme, layer, quant.lsq_weights)
        return scheme.training_qconfig(layer)

    cnn = prepare_cnn(network, scheme, qat=True, path=quant.path, qconfig=qconfig)
    if method != "qat":
        cnn.replace_input_observer(scheme.training_qconfig(cnn.layers[next(iter(cnn.layers))]).activation())
    for module in cnn.modules():
        weight = getattr(module, "weight_fake_quant", None)
        if isinstance(weight, LSQWeight):
            weight.allocate(len(cast(Tensor, module.weight)))
    return cnn
