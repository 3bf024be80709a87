"""Text fit for the voice: what models write for the eye becomes what can be listened to, while it streams.

`stage.py` is the stage, `voice.py` reads the text, `patterns.py` are the marks that it knows, `mouth.py` makes
sentences of lines, `phrases.py` holds what is said in place of what cannot be heard.
"""

from gateway.chat.speech.stage import speech
from gateway.chat.speech.voice import Voice

__all__ = ["Voice", "speech"]
