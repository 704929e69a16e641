"""Runs the demo with the real program, and opens its devices in a real browser."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from playwright.sync_api import Page, expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".build/debug/continuo"
BROWSER = "/usr/bin/chromium"
PICTURE = ROOT / "docs/demo/harbour.png"

ALICE = "alice@demo.example"
WORK = "alice.work@demo.example"
BOB = "bob@demo.example"

expect.set_options(timeout=15_000)

# A page that hangs must not hang the tests: what is asked of a page by `evaluate` has no limit of its own.
TEST_SECONDS = 200
# Nor must a browser that does not end: `scripts/test-web` gives each test a process of its own.
CLOSE_SECONDS = 20


class Demo:
    """The demo, on ports and in a folder of its own: both people at one provider, unless two are asked for."""

    def __init__(self, port: int = 0, providers: int = 1):
        self.folder = tempfile.TemporaryDirectory(prefix="continuo-web-")
        self.port = port
        self.providers = providers
        # Where devices of other providers than the first come from, by domain.
        self.others: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        # While one works on the client, without building the program anew.
        web = ["--web", os.environ["CONTINUO_WEB"]] if "CONTINUO_WEB" in os.environ else []
        # Into a file: a pipe that nobody reads would fill, and the server wait for ever.
        self.log = open(pathlib.Path(self.folder.name) / "log", "a")
        self.process = subprocess.Popen(
            [PROGRAM, "demo", "--folder", self.folder.name, "--port", str(self.port),
             "--providers", str(self.providers), *web],
            # The demo of two gives Bob a video from the sources; tests of one provider begin with empty files.
            cwd=ROOT if self.providers > 1 else None,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        for line in self.process.stdout:
            found = re.search(r"Continuo runs at (http://[^/ ]+:(\d+))", line)
            if found:
                self.url = found[1]
                self.port = int(found[2])
            other = re.search(r"^ +(\S+): \w+, devices at (http://\S+)", line)
            if other and other[2] != self.url:
                self.others[other[1]] = other[2]
            operator = re.search(r"operator's page: (http://[^/ ]+:\d+)/#token=(\S+)", line)
            if operator:
                self.operator, self.token = operator.groups()
                if len(self.others) == self.providers - 1:
                    return
        raise AssertionError("the demo did not start: " + pathlib.Path(self.log.name).read_text()[-2000:])

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def operate(self, method: str, path: str, body: object = None):
        """Asks the operator's interface, and gives its document."""
        request = urllib.request.Request(
            f"{self.operator}/operator{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.log.close()
            self.folder.cleanup()


def free_port() -> int:
    """For UDP and TCP; none that a socket is given by chance, since it is opened only a moment later."""
    while True:
        place = ("127.0.0.1", random.randrange(12_000, 20_000))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket() as other:
            try:
                one.bind(place)
                other.bind(place)
            except OSError:
                continue
            return place[1]


class Served(Demo):
    """A server by its configuration, to which a test adds its own part; with nobody in it yet."""

    def configuration(self, folder: pathlib.Path) -> str:
        """What else stands in it; whatever the server needs beside it is started here."""
        raise NotImplementedError

    def start(self) -> None:
        folder = pathlib.Path(self.folder.name)
        more = self.configuration(folder)
        ports = [free_port(), free_port()]
        config = folder / "continuo.yaml"
        config.write_text(
            f"domains: [demo.example]\ndata: {folder}/data\npasswords: {{cost: 10}}\nlog: {{level: warning}}\n"
            f"client: {{listen: '127.0.0.1:{ports[0]}'}}\noperator: {{listen: '127.0.0.1:{ports[1]}'}}\n{more}"
        )
        self.log = open(folder / "log", "a")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--config", config], stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.url, self.operator = (f"http://127.0.0.1:{port}" for port in ports)
        token = folder / "data/operator-token"
        until("the server is there", lambda: token.exists() and self.answers(ports) or self.process.poll() is not None)
        self.token = token.read_text().strip()

    @staticmethod
    def answers(ports: list[int]) -> bool:
        for port in ports:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True


class BrowserTest(unittest.TestCase):
    """A demo of its own for each test; devices are pages of one browser; an error on a console fails the test."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.start_browser()

    @classmethod
    def start_browser(cls, arguments: list[str] = []) -> None:
        cls.is_broken = False
        cls.playwright = sync_playwright().start()
        cls.browser = cls.playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", *arguments])

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.is_broken:
            return
        cls.browser.close()
        cls.playwright.stop()

    def setUp(self) -> None:
        signal.signal(signal.SIGALRM, self.over_time)
        signal.alarm(TEST_SECONDS)
        self.addCleanup(signal.alarm, 0)
        if self.is_broken:
            self.fail("the browser of an earlier test did not end")
        self.demo = self.server()
        self.addCleanup(self.demo.end)
        self.complaints: list[str] = []
        self.forgiven = ["ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED"]
        self.context = self.browser.new_context(locale="en-GB", viewport={"width": 1100, "height": 800})
        self.context.set_default_timeout(15_000)
        self.addCleanup(self.close)

    def server(self) -> Demo:
        """What the pages talk to."""
        return Demo()

    def over_time(self, *_) -> None:
        # The end of what drives the browser ends a call that waits for it.
        type(self).is_broken = True
        subprocess.run(["pkill", "-KILL", "-P", str(os.getpid()), "-f", "playwright"], check=False)
        raise TimeoutError(f"a test took longer than {TEST_SECONDS} s")

    def close(self) -> None:
        signal.alarm(CLOSE_SECONDS)
        try:
            self.context.close()
        except Exception as error:
            if not self.is_broken:
                raise
            print(f"a browser did not end: {error}", file=sys.stderr)

    def page(self, name: str) -> Page:
        """A page whose errors fail the test."""
        page = self.context.new_page()
        page.on("console", lambda message: self.complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"{name}: {error}"))
        return page

    def open(self, name: str) -> Page:
        """A device of the demo, in a page of its own."""
        page = self.page(name)
        page.goto(f"{self.demo.url}/demo/d/{name}/")
        expect(page.get_by_role("navigation")).to_be_visible()
        return page

    def account(self, name: str) -> str:
        """Makes somebody who is not in the demo, and gives their address."""
        address = f"{name}@demo.example"
        person = {"name": name.title(), "addresses": [address], "password": "demo-password", "balance": 1000}
        self.demo.operate("POST", "/accounts", person)
        return address

    def sign_in(self, person: str, label: str, script: str = "") -> Page:
        """A page that becomes a device of such a person; with a script that runs before the page's own."""
        page = self.page(label)
        page.add_init_script(script)
        place = label.lower().replace("'", "").replace(" ", "-")
        page.goto(f"{self.demo.url}/d/{place}/")
        page.get_by_label("Address").fill(f"{person}@demo.example")
        page.get_by_label("Password").fill("demo-password")
        page.get_by_label("Name of this device").fill(label)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("navigation")).to_be_visible()
        return page

    def forgive(self, text: str) -> None:
        """The browser itself tells of answers that say no, and of connections that break: this one is meant."""
        self.forgiven.append(text)

    def complain(self, kind: str, text: str) -> None:
        if kind == "error" and not any(one in text for one in self.forgiven):
            self.complaints.append(text)

    def tearDown(self) -> None:
        self.assertEqual(self.complaints, [])


