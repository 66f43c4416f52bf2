"""The pages about people: their places in the navigation, and their templates."""

from __future__ import annotations

from typing import NamedTuple

from ringforge_core.plugin.web import Page


class Place(NamedTuple):
    page: Page
    template: str


TEAM = Place(Page(title="Team", path="/team", icon="people", order=75, needs_person=True), "team.html")
SECURITY = Place(Page(title="Security", path="/account", icon="security", order=110, needs_person=True), "security.html")
SETTINGS = Place(Page(title="Settings", path="/settings", icon="settings", order=120, needs_person=True), "settings.html")
PAGES = tuple(place.page for place in (TEAM, SECURITY, SETTINGS))
