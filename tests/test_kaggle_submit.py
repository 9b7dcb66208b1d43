"""Uploads through the official package, against a server that answers as Kaggle's API does."""

import contextlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from labkit import kaggle
from labkit.errors import LabkitError

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="the official client needs Python 3.11"
)
TOKEN = "a-token-that-no-one-may-see"
GOOD = "id,character\n1,homer_simpson\n2,moe_szyslak\n"


class Handler(BaseHTTPRequestHandler):
    """Answers the calls of the official client; `server.refuse` names a call and a status."""

    def do_POST(self):
        server = self.server
        size = int(self.headers.get("Content-Length", 0))
        asked = json.loads(self.rfile.read(size) or b"{}")
        call = self.path.rsplit("/", 1)[-1]
        server.calls.append((call, asked))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"code": 401, "message": "Unauthenticated"})
        if call in server.refuse:
            status, message = server.refuse[call]
            if status == "silent":
                server.released.wait(5)
                return None
            return self.answer(status, {"code": status, "message": message})
        return self.answer(200, self.known(call, asked))

    def known(self, call, asked):
        server = self.server
        if call == "IntrospectToken":
            return {"active": True, "username": "a_student"}
        if call == "GetSubmissionLimits":
            return {"numToday": 5 - server.left, "numAllowedNow": server.left}
        if call == "StartSubmissionUpload":
            return {"token": "blob-1", "createUrl": f"{server.address}/upload"}
        if call == "CreateSubmission":
            assert asked["blobFileTokens"] == "blob-1"
            server.left -= 1
            return {"message": "Successfully submitted", "ref": 77}
        if call == "ListSubmissions":
            server.asked += 1
            return {"submissions": [{"ref": 12, "status": "COMPLETE"}, self.own()]}
        raise AssertionError(call)

    def own(self):
        if self.server.asked <= self.server.pending:
            return {"ref": 77, "status": "PENDING"}
        return {"ref": 77, "publicScore": "0.91234", **self.server.result}

    def do_PUT(self):
        size = int(self.headers["Content-Length"])
        self.server.uploaded = self.rfile.read(size)
        self.answer(200, {})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "3600")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server in Kaggle's place, and a home folder with nothing but a token in the variable."""
    kaggle_env = pytest.importorskip("kagglesdk.kaggle_env")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.calls, server.refuse, server.left, server.uploaded = [], {}, 5, None
    server.asked, server.pending, server.result = 0, 1, {"status": "COMPLETE"}
    server.released = threading.Event()
    endpoints = kaggle_env._env_to_endpoint
    monkeypatch.setitem(endpoints, kaggle_env.KaggleEnv.PROD, server.address)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("labkit.kaggle.upload.PAUSE_SECONDS", 0.01)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def files(tmp_path):
    """A sample and a good submission."""
    sample = tmp_path / "sampleSubmission.csv"
    sample.write_text("id,character\n1,homer_simpson\n2,homer_simpson\n")
    (tmp_path / "character_name.lst").write_text("homer_simpson\nmoe_szyslak\n")
    path = tmp_path / "submission.csv"
    path.write_text(GOOD)
    return path, sample


def submitted(files, **options):
    return kaggle.submit(files[0], "simpsons", "first", files[1], **options)


def calls(server):
    return [call for call, _ in server.calls if call != "IntrospectToken"]


def test_a_submission_is_checked_uploaded_and_scored(server, files):
    said = []
    done = submitted(files, announce=said.append)
    assert server.uploaded == GOOD.encode()
    assert calls(server) == [
        "GetSubmissionLimits", "StartSubmissionUpload", "CreateSubmission",
        "ListSubmissions", "ListSubmissions", "GetSubmissionLimits",
    ]  # fmt: skip
    entered = dict(server.calls)["CreateSubmission"]
    assert entered["competitionName"] == "simpsons"
    assert entered["submissionDescription"] == "first"
    assert said[:2] == ["submission.csv: fine, 2 rows", "5 submissions left today."]
    assert (done.ref, done.score, done.remaining) == (77, "0.91234", 4)
    assert str(done) == "public score 0.91234. 4 submissions left today."


