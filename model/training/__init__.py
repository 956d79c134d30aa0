"""Training of Fun-ASR-Nano checkpoints: corpus, tokenizer, stages, export."""
