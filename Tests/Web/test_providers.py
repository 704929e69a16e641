"""Two providers on one page: Alice's devices from one server, Bob's from another, which talk only by SIP and MSRP."""

import re
import unittest

from harness import PICTURE, ROOT, Demo, bubble, expect, send, until
from talking import RECEIVED, TalkTest

ALICE = "alice@a.example"
BOB = "bob@b.example"
VIDEO = ROOT / "docs/demo/harbour.webm"
DEVICES = ("alice-mobile", "alice-phone", "alice-laptop", "bob-mobile", "bob-pda", "bob-laptop")


class Providers(TalkTest):
    def server(self) -> Demo:
        return Demo(providers=2)

    def begin_page(self) -> dict:
        """The demo page, with each of its frames once its device is there."""
        # Six devices at once on a machine that may be busy.
        self.context.set_default_timeout(40_000)
        self.top = self.page("demo")
        self.top.set_viewport_size({"width": 1480, "height": 1290})
        self.top.goto(f"{self.demo.url}/demo/")
        frames = {}
        for name in DEVICES:
            until(f"the frame of {name}", lambda: self.frame(name) or self.top.wait_for_timeout(50))
            frames[name] = self.frame(name)
            expect(frames[name].get_by_role("navigation")).to_be_visible(timeout=60_000)
        for name in ("alice-laptop", "bob-laptop"):
            until("all devices are connected", lambda: self.connected(frames[name]) == 3 or self.top.wait_for_timeout(200), 60)
        return frames

    def connected(self, frame) -> int:
        """How many of a person's devices are connected now."""
        frame.get_by_role("navigation").get_by_role("link", name="Devices").click()
        expect(frame.locator(".presence").first).to_be_visible()
        count = frame.locator(".presence.connected").count()
        frame.get_by_role("navigation").get_by_role("link", name="Messages").click()
        return count

    def frame(self, name: str):
        return self.top.frame(url=re.compile(f".*/demo/d/{name}/.*"))

    def ask_bob(self, page, button: str = "Talk live") -> None:
        self.ask(page, BOB, button)

    def received(self, frames: dict, kind: str) -> dict[str, int]:
        return {name: frame.evaluate(RECEIVED, kind) for name, frame in frames.items()}

    def test_each_has_a_server_and_a_message_with_a_picture_comes_back_as_marks(self):
        frames = self.begin_page()
        # Bob's frames are of another origin, and only the demo page may hold them.
        origins = {name: re.match(r"https?://[^/]+", frame.url)[0] for name, frame in frames.items()}
        self.assertEqual({origins[name] for name in DEVICES[:3]}, {self.demo.url})
        self.assertEqual({origins[name] for name in DEVICES[3:]}, {self.demo.others["b.example"]})
        answer = self.top.request.get(f"{self.demo.others['b.example']}/demo/d/bob-pda/")
        self.assertIn(f"frame-ancestors 'self' {self.demo.url}", answer.headers["content-security-policy"])
        answer = self.top.request.get(f"{self.demo.others['b.example']}/d/bob-pda/")
        self.assertIn("frame-ancestors 'none'", answer.headers["content-security-policy"])

        laptop, pda, mobile = frames["alice-laptop"], frames["bob-pda"], frames["bob-mobile"]
        send(laptop, BOB, text="The harbour", subject="Holidays", files=[str(PICTURE)])
        for one in (pda, mobile, frames["bob-laptop"]):
            expect(one.locator(".conversations a", has_text="Holidays")).to_be_visible()
        self.thread(laptop, BOB)
        expect(bubble(laptop, "The harbour")).to_contain_text("Delivered")
        self.thread(pda, ALICE)
        shown = bubble(pda, "The harbour").get_by_role("img", name="harbour.png")
        expect(shown).to_be_visible()
        self.assertGreater(shown.evaluate("async image => { await image.decode(); return image.naturalWidth; }"), 300)
        expect(bubble(laptop, "The harbour")).to_contain_text("Read")

    def test_a_conversation_across_moves_on_each_side(self):
        frames = self.begin_page()
        laptop, mobile = frames["alice-laptop"], frames["alice-mobile"]
        pda, bobs = frames["bob-pda"], frames["bob-laptop"]
        self.ask_bob(laptop)
        for name in DEVICES[3:]:
            expect(self.requests(frames[name])).to_contain_text(f"{ALICE} asks for a conversation")
        self.accept(pda)
        for name in ("bob-mobile", "bob-laptop"):
            expect(self.requests(frames[name])).to_have_count(0)
        expect(self.live(laptop)).to_contain_text("Live with")
        self.say(laptop, "One")
        expect(bubble(pda, "One")).to_be_visible()
        self.line(pda).press_sequentially("Tw")
        expect(self.live(laptop)).to_contain_text("is typing")
        self.line(pda).fill("")
        self.say(pda, "Two")
        expect(bubble(laptop, "Two")).to_be_visible()

        # Each moves at home; the other side sees nothing of it.
        self.live(laptop).get_by_role("button", name="Continue on another device").click()
        self.choose(laptop, "Alice's mobile", "Move")
        self.thread(mobile, BOB)
        expect(self.live(mobile)).to_contain_text("This device")
        self.thread(bobs, ALICE)
        self.live(bobs).get_by_role("button", name="Bring here").click()
        bobs.get_by_role("dialog").get_by_role("button", name="Move", exact=True).click()
        expect(self.live(bobs)).to_contain_text("This device")
        self.say(mobile, "Three")
        self.say(bobs, "Four")
        for one in (mobile, bobs, laptop, pda):
            expect(bubble(one, "Four")).to_be_visible()
        self.assertEqual(sorted(mobile.locator(".bubbles .text").all_inner_texts()), ["Before", "Four", "One", "Three", "Two"])
        self.assertEqual(mobile.locator(".bubbles .text").all_inner_texts(), bobs.locator(".bubbles .text").all_inner_texts())
        self.live(bobs).get_by_role("button", name="Leave the conversation").click()
        expect(self.live(mobile)).to_be_hidden()

    def test_voice_and_video_run_between_the_chosen_devices_alone(self):
        frames = self.begin_page()
        mobile, laptop, pda = frames["alice-mobile"], frames["alice-laptop"], frames["bob-pda"]
        self.ask_bob(mobile)
        self.accept(pda)
        self.live(pda).get_by_role("button", name="Add voice").click()
        pda.get_by_role("dialog").get_by_role("button", name="Propose").click()
        self.thread(laptop, BOB)
        self.live(laptop).get_by_role("button", name="Accept").click()
        laptop.get_by_role("dialog").get_by_role("button", name="Accept").click()
        self.grows(laptop, "audio")
        self.grows(pda, "audio")
        # A rejected change leaves no trace, and the next one is taken.
        self.live(mobile).get_by_role("button", name="Add live video").click()
        self.choose(mobile, "Alice's laptop", "Propose")
        self.live(pda).get_by_role("button", name="Decline").click()
        expect(self.live(mobile).locator(".changes li")).to_have_count(0)
        self.live(mobile).get_by_role("button", name="Add live video").click()
        self.choose(mobile, "Alice's laptop", "Propose")
        self.live(pda).get_by_role("button", name="Accept").click()
        pda.get_by_role("dialog").get_by_role("button", name="Accept").click()
        for one in (laptop, pda):
            self.grows(one, "video")
            self.grows(one, "audio")
        self.say(mobile, "While we talk")
        expect(bubble(pda, "While we talk")).to_be_visible()
        for kind in ("audio", "video"):
            got = self.received(frames, kind)
            self.assertEqual({name for name, bytes in got.items() if bytes > 0}, {"alice-laptop", "bob-pda"}, got)

    def test_a_stored_video_plays_in_step_on_both_laptops(self):
        frames = self.begin_page()
        mobile, laptop = frames["alice-mobile"], frames["alice-laptop"]
        pda, bobs = frames["bob-pda"], frames["bob-laptop"]
        self.ask_bob(mobile)
        self.accept(pda)
        asked = []
        self.top.on("request", lambda one: asked.append(one.url) if "/content/" in one.url else None)
        # The demo has put a video into Bob's area.
        self.live(pda).get_by_role("button", name="Show a stored video").click()
        self.choose(pda, "Bob's laptop", "Propose")
        self.live(mobile).get_by_role("button", name="Accept").click()
        self.choose(mobile, "Alice's laptop", "Accept")
        for one in (laptop, bobs):
            one.get_by_role("navigation").get_by_role("link", name="Messages").click()
            one.locator(".conversations a").first.click()
            expect(one.locator(".player video")).to_be_visible()
            until("the video is there", lambda: one.evaluate("document.querySelector('.player video').readyState >= 2") or self.top.wait_for_timeout(50))
        laptop.get_by_role("button", name="Play", exact=True).click()
        self.in_step(laptop, bobs, 4)
        self.say(mobile, "Nice boat")
        expect(bubble(pda, "Nice boat")).to_be_visible()
        bobs.get_by_role("button", name="Pause", exact=True).click()
        self.same_frame(laptop, bobs)
        bobs.get_by_label("Position").fill("15")
        until("it was sought", lambda: abs(self.position(laptop) - 15) < 0.2 or self.top.wait_for_timeout(50))
        self.same_frame(laptop, bobs)

    def test_a_request_is_rejected_on_all_devices(self):
        frames = self.begin_page()
        laptop = frames["alice-laptop"]
        self.ask_bob(laptop)
        self.requests(frames["bob-mobile"]).get_by_role("button", name="Decline", exact=True).click()
        for name in DEVICES[3:]:
            expect(self.requests(frames[name])).to_have_count(0)
        expect(self.live(laptop)).to_be_hidden()


if __name__ == "__main__":
    unittest.main()
