"""Fusing, observers, fake quantization, conversion: from a float network to the integers of the checkpoint file."""

import warnings

# torch announces the end of torch.ao at each call. This package pins the torch it works with (pyproject.toml) and
# keeps torch.ao inside this folder; the people who run it can do nothing about the announcement.
for _message in (
    "torch.ao.quantization is deprecated",
    "Please use quant_min and quant_max",
    "torch.quantize_per_tensor",
):
    warnings.filterwarnings("ignore", message=_message)
