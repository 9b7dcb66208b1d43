"""Stand-in for the Simpsons competition: ten invented cartoon characters, in files as Kaggle gives them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from labkit.data import cache
from labkit.files import new_folder

Colour = tuple[int, int, int]
CANVAS = 96
INK = (35, 25, 30)
CLIP_FRAMES = (3, 9)
TEST_CLIP_FRAMES = (1, 3)


@dataclass(frozen=True)
class Character:
    """How one character looks; lengths in head radii."""

    name: str
    skin: Colour
    hair: Colour
    shirt: Colour
    head: tuple[float, float]
    style: str
    extra: str = ""
    eye: float = 0.27


PEACH, LILAC, MINT, SKY, SAND = (
    (250, 200, 165), (200, 170, 225), (150, 215, 170), (150, 195, 235), (225, 185, 120),
)  # fmt: skip
CHARACTERS = (
    Character("ada_lantern", PEACH, (190, 60, 40), (60, 110, 190), (0.85, 1.0), "bun"),
    Character(
        "bruno_marsh", MINT, (60, 80, 60), (200, 120, 50), (1.05, 0.9), "flat", "brows"
    ),
    Character(
        "cleo_finch",
        LILAC,
        (70, 40, 120),
        (240, 200, 70),
        (0.85, 0.95),
        "long",
        "glasses",
    ),
    Character(
        "dot_pepper",
        PEACH,
        (245, 190, 60),
        (210, 60, 100),
        (0.9, 0.9),
        "tails",
        eye=0.33,
    ),
    Character(
        "ezra_stone", SAND, (235, 235, 235), (90, 90, 100), (0.8, 1.15), "bald", "beard"
    ),
    Character(
        "fay_willow", MINT, (40, 150, 120), (245, 245, 235), (0.8, 1.1), "long", "bow"
    ),
    Character(
        "gus_barley",
        SAND,
        (110, 70, 40),
        (70, 140, 80),
        (1.1, 0.95),
        "cap",
        "moustache",
    ),
    Character(
        "hana_brook", SKY, (30, 40, 80), (235, 130, 150), (0.9, 0.95), "bun", "glasses"
    ),
    Character(
        "ivo_crane", SKY, (240, 140, 40), (120, 60, 140), (0.75, 1.2), "spikes", "brows"
    ),
    Character(
        "juno_vale",
        LILAC,
        (220, 70, 120),
        (50, 160, 170),
        (1.0, 1.0),
        "curls",
        eye=0.31,
    ),
)
# As in a film, some characters have more scenes than others.
SHARE = np.array([1.0, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.4, 0.4])


def folder(train: int, test: int, portraits: bool = False) -> Path:
    """Return the folder with train.zip, test.zip, sampleSubmission.csv, character_name.lst and truth.csv.

    portraits: draw one large, upright, well-lit character a picture; a network learns them in seconds.
    It is drawn and cached the first time; the same arguments give the same bytes.
    """
    version = cache.fingerprint(Path(__file__).read_bytes())
    kind = "portraits" if portraits else "faces"
    parts = ("faces", f"{kind}-{train}-{test}-{version}")
    found = cache.find(*parts)
    if found:
        return found
    path = cache.place(*parts)
    with cache.lock(path):
        if not path.exists():
            write(path, train, test, portraits)
    return path


def write(
    path: Path, train: int, test: int, portraits: bool = False, test_seed: int = 2
) -> None:
    """Draw everything; nobody ever sees half a folder."""
    with new_folder(path) as folder:
        names = [who.name for who in CHARACTERS]
        _write_train(folder / "train.zip", train, portraits)
        truth = _write_test(folder / "test.zip", test, portraits, test_seed)
        listed = "".join(f"{name}\n" for name in names)
        (folder / "character_name.lst").write_text(listed)
        _write_table(folder / "sampleSubmission.csv", [0] * test)
        _write_table(folder / "truth.csv", truth)


def _write_table(path: Path, labels: list[int]) -> None:
    rows = [
        f"{number},{CHARACTERS[label].name}\n" for number, label in enumerate(labels, 1)
    ]
    path.write_text("id,character\n" + "".join(rows))


def _write_train(path: Path, count: int, portraits: bool) -> None:
    frames = _film(1, count, CLIP_FRAMES, portraits)
    frames.sort(key=lambda frame: frame[0])
    seen = [0] * len(CHARACTERS)
    odd = _oddities(seed=3, count=count, truncated=2)
    with zipfile.ZipFile(path, "w") as archive:
        for index, (label, picture) in enumerate(frames):
            name = f"train/{CHARACTERS[label].name}/pic_{seen[label]:04d}.jpg"
            archive.writestr(
                zipfile.ZipInfo(name), _encode(picture, odd.get(index, ""))
            )
            seen[label] += 1


def _write_test(path: Path, count: int, portraits: bool, seed: int) -> list[int]:
    frames = _film(seed, count, TEST_CLIP_FRAMES, portraits)
    order = np.random.default_rng(4).permutation(count)
    odd = _oddities(seed=5, count=count, truncated=1)
    with zipfile.ZipFile(path, "w") as archive:
        for index, frame in enumerate(order):
            name = f"test/{index + 1}.jpg"
            archive.writestr(
                zipfile.ZipInfo(name), _encode(frames[frame][1], odd.get(index, ""))
            )
    return [frames[frame][0] for frame in order]


def _oddities(seed: int, count: int, truncated: int) -> dict[int, str]:
    """Return which pictures are unusual, and how: {index: kind}."""
    kinds = ["grey", "rgba", "cmyk", "palette", "turned"] * 2 + [
        "truncated"
    ] * truncated
    where = np.random.default_rng(seed).choice(count, len(kinds), replace=False)
    return dict(zip(where.tolist(), kinds, strict=True))


def _encode(picture: Image.Image, odd: str) -> bytes:
    """Return the file's bytes; as on the web, some files named .jpg are something else."""
    exif = Image.Exif()
    form = "JPEG"
    if odd == "grey":
        picture = picture.convert("L")
    elif odd == "cmyk":
        picture = picture.convert("CMYK")
    elif odd == "palette":
        picture, form = picture.quantize(32), "PNG"
    elif odd == "rgba":
        picture, form = picture.convert("RGBA"), "PNG"
        corners = Image.new("L", picture.size, 0)
        ImageDraw.Draw(corners).ellipse((0, 0, *picture.size), fill=255)
        picture.putalpha(corners)
    elif odd == "turned":
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6  # the orientation tag: show it turned a quarter clockwise
    stream = io.BytesIO()
    picture.save(
        stream, form, **({"quality": 90, "exif": exif} if form == "JPEG" else {})
    )
    data = stream.getvalue()
    return data[: len(data) * 6 // 10] if odd == "truncated" else data


def _film(
    seed: int, count: int, lengths: tuple[int, int], portraits: bool
) -> list[tuple[int, Image.Image]]:
    """Return `count` frames with their labels, scene by scene: the frames of a scene look nearly the same."""
    frames: list[tuple[int, Image.Image]] = []
    scene = 0
    while len(frames) < count:
        rng = np.random.default_rng([seed, scene])
        # each character in turn first, so that even the smallest set has all of them
        label = (
            scene
            if scene < len(CHARACTERS)
            else int(rng.choice(len(CHARACTERS), p=SHARE / SHARE.sum()))
        )
        pictures = _scene(rng, label, int(rng.integers(*lengths)), portraits)
        frames += [(label, picture) for picture in pictures]
        scene += 1
    return frames[:count]


def _scene(
    rng: np.random.Generator, label: int, frames: int, portrait: bool
) -> list[Image.Image]:
    backdrop = _backdrop(rng)
    margin, smallest, turned, darkest, company = (
        (0.3, 0.22, 12, 0.6, 0) if portrait else (0.25, 0.14, 25, 0.4, 0.4)
    )
    where, radius = (
        rng.uniform(margin, 1 - margin, 2) * CANVAS,
        rng.uniform(smallest, 0.34) * CANVAS,
    )
    turn, flip = rng.uniform(-turned, turned), rng.choice([-1, 1])
    width, height = (
        rng.integers(20, 61, 2) if rng.random() < 0.3 else [rng.integers(24, 61)] * 2
    )
    light = rng.uniform(darkest, 1.1) * rng.uniform(0.82, 1.12, 3)
    other = rng.integers(len(CHARACTERS)) if rng.random() < company else None
    side = rng.choice([-0.05, 1.05]) * CANVAS
    who = CHARACTERS[label]
    if rng.random() < 0.5:
        # Clothes change from scene to scene: their colour alone must not give the answer.
        who = replace(who, shirt=_colour(rng, 30))
    pictures = []
    for _ in range(frames):
        picture = backdrop.copy()
        if other is not None:
            _draw(
                Pen(picture, (side, 0.6 * CANVAS), 0.8 * radius, 0, 1),
                CHARACTERS[other],
                rng,
            )
        centre = where + rng.normal(0, 0.8, 2)
        _draw(
            Pen(picture, centre, radius, turn + rng.normal(0, 1.5), flip),
            who,
            rng,
        )
        picture = picture.resize((int(width), int(height)), Image.Resampling.BILINEAR)
        pixels = np.asarray(picture) * light + rng.normal(
            0, 4, (*picture.size[::-1], 1)
        )
        pictures.append(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    return pictures


def _colour(rng: np.random.Generator, darkest: int) -> Colour:
    red, green, blue = rng.integers(darkest, 235, 3).tolist()
    return red, green, blue


def _backdrop(rng: np.random.Generator) -> Image.Image:
    """Return a wall, a floor and some furniture in random colours."""
    colour = partial(_colour, rng, 50)
    picture = Image.new("RGB", (CANVAS, CANVAS), colour())
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, rng.uniform(0.5, 0.85) * CANVAS, CANVAS, CANVAS), fill=colour())
    for _ in range(rng.integers(2, 6)):
        x, y = rng.uniform(-0.1, 0.9, 2) * CANVAS
        wide, high = rng.uniform(0.1, 0.5, 2) * CANVAS
        shape = draw.rectangle if rng.random() < 0.7 else draw.ellipse
        shape(
            (x, y, x + wide, y + high),
            fill=colour(),
            outline=INK if rng.random() < 0.5 else None,
        )
    return picture


