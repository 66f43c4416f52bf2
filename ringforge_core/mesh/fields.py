"""What the fields of several capabilities have in common."""

STORABLE = r"^[^\x00]*$"
"""The pattern of a text that goes into a column or a comparison: PostgreSQL has no NUL in texts."""
