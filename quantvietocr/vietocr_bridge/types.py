"""VietOCR's network as the rest of the package sees it: which parts it has, and of which types.

VietOCR declares no types, and an attribute of a plain `nn.Module` may be anything. These classes only declare: they are
what `typing.cast` names, and no network is made from them.
"""

from __future__ import annotations

from torch import Tensor, nn


class Vgg(nn.Module):
    """The convolutions of the CNN."""

    features: nn.Sequential
    last_conv_1x1: nn.Conv2d


class CNN(nn.Module):
    """The part that turns pictures into features."""

    model: Vgg


class Attention(nn.Module):
    """Additive attention: `v(tanh(attn(hidden, memory)))`."""

    attn: nn.Linear
    v: nn.Linear


class Decoder(nn.Module):
    """One GRU step with attention, and the layer of characters."""

    attention: Attention
    dropout: nn.Dropout
    embedding: nn.Embedding
    rnn: nn.GRU
    fc_out: nn.Linear


class Seq2Seq(nn.Module):
    """Encoder and decoder of characters; VietOCR calls it a transformer, after its other head."""

    encoder: nn.Module
    decoder: Decoder


class Network(nn.Module):
    """VietOCR's whole network."""

    cnn: nn.Module
    transformer: Seq2Seq


class GRUWeights(nn.Module):
    """The tensors of a one-layer GRU, whose names torch makes up at run time."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor
