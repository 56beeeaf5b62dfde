"""The path of every artefact, relative to the root of the repository, where DVC runs the stages."""

from pathlib import Path

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")
NETWORKS = Path("networks.yaml")

RAW = Path("data/raw")
RAW_METADATA = RAW / "HAM10000_metadata.csv"

MERGED = Path("data/merged")
MERGED_IMAGES = MERGED / "images"
METADATA = MERGED / "metadata.csv"
NEAR_PAIRS = Path("data/near_pairs.csv")  # not in MERGED: another CPU may find one pair more, which must not retrain

BALANCED = Path("data/balanced")
MANIFEST = BALANCED / "manifest.csv"

EXTERNAL = Path("data/external")
EXTERNAL_IMAGES = EXTERNAL / "images"
EXTERNAL_METADATA = EXTERNAL / "metadata.csv"
EXTERNAL_PAIRS = EXTERNAL / "near_duplicates.csv"  # image_id_1 of the external set, image_id_2 of HAM10000
EXTERNAL_DOWNLOAD = Path("data/.isic2018-download")

SPLITS = Path("data/splits.csv")
NEAR_DUPLICATES = Path("data/near_duplicates.csv")
PREDICTIONS = Path("data/predictions.csv")
MODEL = Path("models/model.keras")

DATA_METRICS = Path("metrics/data.json")
SPLIT_METRICS = Path("metrics/split.json")
TRAIN_METRICS = Path("metrics/train.json")
TEST_METRICS = Path("metrics/test.json")
EXTERNAL_METRICS = Path("metrics/external.json")
INTERVALS_METRICS = Path("metrics/intervals.json")

EXPLORE_PLOTS = Path("plots/explore")
BALANCE_PLOTS = Path("plots/balance")
EVALUATE_PLOTS = Path("plots/evaluate")
EXTERNAL_PLOTS = Path("plots/external")
EXPLAIN_PLOTS = Path("plots/explain")
HISTORY = Path("plots/history.csv")

REPORT = Path("plots/report.html")
MODEL_CARD = Path("models/MODEL_CARD.md")
STUDY = Path("plots/study.md")
STUDY_CSV = Path("plots/study.csv")
