"""Teams of agents at work on shared documents: strategies on the same workloads, with a known right outcome."""
