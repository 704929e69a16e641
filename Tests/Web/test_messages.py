"""The story of a message, on six pages that are six devices."""

import unittest

from harness import ALICE, BOB, PICTURE, WORK, BrowserTest, bubble, conversation, expect, send

UNREAD = "1 unread"


class Messages(BrowserTest):
    def six(self):
        names = ["alice-mobile", "alice-phone", "alice-laptop", "bob-mobile", "bob-pda", "bob-laptop"]
        return [self.open(name) for name in names]

    def test_story(self):
        mobile, phone, laptop, bobs_mobile, bobs_pda, bobs = self.six()
        send(bobs, ALICE, text="Look at this", subject="The harbour", files=[str(PICTURE)])

        # It comes as her rules say: pictures do not go to the fixed phone.
        for page in (mobile, laptop):
            expect(conversation(page, "The harbour").get_by_label(UNREAD)).to_be_visible()
            expect(page.locator(".popups")).to_contain_text("New message from bob@demo.example")
        expect(phone.locator(".conversations")).to_contain_text("No messages yet")
        # What he sent shows on his other devices.
        for page in (bobs_mobile, bobs_pda, bobs):
            conversation(page, "The harbour").click()
            expect(bubble(page, "The harbour")).to_contain_text("Delivered")

        # Read on one is read on all; the pop-up elsewhere is withdrawn.
        conversation(laptop, "The harbour").click()
        picture = bubble(laptop, "The harbour").get_by_role("img", name="harbour.png")
        expect(picture).to_be_visible()
        picture.evaluate("image => image.decode()")
        self.assertEqual(picture.evaluate("image => image.naturalWidth > 100"), True)
        expect(conversation(mobile, "The harbour")).to_be_visible()
        expect(conversation(mobile, "The harbour").get_by_label(UNREAD)).to_have_count(0)
        expect(mobile.locator(".popups li")).to_have_count(0)
        for page in (bobs_mobile, bobs_pda, bobs):
            expect(bubble(page, "The harbour")).to_contain_text("Read")

        # Deleted on the mobile only: a notice stays, and the whole can be fetched again.
        conversation(mobile, "The harbour").click()
        bubble(mobile, "The harbour").get_by_label("More about").click()
        mobile.get_by_role("button", name="Delete on this device only").click()
        expect(bubble(mobile, "not fetched to this device")).to_be_visible()
        expect(bubble(laptop, "Look at this")).to_be_visible()
        mobile.get_by_role("button", name="Fetch the whole message").click()
        expect(bubble(mobile, "Look at this")).to_be_visible()

        # Deleted everywhere: gone from hers, still on his.
        bubble(laptop, "The harbour").get_by_label("More about").click()
        laptop.get_by_role("button", name="Delete everywhere").click()
        for page in (mobile, laptop):
            expect(bubble(page, "The harbour")).to_have_count(0)
        expect(bubble(bobs, "The harbour")).to_be_visible()

    def test_business_mail_goes_to_the_laptop_only(self):
        mobile, phone, laptop, _, _, bobs = self.six()
        send(bobs, WORK, text="The contract")
        expect(conversation(laptop, "The contract")).to_be_visible()
        send(bobs, ALICE, text="What came after it")
        for page in (mobile, phone):
            expect(conversation(page, "What came after it")).to_be_visible()
            expect(conversation(page, "The contract")).to_have_count(0)

    def test_a_device_that_was_away_catches_up_and_sends_what_waited(self):
        mobile, bobs = self.open("alice-mobile"), self.open("bob-laptop")
        send(bobs, ALICE, text="Before the tunnel")
        conversation(mobile, "Before the tunnel").click()
        expect(bubble(mobile, "Before the tunnel")).to_be_visible()
        self.context.set_offline(True)
        try:
            expect(mobile.get_by_role("status")).to_contain_text("Off-line")
            line = mobile.get_by_label("Message", exact=True)
            line.fill("Written in the tunnel")
            line.press("Enter")
            expect(bubble(mobile, "Written in the tunnel")).to_contain_text("Waiting to be sent")
        finally:
            self.context.set_offline(False)
        expect(bubble(mobile, "Written in the tunnel")).to_contain_text("Delivered")
        conversation(bobs, "Written in the tunnel").click()
        expect(bubble(bobs, "Written in the tunnel")).to_have_count(1)

    def test_what_a_device_holds_survives_a_reload(self):
        mobile, bobs = self.open("alice-mobile"), self.open("bob-laptop")
        send(bobs, ALICE, text="Kept on disk")
        expect(conversation(mobile, "Kept on disk")).to_be_visible()
        # Without the server's help: no frame comes after the reload.
        mobile.route_web_socket("**/v1/socket", lambda socket: None)
        mobile.reload()
        expect(conversation(mobile, "Kept on disk")).to_be_visible()

    def test_hostile_content_is_text(self):
        mobile, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        mobile.on("dialog", lambda dialog: self.complaints.append("a dialog opened"))
        markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
        script = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)"><script>alert(4)</script></svg>'
        name = "<b>..%2fpicture.png.exe.svg"
        send(
            bobs,
            ALICE,
            text=markup,
            subject=markup,
            files=[{"name": name, "mimeType": "image/svg+xml", "buffer": script}],
        )
        conversation(mobile, "onerror").click()
        received = bubble(mobile, "onerror").last
        expect(received.locator("h3")).to_have_text(markup)
        expect(received.locator("p.text")).to_have_text(markup)
        expect(received.locator("img, script, b, svg:not(.icon)")).to_have_count(0)
        expect(received.locator("a.file")).to_have_attribute("download", name)
        # Opened by itself, it is not run either.
        answer = mobile.evaluate(
            """async (source) => {
                const answer = await fetch(source);
                return [answer.status, answer.headers.get("content-disposition"),
                        answer.headers.get("x-content-type-options"), answer.headers.get("content-security-policy")];
            }""",
            received.locator("a.file").get_attribute("href"),
        )
        self.assertEqual(answer[0], 200)
        self.assertTrue(answer[1].startswith("attachment"))
        self.assertEqual(answer[2], "nosniff")
        self.assertIn("sandbox", answer[3])

    def test_a_megabyte_of_emoji(self):
        laptop, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        send(bobs, ALICE, subject="Emoji", text="👩‍👩‍👧‍👦" * 40_000)
        expect(conversation(laptop, "Emoji")).to_be_visible(timeout=30_000)
        conversation(laptop, "Emoji").click()
        # Too long for a line of a conversation: it goes as a file.
        expect(bubble(laptop, "Emoji").locator("a.file")).to_contain_text("1MB")

    def test_inbox_and_sent_list_messages_one_by_one(self):
        alice, bob = self.open("alice-laptop"), self.open("bob-laptop")
        send(bob, ALICE, subject="First", text="a")
        send(bob, ALICE, subject="Second", text="b")
        send(alice, BOB, subject="Third", text="c")
        expect(conversation(alice, "Third")).to_be_visible()
        alice.get_by_role("button", name="Inbox").click()
        rows = alice.locator(".box-list.inbox a")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("Second")
        expect(rows.first.get_by_role("img", name="Unread")).to_be_visible()
        # It is opened where it stands, and read then.
        rows.last.click()
        expect(bubble(alice, "First")).to_be_focused()
        expect(alice.locator(".box-list.inbox").get_by_role("img", name="Unread")).to_have_count(0)
        # With the keyboard from one to the next.
        rows.first.focus()
        alice.keyboard.press("ArrowDown")
        expect(rows.last).to_be_focused()
        # What was sent from another device is there too, with what became of it.
        bob.get_by_role("button", name="Sent").click()
        expect(bob.locator(".box-list.sent a")).to_have_count(2)
        expect(bob.locator(".box-list.sent").get_by_role("img", name="alice@demo.example: Read")).to_have_count(2)
        mobile = self.open("bob-mobile")
        mobile.get_by_role("button", name="Sent").click()
        expect(mobile.locator(".box-list.sent a").first).to_contain_text("Second")

    def test_an_open_menu_stays_open_when_the_message_moves_on(self):
        bobs, alices = self.open("bob-laptop"), self.open("alice-laptop")
        send(bobs, ALICE, text="Seen?")
        conversation(bobs, "Seen?").click()
        bubble(bobs, "Seen?").get_by_label("More about").click()
        expect(bobs.get_by_role("button", name="Delete everywhere")).to_be_visible()
        bobs.get_by_role("button", name="Delete everywhere").focus()
        conversation(alices, "Seen?").click()
        expect(bubble(bobs, "Seen?")).to_contain_text("Read")
        expect(bobs.get_by_role("button", name="Delete everywhere")).to_be_visible()
        # Whoever was at a choice is at it still.
        expect(bobs.get_by_role("button", name="Delete everywhere")).to_be_focused()


