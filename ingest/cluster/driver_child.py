"""The child that uses Ray. Started by ingest/cluster/driver.py.

It takes in settings and documents as often as it is sent any. Each time it answers why a node could not work at all,
or why the pipeline broke off.
"""

from __future__ import annotations

from app.errors import KyujangError
from app.sandbox.channel import Channel
from ingest.cluster.ray_pipeline import connected, run_pipeline


def main(channel: Channel, address: str) -> None:
    requests = channel.requests()
    try:
        with connected(address or None):
            for settings, works in requests:
                channel.send({"broken": run_pipeline(settings, works)})
    except KyujangError as error:
        channel.send({"error": error.detail})
