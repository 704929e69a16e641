"""Contacts, rules and devices, as a person sets them."""

import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import ALICE, BrowserTest, bubble, conversation, expect, send

PAGES = ["Messages", "Contacts", "Rules", "Devices", "Account"]


class People(BrowserTest):
    def test_contacts_are_on_every_device_and_help_with_writing(self):
        laptop, mobile = self.open("bob-laptop"), self.open("bob-mobile")
        laptop.get_by_role("link", name="Contacts").click()
        mobile.get_by_role("link", name="Contacts").click()
        laptop.get_by_role("button", name="New contact").click()
        laptop.get_by_label("Name").fill("Alice <b>Liddell</b>")
        laptop.get_by_label("Addresses").fill("alice@demo.example, alice.work@demo.example")
        laptop.get_by_label("Lists").fill("friends")
        laptop.get_by_role("button", name="Save").click()
        for page in (laptop, mobile):
            expect(page.locator(".cards li")).to_contain_text("Alice <b>Liddell</b>")
        mobile.get_by_role("link", name="Messages").click()
        mobile.get_by_role("link", name="New message").click()
        # Two addresses, and the list.
        expect(mobile.locator("#known-people option")).to_have_count(3)
        laptop.get_by_role("button", name="Remove Alice").click()
        expect(laptop.locator(".cards li")).to_have_count(0)

    def test_rules_read_as_sentences_and_can_be_tried(self):
        laptop, phone, bob = self.open("alice-laptop"), self.open("alice-phone"), self.open("bob-laptop")
        laptop.get_by_role("link", name="Rules").click()
        business = laptop.locator(".rules > li").first
        expect(business).to_contain_text("to alice.work@demo.example; except on: Computer: nothing")
        laptop.get_by_role("button", name="New rule").click()
        laptop.get_by_label("Name of the rule").fill("quiet desk")
        laptop.get_by_label("From", exact=True).fill("bob@demo.example")
        laptop.get_by_label("Fixed phone").check()
        laptop.get_by_label("They get").select_option("nothing")
        laptop.get_by_role("button", name="Save").click()
        expect(laptop.locator(".rules > li").last).to_contain_text("from bob@demo.example; on: Fixed phone: nothing")
        laptop.get_by_label("A message from").fill("bob@demo.example")
        laptop.get_by_role("button", name="What would happen?").click()
        tried = laptop.locator("form .cards li")
        expect(tried.filter(has_text="Alice's fixed phone").first).to_contain_text("quiet desk")
        expect(tried.filter(has_text="Alice's laptop").first).to_contain_text("the whole message")
        send(bob, ALICE, text="Not on the desk")
        laptop.get_by_role("link", name="Messages").click()
        expect(conversation(laptop, "Not on the desk")).to_be_visible()
        expect(conversation(phone, "Not on the desk")).to_have_count(0)

    def test_a_device_is_renamed_and_revoked(self):
        laptop, pda = self.open("bob-laptop"), self.open("bob-pda")
        laptop.get_by_role("link", name="Devices").click()
        # There is one for terminals as well, which nobody uses now.
        card = laptop.locator(".cards li", has_text="Bob's PDA").filter(has_text="Connected")
        expect(card).to_be_visible()
        laptop.once("dialog", lambda dialog: dialog.accept("Old PDA"))
        card.get_by_role("button", name="Rename").click()
        card = laptop.locator(".cards li", has_text="Old PDA")
        expect(card).to_be_visible()
        # The page of the demo signs in again by itself: what counts is that the old registration is gone.
        laptop.once("dialog", lambda dialog: dialog.accept())
        card.get_by_role("button", name="Revoke").click()
        expect(laptop.locator(".cards li", has_text="Old PDA")).to_have_count(0)
        expect(pda.get_by_role("heading", name="Bob's PDA")).to_be_visible()


class Access(BrowserTest):
    def test_no_page_has_faults_that_axe_knows(self):
        for scheme in ("light", "dark"):
            for width in (1100, 360):
                page = self.open("alice-laptop")
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size({"width": width, "height": 760})
                for name in PAGES:
                    with self.subTest(scheme=scheme, width=width, page=name):
                        page.get_by_role("link", name=name).click()
                        page.wait_for_timeout(300)
                        found = Axe().run(page)
                        self.assertEqual(found.violations_count, 0, found.generate_report())
                page.close()

    def test_a_message_is_written_and_answered_with_the_keyboard_alone(self):
        bob, laptop = self.open("bob-laptop"), self.open("alice-laptop")
        bob.get_by_role("link", name="New message").focus()
        bob.keyboard.press("Enter")
        bob.get_by_label("To", exact=True).focus()
        bob.keyboard.type("alice@demo.example")
        bob.keyboard.press("Tab")
        bob.keyboard.type("Keys")
        bob.keyboard.press("Tab")
        bob.keyboard.type("No mouse")
        # Past what can be attached; the draft can be discarded before it is sent.
        for name in ("Attach files", "Take a picture", "Attach from my files", "Discard", "Send"):
            bob.keyboard.press("Tab")
            expect(bob.get_by_role("button", name=name)).to_be_focused()
        bob.keyboard.press("Enter")
        conversation(laptop, "Keys").focus()
        laptop.keyboard.press("Enter")
        expect(bubble(laptop, "No mouse")).to_be_visible()
        laptop.get_by_label("Message", exact=True).focus()
        laptop.keyboard.type("Indeed")
        laptop.keyboard.press("Enter")
        expect(bubble(laptop, "Indeed")).to_contain_text("Delivered")


if __name__ == "__main__":
    unittest.main()
