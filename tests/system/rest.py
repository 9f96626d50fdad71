# SPDX-License-Identifier: Apache-2.0
"""What the tests of the REST interface share: a service, a client that holds every answer against docs/openapi.yaml."""
import contextlib
import glob
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import yaml

from pgcluster import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
PREFIX = "/api/backup-recovery"
METHODS = ("get", "post", "delete")


def resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        name = node["$ref"]
        node = DOCUMENT
        for part in name.removeprefix("#/").split("/"):
            node = node[part]
    return node


def operations():
    """(method, path, operation) of everything that is documented."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def find_operation(method, path):
    for documented, template, operation in operations():
        pattern = re.sub(r"\{\w+\}", "[^/]+", re.escape(template).replace(r"\{", "{").replace(r"\}", "}"))
        if documented == method and re.fullmatch(pattern, path):
            return template, operation
    return None, None


TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
         "null": type(None)}


def is_type(value, name):
    if name in ("integer", "number") and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[name])


def check_schema(value, schema, where, seen):
    """Asserts that a value is as the schema has it; notes each property that was there."""
    name = schema.get("$ref", "").split("/")[-1]
    schema = resolve(schema)
    if "anyOf" in schema:
        for each in schema["anyOf"]:
            try:
                check_schema(value, each, where, seen)
                return
            except AssertionError:
                continue
        raise AssertionError(f"{where}: {value} fits none")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    assert not types or any(is_type(value, each) for each in types), f"{where}: {value!r} is no {types}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r} is none of {schema['enum']}"
    assert "const" not in schema or value == schema["const"], f"{where}: {value!r}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_schema(item, schema.get("items", {}), f"{where}[{index}]", seen)
    if isinstance(value, dict):
        for key in schema.get("required", []):
            assert key in value, f"{where}: {key} is missing in {value}"
        for key, item in value.items():
            if key in schema.get("properties", {}):
                seen.add((name, key))
                check_schema(item, schema["properties"][key], f"{where}.{key}", seen)
            else:
                assert schema.get("additionalProperties", True), f"{where}: {key} is not documented"


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:2000]!r}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=90)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Rest:
    """A service and requests to it."""

    seen = set()       # (method, template, status)
    fields = set()     # (schema, property)
    responses = set()  # names of responses under components

    def __init__(self, holdfast):
        self.holdfast = holdfast
        self.log = holdfast.directory / "serve.log"
        self.process = None
        self.address = None
        self.tokens = {}
        self.context = None

    def token(self, role):
        if role not in self.tokens:
            self.tokens[role] = self.holdfast.ok("token", "add", f"test-{role}", "--role", role,
                                                 "--json").json["token"]
        return self.tokens[role]

    def start(self):
        self.process = subprocess.Popen(
            self.holdfast.command("serve"), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            stderr=self.log.open("ab"), cwd="/")
        assert wait_until(lambda: self.process.poll() is not None or self.run_file() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()
        for each in self.run_file()["listen"].split(","):
            if not each.startswith("unix:"):
                host, port = each.rsplit(":", 1)
                self.address = ("127.0.0.1" if host == "0.0.0.0" else host, int(port))
        return self

    def run_file(self):
        for path in glob.glob(str(self.holdfast.directory / "state" / "service-*.run")):
            try:
                content = json.loads(pathlib.Path(path).read_text())
            except ValueError:
                continue
            if content.get("state") == "running":
                return content
        return None

    def reload(self, said):
        self.process.send_signal(signal.SIGHUP)
        assert wait_until(lambda: said in self.log.read_text(), 60), self.log.read_text()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)

    def connection(self):
        if self.context is not None:
            return http.client.HTTPSConnection(*self.address, timeout=90, context=self.context)
        return http.client.HTTPConnection(*self.address, timeout=90)

    def call(self, method, path, body=None, role="admin", headers=None, connection=None, documented=True):
        """A request; its answer is held against the document."""
        path = path if path.startswith("/") else f"{PREFIX}/{path}"
        headers = dict(headers or {})
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(role)}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection = connection or self.connection()
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        if documented:
            self.check(method, path.split("?")[0], answer)
        return answer

    def check(self, method, path, answer):
        template, operation = find_operation(method, path)
        assert operation is not None, f"{method} {path} is not documented"
        response = operation["responses"].get(str(answer.status))
        assert response is not None, f"{method} {path}: {answer} is not documented"
        if "$ref" in response:
            self.responses.add(response["$ref"].split("/")[-1])
        content = resolve(response).get("content", {})
        kind = answer.headers.get("Content-Type")
        self.seen.add((method, template, answer.status))
        if not content:
            assert answer.body == b"", answer
            return
        assert kind in content, f"{method} {path}: {kind} is not documented: {answer}"
        if "json" in kind:
            check_schema(answer.json, content[kind]["schema"], f"{method} {path}", self.fields)

    def get(self, path, **options):
        answer = self.call("GET", path, **options)
        assert answer.status == 200, answer
        return answer.json

    def job(self, path, body=None, state="succeeded"):
        """Makes a job, and waits for its end."""
        answer = self.call("POST", f"{path}?wait=120", body)
        assert answer.status == 200, answer
        assert answer.json["state"] == state, answer
        return answer.json

    def raw(self, data):
        """Bytes to the socket, and whatever comes back until the service closes or is silent."""
        with socket.create_connection(self.address, timeout=60) as sock:
            answer = b""
            with contextlib.suppress(OSError):  # it may be refused before all is sent
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while piece := sock.recv(65536):
                    answer += piece
        return answer
