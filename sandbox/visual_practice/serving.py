"""What the handlers of Visual Practice share: the practice they serve, the refusals, how an error looks.

Owns no behaviour of its own; every other module that speaks HTTP uses it.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.disturbance import json_answer
from sandbox.faults import Faults
from sandbox.visual_practice.allowance import Allowance
from sandbox.visual_practice.desk import Desk
from sandbox.visual_practice.keys import Keys
from sandbox.visual_practice.localtime import LocalTime
from sandbox.visual_practice.pace import Pace
from sandbox.visual_practice.profile import Profile
from sandbox.visual_practice.schema import BY_PLURAL, Resource
from sandbox.visual_practice.storage import Storage
from sandbox.visual_practice.view import Drift, View

KEPT_PROFILE = "profile"
KEY = web.RequestKey("key", str)


@dataclass(slots=True)
class Practice:
    """A practice and what serves it."""

    storage: Storage
    desk: Desk
    keys: Keys
    allowance: Allowance
    pace: Pace
    faults: Faults
    secret: str
    zone: LocalTime
    view: View

    def speak(self, profile: Profile) -> None:
        """Changes how the practice speaks, from the next request on."""
        self.view = View(profile, self.zone, self.view.drifts)

    def drift(self, drifts: tuple[Drift, ...]) -> None:
        """Changes what fields are called and hold, from the next request on."""
        self.view = View(self.view.profile, self.zone, drifts)


PRACTICE = web.AppKey("practice", Practice)


class RefusedError(Exception):
    """The request is refused, in the server's own words."""

    def __init__(self, status: int, text: str, **more: Any) -> None:
        super().__init__(text)
        self.status, self.text, self.more = status, text, more


def practice(request: web.Request) -> Practice:
    """The practice behind a request."""
    return request.app[PRACTICE]


def error(request: web.Request, status: int, text: str, **more: Any) -> web.Response:
    """A refusal as this installation words it."""
    if practice(request).view.profile.envelope == "results":
        return json_answer({"errors": [{"status": status, "message": text, **more}]}, status)
    return json_answer({"error": text, **more}, status)


def named(request: web.Request, action: str = "read") -> Resource:
    """The resource of the path; raises RefusedError when the key may not do that with it."""
    resource = BY_PLURAL[request.match_info["resource"]]
    if not practice(request).keys.may(request[KEY], action, resource.plural):
        what = "change" if action == "write" else "read"
        raise RefusedError(403, f"This API key may not {what} {resource.plural}")
    return resource
