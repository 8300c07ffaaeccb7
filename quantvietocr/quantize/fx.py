"""torch's FX path: trace a float network, insert observers wherever its graph needs them, convert.

The eager path (`stubs.py`) names the places by hand and knows one architecture. Tracing finds them: functional ReLU and
pooling, modules used twice, additions and concatenations included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.ao.quantization import FakeQuantizeBase, ObserverBase, QConfig, QConfigMapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx, prepare_qat_fx

from .scheme import PREFIX, LayerBits, QuantizeError, Scheme
from .stubs import AveragePool, grid_of, quantizes

MOVING = ("transpose", "flatten", "permute")  # what VietOCR's CNN does with its features
KEEPING = (nn.AvgPool2d, nn.Dropout, nn.Identity)  # modules whose output lies in their input's range


def trace(
    network: nn.Module,
    example: Tensor,
    layers: Mapping[str, LayerBits],
    make: Callable[[LayerBits | None], QConfig],
    training: bool,
    unobserved: Sequence[str] = (),
) -> fx.GraphModule:
    """A network traced, with observers or fake-quant modules inserted; itself unchanged where not `training`.

    Args:
        network: any, whose forward pass does not depend on the values of its input.
        example: an input.
        layers: bits of layers by name; others get `make(None)`.
        make: as `Scheme.calibration_qconfig`.
        training: fake-quant modules in training mode; otherwise observers in evaluation mode.
        unobserved: methods of tensors that are left as they are.

    Raises:
        QuantizeError: the network cannot be traced.
    """
    mapping = QConfigMapping().set_global(make(None))
    for name, bits in layers.items():
        mapping.set_module_name(name, None if bits.float else make(bits))
    for method in unobserved:
        mapping.set_object_type(method, None)
    prepare = prepare_qat_fx if training else prepare_fx
    try:
        graph = prepare(network.train(training), mapping, (example,))
    except fx.proxy.TraceError as error:
        raise QuantizeError(
            f"The network cannot be traced ({error}): its forward pass depends on the values of its input; "
            "take quant.path=eager."
        ) from error
    _observe_once(graph)
    return graph


def _observe_once(graph: fx.GraphModule) -> None:
    """Where a module keeps its input's range (pools), FX observes its output too: values counted twice, means
    among them. Here the range is the input's, as in the int8 kernels, and a mean is rounded as they do."""
    for node in list(graph.graph.nodes):
        if not _observes(graph, node):
            continue
        before = node.args[0]
        module = graph.get_submodule(before.target) if before.op == "call_module" else None
        if not isinstance(module, KEEPING):
            continue
        source = before.args[0]
        if not _observes(graph, source):
            continue
        kernel = _pair(module.kernel_size) if isinstance(module, nn.AvgPool2d) else (1, 1)
        observer: Any = graph.get_submodule(str(source.target))
        target = f"kept_{node.name}"
        graph.add_submodule(target, KeptRange(getattr(observer, "source", observer), kernel[0] * kernel[1]))
        node.target = target
    graph.delete_all_unused_submodules()
    graph.recompile()


