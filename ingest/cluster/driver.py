"""Ray's driver: the process that connects to a cluster and runs the pipeline on it (ingest/cluster/run.py)."""

from __future__ import annotations

import logging
import pickle
import socket
import warnings
from collections.abc import Sequence
from typing import Any

from app.errors import KyujangError, MissingExtra
from app.sandbox.channel import Channel
from app.settings import Settings
from ingest.cluster.stages import FurtherSteps, load
from ingest.jobs.queue import ClaimedDocument

# Shares of a CPU. Together they fit into one, so that a node with a single CPU has room for both stages.
LOAD, FURTHER_STEPS = 0.2, 0.8
KNOCK_LIMIT_S = 10
START_LIMIT_S = 120
START_ATTEMPTS = 5
LOCAL = {"address": "local", "include_dashboard": False, "object_store_memory": 512 << 20}
NO_ROOM = (
    "Ray has no room for the pipeline: one each of {needed} CPUs must be free at the same time, and free are {free} of "
    "{total}. Wait for other work on the cluster to end, or add a node."
)


def main(channel: Channel, address: str) -> None:
    """Ingest the documents that are sent, and answer, with an error if the pipeline broke off."""
    settings, claims = next(channel.requests())
    try:
        _connect(address)
        run_pipeline(settings, claims)
        channel.send({})
    except KyujangError as error:
        channel.send({"error": error.detail})


def _connect(address: str) -> None:
    """Connect to a cluster; without an address start a Ray on this machine."""
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise MissingExtra("Ingesting on Ray", "ray") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if address:
        _knock(address)
    chosen: dict[str, Any] = {"address": address} if address else LOCAL
    try:
        ray.init(**chosen, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise KyujangError(f"No Ray cluster can be used at {address or 'this machine'}: {error}") from error


def _knock(address: str) -> None:
    """Raise KyujangError if nothing answers there: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_LIMIT_S).close()
    except OSError as error:
        raise KyujangError(f"No Ray cluster answers at {address}: {error}") from error


def run_pipeline(settings: Settings, claims: Sequence[ClaimedDocument]) -> None:
    """Block until the documents have passed. Raises KyujangError, such as for a node that cannot work at all."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.data.exceptions import SystemException
    from ray.exceptions import RayError

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    # A document that Ray loses goes back to the queue; the others continue.
    context.max_errored_blocks = -1
    context.max_consecutive_actor_init_deaths = START_ATTEMPTS
    # Nothing leaves a stage while it embeds a long document; ingest/bulk_worker.py watches its progress.
    context.execution_no_progress_timeout_s = -1
    # About ray_remote_args_fn: there is no other way to set max_task_retries yet.
    warnings.filterwarnings("ignore", "`ray_remote_args_fn` is deprecated")
    actors = max(1, int(_cpus(ray.available_resources())))
    _wait_for_room()
    rows = [{"claim": pickle.dumps(claim)} for claim in claims]
    documents = ray.data.from_items(rows, override_num_blocks=len(rows))
    documents = documents.map(load, fn_kwargs={"settings": settings}, num_cpus=LOAD)
    documents = documents.map(
        FurtherSteps,
        fn_constructor_args=(settings,),
        compute=ActorPoolStrategy(size=actors),
        num_cpus=FURTHER_STEPS,
        ray_remote_args_fn=_bounded_retries,
    )
    try:
        for row in documents.iter_rows():
            if row["broken"]:
                raise KyujangError(f"A Ray node cannot ingest documents. {row['broken']}")
    except (RayError, SystemException) as error:
        raise KyujangError(f"The Ray pipeline stopped: {error}") from error


def _bounded_retries() -> dict[str, Any]:
    """Bound the retries, which Ray repeats for ever: a document may be what kills its process."""
    return {"max_task_retries": 2}


def _wait_for_room() -> None:
    """Raise KyujangError if the stages fit no node: Ray would wait for ever without a message."""
    import ray
    from ray.util import placement_group, remove_placement_group

    group = placement_group([{"CPU": LOAD}, {"CPU": FURTHER_STEPS}])
    try:
        if not group.wait(START_LIMIT_S):
            free, total = _cpus(ray.available_resources()), _cpus(ray.cluster_resources())
            raise KyujangError(NO_ROOM.format(needed=f"{LOAD}, {FURTHER_STEPS}", free=free, total=total))
    finally:
        remove_placement_group(group)


def _cpus(resources: dict[str, float]) -> float:
    return resources.get("CPU", 0)