def send(page: Page, to: str, text: str = "", subject: str = "", files: list = ()) -> None:
    """Writes a new message and sends it."""
    page.get_by_role("link", name="Messages").click()
    page.locator("a[href='#/messages/new']").click()
    page.get_by_label("To", exact=True).fill(to)
    page.get_by_label("Subject").fill(subject)
    page.get_by_label("Message", exact=True).fill(text)
    if files:
        page.locator("input[type=file]").set_input_files(files)
    page.get_by_role("button", name="Send").click()


def conversation(page: Page, text: str):
    """The entry of the list that shows a text."""
    return page.locator(".conversations a", has_text=text)


def bubble(page: Page, text: str):
    """The message of the open conversation that holds a text."""
    return page.locator(".bubbles > li", has_text=text)


@contextlib.contextmanager
def away(*pages: Page):
    """These devices have no network; the others have."""
    sessions = [page.context.new_cdp_session(page) for page in pages]

    def connect(is_off: bool) -> None:
        for session in sessions:
            session.send(
                "Network.emulateNetworkConditions",
                {"offline": is_off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
            )

    for session in sessions:
        session.send("Network.enable")
    connect(True)
    try:
        for page in pages:
            expect(page.locator(".banner")).to_contain_text("Off-line")
        yield
    finally:
        connect(False)
        for session in sessions:
            session.detach()


def until(what: str, condition, seconds: float = 15) -> None:
    """Waits for something that no page shows."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)
