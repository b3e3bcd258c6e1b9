"""Tests that whoever extends Concordant runs on what they wrote. They need pytest, which is imported here alone.

``StorageContract`` is for storages (docs/storages.md), ``AdapterContract`` for adapters to agent frameworks
(docs/adapters.md), ``KindContract`` for kinds.
"""

import pytest

# So that a test that fails shows what it compared.
pytest.register_assert_rewrite("concordant.testing.adapters", "concordant.testing.kinds", "concordant.testing.storages")

from concordant.testing.adapters import AdapterContract  # noqa: E402
from concordant.testing.kinds import KindContract  # noqa: E402
from concordant.testing.storages import StorageContract  # noqa: E402

__all__ = ["AdapterContract", "KindContract", "StorageContract"]
