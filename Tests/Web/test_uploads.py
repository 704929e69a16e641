"""What is on its way when the page goes: it goes on where it stood, and arrives once."""

import hashlib
import os
import tempfile
import unittest

from harness import ALICE, BrowserTest, bubble, conversation, expect, send, until

SIZE = 24 << 20
# Bytes a second while the page is to be caught in the middle.
SLOW = 4 << 20


class Uploads(BrowserTest):
    def test_a_reload_in_the_middle_of_an_upload(self):
        laptop, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        made: list[str] = []
        offsets: list[int] = []

        def asked(request) -> None:
            if request.method == "POST" and request.url.endswith("/v1/uploads"):
                made.append(request.url)
            elif request.method == "PATCH":
                offsets.append(int(request.headers["upload-offset"]))

        bobs.on("request", asked)
        network = self.context.new_cdp_session(bobs)
        network.send("Network.enable")

        def limit(speed: int) -> None:
            conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": speed}
            network.send("Network.emulateNetworkConditions", conditions)

        limit(SLOW)
        with tempfile.NamedTemporaryFile(prefix="film-", suffix=".bin") as film:
            content = os.urandom(SIZE)
            film.write(content)
            film.flush()
            send(bobs, ALICE, subject="The film", files=[film.name])
            waiting = bobs.locator(".waiting, .outbox li", has_text="The film")
            bar = waiting.get_by_role("progressbar")
            until("the upload is in its middle", lambda: bar.evaluate("bar => bar.value / bar.max") > 0.3)
            self.assertLess(bar.evaluate("bar => bar.value / bar.max"), 0.9)
            bobs.reload()
            limit(-1)
            before = len(offsets)
            expect(conversation(laptop, "The film")).to_be_visible(timeout=60_000)
        self.assertEqual(len(made), 1)
        self.assertGreater(len(offsets), before)
        self.assertGreaterEqual(min(offsets[before:]), SIZE // 5)
        self.assertEqual(offsets, sorted(offsets))
        expect(waiting).to_have_count(0)
        for page in (laptop, bobs):
            conversation(page, "The film").click()
            expect(bubble(page, "The film")).to_have_count(1)
        # As the provider has it, so large a thing comes as a notification first.
        laptop.get_by_role("button", name="Fetch the whole message").click()
        with laptop.expect_download() as saving:
            bubble(laptop, "The film").locator("a.file").click()
        saved = saving.value.path().read_bytes()
        self.assertEqual(hashlib.sha256(saved).digest(), hashlib.sha256(content).digest())

    def test_what_waits_survives_a_reload_and_goes_once(self):
        laptop, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        self.forgive("ERR_FAILED")
        bobs.route("**/v1/messages", lambda route: route.abort())
        send(bobs, ALICE, text="Once and only once")
        expect(bobs.locator(".outbox li")).to_contain_text("Waiting to be sent")
        bobs.reload()
        expect(bobs.locator(".outbox li")).to_contain_text("Once and only once")
        bobs.unroute("**/v1/messages")
        expect(conversation(laptop, "Once and only once")).to_be_visible()
        expect(bobs.locator(".outbox li")).to_have_count(0)
        conversation(laptop, "Once and only once").click()
        expect(bubble(laptop, "Once and only once")).to_have_count(1)


if __name__ == "__main__":
    unittest.main()
