"""Log lines: where they go, what they look like, and what they never hold."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tidegate import logs

SECRET = "the-body-of-a-message"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is as before after each test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    for name in ("uvicorn.error", "uvicorn.asgi"):  # a server that another test ran may have set them
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    root.handlers, root.level = before, level
    structlog.reset_defaults()
    for name in ("uvicorn.access",):
        logging.getLogger(name).disabled = False


def lines(capsys: Capture) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_have_time_level_logger_event_and_what_was_given(capsys: Capture) -> None:
    logs.setup("json")
    structlog.get_logger("tidegate.test").warning("something is odd", server="time")
    (line,) = lines(capsys)
    assert (line["level"], line["logger"], line["event"]) == ("warning", "tidegate.test", "something is odd")
    assert line["server"] == "time"
    assert str(line["timestamp"]).endswith("Z")


def test_console_lines_are_for_people_and_plain_away_from_a_terminal(capsys: Capture) -> None:
    logs.setup("console")
    structlog.get_logger("tidegate.test").info("serving", address="127.0.0.1:1")
    said = capsys.readouterr()
    assert "serving" in said.err
    assert "address=127.0.0.1:1" in said.err
    assert "\x1b" not in said.err
    assert not said.out


def test_less_than_the_level_is_not_written(capsys: Capture) -> None:
    logs.setup("json", "warning")
    structlog.get_logger("tidegate.test").info("hidden")
    logging.getLogger("uvicorn.error").info("hidden")
    structlog.get_logger("tidegate.test").error("shown")
    assert [line["event"] for line in lines(capsys)] == ["shown"]


@pytest.mark.parametrize("name", ["uvicorn.error", "docker.utils", "asyncio", "anything.else"])
def test_the_libraries_loggers_go_the_same_way(capsys: Capture, name: str) -> None:
    logs.setup("json")
    logging.getLogger(name).warning("said %s", "this")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("said this", name, "warning")


def test_libraries_say_what_is_wrong_and_not_all_they_do(capsys: Capture) -> None:
    logs.setup("json")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("urllib3.connectionpool").debug("GET /containers/json")
    assert not capsys.readouterr().err
    logs.setup("json", "debug")
    logging.getLogger("uvicorn.error").info("Started server process")
    assert len(lines(capsys)) == 1


def test_requests_are_not_logged_line_by_line(capsys: Capture) -> None:
    logs.setup("json", "debug")
    logging.getLogger("uvicorn.access").info("GET /servers/time/mcp?token=x")
    assert not capsys.readouterr().err


def failed() -> ValueError:
    try:
        int(SECRET)
    except ValueError as error:
        return error
    raise AssertionError("it is no number")


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.requirement("secrets-stay-in")
def test_the_text_of_an_exception_is_never_logged(capsys: Capture, form: logs.Format) -> None:
    logs.setup(form)
    error = failed()
    assert SECRET in str(error)
    structlog.get_logger("tidegate.test").error("it failed", exc_info=error)
    logging.getLogger("uvicorn.error").error("it failed", exc_info=error)
    logging.getLogger("asyncio").error("it failed\nfuture: %r", error, exc_info=error)
    said = capsys.readouterr().err
    assert SECRET not in said
    assert said.count("it failed") == 3
    assert said.count("ValueError") == 3
    assert said.count("test_logs.py:") == 3