class Pen:
    """Draws in head radii around a turned, mirrored centre; outlines as a cartoon has."""

    def __init__(
        self,
        picture: Image.Image,
        centre: np.ndarray | tuple,
        radius: float,
        turn: float,
        flip: int,
    ):
        self.draw, self.centre, self.radius = (
            ImageDraw.Draw(picture),
            np.asarray(centre),
            radius,
        )
        sine, cosine = np.sin(np.radians(turn)), np.cos(np.radians(turn))
        self.matrix = np.array([[flip * cosine, flip * sine], [-sine, cosine]]) * radius

    def polygon(self, points: np.ndarray | list, fill: Colour) -> None:
        corners = np.asarray(points, float) @ self.matrix + self.centre
        self.draw.polygon([tuple(point) for point in corners.tolist()], fill, INK)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour,
                start: float = 0, end: float = 360) -> None:  # fmt: skip
        """Draw an ellipse, or its part from `start` to `end` degrees (0 right, 90 down) closed by a chord."""
        angle = np.radians(np.linspace(start, end, 21))
        self.polygon(
            np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1), fill
        )


def _draw(pen: Pen, who: Character, rng: np.random.Generator) -> None:
    rx, ry = who.head
    _hair_behind(pen, who)
    pen.polygon([(-0.3, 0.6), (0.3, 0.6), (0.3, 1.3), (-0.3, 1.3)], who.skin)
    pen.ellipse(0, 2.2, 1.25, 1.1, who.shirt)
    for side in (-1, 1):
        pen.ellipse(side * rx, 0.1, 0.16, 0.22, who.skin)
    pen.ellipse(0, 0, rx, ry, who.skin)
    _hair_front(pen, who)
    _eyes(pen, who, rng)
    pen.ellipse(0.05, 0.25, 0.12, 0.16, who.skin)
    _mouth(pen, who, rng)


