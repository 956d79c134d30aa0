"""What runs: the flow, the configuration and the command line."""
