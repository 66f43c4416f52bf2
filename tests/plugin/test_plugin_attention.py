"""What a capability wants people to look at reaches them, and core asks no table of a capability for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from throwaway_plugins import PluginDirectory

from ringforge_core.plugin import Concern
from ringforge_core.testkit.hub import running_hub

JOBS = """
    from datetime import datetime, timezone
    from ringforge_core.plugin import Capability, Concern, hookimpl

    class Jobs(Capability):
        name = "jobs"

        async def attention(self, tenant_id, fleet_id):
            since = datetime(2030, 1, 1, tzinfo=timezone.utc)
            return [Concern(kind="job_failed", title="nightly", text=f"failed {fleet_id}", since=since, path="/jobs")]

    @hookimpl
    def ringforge_capability():
        return Jobs
"""


BROKEN = JOBS.replace("return [Concern", "raise OSError('the queue is away')\n            return [Concern")


async def test_a_capability_tells_what_needs_attention(tmp_path: Path, plugin_directory: PluginDirectory) -> None:
    """On a hub that has no inbox at all."""
    plugin_directory.install("jobs", {"capability.jobs": "jobs_plugin"}, JOBS)
    async with running_hub(tmp_path, settings={"RINGFORGE__CAPABILITIES__USE": "presence, jobs"}) as hub:
        told = await hub.hub.administration.attention(hub.keys.tenant_id, hub.keys.fleet_id)
    since = datetime(2030, 1, 1, tzinfo=UTC)
    text = f"failed {hub.keys.fleet_id}"
    assert told.concerns == [Concern(kind="job_failed", title="nightly", text=text, since=since, path="/jobs")]


async def test_one_that_cannot_tell_says_so_and_hides_nobody_elses(
    tmp_path: Path, plugin_directory: PluginDirectory
) -> None:
    plugin_directory.install("jobs", {"capability.jobs": "jobs_plugin"}, BROKEN)
    async with running_hub(tmp_path, settings={"RINGFORGE__CAPABILITIES__USE": "presence, jobs"}) as hub:
        told = await hub.hub.administration.attention(hub.keys.tenant_id, hub.keys.fleet_id)
    (concern,) = told.concerns
    assert (concern.kind, concern.title) == ("attention_failed", "jobs")
    assert "queue" not in concern.text