def _hair_behind(pen: Pen, who: Character) -> None:
    rx, ry = who.head
    if who.style == "long":
        pen.ellipse(0, 0.35, rx + 0.25, ry + 0.3, who.hair)
    elif who.style == "bun":
        pen.ellipse(0, -ry - 0.25, 0.4, 0.38, who.hair)
    elif who.style == "tails":
        for side in (-1, 1):
            pen.ellipse(side * (rx + 0.3), -0.25, 0.36, 0.5, who.hair)
    elif who.style == "curls":
        for angle in np.radians(np.arange(170, 380, 25)):
            pen.ellipse(rx * np.cos(angle), ry * np.sin(angle), 0.34, 0.34, who.hair)


def _hair_front(pen: Pen, who: Character) -> None:
    rx, ry = who.head
    if who.style in ("long", "bun", "tails", "curls"):
        pen.ellipse(0, -0.02, rx * 1.02, ry * 1.04, who.hair, start=200, end=340)
    elif who.style == "flat":
        pen.polygon(
            [(-rx, -0.4), (-rx, -ry - 0.35), (rx, -ry - 0.35), (rx, -0.4), (0, -0.55)],
            who.hair,
        )
    elif who.style == "spikes":
        across = np.linspace(-rx, rx, 11)
        tips = np.where(np.arange(11) % 2 == 1, -ry - 0.5, -0.62 * ry)
        pen.polygon(np.stack([across, tips], axis=1), who.hair)
    elif who.style == "cap":
        pen.ellipse(0, -0.3, rx * 1.04, ry * 0.85, who.hair, start=180, end=360)
        pen.polygon(
            [(0, -0.4), (rx + 0.5, -0.3), (rx + 0.45, -0.15), (0, -0.22)], who.hair
        )


