"""Current rows of an output in the formats of other tools."""
