"""The studio's entry script: page list and navigation, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from studio.i18n import language_switch, t

VIEWS = Path(__file__).parent / "views"


class Entry(NamedTuple):
    """One page: the file in ``views/``, which is also its address and the key of its title; and its icon."""

    name: str
    icon: str


#: Section (key of its title) → pages, in the order of a consultant's work.
SECTIONS: dict[str, tuple[Entry, ...]] = {
    "nav.watch": (
        Entry("overview", ":material/monitoring:"),
        Entry("runs", ":material/history:"),
        Entry("deliveries", ":material/local_shipping:"),
    ),
    "nav.build": (
        Entry("connections", ":material/cable:"),
        Entry("gallery", ":material/auto_awesome_mosaic:"),
        Entry("designer", ":material/account_tree:"),
        Entry("callbacks", ":material/webhook:"),
    ),
}


def navigation() -> dict[str, list[st.Page]]:
    """Sections with the pages that this installation has."""
    sections = {
        t(section): [
            st.Page(view, title=t(f"nav.{entry.name}"), icon=entry.icon, url_path=entry.name)
            for entry in entries
            if (view := VIEWS / f"{entry.name}.py").exists()
        ]
        for section, entries in SECTIONS.items()
    }
    # The default page answers at "/" only; a page of its own keeps every address, the first page's too, as it is named.
    home = st.Page(VIEWS / "home.py", title=t("app.title"), default=True, visibility="hidden")
    return {"": [home], **{section: pages for section, pages in sections.items() if pages}}


st.set_page_config(page_title=t("app.title"), page_icon=":material/account_tree:", layout="wide")
st.html(Path(__file__).with_name("style.css"))
page = st.navigation(navigation())
with st.sidebar:
    language_switch()
page.run()
