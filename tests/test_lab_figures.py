"""Figures that the texts of labs and docs quote: counted, or computed from the tables beside them."""

import re
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from labkit.labs.functions import lab_functions
from labkit.labs.lab import find_labs, read_lab

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "docs" / "benchmarks.md"


def lab(number):
    return read_lab(find_labs(ROOT / "solutions", [number])[0])


def test_lab_08_s_network_has_the_parameters_of_the_report():
    import keras

    build = lab_functions(lab("08"))["build_source_cnn"]
    # The lab's own layer, which has no parameters; only its functions were read.
    build.__globals__["ResponseNormalisation"] = keras.layers.Identity
    assert build().count_params() == 1_066_754


def test_lab_09_s_counts_of_alexnet():
    found = lab("09")
    table = lab_functions(found)["layer_table"]
    (layers,) = (
        cell.source
        for cell in found.script.cells
        if cell.source.startswith("ALEXNET = ")
    )
    exec(layers, table.__globals__)

    def sums(groups):
        columns = zip(*table(groups), strict=True)
        return [sum(column) for column in list(columns)[1:]]

    assert sums(True) == [60_965_224, 659_272, 724_406_816]
    assert sums(False) == [62_378_344, 659_272, 1_135_256_096]
    assert sum(row[2] for row in table() if len(row[0]) == 3) == 650_080
    assert sum(row[3] for row in table(size=224)) == 643_026_048


@pytest.mark.parametrize(
    ("idea", "network"),
    [
        ("twice as many filters", "half_width"),
        ("ten crops at test time", "views"),
        ("response normalisation", "no_response"),
        ("crops and reflections", "no_crops"),
        ("dropout", "no_dropout"),
        ("overlapping pooling", "plain_pooling"),
        ("the fourth convolution", "four_conv"),
        ("PCA colour", "no_colour"),
        ("response in place of batch normalisation", "batch_norm"),
    ],
)
def test_what_an_idea_of_2012_brings_is_what_the_trainings_say(idea, network):
    trainings = pd.read_csv(next(ROOT.glob("solutions/09*/trainings.csv")))
    by_seed = trainings.set_index(["network", "seed"])
    whole = by_seed.loc["whole"]
    if network == "views":
        gains = 100 * (whole["views"] - whole["accuracy"])
    else:
        gains = 100 * (whole["accuracy"] - by_seed.loc[network, "accuracy"])
    low, high = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    row = re.search(rf"^\| {idea} \|.*", BENCHMARKS.read_text(), re.M)
    assert f"{gains.mean():+.1f} ({low:.1f} to {high:.1f})" in row[0]


def percent(share: float) -> str:
    """As the texts round: half a tenth up, also where its binary form lies below."""
    return f"{100 * share + 1e-9:.1f}"


def test_the_accuracies_of_the_six_networks_are_those_of_the_table():
    folder = next(ROOT.glob("solutions/07*"))
    whole = pd.read_csv(folder / "table.csv")
    plain = whole[~whole["augmented"]]
    docs = BENCHMARKS.read_text()
    for _, row in plain.iterrows():
        found = [percent(row[f"accuracy{end}"]) for end in ("", " low", " high")]
        assert "{} ({} to {})".format(*found) in docs
    *first, last = map(percent, plain["accuracy"])
    text = " ".join(next(folder.glob("*.py")).read_text().replace("\n#", "").split())
    assert f"{', '.join(first)} and {last} %" in text