class Pages(BrowserTest):
    def test_the_policy_is_strict_and_only_the_demo_is_framed(self):
        page = self.context.new_page()
        policy = page.goto(f"{self.demo.url}/d/mine/").headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        framed = page.goto(f"{self.demo.url}/demo/d/bob-pda/").headers["content-security-policy"]
        self.assertIn("frame-ancestors 'self'", framed)
        self.assertEqual(page.goto(f"{self.demo.url}/d/Not%20a%20name/").status, 404)
        self.assertEqual(page.goto(f"{self.demo.url}/web/../Package.swift").status, 404)

    def test_the_first_load_is_small(self):
        page = self.context.new_page()
        sizes: list[int] = []
        page.on("response", lambda answer: sizes.append(len(answer.body())))
        page.goto(f"{self.demo.url}/", wait_until="networkidle")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        self.assertLess(sum(sizes), 150_000)

    def test_signing_in_by_hand_and_out_again(self):
        page = self.context.new_page()
        page.goto(f"{self.demo.url}/")
        page.get_by_label("Address").fill(BOB)
        page.get_by_label("Password").fill("wrong")
        page.get_by_label("Name of this device").fill("Bob's browser")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).not_to_be_empty()
        page.get_by_label("Password").fill("demo-password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Bob's browser")).to_be_visible()
        page.get_by_role("link", name="Devices").click()
        expect(page.locator(".cards .this")).to_contain_text("Connected")
        page.get_by_role("link", name="Account").click()
        page.get_by_role("button", name="Sign this device out").click()
        expect(page.get_by_label("Password")).to_be_visible()

    def test_words_of_another_language(self):
        with self.browser.new_context(locale="de-DE") as context:
            page = context.new_page()
            page.goto(f"{self.demo.url}/")
            expect(page.get_by_role("button", name="Anmelden")).to_be_visible()


if __name__ == "__main__":
    unittest.main()
