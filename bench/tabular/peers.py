"""What scikit-learn's default models reach on a table after the usual ColumnTransformer, and in which time.

peers.py TRAIN.csv TEST.csv TARGET classification|regression MODELS PATIENCE: a JSON object a line. Seconds hold reading the training
table, its preparation and the fit. Dates become days, the columns that are named id are dropped: as one would by hand. A perceptron
that is not done after PATIENCE seconds of processor is stopped as by Ctrl-C, which keeps what it has learnt, and judged as it is then.
"""

import json
import signal
import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

warnings.filterwarnings("ignore")


def table(path):
    frame = pd.read_csv(path, na_values=["?"], skipinitialspace=True)
    frame = frame.drop(columns=[name for name in frame.columns if name == "id" or name.endswith("_id")])
    for name in frame.select_dtypes("object").columns:
        if name.endswith("_at"):
            days = pd.to_datetime(frame[name], utc=True)
            frame[name] = (days - pd.Timestamp("2020-01-01", tz="utc")).dt.total_seconds() / 86400
    return frame


numbers = make_column_selector(dtype_exclude=["object", "bool"])
texts = make_column_selector(dtype_include=["object", "bool"])


def prepared(model, classes):
    if model != "hist":
        number = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        text = make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", min_frequency=2)
        )
        if model == "mlp":
            last = MLPClassifier(random_state=1) if classes else MLPRegressor(random_state=1)
        else:
            last = LogisticRegression(max_iter=1000) if classes else LinearRegression()
        return make_pipeline(make_column_transformer((number, numbers), (text, texts)), last)
    text = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    last = HistGradientBoostingClassifier(random_state=1) if classes else HistGradientBoostingRegressor(random_state=1)
    return make_pipeline(make_column_transformer((text, texts), remainder="passthrough"), last)


def scores(model, x, y, classes):
    if not classes:
        answer = model.predict(x)
        return {"r2": r2_score(y, answer), "rmse": mean_squared_error(y, answer) ** 0.5}
    chances = model.predict_proba(x)
    names = list(model.classes_)
    found = {"accuracy": accuracy_score(y, model.predict(x)), "logLoss": log_loss(y, chances, labels=names)}
    if len(names) == 2:
        found["rocAuc"] = roc_auc_score(np.asarray(y) == names[1], chances[:, 1])
    else:
        found["rocAuc"] = roc_auc_score(y, chances, multi_class="ovr", average="macro", labels=names)
    return found


def main(train, test, target, task, models, patience):
    signal.signal(signal.SIGPROF, signal.default_int_handler)
    classes = task == "classification"
    held = table(test)
    for name in models.split(","):
        began = time.perf_counter()
        rows = table(train)
        model = prepared(name, classes)
        signal.setitimer(signal.ITIMER_PROF, float(patience) if name == "mlp" else 0)
        model.fit(rows.drop(columns=target), rows[target])
        stopped = name == "mlp" and signal.setitimer(signal.ITIMER_PROF, 0)[0] == 0
        seconds = time.perf_counter() - began
        found = scores(model, held.drop(columns=target), held[target], classes)
        if stopped:
            found["stoppedAtEpoch"] = model[-1].n_iter_
        print(json.dumps({"model": name, "seconds": seconds, **found}), flush=True)


main(*sys.argv[1:])
