"""Benchmarks: what Concordant costs and what it saves, against named peers measured in the same run.

``python -m benchmarks`` runs them all; ``--rows`` chooses groups, ``--quick`` runs small ones.
"""
