"""Downloads from a server on this machine: verified, resumed, mirrors in turn."""

import gzip
import os
import re
import threading
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

from labkit import data
from labkit.data import download, registry


class Handler(BaseHTTPRequestHandler):
    """Serves server.files as the server's settings say; see `server`."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        if server.refusals:
            status, headers = server.refusals.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = (
            int(re.findall(r"\d+", self.headers.get("Range", "0"))[0])
            if server.ranges
            else 0
        )
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if server.length is not None:
            length = max(0, len(body) - start + server.length)
            self.send_header("Content-Length", str(length))
        self.end_headers()
        rest = body[start:]
        if server.cuts > 0:
            server.cuts -= 1
            rest = rest[: server.cut]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A server on this machine that is asked for files, and can misbehave.

    refusals: (status, headers) of the first answers. cuts, cut: so many times it breaks off after so many
    bytes. ranges: whether it resumes. length: None, no Content-Length is sent; else how far it is off.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked, server.refusals = {}, [], []
    server.ranges, server.length, server.cuts, server.cut = True, 0, 0, 0
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()


@pytest.fixture
def one_file(server, monkeypatch, tmp_path):
    """MNIST as a single file on two mirrors of the local server; the cache is empty."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    for name in (
        "LABKIT_DATA",
        "LABKIT_OFFLINE",
        "LABKIT_PROFILE",
        "http_proxy",
        "HTTP_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAITS", (0, 0.01, 0.02))
    address = f"http://127.0.0.1:{server.server_port}"
    file = registry.File(
        name="train-images-idx3-ubyte.gz",
        urls=(f"{address}/first/images.gz", f"{address}/second/images.gz"),
        size=len(CONTENT),
        hash=f"sha256:{sha256(CONTENT).hexdigest()}",
    )
    serve(monkeypatch, (file,))
    server.files["/first/images.gz"] = server.files["/second/images.gz"] = CONTENT
    return file


def serve(monkeypatch, files):
    entries = dict(registry.entries())
    entries["mnist"] = replace(entries["mnist"], files=files, images=())
    monkeypatch.setattr(registry, "entries", lambda: entries)
    download._answers.cache_clear()


def left_in(folder):
    return sorted(
        path.name
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name == "mnist"
    )


def test_a_good_file_is_fetched_once(server, one_file, tmp_path, capsys):
    (path,) = data.fetch("mnist")
    assert path == tmp_path / "cache" / "datasets" / "mnist" / one_file.name
    assert path.read_bytes() == CONTENT
    data.fetch("mnist")
    assert server.asked == [("/first/images.gz", None)]
    assert left_in(tmp_path) == [one_file.name]
    assert capsys.readouterr().err == ""


def test_a_file_goes_where_it_is_told(one_file, tmp_path):
    (path,) = data.fetch("mnist", to=tmp_path / "data")
    assert path == tmp_path / "data" / "mnist" / one_file.name
    assert not (tmp_path / "cache" / "datasets").exists()


def test_wrong_bytes_are_named_with_both_hashes_and_not_kept(
    server, one_file, tmp_path, capsys
):
    wrong = b"<html>Please sign in</html>"
    server.files["/first/images.gz"] = server.files["/second/images.gz"] = wrong
    with pytest.raises(data.DataError) as caught:
        data.fetch("mnist")
    text = str(caught.value)
    assert one_file.name in text and one_file.hash.removeprefix("sha256:") in text
    assert sha256(wrong).hexdigest() in text
    assert (
        "/first/images.gz" in text
        and "/second/images.gz" in text
        and "labkit data fetch mnist" in text
    )
    assert left_in(tmp_path) == []
    assert len(server.asked) == 2 and capsys.readouterr().err == ""


def test_too_many_bytes_are_not_kept(server, one_file, tmp_path):
    server.files["/first/images.gz"] = server.files["/second/images.gz"] = (
        CONTENT + b"x"
    )
    with pytest.raises(
        data.DataError, match="it sends more than the file's 300,000 bytes"
    ):
        data.fetch("mnist")
    assert one_file.name not in left_in(tmp_path)


def test_the_next_mirror_is_asked(server, one_file):
    del server.files["/first/images.gz"]
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT
    assert [asked for asked, _ in server.asked] == [
        "/first/images.gz",
        "/second/images.gz",
    ]


