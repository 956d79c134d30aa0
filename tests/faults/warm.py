"""Loads at import what the first text of a process needs, 2 s of work: a process forked after it has it already.

The last that is preloaded: the garbage collector of a forked process leaves alone all that is here by now.
"""

import gc

from funasr_beam.model.checkpoint import describe, resolve
from funasr_beam.model.itn import InverseTextNormalizer
from funasr_beam.model.language_id import LanguageDetector

LanguageDetector(describe(resolve("demo")).languages).detect("good morning to all of you")
for _text in ("twenty one", "二十一"):
    InverseTextNormalizer("en").normalize(_text)
gc.freeze()
