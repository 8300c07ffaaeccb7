"""Teacher-forced decoding of VietOCR's heads.

A transformer's decoder runs all characters at once, as VietOCR has it. The seq2seq head's goes step by step, here with
everything that does not depend on the step computed once. VietOCR's own loop builds `cat(hidden, encoder_outputs)` and
a 768→256 product over every position at every step. Attention is additive (Bahdanau et al. 2015), so the encoder half
of that product is the same at each step: computing it once per batch gives the same numbers (to float rounding) for a
fraction of the time and memory.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..vietocr_bridge.types import GRUWeights, LanguageTransformer, Network, Seq2Seq


def encode(network: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    """What the encoder of VietOCR's network makes of the CNN's features.

    Args:
        network: VietOCR's.
        features: (S, N, C).

    Returns:
        Memory (S, N, M) and, of seq2seq networks, the last state for the decoder (N, D).
    """
    network = cast(Network, network)
    return ENCODERS[network.seq_modeling](network.transformer, features)


def decoder_logits(network: nn.Module, encoded: tuple[Tensor, ...], tokens: Tensor) -> Tensor:
    """Logits of the decoder of VietOCR's network for known texts.

    Args:
        network: VietOCR's.
        encoded: what `encode` gave.
        tokens: (T, N), the go token and then characters.

    Returns:
        (N, T, classes).
    """
    network = cast(Network, network)
    return DECODERS[network.seq_modeling](network.transformer, encoded, tokens)


def _transformer_encode(head: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    return (cast(LanguageTransformer, head).forward_encoder(features),)


def _transformer_logits(head: nn.Module, encoded: tuple[Tensor, ...], tokens: Tensor) -> Tensor:
    """Of VietOCR's `LanguageTransformer`. No character looks at padding, which stands behind all of them."""
    return cast(LanguageTransformer, head).forward_decoder(tokens, encoded[0])[0]


def _seq2seq_encode(head: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    return cast(Seq2Seq, head).encoder(features)


def _seq2seq_logits(head: nn.Module, encoded: tuple[Tensor, ...], tokens: Tensor) -> Tensor:
    """Of VietOCR's `Seq2Seq`."""
    memory, hidden = encoded
    decoder = cast(Seq2Seq, head).decoder
    memory = memory.transpose(0, 1).contiguous()  # N, S, 2E
    width = hidden.shape[1]

    attention = decoder.attention
    query_weight, key_weight = attention.attn.weight.split([width, memory.shape[2]], dim=1)
    keys = F.linear(memory, key_weight, attention.attn.bias)  # N, S, D

    embedded = decoder.dropout(decoder.embedding(tokens))  # T, N, E
    rnn = cast(GRUWeights, decoder.rnn)
    embedded_weight, context_weight = rnn.weight_ih_l0.split([embedded.shape[2], memory.shape[2]], dim=1)
    from_token = F.linear(embedded, embedded_weight, rnn.bias_ih_l0)

    states, contexts = [], []
    for step in range(tokens.shape[0]):
        energy = torch.tanh(keys + F.linear(hidden, query_weight).unsqueeze(1))
        weights = F.softmax(attention.v(energy).squeeze(2), dim=1)
        context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
        gates_in = from_token[step] + F.linear(context, context_weight)
        gates_hidden = F.linear(hidden, rnn.weight_hh_l0, rnn.bias_hh_l0)
        in_r, in_z, in_n = gates_in.chunk(3, 1)
        hid_r, hid_z, hid_n = gates_hidden.chunk(3, 1)
        update = torch.sigmoid(in_z + hid_z)
        candidate = torch.tanh(in_n + torch.sigmoid(in_r + hid_r) * hid_n)
        hidden = candidate + update * (hidden - candidate)
        states.append(hidden)
        contexts.append(context)
    joined = torch.cat([torch.stack(states), torch.stack(contexts), embedded], dim=2)
    return decoder.fc_out(joined).transpose(0, 1)


# By the network's `seq_modeling`.
ENCODERS = {"seq2seq": _seq2seq_encode, "transformer": _transformer_encode}
DECODERS = {"seq2seq": _seq2seq_logits, "transformer": _transformer_logits}


def label_smoothing_loss(logits: Tensor, targets: Tensor, smoothing: float, pad: int = 0) -> Tensor:
    """Mean cross-entropy over real characters with VietOCR's smoothing.

    VietOCR divides by padded positions too, which makes the loss depend on how texts were grouped; here only characters
    count.

    Args:
        logits: (N, T, classes).
        targets: (N, T), class numbers.
        smoothing: share of each target's probability that is spread over the other classes but padding.
        pad: class number of padding.

    Returns:
        A scalar, in nats.
    """
    logs = F.log_softmax(logits.float(), dim=-1)
    picked = logs.gather(2, targets.unsqueeze(2)).squeeze(2)
    spread = smoothing / (logits.shape[-1] - 2)
    others = logs.sum(2) - logs[..., pad] - picked
    real = targets != pad
    loss = -((1.0 - smoothing) * picked + spread * others)
    return loss[real].sum() / real.sum().clamp(min=1)
