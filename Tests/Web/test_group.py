"""Several people in one live conversation: one order of texts, voice from each device to each, and its bounds."""

import contextlib
import os
import pathlib
import subprocess
import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import BOB, PROGRAM, bubble, expect, until
from talking import TalkTest

CAROL = "carol@demo.example"

# What each running connection has received of a kind, and what it says of itself.
EACH = """async (kind) => {
  const bytes = [];
  for (const one of window.connections) {
    if (one.connectionState !== "connected") continue;
    let sum = 0;
    for (const report of (await one.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === kind) sum += report.bytesReceived;
    }
    bytes.push(sum);
  }
  return bytes;
}"""
# The second connection of a page finds no way out: only relays are allowed, and there is none.
NO_PATH_TO_THE_SECOND = """
const Open = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Open {
  constructor(configuration) {
    super(window.connections.length === 1 ? { ...configuration, iceTransportPolicy: "relay" } : configuration);
  }
};
"""
OPEN = "() => window.connections.filter((one) => one.connectionState !== 'closed').length"


class Group(TalkTest):
    def add(self, page, address: str) -> None:
        self.live(page).get_by_role("button", name="Add somebody").click()
        page.get_by_role("dialog").get_by_label("Address").fill(address)
        page.get_by_role("dialog").get_by_role("button", name="Ask").click()
        expect(page.get_by_role("dialog")).to_have_count(0)

    def each_grows(self, page, kind: str, count: int, seconds: float = 25) -> None:
        """So many connections run, and each of them brings more and more."""
        def grown() -> bool:
            before = page.evaluate(EACH, kind)
            page.wait_for_timeout(700)
            now = page.evaluate(EACH, kind)
            return len(before) == len(now) == count and all(after > first + 1000 for first, after in zip(before, now))

        until(f"{kind} arrives from {count}", grown, seconds)
        self.assertEqual(page.evaluate(OPEN), count)

    def has_none(self, *pages) -> None:
        for page in pages:
            self.assertEqual(page.evaluate(OPEN), 0)

    def texts(self, page, first: str) -> list[str]:
        """What a page shows, from a text on."""
        shown = page.locator(".bubbles .text").all_inner_texts()
        # While the list is drawn anew there may be less of it.
        return shown[shown.index(first):] if first in shown else []

    def three(self):
        """Alice, Bob and Carol talk, on the laptop, the PDA and Carol's laptop."""
        self.account("carol")
        carol, carols = self.sign_in("carol", "Carol's laptop"), self.sign_in("carol", "Carol's mobile")
        pages = self.begin("alice-laptop", "bob-pda", "bob-mobile")
        alice, pda = pages["alice-laptop"], pages["bob-pda"]
        self.accept(pda)
        self.say(alice, "Carol should hear this")
        expect(bubble(pda, "Carol should hear this")).to_be_visible()
        self.add(alice, CAROL)
        for page in (carol, carols):
            expect(self.requests(page)).to_contain_text("asks for a conversation")
        self.accept(carol)
        expect(self.requests(carols)).to_have_count(0)
        for page in (alice, pda):
            expect(self.live(page)).to_contain_text(CAROL)
        return alice, pda, pages["bob-mobile"], carol, carols

    def test_three_talk_on_the_devices_they_choose(self):
        alice, pda, mobile, carol, carols = self.three()
        # Only what is in sight is drawn.
        for page in (alice, pda, carol, carols):
            page.set_viewport_size({"width": 1100, "height": 3000})
        # All write at once: one order for everybody.
        self.say(alice, "From here on")
        expect(bubble(carol, "From here on")).to_be_visible()
        for number in range(4):
            for name, page in (("Alice", alice), ("Bob", pda), ("Carol", carol)):
                self.say(page, f"{name} {number}")
        everything = {"From here on"} | {f"{name} {number}" for name in ("Alice", "Bob", "Carol") for number in range(4)}
        for page in (alice, pda, carol):
            until("all is there", lambda: set(self.texts(page, "From here on")) == everything or page.wait_for_timeout(50))
        order = self.texts(alice, "From here on")
        self.assertEqual(len(order), len(everything))
        for page in (pda, carol):
            self.assertEqual(self.texts(page, "From here on"), order)
        # What was said before is not Carol's.
        self.assertNotIn("Carol should hear this", carol.locator(".bubbles").inner_text())

        # Carol takes it to her mobile, in the middle of it; the others notice nothing.
        self.live(carol).get_by_role("button", name="Continue on another device").click()
        self.choose(carol, "Carol's mobile", "Move")
        self.say(pda, "Meanwhile")
        expect(self.live(carol)).to_contain_text("on Carol's mobile")
        self.thread(carols, BOB)
        self.say(carols, "From the mobile")
        for page in (alice, pda, carols):
            expect(bubble(page, "From the mobile")).to_be_visible()
            self.assertEqual(self.texts(page, "From here on"), [*order, "Meanwhile", "From the mobile"])

        # Voice among the three: Bob has it on his mobile and Carol on her laptop, both their texts elsewhere.
        self.live(alice).get_by_role("button", name="Add voice").click()
        alice.get_by_role("dialog").get_by_role("button", name="Propose").click()
        self.live(pda).get_by_role("button", name="Accept").click()
        self.choose(pda, "Bob's mobile", "Accept")
        self.live(carols).get_by_role("button", name="Accept").click()
        self.choose(carols, "Carol's laptop", "Accept")
        for page in (alice, mobile, carol):
            self.each_grows(page, "audio", 2)
        self.has_none(pda, carols)
        heard = alice.locator("body > audio")
        expect(heard).to_have_count(2)
        for scheme in ("light", "dark"):
            alice.emulate_media(color_scheme=scheme)
            found = Axe().run(alice, options={"resultTypes": ["violations"]})
            self.assertEqual(found.violations_count, 0, found.generate_report())

        # Carol's voice goes after her texts.
        self.live(carols).get_by_role("button", name="Move to another device").click()
        self.choose(carols, "Carol's mobile", "Move")
        until("the laptop lets go", lambda: carol.evaluate(OPEN) == 0 or carol.wait_for_timeout(100), 25)
        for page in (alice, mobile, carols):
            self.each_grows(page, "audio", 2)

        # Alice takes Bob out: his voice ends, hers and Carol's goes on.
        self.live(alice).get_by_role("button", name="Take somebody out").click()
        dialog = alice.get_by_role("dialog")
        expect(dialog).to_be_visible()
        found = Axe().run(alice, options={"resultTypes": ["violations"]})
        self.assertEqual(found.violations_count, 0, found.generate_report())
        dialog.get_by_label("Address").select_option(label=BOB)
        dialog.get_by_role("button", name="Take out").click()
        until("Bob's mobile lets go", lambda: mobile.evaluate(OPEN) == 0 or mobile.wait_for_timeout(100))
        expect(self.live(pda)).to_be_hidden()
        for page in (alice, carols):
            self.each_grows(page, "audio", 1)
        expect(heard).to_have_count(1)
        expect(self.live(alice).get_by_role("button", name="Take somebody out")).to_have_count(0)
        self.say(alice, "Only the two of us")
        expect(bubble(carols, "Only the two of us")).to_be_visible()
        expect(bubble(pda, "Only the two of us")).to_have_count(0)

    def test_voice_is_for_four_and_the_fifth_is_told(self):
        for name in ("carol", "dave", "erin"):
            self.account(name)
        pages = self.begin("alice-laptop", "bob-pda", button="Talk with voice")
        alice, pda = pages["alice-laptop"], pages["bob-pda"]
        self.accept(pda)
        carol, dave, erin = (self.sign_in(name, f"{name.title()}'s laptop") for name in ("carol", "dave", "erin"))
        # Who is added while voice runs is asked for it too, and may come without it.
        self.add(alice, CAROL)
        expect(self.requests(carol)).to_contain_text("With voice")
        self.accept(carol)
        for page in (alice, pda, carol):
            self.each_grows(page, "audio", 2)
        self.add(alice, "dave@demo.example")
        self.requests(dave).get_by_role("button", name="Text only").click()
        expect(self.live(dave)).to_contain_text("Live with")
        self.has_none(dave)
        self.live(dave).get_by_role("button", name="Take part").click()
        for page in (alice, pda, carol, dave):
            self.each_grows(page, "audio", 3)

        # The fifth talks along, and hears why not more.
        self.add(alice, "erin@demo.example")
        self.accept(erin)
        self.say(erin, "Hello from the fifth")
        expect(bubble(alice, "Hello from the fifth")).to_be_visible()
        self.forgive("status of 422")
        self.live(erin).get_by_role("button", name="Take part").click()
        expect(erin.get_by_role("alert").filter(has_text="media run among at most 4 users")).to_be_visible()
        found = Axe().run(erin, options={"resultTypes": ["violations"]})
        self.assertEqual(found.violations_count, 0, found.generate_report())
        self.live(alice).get_by_role("button", name="Add live video").click()
        alice.get_by_role("dialog").get_by_role("button", name="Propose").click()
        expect(alice.get_by_role("alert").filter(has_text="media run among at most 4 users")).to_be_visible()
        self.has_none(erin)

        # One goes out of the voice and stays in the conversation: there is room for her.
        self.live(dave).get_by_role("button", name="Leave it to the others").click()
        until("Dave's laptop lets go", lambda: dave.evaluate(OPEN) == 0 or dave.wait_for_timeout(100))
        for page in (alice, pda, carol):
            self.each_grows(page, "audio", 2)
        self.live(erin).get_by_role("button", name="Take part").click()
        for page in (alice, pda, carol, erin):
            self.each_grows(page, "audio", 3)
        self.say(dave, "Without me")
        expect(bubble(erin, "Without me")).to_be_visible()


    def test_a_page_loaded_anew_is_soon_back_among_the_voices(self):
        self.account("carol")
        pages = self.begin("alice-laptop", "bob-pda", button="Talk with voice")
        alice, pda = pages["alice-laptop"], pages["bob-pda"]
        self.accept(pda)
        carol = self.sign_in("carol", "Carol's laptop")
        self.add(alice, CAROL)
        self.accept(carol)
        # A medium that is over has left its trace in the connections that go on, and not in a new one.
        self.live(alice).get_by_role("button", name="Add live video").click()
        alice.get_by_role("dialog").get_by_role("button", name="Propose").click()
        self.live(carol).get_by_role("button", name="Decline").click()
        self.live(pda).get_by_role("button", name="Accept").click()
        self.grows(pda, "video")
        self.live(alice).locator("[data-medium=video]").get_by_role("button", name="Remove").click()
        expect(self.live(pda).locator("[data-medium]")).to_have_count(1)
        for page in (alice, pda, carol):
            self.each_grows(page, "audio", 2)
        # The one that makes all offers, the one that makes some, and the one that makes none.
        for again in (alice, pda, carol):
            again.reload()
            for page in (again, alice, pda, carol):
                self.each_grows(page, "audio", 2, 10)


    def test_two_without_a_path_to_each_other_stay_with_the_third(self):
        self.account("carol")
        pages = self.begin("alice-laptop", "bob-pda", button="Talk with voice")
        alice, pda = pages["alice-laptop"], pages["bob-pda"]
        self.accept(pda)
        carol = self.sign_in("carol", "Carol's laptop", NO_PATH_TO_THE_SECOND)
        self.add(alice, CAROL)
        self.accept(carol)
        self.each_grows(alice, "audio", 2)
        for page, other in ((pda, CAROL), (carol, BOB)):
            row = self.live(page).locator("[data-medium=audio]")
            expect(row).to_contain_text(f"no path to {other}", timeout=40_000)
        # Long after they gave each other up.
        alice.wait_for_timeout(3000)
        self.each_grows(alice, "audio", 2)
        for page in (pda, carol):
            self.grows(page, "audio")
            expect(self.live(page).locator("[data-medium=audio]")).to_have_count(1)
        expect(self.live(alice).locator("[data-medium=audio]")).not_to_contain_text("no path")
        # Bob goes out of it: nothing is amiss between the other two.
        self.live(pda).get_by_role("button", name="Leave it to the others").click()
        expect(self.live(carol).locator("[data-medium=audio]")).not_to_contain_text("no path")
        for page in (alice, carol):
            self.each_grows(page, "audio", 1)


    def test_who_talks_in_a_terminal_has_the_voice_in_a_browser(self):
        self.account("carol")
        alice, laptop = self.open("alice-laptop"), self.open("bob-laptop")
        carol = self.sign_in("carol", "Carol's laptop")
        self.ask(alice, CAROL, "Talk with voice")
        self.accept(carol)
        with self.terminal("bob-pda") as (type_line, said):
            self.add(alice, BOB)
            until("the terminal is asked", lambda: "asks for a conversation" in said())
            type_line("/accept")
            expect(self.live(alice)).to_contain_text(BOB)
            type_line("From the terminal")
            expect(bubble(carol, "From the terminal")).to_be_visible()
            self.has_none(laptop)
            type_line("/join 1 laptop")
            for page in (alice, carol, laptop):
                self.each_grows(page, "audio", 2)
            type_line("/join 1 laptop")
            until("once is enough", lambda: "you have this medium already" in said())
            type_line("/part 1")
            until("Bob's laptop lets go", lambda: laptop.evaluate(OPEN) == 0 or laptop.wait_for_timeout(100))
            for page in (alice, carol):
                self.each_grows(page, "audio", 1)

    @contextlib.contextmanager
    def terminal(self, device: str):
        """A terminal of the demo that waits to be asked: how to type into it, and what it has said."""
        place = {**os.environ, "XDG_DATA_HOME": self.demo.folder.name}
        log = pathlib.Path(self.demo.folder.name) / f"{device}.log"
        with open(log, "w") as output:
            process = subprocess.Popen(
                [PROGRAM, "chat", "--device", device], env=place, text=True,
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            )
            try:
                until("the terminal is ready", lambda: "ready" in log.read_text())
                yield lambda line: print(line, file=process.stdin, flush=True), log.read_text
            finally:
                process.terminate()
                process.communicate(timeout=20)


if __name__ == "__main__":
    unittest.main()
