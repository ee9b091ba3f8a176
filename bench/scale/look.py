"""Two looks at a fleet in one process, as `lading where` makes them: on no connection, and on those that are open then."""

import asyncio
import json
import os
import sys
import time

from lading import bootstrap
from lading.queries import where


async def look(app: str, destination: str) -> dict[str, object]:
    """How long each look took in seconds, and the states that were seen."""
    found: dict[str, object] = {}
    async with bootstrap.opened(os.environ) as context:
        for name in ("cold", "open"):
            begun = time.perf_counter()
            rows = (await where.where(context, app, (destination,))).rows
            found[name] = time.perf_counter() - begun
            found[f"states {name}"] = [row.state for row in rows]
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(look(*sys.argv[1:]))))
