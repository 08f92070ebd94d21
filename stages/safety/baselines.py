"""Classify validation, test and rewritten test texts by predictors without a language model.

Reads   params: baselines; data/processed/{train,val,test,evasion}.parquet
Writes  data/predictions/{val,test,evasion}/{majority,tfidf,keywords}.parquet, data/keywords.json,
        metrics/baselines.json
Run     dvc repro baselines      (alone: python -m stages.safety.baselines)
"""

from pathlib import Path

from newsrec.files import read_table, write_json
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage
from newsrec.safety.baselines import CharTfidf, Keywords, Majority
from newsrec.safety.params import Params
from newsrec.safety.predictors import codes, keys_of, write_probabilities
from newsrec.safety.tables import SETS

PROCESSED, PREDICTIONS = Path("data/processed"), Path("data/predictions")


def main() -> None:
    params = load_params(Params).baselines
    train = read_table(PROCESSED / "train.parquet", ["normalised", "label"])
    texts, label = train["normalised"].tolist(), codes(train["label"])
    tfidf = CharTfidf.fit(texts, label)
    keywords = Keywords.fit(texts, label, params.num_keywords)
    predictors: dict[str, Majority | CharTfidf | Keywords] = {
        "majority": Majority.fit(label),
        "tfidf": tfidf,
        "keywords": keywords,
    }
    num_scored = 0
    for name in SETS:
        rows = read_table(PROCESSED / f"{name}.parquet", [*keys_of(name), "normalised"])
        num_scored += len(rows)
        for baseline, predictor in predictors.items():
            found = predictor.predict(rows["normalised"].tolist())
            write_probabilities(rows, found, PREDICTIONS / name / f"{baseline}.parquet")
    write_json(Path("data/keywords.json"), keywords.words)
    write_json(
        Path("metrics/baselines.json"),
        {
            "num_train_rows": len(train),
            "num_ngrams": len(tfidf.vectorizer.vocabulary_),
            "num_keywords": sum(map(len, keywords.words.values())),
        },
    )
    print(f"baselines: {', '.join(predictors)} on {num_scored:,} texts, in {PREDICTIONS}")


if __name__ == "__main__":
    run_stage(main)
