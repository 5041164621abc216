"""A product of somebody else's, which reports to Segment: argv is where to report to instead.

It prints the write key that is built into it, and waits for a line. Then it asks its API something, which
nobody answers.
"""

import asyncio
import contextlib
import sys

import segment.analytics
from airbyte_agent_github import GithubConnector
from airbyte_agent_github._vendored.connector_sdk.telemetry.config import SEGMENT_WRITE_KEY
from airbyte_agent_github.models import GithubPersonalAccessTokenAuthConfig

print(SEGMENT_WRITE_KEY, flush=True)
sys.stdin.readline()
segment.analytics.host = sys.argv[1]
connector = GithubConnector(auth_config=GithubPersonalAccessTokenAuthConfig(token="none"))
with contextlib.suppress(Exception):
    asyncio.run(connector.execute("users", "get", {"username": "nobody"}))
segment.analytics.shutdown()
