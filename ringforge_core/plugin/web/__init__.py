"""Routes and pages of a capability, and who may see them. `Capability.routes` and `Capability.pages` hand them over.

people.py        who is signed in: `SignedIn`, `Role`, and the capability that knows, `People`
guard.py         `only_signed_in`, by role
csrf.py          no other site sends a form in a person's name
router.py        `browser_routes`: safe headers, no place in the OpenAPI document, on to the sign-in who is not
page.py          a page of the dashboard, declared
shell.py         a page of another address in what surrounds those of the dashboard
entrance.py      a way to sign in that is a capability of its own
return_path.py   where to go after a sign-in
navigation.py    a page or JSON
"""

from ringforge_core.plugin.web.csrf import check_csrf, csrf_token
from ringforge_core.plugin.web.entrance import (
    SIGN_IN_AGAIN,
    VISIT_COOKIE,
    Entrance,
    PagePart,
    SignInMethod,
    check_fresh,
    count_ways_in,
    entrance_of,
    forget_added,
    sign_in_methods,
)
from ringforge_core.plugin.web.guard import SESSION_COOKIE, Person, only_people, only_signed_in, person_of
from ringforge_core.plugin.web.navigation import wants_page
from ringforge_core.plugin.web.page import Page, Visit
from ringforge_core.plugin.web.people import ROLES, Membership, People, Role, SignedIn, people_of
from ringforge_core.plugin.web.return_path import return_path
from ringforge_core.plugin.web.router import browser_routes, is_https_url
from ringforge_core.plugin.web.shell import Shell, ShellPage, shell_of

__all__ = [
    "ROLES",
    "SESSION_COOKIE",
    "SIGN_IN_AGAIN",
    "VISIT_COOKIE",
    "Entrance",
    "Membership",
    "Page",
    "PagePart",
    "People",
    "Person",
    "Role",
    "Shell",
    "ShellPage",
    "SignInMethod",
    "SignedIn",
    "Visit",
    "browser_routes",
    "check_csrf",
    "check_fresh",
    "count_ways_in",
    "csrf_token",
    "entrance_of",
    "forget_added",
    "is_https_url",
    "only_people",
    "only_signed_in",
    "people_of",
    "person_of",
    "return_path",
    "shell_of",
    "sign_in_methods",
    "wants_page",
]
