"""One pycrdt client in a process of its own, driven like tests/interop/client.mjs: a line of JSON in, a line of JSON out.

The provider and the awareness are pycrdt's own, unmodified. What stands between them and a socket is the channel that
pycrdt asks an application for: one for each dialect.
"""

import asyncio
import base64
import json
import random
import sys
from urllib.parse import quote

import websockets
from pycrdt import Array, Awareness, Doc, Map, Provider, Text, XmlElement, XmlFragment, XmlText
from pycrdt import create_awareness_message, read_message

SYNC, AWARENESS = 0, 1


def var_uint(number):
    out = bytearray()
    while number > 127:
        out.append(128 | (number & 127))
        number >>= 7
    out.append(number)
    return bytes(out)


def var_string(text):
    data = text.encode()
    return var_uint(len(data)) + data


def split_string(data):
    length, shift, at = 0, 0, 0
    while True:
        byte = data[at]
        length |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return data[at : at + length].decode(), data[at + length :]


class Channel:
    """A socket of y-websocket. Awareness, which pycrdt's provider leaves to the application, is handed on here."""

    def __init__(self, socket, path, on_awareness):
        self.socket, self.path, self.on_awareness = socket, path, on_awareness

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.recv()

    async def recv(self):
        while True:
            try:
                message = self.unwrap(await self.socket.recv())
            except websockets.ConnectionClosed:
                raise StopAsyncIteration from None
            if message is None:
                continue
            if message[0] == SYNC:
                return message
            if message[0] == AWARENESS:
                self.on_awareness(read_message(message[1:]))

    async def send(self, message):
        try:
            await self.socket.send(self.wrap(message))
        except websockets.ConnectionClosed:
            pass

    def wrap(self, message):
        return message

    def unwrap(self, frame):
        return frame


class HocuspocusChannel(Channel):
    """The same with a document's address in front of every message."""

    statuses, refused, admitted, denied = 0, 0, None, None

    def wrap(self, message):
        return var_string(self.path) + message

    def unwrap(self, frame):
        if frame == b"\x09":
            return None
        address, message = split_string(frame)
        assert address == self.path, address
        if message[0] == 8:
            self.statuses += message[1]
            self.refused += 1 - message[1]
        elif message[:2] == b"\x02\x02":
            self.admitted, _ = split_string(message[2:])
        elif message[:2] == b"\x02\x01":
            self.denied, _ = split_string(message[2:])
        return message if message[0] in (SYNC, AWARENESS) else None


