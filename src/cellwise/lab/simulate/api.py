"""`cellwise.simulate`: a world from Python, as `cellwise simulate` makes it."""

from pathlib import Path

from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest


def simulate(
    out: Path | str,
    world: str = "hpa",
    *,
    severity: str | None = None,
    min_positives: int | None = None,
    sites: int | None = None,
    size: int | None = None,
    seed: int = 0,
    scv: float | None = None,
    test_share: float | None = None,
    classes: int | None = None,
    variant: str | None = None,
    part: str | None = None,
    workers: int = 1,
) -> Path:
    """Make fields with known single-cell truth; what is there already is kept.

    Args:
        out: Folder to make.
        world: `hpa`, `rxrx1` or `mitocheck`; each uses some of the settings and refuses the others.
        severity: `easy`, `default`, `hard`; `control` has no label noise at all;
            `foreign` is drawn anew by each seed.
        min_positives: Least number of test cells per class, from at least 8 fields.
        sites: Fields in all.
        size: Side of a field in pixels.
        seed: Root of all randomness.
        scv: Share of labels that vary from cell to cell, 0..1.
        test_share: Share of the fields in the test part.
        classes: Number of classes.
        variant: A second form of a world.
        part: `development` or `sealed` plates of `mitocheck`; all by default.
        workers: Processes; the bytes do not depend on it. More than one needs the calling script
            to have the usual `if __name__ == "__main__":`.

    Returns:
        The folder, which holds images, labels and `truth`.

    Raises:
        UsageError: A setting does not fit, or the folder holds something else.
    """
    request = SimulateRequest(
        out=Path(out),
        world=world,
        severity=severity,
        min_positives=min_positives,
        sites=sites,
        size=size,
        seed=seed,
        scv=scv,
        test_share=test_share,
        classes=classes,
        variant=variant,
        part=part,
        workers=workers,
    )
    return simulate_world(request, _quiet).folder


def _quiet(done: int, total: int, note: str) -> None:
    return None
