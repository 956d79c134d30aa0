"""One module for each subcommand of `funasr-beam`: `add_parser` describes it, `run` does it."""
