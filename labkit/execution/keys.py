"""Keys: what a result that is kept was made from."""

import hashlib
from functools import cache
from pathlib import Path


@cache
def package_hash() -> str:
    """A hash of this package's code: a result made by other code is made again."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def submission_key(seed: str, *folders: Path) -> str:
    """A hash of all that a run depends on: the course's seed, every file of the folders,
    and this package."""
    digest = hashlib.sha256(f"{seed} {package_hash()}".encode())
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]
