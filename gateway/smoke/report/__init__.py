"""What a smoke run shows: one page of HTML that needs nothing else, JSON, and a table for the terminal."""

from gateway.smoke.report.terminal import table
from gateway.smoke.report.writing import as_json, written

__all__ = ["as_json", "table", "written"]
