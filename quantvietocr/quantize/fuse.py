"""Fuse the VGG's Conv+BN+ReLU triples."""

from __future__ import annotations

from torch import nn
from torch.ao.quantization import fuse_modules, fuse_modules_qat

from ..vietocr_bridge.types import Vgg


def fuse_vgg(vgg: Vgg, qat: bool) -> Vgg:
    """Fuse every Conv2d, BatchNorm2d, ReLU triple of `vgg.features` in place.

    Args:
        vgg: VietOCR's, which is changed.
        qat: keep the batch norm alive inside a ConvBnReLU2d, so that fake quantization sees the folded weight while its
            statistics still train; otherwise fold it into the weight for good.

    Returns:
        `vgg`.

    Source:
        Jacob et al. 2018, section 3.2
    """
    features = vgg.features
    triples = [
        [str(index), str(index + 1), str(index + 2)]
        for index in range(len(features) - 2)
        if isinstance(features[index], nn.Conv2d)
        and isinstance(features[index + 1], nn.BatchNorm2d)
        and isinstance(features[index + 2], nn.ReLU)
    ]
    if qat:
        features.train()  # fuse_modules_qat asserts train mode, fuse_modules eval mode
        fuse_modules_qat(features, triples, inplace=True)
    else:
        features.eval()
        fuse_modules(features, triples, inplace=True)
    return vgg
