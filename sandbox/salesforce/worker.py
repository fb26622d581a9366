"""Runs jobs in the background, several at a time, and takes up after a restart what a kill interrupted.

Owns the states of jobs between `UploadComplete` and the end. Started and stopped by `application`.
"""

import asyncio
import logging
import time

from sandbox.faults import Fault
from sandbox.salesforce import extracts
from sandbox.salesforce.errors import ApiError, JobError
from sandbox.salesforce.ingest import BlockedError, Ingest, Progress
from sandbox.salesforce.jobs import Job, Jobs
from sandbox.salesforce.org import Org
from sandbox.salesforce.switches import Switches
from sandbox.salesforce.usage import Usage

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
TOGETHER = 20  # chunks committed at once at full speed
LOCK_LOOK = 0.02  # seconds between two tries to get a lock
FAILED_AFTER = 2  # chunks that a job commits before an injected failure strikes
STUCK_LOOK = 0.05  # seconds between two looks whether a stuck job may go on
STARTABLE = frozenset({"UploadComplete", "InProgress"})
RUNNING = frozenset({"InProgress"})
FAILURE = "InternalServerError : Internal error of Bulk API"


class Worker:
    """The background work of one org."""

    def __init__(self, org: Org, jobs: Jobs, usage: Usage, switches: Switches) -> None:
        self._org, self._jobs, self._usage, self._switches = org, jobs, usage, switches
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Takes up every job that is closed but not finished, and begins to clear old ones away."""
        self._keep(asyncio.create_task(self._sweep(), name="sweep of jobs"))
        for job in self._jobs.unfinished():
            self.take(job)

    def take(self, job: Job) -> None:
        """Works a job off in the background."""
        self._keep(asyncio.create_task(self._run(job), name=f"job {job.id}"))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Stops between two chunks; what is left is taken up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await self._org.database.write(self._jobs.expire)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _run(self, job: Job) -> None:
        database = self._org.database
        try:
            if job.state == "UploadComplete" and self._switches.bulk_queue_seconds:
                await self._switches.wait("bulk_queue_seconds")
            job = await database.write(self._jobs.move, job, "InProgress", STARTABLE)
            if job.kind == "V2Ingest":
                await self._ingest(job)
            else:
                await self._extract(job)
        except JobError as error:
            await self._end(job, "Failed", error=str(error))
        except ApiError as error:
            if error.code != "INVALIDJOBSTATE":  # which says: aborted meanwhile
                await self._end(job, "Failed", error=f"{error.code} : {error.message}")
        except Exception:
            logger.exception("job %s", job.id)
            await self._end(job, "Failed", error=FAILURE)
        finally:
            self._jobs.locks.release(job.number)

    async def _end(self, job: Job, state: str, **changes: object) -> None:
        try:
            await self._org.database.write(self._jobs.move, job, state, RUNNING, **changes)
        except ApiError:
            logger.info("job %s ended meanwhile", job.id)

    async def _failure(self, job: Job) -> Fault | None:
        """The failure that strikes this job; one that is stuck goes on when its rule is gone or its time is over."""
        faults = self._org.faults
        failure = faults.job_failure(f"{job.object} {job.operation}")
        if failure is None or failure.kind != "job_stuck":
            return failure
        ends = time.monotonic() + (failure.seconds or float("inf"))
        while faults.is_there(failure) and time.monotonic() < ends:  # noqa: ASYNC110 - rules have no events
            await asyncio.sleep(STUCK_LOOK)
        return None

    async def _ingest(self, job: Job) -> None:
        database = self._org.database
        failure = await self._failure(job)
        ingest = await database.write(Ingest, self._org, self._jobs, job, self._switches)
        chunks = 0
        while True:
            if failure is not None and chunks == FAILED_AFTER:
                break
            one_by_one = failure is not None or self._switches.bulk_chunk_seconds
            progress = await self._work(ingest, 1 if one_by_one else TOGETHER)
            if progress is None:
                break
            chunks += 1
            self._usage.wrote(job.object, job.operation, progress.written)
            if self._switches.bulk_chunk_seconds:
                await self._switches.wait("bulk_chunk_seconds")
            self._jobs.locks.release(job.number)
        if failure is not None:
            raise JobError(failure.message or FAILURE)
        await self._end(job, "JobComplete")

    async def _work(self, ingest: Ingest, most: int) -> Progress | None:
        """The next chunks; while another job holds their parents they are tried again, and in the end without patience."""
        waited = 0.0
        while True:
            patient = waited < self._switches.bulk_lock_seconds
            try:
                return await self._org.database.write(ingest.work, most=most, patient=patient)
            except BlockedError:
                if not waited:
                    ingest.job.retries += 1
                await asyncio.sleep(LOCK_LOOK)
                waited += LOCK_LOOK

    async def _extract(self, job: Job) -> None:
        began = time.perf_counter()
        total = await self._org.database.read(
            extracts.write,
            self._org,
            job.soql or "",
            self._jobs.path(job),
            job.created_by,
            deleted=job.operation == "queryAll",
        )
        spent = (time.perf_counter() - began) * 1000
        await self._end(job, "JobComplete", processed=total, milliseconds=spent)
