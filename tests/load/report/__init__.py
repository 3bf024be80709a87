"""What a load shows: one page of HTML that needs nothing else, and the same as JSON."""

from tests.load.report.page import page
from tests.load.report.told import Told, saved

__all__ = ["Told", "page", "saved"]
