"""The bridge to VietOCR: its own network, its numbers, its files."""

import copy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from quantvietocr.checkpoint import Checkpoint, Meta
from quantvietocr.checkpoint.vietocr_yaml import VGG_SEQ2SEQ, BridgeError, VietOCRConfig, read_yaml
from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.pictures.image import ImageSpec
from quantvietocr.train.teacher import decoder_logits, encode, label_smoothing_loss
from quantvietocr.vietocr_bridge import network as bridge
from quantvietocr.vietocr_bridge.network import load_float

FC_OUT = "transformer.decoder.fc_out.weight"


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return bridge.build_float(cnn_dropout=0.25)


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two images, go and six characters each, the same characters and eos: no padding."""
    generator = torch.Generator().manual_seed(1)
    text = torch.randint(4, 233, (2, 6), generator=generator)
    go, eos = torch.full((2, 1), 1), torch.full((2, 1), 2)
    images = torch.rand(2, 3, 32, 70, generator=generator)
    return images, torch.cat([go, text], 1).T.contiguous(), torch.cat([text, eos], 1)


def test_vietocr_imports_in_a_fresh_process_and_only_when_asked():
    """torchvision's compiled operators may not load beside this torch; only a fresh process meets that."""
    code = (
        "import sys, quantvietocr.vietocr_bridge.network as b\n"
        "assert not {'vietocr', 'torchvision'} & set(sys.modules)\n"
        "found = b.import_vietocr()\n"
        "assert len(found.Vocab('abc')) == 7 and callable(found.translate.translate)\n"
        "b.import_vietocr()\n"
        "unwanted = {'imgaug', 'gdown', 'lmdb', 'vietocr.tool.predictor'} & set(sys.modules)\n"
        "assert not unwanted, unwanted\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "vietocr.model.transformerocr", None)
    with pytest.raises(BridgeError, match=r"needs the package vietocr: run `make setup`"):
        bridge.import_vietocr()


def test_a_missing_torchvision_is_named_with_the_remedy():
    code = (
        "import sys; sys.modules['torchvision'] = None\n"
        "import quantvietocr.vietocr_bridge.network as b\n"
        "try: b.build_float()\n"
        "except b.BridgeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "needs the package torchvision:" in done.stdout and "run `make setup`" in done.stdout, done.stderr


def test_the_network_is_vgg_seq2seq(network):
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    assert sum(p.numel() for p in network.parameters()) == 22_371_113
    assert {name.split(".")[0] for name in shapes} == {"cnn", "transformer"}
    assert shapes["cnn.model.features.0.weight"] == (64, 3, 3, 3)
    assert shapes["cnn.model.features.49.weight"] == (512, 512, 3, 3)
    assert shapes["cnn.model.last_conv_1x1.weight"] == (256, 512, 1, 1)
    assert shapes["transformer.encoder.rnn.weight_ih_l0_reverse"] == (768, 256)
    assert shapes["transformer.decoder.attention.attn.weight"] == (256, 768)
    assert shapes["transformer.decoder.embedding.weight"] == (233, 256)
    assert shapes[FC_OUT] == (233, 1024)
    convolutions = [name for name, shape in shapes.items() if len(shape) == 4]
    assert len(convolutions) == 17 and VietOCRConfig().classes == 233


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["vgg11_bn", "vgg19_bn"])
def test_the_weights_shapes_tell_the_architecture(backbone):
    sizes = {"encoder_hidden": 16, "decoder_hidden": 20, "img_channel": 24, "decoder_embedded": 12, "dropout": 0.3}
    pools = [[2, 2], [2, 2], [2, 1], [2, 2], [1, 1]]
    architecture = {
        "backbone": backbone,
        "seq_modeling": "seq2seq",
        "cnn": {"ss": pools, "ks": pools, "hidden": 24},
        "transformer": sizes,
    }
    theirs = bridge.build_float(VietOCRConfig("abc", architecture)).eval()
    state = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    meta = Meta(chars="abc", pools=tuple((high, wide) for high, wide in pools))
    ours = bridge.float_network(Checkpoint(state, meta), cnn_dropout=0.2, dropout={"dropout": 0.3})
    assert str(ours).replace("p=0.2", "p=0.5") == str(theirs)
    picture = torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(ours.cnn(picture), theirs.cnn(picture))


def test_cnn_dropout_is_set_and_vietocrs_is_left(network):
    assert network.cnn.model.dropout.p == 0.25
    assert network.transformer.encoder.dropout.p == network.transformer.decoder.dropout.p == 0.1


@torch.no_grad()
def test_teacher_forcing_gives_vietocrs_logits(network, batch):
    images, tokens, _ = batch
    network.eval()
    theirs = network(images, tokens, None)
    ours = decoder_logits(network, encode(network, network.cnn(images)), tokens)
    assert theirs.std() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-6)


