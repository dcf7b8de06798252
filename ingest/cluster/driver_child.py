"""The child that uses Ray. Started by ingest/cluster/driver.py.

It ingests documents as often as it is sent any, and answers each time, with an error if the pipeline broke off.
"""

from __future__ import annotations

from app.errors import KyujangError
from app.sandbox.channel import Channel
from ingest.cluster.ray_pipeline import connected, run_pipeline


def main(channel: Channel, address: str) -> None:
    requests = channel.requests()
    try:
        with connected(address or None):
            for settings, claims in requests:
                run_pipeline(settings, claims)
                channel.send({})
    except KyujangError as error:
        channel.send({"error": error.detail})
