"""The evaluation image over HTTP."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection

import pytest
from challenge_files import HUMAN, make_ground_truth, make_submission

SLOW = """
import sys
from leaderboard.container.server import serve
from leaderboard.container.supervisor import Supervisor
child = "import sys, time; sys.stderr.write('started\\\\n'); sys.stderr.flush(); time.sleep(60)"
serve(Supervisor([sys.executable, "-c", child]), port=0)
"""


@contextlib.contextmanager
def serving(command, *, last=""):
    """Start a server; yield its process and its port. At SIGTERM it must end well, with this on standard error."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = int(re.fullmatch(r"listening on port (\d+)\n", process.stderr.readline())[1])
            yield process, port
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=30)[1] == last
            assert process.returncode == 0
        finally:
            process.kill()


def ask(port, path, method="GET", body=None, **headers):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


@pytest.fixture
def folder(tmp_path):
    make_submission(tmp_path / "input")
    make_ground_truth(tmp_path / "gt")
    (tmp_path / "output").mkdir()
    return tmp_path


def test_one_server_evaluates_again_and_again(folder):
    where = ("--input", folder / "input", "--output", folder / "output", "--ground-truth", folder / "gt")
    command = [sys.executable, "-m", "leaderboard.container", "invoke", "--port", "0", *map(str, where)]
    prediction, away = folder / "input" / HUMAN, folder / "away.h5"
    with serving(command) as (process, port):
        assert ask(port, "/health") == (200, "ready\n")
        prediction.rename(away)
        message = f"submission: holds no {HUMAN}, the prediction of MitoEM-H; add it\n"
        assert ask(port, "/invoke", "POST") == (500, message)
        assert process.stderr.readline() == message
        assert not (folder / "output" / "metrics.json").exists()
        away.rename(prediction)
        assert ask(port, "/invoke", "POST", b"{}") == (201, "done\n")
        assert (folder / "output" / "metrics.json").exists()
        assert ask(port, "/health") == (200, "ready\n")


def test_one_evaluation_at_a_time_and_an_end_in_the_middle_of_it():
    answers = []
    message = "the evaluation was stopped before its end, most likely by the time limit of the platform\n"
    with serving([sys.executable, "-c", SLOW], last=message) as (process, port):
        first = threading.Thread(target=lambda: answers.append(ask(port, "/invoke", "POST")))
        first.start()
        assert process.stderr.readline() == "started\n"
        assert ask(port, "/invoke", "POST") == (409, "an evaluation is running; ask again when it is done\n")
        assert ask(port, "/health") == (200, "ready\n"), "also in the middle of an evaluation"
    first.join(30)
    assert answers == [(500, message)]


def test_other_requests_are_refused():
    with serving([sys.executable, "-c", SLOW]) as (_, port):
        assert ask(port, "/") == (404, "there is /health and /invoke\n")
        assert ask(port, "/invoke") == (405, "/invoke takes POST\n")
        assert ask(port, "/health", "DELETE") == (405, "/health takes GET\n")
        assert ask(port, "/health?a=b") == (200, "ready\n")
        for length in (str(2**20 + 1), "-1", "many"):
            answer = ask(port, "/invoke", "POST", **{"Content-Length": length})
            assert answer == (413, "a body may have up to 1,048,576 bytes\n")
        again = [sys.executable, "-m", "leaderboard.container", "invoke", "--port", str(port)]
        done = subprocess.run(again, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, f"cannot listen on port {port}: Address already in use\n")
