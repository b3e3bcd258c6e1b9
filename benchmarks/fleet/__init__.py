"""Teams of agents at work on shared state, under every way of sharing it, on workloads whose right outcome is known."""
