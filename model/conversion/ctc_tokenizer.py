"""SenseVoice's tokens, a tiktoken file, as a tokenizer.json: the same ids, and the place of each token in the text."""

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from funasr_beam.model.conversion.errors import ConversionError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER_NAME = "ctc_tokenizer.json"

# How a text is cut before tokens are looked for. Source: `get_encoding` of funasr 1.4.16 (whisper_lib/tokenizer.py).
_PIECES = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def convert_tokens(path: Path, vocab_size: int) -> "Tokenizer":
    """A tokenizer that gives the ids of SenseVoice's own, which is Whisper's with other tokens.

    Control tokens such as <|nospeech|> are plain text to it, as upstream encodes texts for alignment.

    Args:
        path: lines of a token in base64 and its rank, which is its id.
        vocab_size: how many ids the head knows, the blank not counted; the last ones are control tokens.

    Raises:
        ConversionError: it is no such file, or has more tokens than the head.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    ranks = _read_ranks(path)
    if len(ranks) > vocab_size:
        raise ConversionError(
            f"{path} does not fit the CTC head", [f"{len(ranks):,} tokens; the head knows {vocab_size:,}"]
        )
    letters = _byte_letters()
    vocabulary = {"".join(letters[byte] for byte in token): rank for token, rank in ranks.items()}
    # Where a whole piece is a token, tiktoken takes it without merging anything.
    tokenizer = Tokenizer(models.BPE(vocabulary, _merges(ranks, letters), ignore_merges=True))
    cut = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    to_letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, to_letters])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _read_ranks(path: Path) -> dict[bytes, int]:
    try:
        lines = [line.split() for line in path.read_bytes().splitlines() if line.strip()]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except (ValueError, binascii.Error) as error:
        raise ConversionError(f"{path} holds no tiktoken ranks", [str(error)]) from error
    if sorted(ranks.values()) != list(range(len(lines))):
        raise ConversionError(f"{path} is damaged", [f"its {len(lines):,} lines do not give the ranks from 0 on"])
    return ranks


def _merges(ranks: dict[bytes, int], letters: dict[int, str]) -> list[tuple[str, str]]:
    """All pairs of tokens that make a token, the best rank first: tiktoken merges any such pair."""
    found = []
    for token, rank in ranks.items():
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in ranks and right in ranks:
                found.append((rank, ranks[left], ranks[right], left, right))
    return [
        ("".join(letters[byte] for byte in left), "".join(letters[byte] for byte in right))
        for *_, left, right in sorted(found)
    ]


def _byte_letters() -> dict[int, str]:
    """The letter that stands for each byte in byte-level vocabularies."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return dict(bytes_to_unicode())
