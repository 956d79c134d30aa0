"""The original `model.pt` of Fun-ASR-Nano as safetensors, in the layout that transformers loads."""
