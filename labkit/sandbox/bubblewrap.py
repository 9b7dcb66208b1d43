"""Bubblewrap around a cold kernel: where namespaces are open to its command alone."""

import sys
from pathlib import Path

from labkit.sandbox.policy import HOME, Policy, links_to, visible_paths

# Where the files of the notebook's folder are found, to be copied.
SOURCE = Path("/source")


def command(folder: Path, policy: Policy) -> list[str]:
    """The words before a program's own that confine it; it finds `folder` at SOURCE."""
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
    words += ["--cap-drop", "ALL", "--hostname", "lab"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    visible = visible_paths(policy)
    for path in visible:
        words += ["--ro-bind", str(path), str(path)]
    for place, target in links_to(policy).items():
        if not any(place.is_relative_to(path) for path in visible):
            words += ["--symlink", target, str(place)]
    for place, share in ((HOME, 2), (Path("/tmp"), 4), (Path("/dev/shm"), 4)):
        size = str(policy.disk // share)
        words += ["--perms", "0700", "--size", size, "--tmpfs", str(place)]
    words += ["--ro-bind", str(folder), str(SOURCE), "--remount-ro", "/"]
    return [*words, "--chdir", str(HOME)]


def trial() -> list[str]:
    """A command that ends well where a confined Python can import this package."""
    program = [sys.executable, "-c", "import labkit.checks.cell"]
    return [*command(Path("/usr/share"), Policy()), *program]
