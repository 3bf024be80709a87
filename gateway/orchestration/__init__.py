"""Agents wanted against agents at Simli; sessions; transcripts."""
