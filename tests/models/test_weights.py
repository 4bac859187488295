import functools
import hashlib
import http.server
import threading

import pytest
import torch
from making.places import closed
from safetensors.torch import save_file
from torchvision.models import ResNet18_Weights, VisionTransformer, get_model

from gellib.models.backbones import (
    TIMEOUT_ENV,
    WeightsError,
    build_backbone,
    checkpoint_path,
    labsim_weights,
    resolve_weights,
)
from gellib.models.backbones.loading import load_weights
from gellib.models.backbones.weights import WeightsMissing

pytestmark = pytest.mark.slow

DEAD_URL = "http://127.0.0.1:9/resnet18-00000000.pth"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A state dict of ResNet18 under a name with its own hash, as torchvision has them."""
    folder = tmp_path_factory.mktemp("server")
    torch.save(get_model("resnet18", weights=None).state_dict(), folder / "weights.pth")
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()
    return (folder / "weights.pth").rename(folder / f"resnet18-{digest[:8]}.pth")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(TIMEOUT_ENV, raising=False)


@pytest.fixture(autouse=True)
def _nothing_shipped(tmp_path, monkeypatch):
    """What happens to a network that no weights come with gellib for."""
    monkeypatch.setattr(labsim_weights, "WEIGHTS_DIR", tmp_path / "weights")


@pytest.fixture
def server(checkpoint, monkeypatch):
    """Serves the checkpoint at the address where torchvision's weights now seem to be."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            requests.append(self.command)

    handler = functools.partial(Handler, directory=str(checkpoint.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        point_to(monkeypatch, f"http://127.0.0.1:{httpd.server_port}/{checkpoint.name}")
        yield requests
        httpd.shutdown()


def point_to(monkeypatch, url):
    monkeypatch.setattr(ResNet18_Weights.DEFAULT.value, "url", url)


@pytest.mark.parametrize("weights", ["imagenet", "auto"])
def test_weights_are_downloaded_once_and_used(server, checkpoint, weights):
    info = resolve_weights("resnet18", weights, progress=False)
    assert (info.name, info.warning) == ("imagenet", "")
    assert info.source == str(checkpoint_path("resnet18"))
    assert info.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    backbone = build_backbone("resnet18", weights=weights, progress=False)
    assert server == ["HEAD", "GET"]
    assert backbone.weights == info
    expected = torch.load(checkpoint, weights_only=True)["layer4.1.conv2.weight"]
    assert torch.equal(backbone.network.layer4[1].conv2.weight, expected)
    assert not backbone.needs_calibration
    folder = checkpoint_path("resnet18").parent
    assert not list(folder.glob(".*")), "no half of a file is left"


def test_a_staged_file_needs_no_server(checkpoint, monkeypatch):
    point_to(monkeypatch, f"http://127.0.0.1:9/{checkpoint.name}")
    path = checkpoint_path("resnet18")
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint.read_bytes())
    assert resolve_weights("resnet18", "auto").name == "imagenet"


def test_a_staged_file_in_a_closed_folder_is_used(checkpoint, monkeypatch):
    """As a laboratory shares it; no lock can be made there."""
    point_to(monkeypatch, f"http://127.0.0.1:9/{checkpoint.name}")
    path = checkpoint_path("resnet18")
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint.read_bytes())
    with closed(path.parent):
        assert resolve_weights("resnet18", "imagenet").name == "imagenet"


@pytest.mark.parametrize("there", ["nothing", "damaged"])
def test_a_closed_folder_without_weights_is_one_that_lacks_them(
    server, checkpoint, monkeypatch, tmp_path, there
):
    """The network is left out or said, as without a connection; a read-only home is usual."""
    home = tmp_path / "torch"
    home.mkdir()
    path = checkpoint_path("resnet18")
    if there == "damaged":
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no weights")
    with closed(home):
        info = resolve_weights("resnet18", "auto", progress=False)
        assert info.name == "none" and server == []
        with pytest.raises(WeightsMissing, match="cannot be written .*TORCH_HOME may name another"):
            resolve_weights("resnet18", "imagenet", progress=False)
    assert resolve_weights("resnet18", "imagenet", progress=False).name == "imagenet"


def test_a_damaged_file_is_fetched_again(server, checkpoint):
    path = checkpoint_path("resnet18")
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint.read_bytes()[:-1000])
    assert resolve_weights("resnet18", "auto", progress=False).name == "imagenet"
    assert path.read_bytes() == checkpoint.read_bytes()


def test_a_damaged_file_is_never_used(checkpoint, monkeypatch):
    point_to(monkeypatch, f"http://127.0.0.1:9/{checkpoint.name}")
    path = checkpoint_path("resnet18")
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint.read_bytes()[:-1000])
    info = resolve_weights("resnet18", "auto")
    assert info.name == "none"
    assert f"{path} is damaged (sha256 " in info.warning
    with pytest.raises(WeightsError, match="is damaged"):
        resolve_weights("resnet18", "imagenet")


def test_a_download_of_other_content_is_refused(server, checkpoint, monkeypatch):
    wrong = checkpoint.with_name("resnet18-12345678.pth")
    wrong.write_bytes(checkpoint.read_bytes())
    url = ResNet18_Weights.DEFAULT.url.replace(checkpoint.name, wrong.name)
    point_to(monkeypatch, url)
    with pytest.raises(WeightsError, match=r"the download has sha256 .*expected 12345678"):
        resolve_weights("resnet18", "imagenet", progress=False)
    assert not checkpoint_path("resnet18").exists()


