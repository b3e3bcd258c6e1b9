"""State models: reading the declarations, checking them, validating what is written."""

from concordant.schema.compiling import compile_schema
from concordant.schema.fidelity import form_within
from concordant.schema.incoming import untouched_left_out
from concordant.schema.models import copied, is_instance, said_by
from concordant.schema.parts import part_of
from concordant.schema.schema import OPEN_SCHEMA, OPEN_TREE_SCHEMA, Compiled, Schema

__all__ = [
    "OPEN_SCHEMA",
    "OPEN_TREE_SCHEMA",
    "Compiled",
    "Schema",
    "compile_schema",
    "copied",
    "form_within",
    "is_instance",
    "part_of",
    "said_by",
    "untouched_left_out",
]
