"""How messages count things."""


def counted(count: int, things: str) -> str:
    """So many things, or one of them: `1 recording`, `2,000 recordings`, `1 stretch`."""
    one = things.removesuffix("es" if things.endswith("ches") else "s")
    return f"{count:,} {one if count == 1 else things}"
