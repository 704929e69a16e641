"""Calls between a browser and a SIP phone that nobody here wrote, through a media relay that nobody here wrote."""

import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import unittest
import urllib.request

from harness import Demo, Served, expect, free_port, until
from talking import TalkTest

RTPENGINE = shutil.which("rtpengine")
BARESIP = shutil.which("baresip")


class Exchange(Served):
    """A server with a door for phones and, unless told otherwise, a media relay."""

    def __init__(self, has_relay: bool):
        self.has_relay = has_relay
        super().__init__()

    def configuration(self, folder: pathlib.Path) -> str:
        self.sip = free_port()
        self.relay = None
        door = f"sip:\n  udp: {{listen: '127.0.0.1:{self.sip}', digest: [MD5]}}\n"
        if not self.has_relay:
            return door
        control = free_port()
        # Tests run beside each other: two relays with the same ports for media take each other's, and a second one with the
        # package's configuration, which has ports of its own, does not start at all.
        first = 41000 + os.getpid() % 90 * 100
        self.relay_log = open(folder / "relay.log", "w")
        self.relay = subprocess.Popen(
            [RTPENGINE, "--config-file=none", "--foreground", "--log-stderr", "--table=-1", "--interface=127.0.0.1",
             f"--listen-ng=127.0.0.1:{control}", f"--port-min={first}", f"--port-max={first + 99}"],
            stderr=self.relay_log,
            stdout=self.relay_log,
        )
        return f"{door}  rtpengine: 127.0.0.1:{control}\n"

    def end(self) -> None:
        if self.relay:
            self.relay.kill()
            self.relay.wait()
            self.relay_log.close()
        super().end()


