"""One small set of vectors, written in each form that strangers have."""

import anndata
import numpy as np
import pandas as pd
import polars as pl

KEYS = [("A01", 1), ("A01", 2), ("A02", 1), ("A02", 3)]


def vectors(count=4, length=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)


def parquet(path, keys=KEYS, numbers=None, **beside):
    numbers = vectors(len(keys)) if numbers is None else numbers
    frame = pl.DataFrame(keys, schema=["site_id", "cell_id"], orient="row")
    frame = frame.with_columns(pl.Series("vector", [list(map(float, row)) for row in numbers]))
    frame.with_columns(pl.Series(n, v) for n, v in beside.items()).write_parquet(path)
    return path


def wide(path, keys=KEYS):
    frame = pl.DataFrame(keys, schema=["image", "cell"], orient="row")
    numbers = vectors(len(keys))
    frame = frame.with_columns(
        pl.lit(12.5).alias("x"),
        *(pl.Series(f"feat{n:04d}", numbers[:, n]) for n in range(numbers.shape[1])),
    )
    frame.write_parquet(path, row_group_size=3)
    return path


def npz(path, keys=KEYS):
    sites, cells = zip(*keys, strict=True)
    np.savez_compressed(
        path, site_id=np.array(sites), cell_id=np.array(cells), features=vectors(len(keys))
    )
    return path


def npy(path, keys=KEYS):
    np.save(path.with_suffix(".npy"), vectors(len(keys)))
    frame = pl.DataFrame(keys, schema=["site", "cell_id"], orient="row")
    frame.write_csv(path.with_suffix(".csv"))
    return path


def h5ad(path, keys=KEYS, *, ours=False):
    if ours:
        obs = pd.DataFrame(
            {
                "region": pd.Categorical([f"{site}_cells" for site, _ in keys]),
                "instance_id": [cell for _, cell in keys],
            },
            index=pd.Index([f"{site}_{cell}" for site, cell in keys], dtype=object),
        )
        data = anndata.AnnData(
            X=np.zeros((len(keys), 2), np.float32), obs=obs, obsm={"X_dino": vectors(len(keys))}
        )
    else:
        index = pd.Index([f"{site}_{cell}" for site, cell in keys], dtype=object)
        data = anndata.AnnData(X=vectors(len(keys)), obs=pd.DataFrame(index=index))
    data.write_h5ad(path)
    return path


FORMS = {
    "list.parquet": parquet,
    "wide.parquet": wide,
    "many.npz": npz,
    "array.npy": npy,
    "array.csv": npy,
    "plain.h5ad": h5ad,
    "ours.h5ad": lambda path, keys=KEYS: h5ad(path, keys, ours=True),
}