class File:
    """The open document."""

    def __init__(self):
        self.doc = Doc()
        self.content = self.doc.get("content", type=Text)
        self.list = self.doc.get("list", type=Array)
        self.map = self.doc.get("map", type=Map)
        self.xml = self.doc.get("xml", type=XmlFragment)
        self.awareness = Awareness(self.doc)
        self.awareness.observe(self.told)
        self.channel = self.socket = self.provider = None
        self.pending = set()

    def told(self, topic, event):
        changes, origin = event
        if topic != "update" or origin != "local" or self.channel is None:
            return
        clients = changes["added"] + changes["updated"] + changes["removed"]
        update = self.awareness.encode_awareness_update(clients)
        self.later(self.channel.send(create_awareness_message(update)))

    def later(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    async def connect(self):
        if self.hocuspocus:
            self.socket = await websockets.connect(f"{self.server}/hocuspocus", max_size=None, proxy=None)
            self.channel = HocuspocusChannel(self.socket, self.name, self.heard)
            await self.channel.send(b"\x02\x00" + var_string(self.token))
        else:
            url = f"{self.server}/yjs/{self.name}?token={quote(self.token)}"
            self.socket = await websockets.connect(url, max_size=None, proxy=None)
            self.channel = Channel(self.socket, self.name, self.heard)
        self.provider = Provider(self.doc, self.channel)
        self.later(self.provider.start())
        await self.provider.started.wait()

    def heard(self, update):
        self.awareness.apply_awareness_update(update, "remote")

    async def disconnect(self):
        await self.provider.stop()
        await self.socket.close()
        self.channel = None


file = File()


async def open_file(kind, server, token, room=None, name=None, **_):
    file.hocuspocus = kind.endswith("hocuspocus")
    file.server, file.token, file.name = server, token, name if file.hocuspocus else room
    await file.connect()
    return file.doc.client_id


def edit(edits, **_):
    for one in edits:
        call, (at, *rest) = one["call"], one["with"]
        with file.doc.transaction():
            if call == "insert":
                file.content.insert(byte_of(at), rest[0])
            else:
                del file.content[byte_of(at) : byte_of(at + rest[0])]


def byte_of(unit):
    """pycrdt counts a text in bytes of UTF-8, the tests in units of UTF-16."""
    units = str(file.content).encode("utf-16-le")[: 2 * unit]
    return len(units.decode("utf-16-le").encode())


WORDS = ["soup", "Brühe", "e\u0301", "👩‍👩‍👧", "𝒳", "\n", " ", "לחם", "a" * 40]


def random_edits(seed, count, **_):
    draw = random.Random(seed)
    for _ in range(count):
        with file.doc.transaction():
            draw.choice([random_text, random_list, random_map, random_xml])(draw)


def random_text(draw):
    text = str(file.content)
    at = draw.randint(0, len(text))
    end = min(len(text), at + draw.randint(0, 6))
    start, stop = len(text[:at].encode()), len(text[:end].encode())
    if draw.random() < 0.6 or start == stop:
        file.content.insert(start, draw.choice(WORDS))
    else:
        del file.content[start:stop]


def random_list(draw):
    at = draw.randint(0, len(file.list))
    if draw.random() < 0.6 or at == len(file.list):
        file.list.insert(at, draw.choice([draw.randint(0, 999), draw.choice(WORDS), True, {"deep": [1, "two"]}]))
    else:
        del file.list[at]


def random_map(draw):
    key = f"k{draw.randint(0, 4)}"
    if draw.random() < 0.3 and key in file.map:
        del file.map[key]
    elif draw.random() < 0.3:
        file.map[key] = Text(draw.choice(WORDS))
    else:
        file.map[key] = draw.choice([draw.randint(0, 999), draw.choice(WORDS), [1, 2]])


def random_xml(draw):
    children = file.xml.children
    if len(children) == 0 or draw.random() < 0.5:
        children.append(draw.choice([XmlElement("p", {"class": draw.choice(WORDS)}), XmlText(draw.choice(WORDS))]))
    elif draw.random() < 0.5:
        del children[draw.randint(0, len(children) - 1)]


VERBS = {
    "open": open_file,
    "edit": edit,
    "type": lambda text, **_: [file.content.insert(len(str(file.content).encode()), letter) for letter in text] and None,
    "random": random_edits,
    "text": lambda **_: str(file.content),
    "state": lambda **_: base64.b64encode(file.doc.get_update()).decode(),
    "setPresence": lambda state, **_: file.awareness.set_local_state(state),
    "presence": lambda **_: {str(client): state for client, state in file.awareness.states.items()},
    "status": lambda **_: {
        "synced": file.provider.synced.is_set(),
        "statuses": getattr(file.channel, "statuses", None),
        "refused": getattr(file.channel, "refused", None),
        "admitted": getattr(file.channel, "admitted", None),
        "denied": getattr(file.channel, "denied", None),
        "unsynced": None,
        "closed": file.socket.close_code,
    },
    "connect": lambda **_: file.connect(),
    "disconnect": lambda **_: file.disconnect(),
}


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        asked = json.loads(line)
        number, verb = asked.pop("id"), asked.pop("verb")
        try:
            value = VERBS[verb](**asked)
            answer = {"id": number, "value": await value if asyncio.iscoroutine(value) else value}
        except Exception as error:
            answer = {"id": number, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
