"""The child that uses Ray, with stages that ask for more than a node has."""

from __future__ import annotations

from ingest.cluster import driver

driver.FURTHER_STEPS, driver.START_LIMIT_S = 1.5, 1

main = driver.main
