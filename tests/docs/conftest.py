"""The world of one test, as the agent's own tests have it."""

from tests.agent.conftest import world

__all__ = ["world"]
