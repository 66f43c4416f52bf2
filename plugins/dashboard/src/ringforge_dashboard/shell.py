"""What surrounds every page: the navigation by what the hub's capabilities give, the switchers, the account's menu."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ringforge_core.plugin.web import Page, SignedIn

HOME = "/dashboard"
THEME_COOKIE = "ringforge_theme"
THEMES = ("light", "dark")

DONE = {
    "kicked": "The agent was disconnected.",
    "blocked": "The agent was disconnected and cannot come back until you let it in.",
    "unblocked": "The agent may connect again.",
    "renamed": "The new name holds.",
    "moved": "The agent was moved. It finds its new fleet when it connects again.",
    "fleet-made": "The fleet is there.",
    "fleet-deleted": "The fleet was deleted.",
    "deleted": "The agent was deleted.",
    "revoked": "The key was revoked. What it opened is closed within seconds.",
    "saved": "The entry was saved.",
    "forgotten": "The entry was deleted.",
}
"""What is said of a deed on the page that follows it; the address holds only the name."""


class Link(msgspec.Struct, frozen=True):
    title: str
    href: str
    icon: str
    current: bool


def path_of(page: Page) -> str:
    if page.path.startswith("/"):
        return page.path
    return f"{HOME}/{page.path}" if page.path else HOME


def navigation(pages: Iterable[Page], person: SignedIn, *, here: str, suffix: str) -> Sequence[Link]:
    """The pages that the person may see, in their order; `suffix` keeps the fleet."""
    shown = sorted(
        (page for page in pages if person.may(page.role) and not (page.needs_person and person.key_id)),
        key=lambda page: (page.order, page.title),
    )
    return [Link(page.title, path_of(page) + suffix, page.icon, current=_covers(path_of(page), here)) for page in shown]


def section_of(links: Iterable[Link]) -> str:
    """The address of the page in the navigation that this one belongs to: it is there in every fleet."""
    return next((link.href.partition("?")[0] for link in links if link.current), HOME)


def _covers(path: str, here: str) -> bool:
    return here == path or (path != HOME and here.startswith(path + "/"))
