"""What a student sees in JupyterLab is clear in both themes."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.colors import to_rgb

from labkit.checks.results import Result
from labkit.formatting import GROUNDS
from labkit.learning import server as extension


def luminance(colour: str) -> float:
    """Relative luminance of a colour, as WCAG 2.1 defines it."""
    parts = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(colour)
    ]
    return sum(
        w * part for w, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
    )


def contrast(first: str, second: str) -> float:
    low, high = sorted(map(luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("passed", [True, False])
def test_a_mark_is_clear_in_a_light_and_in_a_dark_theme(passed):
    ground = GROUNDS[passed]
    assert f"background:{ground};color:#fff" in Result("a", passed).html()
    assert contrast(ground, "#fff") >= 4.5
    # JupyterLab's own grounds, against which the mark's stands out.
    assert min(contrast(ground, "#fff"), contrast(ground, "#111")) >= 3


def test_jupyterlab_finds_the_style_sheet_and_one_of_the_user_s_own_first(
    monkeypatch,
):
    monkeypatch.setattr(extension, "can_fork", lambda: False)  # no warm parent
    server = SimpleNamespace(static_custom_path=["the user's", "jupyter's"])
    extension._load_jupyter_server_extension(server)
    own, ours, _ = server.static_custom_path
    assert own == "the user's"
    assert "brightness" in (Path(ours) / "custom.css").read_text()
