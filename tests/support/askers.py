"""A server that asks its client in the middle of each call, and how a client without sessions comes back."""

from typing import Any

from support.gateways import Talk
from support.toys import Toy, text
from support.web import Exchange

FORM = {"message": "Go on?", "requestedSchema": {"type": "object", "properties": {}}}
"""The parameters of a question."""


class Asker(Toy):
    """A server that asks in the middle of each call, and ends it when it has the answer.

    Attributes:
        answers_got: what the answers to its questions were, by their ids.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, "add", answers={"tools/call": self._asks, "reply": self._answered})
        self.calls: dict[int, Exchange] = {}
        self.answers_got: dict[int, Any] = {}

    async def _asks(self, exchange: Exchange) -> None:
        identity = len(self.calls) + 1
        self.calls[identity] = exchange
        await exchange.stream()
        await exchange.event({"jsonrpc": "2.0", "id": identity, "method": "elicitation/create", "params": FORM})
        await exchange.gone.wait()

    async def _answered(self, exchange: Exchange) -> None:
        reply = exchange.json
        self.answers_got[reply["id"]] = reply["result"]
        await exchange.reply(status=202)
        call = self.calls[reply["id"]]
        await call.event({"jsonrpc": "2.0", "id": call.json["id"], "result": text(f"{self.name} is done")})


def retry(talk: Talk, asked: Any, identity: int, name: str, answer: Any) -> dict[str, Any]:
    """Return the request with which a client comes back."""
    key = next(iter(asked["result"]["inputRequests"]))
    state = asked["result"]["requestState"]
    return talk.request(
        "tools/call", identity, name=name, arguments={}, requestState=state, inputResponses={key: answer}
    )
