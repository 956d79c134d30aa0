"""Families of models behind one protocol: a batch of utterances gives one hypothesis each."""