def test_a_file_with_faults_is_not_sent(server, files):
    files[0].write_text(GOOD.replace("moe_szyslak", "moe"))
    with pytest.raises(kaggle.SubmissionError, match="did you mean 'moe_szyslak'"):
        submitted(files)
    assert server.calls == []


def test_nothing_is_sent_where_none_is_left_today(server, files):
    server.left = 0
    with pytest.raises(LabkitError, match=r"no submission is left today.*00:00 UTC"):
        submitted(files)
    assert calls(server) == ["GetSubmissionLimits"]


def test_a_score_that_takes_long_is_not_waited_for_for_ever(server, files):
    server.pending = 10**6
    done = submitted(files, wait=0.05)
    assert done.status == "pending"
    assert "number 77; Kaggle has not scored it yet" in str(done)


def test_a_file_that_kaggle_cannot_score_says_why(server, files):
    server.result = {"status": "ERROR", "errorDescription": "Row 3 is odd"}
    with pytest.raises(LabkitError, match="could not score the file: Row 3 is odd"):
        submitted(files)


@pytest.mark.parametrize(
    ("call", "status", "message", "told"),
    [
        ("GetSubmissionLimits", 401, "Unauthenticated", r"does not accept your credentials \(401: Unauth.*Create New Token"),
        ("StartSubmissionUpload", 403, "You must accept this competition's rules", r"403: You must accept .*competitions/simpsons/rules"),
        ("GetSubmissionLimits", 404, "Not found", r"no competition 'simpsons' \(404"),
        ("CreateSubmission", 429, "Too many requests", r"429: Too many.*Try again in 3,600 seconds"),
        ("CreateSubmission", 400, "Your team has used its daily submissions", r"refuses \(400: Your team has used"),
        ("ListSubmissions", 503, "Down", r"a fault of its own \(503: Down\)"),
    ],
)  # fmt: skip
def test_refusals_are_told_apart(server, files, call, status, message, told):
    server.refuse = {call: (status, message)}
    with pytest.raises(LabkitError, match=told):
        submitted(files)


def test_a_wrong_token_is_told_and_not_shown(server, files, monkeypatch, capfd):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong")
    with pytest.raises(LabkitError, match="does not accept your credentials") as caught:
        submitted(files)
    assert "wrong" not in str(caught.value)


def test_no_credentials_at_all_are_told(server, files, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(LabkitError, match="no valid credentials for Kaggle"):
        submitted(files)
    assert server.uploaded is None


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("GetSubmissionLimits", "within 0.5 seconds. Nothing was sent"),
        ("CreateSubmission", "within 0.5 seconds. It may have arrived"),
    ],
)
def test_an_answer_that_does_not_come_ends_the_wait(
    server, files, call, told, monkeypatch
):
    monkeypatch.setattr("labkit.kaggle.upload.ANSWER_SECONDS", 0.5)
    server.refuse = {call: ("silent", "")}
    with pytest.raises(LabkitError, match=told):
        submitted(files)


def test_a_server_that_cannot_be_reached_is_told(server, files, monkeypatch):
    kaggle_env = pytest.importorskip("kagglesdk.kaggle_env")
    nowhere = (kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, *nowhere)
    with pytest.raises(LabkitError, match="cannot be reached"):
        submitted(files)


def test_the_command_prints_score_and_rest_and_nothing_secret(server, files, capfd):
    from labkit.cli import app

    words = ["kaggle", "submit", str(files[0]), "--competition", "simpsons", "-m", "x"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = done.output + "".join(capfd.readouterr())
    assert "public score 0.91234. 4 submissions left today." in said
    assert TOKEN not in said
    assert not list(files[0].parent.rglob("*.json"))


def test_the_command_sends_no_file_with_faults(server, files, capfd):
    from labkit.cli import app

    files[0].write_text("id,character\n1,homer_simpson\n")
    words = ["kaggle", "submit", str(files[0]), "--competition", "simpsons", "-m", "x"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "Nothing was sent" in done.output + "".join(capfd.readouterr())
    assert server.calls == []
