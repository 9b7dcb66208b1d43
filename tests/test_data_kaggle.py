"""Kaggle's files through the real kagglehub, from a server on this machine that plays Kaggle."""

import base64
import io
import json
import sys
import threading
import zipfile
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from labkit import data
from labkit.data import kaggle, registry

# Where kagglehub looks for Kaggle in its own tests.
PORT = 7777


class Handler(BaseHTTPRequestHandler):
    """Gives server.files by their last name to those with credentials, or answers server.status."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server
        length = int(self.headers.get("Content-Length", 0))
        asked = json.loads(self.rfile.read(length) or b"{}")
        server.asked.append((self.path, asked))
        name = asked.get("fileName", "archive.zip")
        if server.status != 200 or name not in server.files:
            self._send(404 if server.status == 200 else server.status, b"{}")
        elif self.path.endswith("/GetDataset"):
            self._send(200, json.dumps({"currentVersionNumber": 4}).encode())
        else:
            self._send(200, server.files[name], "application/octet-stream")

    def _send(self, status, body, kind="application/json"):
        self.send_response(status)
        digest = base64.b64encode(md5(body).digest()).decode()
        self.send_header("x-goog-hash", f"md5={digest}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Kaggle, on this machine; the user is signed in, and has accepted the rules."""
    pytest.importorskip("kagglehub")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    except OSError:
        pytest.skip(f"port {PORT}, the only one kagglehub takes, is in use")
    server.files, server.asked, server.status = {}, [], 200
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for name in ("LABKIT_DATA", "LABKIT_OFFLINE", "LABKIT_PROFILE", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("KAGGLE_USERNAME", "student")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def picture(colour):
    stream = io.BytesIO()
    Image.new("RGB", (30, 20), colour).save(stream, "JPEG")
    return stream.getvalue()


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def pets():
    colours = {"cat": "red", "dog": "blue"}
    return {
        f"train/{kind}.{i}.jpg": picture(colour)
        for kind, colour in colours.items()
        for i in range(10)
    }


def test_a_competition_is_fetched_verified_and_loaded(server, tmp_path):
    server.files["train.zip"] = zipped(pets())
    (path,) = data.fetch("cats_dogs", competition="dogs-vs-cats")
    assert path == tmp_path / "cache" / "datasets" / "cats_dogs" / "train.zip"
    assert server.asked[-1][1] == {
        "competitionName": "dogs-vs-cats",
        "fileName": "train.zip",
    }
    assert sorted(p.name for p in path.parent.iterdir()) == ["SHA256SUMS", "train.zip"]
    asked = len(server.asked)
    data.fetch("cats_dogs", competition="dogs-vs-cats")
    assert len(server.asked) == asked
    assert [check.ok for check in data.verify("cats_dogs")] == [True]
    loaded = data.load("cats_dogs")
    assert not loaded.stand_in and len(loaded.train_images) == 16


def test_a_file_that_changed_since_is_noticed_and_fetched_again(server):
    server.files["train.zip"] = zipped(pets())
    (path,) = data.fetch("cats_dogs", competition="dogs-vs-cats")
    path.write_bytes(zipped({"train/cat.1.jpg": b""}))
    assert [check.ok for check in data.verify("cats_dogs")] == [False]
    data.fetch("cats_dogs", competition="dogs-vs-cats")
    assert path.read_bytes() == server.files["train.zip"]


def test_a_class_has_a_competition_of_its_own(server, tmp_path):
    server.files = {name: b"x" for name in kaggle.COMPETITION}
    paths = data.fetch("simpsons", to=tmp_path / "stick", competition="our-class-2027")
    assert {path.parent for path in paths} == {tmp_path / "stick" / "simpsons"}
    asked = [request["fileName"] for _, request in server.asked]
    assert asked == list(kaggle.COMPETITION)


@pytest.mark.parametrize(
    "status, text",
    [
        (401, "does not know these credentials.*kaggle.json"),
        (403, r"rules are not accepted.*competitions/dogs-vs-cats/rules"),
        (404, r"has no https://www.kaggle.com/competitions/dogs-vs-cats"),
        (500, "could not be downloaded.*500"),
    ],
)
def test_what_kaggle_refuses_is_explained(server, status, text, tmp_path):
    server.status = status
    with pytest.raises(data.DataError, match=f"(?s){text}"):
        data.fetch("cats_dogs", competition="dogs-vs-cats")
    assert not list((tmp_path / "cache" / "datasets" / "cats_dogs").glob("*.zip"))


def test_without_credentials_it_says_how_to_get_them(server, monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    with pytest.raises(
        data.DataError, match=r"No credentials.*Create New Token.*~/.kaggle"
    ):
        data.fetch("cats_dogs", competition="dogs-vs-cats")


def test_a_broken_credentials_file_is_named(server, monkeypatch, tmp_path):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "kaggle.json").write_text("{")
    with pytest.raises(data.DataError, match=r"No credentials.*kaggle\.json"):
        data.fetch("cats_dogs", competition="dogs-vs-cats")


def test_kaggle_out_of_reach(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(data.DataError, match=r"cannot be reached.*LABKIT_DATA"):
        data.fetch("cats_dogs", competition="dogs-vs-cats")


def test_without_kagglehub_it_says_what_to_install(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(data.DataError, match=r"pip install .*\[kaggle\]"):
        data.fetch("simpsons")


def test_offline_nothing_is_asked(server, monkeypatch):
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    with pytest.raises(
        data.DataError, match=r"(?s)LABKIT_OFFLINE is set.*By hand: .*kaggle"
    ):
        data.fetch("simpsons")
    assert server.asked == []


def test_what_is_here_is_copied_not_downloaded(server, monkeypatch, tmp_path):
    there = tmp_path / "data" / "cats_dogs"
    there.mkdir(parents=True)
    (there / "train.zip").write_bytes(zipped(pets()))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("labkit.data.download._bring", _no_mirror)
    (path,) = data.fetch("cats_dogs", to=tmp_path / "stick")
    assert path.read_bytes() == (there / "train.zip").read_bytes() and not server.asked
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "stick"))
    assert [check.ok for check in data.verify("cats_dogs")] == [True]
    assert "(verified)" in data.load("cats_dogs").source


def test_what_is_no_competition(server):
    with pytest.raises(data.DataError, match="is no competition"):
        data.fetch("mnist", competition="digits")


def test_the_public_simpsons_become_a_competition(server, monkeypatch):
    names = registry.entry("simpsons").class_names
    files = {
        f"simpsons_dataset/simpsons_dataset/{name}/pic_{i:04d}.jpg": picture(
            (9 * k, i, 0)
        )
        for k, name in enumerate(names)
        for i in range(3)
    }
    files["simpsons_dataset/simpsons_dataset/fat_tony/pic_0000.jpg"] = picture("red")
    folder = "kaggle_simpson_testset/kaggle_simpson_testset"
    files |= {
        f"{folder}/{name}_{i}.jpg": picture("blue") for name in names for i in (0, 1)
    }
    files["weights.best.hdf5"] = b"no picture"
    server.files["archive.zip"] = zipped(files)
    paths = data.fetch("simpsons")
    assert [path.name for path in paths] == list(kaggle.COMPETITION)
    loaded = data.load("simpsons")
    assert loaded.class_names == names and not loaded.stand_in and not loaded.damaged
    assert np.bincount(loaded.train_labels).tolist() == [3] * 20
    assert loaded.test_ids.tolist() == list(range(1, 41))
    assert all(check.ok for check in data.verify("simpsons"))


def test_kaggle_is_asked_where_no_mirror_has_the_file(server, monkeypatch):
    monkeypatch.setattr("labkit.data.download.WAITS", (0,))
    monkeypatch.setattr("labkit.data.download._retrieve", _no_network)
    server.files["train.zip"] = zipped(pets())
    (path,) = data.fetch("cats_dogs")
    assert path.name == "train.zip"


def _no_network(*_):
    raise ConnectionError("no network")


def _no_mirror(*_):
    raise data.DataError("no mirror has it")
