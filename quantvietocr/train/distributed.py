"""Several processes that train as one: `torchrun --nproc-per-node N train_qat.py …`.

Together they compute what one process would, up to the rounding of sums, so `train.batch_size`, steps and learning rate
mean the same for any N:

* each batch of the stream is split: process r takes its lines r, r + N, r + 2N …. Chunk c of the stream is loaded by
  process c mod N alone, which hands the shares out; `data.workers` are per process;
* gradients are averaged (torch's DistributedDataParallel), each share weighing as much as it has characters;
* batch norm normalizes by the statistics of the whole batch and keeps them;
* activation ranges see the least and the greatest value of the whole batch: a moving average of extremes then moves as
  in one process, because all start from the same one. Before the first step every process measures the same calibration
  lines, and all take process 0's ranges;
* dropout differs from process to process;
* process 0 alone validates, writes and draws, while the others wait.

gloo on CPUs, NCCL on CUDA with one GPU for each process. Process 0's `train.out` must be readable by all to resume.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..dataset.batches import Batch, BatchStream
from ..errors import UserError
from .state import TrainError
from .whole_batch import WholeBatchNorm, is_observer, reduce_range

PATIENCE = datetime.timedelta(hours=2)  # for process 0's longest validation


@dataclass(frozen=True)
class Share:
    """One process's part of a batch.

    A process without a line, in a batch of fewer lines than processes, gets the first one again, and fractions of 0.

    Attributes:
        batch: the lines that are here.
        characters: fraction of the whole batch's characters that is here.
        lines: fraction of the whole batch's lines that is here.
        names: of all lines of the whole batch.
    """

    batch: Batch
    characters: float
    lines: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """The processes of a run. With a size of 1 every method does without communication what it does for one process.

    Attributes:
        rank: number of this process.
        size: how many there are.
        local: number of this process on its machine.
        control: a gloo group, for what lies in main memory; None with a size of 1.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    control: dist.ProcessGroup | None = None

    def shares(self, stream: BatchStream) -> Generator[Share, None, None]:
        """This process's share of each batch, in the stream's order. The stream loads its own chunks alone (`ranks`).

        Raises:
            ImageError, VocabError: in every process, where one of them could not load a line.
        """
        if self.size == 1:
            with closing(iter(stream)) as batches:
                for batch in batches:
                    yield Share(batch, 1.0, 1.0, batch.names)
            return
        chunk, step = stream.start[0], stream.start_step
        held: Batch | None = None
        with closing(iter(stream)) as own:
            while True:
                parts: list[Any] | None = None
                if chunk % self.size == self.rank:
                    try:
                        held = held or next(own)
                        parts = split(held, self.size) if held.chunk == chunk else [None] * self.size
                        held = held if held.chunk != chunk else None
                    except (UserError, ValueError) as error:  # a VocabError is a ValueError
                        parts = [error] * self.size
                received: list[Any] = [None]
                dist.scatter_object_list(received, parts, src=chunk % self.size, group=self.control)
                (share,) = received
                if isinstance(share, Exception):
                    raise share
                if share is None:  # the chunk is at its end
                    chunk += 1
                    continue
                yield replace(share, batch=replace(share.batch, step=step))
                step += 1

    @contextmanager
    def together(self) -> Iterator[None]:
        """Around what may fail in one process: its sentence is then raised in all."""
        failure: Exception | None = None
        try:
            yield
        except (UserError, OSError) as error:
            if self.size == 1:
                raise
            failure = error
        if self.size > 1:
            sentences = self.gather(None if failure is None else str(failure))
            if failure is not None:
                raise failure
            if sentence := next(filter(None, sentences), None):
                raise TrainError(sentence)

    def gather(self, value: Any) -> list[Any]:
        """Every process's `value`, by rank, in every process."""
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value, group=self.control)
        return values

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the processes."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self.control)
        return total.tolist()

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in one of the processes."""
        return self.sums([float(flag)])[0] > 0

    def prepare(self, network: nn.Module) -> None:
        """Make batch norm and activation ranges of a network see whole batches. Call after calibration."""
        if self.size == 1:
            return
        for name, module in network.named_modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = WholeBatchNorm  # and not another module: the names of its tensors stay
            # Not the observers of weights, which are the same in every process.
            elif is_observer(module) and "weight_fake_quant" not in name:
                module.register_forward_hook(reduce_range)

    def parallel(self, objective: nn.Module, some_unused: bool = False) -> Callable[..., Any]:
        """`objective` with its gradients averaged over the processes by its backward pass.

        Args:
            objective: of a share of a batch.
            some_unused: whether some of its parameters may get no gradient in a step.
        """
        if self.size == 1:
            return objective
        return DistributedDataParallel(objective, broadcast_buffers=False, find_unused_parameters=some_unused)

    def begin(self, network: nn.Module, share: Share) -> None:
        """Tell the batch norms whether this process's lines count."""
        if self.size > 1:
            for module in network.modules():
                if isinstance(module, WholeBatchNorm):
                    module.counts = share.lines > 0

    @torch.no_grad()
    def take_from_first(self, network: nn.Module) -> None:
        """Give every process the parameters and buffers of process 0."""
        if self.size > 1:
            for tensor in (*network.parameters(), *network.buffers()):
                copied = tensor.detach().contiguous()
                dist.broadcast(copied, src=0)
                tensor.copy_(copied)

    @torch.no_grad()
    def check(self, network: nn.Module) -> None:
        """Check that parameters and buffers are the same in all processes.

        Raises:
            TrainError: they are not; in every process.
        """
        if self.size == 1:
            return
        own = {name: float(tensor.double().sum()) for name, tensor in network.state_dict().items()}
        every = self.gather(own)
        for rank, other in enumerate(every):
            # Through repr, in which nan equals nan.
            apart = [name for name, total in every[0].items() if repr(total) != repr(other[name])]
            if apart:
                raise TrainError(
                    f"Process {rank} has come to another {apart[0]} than process 0 ({len(apart)} tensors "
                    "differ): go on from the last state.pt with --resume, on machines that are alike."
                )


