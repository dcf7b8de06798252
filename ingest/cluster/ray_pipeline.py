"""Uses Ray: connects to a cluster and runs the pipeline on it. Blocking."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.errors import KyujangError, NotConfigured
from app.settings import Settings
from ingest.cluster.stages import Step, begin, load, unpack
from ingest.jobs.queue import ClaimedDocument

# Shares of a CPU. Together they fit into one, so that a node with a single CPU has room for all of the stages.
LOAD, SPLIT, EMBED, STORE = 0.2, 0.1, 0.6, 0.1
EMBEDDERS_A_SPLITTER = 4
KNOCK_LIMIT_S = 10
START_LIMIT_S = 120
START_ATTEMPTS = 5
LOCAL_OBJECT_STORE_BYTES = 512 << 20
NO_ROOM = (
    "Ray has no room for the pipeline: one each of {needed} CPUs must be free at the same time, and free are {free} of "
    "{total}. Wait for other work on the cluster to end, or add a node."
)


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to a cluster; without an address start a Ray on this machine that no other process can reach."""
    # Read while Ray is imported. Its messages on standard error would tear the progress bar.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
    # Else a call to Ray after its shutdown starts another one.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    chosen: dict[str, Any] = {"address": address}
    if address is None:
        # The one switch that binds all of Ray's ports to loopback; without a token what reaches them can run code.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
        chosen = {"address": "local", "include_dashboard": False, "object_store_memory": LOCAL_OBJECT_STORE_BYTES}
    try:
        import ray
        import ray.data
    except ImportError:
        raise NotConfigured("Ray is not installed here: run \"pip install -e '.[ray]'\".") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if address is not None:
        _knock(address)
    try:
        ray.init(**chosen, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise KyujangError(f"No Ray cluster can be used at {address or 'this machine'}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


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
    from ray.data.exceptions import SystemException
    from ray.exceptions import RayError

    embedders = _embedders(_cpus(ray.available_resources()), _cpus(ray.cluster_resources()))
    _wait_for_room()
    try:
        for row in _pipeline(settings, claims, embedders).iter_rows():
            if broken := unpack(row).broken:
                raise KyujangError(f"A Ray node cannot ingest documents. {broken}")
    except (RayError, SystemException) as error:
        raise KyujangError(f"The Ray pipeline stopped: {error}") from error


def _pipeline(settings: Settings, claims: Sequence[ClaimedDocument], embedders: int) -> Any:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    # A document that Ray loses goes back to the queue; the others continue.
    context.max_errored_blocks = -1
    context.max_consecutive_actor_init_deaths = START_ATTEMPTS
    # Nothing leaves a stage while it embeds a long document; ingest/bulk_worker.py watches its progress.
    context.execution_no_progress_timeout_s = -1
    few = -(-embedders // EMBEDDERS_A_SPLITTER)
    rows = [begin(claim) for claim in claims]
    documents = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        load, fn_kwargs={"settings": settings}, num_cpus=LOAD
    )
    # About ray_remote_args_fn: there is no other way to set max_task_retries yet.
    warnings.filterwarnings("ignore", "`ray_remote_args_fn` is deprecated")
    for stage, share, size in (("split", SPLIT, few), ("embed", EMBED, embedders), ("store", STORE, few)):
        documents = documents.map(
            Step,
            fn_constructor_args=(stage, settings),
            compute=ActorPoolStrategy(size=size),
            num_cpus=share,
            ray_remote_args_fn=_bounded_retries,
        )
    return documents


def _bounded_retries() -> dict[str, Any]:
    """Bound the retries, which Ray repeats for ever: a document may be what kills its process."""
    return {"max_task_retries": 2}


def _wait_for_room() -> None:
    """Raise KyujangError if the stages fit no node: Ray would wait for ever without a message."""
    import ray
    from ray.util import placement_group, remove_placement_group

    group = placement_group([{"CPU": share} for share in (LOAD, SPLIT, EMBED, STORE)])
    try:
        if not group.wait(START_LIMIT_S):
            free, total = _cpus(ray.available_resources()), _cpus(ray.cluster_resources())
            needed = ", ".join(map(str, (LOAD, SPLIT, EMBED, STORE)))
            raise KyujangError(NO_ROOM.format(needed=needed, free=free, total=total))
    finally:
        remove_placement_group(group)


def _embedders(free: float, total: float) -> int:
    """Return as many embedding actors as leave room for the other stages."""
    return max(1, min(int(total), int((free - (1 - EMBED)) / EMBED)))


def _cpus(resources: dict[str, float]) -> float:
    return resources.get("CPU", 0)
