"""What a grader keeps from students' code: hidden inputs, and labels.

Both come from the course's seed. Hidden inputs are drawn from a number made of it. The
test sets of the stand-ins are drawn anew, and the kernels of students get their images
with shuffled labels: only the reference run sees the true ones.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labkit.checks.protocol import SEED
from labkit.data import standins
from labkit.data.cache import fingerprint
from labkit.files import content_hash, new_folder


@dataclass(frozen=True)
class GradingData:
    """Folders of test data: with true labels, with shuffled ones, and the pictures of both."""

    true: Path
    shuffled: Path
    pictures: Path


def hidden_inputs_environment(seed: str) -> dict[str, str]:
    """The environment variable that hidden inputs are drawn from."""
    return {SEED: f"{_number(seed, 'inputs'):x}"}


def reference_environment(build: Path, seed: str) -> dict[str, str]:
    """The environment of the reference run: hidden inputs, and the true labels."""
    data = grading_data(build, seed)
    return {**hidden_inputs_environment(seed), standins.GRADING_DATA: str(data.true)}


def submission_environment(build: Path, seed: str) -> dict[str, str]:
    """The submission environment: hidden inputs, and labels that are of no use."""
    data = grading_data(build, seed)
    return {
        **hidden_inputs_environment(seed),
        standins.GRADING_DATA: str(data.shuffled),
    }


def grading_data(build: Path, seed: str) -> GradingData:
    """The test data of a course, drawn the first time and kept in `build`."""
    code = [
        path.read_bytes()
        for path in sorted(Path(standins.__file__).parent.glob("*.py"))
    ]
    root = (build / "grading-data" / fingerprint(seed, *code)).resolve()
    if not root.is_dir():
        _write(root, seed)
    return GradingData(
        root / "true", root / "shuffled", standins.grading_pictures(root / "true")
    )


def _write(root: Path, seed: str) -> None:
    """Draw everything; another process's folder has the same bytes."""
    with new_folder(root) as made:
        made.chmod(0o755)  # a confined kernel may be another user's
        labels = standins.draw_faces(
            standins.grading_pictures(made / "true"), _number(seed, "faces")
        )
        _write_tests(made, "faces", seed, {"test_labels": labels})
        for name in standins.NAMES:
            if name != "faces":
                images, labels = standins.draw_tests(name, _number(seed, name))
                _write_tests(
                    made, name, seed, {"test_images": images, "test_labels": labels}
                )


def _write_tests(root: Path, name: str, seed: str, arrays: dict[str, Any]) -> None:
    """Write a test set twice: with its labels, and with the same ones shuffled."""
    rng = np.random.default_rng(_number(seed, f"shuffled {name}"))
    shuffled = {**arrays, "test_labels": rng.permutation(arrays["test_labels"])}
    for folder, content in (("true", arrays), ("shuffled", shuffled)):
        (root / folder).mkdir(exist_ok=True)
        # None of the arrays is called `allow_pickle`.
        np.savez(root / folder / f"{name}.npz", **content)


def _number(seed: str, purpose: str) -> int:
    """A number of 128 bits that tells nothing of the seed or of another purpose's number."""
    return int(content_hash(f"{purpose}: {seed}")[:32], 16)