@contextmanager
def joined(device: str) -> Iterator[World]:
    """The world that torchrun has set up, or this process alone. Output of every process but the first is dropped.

    Args:
        device: `train.device`, which decides between gloo and NCCL.

    Raises:
        TrainError: there is not a GPU for each process.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        if device not in ("auto", "cuda"):
            raise TrainError(f"train.device is {device!r} for {size} processes: use train.device=cuda, a GPU for each.")
        here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", str(size))), torch.cuda.device_count()
        if here > gpus:
            raise TrainError(f"{here} processes and {gpus} GPU(s) on this machine: start one process for each GPU.")
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
    try:
        with ExitStack() as stack:
            if rank:
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(redirect_stdout(nowhere))
                stack.enter_context(redirect_stderr(nowhere))
            yield World(rank, size, local, dist.new_group(backend="gloo", timeout=PATIENCE))
    finally:
        dist.destroy_process_group()


def split(batch: Batch, size: int) -> list[Share]:
    """A batch's shares for `size` processes: lines r, r + size, … for process r."""
    shares = []
    total = int(batch.lengths.sum())
    for rank in range(size):
        here = list(range(rank, len(batch.names), size))
        rows = here or [0]
        part = replace(
            batch,
            images=batch.images[rows].contiguous(),
            tgt_input=batch.tgt_input[:, rows].contiguous(),
            tgt_output=batch.tgt_output[rows].contiguous(),
            lengths=batch.lengths[rows],
            names=tuple(batch.names[i] for i in rows),
            texts=tuple(batch.texts[i] for i in rows),
        )
        characters = int(batch.lengths[here].sum()) / total
        shares.append(Share(part, characters, len(here) / len(batch.names), batch.names))
    return shares
