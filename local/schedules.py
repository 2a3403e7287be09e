"""Scheduled calls of functions, as EventBridge makes them.

Source: EventBridge User Guide, "Setting a schedule pattern for scheduled rules (legacy)", and
EventBridge Scheduler User Guide, "Schedule types". Rates only: a cron expression is refused by name
rather than misread. A failed call is not tried again (EventBridge tries twice more).
"""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from local.intrinsics import TemplateError
from local.template import Schedule

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_S = {"minute": 60, "hour": 3600, "day": 86_400}

Call = Callable[[str, bytes], Awaitable[None]]


class Schedules:
    """Calls each enabled schedule's function at its rate; `call` takes (function id, event)."""

    def __init__(self, schedules: Iterable[Schedule], *, call: Call, region: str) -> None:
        self._schedules = {schedule.id: schedule for schedule in schedules}
        self._intervals = {
            schedule.id: interval_s(schedule.expression)
            for schedule in self._schedules.values()
            if schedule.enabled
        }
        self._call = call
        self._region = region
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; the first call of each comes after one interval."""
        self._tasks = [asyncio.create_task(self._run(name)) for name in self._intervals]

    async def stop(self) -> None:
        """End the waiting; calls under way belong to their environments."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def event(self, schedule_id: str) -> bytes:
        """The event that a schedule's function gets now."""
        schedule = self._schedules[schedule_id]
        if schedule.input is not None:
            return schedule.input.encode()
        return json.dumps(_event(schedule, self._region)).encode()

    def function(self, schedule_id: str) -> str:
        """The logical id of the function that a schedule calls."""
        return self._schedules[schedule_id].function

    async def _run(self, schedule_id: str) -> None:
        while True:
            await asyncio.sleep(self._intervals[schedule_id])
            await self._call(self.function(schedule_id), self.event(schedule_id))


def interval_s(expression: str) -> int:
    """Seconds between two calls of a `rate(…)`. Errors: TemplateError."""
    match = _RATE.fullmatch(expression)
    if match is None or int(match[1]) < 1:
        raise TemplateError(f"the schedule {expression!r} is not a rate, and only rates run here")
    return int(match[1]) * _UNIT_S[match[2]]


def _event(schedule: Schedule, region: str) -> dict[str, Any]:
    rule = schedule.service == "aws.events"
    resource = f"rule/{schedule.id}" if rule else f"schedule/default/{schedule.id}"
    service = "events" if rule else "scheduler"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": schedule.service,
        "account": "000000000000",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:{service}:{region}:000000000000:{resource}"],
        # EventBridge Scheduler sends the empty detail as text, a rule as an object.
        "detail": {} if rule else "{}",
    }