def _eyes(pen: Pen, who: Character, rng: np.random.Generator) -> None:
    look, lid = rng.uniform(-0.1, 0.1), rng.random() < 0.06
    for x in (-0.32, 0.34):
        pen.ellipse(x, -0.1, who.eye, who.eye, who.skin if lid else (255, 255, 255))
        if not lid:
            pen.ellipse(x + look, -0.08, 0.09, 0.09, INK)
        if who.extra == "glasses":
            ring = np.radians(np.linspace(0, 360, 21))
            outer = np.stack(
                [x + 0.36 * np.cos(ring), -0.1 + 0.36 * np.sin(ring)], axis=1
            )
            pen.polygon(
                np.concatenate([outer, (outer[::-1] - (x, -0.1)) * 0.75 + (x, -0.1)]),
                INK,
            )
        if who.extra == "brows":
            pen.polygon(
                [
                    (x - 0.28, -0.5),
                    (x + 0.28, -0.5),
                    (x + 0.28, -0.36),
                    (x - 0.28, -0.36),
                ],
                who.hair,
            )


def _mouth(pen: Pen, who: Character, rng: np.random.Generator) -> None:
    rx, ry = who.head
    open_by = rng.uniform(0.04, 0.2)
    if who.extra == "beard":
        pen.ellipse(0, 0.3, rx * 0.95, ry * 0.9, who.hair, start=0, end=180)
    pen.ellipse(0, 0.6, 0.35, open_by, (150, 40, 50))
    if who.extra == "moustache":
        pen.polygon([(-0.5, 0.55), (0, 0.36), (0.5, 0.55), (0, 0.52)], who.hair)
    if who.extra == "bow":
        pen.polygon(
            [
                (-0.5, -ry - 0.3),
                (0.5, -ry + 0.15),
                (0.5, -ry - 0.3),
                (-0.5, -ry + 0.15),
            ],
            who.shirt,
        )
