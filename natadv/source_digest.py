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
        waiting += _imported(sources[name])
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name} {len(sources[name])} ".encode() + sources[name])
    return digest.hexdigest()[:12]


def _imported(source: bytes) -> list[str]:
    """Return the modules of natadv that a source imports from; the project has no relative imports."""
    nodes = ast.walk(ast.parse(source))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return [name for name in names if name.split(".")[0] == _ROOT and name != _ROOT]
