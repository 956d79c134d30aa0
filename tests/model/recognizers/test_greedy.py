import pytest
import torch
from transformers import GenerationConfig

from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.greedy import decode_greedily
from tests.audio_doubles import mixed_utterances


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint):
    """The model, the embeddings of twelve prompts of different lengths, and the tokens that end a text."""
    recognizer = FunAsrNanoRecognizer.load(resolve(str(tiny_checkpoint)), RecognizerSettings(device="cpu"))
    utterances = mixed_utterances(12)
    with torch.inference_mode():
        audio, _ = recognizer._encode_audio(recognizer._extract_features(utterances))
        prompts = [recognizer._embed(item, rows) for item, rows in zip(utterances, audio, strict=True)]
    return recognizer._model, prompts, recognizer._end_ids


def generate(model, prompts, end_ids, budget):
    """The library's own greedy decoding with its log-probabilities, left-padded."""
    longest = max(map(len, prompts))
    embeds = torch.stack([torch.nn.functional.pad(prompt, (0, 0, longest - len(prompt), 0)) for prompt in prompts])
    mask = torch.stack([torch.arange(longest) >= longest - len(prompt) for prompt in prompts]).long()
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=budget,
        eos_token_id=sorted(end_ids),
        pad_token_id=min(end_ids),
        output_scores=True,
        return_dict_in_generate=True,
    )
    with torch.inference_mode():
        out = model.generate(inputs_embeds=embeds, attention_mask=mask, generation_config=config)
        scores = model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
    return out.sequences.tolist(), scores


def test_tokens_and_log_probabilities_are_those_of_generate(loaded):
    model, prompts, end_ids = loaded
    sequences, scores = generate(model, prompts, end_ids, 60)
    with torch.inference_mode():
        decoded = decode_greedily(model, prompts, [60] * len(prompts), end_ids)
    for item, sequence, row in zip(decoded, sequences, scores, strict=True):
        count = len(item.token_ids)
        assert list(item.token_ids) == sequence[:count]
        assert item.finish_reason == ("length" if count == 60 else "stop")
        assert count == 60 or sequence[count] in end_ids
        torch.testing.assert_close(torch.tensor(item.logprobs), row[:count], atol=1e-4, rtol=0)


def test_a_row_stops_at_its_own_budget_whatever_the_others_may_write(loaded):
    model, prompts, end_ids = loaded
    budgets = [1 + 7 * place for place in range(len(prompts))]
    with torch.inference_mode():
        free = decode_greedily(model, prompts, [100] * len(prompts), end_ids)
        bound = decode_greedily(model, prompts, budgets, end_ids)
    for item, longer, budget in zip(bound, free, budgets, strict=True):
        assert item.token_ids == longer.token_ids[:budget]
        assert (item.finish_reason == "stop") == (longer.finish_reason == "stop" and len(longer.token_ids) <= budget)


def test_scores_that_are_no_numbers_are_an_error_and_not_a_text(loaded):
    model, prompts, end_ids = loaded
    broken = [prompts[0].clone().fill_(float("nan"))]
    with torch.inference_mode(), pytest.raises(RuntimeError, match="finite"):
        decode_greedily(model, broken, [5], end_ids)
