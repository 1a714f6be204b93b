"""A digest of the project's own code, for what is kept between runs: other code may give other results."""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_ROOT = "natadv"


@cache
def source_digest(*modules: str) -> str:
    """Return a digest, 12 hex digits, of modules of natadv and of all of natadv that they import, wherever in them.

    Args:
        modules: full names, as "natadv.attacks.nes".

    Raises:
        ModuleNotFoundError: if there is no such module.
    """
    sources: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name, name=name)
        sources[name] = Path(spec.origin).read_bytes()
        waiting += _imported(sources[name], name)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name} {len(sources[name])} ".encode() + sources[name])
    return digest.hexdigest()[:12]


def _imported(source: bytes, name: str) -> list[str]:
    """Return the modules of natadv that a source imports; the project has no relative imports.

    Raises:
        ValueError: if it imports one in a way that is not followed.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{name}: relative imports are not followed")
            module = node.module or ""
            found.append(module)
            if module.split(".")[0] == _ROOT:  # what is imported from a package may be a module of it
                found += [f"{module}.{alias.name}" for alias in node.names if _is_module(f"{module}.{alias.name}")]
    return [module for module in found if module.startswith(f"{_ROOT}.")]


def _is_module(name: str) -> bool:
    """Tell whether there is a module of this name, and not a function in one."""
    parent, _, _ = name.rpartition(".")
    package = find_spec(parent)
    return package is not None and package.submodule_search_locations is not None and find_spec(name) is not None