def test_no_mirror_has_it(server, one_file):
    server.files.clear()
    with pytest.raises(data.DataError, match="the server answers 404"):
        data.fetch("mnist")


def test_a_broken_connection_is_resumed(server, one_file, capsys):
    server.cuts, server.cut = 2, 100_000
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT
    assert [asked for asked, _ in server.asked] == ["/first/images.gz"] * 3
    starts = [int(re.findall(r"\d+", r)[0]) for _, r in server.asked if r]
    assert len(starts) == 2 and 0 < starts[0] < starts[1] <= 200_000
    assert capsys.readouterr().err == ""


def test_what_was_downloaded_is_kept_for_the_next_call(
    server, one_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(download, "RESUMPTIONS", 1)
    server.cuts, server.cut = 99, 20_000
    with pytest.raises(data.DataError, match="the connection broke"):
        data.fetch("mnist")
    assert len(server.asked) == 2 * len(download.WAITS)
    assert left_in(tmp_path) == [f".{one_file.name}.part"]
    server.cuts, server.asked = 0, []
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT and server.asked[0][1] is not None
    assert left_in(tmp_path) == [one_file.name]


def test_a_server_without_ranges_sends_all_again(server, one_file):
    server.ranges = False
    server.cuts, server.cut = 1, 100_000
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT


def test_the_beginning_of_another_file_does_not_spoil_the_download(
    server, one_file, tmp_path
):
    folder = tmp_path / "cache" / "datasets" / "mnist"
    folder.mkdir(parents=True)
    (folder / f".{one_file.name}.part").write_bytes(b"x" * 1000)
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT


def test_a_complete_part_is_only_verified(server, one_file, tmp_path):
    folder = tmp_path / "cache" / "datasets" / "mnist"
    folder.mkdir(parents=True)
    (folder / f".{one_file.name}.part").write_bytes(CONTENT)
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT


def test_two_threads_fetch_at_once(server, one_file):
    threads = [threading.Thread(target=data.fetch, args=("mnist",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (data.fetch("mnist")[0]).read_bytes() == CONTENT
    if os.name == "posix":  # elsewhere there is no lock, and both download
        assert len(server.asked) == 1


def test_offline_never_asks(server, one_file, monkeypatch):
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    with pytest.raises(data.DataError, match="LABKIT_OFFLINE is set"):
        data.fetch("mnist")
    assert server.asked == []


def test_stand_ins_are_not_fetched():
    with pytest.raises(data.DataError, match="digits is a stand-in"):
        data.fetch("digits")


# ---- servers that misbehave


def test_a_busy_server_is_asked_again(server, one_file, capsys):
    server.refusals = [(503, {}), (502, {}), (429, {})]
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT
    # both mirrors in turn, then the first again
    assert [asked.split("/")[1] for asked, _ in server.asked] == [
        "first",
        "second",
        "first",
        "second",
    ]
    assert "the server answers 503" in capsys.readouterr().out


def test_a_server_that_stays_busy_is_given_up_in_the_end(server, one_file):
    server.refusals = [(503, {})] * 99
    with pytest.raises(data.DataError, match="answers 503 Service Unavailable"):
        data.fetch("mnist")
    assert len(server.asked) == 2 * 3


def test_the_server_says_how_long_to_wait(server, one_file, monkeypatch):
    waits = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    server.refusals = [(503, {"Retry-After": "7"}), (503, {"Retry-After": "9999"})]
    data.fetch("mnist")
    assert waits == [0, 7]
    server.refusals = [(503, {"Retry-After": "9999"})] * 2
    data.fetch("mnist")[0].unlink()
    data.fetch("mnist")
    assert waits[-1] == download.LONGEST_WAIT


def test_redirects_are_followed(server, one_file):
    server.refusals = [
        (302, {"Location": "/elsewhere"}),
        (301, {"Location": "/second/images.gz"}),
    ]
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT and len(server.asked) == 3


def test_redirects_without_end_are_not(server, one_file):
    server.refusals = [(302, {"Location": "/first/images.gz"})] * 31
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT
    assert server.asked[-1][0] == "/second/images.gz"
    path.unlink()
    server.refusals = [(302, {"Location": "/first/images.gz"})] * 999
    with pytest.raises(data.DataError, match="redirects without end"):
        data.fetch("mnist")


def test_a_server_that_tells_no_length(server, one_file):
    server.length = None
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT


def test_no_length_and_a_broken_connection(server, one_file):
    server.length, server.cuts, server.cut = None, 2, 100_000
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT and len(server.asked) == 3


@pytest.mark.parametrize("off", [-100_000, 100_000])
def test_a_wrong_length(server, one_file, off, tmp_path):
    server.length = off
    if off > 0:  # all came, then the connection broke: the file is whole
        assert data.fetch("mnist")[0].read_bytes() == CONTENT
    else:  # the rest never comes
        with pytest.raises(data.DataError) as caught:
            data.fetch("mnist")
        assert sha256(CONTENT[:200_000]).hexdigest() in str(caught.value)
        assert one_file.name not in left_in(tmp_path)


def test_a_proxy_that_does_not_answer_is_named(one_file, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(
        data.DataError, match="the proxy that HTTP_PROXY or HTTPS_PROXY"
    ):
        data.fetch("mnist")


def test_a_full_disk_is_said_beforehand(server, one_file, monkeypatch):
    small = SimpleNamespace(free=100_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: small)
    with pytest.raises(data.DataError, match=r"0.1 MB free; train.*needs 0.3 MB.*--to"):
        data.fetch("mnist")
    assert server.asked == []


# ---- a file is never trusted because it exists, and never fetched twice


def test_a_spoilt_file_is_fetched_again(server, one_file):
    (path,) = data.fetch("mnist")
    path.write_bytes(CONTENT[:-1] + b"?")
    (path,) = data.fetch("mnist")
    assert path.read_bytes() == CONTENT and len(server.asked) == 2


def test_what_is_here_is_copied_not_downloaded(server, one_file, tmp_path, monkeypatch):
    data.fetch("mnist")
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    (path,) = data.fetch("mnist", to=tmp_path / "stick")
    assert path == tmp_path / "stick" / "mnist" / one_file.name
    assert path.read_bytes() == CONTENT and len(server.asked) == 1
    path.write_bytes(b"spoilt")
    (path,) = data.fetch("mnist", to=tmp_path / "stick")
    assert path.read_bytes() == CONTENT


@pytest.fixture
def four_files(server, one_file, monkeypatch):
    """A tiny MNIST whose four files the local server has."""
    contents = {
        "train-images-idx3-ubyte.gz": bytes(
            [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28, *[7] * 1568]
        ),
        "train-labels-idx1-ubyte.gz": bytes([0, 0, 8, 1, 0, 0, 0, 2, 3, 4]),
        "t10k-images-idx3-ubyte.gz": bytes(
            [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28, *[9] * 784]
        ),
        "t10k-labels-idx1-ubyte.gz": bytes([0, 0, 8, 1, 0, 0, 0, 1, 5]),
    }
    files = []
    for name, content in contents.items():
        packed = gzip.compress(content)
        server.files[f"/{name}"] = packed
        url = f"http://127.0.0.1:{server.server_port}/{name}"
        hashes = [f"sha256:{sha256(part).hexdigest()}" for part in (packed, content)]
        files.append(registry.File(name, (url,), len(packed), *hashes))
    serve(monkeypatch, tuple(files))


def test_load_downloads_verifies_and_keeps(server, four_files, capsys):
    mnist = data.load("mnist")
    assert (
        not mnist.stand_in
        and mnist.train_labels.tolist() == [3, 4]
        and mnist.source.startswith("cache")
    )
    server.files.clear()
    assert data.load("mnist").test_labels.tolist() == [5]
    assert all(check.ok for check in data.verify("mnist"))
    assert capsys.readouterr() == ("", "")


def test_load_takes_the_stand_in_where_the_server_sends_something_else(
    server, four_files, capsys
):
    server.files["/t10k-labels-idx1-ubyte.gz"] = b"wrong"
    assert data.load("mnist").stand_in
    out, err = capsys.readouterr()
    assert sha256(b"wrong").hexdigest() in out and out.count("\n") == 1 and err == ""


def test_load_takes_the_stand_in_where_no_server_answers(four_files, server, capsys):
    server.files.clear()
    assert data.load("mnist").stand_in
    assert "no server that has it can be reached" in capsys.readouterr().out
