"""What goes wrong on the way is said, tried again, and costs nothing that was written or received."""

import json
import pathlib
import tempfile
import unittest

from harness import ALICE, BOB, BROWSER, WORK, BrowserTest, bubble, conversation, expect, send, until

NOTES = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Nine o'clock"}

# While the disk is full nothing comes to be kept: the browser takes it all back.
FULL = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...all) {
  const request = put.apply(this, all);
  const { transaction } = this;
  if (window.isFull && !transaction.isDoomed) queueMicrotask(() => transaction.abort());
  transaction.isDoomed = window.isFull;
  return request;
};
"""


def problem(status: int, detail: str) -> dict:
    """An answer of the server that says no."""
    document = {"type": "about:blank", "title": detail, "status": status, "code": "test", "detail": detail}
    return {"status": status, "content_type": "application/problem+json", "body": json.dumps(document)}


def line(page):
    return page.get_by_label("Message", exact=True)


class Disk(BrowserTest):
    """A browser that keeps what it has on a disk, which may have no room left."""

    def setUp(self) -> None:
        super().setUp()
        self.context.close()
        self.context = self.playwright.chromium.launch_persistent_context(
            f"{self.demo.folder.name}/browser", executable_path=BROWSER, args=["--no-sandbox"], locale="en-GB"
        )
        self.context.set_default_timeout(15_000)
        self.context.add_init_script(FULL)

    def test_what_could_not_be_kept_comes_again(self):
        laptop, mobile, bob = self.open("alice-laptop"), self.open("alice-mobile"), self.open("bob-laptop")
        send(bob, ALICE, text="To be deleted")
        for page in (laptop, mobile):
            conversation(page, "To be deleted").click()
        expect(bubble(laptop, "To be deleted")).to_be_visible()
        unkept = []
        laptop.on("console", lambda one: unkept.append(one) if "could not be kept" in one.text else None)
        self.forgive("could not be kept")
        laptop.evaluate("window.isFull = true")
        bubble(mobile, "To be deleted").get_by_label("More about").click()
        mobile.get_by_role("button", name="Delete everywhere").click()
        expect(bubble(mobile, "To be deleted")).to_have_count(0)
        send(bob, ALICE, text="While the disk was full")
        expect(conversation(mobile, "While the disk was full")).to_be_visible()
        until("the disk was full", lambda: len(unkept) > 2 or laptop.wait_for_timeout(50), 20)
        laptop.evaluate("window.isFull = false")
        expect(conversation(laptop, "While the disk was full")).to_be_visible()
        expect(bubble(laptop, "To be deleted")).to_have_count(0)
        # And so it is on disk, without the server's help.
        laptop.route_web_socket("**/v1/socket", lambda socket: None)
        laptop.reload()
        expect(conversation(laptop, "While the disk was full")).to_be_visible()
        expect(bubble(laptop, "To be deleted")).to_have_count(0)

    def test_what_was_written_is_not_lost_when_it_cannot_be_kept(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "gone.txt"
            file.write_text("Soon gone")
            laptop.locator("a[href='#/messages/new']").click()
            laptop.get_by_label("To", exact=True).fill(BOB)
            line(laptop).fill("With a file that is gone")
            laptop.locator("input[type=file]").set_input_files(str(file))
            expect(laptop.locator(".attachments")).to_contain_text("gone.txt")
            file.unlink()
            laptop.get_by_role("button", name="Send").click()
        waiting = laptop.locator(".outbox li", has_text="With a file that is gone")
        again = waiting.get_by_role("button", name="Try again")
        expect(waiting.get_by_role("alert")).to_contain_text("could not be kept")
        again.click()
        expect(waiting.get_by_role("alert")).to_contain_text("could not be kept")
        # Nothing else has to wait for it.
        send(laptop, BOB, text="Without a file")
        expect(conversation(bob, "Without a file")).to_be_visible()
        waiting.get_by_role("button", name="Cancel").click()
        expect(waiting).to_have_count(0)

    def test_what_was_written_goes_when_there_is_room_again(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        laptop.evaluate("window.isFull = true")
        send(laptop, BOB, text="Too much for this disk")
        waiting = laptop.locator(".outbox li", has_text="Too much for this disk")
        expect(waiting.get_by_role("alert")).to_contain_text("could not be kept")
        laptop.evaluate("window.isFull = false")
        waiting.get_by_role("button", name="Try again").click()
        expect(conversation(bob, "Too much for this disk")).to_be_visible()
        expect(waiting).to_have_count(0)

    def test_a_file_that_changes_after_sending_goes_as_it_was(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "notes.txt"
            file.write_text("As it was")
            held = []
            laptop.route("**/v1/uploads", lambda route: held.append(route))
            send(laptop, BOB, text="With a file", files=[str(file)])
            until("the upload is asked for", lambda: held or laptop.wait_for_timeout(50))
            file.unlink()
            held[0].continue_()
        conversation(bob, "With a file").click()
        with bob.expect_download() as saving:
            bubble(bob, "With a file").locator("a.file").click()
        self.assertEqual(saving.value.path().read_text(), "As it was")


class Sending(BrowserTest):
    def test_an_answer_that_is_none_of_the_server_s_stops_nothing(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        self.forgive("status of 413")
        page = "<html><h1>Too large</h1></html>"
        laptop.route("**/v1/uploads/*", lambda route: route.fulfill(status=413, content_type="text/html", body=page))
        send(laptop, BOB, text="With notes", files=[NOTES])
        waiting = laptop.locator(".outbox li", has_text="With notes")
        expect(waiting.get_by_role("alert")).not_to_be_empty()
        send(laptop, BOB, text="Without notes")
        expect(conversation(bob, "Without notes")).to_be_visible()
        laptop.unroute("**/v1/uploads/*")
        waiting.get_by_role("button", name="Try again").click()
        expect(conversation(bob, "With notes")).to_be_visible()

    def test_an_upload_goes_on_from_where_it_stands(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        self.forgive("status of 409")

        lost = []

        def lose(route) -> None:
            # The piece arrives; the page hears of it only that something else was expected.
            if lost or route.request.method != "PATCH":
                return route.continue_()
            lost.append(route.fetch())
            return route.fulfill(**problem(409, "the upload stands elsewhere"))

        laptop.route("**/v1/uploads/*", lose)
        send(laptop, BOB, text="With notes", files=[NOTES])
        expect(conversation(bob, "With notes")).to_be_visible()
        expect(laptop.locator(".outbox li")).to_have_count(0)

    def test_what_was_cancelled_stays_so_after_a_reload(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        held = []
        laptop.route("**/v1/uploads", lambda route: held.append(route))
        send(laptop, BOB, text="Never mind", files=[NOTES])
        until("the upload is asked for", lambda: held or laptop.wait_for_timeout(50))
        laptop.locator(".outbox li").get_by_role("button", name="Cancel").click()
        expect(laptop.locator(".outbox li")).to_have_count(0)
        with laptop.expect_response("**/v1/uploads"):
            held[0].continue_()
        laptop.unroute("**/v1/uploads")
        laptop.wait_for_timeout(200)
        laptop.reload()
        # Whatever had waited would go first.
        send(laptop, BOB, text="Afterwards")
        expect(conversation(bob, "Afterwards")).to_be_visible()
        conversation(bob, "Afterwards").click()
        expect(bubble(bob, "Afterwards")).to_be_visible()
        expect(bubble(bob, "Never mind")).to_have_count(0)
        expect(laptop.locator(".outbox li")).to_have_count(0)

    def test_what_came_without_its_content_is_asked_for_again(self):
        laptop = self.open("alice-laptop")
        self.forgive("ERR_FAILED")
        asked = []

        def refuse(route) -> None:
            asked.append(route.request.url)
            route.abort()

        laptop.route("**/v1/messages/*", refuse)
        send(laptop, BOB, text="Written here")
        until("the content was asked for", lambda: asked or laptop.wait_for_timeout(50))
        laptop.unroute("**/v1/messages/*")
        self.context.set_offline(True)
        expect(laptop.locator(".banner")).to_be_visible()
        self.context.set_offline(False)
        expect(conversation(laptop, "Written here")).to_be_visible()

    def test_a_conversation_opened_before_its_content_has_its_line_with_it(self):
        laptop = self.open("alice-laptop")
        held = []
        laptop.route("**/v1/messages/*", lambda route: held.append(route))
        send(laptop, BOB, text="Written here")
        until("the content was asked for", lambda: held or laptop.wait_for_timeout(50))
        laptop.locator(".conversations a").first.click()
        expect(laptop.locator(".thread h2")).to_be_visible()
        expect(line(laptop)).to_have_count(0)
        for route in held:
            route.continue_()
        expect(bubble(laptop, "Written here")).to_be_visible()
        expect(line(laptop)).to_be_visible()

    def test_a_listing_of_a_restored_backup_holds_whatever_a_later_number_said(self):
        read = self.open("alice-laptop").evaluate("""async () => {
            const { Mailbox } = await import("/web/js/mailbox.js");
            const mailbox = new Mailbox();
            const item = { created: 1, kind: "message", id: "m", deliver: "whole", message: {} };
            const states = [];
            const look = () => states.push(mailbox.items.get(1).read);
            mailbox.apply({ welcome: { epoch: "a" } });
            mailbox.apply({ changes: [{ ...item, changed: 9, read: true }], upTo: 9 });
            look();
            // What was asked for before is older than what came.
            mailbox.merge({ ...item, changed: 4, read: false });
            look();
            mailbox.apply({ welcome: { epoch: "b" } });
            mailbox.apply({ reset: { epoch: "b", asOf: 3, last: true, items: [{ ...item, changed: 2, read: false }] } });
            look();
            return states;
        }""")
        self.assertEqual(read, [True, True, False])

    def test_what_is_deleted_does_not_come_back_with_a_late_answer(self):
        laptop, mobile = self.open("alice-laptop"), self.open("alice-phone")
        held = []
        laptop.route("**/v1/messages/*", lambda route: held.append((route, route.fetch())))
        send(laptop, BOB, text="Written here")
        until("the content was asked for", lambda: held or laptop.wait_for_timeout(50))
        conversation(mobile, "Written here").click()
        bubble(mobile, "Written here").get_by_label("More about").click()
        mobile.get_by_role("button", name="Delete everywhere").click()
        expect(laptop.locator(".conversations a")).to_have_count(0)
        with laptop.expect_response("**/v1/messages/*"):
            for route, answer in held:
                route.fulfill(response=answer)
        laptop.wait_for_timeout(1000)
        expect(laptop.locator(".conversations a")).to_have_count(0)


class Saying(BrowserTest):
    """Nothing is refused in silence."""

    def refuse(self, page, pattern: str, *methods: str) -> None:
        self.forgive("status of 503")
        page.route(pattern, lambda route: route.fulfill(**problem(503, "Not just now"))
                   if route.request.method in methods else route.continue_())

    def said(self, page) -> None:
        expect(page.get_by_role("alert").filter(has_text="Not just now")).to_be_visible()

    def test_a_choice_that_was_not_kept_is_not_shown(self):
        laptop = self.open("alice-laptop")
        self.refuse(laptop, "**/v1/settings", "PUT")
        self.refuse(laptop, "**/v1/availability", "PUT")
        laptop.get_by_role("link", name="Devices").click()
        told = laptop.get_by_label("Who talks with me sees")
        expect(laptop.locator(".cards li").first).to_be_visible()
        before = told.input_value()
        self.assertNotEqual(before, "nothing")
        told.select_option("nothing")
        self.said(laptop)
        expect(told).to_have_value(before)
        laptop.get_by_role("link", name="Account").click()
        refusal = laptop.get_by_label("Tell them that their message was refused")
        # What a person clicks: the box itself is back before it could be looked at.
        refusal.click()
        self.said(laptop)
        expect(refusal).not_to_be_checked()
        state = laptop.get_by_role("group", name="On all devices").get_by_label("State")
        state.select_option("Busy")
        expect(state).to_have_value("available")

    def test_what_could_not_be_done_to_a_message_is_said(self):
        laptop, bob = self.open("alice-laptop"), self.open("bob-laptop")
        self.refuse(laptop, "**/v1/settings", "PUT")
        self.refuse(laptop, "**/v1/blocked", "PUT")
        self.refuse(laptop, "**/v1/sessions", "POST")
        send(bob, ALICE, text="Hello")
        conversation(laptop, "Hello").click()
        laptop.get_by_role("button", name="Talk live").click()
        self.said(laptop)
        bubble(laptop, "Hello").get_by_label("More about").click()
        # Said until something else is tried.
        laptop.get_by_role("button", name="Delete on this device only").click()
        expect(laptop.get_by_role("alert").filter(has_text="Not just now")).to_have_count(0)
        laptop.get_by_role("button", name="Mute this conversation").click()
        self.said(laptop)
        laptop.get_by_role("button", name="Fetch the whole message").click()
        expect(laptop.get_by_role("alert").filter(has_text="Not just now")).to_have_count(0)
        bubble(laptop, "Hello").get_by_label("More about").click()
        laptop.get_by_role("button", name="Block bob@demo.example").click()
        self.said(laptop)

    def test_off_line_is_said_until_the_connection_is_back(self):
        laptop = self.open("alice-laptop")
        attempts = []
        laptop.on("websocket", lambda one: attempts.append(one))
        self.demo.kill()
        self.forgive("ERR_")
        self.forgive("WebSocket")
        banner = laptop.locator(".banner")
        expect(banner).to_contain_text("Off-line")
        banner.evaluate("""(banner) => {
            window.hidings = 0;
            new MutationObserver(() => { if (banner.hidden) window.hidings += 1; }).observe(banner, { attributes: true });
        }""")
        before = len(attempts)
        until("it was tried again", lambda: len(attempts) > before + 1 or laptop.wait_for_timeout(50), 30)
        self.assertEqual(laptop.evaluate("window.hidings"), 0)
        self.demo.start()
        expect(banner).to_be_hidden(timeout=40_000)

    def test_two_changes_at_once_are_both_kept(self):
        laptop, mobile = self.open("alice-laptop"), self.open("alice-mobile")
        entries = laptop.locator("form.card .lines li")
        for page in (laptop, mobile):
            page.get_by_role("link", name="Account").click()
        for name in ("one", "two", "three"):
            laptop.get_by_label("Address", exact=True).fill(f"{name}@demo.example")
            laptop.get_by_role("button", name="Block", exact=True).click()
            expect(entries.filter(has_text=f"{name}@demo.example")).to_be_visible()
        laptop.evaluate("document.querySelectorAll('form.card .lines button').forEach((one) => one.click())")
        for page in (laptop, mobile):
            expect(page.locator("form.card .lines li")).to_have_count(0)

    def test_a_slow_answer_leaves_the_writer_where_they_are(self):
        laptop, bob = self.open("alice-phone"), self.open("bob-laptop")
        send(bob, f"{ALICE}, {WORK}", text="A view", subject="Postcard", files=[{**NOTES, "name": "view.png", "mimeType": "image/png"}])
        send(bob, ALICE, text="Words only")
        expect(conversation(laptop, "Words only")).to_be_visible()
        expect(conversation(laptop, "Postcard")).to_have_count(0)
        held = []
        laptop.route("**/fetch", lambda route: held.append(route))
        laptop.get_by_role("searchbox").fill("postcard")
        laptop.locator(".found-messages a").click()
        until("the message is fetched", lambda: held or laptop.wait_for_timeout(50))
        laptop.go_back()
        laptop.get_by_role("searchbox").press("Escape")
        conversation(laptop, "Words only").click()
        line(laptop).fill("An answer to the")
        with laptop.expect_response("**/fetch"):
            held[0].continue_()
        expect(conversation(laptop, "Postcard")).to_be_visible()
        laptop.wait_for_timeout(200)
        expect(bubble(laptop, "Words only")).to_be_visible()
        expect(line(laptop)).to_have_value("An answer to the")
        expect(line(laptop)).to_be_focused()

    def test_signing_out_does_not_wait_for_another_window(self):
        first = self.sign_in("bob", "Bob's browser")
        place = first.url.split("#")[0]
        second = self.page("again")
        second.goto(place)
        expect(first.locator(".banner")).to_contain_text("open in another window")
        second.get_by_role("link", name="Account").click()
        second.get_by_role("button", name="Sign this device out").click()
        expect(second.get_by_label("Password")).to_be_visible()
        self.assertEqual(second.evaluate("indexedDB.databases()"), [])


if __name__ == "__main__":
    unittest.main()