def _observes(graph: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(
        graph.get_submodule(str(node.target)), (ObserverBase, FakeQuantizeBase)
    )


class KeptRange(ObserverBase):
    """Stands after an operation that takes over its input's range: no observer of its own, the rounding of the kernel.

    Args:
        source: the observer or fake-quant module of the input.
        area: values averaged into one; 1 where none are.
    """

    def __init__(self, source: ObserverBase | FakeQuantizeBase, area: int) -> None:
        super().__init__(source.dtype)
        self._source = [source]  # in a list: a registered module would be counted twice
        self.area = area
        self.qscheme = source.qscheme

    @property
    def source(self) -> ObserverBase | FakeQuantizeBase:
        return self._source[0]

    @property
    def quant_min(self) -> int:
        return cast(int, self.source.quant_min)

    @property
    def quant_max(self) -> int:
        return cast(int, self.source.quant_max)

    def forward(self, x: Tensor) -> Tensor:
        source = self.source
        if self.area == 1 or not isinstance(source, FakeQuantizeBase) or not quantizes(source):
            return x
        # Means of whole steps are multiples of 1/area; saying so first puts exact halves where the kernel puts them.
        scale, zero_point = grid_of(source)
        levels = torch.round(x.detach().float() / scale * self.area) / self.area + zero_point
        return x + ((torch.round(levels) - zero_point) * scale - x.detach().float()).to(x.dtype)

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.source.calculate_qparams()


class TracedCNN(nn.Module):
    """VietOCR's CNN, unmodified, traced and prepared: images (N,3,H,W) to features (S,N,C), as VietOCR's.

    Args:
        vgg: VietOCR's `Vgg`, not fused.
        scheme: which layers get which bits.
        make: the qconfig for a layer's bits; None stands for all else.
        training: fake-quant modules in training mode; otherwise observers in evaluation mode.

    Attributes:
        layers: as in `QuantizedCNN`.
    """

    def __init__(
        self, vgg: nn.Module, scheme: Scheme, make: Callable[[LayerBits | None], QConfig], training: bool
    ) -> None:
        super().__init__()
        names = [name for name, module in vgg.named_modules() if isinstance(module, nn.Conv2d)]
        self.layers: dict[str, LayerBits] = scheme.layers(names)
        self.graph = trace(vgg, torch.zeros(1, 3, 32, 64), self.layers, make, training, MOVING)

    def forward(self, images: Tensor) -> Tensor:
        return self.graph(images)

    @property
    def float_names(self) -> tuple[str, ...]:
        return tuple(name for name, bits in self.layers.items() if bits.float)

    def observers(self) -> dict[str, nn.Module]:
        """Activation observers before conversion, by whose output they see: `input`, then layers."""
        observers: dict[str, nn.Module] = {}
        for node in self.graph.graph.nodes:
            module = self.graph.get_submodule(node.target) if node.op == "call_module" else None
            if isinstance(module, (ObserverBase, FakeQuantizeBase)) and not isinstance(module, KeptRange):
                before = node.args[0]
                observers["input" if before.op == "placeholder" else str(before.target)] = module
        return observers

    def replace_input_observer(self, module: nn.Module) -> None:
        """Quantize the picture by `module`; nothing to do where the first convolution stays float."""
        picture = next(node for node in self.graph.graph.nodes if node.op == "placeholder")
        for node in picture.users:
            if node.op == "call_module" and isinstance(self.graph.get_submodule(node.target), FakeQuantizeBase):
                self.graph.set_submodule(node.target, module)

    def convert(self) -> TracedCNN:
        """Swap observed operations for int8 ones, in place."""
        self.graph = convert(self.graph)
        return self

    def operations(self) -> Iterator[tuple[str, nn.Module]]:
        """What a converted CNN does, in order: names as VietOCR's, modules of torch.ao and pools."""
        for node in self.graph.graph.nodes:
            if node.op == "call_module":
                module = self.graph.get_submodule(node.target)
                if isinstance(module, nn.AvgPool2d):
                    if _pair(module.kernel_size) != (1, 1):
                        yield PREFIX + node.target, AveragePool(module)
                elif not isinstance(module, (nn.Dropout, torch.ao.nn.quantized.Dropout, nn.Identity)):
                    yield PREFIX + node.target, module
            elif node.target is torch.quantize_per_tensor:
                scale, zero_point = (getattr(self.graph, argument.target) for argument in node.args[1:3])
                yield node.name, torch.ao.nn.quantized.Quantize(float(scale), int(zero_point), node.args[3])
            elif node.target == "dequantize":
                yield node.name, torch.ao.nn.quantized.DeQuantize()
            elif node.op not in ("placeholder", "get_attr", "output") and node.target not in MOVING:
                raise QuantizeError(
                    f"The traced CNN holds {node.target}, which files have no operation for: it is not "
                    "VietOCR's VGG; give a vgg_seq2seq checkpoint."
                )


def convert(graph: fx.GraphModule) -> fx.GraphModule:
    """Int8 operations in place of observed ones; `graph` is used up."""
    return convert_fx(graph)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
