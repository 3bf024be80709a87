"""The seed's dialect from the answer on, over either of its lines: the token as a message, then the session."""

import asyncio

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.avatar.face import face_of
from gateway.sandbox.signalling.held import Held, refused
from gateway.sandbox.signalling.lines import Line
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.peer import Peer
from gateway.sandbox.signalling.tokens import told


async def with_token(line: Line, peer: Peer, accounts: Accounts, patience: Patience) -> None:
    """Wait for the token, ACK and START it at once, and play until the end."""
    admission = await told(line, accounts, patience)
    if isinstance(admission, str):
        await refused(line, admission)
        return
    await asyncio.to_thread(face_of, admission.face)
    media = accounts.behaviour.media
    peer.avatar.become(admission.face, handle_silence=admission.handle_silence, media=media)
    with accounts.sessions.running(admission.opened(accounts)) as session:
        line.say("ACK")
        reason = await Held(line, peer, session, accounts, patience).run(at_once=True)
        accounts.sessions.end(session, reason)
