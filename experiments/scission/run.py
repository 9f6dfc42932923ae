"""Scission's study on the 18 models of Keras Applications: its questions, tables and figures (section III).

``python experiments/scission/run.py`` prints the tables of README.md from the profiles beside it; ``--plots FOLDER``
draws the figures too; ``--data FOLDER`` asks the same of the measurements that Scission's authors published.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import tables
from study import Setting, published, recorded

TABLES: dict[str, Callable[[Setting], Iterator[str]]] = {
    "The models (table I)": tables.models,
    "The best plan on each network (figures 6 to 8)": tables.networks,
    "The size of the input (figure 9)": tables.inputs,
    "Constraints (section II-C)": tables.constraints,
    "Pipelines compared, and the three best plans of each (table IV)": lambda each: tables.pipelines(each, "resnet50"),
}


def main() -> None:
    """Print the tables, and draw the figures where a folder for them is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="published measurements, in place of those recorded here")
    parser.add_argument("--plots", type=Path, help="where to draw the figures")
    parser.add_argument("--times", action="store_true", help="print what models and questions take (table III)")
    arguments = parser.parse_args()
    setting = recorded() if arguments.data is None else published(arguments.data)
    if not setting.profiles:
        parser.error("there are no profiles beside this file; name a folder of published ones with --data")
    titles = dict(TABLES)
    if arguments.times:
        titles = {"What models and questions take (table III)": tables.times}
    for title, lines in titles.items():
        print(f"\n### {title}\n")
        print("\n".join(lines(setting)))
    if arguments.plots is not None:
        from figures import draw_all

        cloud = setting.networks["wired"].node(setting.of_tier("cloud")[0]).device
        for path in draw_all(setting, arguments.plots, cloud or next(iter(setting.profiles["resnet50"].devices))):
            print(f"drew {path}")


if __name__ == "__main__":
    main()
