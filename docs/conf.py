"""Sphinx: a site of these documents. `make docs`; a warning, such as a broken link, is an error there."""

project = "Events API"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_title = project
root_doc = "index"
exclude_patterns = ["make"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
suppress_warnings = [
    "toc.not_included",  # the index links by hand, so that it reads well in the repository too
]
