"""Scission's study on the models of Keras Applications: its questions, tables and figures (section III).

``python experiments/scission/run.py`` prints the tables of README.md from the profiles beside it; ``--readme`` writes
them there and draws the figures; ``--data FOLDER`` asks the same of the measurements that Scission's authors published.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import tables
from study import HERE, Setting, published, recorded

TABLES: dict[str, Callable[[Setting], Iterator[str]]] = {
    "The models (table I)": tables.models,
    "What they take (table III)": tables.times,
    "The best plan on each network (figures 6 to 8)": tables.networks,
    "The size of the input (figure 9)": tables.inputs,
    "Constraints (section II-C)": tables.constraints,
    "Pipelines compared, and the three best plans of each (table IV)": lambda each: tables.pipelines(each, "resnet50"),
}
BEGIN, END = "<!-- begin: run.py --readme writes this -->\n", "<!-- end -->\n"


def main() -> None:
    """Print the tables, and draw the figures where a folder for them is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="published measurements, in place of those recorded here")
    parser.add_argument("--plots", type=Path, help="where to draw the figures")
    parser.add_argument("--questions", action="store_true", help="print what questions take, instead of the tables")
    parser.add_argument("--readme", action="store_true", help="write tables and figures of the recorded profiles")
    arguments = parser.parse_args()
    setting = recorded() if arguments.data is None else published(arguments.data)
    if not setting.profiles:
        parser.error("there are no profiles beside this file; name a folder of published ones with --data")
    if arguments.questions:
        print("\n".join(tables.questions(setting)))
        return
    text = "\n".join(section for title, lines in TABLES.items() for section in (f"### {title}\n", *lines(setting), ""))
    if arguments.readme and arguments.data is None:
        write(HERE / "README.md", text)
        arguments.plots = HERE / "images"
    else:
        print(text)
    if arguments.plots is not None:
        draw(setting, arguments.plots)


def write(readme: Path, text: str) -> None:
    """Put the tables where the README has its marks."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def draw(setting: Setting, folder: Path) -> None:
    """Draw the figures, of layers on the machine of the first cloud."""
    from figures import draw_all

    cloud = setting.networks["wired"].node(setting.of_tier("cloud")[0]).device
    for path in draw_all(setting, folder, cloud or next(iter(setting.profiles["resnet50"].devices))):
        print(f"drew {path}")


if __name__ == "__main__":
    main()
