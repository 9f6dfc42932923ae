"""What the site of the documentation has beside its pages: studies, notebooks that were just run, equations as MathML.

mkdocs calls the functions named ``on_...`` (its own names). Nothing is fetched, neither when the site is built nor when
it is read: a built page that asks anything of another host ends the build.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from nbclient import NotebookClient

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "experiments/**/*.md", "experiments/**/*.png")
"""What stands outside of docs/ and is shown too, at the place that it has in the project."""

LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
ASKS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=["']?(?:https?:)?//
    |<link\b(?=[^>]*\srel=["']?(?:stylesheet|icon|preload|preconnect|dns-prefetch|prefetch))
     [^>]*\shref=["']?(?:https?:)?//
    |url\(\s*["']?(?:https?:)?//|@import\s+["'](?:https?:)?//""",
    re.VERBOSE | re.IGNORECASE,
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have fences of `math` written as MathML, which browsers draw without a script."""
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [{"name": "math", "class": "equation", "format": equation}]
    }
    return config


def equation(source: str, *_: object, **__: object) -> str:
    """Return the lines of a fence as one MathML element each, in a block."""
    lines = [convert(line, display="block") for line in source.splitlines() if line.strip()]
    return f'<div class="equation" role="group">{"".join(lines)}</div>'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands outside of docs/, and the notebooks, which are run for it."""
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for path in sorted(Path(config.docs_dir, "notebooks").glob("*.ipynb")):
        name = f"notebooks/{path.stem}"
        text, pictures = as_page(run(path))
        files.append(File.generated(config, f"{name}.md", content=text))
        for picture, content in pictures.items():
            files.append(File.generated(config, f"notebooks/{picture}", content=content))
    return files


def run(path: Path) -> Any:
    """Return a notebook with what its cells put out, run in a folder that is thrown away; an error is raised."""
    notebook = nbformat.read(path, as_version=4)
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else the kernel warns that its modules are frozen
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=600,
            startup_timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )
        client.extra_arguments = ["--log-level=ERROR"]  # kernels warn of their own sockets
        client.execute()
    notebook.metadata["name"] = path.stem
    return notebook


def as_page(notebook: Any) -> tuple[str, dict[str, bytes]]:
    """Return a notebook that was run as Markdown, and its pictures by their file names."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        if said := "".join(output.text for output in cell.outputs if output.output_type == "stream"):
            parts.append(f"```text\n{said.rstrip()}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{notebook.metadata['name']}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the cell above draws]({name})")
            elif "text/html" in data:
                page = re.sub(r"<style.*?</style>\s*", "", data["text/html"], flags=re.DOTALL)
                parts.append(page.replace('<table border="1" class="dataframe">', "<table>").strip())
            elif "text/plain" in data:
                parts.append(f"```text\n{data['text/plain']}\n```")
    note = f"*Run when this page was built; the notebook is `docs/notebooks/{notebook.metadata['name']}.ipynb`.*"
    return "\n\n".join([parts[0], note, *parts[1:]]) + "\n", pictures


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave a folder of the project to where the site has what they name."""
    del files
    docs = Path(config.docs_dir)
    source = Path(page.file.abs_src_path) if page.file.abs_src_path else docs / page.file.src_uri

    def moved(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(source.parent / match[1]))
        place = target.relative_to(docs if target.is_relative_to(docs) else ROOT).as_posix()
        return f"]({posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or '.')}{match[2] or ''})"

    pieces = FENCE.split(markdown)
    return "".join(each if each.startswith("```") else LINK.sub(moved, each) for each in pieces)


def on_post_build(config: MkDocsConfig) -> None:
    """End the build where a page or a style sheet would ask another host for something."""
    asking = [
        f"{path.relative_to(config.site_dir)}: {match.group()}"
        for path in sorted(Path(config.site_dir).rglob("*"))
        if path.suffix in {".html", ".css"}
        for match in ASKS.finditer(path.read_text(encoding="utf-8"))
    ]
    if asking:
        raise PluginError("the site asks other hosts: " + json.dumps(asking, indent=2))
