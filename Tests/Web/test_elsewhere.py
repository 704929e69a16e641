"""Live conversations while one looks elsewhere: at other pages, at other conversations, in another window."""

import json
import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import ALICE, BOB, ROOT, WORK, conversation, expect, send, until
from talking import MEDIA, TalkTest

VIDEO = ROOT / "docs/demo/harbour.webm"

# Whatever was ever played, on the page or not, and what was taken from the microphone and the camera.
NOTE = """
window.played = new Set();
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () { window.played.add(this); return play.call(this); };
window.taken = [];
const take = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wishes) => {
  const stream = await take(wishes);
  window.taken.push(...stream.getTracks());
  return stream;
};
"""

# Where each of them stands that is running now: voices and live pictures, and films.
LIVE = """(tag) => [...window.played].filter((one) => one.matches(tag) && one.srcObject && !one.paused && one.readyState > 1)
  .map((one) => one.currentTime)"""
FILMS = "() => [...window.played].filter((one) => one.src && !one.paused).length"


class Elsewhere(TalkTest):
    def setUp(self) -> None:
        super().setUp()
        self.context.add_init_script(NOTE)

    def go(self, page, name: str) -> None:
        page.get_by_role("navigation").get_by_role("link", name=name).click()

    def runs(self, page, tag: str) -> None:
        """One of these runs, and goes on."""
        until(f"{tag} runs", lambda: page.evaluate(LIVE, tag) or page.wait_for_timeout(100))
        before = max(page.evaluate(LIVE, tag))
        until(f"{tag} goes on", lambda: max(page.evaluate(LIVE, tag), default=0) > before + 0.5 or page.wait_for_timeout(100))

    def test_a_call_goes_on_while_one_reads_another_page(self):
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with video")
        laptop, bob = pages["alice-laptop"], pages["bob-laptop"]
        self.accept(bob)
        voice = self.live(laptop).locator("[data-medium=audio]")
        self.runs(laptop, "audio")
        self.go(laptop, "Contacts")
        self.live(bob).locator("[data-medium=audio]").get_by_role("button", name="Hold").click()
        expect(self.live(bob).locator("[data-medium=audio]")).to_contain_text("on hold")
        self.runs(laptop, "audio")
        self.go(laptop, "Messages")
        laptop.locator(".conversations a").first.click()
        # What happened meanwhile is shown, and what happens from now on.
        expect(voice).to_contain_text("on hold")
        self.live(bob).locator("[data-medium=audio]").get_by_role("button", name="Resume").click()
        expect(voice).not_to_contain_text("on hold")
        voice.get_by_role("button", name="Mute").click()
        expect(voice.get_by_role("button", name="Unmute")).to_be_visible()
        self.runs(laptop, "audio")
        self.runs(laptop, "video:not(.own)")

    def test_a_voice_is_heard_in_a_page_that_was_loaded_elsewhere(self):
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with voice")
        laptop = pages["alice-laptop"]
        self.accept(pages["bob-laptop"])
        self.runs(laptop, "audio")
        self.go(laptop, "Contacts")
        laptop.reload()
        self.runs(laptop, "audio")

    def test_a_film_rests_while_nobody_sees_it(self):
        pages = self.begin("alice-laptop", "bob-laptop")
        laptop, bob = pages["alice-laptop"], pages["bob-laptop"]
        send(laptop, f"{BOB}, {WORK}", text="Another")
        conversation(laptop, "Before").click()
        self.accept(bob)
        self.go(bob, "Files")
        bob.locator(".page input[type=file]").set_input_files(str(VIDEO))
        expect(bob.locator(".lines a.file", has_text="harbour.webm")).to_be_visible()
        self.thread(bob, ALICE)
        conversation(bob, "Before").click()
        self.live(bob).get_by_role("button", name="Show a stored video").click()
        self.choose(bob, "Bob's laptop", "Propose")
        self.live(laptop).get_by_role("button", name="Accept").click()
        laptop.get_by_role("button", name="Play", exact=True).click()
        for leave in (lambda: conversation(laptop, "Another").click(), lambda: self.go(laptop, "Contacts")):
            until("the film runs", lambda: laptop.evaluate(FILMS) == 1 or laptop.wait_for_timeout(50))
            leave()
            until("the film rests", lambda: laptop.evaluate(FILMS) == 0 or laptop.wait_for_timeout(50))
            for _ in range(5):
                laptop.wait_for_timeout(100)
                self.assertEqual(laptop.evaluate(FILMS), 0)
            self.go(laptop, "Messages")
            conversation(laptop, "Before").click()
            expect(laptop.locator(".player video")).to_have_count(1)
        until("the film runs", lambda: laptop.evaluate(FILMS) == 1 or laptop.wait_for_timeout(50))

    def test_the_next_conversation_shows_its_own_pictures(self):
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with video")
        laptop, bob = pages["alice-laptop"], pages["bob-laptop"]
        self.accept(bob)
        self.runs(laptop, "video:not(.own)")
        self.go(laptop, "Contacts")
        self.live(bob).get_by_role("button", name="Leave the conversation").click()
        bob.get_by_role("button", name="Talk with video").click()
        self.accept(laptop)
        expect(self.live(laptop).locator("video:not(.own)")).to_have_count(1)
        until("the new picture runs", lambda: laptop.evaluate(
            """() => {
                const video = document.querySelector(".live video:not(.own)");
                return video && !video.paused && video.videoWidth > 0 && video.srcObject.active;
            }""") or laptop.wait_for_timeout(100))

    def test_a_page_that_was_replaced_lets_go_of_the_call(self):
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with video")
        laptop, bob = pages["alice-laptop"], pages["bob-laptop"]
        self.accept(bob)
        self.grows(laptop, "audio")
        again = self.open("alice-laptop")
        expect(laptop.locator(".banner")).to_contain_text("open in another window")
        until("the first window lets go", lambda: laptop.evaluate(
            """window.taken.length === 2 && window.taken.every((one) => one.readyState === "ended")
                && window.connections.every((one) => one.connectionState === "closed")""") or laptop.wait_for_timeout(100))
        self.assertEqual(laptop.evaluate(LIVE, "audio"), [])
        self.grows(again, "audio")
        self.grows(bob, "audio")

    def test_a_signal_that_says_nothing_ends_nothing(self):
        def between(page) -> None:
            server = page.connect_to_server()

            def came(text) -> None:
                frame = json.loads(text)
                if "signal" in frame:
                    empty = {"signal": {**frame["signal"], "payload": None}}
                    page.send(json.dumps(empty))
                    spoilt.append(empty)
                page.send(text)

            server.on_message(came)

        spoilt = []
        self.context.route_web_socket("**/v1/socket", between)
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with voice")
        self.accept(pages["bob-laptop"])
        for page in pages.values():
            self.grows(page, "audio")
        self.assertGreater(len(spoilt), 0)


class Denied(TalkTest):
    """A browser that lets no page have the microphone until it is told to."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.start_browser([one for one in MEDIA if one != "--use-fake-ui-for-media-stream"])

    def test_a_microphone_that_was_denied_is_said_and_asked_for_again(self):
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with voice")
        laptop, bob = pages["alice-laptop"], pages["bob-laptop"]
        self.accept(bob)
        voice = self.live(laptop).locator("[data-medium=audio]")
        expect(voice.get_by_role("alert")).to_contain_text("The microphone cannot be used")
        expect(voice.get_by_role("button", name="Mute")).to_have_count(0)
        for scheme in ("light", "dark"):
            laptop.emulate_media(color_scheme=scheme)
            found = Axe().run(laptop, options={"resultTypes": ["violations"]})
            self.assertEqual(found.violations_count, 0, found.generate_report())
        self.context.grant_permissions(["microphone"])
        voice.get_by_role("button", name="Try again").click()
        expect(voice.get_by_role("button", name="Mute")).to_be_visible()
        expect(voice.get_by_role("alert")).to_have_count(0)
        self.grows(bob, "audio")


if __name__ == "__main__":
    unittest.main()