def test_teacher_forcing_gives_vietocrs_gradients(batch):
    """In training mode, dropout off (ours draws it for all steps at once, theirs at each)."""
    _, tokens, targets = batch
    from vietocr.model.seqmodel.seq2seq import Seq2Seq

    torch.manual_seed(0)
    head = Seq2Seq(233, encoder_hidden=16, decoder_hidden=24, img_channel=20, decoder_embedded=12, dropout=0.0)
    features = torch.randn(18, 2, 20)
    grads = []
    network = SimpleNamespace(transformer=head, seq_modeling="seq2seq")
    for forward in (head, lambda features, tokens: decoder_logits(network, encode(network, features), tokens)):
        head.zero_grad()
        label_smoothing_loss(forward(features, tokens), targets, 0.1).backward()
        grads.append({name: p.grad.clone() for name, p in head.named_parameters()})
    for name, theirs in grads[0].items():
        np.testing.assert_allclose(grads[1][name], theirs, rtol=1e-3, atol=1e-6, err_msg=name)


def test_the_loss_is_vietocrs_where_nothing_is_padded(batch):
    from vietocr.optim.labelsmoothingloss import LabelSmoothingLoss

    _, _, targets = batch
    logits = torch.randn(2, 7, 233, generator=torch.Generator().manual_seed(2))
    theirs = LabelSmoothingLoss(233, padding_idx=0, smoothing=0.1)(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(label_smoothing_loss(logits, targets, 0.1), theirs)


def test_padding_does_not_change_the_loss(batch):
    _, _, targets = batch
    logits = torch.randn(2, 7, 233, generator=torch.Generator().manual_seed(2))
    padded = torch.cat([targets, torch.zeros(2, 3, dtype=torch.long)], 1)
    more = torch.cat([logits, torch.randn(2, 3, 233)], 1)
    torch.testing.assert_close(label_smoothing_loss(more, padded, 0.1), label_smoothing_loss(logits, targets, 0.1))


def test_half_precision_weights_load_as_single(network):
    state = {name: t.half() if t.is_floating_point() else t for name, t in network.state_dict().items()}
    other = copy.deepcopy(network)
    torch.nn.init.zeros_(other.transformer.decoder.fc_out.weight)
    load_float(other, {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}, "half.pth")
    assert other.transformer.decoder.fc_out.weight.dtype == torch.float32
    torch.testing.assert_close(other.transformer.decoder.fc_out.weight, state[FC_OUT].float(), rtol=0, atol=0)


def test_a_shape_mismatch_names_tensor_shapes_and_the_fitting_vocabulary(network):
    state = dict(network.state_dict())
    state[FC_OUT] = torch.zeros(100, 1024)
    shapes = rf"mine\.pth: tensor {FC_OUT} has shape \[100, 1024\], the network needs \[233, 1024\]: "
    fits = "a vocabulary of 96 characters fits this file and the one given has 229; pass the YAML"
    with pytest.raises(BridgeError, match=shapes + fits):
        load_float(network, state, "mine.pth")
    state = dict(network.state_dict())
    state[FC_OUT] = torch.zeros(233, 900)
    with pytest.raises(
        BridgeError, match=r"\[233, 900\], the network needs \[233, 1024\]: it was trained with another archi"
    ):
        load_float(network, state, "mine.pth")
    state = dict(network.state_dict())
    state["cnn.model.features.0.weight"] = torch.zeros(64, 1, 3, 3)
    with pytest.raises(
        BridgeError, match=r"features\.0\.weight has shape \[64, 1, 3, 3\], .* \[64, 3, 3, 3\].*architec"
    ):
        load_float(network, state, "mine.pth")


def test_missing_and_unknown_tensors_are_named(network):
    state = dict(network.state_dict())
    del state["transformer.encoder.fc.bias"]
    with pytest.raises(BridgeError, match=r"mine\.pth lacks transformer\.encoder\.fc\.bias \(1 in all\)"):
        load_float(network, state, "mine.pth")
    state = dict(network.state_dict()) | {"transformer.extra": torch.zeros(1)}
    with pytest.raises(BridgeError, match=r"mine\.pth has unknown transformer\.extra \(1 in all\)"):
        load_float(network, state, "mine.pth")


def test_saved_weights_load_in_vietocrs_own_network(network, tmp_path):
    """From what the half-precision file holds: batch norm's counters are not in it."""
    state = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    halves = {n: t.half() for n, t in state.items()}
    path = bridge.save_vietocr(halves, tmp_path / "new" / "vgg_seq2seq.pth")
    assert 89.4e6 <= path.stat().st_size <= 89.7e6
    assert [p.name for p in path.parent.iterdir()] == ["vgg_seq2seq.pth"]
    translate = bridge.import_vietocr().translate
    config = {**VGG_SEQ2SEQ, "vocab": DEFAULT_CHARS, "device": "cpu"}
    config["cnn"] = {**config["cnn"], "pretrained": False}
    model, _ = translate.build_model(config)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    torch.testing.assert_close(model.state_dict()[FC_OUT], halves[FC_OUT].float(), rtol=0, atol=0)


def write_yaml(folder, text: str):
    path = folder / "mine.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_with_its_own_vocabulary_and_sizes(tmp_path):
    text = yaml.safe_dump(
        {
            "vocab": "abcđ€",
            "backbone": "vgg19_bn",
            "seq_modeling": "seq2seq",
            "device": "cuda:0",
            "dataset": {"image_height": 48, "image_min_width": 40, "image_max_width": 800, "name": "mine"},
            "transformer": {"encoder_hidden": 128, "dropout": 0.2},
            "cnn": {"hidden": 128, "pretrained": True},
        },
        allow_unicode=True,
    )
    for encoding in ("utf-8", "utf-8-sig"):
        path = tmp_path / f"{encoding}.yml"
        path.write_text(text, encoding=encoding)
        config = read_yaml(path)
        assert (config.chars, config.classes, config.image) == ("abcđ€", 9, ImageSpec(48, 40, 800))
        transformer = {**VGG_SEQ2SEQ["transformer"], "encoder_hidden": 128, "dropout": 0.2}
        assert config.architecture["transformer"] == transformer
        assert config.architecture["cnn"] == {**VGG_SEQ2SEQ["cnn"], "hidden": 128}
    assert VGG_SEQ2SEQ["cnn"]["hidden"] == 256


def test_yaml_that_says_nothing_means_vietocrs_defaults(tmp_path):
    assert read_yaml(write_yaml(tmp_path, "pretrain: null\n")) == VietOCRConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vocab: 'abc", r"mine\.yml is not readable as YAML .*config\.save"),
        ("- a\n", r"mine\.yml holds list, not VietOCR's"),
        ("seq_modeling: convseq2seq\n", r"mine\.yml describes backbone 'vgg19_bn' with 'convseq2seq'"),
        ("backbone: resnet50\n", r"backbone 'resnet50' with 'seq2seq'"),
        ("seq_modeling: {a: 1}\n", r"backbone 'vgg19_bn' with {'a': 1}"),
        ("vocab: aba\n", r"mine\.yml: vocab must be a string of distinct characters"),
        ("vocab: [a, b]\n", r"vocab must be a string"),
        ("vocab: ''\n", r"vocab must be a string"),
        (
            "dataset: {image_height: tall}\n",
            r"mine\.yml: dataset\.image_height must be a whole number of pixels, not 'tall'",
        ),
        ("dataset: {image_min_width: null}\n", r"dataset\.image_min_width must be a whole number of pixels, not None"),
        (
            "dataset: {image_max_width: 500.5}\n",
            r"dataset\.image_max_width must be a whole number of pixels, not 500\.5",
        ),
        ("dataset: {image_height: true}\n", r"dataset\.image_height must be a whole number of pixels, not True"),
        ("dataset: {image_min_width: 600}\n", r"mine\.yml: dataset: .*min_width <= max_width; got .* min_width 600"),
        ("dataset: {image_height: 0}\n", r"dataset: Image sizes must be positive"),
        ("dataset: lines\n", r"mine\.yml: dataset must hold key: value settings, not 'lines'"),
        ("cnn: [1]\n", r"mine\.yml: cnn must hold key: value settings, not \[1\]"),
        ("transformer: 8\n", r"mine\.yml: transformer must hold key: value settings, not 8"),
        (
            "cnn: {ks: [[2, 2], [2, 2]]}\n",
            r"mine\.yml: cnn\.ks must be 5 pairs of whole numbers above 0, one for each pool",
        ),
        ("cnn: {ss: [[2, 2], [2, 2], [2, 1], [2, 1], [1]]}\n", r"cnn\.ss must be 5 pairs"),
        ("cnn: {ss: [2, 2, 2, 2, 2]}\n", r"cnn\.ss must be 5 pairs"),
        ("cnn: {ks: [[2, 2], [2, 2], [2, 1], [2, 1], [0, 1]]}\n", r"cnn\.ks must be 5 pairs"),
        ("cnn: {ks: null}\n", r"cnn\.ks must be 5 pairs"),
        ("cnn: {hidden: wide}\n", r"cnn\.hidden must be a whole number above 0, not 'wide'"),
        ("transformer: {encoder_hidden: 0}\n", r"transformer\.encoder_hidden must be a whole number above 0, not 0"),
        ("transformer: {dropout: 2}\n", r"transformer\.dropout must be a number from 0 to 1, not 2"),
        ("vocab: 2024-13-01\n", r"mine\.yml is not readable as YAML .*config\.save"),
    ],
)
def test_bad_yaml_is_named(tmp_path, text, message):
    with pytest.raises(BridgeError, match=message):
        read_yaml(write_yaml(tmp_path, text))


@pytest.mark.parametrize("section", ["dataset", "cnn", "transformer"])
def test_an_empty_section_means_vietocrs_defaults(tmp_path, section):
    assert read_yaml(write_yaml(tmp_path, f"{section}:\n")) == VietOCRConfig()


def test_a_folder_and_another_encoding_are_named(tmp_path):
    with pytest.raises(BridgeError, match=r"cannot be read \(Is a directory\): name the YAML"):
        read_yaml(tmp_path)
    (tmp_path / "latin.yml").write_bytes("vocab: aý".encode("latin-1"))
    with pytest.raises(BridgeError, match=r"latin\.yml is not UTF-8 text \(byte 8\): save it as UTF-8"):
        read_yaml(tmp_path / "latin.yml")


def test_missing_yaml_is_named():
    with pytest.raises(BridgeError, match="No such file: nowhere.yml"):
        read_yaml("nowhere.yml")
