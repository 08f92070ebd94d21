"""Hugging Face and ModelScope as small local servers: as much of them as their clients ask for."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from huggingface_hub import constants, file_download

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".zip", ".bin")  # what the hubs keep in Git LFS


@dataclass
class Hub:
    """One repository, how it misbehaves, and what it was asked."""

    name: str
    files: dict[str, bytes]
    branch: str = "main"
    damaged: set[str] = field(default_factory=set)  # sent with a wrong byte
    cut: dict[str, int] = field(default_factory=dict)  # the next answer ends after so many bytes
    stalled: dict[str, int] = field(default_factory=dict)  # the same, but it stays open
    refuse: int = 0  # answer everything with this status
    gated: bool = False  # list the files, but give none
    sent: list[tuple[str, str]] = field(default_factory=list)  # file, and the Range asked for
    go_on: threading.Event = field(default_factory=threading.Event)  # ends what is stalled
    token: str = ""  # that an upload needs
    made: list[dict[str, Any]] = field(default_factory=list)  # repositories asked to be made
    large: dict[str, bytes] = field(default_factory=dict)  # files of Git LFS by their digest
    messages: list[str] = field(default_factory=list)  # of commits
    url: str = ""

    def ranges(self, name: str) -> list[str]:
        """The Range of each request for the content of file `name`."""
        return [asked for file, asked in self.sent if file == name]


class _Answer(BaseHTTPRequestHandler):
    # HTTP/1.0, as the base class has it: the connection ends with the answer, as some proxies do.
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        if self.hub.refuse:
            self.refuse(self.hub.refuse, "")
            return
        url = urlsplit(self.path)
        self.route(url.path, {key: value[0] for key, value in parse_qs(url.query).items()})

    def route(self, path: str, query: dict[str, str]) -> None:
        raise NotImplementedError

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, values: object) -> None:
        body = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, name: str, headers: dict[str, str]) -> None:
        body = self.hub.files[name]
        if name in self.hub.damaged:
            body = body[:-1] + bytes([body[-1] ^ 1])
        asked = self.headers["Range"] or ""
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.hub.sent.append((name, asked))
        if name in self.hub.cut:
            self.wfile.write(body[start : self.hub.cut.pop(name)])
        elif name in self.hub.stalled:
            self.wfile.write(body[start : self.hub.stalled.pop(name)])
            self.wfile.flush()
            self.hub.go_on.wait(30)
        else:
            self.wfile.write(body[start:])


class _HuggingFace(_Answer):
    def route(self, path: str, query: dict[str, str]) -> None:
        kind = "datasets/" if path.startswith(("/datasets/", "/api/datasets/")) else ""
        name = re.escape(self.hub.name)
        listing = re.fullmatch(rf"/api/(?:models|datasets)/{name}/revision/([^/]+)", path)
        content = re.fullmatch(rf"/{kind}{name}/resolve/([^/]+)/(.+)", path)
        known = (self.hub.branch, COMMIT)
        if listing is None and content is None:
            self.refuse(404, "RepoNotFound")
        elif listing is not None and listing[1] not in known:
            self.refuse(404, "RevisionNotFound")
        elif listing is not None:
            files = [self.describe(file) for file in self.hub.files]
            self.send_json({"id": self.hub.name, "sha": COMMIT, "siblings": files})
        elif content is not None and self.hub.gated:
            self.refuse(403, "GatedRepo")
        elif content is not None:
            tag = self.describe(content[2])
            etag = tag["lfs"]["sha256"] if "lfs" in tag else tag["blobId"]
            self.send_file(content[2], {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def describe(self, name: str) -> dict[str, Any]:
        body = self.hub.files[name]
        blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        entry: dict[str, Any] = {"rfilename": name, "size": len(body), "blobId": blob}
        if name.endswith(LARGE):
            digest = hashlib.sha256(body).hexdigest()
            entry["lfs"] = {"sha256": digest, "size": len(body), "pointerSize": 134}
        return entry


class _HuggingFaceUploads(_HuggingFace):
    """Takes files in one commit as well; those of Git LFS arrive before it, by their digest."""

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def route(self, path: str, query: dict[str, str]) -> None:
        hub, body = self.hub, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command in ("GET", "HEAD") and path != f"/api/models/{hub.name}/tree/main":
            super().route(path, query)
            return
        if self.headers.get("Authorization", "") != f"Bearer {hub.token}" and self.command != "PUT":
            self.refuse(401, "")
        elif path == f"/api/models/{hub.name}/tree/main":
            listed = [self.describe(name) for name in hub.files]
            self.send_json(
                [
                    {"type": "file", "path": one["rfilename"], "oid": one["blobId"], "size": 1}
                    for one in listed
                ]
            )
        elif path == "/api/repos/create":
            hub.made.append(json.loads(body))
            self.send_json({"url": f"{hub.url}/{hub.name}"})
        elif path == "/api/validate-yaml":
            self.send_json({"errors": [], "warnings": []})
        elif path == f"/api/models/{hub.name}/preupload/main":
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = {name: "lfs" if name.endswith(LARGE) else "regular" for name in names}
            files = [
                {"path": name, "uploadMode": mode, "shouldIgnore": False}
                for name, mode in modes.items()
            ]
            self.send_json({"files": files})
        elif path == f"/{hub.name}.git/info/lfs/objects/batch":
            objects = [
                {**one, "actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self.send_json({"transfer": "basic", "objects": objects})
        elif path.startswith("/lfs/") and self.command == "PUT":
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/lfs/")
            hub.large[path.removeprefix("/lfs/")] = body
            self.send_json({})
        elif path == f"/api/models/{hub.name}/commit/main":
            self.commit([json.loads(line) for line in body.splitlines()])
            answer = {"commitUrl": f"{hub.url}/{hub.name}/commit/{COMMIT}", "commitOid": COMMIT}
            self.send_json(answer)
        else:
            self.refuse(404, "RepoNotFound")

    def commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.files[value["path"]] = self.hub.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del self.hub.files[value["path"]]
            else:
                self.hub.messages.append(value["summary"])


class _ModelScope(_Answer):
    def route(self, path: str, query: dict[str, str]) -> None:
        base = f"/api/v1/models/{self.hub.name}"
        if not path.startswith(f"{base}/"):
            self.refuse(404, "")
        elif path == f"{base}/revisions":
            revisions = {"Branches": [{"Revision": self.hub.branch}], "Tags": []}
            self.send_json({"Code": 200, "Success": True, "Data": {"RevisionMap": revisions}})
        elif query["Revision"] != self.hub.branch:
            self.refuse(404, "")
        elif path == f"{base}/repo/files":
            files = [
                {
                    "Name": name,
                    "Path": name,
                    "Type": "blob",
                    "Size": len(body),
                    "Sha256": hashlib.sha256(body).hexdigest(),
                }
                for name, body in self.hub.files.items()
            ]
            self.send_json({"Code": 200, "Success": True, "Data": {"Files": files}})
        elif self.hub.gated:
            self.refuse(403, "")
        else:
            self.send_file(query["FilePath"], {})


def use_hugging_face(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Send Hugging Face's client to `url`, though it has read its environment already."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
    # Switched off by the code under test; the flags must not outlive a test.
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HF_HUB_ENABLE_HF_TRANSFER"):
        monkeypatch.setattr(constants, name, getattr(constants, name))
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@contextmanager
def serve_hugging_face(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` as Hugging Face would; its `url` is set."""
    with _serve(hub, _HuggingFace):
        yield hub


@contextmanager
def serve_hugging_face_uploads(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` as Hugging Face would, and take uploads by its token; its `url` is set."""
    with _serve(hub, _HuggingFaceUploads):
        yield hub


@contextmanager
def serve_modelscope(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` as ModelScope would; its `url` is set."""
    with _serve(hub, _ModelScope):
        yield hub


@contextmanager
def _serve(hub: Hub, answer: type[_Answer]) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (answer,), {"hub": hub})) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            hub.go_on.set()
            server.shutdown()
            thread.join()
