"""analytics-python as its users have it: argv is the endpoint, the key, and `gzip` or nothing."""

import json
import sys

from segment.analytics.client import Client

endpoint, key, *options = sys.argv[1:]
failures: list[str] = []
client = Client(
    key, host=endpoint, gzip="gzip" in options, on_error=lambda error, items: failures.append(str(error))
)
ids = []
for number in range(5):
    _, message = client.track("user-1", "Python tracked", {"number": number})
    ids.append(message["messageId"])
_, message = client.identify("user-1", {"plan": "free"})
ids.append(message["messageId"])
client.shutdown()
print(json.dumps({"ids": ids, "failures": failures}))
