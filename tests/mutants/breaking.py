"""Replaces one step of the engine by a broken one, wherever the engine has it at hand, after a look at the whole one.

A mutant names the step itself, not the module in which somebody calls it: it stays as it is when walls move.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import pytest

_passed: set[Callable[[], object]] = set()
ROOMS = ("concordant", "folder_storage")  # the packages of the project, and the storage of its examples


def passes(check: Callable[[], object]) -> None:
    """Run a check on the engine as it is, once however many mutants it has to notice."""
    if check not in _passed:
        check()
        _passed.add(check)


def swap(patch: pytest.MonkeyPatch, step: Any, broken: Any, within: str = "") -> None:
    """Replace a function, a class or a class's member of the engine by a broken one until the end of the test.

    A function or class is replaced in each module that has imported it, or in those alone whose name begins with
    `within`; a method, class method or property in the class that defines it. Raises LookupError where nothing has it:
    a mutant that breaks nothing is no mutant.
    """
    function = _function(step)
    if isinstance(step, type) or "." not in function.__qualname__:
        modules = [module for module in _modules() if module.__name__.startswith(within)]
        places = [(module, name) for module in modules for name, value in vars(module).items() if value is step]
    else:
        owner = functools.reduce(getattr, function.__qualname__.split(".")[:-1], sys.modules[function.__module__])
        places = [(owner, name) for name, value in vars(owner).items() if _function(value) is function]
    if not places:
        raise LookupError(f"no module or class of the engine has {step!r}")
    for place, name in places:
        patch.setattr(place, name, broken)


def _function(step: Any) -> Any:
    """What a method, class method, property or cached property is made of; anything else is itself."""
    for name in ("__func__", "fget", "func", "__wrapped__"):
        inner = getattr(step, name, None)
        if isinstance(inner, FunctionType):
            return inner
    return step


def _modules() -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.split(".")[0].startswith(ROOMS)]
