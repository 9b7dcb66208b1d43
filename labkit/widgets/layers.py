"""Explorer: how a picture shrinks on its way through a small CNN."""

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from labkit.plots import BLUE, INK, MUTED, VERMILION, Figure
from labkit.plots.style import styled
from labkit.widgets.explorer import Explorer, choice, whole

__all__ = ["explore_layer_sizes"]

FILTERS, DENSE = 64, 384
POOLS = {"2x2, stride 2": 2, "3x3, stride 2": 3}
HIGHEST = 32  # of the pictures, in pixels


def explore_layer_sizes(
    size: int = 24,
    kernel_size: int = 5,
    padding: str = "same",
    pool: str = "2x2, stride 2",
    stages: int = 2,
) -> Explorer:
    """Show picture sizes through stages of one convolution of 64 filters and one max-pooling.

    Pooling windows that do not fit whole are dropped. The sentence says how many numbers
    reach the first dense layer, which has 384 neurons, and what they cost there.

    Parameters
    ----------
    size : int
        The picture's, in pixels, at first; there is a control for each of these.
    kernel_size : int
    padding : {"same", "valid"}
    pool : str
        One of `labkit.widgets.layers.POOLS`.
    stages : int

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from labkit.widgets.layers import explore_layer_sizes
    >>> explore_layer_sizes(size=32).sentence.value
    '<b>8 · 8 · 64 = 4,096 numbers enter the dense layer: with 384 neurons it has 1,573,248 parameters.</b>'
    """
    figure = Figure(figsize=(9.0, 2.7))
    axes = figure.add_axes((0, 0, 1, 1))

    def draw(size: int, kernel_size: int, padding: str, pool: str, stages: int) -> str:
        steps = _steps(size, kernel_size, padding, POOLS[pool], stages)
        _draw_steps(axes, steps)
        last = steps[-1][1]
        if last < 1:
            return f"The {kernel_size}x{kernel_size} filter no longer fits: fewer stages, or padding."
        numbers = last * last * FILTERS
        weights = (numbers + 1) * DENSE
        return (
            f"{last} · {last} · {FILTERS} = {numbers:,} numbers enter the dense layer:"
            f" with {DENSE} neurons it has {weights:,} parameters."
        )

    return Explorer(
        figure,
        draw,
        size=whole("size", size, 16, HIGHEST),
        kernel_size=whole("kernel", kernel_size, 3, 7, 2),
        padding=choice("padding", ["valid", "same"], padding),
        pool=choice("pooling", list(POOLS), pool),
        stages=whole("stages", stages, 1, 3),
    )


def _steps(
    size: int, kernel_size: int, padding: str, window: int, stages: int
) -> list[tuple[str, int]]:
    """Return (layer, side of its output) from the picture on; 0 where nothing fits."""
    steps = [("picture", size)]
    for _ in range(stages):
        if padding == "valid":
            size = max(size - kernel_size + 1, 0)
        steps.append(("conv", size))
        size = max((size - window) // 2 + 1, 0)
        steps.append(("pool", size))
    return steps


@styled
def _draw_steps(axes: Axes, steps: list[tuple[str, int]]) -> None:
    """Draw one square a layer, to scale, with its shape below."""
    axes.clear()
    axes.set_axis_off()
    pitch = 40.0
    colours = {"picture": INK, "conv": BLUE, "pool": VERMILION}
    for place, (layer, side) in enumerate(steps):
        middle = (place + 0.5) * pitch
        depth = 3 if layer == "picture" else FILTERS
        # A few sheets behind each other stand for the channels.
        for sheet in range(3 if depth == 3 else 5, -1, -1):
            corner = (middle - side / 2 + 0.7 * sheet, 0.7 * sheet)
            axes.add_patch(
                Rectangle(corner, side, side, fc="white", ec=colours[layer], lw=1.2)
            )
        axes.text(middle, 39, layer, ha="center", color=colours[layer], weight="bold")
        shape = f"{side}x{side}x{depth}" if side else "nothing left"
        axes.text(middle, -6, shape, ha="center", color=MUTED, size=9)
    axes.set(xlim=(0, max(len(steps), 5) * pitch), ylim=(-10, 45), aspect="equal")
