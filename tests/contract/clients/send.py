"""A Python library as its users have it. argv: the module of Client, the endpoint, the key, perhaps `gzip`.

Ten events, of which the fifth can never be taken: it is nested too deeply.
"""

import importlib
import json
import sys
from typing import Any

module, endpoint, key, *options = sys.argv[1:]
failures: list[str] = []


def fail(error: Exception, items: object) -> None:
    failures.append(str(error))


client = importlib.import_module(module).Client(key, host=endpoint, gzip="gzip" in options, on_error=fail)
deep: dict[str, Any] = {}
for _ in range(120):
    deep = {"deeper": deep}
client.identify("user-1", {"plan": "free"})
for number in range(10):
    client.track("user-1", "Tried it", {"number": number, **(deep if number == 4 else {})})
client.flush()
client.join()
print(json.dumps({"failures": failures}))
