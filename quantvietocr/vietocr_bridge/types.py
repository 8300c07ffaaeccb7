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
    """Encoder and decoder of characters; VietOCR calls any head a transformer."""

    encoder: nn.Module
    decoder: Decoder


class LanguageTransformer(nn.Module):
    """Encoder and decoder of characters of the other head."""

    def forward_encoder(self, src: Tensor) -> Tensor:
        """Features (S,N,C) to memory of the same shape."""
        raise NotImplementedError

    def forward_decoder(self, tgt: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Characters so far (T,N) and memory (S,N,C) to logits (N,T,classes) and that memory."""
        raise NotImplementedError


class Network(nn.Module):
    """VietOCR's whole network.

    Attributes:
        seq_modeling: What its head is, `seq2seq` or `transformer`.
        transformer: The head: `Seq2Seq`, or VietOCR's `LanguageTransformer`.
    """

    cnn: nn.Module
    transformer: nn.Module
    seq_modeling: str


class GRUWeights(nn.Module):
    """The tensors of a one-layer GRU, whose names torch makes up at run time."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor
