"""Live conversations between real pages: asked, moved, with real voice and video between the chosen devices."""

import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import ALICE, BOB, PICTURE, ROOT, bubble, expect, until
from talking import TalkTest

VIDEO = ROOT / "docs/demo/harbour.webm"


class Conversations(TalkTest):
    def test_asked_accepted_and_moved_with_its_history(self):
        pages = self.begin("alice-laptop", "alice-mobile", "bob-mobile", "bob-pda", "bob-laptop")
        laptop, mobile, pda = pages["alice-laptop"], pages["alice-mobile"], pages["bob-pda"]
        # 20-25: every device of Bob's shows it; accepted on one, it is gone from the others.
        for name in ("bob-mobile", "bob-pda", "bob-laptop"):
            expect(self.requests(pages[name])).to_contain_text(f"{ALICE} asks for a conversation")
        self.accept(pda)
        for name in ("bob-mobile", "bob-laptop"):
            expect(self.requests(pages[name])).to_have_count(0)
        expect(self.live(laptop)).to_contain_text("Live with")

        # 26: one order for both.
        self.say(laptop, "One")
        expect(bubble(pda, "One")).to_be_visible()
        self.say(pda, "Two")
        expect(bubble(laptop, "Two")).to_be_visible()
        # A hint that somebody types, which nothing keeps.
        self.line(pda).press_sequentially("Th")
        expect(self.live(laptop)).to_contain_text("is typing")
        self.line(pda).fill("")

        # 28-31: moved to the mobile.
        self.live(laptop).get_by_role("button", name="Continue on another device").click()
        dialog = laptop.get_by_role("dialog")
        expect(dialog).to_be_visible()
        found = Axe().run(laptop, options={"resultTypes": ["violations"]})
        self.assertEqual(found.violations_count, 0, found.generate_report())
        mobiles = dialog.get_by_label("Device").locator("option", has_text="Alice's mobile")
        dialog.get_by_label("Device").select_option(mobiles.first.get_attribute("value"))
        dialog.get_by_role("button", name="Move", exact=True).click()
        expect(self.live(laptop)).to_contain_text("on Alice's mobile")
        self.thread(mobile, BOB)
        expect(self.live(mobile)).to_contain_text("This device")
        self.say(mobile, "Three")
        expect(bubble(pda, "Three")).to_be_visible()
        expect(mobile.locator(".bubbles .text")).to_have_text(["Before", "One", "Two", "Three"])

        for page in (laptop, mobile):
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                found = Axe().run(page, options={"resultTypes": ["violations"]})
                self.assertEqual(found.violations_count, 0, found.generate_report())

        # And brought back.
        self.live(laptop).get_by_role("button", name="Bring here").click()
        laptop.get_by_role("dialog").get_by_role("button", name="Move", exact=True).click()
        expect(self.live(laptop)).to_contain_text("This device")
        self.say(laptop, "Four")
        expect(bubble(pda, "Four")).to_be_visible()
        self.live(pda).get_by_role("button", name="Leave the conversation").click()
        expect(self.live(laptop)).to_be_hidden()
        expect(laptop.locator(".bubbles .text")).to_have_text(["Before", "One", "Two", "Three", "Four"])
        expect(pda.locator(".bubbles .text")).to_have_text(["Before", "One", "Two", "Three", "Four"])

    def test_a_file_goes_with_a_text_in_its_place_and_to_the_next_device(self):
        pages = self.begin("alice-laptop", "alice-mobile", "bob-pda")
        laptop, mobile, pda = pages["alice-laptop"], pages["alice-mobile"], pages["bob-pda"]
        self.accept(pda)
        answers = []
        laptop.on("response", lambda one: answers.append(one) if one.url.endswith("/v1/messages") else None)
        self.say(laptop, "One")
        self.line(laptop).fill("Two, with a picture")
        laptop.locator("form.line input[type=file]").set_input_files(str(PICTURE))
        self.line(laptop).press("Enter")
        # Only a file, and no words.
        notes = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Nine o'clock"}
        laptop.locator("form.line input[type=file]").set_input_files(notes)
        laptop.locator("form.line").get_by_role("button", name="Send").click()
        self.say(laptop, "Four")
        for page in (pda, laptop):
            expect(bubble(page, "Four")).to_be_visible()
            shown = bubble(page, "Two, with a picture").get_by_role("img", name="harbour.png")
            expect(shown).to_be_visible()
            self.assertGreater(shown.evaluate("async image => { await image.decode(); return image.naturalWidth; }"), 300)
            expect(page.locator(".bubbles > li").nth(3)).to_contain_text("notes.txt")
        # Each has its place among the texts.
        self.assertEqual([one.json()["ordinal"] for one in answers], [1, 2, 3, 4])

        self.live(laptop).get_by_role("button", name="Continue on another device").click()
        self.choose(laptop, "Alice's mobile", "Move")
        expect(self.live(laptop)).to_contain_text("on Alice's mobile")
        self.thread(mobile, BOB)
        expect(bubble(mobile, "Two, with a picture").get_by_role("img", name="harbour.png")).to_be_visible()
        with mobile.expect_download() as download:
            mobile.locator(".bubbles a.file", has_text="notes.txt").click()
        self.assertEqual(download.value.path().read_bytes(), b"Nine o'clock")

    def test_voice_runs_between_the_chosen_devices_and_moves(self):
        pages = self.begin("alice-mobile", "alice-laptop", "bob-pda")
        mobile, laptop, pda = pages["alice-mobile"], pages["alice-laptop"], pages["bob-pda"]
        self.accept(pda)
        # 29-32: Bob adds a voice call; Alice accepts on her laptop.
        self.live(pda).get_by_role("button", name="Add voice").click()
        pda.get_by_role("dialog").get_by_role("button", name="Propose").click()
        self.thread(laptop, BOB)
        self.live(laptop).get_by_role("button", name="Accept").click()
        dialog = laptop.get_by_role("dialog")
        expect(dialog.get_by_label("Device").locator("option").first).to_have_text("Alice's laptop (This device)")
        dialog.get_by_role("button", name="Accept").click()
        self.grows(laptop, "audio")
        self.grows(pda, "audio")
        self.assertEqual(mobile.evaluate("window.connections.length"), 0)
        # The text goes on, between the mobile and the PDA.
        self.say(mobile, "While we talk")
        expect(bubble(pda, "While we talk")).to_be_visible()

        # Held, nothing but silence is sent; then the voice moves to the mobile, and leaves the laptop.
        self.live(mobile).get_by_role("button", name="Move to another device").click()
        mobile.get_by_role("dialog").get_by_role("button", name="Move", exact=True).click()
        self.grows(mobile, "audio")
        self.grows(pda, "audio")
        until("the laptop lets go", lambda: laptop.evaluate(
            "window.connections.every((one) => one.connectionState === 'closed')") or laptop.wait_for_timeout(100))
        self.live(pda).get_by_role("button", name="Remove").click()
        expect(self.live(mobile).locator("[data-medium]")).to_have_count(0)
        until("the mobile lets go", lambda: mobile.evaluate(
            "window.connections.every((one) => one.connectionState === 'closed')") or mobile.wait_for_timeout(100))

    def test_a_request_with_voice_and_video_and_a_rejected_change(self):
        pages = self.begin("alice-laptop", "bob-laptop", button="Talk with video")
        laptop, bob = pages["alice-laptop"], pages["bob-laptop"]
        expect(self.requests(bob)).to_contain_text("With voice, live video")
        self.accept(bob)
        for page in (laptop, bob):
            self.grows(page, "audio")
            self.grows(page, "video")
            # Both media of the two devices share a connection.
            self.assertEqual(page.evaluate("window.connections.filter((one) => one.connectionState === 'connected').length"), 1)
        expect(self.live(laptop).locator("[data-medium=video] video").first).to_be_visible()
        self.live(laptop).locator("[data-medium=video]").get_by_role("button", name="Remove").click()
        expect(self.live(bob).locator("[data-medium=video]")).to_have_count(0)
        self.grows(bob, "audio")
        # A rejected change leaves no trace.
        self.live(bob).get_by_role("button", name="Add live video").click()
        bob.get_by_role("dialog").get_by_role("button", name="Propose").click()
        self.live(laptop).get_by_role("button", name="Decline").click()
        expect(self.live(bob).locator(".changes li")).to_have_count(0)
        expect(self.live(bob).locator("[data-medium]")).to_have_count(1)

    def test_a_stored_video_plays_in_step_on_the_chosen_devices(self):
        pages = self.begin("alice-mobile", "alice-laptop", "bob-pda", "bob-laptop")
        mobile, laptop, pda, bobs = (pages[name] for name in ("alice-mobile", "alice-laptop", "bob-pda", "bob-laptop"))
        self.accept(pda)
        bobs.get_by_role("navigation").get_by_role("link", name="Files").click()
        bobs.locator("main input[type=file]").set_input_files(str(VIDEO))
        expect(bobs.locator(".lines a.file", has_text="harbour.webm")).to_be_visible()
        # 34-41: from the PDA, shown on Bob's laptop; Alice chooses hers.
        self.live(pda).get_by_role("button", name="Show a stored video").click()
        self.choose(pda, "Bob's laptop", "Propose")
        self.live(mobile).get_by_role("button", name="Accept").click()
        self.choose(mobile, "Alice's laptop", "Accept")
        for page in (laptop, bobs):
            self.thread(page, BOB)
            expect(page.locator(".player video")).to_be_visible()
        expect(mobile.locator(".player video")).to_have_count(0)

        laptop.get_by_role("button", name="Play", exact=True).click()
        self.in_step(laptop, bobs, 4)
        # The text goes on between the mobile and the PDA.
        self.say(mobile, "Nice boat")
        expect(bubble(pda, "Nice boat")).to_be_visible()
        bobs.get_by_role("button", name="Pause", exact=True).click()
        self.same_frame(laptop, bobs)
        # Anybody seeks, for all.
        bobs.get_by_label("Position").fill("15")
        until("it was sought", lambda: abs(self.position(laptop) - 15) < 0.2 or laptop.wait_for_timeout(50))
        self.same_frame(laptop, bobs)
        # Who comes late is in step.
        laptop.get_by_role("button", name="Play", exact=True).click()
        bobs.reload()
        self.thread(bobs, ALICE)
        expect(bobs.locator(".player video")).to_be_visible()
        self.in_step(laptop, bobs, 2)

    def test_what_the_others_show_of_their_devices(self):
        pages = self.begin("alice-laptop", "bob-pda")
        laptop, pda = pages["alice-laptop"], pages["bob-pda"]
        self.accept(pda)
        # By default what they can do; Alice allows the list in the demo.
        self.live(pda).get_by_role("button", name="Their devices").click()
        expect(pda.get_by_role("dialog")).to_contain_text("Alice's laptop")
        pda.get_by_role("dialog").get_by_role("button", name="Close").click()
        laptop.get_by_role("navigation").get_by_role("link", name="Devices").click()
        laptop.get_by_label("Who talks with me sees").select_option("nothing")
        shown = pda.get_by_role("dialog")

        def hidden() -> bool:
            self.live(pda).get_by_role("button", name="Their devices").click()
            expect(shown).to_be_visible()
            text = shown.inner_text()
            shown.get_by_role("button", name="Close").click()
            return "Shows nothing" in text

        until("she shows nothing", hidden)

    def test_a_page_killed_in_a_hand_over_and_a_killed_server(self):
        pages = self.begin("alice-laptop", "alice-mobile", "bob-pda")
        laptop, mobile, pda = pages["alice-laptop"], pages["alice-mobile"], pages["bob-pda"]
        self.accept(pda)
        self.say(laptop, "One")
        expect(bubble(pda, "One")).to_be_visible()
        # The mobile never gets to say that it is ready: the conversation stays where it is.
        mobile.evaluate("""() => {
          const ask = window.fetch;
          window.fetch = (place, ...rest) => {
            if (!String(place).endsWith("/leg")) return ask(place, ...rest);
            window.wasAsked = true;
            return new Promise(() => {});
          };
        }""")
        self.live(laptop).get_by_role("button", name="Continue on another device").click()
        dialog = laptop.get_by_role("dialog")
        option = dialog.get_by_label("Device").locator("option", has_text="Alice's mobile").first
        dialog.get_by_label("Device").select_option(option.get_attribute("value"))
        dialog.get_by_role("button", name="Move", exact=True).click()
        until("the mobile is asked", lambda: mobile.evaluate("window.wasAsked") or mobile.wait_for_timeout(50))
        mobile.close()
        self.say(laptop, "Two")
        expect(bubble(pda, "Two")).to_be_visible()
        expect(self.live(laptop)).to_contain_text("This device")

        # The server is killed while both write: all come back, and nothing is lost or doubled.
        self.demo.kill()
        for number in range(3):
            self.say(laptop, f"Laptop {number}")
            self.say(pda, f"PDA {number}")
        self.demo.start()
        for page in (laptop, pda):
            for number in range(3):
                expect(bubble(page, f"Laptop {number}")).to_be_visible(timeout=60_000)
                expect(bubble(page, f"PDA {number}")).to_be_visible(timeout=60_000)
            expect(page.locator(".bubbles > li.waiting")).to_have_count(0)
        seen = laptop.locator(".bubbles .text").all_inner_texts()
        self.assertEqual(pda.locator(".bubbles .text").all_inner_texts(), seen)
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual([one for one in seen if one.startswith("PDA")], ["PDA 0", "PDA 1", "PDA 2"])
        expect(self.live(pda)).to_contain_text("Live with")


if __name__ == "__main__":
    unittest.main()
