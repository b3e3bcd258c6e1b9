"""Tests that whoever extends Concordant runs on what they wrote. They need pytest, which is imported here alone.

``StorageContract`` is for storages (docs/storages.md).
"""

import pytest

pytest.register_assert_rewrite("concordant.testing.storages")  # so that a test that fails shows what it compared

from concordant.testing.storages import StorageContract  # noqa: E402

__all__ = ["StorageContract"]