@pytest.mark.slow
def test_random_weights_that_were_asked_for_are_named_too():
    info = resolve_weights("vgg16", "none")
    assert info.warning.startswith("RANDOM WEIGHTS, as requested by `weights: none`: vgg16")
    assert build_backbone("vgg16", weights=info, image_size=32).weights.warning == info.warning


def test_without_weights_auto_warns_and_imagenet_stops(monkeypatch):
    point_to(monkeypatch, DEAD_URL)
    path = checkpoint_path("resnet18")
    info = resolve_weights("resnet18", "auto")
    assert info.name == "none"
    assert info.warning.startswith("NO PRETRAINED WEIGHTS: resnet18 has random weights")
    with pytest.raises(WeightsError, match="are not available: no /") as caught:
        resolve_weights("resnet18", "imagenet")
    assert f"Download {DEAD_URL} and save it as {path}" in str(caught.value)
    backbone = build_backbone("resnet18", weights="auto", image_size=64)
    assert backbone.weights.name == "none"
    assert backbone.weights.warning == info.warning
    assert backbone.needs_calibration


def test_the_network_is_not_tried_with_a_timeout_of_0(server, monkeypatch):
    monkeypatch.setenv(TIMEOUT_ENV, "0")
    assert resolve_weights("resnet18", "auto").name == "none"
    assert server == []
    monkeypatch.setenv(TIMEOUT_ENV, "soon")
    with pytest.raises(WeightsError, match="GELLIB_WEIGHTS_TIMEOUT_S: got 'soon'"):
        resolve_weights("resnet18", "auto")


def test_a_server_that_does_not_answer_is_given_up(monkeypatch):
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_to(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/resnet18-00000000.pth")
        started = time.perf_counter()
        info = resolve_weights("resnet18", "auto", timeout_s=0.3)
        assert time.perf_counter() - started < 3
    assert info.name == "none"


@pytest.mark.parametrize("kind", ["state dict", "wrapped", "safetensors"])
def test_weights_from_a_file(tmp_path, kind):
    state = get_model("resnet18", weights=None, num_classes=7).state_dict()  # another classifier
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if kind == "wrapped" else state, path)
    backbone = build_backbone("resnet18", weights=str(path))
    assert backbone.weights.name == path.name
    assert backbone.weights.source == str(path)
    assert torch.equal(backbone.network.conv1.weight, state["conv1.weight"])


def small_transformer(image_size, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 8}
        return VisionTransformer(image_size=image_size, patch_size=16, **sizes).eval()


def test_positions_of_a_transformer_are_interpolated_to_another_size(tmp_path):
    given = small_transformer(224)
    positions = given.encoder.pos_embedding
    with torch.no_grad():  # a ramp along the rows of the grid of 14 x 14 patches
        positions[0, 1:] = torch.arange(14.0).repeat_interleave(14)[:, None]
    torch.save(given.state_dict(), tmp_path / "w.pth")
    network = small_transformer(64, seed=1)
    load_weights(network, tmp_path / "w.pth")
    fitted = network.encoder.pos_embedding
    assert torch.equal(fitted[:, 0], positions[:, 0])  # the class token has no place
    rows = fitted[0, 1:, 0].reshape(4, 4)
    assert (rows[1:] > rows[:-1]).all() and torch.allclose(rows[:, :1].expand(4, 4), rows)
    assert torch.equal(network.conv_proj.weight, given.conv_proj.weight)
    same = small_transformer(224, seed=1)
    load_weights(same, tmp_path / "w.pth")
    assert torch.equal(same.encoder.pos_embedding, positions)


def test_positions_of_another_width_do_not_fit(tmp_path):
    state = small_transformer(224).state_dict()
    state["encoder.pos_embedding"] = torch.zeros(1, 197, 6)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"pos_embedding \(1, 197, 6\) instead of \(1, 17, 8\)"):
        load_weights(small_transformer(64), tmp_path / "w.pth")


def test_weights_that_do_not_fit_are_listed(tmp_path):
    state = get_model("resnet18", weights=None).state_dict()
    state["conv1.weight"] = state["conv1.weight"][:, :1]
    state["extra"] = state.pop("bn1.weight")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        build_backbone("resnet18", weights=str(tmp_path / "w.pth"))
    text = str(caught.value)
    assert "does not fit ResNet; 1 missing: bn1.weight; 1 unexpected: extra; " in text
    assert "1 of another shape: conv1.weight (64, 1, 7, 7) instead of (64, 3, 7, 7)" in text


def test_a_file_with_code_in_it_is_refused(tmp_path):
    torch.save({"conv1.weight": pytest.approx}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="refused because they could run code"):
        build_backbone("resnet18", weights=str(tmp_path / "w.pth"))
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="cannot be read as a plain state dict"):
        build_backbone("resnet18", weights=str(tmp_path / "w.safetensors"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="contains no state dict"):
        build_backbone("resnet18", weights=str(tmp_path / "list.pth"))


def test_a_missing_file_says_where_it_was_looked_for():
    with pytest.raises(WeightsError, match="got 'imagnet', and there is no file .*imagnet;"):
        resolve_weights("resnet18", "imagnet")
