"""Fuse the VGG's Conv+BN+ReLU triples."""

from __future__ import annotations

from torch import nn
from torch.ao.quantization import fuse_modules, fuse_modules_qat


def fuse_vgg(vgg: nn.Module, qat: bool) -> nn.Module:
    """Fuse every Conv2d, BatchNorm2d, ReLU triple of `vgg.features` in place; returns `vgg`.

    qat: keep the batch norm alive inside a ConvBnReLU2d, so that fake quantization sees the folded weight while its
    statistics still train (Jacob et al. 2018, section 3.2); otherwise fold it into the weight for good.
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
