"""What a person does every day besides sending and reading."""

import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import ALICE, BOB, PICTURE, WORK, BrowserTest, bubble, conversation, expect, send


def line(page):
    """The field below the open conversation."""
    return page.get_by_label("Message", exact=True)


class Finding(BrowserTest):
    def test_a_message_is_found_and_opened_where_it_stands(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        send(bob, ALICE, subject="The harbour", text="A lighthouse stands at its mouth")
        send(bob, ALICE, subject="Supper", text="Fish again")
        expect(conversation(laptop, "Supper")).to_be_visible()
        field = laptop.get_by_role("searchbox", name="Search messages")
        field.fill("lighthouse harb")
        results = laptop.locator(".found-messages a")
        expect(results).to_have_count(1)
        expect(results.locator("mark")).to_have_text(["harb", "lighthouse"])
        expect(laptop.locator(".results [role=status]")).to_have_text("1 found")
        results.focus()
        laptop.keyboard.press("Enter")
        expect(bubble(laptop, "A lighthouse")).to_be_focused()
        field.fill("<img src=x onerror=alert(1)>")
        expect(laptop.locator(".results [role=status]")).to_have_text("No message holds all of these words.")
        field.press("Escape")
        expect(conversation(laptop, "Supper")).to_be_visible()

    def test_what_the_rules_kept_away_is_found_and_fetched(self):
        phone, bob = self.open("alice-phone"), self.open("bob-laptop")
        send(bob, ALICE, text="A view", subject="Postcard", files=[str(PICTURE)])
        send(bob, ALICE, text="Words only")
        expect(conversation(phone, "Words only")).to_be_visible()
        expect(conversation(phone, "Postcard")).to_have_count(0)
        phone.get_by_role("searchbox").fill("postcard")
        phone.locator(".found-messages a").click()
        expect(bubble(phone, "A view")).to_be_visible()


class Answering(BrowserTest):
    def test_a_reply_quotes_and_names_what_it_answers(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        send(bob, ALICE, subject="Tomorrow", text="At nine or at ten?")
        conversation(laptop, "Tomorrow").click()
        bubble(laptop, "At nine").get_by_role("button", name="Reply to bob@demo.example").click()
        expect(line(laptop)).to_be_focused()
        expect(laptop.locator(".composer .quote")).to_contain_text("At nine or at ten?")
        line(laptop).fill("At ten")
        line(laptop).press("Enter")
        answer = bubble(laptop, "At ten").last
        expect(answer.locator("h3")).to_have_text("Re: Tomorrow")
        expect(answer).to_contain_text("Delivered")
        expect(laptop.locator(".composer .quote")).to_be_hidden()
        # The other side sees what was answered, and goes there.
        conversation(bob, "Re: Tomorrow").click()
        bob.locator("a.quote").click()
        expect(bob.locator(".found")).to_contain_text("Tomorrow")

    def test_forwarding_uploads_nothing_again(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        send(bob, ALICE, subject="View", text="Look", files=[str(PICTURE)])
        conversation(laptop, "View").click()
        bubble(laptop, "Look").get_by_label("More about").click()
        laptop.get_by_role("link", name="Forward").click()
        expect(laptop.get_by_label("Subject")).to_have_value("Fwd: View")
        expect(laptop.locator(".attachments li")).to_have_count(2)
        uploads = []
        laptop.on("request", lambda request: uploads.append(request.url) if "/uploads" in request.url else None)
        laptop.get_by_label("To", exact=True).fill(BOB)
        laptop.get_by_label("Message", exact=True).fill("Here it is again")
        laptop.get_by_role("button", name="Send").click()
        conversation(bob, "Fwd: View").click()
        received = bubble(bob, "Here it is again")
        expect(received).to_contain_text("Look")
        picture = received.get_by_role("img", name="harbour.png")
        picture.evaluate("image => image.decode()")
        self.assertEqual(uploads, [])


class Drafts(BrowserTest):
    def test_drafts_survive_a_reload_and_go_with_sending(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        send(bob, ALICE, text="Are you coming?")
        conversation(laptop, "Are you coming?").click()
        line(laptop).fill("I think so, but")
        laptop.locator("input[type=file]").set_input_files(str(PICTURE))
        laptop.locator("a[href='#/messages/new']").click()
        expect(conversation(laptop, "Draft: I think so")).to_be_visible()
        laptop.get_by_label("To", exact=True).fill(BOB)
        laptop.get_by_label("Subject").fill("Something else")
        laptop.wait_for_timeout(500)
        laptop.reload()
        expect(laptop.get_by_label("Subject")).to_have_value("Something else")
        expect(laptop.get_by_label("To", exact=True)).to_have_value(BOB)
        laptop.get_by_role("button", name="Discard").click()
        expect(laptop.get_by_label("Subject")).to_have_value("")
        conversation(laptop, "Draft: I think so").click()
        expect(line(laptop)).to_have_value("I think so, but")
        expect(laptop.locator(".attachments")).to_contain_text("harbour.png")
        line(laptop).press("Enter")
        expect(bubble(laptop, "I think so")).to_contain_text("Delivered")
        laptop.reload()
        expect(bubble(laptop, "I think so").get_by_role("img", name="harbour.png")).to_be_visible()
        expect(line(laptop)).to_have_value("")
        expect(laptop.locator(".attachments li")).to_have_count(0)


class Quiet(BrowserTest):
    def test_a_muted_conversation_does_not_pop_up_and_stays_unread(self):
        laptop, mobile, bob = self.open("alice-laptop"), self.open("alice-mobile"), self.open("bob-laptop")
        send(bob, ALICE, text="First")
        conversation(laptop, "First").click()
        mute = laptop.get_by_role("button", name="Mute this conversation")
        mute.click()
        expect(mute).to_have_attribute("aria-pressed", "true")
        expect(conversation(mobile, "First").get_by_label("Muted")).to_be_visible()
        expect(mobile.locator(".popups li")).to_have_count(0)
        conversation(bob, "First").click()
        laptop.get_by_role("link", name="Contacts").click()
        line(bob).fill("Second")
        line(bob).press("Enter")
        expect(conversation(mobile, "Second").get_by_label("1 unread")).to_be_visible()
        self.assertEqual(mobile.locator(".popups li").count(), 0)
        self.assertEqual(laptop.locator(".popups li").count(), 0)
        # Another conversation still does: it is other people who are in it.
        send(bob, f"{ALICE}, {WORK}", text="Third")
        expect(laptop.locator(".popups li")).to_have_count(1)

    def test_do_not_disturb_for_the_person_and_for_a_device(self):
        laptop, mobile, bob = self.open("alice-laptop"), self.open("alice-mobile"), self.open("bob-laptop")
        laptop.get_by_role("link", name="Account").click()
        everywhere = laptop.get_by_role("group", name="On all devices")
        everywhere.get_by_label("State").select_option("Do not disturb")
        for page in (laptop, mobile):
            expect(page.locator("header .state")).to_have_text("Do not disturb")
        everywhere.get_by_label("Until").select_option("In an hour")
        expect(everywhere.get_by_label("Until").locator("option:checked")).not_to_have_text("In an hour")
        send(bob, ALICE, text="Not now")
        expect(conversation(mobile, "Not now")).to_be_visible()
        self.assertEqual(mobile.locator(".popups li").count(), 0)
        everywhere.get_by_label("State").select_option("Available")
        laptop.get_by_role("group", name="On this device").get_by_label("State").select_option("Do not disturb")
        expect(mobile.locator("header .state")).to_be_hidden()
        expect(laptop.locator("header .state")).to_have_text("Do not disturb")
        send(bob, ALICE, text="And now")
        expect(mobile.locator(".popups li")).to_have_count(1)
        self.assertEqual(laptop.locator(".popups li").count(), 0)
        laptop.get_by_role("link", name="Devices").click()
        expect(laptop.locator(".cards .this")).to_contain_text("Do not disturb")

    def test_a_sender_is_blocked_and_taken_back(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        send(bob, ALICE, text="Before")
        conversation(laptop, "Before").click()
        bubble(laptop, "Before").get_by_label("More about").click()
        laptop.get_by_role("button", name="Block bob@demo.example").click()
        laptop.get_by_role("link", name="Account").click()
        entry = laptop.get_by_role("button", name="Unblock bob@demo.example")
        expect(entry).to_be_visible()
        send(bob, ALICE, text="While blocked")
        expect(conversation(bob, "While blocked")).to_be_visible()
        laptop.get_by_label("Address", exact=True).fill("not an address")
        laptop.get_by_role("button", name="Block", exact=True).click()
        expect(laptop.get_by_role("alert").filter(has_text="address")).to_be_visible()
        self.complaints.clear()
        entry.click()
        expect(entry).to_have_count(0)
        send(bob, ALICE, text="Afterwards")
        laptop.get_by_role("link", name="Messages").click()
        expect(conversation(laptop, "Afterwards")).to_be_visible()
        expect(conversation(laptop, "While blocked")).to_have_count(0)


class Files(BrowserTest):
    def test_files_are_stored_sent_without_an_upload_downloaded_and_deleted(self):
        laptop, mobile, bob = self.open("alice-laptop"), self.open("alice-mobile"), self.open("bob-laptop")
        laptop.get_by_role("link", name="Files").click()
        laptop.locator("input[type=file]").set_input_files(
            [
                {"name": "harbour.png", "mimeType": "image/png", "buffer": PICTURE.read_bytes()},
                {"name": "<i>notes.txt", "mimeType": "text/plain", "buffer": b"Remember"},
            ]
        )
        expect(laptop.get_by_role("link", name="harbour.png")).to_be_visible()
        notes = laptop.get_by_role("link", name="<i>notes.txt")
        with laptop.expect_download() as download:
            notes.click()
        self.assertEqual(download.value.path().read_bytes(), b"Remember")
        mobile.get_by_role("link", name="New message").click()
        mobile.get_by_role("button", name="Attach from my files").click()
        mobile.get_by_role("dialog").get_by_role("button", name="harbour.png").click()
        uploads = []
        mobile.on("request", lambda request: uploads.append(request.url) if "/uploads" in request.url else None)
        mobile.get_by_label("To", exact=True).fill(BOB)
        mobile.get_by_role("button", name="Send").click()
        bob.locator(".conversations a").first.click()
        bob.get_by_role("img", name="harbour.png").evaluate("image => image.decode()")
        self.assertEqual(uploads, [])
        # A part of a message is saved just so, and the page stays.
        with bob.expect_download() as download:
            bob.get_by_role("link", name="harbour.png").click()
        self.assertEqual(download.value.suggested_filename, "harbour.png")
        self.assertEqual(download.value.path().read_bytes(), PICTURE.read_bytes())
        expect(bob.get_by_role("link", name="harbour.png")).to_be_visible()
        laptop.on("dialog", lambda dialog: dialog.accept())
        laptop.get_by_role("button", name="Delete <i>notes.txt").click()
        expect(notes).to_have_count(0)

    def test_an_upload_is_paused_gone_on_with_and_cancelled(self):
        laptop = self.open("alice-laptop")
        # Slow enough to be stopped on its way.
        session = self.context.new_cdp_session(laptop)
        network = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 3_000_000}
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", network)
        laptop.get_by_role("link", name="Files").click()
        large = {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": b"\x07" * 12_000_000}
        laptop.locator("input[type=file]").set_input_files([large])
        bar = laptop.get_by_role("progressbar")
        while bar.evaluate("bar => bar.value") < 4_500_000:
            laptop.wait_for_timeout(20)
        laptop.get_by_role("button", name="Pause").click()
        expect(laptop.get_by_text("Paused")).to_be_visible()
        stood = bar.evaluate("bar => bar.value")
        laptop.wait_for_timeout(500)
        self.assertEqual(bar.evaluate("bar => bar.value"), stood)
        # It is still held after a reload, and goes on where it stood.
        laptop.reload()
        offsets = []
        laptop.on("request", lambda request: offsets.append(int(request.headers["upload-offset"])) if request.method == "PATCH" else None)
        laptop.get_by_role("button", name="Go on").click()
        expect(laptop.get_by_role("link", name="large.bin")).to_be_visible(timeout=30_000)
        self.assertGreaterEqual(min(offsets), 4_000_000)
        laptop.locator("input[type=file]").set_input_files([{**large, "name": "unwanted.bin"}])
        session.send("Network.emulateNetworkConditions", network)
        laptop.get_by_role("button", name="Cancel").click()
        expect(bar).to_have_count(0)
        laptop.wait_for_timeout(300)
        self.assertEqual(laptop.get_by_role("link", name="unwanted.bin").count(), 0)


class Composing(BrowserTest):
    def drop(self, page, kind: str) -> None:
        """Lets go of a file over the form, or pastes it there."""
        page.evaluate(
            """async ([kind, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], kind + "ped.png", { type: "image/png" }));
                const form = document.querySelector(".composer");
                form.dispatchEvent(kind === "drop"
                    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
            }""",
            [kind, list(PICTURE.read_bytes())],
        )

    def test_files_are_dropped_and_pasted_with_thumbnails(self):
        laptop = self.open("alice-laptop")
        laptop.get_by_role("link", name="New message").click()
        self.drop(laptop, "drop")
        self.drop(laptop, "paste")
        chosen = laptop.locator(".attachments li")
        expect(chosen).to_have_count(2)
        for number in range(2):
            thumbnail = chosen.nth(number).locator("canvas")
            while not thumbnail.evaluate("one => one.getContext('2d').getImageData(20, 20, 1, 1).data[3]"):
                laptop.wait_for_timeout(20)
        laptop.get_by_role("button", name="Remove dropped.png").click()
        expect(chosen).to_have_count(1)

    def test_a_film_is_asked_for_in_ranges(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        film = {"name": "film.webm", "mimeType": "video/webm", "buffer": b"\x1a\x45\xdf\xa3" + bytes(600_000)}
        send(bob, ALICE, text="A film", files=[film])
        conversation(laptop, "A film").click()
        video = bubble(laptop, "A film").locator("video")
        expect(video).to_be_visible()
        answer = laptop.evaluate(
            """async (source) => {
                const answer = await fetch(source, { headers: { range: "bytes=1000-1999" } });
                return [answer.status, answer.headers.get("content-range"), (await answer.arrayBuffer()).byteLength];
            }""",
            video.get_attribute("src"),
        )
        self.assertEqual(answer, [206, "bytes 1000-1999/600004", 1000])

    def test_lists_of_contacts_receive_and_make_rules(self):
        bob, laptop = self.open("bob-laptop"), self.open("alice-laptop")
        bob.get_by_role("link", name="Contacts").click()
        for name, address, lists in (("Alice", ALICE, "crew"), ("Me", BOB, "crew, home")):
            bob.get_by_role("button", name="New contact").click()
            bob.get_by_label("Name").fill(name)
            bob.get_by_label("Addresses").fill(address)
            bob.get_by_label("Lists").fill(lists)
            bob.get_by_role("button", name="Save").click()
            expect(bob.locator(".cards li", has_text=name)).to_be_visible()
        bob.get_by_role("button", name="home (1)").click()
        expect(bob.locator(".cards li")).to_have_count(1)
        send(bob, "crew", text="All hands")
        expect(conversation(laptop, "All hands")).to_be_visible()
        expect(conversation(bob, "All hands").get_by_label("1 unread")).to_be_visible()
        bob.get_by_role("link", name="Rules").click()
        bob.get_by_role("button", name="New rule").click()
        bob.get_by_label("Name of the rule").fill("crew")
        bob.get_by_role("group", name="From people on my lists").get_by_label("crew").check()
        bob.get_by_label("They get").select_option("nothing")
        bob.get_by_role("button", name="Save").click()
        expect(bob.locator(".rules > li")).to_contain_text(["from the list crew: nothing"])
        bob.get_by_role("button", name="Change the rule crew").click()
        bob.get_by_role("group", name="While I am").get_by_label("Available").check()
        bob.get_by_role("button", name="Save").click()
        expect(bob.locator(".rules > li")).to_contain_text(["from the list crew; while I am: Available: nothing"])
        bob.get_by_label("A message from").fill(ALICE)
        bob.get_by_role("button", name="What would happen?").click()
        expect(bob.locator("form .cards li").first).to_contain_text("nothing")


class Camera(BrowserTest):
    @classmethod
    def setUpClass(cls) -> None:
        cls.start_browser(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])

    def test_a_picture_is_taken_and_sent(self):
        self.context.grant_permissions(["camera"])
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        laptop.get_by_role("link", name="New message").click()
        laptop.get_by_role("button", name="Take a picture").click()
        laptop.get_by_role("button", name="Take the picture").click()
        expect(laptop.locator(".attachments li")).to_contain_text("Picture")
        expect(laptop.get_by_role("dialog")).to_have_count(0)
        laptop.get_by_label("To", exact=True).fill(BOB)
        laptop.get_by_role("button", name="Send").click()
        bob.locator(".conversations a").first.click()
        taken = bob.locator("figure img")
        taken.evaluate("image => image.decode()")
        self.assertGreater(taken.evaluate("image => image.naturalWidth"), 300)

    def test_the_browser_is_asked_what_it_can_do(self):
        page = self.context.new_page()
        page.goto(f"{self.demo.url}/")
        expect(page.get_by_label("Name of this device")).to_have_value("Chromium, Linux")
        expect(page.get_by_label("Kind of device")).to_have_value("computer")
        expect(page.locator("form")).to_contain_text("Can do: text, sound, video, camera, microphone, notifications, screen")
        page.get_by_label("Address").fill(BOB)
        page.get_by_label("Password").fill("demo-password")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Devices").click()
        expect(page.locator(".cards .this")).to_contain_text("camera")

    def test_a_phone_is_offered_as_one(self):
        with self.browser.new_context(**self.playwright.devices["Pixel 5"], locale="en-GB") as context:
            page = context.new_page()
            page.goto(f"{self.demo.url}/")
            expect(page.get_by_label("Kind of device")).to_have_value("mobile")


class Access(BrowserTest):
    def test_what_is_new_has_no_faults_that_axe_knows(self):
        bob = self.open("bob-laptop")
        send(bob, ALICE, subject="The harbour", text="A lighthouse", files=[str(PICTURE)])
        for scheme in ("light", "dark"):
            for width in (1100, 360):
                page = self.open("alice-laptop")
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size({"width": width, "height": 760})
                with self.subTest(scheme=scheme, width=width):
                    self.check(page, "Files", lambda: page.get_by_role("link", name="Files").click())
                    page.get_by_role("link", name="Messages").click()
                    self.check(page, "search", lambda: page.get_by_role("searchbox").fill("harbour"))
                    page.locator(".found-messages a").click()
                    self.check(page, "reply", lambda: bubble(page, "lighthouse").get_by_role("button", name="Reply").click())
                    self.check(page, "menu", lambda: bubble(page, "lighthouse").get_by_label("More about").click())
                    self.check(page, "forward", lambda: page.get_by_role("link", name="Forward").click())
                    self.check(page, "dialog", lambda: page.get_by_role("button", name="Attach from my files").click())
                page.close()

    def check(self, page, name: str, go) -> None:
        go()
        page.wait_for_timeout(300)
        found = Axe().run(page)
        self.assertEqual(found.violations_count, 0, f"{name}: {found.generate_report()}")


if __name__ == "__main__":
    unittest.main()
