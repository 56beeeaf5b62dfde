"""The results page: pooled runs, what leakage adds, and the same bytes from the same record."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from skinlesion.commands.preset import presets
from skinlesion.commands.study import drawings, inflation, listed, overview, page, record, recorded
from skinlesion.commands.study.plan import Run
from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.runtime.errors import UserError
from tests.helpers.chain import ROOT
from tests.report.conftest import make_predictions

LESIONS = {"akiec": 4, "bcc": 4, "bkl": 6, "df": 3, "mel": 12, "nv": 20, "vasc": 3}
ALL, DRAWS = list(CODES), 100
ROW = {"title": "Ours", "preset": "ham10000", "seeds": [17], "set": [], "short": True}
ROWS = [
    {**ROW, "system": "ours", "protocols": ["lesion"], "seeds": [17, 18]},
    {**ROW, "system": "ours", "protocols": ["lesion"], "folds": 2},
    {**ROW, "system": "ours", "protocols": ["image"]},
    {**ROW, "system": "gap", "title": "GAP", "preset": "resnet50_gap", "protocols": ["image", "lesion"]},
    {**ROW, "system": "large", "title": "Large", "protocols": ["lesion"], "omitted": "needs a GPU"},
]
PLAN = {"about": "A test.", "base": "ham10000", "set": [], "bootstrap": DRAWS, "seed": 3, "rows": ROWS}
STUDY = listed.Study.model_validate(PLAN)
PAGE = (
    "# Mine\n\n<!-- table: systems -->\nOutdated\n<!-- end -->\n\nBetween.\n\n<!-- figure: leakage --> <!-- end -->\n"
)


def make_table(seed: int = 0, leaked: float = 0.0) -> pd.DataFrame:
    """Predictions as of another model of the same images, every fifth of which is a copy, if there is a leak."""
    table, random = make_predictions(LESIONS, leaked=leaked), np.random.default_rng(seed)
    table[ALL] = 0.5 * table[ALL] + 0.5 * random.dirichlet(np.ones(7), len(table))
    table[ALL] *= random.uniform(0.5, 1, (len(table), 1))  # rows need not sum to 1
    return table.assign(augmented=(np.arange(len(table)) % 5 == 0) & (leaked > 0))


def write_run(folder: Path, table: pd.DataFrame, splits: str = "a") -> None:
    """Write a folder as `record` does."""
    folder.mkdir(parents=True)
    (folder / record.PREDICTIONS).write_bytes(gzip.compress(record.select_public(table).encode()))
    for name, path in record.TABLES.items():
        shutil.copy(ROOT / path, folder / f"{name}.csv")
    facts = dict.fromkeys(("best_epoch", "decision_exponent", "train_seconds", "device", "processor", "commit"))
    facts |= {"epochs": 12, "temperature": 2.0, "splits": splits}
    (folder / record.FACTS).write_text(json.dumps(facts))


@pytest.fixture(scope="module")
def recorded_study(tmp_path_factory) -> Path:
    """The folder of a plan with the record of its runs, all but the one that is left out; to be copied."""
    folder, folds = tmp_path_factory.mktemp("study"), make_table(9)
    parts = folds["group"].str.len() % 2
    folds["split"] = folds["split"].where(folds["split"] != "test", parts.map({0: "fold0", 1: "fold1"}))
    for number, unit in enumerate(listed.list_units(STUDY)):
        if unit.members or unit.row.omitted:
            continue
        table = make_table(number, 0.5 if unit.protocol == "image" else 0.0)
        if unit.row.folds:
            table = folds.assign(split=folds["split"].replace(unit.label, "test"))
        write_run(folder / unit.name, table)
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    return folder


@pytest.fixture
def study(recorded_study, tmp_path, monkeypatch) -> Path:
    """The path of the plan in a copy of that folder; docs/page.md is a page."""
    monkeypatch.chdir(ROOT)
    shutil.copytree(recorded_study, tmp_path / "results")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(PAGE)
    return tmp_path / "results" / "plan.yaml"


def read(plan: Path) -> dict[str, recorded.Result]:
    return recorded.read_results(plan.parent, STUDY)


@pytest.mark.chain
def test_the_page_is_the_same_bytes_again_and_keeps_what_is_written_by_hand(study, tmp_path, tree):
    target = tmp_path / "docs" / "page.md"
    (tmp_path / "front.md").write_text("<!-- table: short --><!-- end -->")
    page.write(study, target)
    first = tree(tmp_path / "docs")
    parts = {f"{name}.csv" for name in page.TABLES} | {f"{name}.svg" for name in page.FIGURES}
    assert set(first) == {"page.md", *(f"page/{part}" for part in parts)}
    text = first["page.md"].decode()
    assert text.startswith("# Mine\n\n<!-- table: systems -->\n\n| system |")
    assert "Outdated" not in text
    assert "<!-- end -->\n\nBetween.\n\n<!-- figure: leakage -->\n\n![What leakage adds" in text
    row = next(line for line in text.splitlines() if line.startswith("| GAP"))
    assert "| 0.755 / - / - |" in row
    assert row.count("not run") == 0
    assert "| not run | not run | - | - |" in next(line for line in text.splitlines() if "needs a GPU" in line)
    assert all(len(pd.read_csv(tmp_path / "docs" / "page" / f"{name}.csv")) for name in page.TABLES)
    table = pd.read_csv(tmp_path / "docs" / "page" / "short.csv", index_col="system")
    assert [*table.index] == ["Ours", "Ours, ensemble", "Ours, folds", "GAP"], (
        "no second seed, and none that is not run"
    )
    assert table.loc["GAP", "by image balanced_accuracy"] == pytest.approx(
        recorded.score(read(study)["gap-image-seed17"].select(), STUDY)["balanced_accuracy"].value, abs=1e-5
    )
    page.write(study, target, other := tmp_path / "front.md")
    assert "| Ours, folds | - | - |" in other.read_text()
    other.unlink()
    assert tree(tmp_path / "docs") == first


@pytest.mark.chain
def test_figures_show_the_recorded_predictions(study, tmp_path, monkeypatch):
    matrices, squares = Mock(), Mock()
    monkeypatch.setattr(drawings, "plot_confusion", matrices)
    monkeypatch.setattr(drawings, "plot_unit_square", squares)
    page.write(study, tmp_path / "docs" / "page.md")
    results = read(study)
    sets = [results["ours-lesion-folds"].select(), results["ours-lesion-ensemble"].select("external")]
    for call, rows in zip(matrices.call_args_list, sets, strict=True):
        guessed = rows[ALL].to_numpy().argmax(axis=1)
        expected = confusion_matrix(rows["dx"].map(ALL.index), guessed, labels=range(7))
        np.testing.assert_array_equal(call.args[1], expected)
    for call, split in zip(squares.call_args_list, ("test", "external"), strict=True):
        rows = results["ours-lesion-seed17"].select(split)
        raw = rows[recorded.RAW].to_numpy() / rows[recorded.RAW].to_numpy().sum(axis=1, keepdims=True)
        flat = np.sqrt(raw)  # at the temperature of 2
        for line, values in (("raw", raw), ("calibrated", flat / flat.sum(axis=1, keepdims=True))):
            table = call.args[1][call.args[1]["line"] == line]
            assert np.average(table["confidence"], weights=table["images"]) == pytest.approx(values.max(axis=1).mean())


@pytest.mark.chain
@pytest.mark.parametrize(("removed", "drawn"), [("external", True), ("seeds", True), ("all of it", False)])
def test_figures_of_an_unfinished_study_show_what_there_is(removed, drawn, study, tmp_path):
    """Without ISIC 2018 (external.source: none), or with the folds alone."""
    if removed == "external":
        for file in study.parent.glob(f"*/{record.PREDICTIONS}"):
            rows = pd.read_csv(file)
            rows[rows["split"] != "external"].to_csv(file, index=False)
    else:
        for folder in study.parent.glob("*-seed*" if removed == "seeds" else "*-*"):
            shutil.rmtree(folder)
    page.write(study, tmp_path / "docs" / "page.md")
    assert (tmp_path / "docs" / "page" / "confusion.svg").exists() is drawn
    assert (tmp_path / "docs" / "page" / "reliability.svg").exists() is (removed == "external")


@pytest.mark.chain
def test_without_a_finished_run_the_page_says_so(study, tmp_path):
    for folder in study.parent.glob("*-*"):
        shutil.rmtree(folder)
    page.write(study, tmp_path / "docs" / "page.md")
    assert (tmp_path / "docs" / "page.md").read_text().count(page.EMPTY) == 1


@pytest.mark.chain
def test_what_a_page_cannot_have_is_named_and_nothing_is_written(study, tmp_path, tree):
    (tmp_path / "docs" / "page.md").write_text(PAGE.replace("systems", "system"))
    (tmp_path / "results.md").write_text(PAGE)
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"'system'.*Known: systems"):
        page.write(study, tmp_path / "docs" / "page.md")
    with pytest.raises(UserError, match="another name"):
        page.write(study, tmp_path / "results.md")
    assert tree(tmp_path) == before


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_scores_are_those_of_scikit_learn_on_the_recorded_predictions(study):
    for name, result in read(study).items():
        rows = result.select()
        if not result.unit.members:
            rows = pd.read_csv(study.parent / name / record.PREDICTIONS).query("split == 'test'")
        expected = balanced_accuracy_score(rows["dx"], rows[ALL].idxmax(axis=1))
        assert recorded.score(result.select(), STUDY)["balanced_accuracy"].value == pytest.approx(expected, abs=1e-9)


def test_an_ensemble_averages_and_folds_test_each_image_once(study):
    there = read(study)
    seeds = [there[f"ours-lesion-seed{seed}"].rows[ALL].to_numpy() for seed in (17, 18)]
    expected = np.mean([values / values.sum(axis=1, keepdims=True) for values in seeds], axis=0)
    for columns in (ALL, recorded.RAW):
        np.testing.assert_allclose(there["ours-lesion-ensemble"].rows[columns], expected)
    images = make_predictions(LESIONS).query("split == 'test'")["image_id"]
    assert sorted(there["ours-lesion-folds"].rows["image_id"]) == sorted(images)


@pytest.mark.parametrize("change", ["splits", "rows", "fold"])
def test_runs_with_other_splits_are_not_pooled(change, study):
    name = "ours-lesion-fold1" if change == "fold" else "ours-lesion-seed18"
    shutil.rmtree(study.parent / name)
    table = make_table(18)
    if change == "rows":
        table = table.drop(index=table.query("split == 'test'").index[0])
    write_run(study.parent / name, table, "b" if change == "splits" else "a")
    with pytest.raises(
        UserError, match="two folds test" if change == "fold" else "ours-lesion-seed18 has other splits"
    ):
        read(study)


def plain_loop(pairs: list[tuple[pd.DataFrame, pd.DataFrame]], lesions: pd.Index) -> list[float]:
    """The mean difference of recalls of all images, and its interval over draws of lesions, draw by draw.

    Of two pairs: their difference of differences. Classes are those that all sides have.
    """

    def recalls(rows: pd.DataFrame, times: dict[str, int]) -> pd.Series:
        weights, right = rows["group"].map(times), rows[ALL].idxmax(axis=1) == rows["dx"]
        return (right * weights).groupby(rows["dx"]).sum() / weights.groupby(rows["dx"]).sum()

    drawn = []
    for weights in np.vstack([np.ones(len(lesions)), Bootstrap.draw(lesions.to_series(), DRAWS, STUDY.seed).weights]):
        times = dict(zip(lesions, weights, strict=True))
        first, *second = (recalls(a, times) - recalls(b, times) for a, b in pairs)
        drawn.append((first - second[0] if second else first).mean())
    return [drawn[0], *np.quantile(drawn[1:], [0.025, 0.975])]


def list_lesions(*tables: pd.DataFrame) -> pd.Index:
    return pd.Index(pd.concat([table["group"] for table in tables]).unique())


def test_what_leakage_adds_is_that_of_a_plain_loop_over_originals_alone(study):
    there = {name: result for name, result in read(study).items() if name.startswith("gap")}
    table = inflation.measure(there, STUDY).query("recipe == @inflation.POOLED").set_index("way")["difference"]
    image, lesion = (there[f"gap-{protocol}-seed17"].select() for protocol in ("image", "lesion"))
    assert image["augmented"].any(), "there are copies to be left out"
    originals = image[~image["augmented"]]
    leaks, several = originals["leaked"], lesion.groupby("group")["group"].transform("size") > 1
    within, control = (originals[leaks], originals[~leaks]), (lesion[several], lesion[~several])
    ways = {
        inflation.BY_PROTOCOL: [(originals, lesion)],
        inflation.WITHIN: [within],
        inflation.BEYOND: [within, control],
    }
    assert {*table.index} == {*ways, inflation.CONTROL}, "no folds have run"
    for way, pairs in ways.items():
        cell, expected = table[way], plain_loop(pairs, list_lesions(*within, lesion))
        assert (cell.b - cell.a, cell.low, cell.high) == pytest.approx(expected, abs=1e-6), way
    assert table[inflation.BY_PROTOCOL].b == pytest.approx(
        balanced_accuracy_score(originals["dx"], originals[ALL].idxmax(axis=1))
    )
    beyond, (inside, harder) = table[inflation.BEYOND], (table[way] for way in (inflation.WITHIN, inflation.CONTROL))
    assert (beyond.a, beyond.b) == pytest.approx((harder.b - harder.a, inside.b - inside.a))


def test_the_same_images_are_compared_where_folds_have_run(study):
    table = inflation.measure(read(study), STUDY).set_index(["recipe", "way"])["difference"]
    assert (ROW["title"], inflation.BY_PROTOCOL) in table
    cell, there = table[ROW["title"], inflation.SAME_IMAGES], read(study)
    rows, tested = (there[f"ours-{name}"].select() for name in ("image-seed17", "lesion-folds"))
    originals = rows[~rows["augmented"]]
    same = tested.set_index("image_id").loc[originals["image_id"]]
    for side, expected in ((cell.b, originals), (cell.a, same)):
        assert side == pytest.approx(balanced_accuracy_score(expected["dx"], expected[ALL].idxmax(axis=1)))


def test_two_recipes_count_alike_and_none_is_no_row(study):
    table = inflation.measure(read(study), STUDY)
    for way, rows in table.groupby("way"):
        *single, pooled = [cell.b - cell.a for cell in rows["difference"]]
        assert len(single) == (1 if way == inflation.SAME_IMAGES else 2), way
        assert pooled == pytest.approx(np.mean(single)), way
    assert inflation.measure({}, STUDY).empty


def test_the_seeds_of_a_recipe_are_averaged_before_the_recipes(study):
    there = read(study)
    table = inflation.measure(there, STUDY).set_index(["recipe", "way"])["difference"]
    first, other = there["gap-image-seed17"], there["ours-image-seed17"]
    unit = replace(first.unit, label="seed18")
    seeds = inflation.measure(there | {unit.name: replace(other, unit=unit)}, STUDY).set_index(["recipe", "way"])
    alone, ours, both = (
        values[recipe, inflation.WITHIN]
        for values, recipe in ((table, "GAP"), (table, ROW["title"]), (seeds["difference"], "GAP"))
    )
    assert (both.a, both.b) == pytest.approx(((alone.a + ours.a) / 2, (alone.b + ours.b) / 2))
    assert seeds.loc[("GAP", inflation.WITHIN), "images"].endswith(", each of 2 seeds")
    pooled = seeds.loc[(inflation.POOLED, inflation.WITHIN), "difference"]
    assert pooled.b == pytest.approx((both.b + ours.b) / 2)


@pytest.mark.parametrize("protocol", ["image", "lesion"])
def test_a_model_that_has_learned_nothing_is_not_in_the_mean(protocol, study):
    there = read(study)
    there[f"gap-{protocol}-seed17"].rows[ALL] = np.eye(7)[3]
    table = inflation.measure(there, STUDY).query("way == @inflation.BY_PROTOCOL").set_index("recipe")["difference"]
    assert [*table.index] == [ROW["title"], f"{ROWS[3]['title']}, {inflation.CONSTANT}", inflation.POOLED]
    assert table[inflation.POOLED] == table[ROW["title"]]


@pytest.mark.parametrize("ruled", [False, True])
def test_a_run_with_a_decision_rule_is_scored_without_it_too(ruled, tmp_path):
    table, other = make_table(1), make_table(2)
    decided = {f"decision_{code}": other[code] for code in ALL} if ruled else {}
    write_run(tmp_path / "run", table.assign(**decided))
    result = recorded.read_run(tmp_path / "run", next(iter(listed.list_units(STUDY))))
    rows = table[table["split"] == "test"]
    expected = balanced_accuracy_score(rows["dx"], np.array(ALL)[rows[ALL].to_numpy().argmax(axis=1)])
    assert overview.score_raw(result, "test") == pytest.approx(expected if ruled else np.nan, nan_ok=True)


def test_nothing_is_published_of_an_image_but_what_the_licence_allows():
    header, *lines = record.select_public(
        make_predictions(LESIONS).assign(**{f"decision_{code}": 0.5 for code in ALL})
    ).splitlines()
    assert header.split(",") == ["image_id", "group", "dx", "augmented", "split", "leaked", *ALL, *recorded.RAW]
    assert {line.split(",")[4] for line in lines} == {"test", "external"}
    assert lines[0].split(",")[6:13] == ["0.5"] * 7, "the headline's probabilities"


def test_a_plan_overlays_presets_and_names_one_run_a_system_or_all(folder):
    Path("plan.yaml").write_text(
        yaml.safe_dump(PLAN | {"rows": [ROWS[3], ROWS[1], ROWS[4]], "set": ["images.size=64"]})
    )

    def plan(*names: str) -> list[Run]:
        return listed.plan_listed(Path("plan.yaml"), [*names], ["data.source=dataverse"])

    gap, fold = plan("gap-image-seed17", "ours-lesion-fold1")
    assert (gap.params.model.head, gap.params.train.optimizer, gap.params.train.precision) == ("gap", "adam", "float32")
    assert (gap.params.split.protocol, gap.params.split.train, gap.params.images.size) == ("image", 0.7, 64)
    assert (fold.params.split.folds, fold.params.split.fold, fold.params.evaluate.tta) == (2, 1, 8)
    assert [run.name for run in plan("large")] == ["large-lesion-seed17"]
    assert presets.overlay({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
    with pytest.raises(UserError, match="ours-lesion-fold2"):
        plan("ours-lesion-fold2")


@pytest.mark.parametrize("rows", [[ROWS[0], ROWS[0]], [ROWS[1] | {"seeds": [1, 2]}]])
def test_a_plan_with_two_runs_of_a_name_is_refused(rows, tmp_path):
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLAN | {"rows": rows}))
    with pytest.raises(UserError, match="ours"):
        listed.read(tmp_path / "plan.yaml")


# The committed study


@pytest.mark.chain
def test_the_committed_page_follows_from_the_committed_record(tmp_path, monkeypatch, tree):
    monkeypatch.chdir(ROOT)
    pages = [Path(shutil.copy(name, tmp_path)) for name in ("docs/results.md", "README.md")]
    page.write(Path("results/plan.yaml"), *pages)
    made, there = tree(tmp_path), tree(ROOT / "docs" / "results")
    assert made.pop("results.md") == Path("docs/results.md").read_bytes()
    assert made.pop("README.md") == Path("README.md").read_bytes()
    figures = {name for name in made if name.endswith(".svg")}
    assert {name for name in there if name.endswith(".svg")} == {Path(name).name for name in figures}
    assert {f"results/{name}": content for name, content in there.items() if name.endswith(".csv")} == {
        name: content for name, content in made.items() if name not in figures
    }


@pytest.mark.chain
def test_every_run_of_the_committed_plan_is_accepted(folder):
    given = ["data.archive=/ham.zip", "external.archive=/isic.zip"]
    path = ROOT / "results" / "plan.yaml"
    systems = [row.system for row in listed.read(path).rows]
    names = [run.name for run in listed.plan_listed(path, systems, given)]
    assert sum(name.replace("-image-", "-lesion-") in names for name in names if "-image-" in name) >= 13
