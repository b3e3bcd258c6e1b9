"""CrewAI's memory on records that merge."""

from concordant_crewai.memory.storage import MergeStorage

__all__ = ["MergeStorage"]
