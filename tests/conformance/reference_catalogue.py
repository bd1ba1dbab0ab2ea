"""What the reference server offers: tools, prompts and resources, as they stand on the wire.

The names, texts and schemas that the official conformance suite looks for are its fixed vocabulary; everything
here is data, so that `reference_server` only has to say how each one behaves.
"""

import base64
import io
import struct
import wave
import zlib
from typing import Any

JSON = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _png() -> bytes:
    """One red pixel as a PNG file (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def _wav() -> bytes:
    """One millisecond of silence as a WAV file."""
    held = io.BytesIO()
    with wave.open(held, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 8)
    return held.getvalue()


PNG = base64.b64encode(_png()).decode()
WAV = base64.b64encode(_wav()).decode()


def text(value: str) -> JSON:
    """A text content block."""
    return {"type": "text", "text": value}


def resource(uri: str, mime: str, value: str) -> JSON:
    """An embedded resource content block."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": value}}


IMAGE: JSON = {"type": "image", "data": PNG, "mimeType": "image/png"}

# Tools that always answer the same.
FIXED: dict[str, list[JSON]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}],
    "test_embedded_resource": [
        resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
    "json_schema_2020_12_tool": [text("called")],
}


def _optional(**properties: JSON) -> JSON:
    return {"type": "object", "properties": properties}


def _object(**properties: JSON) -> JSON:
    return _optional(**properties) | {"required": list(properties)}


STRING: JSON = {"type": "string"}

RICH_SCHEMA: JSON = {
    "$schema": DIALECT,
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": STRING, "city": STRING},
        }
    },
    "properties": {
        "name": STRING,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": STRING,
        "email": STRING,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

_ROUNDS = "test_input_required_result_"
_INPUTS: dict[str, JSON] = {
    "json_schema_2020_12_tool": RICH_SCHEMA,
    "test_sampling": _object(prompt=STRING),
    "test_elicitation": _object(message=STRING),
    "test_x_mcp_header": _optional(region={"type": "string", "x-mcp-header": "Region"}),
}
_NAMES = [
    *FIXED,
    "test_error_handling",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_tool_with_progress",
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_streaming_elicitation",
    "test_reconnection",
    "test_missing_capability",
    "test_x_mcp_header",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    f"{_ROUNDS}elicitation",
    f"{_ROUNDS}sampling",
    f"{_ROUNDS}list_roots",
    f"{_ROUNDS}request_state",
    f"{_ROUNDS}multiple_inputs",
    f"{_ROUNDS}multi_round",
    f"{_ROUNDS}tampered_state",
    f"{_ROUNDS}capabilities",
]
TOOLS: list[JSON] = [
    {"name": name, "description": f"Reference tool {name}.", "inputSchema": _INPUTS.get(name, _optional())}
    for name in _NAMES
]

PROMPTS: list[JSON] = [
    {"name": "test_simple_prompt", "description": "One fixed message."},
    {
        "name": "test_prompt_with_arguments",
        "description": "Names its two arguments.",
        "arguments": [
            {"name": "arg1", "description": "The first", "required": True},
            {"name": "arg2", "description": "The second", "required": True},
        ],
    },
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "Embeds the resource it is asked for.",
        "arguments": [{"name": "resourceUri", "description": "What to embed", "required": True}],
    },
    {"name": "test_prompt_with_image", "description": "Has a picture."},
    {"name": "test_input_required_result_prompt", "description": "Asks the user before it answers."},
]

TEMPLATE_START, TEMPLATE_END = "test://template/", "/data"
TEMPLATES: list[JSON] = [
    {
        "uriTemplate": f"{TEMPLATE_START}{{id}}{TEMPLATE_END}",
        "name": "template",
        "description": "Data by its id.",
        "mimeType": "application/json",
    }
]

# The one member after `uri` is what resources/read adds to the listing's own.
CONTENTS: dict[str, JSON] = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Content that may change."},
}
RESOURCES: list[JSON] = [
    {
        "uri": uri,
        "name": uri.removeprefix("test://"),
        "description": f"The resource {uri}.",
        "mimeType": held["mimeType"],
    }
    for uri, held in CONTENTS.items()
]

# The forms of the elicitation tools: one default of each primitive type, and each way to write an enumeration.
USER_FORM = _object(
    username={"type": "string", "description": "User's response"},
    email={"type": "string", "description": "User's email address"},
)
DEFAULTS_FORM = _optional(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)


def _titled(*titles: str) -> list[JSON]:
    return [{"const": f"value{number}", "title": title} for number, title in enumerate(titles, 1)]


_OPTIONS = ["option1", "option2", "option3"]
ENUMS_FORM = _optional(
    untitledSingle={"type": "string", "enum": _OPTIONS},
    titledSingle={"type": "string", "oneOf": _titled("First Option", "Second Option", "Third Option")},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")}},
)


def _form(message: str, schema: JSON) -> JSON:
    return {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}}


def ask_form(message: str, **properties: JSON) -> JSON:
    """An `elicitation/create` input request for a form with these properties, all of them required."""
    return _form(message, _object(**properties))


def ask_model(prompt: str, tokens: int = 100) -> JSON:
    """A `sampling/createMessage` input request with one user message."""
    messages = [{"role": "user", "content": text(prompt)}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": tokens}}


ASK_NAME = ask_form("What is your name?", name=STRING)
ASK_CONFIRM = ask_form("Please confirm", ok={"type": "boolean"})
ASK_ROOTS: JSON = {"method": "roots/list", "params": {}}

# Tools and prompts that ask before they answer (input_required, specification 2026-07-28). Each is a list of
# rounds, a round being what is asked in it; an answer closes it. `True`: what was answered travels in requestState.
ROUNDS: dict[str, tuple[bool, list[dict[str, JSON]]]] = {
    f"{_ROUNDS}elicitation": (False, [{"user_name": ASK_NAME}]),
    f"{_ROUNDS}sampling": (False, [{"capital_question": ask_model("What is the capital of France?")}]),
    f"{_ROUNDS}list_roots": (False, [{"client_roots": ASK_ROOTS}]),
    f"{_ROUNDS}request_state": (True, [{"confirm": ASK_CONFIRM}]),
    f"{_ROUNDS}tampered_state": (True, [{"confirm": ASK_CONFIRM}]),
    f"{_ROUNDS}multiple_inputs": (
        True,
        [{"user_name": ASK_NAME, "greeting": ask_model("Generate a greeting", 50), "client_roots": ASK_ROOTS}],
    ),
    f"{_ROUNDS}multi_round": (
        True,
        [
            {"step1": ask_form("Step 1: What is your name?", name=STRING)},
            {"step2": ask_form("Step 2: What is your favorite color?", color=STRING)},
        ],
    ),
    f"{_ROUNDS}prompt": (
        False,
        [{"user_context": ask_form("What context should the prompt use?", context=STRING)}],
    ),
}

# Tools that ask during the call: by a request of their own where the version has sessions, in a round where not.
ASKING: dict[str, JSON] = {
    "test_sampling": ask_model("Say something."),
    "test_elicitation": _form("What shall it be?", USER_FORM),
    "test_elicitation_sep1034_defaults": _form("Please fill in the form.", DEFAULTS_FORM),
    "test_elicitation_sep1330_enums": _form("Please choose.", ENUMS_FORM),
    "test_streaming_elicitation": ASK_NAME,
}
