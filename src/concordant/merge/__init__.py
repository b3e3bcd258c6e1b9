"""The merge engine: pure functions on values, without a clock, a lock, I/O or a framework.

From the lowest to the highest: ``causality`` (dots, entries, version vectors), ``sequence`` (texts and lists that many
edit at once), ``registers`` (the tree of a record's state, and what one write changes in it), ``kinds`` (how a field
merges, one file per kind) and ``record`` (the state of one document: apply, join, view, bytes).
"""
