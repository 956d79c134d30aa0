"""Where a run happens: on this machine, or on a cluster that Beam can submit to."""
