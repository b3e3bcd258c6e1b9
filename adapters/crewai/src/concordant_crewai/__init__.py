"""CrewAI crews and flows whose shared state merges."""
