"""The decoder of Qwen3 language models: fixed places for rows, few launches, rows that come and go."""
