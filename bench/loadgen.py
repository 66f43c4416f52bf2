"""Runs the load generator and reads the one JSON object that it prints."""

from __future__ import annotations

import subprocess
from typing import TypeVar

import msgspec

from bench.build import program
from bench.servers.server import Running

TIMEOUT_SECONDS = 310
"""A little more than the load generator allows itself."""


class CannotMeasure(Exception):
    """The load generator gave up; the text is its own."""


class Usage(msgspec.Struct, kw_only=True):
    """What every measurement tells of the two processes. Times in seconds, memory in KiB."""

    elapsed_s: float
    server_cpu_s: float
    client_cpu_s: float
    resident_before_kb: float
    resident_peak_kb: float
    errors: int
    first_error: str


class Fanout(Usage, tag_field="measure", tag="fanout", kw_only=True):
    rate: float
    """Deliveries a second."""
    publish_rate: float
    warmup_publish_rate: float
    """The warm-up has no stalled members."""
    published: int
    acknowledged: int
    delivered: int
    expected: int
    incomplete_members: int
    """Members that missed a publication or got one twice."""
    bytes_in: float
    each_p50_ms: float
    each_p99_ms: float
    each_max_ms: float
    last_p50_ms: float
    """From a publish to its last delivery."""
    last_p99_ms: float
    last_max_ms: float
    stalled_closed: int
    stalled_close_code: int


class Direct(Usage, tag_field="measure", tag="direct", kw_only=True):
    rate: float
    """Deliveries a second."""
    published: int
    acknowledged: int
    delivered: int
    incomplete_members: int
    """Senders whose partner missed a message or got one twice."""
    bytes_in: float
    each_p50_ms: float
    """From a message's sending to its delivery."""
    each_p99_ms: float
    each_max_ms: float


class Request(Usage, tag_field="measure", tag="request", kw_only=True):
    rate: float
    """Replies a second."""
    sent: int
    replied: int
    bytes_in: float
    reply_p50_ms: float
    reply_p99_ms: float
    reply_max_ms: float


class Join(Usage, tag_field="measure", tag="join", kw_only=True):
    rate: float
    seconds: float
    """From the first connect to the last join reply."""
    joined: int
    held: int
    bytes_in: float
    join_p50_ms: float
    join_p99_ms: float
    join_max_ms: float


class Idle(Usage, tag_field="measure", tag="idle", kw_only=True):
    bytes_per_connection: float
    opening_s: float
    joined: int
    held: int


Result = TypeVar("Result", bound=Usage)


def run(kind: type[Result], server: Running, core: int, **options: str | float) -> Result:
    """Run one measurement; `options` are those of `native/options.h`, and what is not given has the default there."""
    given = {
        "measure": kind.__struct_config__.tag,
        "port": server.port,
        "pid": server.pid,
        "core": core,
        "protocol": server.protocol,
        "path": server.path,
        "topic": server.topic,
        **options,
    }
    if server.keys_file is not None:
        given |= {"keys": str(server.keys_file), "agent_prefix": "bench"}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    command = [str(program("loadgen")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603
    if done.returncode:
        raise CannotMeasure(done.stderr.strip() or f"the load generator ended with status {done.returncode}")
    return msgspec.json.decode(done.stdout, type=kind)
