"""The words every layer speaks. Nothing here imports anything of the package but its errors.

chunk, stage, agent, route, passage, turn, session: the glossary is in CONTRIBUTING.md. Wire shapes are OpenAI's:
https://platform.openai.com/docs/api-reference/chat
"""

from gateway.types.access import Admission, Admit, Key, Quota, Rate, Recognise, Scope
from gateway.types.agent import Agent, CallerSystem, OnFailure, Voice
from gateway.types.asking import Ask, Attempted, Complete, Note, Opened, Prompt, Strategy
from gateway.types.chunk import Chunk, Chunks, FinishReason, Message, Stage
from gateway.types.passage import Passage, Query, Retrieval, RetrievalOutcome, Retrieve, Retrieved, Sentence
from gateway.types.trace import Trace
from gateway.types.turn import Outcome, Source, Turn, TurnRecord, Upstream, WantedTurns, Words
from gateway.types.worker import Worker

__all__ = [
    "Admission",
    "Admit",
    "Agent",
    "Ask",
    "Attempted",
    "CallerSystem",
    "Chunk",
    "Chunks",
    "Complete",
    "FinishReason",
    "Key",
    "Message",
    "Note",
    "OnFailure",
    "Opened",
    "Outcome",
    "Passage",
    "Prompt",
    "Query",
    "Quota",
    "Rate",
    "Recognise",
    "Retrieval",
    "RetrievalOutcome",
    "Retrieve",
    "Retrieved",
    "Scope",
    "Sentence",
    "Source",
    "Stage",
    "Strategy",
    "Trace",
    "Turn",
    "TurnRecord",
    "Upstream",
    "Voice",
    "WantedTurns",
    "Words",
    "Worker",
]