class Phone:
    """A baresip without screen and sound card: it takes every call, hums a tone, and records what it hears."""

    def __init__(self, account: dict, port: int, folder: pathlib.Path, tone: int):
        self.folder = folder
        folder.mkdir()
        self.configure(tone)
        (folder / "accounts").write_text(
            f"<{account['address']};transport=udp>;auth_user={account['user']};auth_pass={account['password']}"
            f';outbound="sip:127.0.0.1:{port};transport=udp";regint=600;answermode=auto\n'
        )
        self.start()
        until("the phone is registered", lambda: "SIP/2.0 200 OK" in self.said)

    def configure(self, tone: int, port: int = 0) -> None:
        (self.folder / "config").write_text(
            f"sip_listen 127.0.0.1:{port}\nnet_interface 127.0.0.1\nmodule_path /usr/lib/baresip/modules\n"
            "module stdio.so\nmodule g711.so\nmodule ausine.so\nmodule aubridge.so\nmodule sndfile.so\n"
            "module_app account.so\nmodule_app menu.so\n"
            f"audio_source ausine,{tone}\naudio_player aubridge,x\naudio_alert aubridge,y\n"
            f"ausrc_channels 2\nausrc_srate 48000\nsnd_path {self.folder}\n"
        )

    def start(self) -> None:
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(
            [BARESIP, "-4", "-s", "-f", self.folder], stdin=subprocess.PIPE, stdout=self.log, stderr=self.log
        )

    def command(self, line: str) -> None:
        """Something typed at it."""
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def loudness(self) -> float:
        """Of the last second that it heard."""
        loudest = 0.0
        for file in self.folder.glob("*dec.wav"):
            data = file.read_bytes()[44:][-16000:]
            samples = struct.unpack(f"<{len(data) // 2}h", data[: len(data) // 2 * 2])
            if samples:
                loudest = max(loudest, math.sqrt(sum(one * one for one in samples) / len(samples)))
        return loudest

    def hears(self, tone: int) -> float:
        """The share of a tone in the last second of what it recorded last."""
        files = sorted(self.folder.glob("*dec.wav"), key=lambda file: file.stat().st_mtime)
        data = files[-1].read_bytes()[44:][-16000:] if files else b""
        samples = struct.unpack(f"<{len(data) // 2}h", data[: len(data) // 2 * 2])
        energy = sum(one * one for one in samples)
        if not energy:
            return 0.0
        turn = 2 * math.pi * tone / 8000
        real = sum(one * math.cos(turn * at) for at, one in enumerate(samples))
        imaginary = sum(one * math.sin(turn * at) for at, one in enumerate(samples))
        return 2 * (real * real + imaginary * imaginary) / (len(samples) * energy)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.log.close()


@unittest.skipUnless(BARESIP and RTPENGINE, "there is no baresip, or no rtpengine")
class Phones(TalkTest):
    relay = True

    def server(self) -> Demo:
        return Exchange(self.relay)

    def phone(self, name: str, tone: int = 400) -> Phone:
        """A phone of somebody who has nothing else."""
        address = self.account(name)
        # The device that makes the phone is away: nothing else rings.
        device = {"label": "Old computer", "kind": "computer"}
        token = self.call("/v1/login", {"address": address, "password": "demo-password", "device": device})["token"]
        account = self.call("/v1/phones", {"label": "Desk phone"}, token)
        phone = Phone(account, self.demo.sip, pathlib.Path(self.demo.folder.name) / f"phone-{name}", tone)
        self.addCleanup(phone.end)
        return phone

    def call(self, path: str, body: dict, token: str = "") -> dict:
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(
            self.demo.url + path, method="POST", data=json.dumps(body).encode(), headers=headers
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def both_hear(self, person: str, other: str) -> None:
        phone = self.phone(other)
        self.account(person)
        page = self.sign_in(person, "Laptop")
        self.ask(page, f"{other}@demo.example", "Talk with voice")
        expect(self.live(page)).to_contain_text("Live with")
        try:
            self.grows(page, "audio")
            until("the phone hears the browser", lambda: phone.loudness() > 100 or page.wait_for_timeout(100), 20)
        except AssertionError:
            print((pathlib.Path(self.demo.folder.name) / "relay.log").read_text(errors="replace")[-6000:])
            print(phone.said[-6000:])
            raise

    def test_a_browser_calls_a_phone_and_offers(self):
        self.both_hear("alice", "bob")

    def test_a_browser_calls_a_phone_which_offers(self):
        self.both_hear("zoe", "bob")

    def test_voice_moves_from_the_page_to_an_own_phone_and_back(self):
        other, own = self.phone("bob", tone=400), self.phone("zoe", tone=900)
        page = self.sign_in("zoe", "Laptop")
        self.ask(page, "bob@demo.example", "Talk with voice")
        expect(self.live(page)).to_contain_text("Live with")

        def heard(phone: Phone, tone: int, name: str) -> None:
            until(name, lambda: phone.hears(tone) > 0.5 or page.wait_for_timeout(200), 30)

        try:
            self.grows(page, "audio")
            until("the phone hears the browser", lambda: other.loudness() > 100 or page.wait_for_timeout(100), 20)
            self.live(page).get_by_role("button", name="Move to another device").click()
            self.choose(page, "Desk phone", "Move")
            heard(other, 900, "the other phone hears the own one")
            heard(own, 400, "the own phone hears the other one")
            self.rests(page, "audio")
            self.live(page).get_by_role("button", name="Move to another device").click()
            self.choose(page, "Laptop", "Move")
            self.grows(page, "audio")
            until("the own phone is free", lambda: "terminated" in own.said or page.wait_for_timeout(200), 20)
            # What it hears now is the page, and not the tone of the phone.
            until("the other phone hears the page again",
                  lambda: other.hears(900) < 0.3 and other.loudness() > 100 or page.wait_for_timeout(200), 20)
        except AssertionError:
            print((pathlib.Path(self.demo.folder.name) / "relay.log").read_text(errors="replace")[-3000:])
            print(own.said[-6000:], other.said[-6000:])
            raise


class PhonesWithoutRelay(Phones):
    relay = False
    # Nothing can move that does not run.
    test_voice_moves_from_the_page_to_an_own_phone_and_back = None

    def refused(self, person: str, other: str) -> None:
        self.phone(other)
        self.account(person)
        page = self.sign_in(person, "Laptop")
        self.ask(page, f"{other}@demo.example", "Talk with voice")
        expect(page.get_by_role("alert").filter(has_text="need a media relay")).to_be_visible()
        expect(self.live(page).locator("[data-medium]")).to_have_count(0)
        # The conversation goes on in writing.
        self.say(page, "Then let us write.")
        expect(self.live(page)).to_contain_text("Live with")

    def test_a_browser_calls_a_phone_and_offers(self):
        self.refused("alice", "bob")

    def test_a_browser_calls_a_phone_which_offers(self):
        self.refused("zoe", "bob")


if __name__ == "__main__":
    unittest.main()
