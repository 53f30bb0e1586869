"""How Sphinx builds these pages: sphinx-build -W -b html docs build/docs

No network is asked for: formulas become MathML, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import kernelgan_fast

project = "kernelgan-fast"
author = "the authors of kernelgan-fast"
copyright = author
version = release = kernelgan_fast.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "extensions.command_line",
    "extensions.docstrings",
    "extensions.links",
    "extensions.mathml",
]
# Fields that bear the name of another need no link; a new page may wait for its place in index.md.
suppress_warnings = ["ref.python", "toc.not_included"]
exclude_patterns = ["extensions", "figures"]
nitpicky = True
# Other projects' names cannot be looked up without a network.
nitpick_ignore_regex = [("py:.*", r"(?!kernelgan_fast\.).*")]

myst_enable_extensions = ["attrs_inline", "dollarmath"]
myst_fence_as_directive = ["math"]  # as code hosts have it
myst_heading_anchors = 4

default_role = "literal"  # docstrings put code into single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "numpy.typing.ArrayLike"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"kernelgan-fast {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
pygments_style = "friendly"
pygments_dark_style = "github-dark"
