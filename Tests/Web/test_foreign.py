"""Calls between a browser and a telephone at another provider: Chromium here, baresip there, rtpengine between them."""

import pathlib
import shutil
import subprocess
import unittest

from harness import Demo, expect, free_port, until
from talking import TalkTest
from test_phones import BARESIP, RTPENGINE, Exchange, Phone

OPENSSL = shutil.which("openssl")
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def certify(folder: pathlib.Path, *domains: str) -> None:
    """An authority, and a certificate for each domain."""

    def run(*arguments: str) -> None:
        subprocess.run([OPENSSL, *arguments], cwd=folder, check=True, capture_output=True)

    run("req", "-x509", *CURVE, "-subj", "/CN=Exchange", "-keyout", "authority.key", "-out", "authorities.pem")
    for domain in domains:
        run("req", *CURVE, "-subj", f"/CN={domain}", "-keyout", f"{domain}.key", "-out", f"{domain}.csr")
        (folder / "names").write_text(f"subjectAltName=DNS:{domain}")
        run("x509", "-req", "-in", f"{domain}.csr", "-CA", "authorities.pem", "-CAkey", "authority.key",
            "-CAcreateserial", "-extfile", "names", "-out", f"{domain}.pem")


class Abroad(Exchange):
    """A server with one other provider, which is no more than a telephone with its provider's certificate."""

    def configuration(self, folder: pathlib.Path) -> str:
        certify(folder, "demo.example", "b.example")
        self.door, self.far = free_port(), free_port()
        while self.far + 1 == self.door:
            self.far = free_port()
        return super().configuration(folder) + (
            f"interconnect:\n  listen: 127.0.0.1:{self.door}\n  message-port: {free_port()}\n  name: 127.0.0.1\n"
            f"  certificate: {folder}/demo.example.pem\n  key: {folder}/demo.example.key\n"
            f"  authorities: {folder}/authorities.pem\n"
            f"  peers: [{{domain: b.example, route: '127.0.0.1:{self.far + 1}'}}]\n"
        )


class FarPhone(Phone):
    """A baresip that is bob@b.example, and speaks SIP over TLS to this provider; its TLS port is the one above its other."""

    def __init__(self, demo: Abroad, folder: pathlib.Path, tone: int):
        self.folder = folder
        folder.mkdir()
        home = folder.parent
        (folder / "own.pem").write_text((home / "b.example.pem").read_text() + (home / "b.example.key").read_text())
        self.configure(tone, demo.far)
        with open(folder / "config", "a") as config:
            config.write(f"sip_certificate {folder}/own.pem\nsip_cafile {home}/authorities.pem\nsip_verify_server no\n")
        (folder / "accounts").write_text(
            f'<sip:bob@b.example;transport=tls>;outbound="sip:127.0.0.1:{demo.door};transport=tls"'
            ";regint=0;answermode=auto\n"
        )
        self.start()
        until("the phone is there", lambda: "baresip is ready" in self.said)


@unittest.skipUnless(BARESIP and RTPENGINE and OPENSSL, "there is no baresip, no rtpengine, or no openssl")
class Foreign(TalkTest):
    relay = True

    def server(self) -> Demo:
        return Abroad(self.relay)

    def far_phone(self) -> FarPhone:
        phone = FarPhone(self.demo, pathlib.Path(self.demo.folder.name) / "far-phone", 400)
        self.addCleanup(phone.end)
        return phone

    def both_hear(self, page, phone: FarPhone) -> None:
        expect(self.live(page)).to_contain_text("Live with")
        try:
            self.grows(page, "audio")
            until("the phone hears the browser", lambda: phone.loudness() > 100 or page.wait_for_timeout(100), 20)
        except AssertionError:
            print((pathlib.Path(self.demo.folder.name) / "relay.log").read_text(errors="replace")[-6000:])
            print(phone.said[-6000:])
            raise

    def test_a_browser_calls_a_telephone_there(self):
        self.account("alice")
        phone = self.far_phone()
        page = self.sign_in("alice", "Laptop")
        self.ask(page, "bob@b.example", "Talk with voice")
        self.both_hear(page, phone)

    def test_a_telephone_there_calls_a_browser(self):
        self.account("alice")
        phone = self.far_phone()
        page = self.sign_in("alice", "Laptop")
        phone.command("/dial sip:alice@demo.example")
        self.accept(page)
        self.both_hear(page, phone)


class ForeignWithoutRelay(Foreign):
    relay = False

    def test_a_browser_calls_a_telephone_there(self):
        self.account("alice")
        self.far_phone()
        page = self.sign_in("alice", "Laptop")
        self.ask(page, "bob@b.example", "Talk with voice")
        expect(page.get_by_role("alert").filter(has_text="need a media relay")).to_be_visible()

    def test_a_telephone_there_calls_a_browser(self):
        self.account("alice")
        phone = self.far_phone()
        page = self.sign_in("alice", "Laptop")
        phone.command("/dial sip:alice@demo.example")
        self.accept(page)
        until("the telephone is told that nothing of it can be", lambda: "488 Not Acceptable" in phone.said, 20)


if __name__ == "__main__":
    unittest.main()
