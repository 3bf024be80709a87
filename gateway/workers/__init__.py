"""Several processes that serve on one port, and the supervisor that keeps them.

supervisor   so many workers at any time; restarts, rolls, the end
life         one worker from its start to its end
words, link  what the two say to each other
folder       what the workers share on the disk
"""

from gateway.workers.folder import Folder, folder
from gateway.workers.life import USUAL, Pace, Plan
from gateway.workers.link import Link
from gateway.workers.supervisor import NotServing, Supervisor
from gateway.workers.words import Handed

__all__ = ["USUAL", "Folder", "Handed", "Link", "NotServing", "Pace", "Plan", "Supervisor", "folder"]
