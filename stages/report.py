"""Report: one page for the person who ran the chain, and the model card."""

from skinlesion.report import card, inputs, page
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import write_text


def main() -> None:
    settings = params.load()
    model = settings.model
    used = {
        "seed": settings.seed,
        "data": settings.data,
        "images": settings.images,
        "balance": settings.balance,
        "split": settings.split,
        "model": model,
        "train": settings.train,
        "external": settings.external,
        "evaluate": settings.evaluate,
        "backbones": {model.backbone: settings.backbone},
        "heads": {model.head: settings.head},
        "configurations": {model.configuration: settings.phases},
    }
    content = inputs.read(used)
    for path, render in ((paths.REPORT, page.render), (paths.MODEL_CARD, card.render)):
        write_text(path, render(content))
    size = paths.REPORT.stat().st_size / 1e6
    print(f"report: open {paths.REPORT} ({size:.1f} MB) in a browser; the model card is {paths.MODEL_CARD}")


if __name__ == "__main__":
    run(main, "report")
