"""Texts and lists that many writers edit at once: pieces, their order, their differences and their overlaps."""
