import pickle

import pytest
import torch

from funasr_beam.model.conversion.architecture import Architecture
from funasr_beam.model.conversion.errors import ConversionError
from funasr_beam.model.conversion.original import check_tensors, read_original
from funasr_beam.model.conversion.tensors import original_shapes


@pytest.fixture(scope="module", params=[False, True], ids=["1261 tensors", "1347 tensors"])
def full_size(request, tmp_path_factory):
    """A model.pt with the names and shapes of the published files; each tensor is one number, repeated."""
    shapes = original_shapes(Architecture(), with_ctc=request.param)
    tensors = {name: torch.zeros(1, dtype=torch.bfloat16).expand(shape) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("full") / "model.pt"
    torch.save({"state_dict": tensors}, path)
    return path, request.param


def test_a_file_with_the_published_names_and_shapes_is_accepted(full_size):
    path, with_ctc = full_size
    check_tensors(read_original(path), Architecture(), with_ctc=with_ctc)


def test_any_missing_tensor_is_refused_by_its_name(full_size):
    path, with_ctc = full_size
    tensors = read_original(path)
    for name in list(tensors)[::50]:
        rest = {other: tensor for other, tensor in tensors.items() if other != name}
        with pytest.raises(ConversionError) as error:
            check_tensors(rest, Architecture(), with_ctc=with_ctc)
        assert error.value.problems == (f"{name} is missing",)


def test_what_is_too_many_or_of_another_shape_is_refused_by_its_name(full_size):
    path, with_ctc = full_size
    tensors = read_original(path)
    tensors["llm.model.layers.0.self_attn.q_proj.lora_A"] = torch.zeros(2, 2)
    tensors["audio_adaptor.linear1.bias"] = torch.zeros(3)
    tensors["audio_encoder.tp_norm.bias"] = torch.zeros(512, dtype=torch.int8)
    with pytest.raises(ConversionError) as error:
        check_tensors(tensors, Architecture(), with_ctc=with_ctc)
    assert error.value.problems == (
        "audio_adaptor.linear1.bias is 3; needed: 2048",
        "llm.model.layers.0.self_attn.q_proj.lora_A is not known: an adapter; merge it into the weights first",
        "audio_encoder.tp_norm.bias holds torch.int8, not floating-point numbers",
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: {"state_dict": tensors, "epoch": 3},
        lambda tensors: {"model": {f"module.{name}": tensor for name, tensor in tensors.items()}},
        lambda tensors: {"model_state_dict": {"state_dict": tensors}},
    ],
    ids=["bare", "state_dict", "parallel", "nested"],
)
def test_whatever_a_trainer_puts_around_the_tensors_is_taken_off(wrap, tmp_path):
    torch.save(wrap({"a": torch.ones(2), "b": torch.zeros(3)}), tmp_path / "model.pt")
    assert list(read_original(tmp_path / "model.pt")) == ["a", "b"]


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        import os

        return os.system, ("touch executed",)


def test_code_in_a_pickle_is_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.ones(2), "b": Evil()}, tmp_path / "model.pt")
    with pytest.raises(ConversionError, match="could run code"):
        read_original(tmp_path / "model.pt")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"a": 1}), b"PK\x03\x04 cut off"])
def test_what_torch_did_not_write_is_a_message(content, tmp_path):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ConversionError):
        read_original(tmp_path / "model.pt")


def test_a_cut_off_file_is_a_message(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"a": torch.ones(10_000)}, path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ConversionError, match="cut off"):
        read_original(path)


@pytest.mark.parametrize("content", [[torch.ones(2)], {"a": 3}, {1: torch.ones(2)}, torch.ones(2)])
def test_what_is_not_named_tensors_is_a_message(content, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ConversionError):
        read_original(tmp_path / "model.pt")
