"""This client's version, and what follows where the agent's is another."""

import re
from typing import Optional, Tuple

from .errors import AgentError, AgentTooNew, AgentTooOld, BadInput, UnknownMethod, VersionSkew

__version__ = "0.1.0"


def may_be_skew(refusal: AgentError) -> bool:
    """Whether it is what an agent says to what its version does not have."""
    return isinstance(refusal, UnknownMethod) or (
        isinstance(refusal, BadInput)
        and any("Unrecognized key" in str(issue.get("message")) for issue in refusal.issues)
    )


def skew(agent_version: str, refusal: AgentError) -> Optional[VersionSkew]:
    """The refusal explained; None where the versions do not explain it.

    An agent refuses what it does not know, and keeps within a major version what it once had.
    """
    agent, ours = _numbers(agent_version), _numbers(__version__)
    if agent is None or ours is None:
        return None
    if agent < ours:
        return AgentTooOld(
            f"The agent is version {agent_version}, older than this client ({__version__}), and does not know this: "
            f"{refusal} Update the agent, or do without.",
            agent_version,
        )
    if agent[0] > ours[0]:
        return AgentTooNew(
            f"The agent is version {agent_version}, of a later major version than this client ({__version__}), and no "
            f"longer takes this: {refusal} Update the client.",
            agent_version,
        )
    return None


def _numbers(version: str) -> Optional[Tuple[int, int, int]]:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
