import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import NIOHTTP1

/// Steps 1 to 10: a message, from one person to every device of another.
extension Stage {
    static let subject = "Holidays"
    static let words = "The harbour, and the quay behind it"

    /// 1
    func contacts() async throws -> String {
        let made = try await run("contacts", "add", "Alice", Self.alice, "--device", "bob-mobile")
        guard made.status == 0 else { throw TourFailure("no contact: \(made.text)") }
        let laptop = try page("bob-laptop")
        try await laptop.run("location.hash = '#/contacts'")
        try await laptop.until("Alice among the contacts", "tour.shows('.cards li', \(quoted(Self.alice)))")
        return "Alice, added on Bob's mobile, is among the contacts of his laptop"
    }

    /// 2
    func compose() async throws -> String {
        let laptop = try page("bob-laptop")
        try await laptop.run("location.hash = '#/messages/new'")
        // Her name: the page looks the address up in the contacts.
        for (field, text) in [("To", "Alice"), ("Subject", Self.subject), ("Message", Self.words)] {
            try await laptop.until(field, "tour.fill(\(quoted(field)), \(quoted(text)))")
        }
        try await laptop.give(pictures, to: "form.composer input[type=file]")
        let names = try await laptop.until(
            "both pictures",
            "(() => { const all = tour.texts('.attachments li'); return all.length === 2 && all; })()"
        )
        let shown = names.strings.compactMap { $0.split(separator: "\n").first.map(String.init) }
        return "to Alice, '\(Self.subject)', text, and pictures: \(shown.joined(separator: ", "))"
    }

    /// 3
    func submit() async throws -> String {
        let laptop = try page("bob-laptop")
        try await laptop.until("sending", "tour.press('Send', 'form.composer')")
        let sent = try await eventually("the message in what Bob sent") { () async throws -> ItemDocument? in
            try await self.sent(Self.subject)
        }
        (message, conversation) = (sent.message?.id, sent.conversation)
        // A retry: the same client id, twice.
        let id = try await client("bob-mobile").newMessageID().description
        var answers: [String] = []
        for _ in 0..<2 {
            let answer = try await run(
                "send",
                Self.alice,
                "--text",
                "Once",
                "--id",
                id,
                "--device",
                "bob-mobile",
                "--json"
            )
            answers.append(answer.text)
        }
        guard answers[0].contains("\"repeated\":false"), answers[1].contains("\"repeated\":true") else {
            throw TourFailure("a repeated submission: \(answers)")
        }
        let copies = try await client("bob-mobile").messages(box: "sent").items.filter { $0.id == id }
        guard copies.count == 1 else { throw TourFailure("\(copies.count) messages of one id") }
        return "\(sent.id) with \(sent.message?.parts.count ?? 0) parts; the same client id twice is one message"
    }

    private func sent(_ subject: String) async throws -> ItemDocument? {
        try await client("bob-mobile").messages(box: "sent").items.first { $0.message?.subject == subject }
    }

    /// 4
    func rights() async throws -> String {
        let bob = try client("bob-mobile")
        let before = try await bob.account().balance
        try await credit(-before)
        let sent = try await bob.messages(box: "sent").items.count
        let refused = try await run("send", Self.alice, "--text", "On tick", "--device", "bob-mobile")
        let (after, balance) = (try await bob.messages(box: "sent").items.count, try await bob.account().balance)
        try await credit(before)
        guard refused.status == 1, refused.text.contains("credit") else {
            throw TourFailure("without credit: \(refused.status) \(refused.text)")
        }
        guard after == sent, balance == 0 else { throw TourFailure("refused, and stored or charged") }
        let charged = try await bob.ledger().lines.filter { $0.message == message }
        guard charged.map(\.amount) == [-Self.tariff.perReceiver] else {
            throw TourFailure("charged \(charged.map(\.amount)) for one message")
        }
        return "without credit: '\(refused.text.firstLine)', nothing stored or charged; with it: charged once, 1"
    }

    func credit(_ amount: Int64) async throws {
        _ = try await b.client().send(
            .POST,
            "/operator/accounts/\(segment(Self.bob))/credit",
            CreditRequest(amount: amount),
            as: AccountDocument.self
        )
    }

    /// 5
    func forward() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        let alice = try client("alice-mobile")
        _ = try await eventually("the message at Alice's provider") { try? await alice.message(message) }
        // Her provider is away: the next one waits, and arrives once it is back.
        a.stop()
        let sent = try await run("send", Self.alice, "--text", "Later", "--device", "bob-mobile", "--json")
        guard sent.status == 0 else { throw TourFailure("not taken while the other side is away: \(sent.text)") }
        let waiting = try await client("bob-mobile").messages(box: "sent").items.first
        guard waiting?.receivers?.first?.state == "pending" else {
            throw TourFailure("not waiting: \(waiting?.receivers?.first?.state ?? "?")")
        }
        try await a.start()
        let all = try await eventually("'Later', once Alice's provider is back") {
            let texts = try await alice.messages(box: "inbox").items.compactMap { $0.message?.parts.first?.text }
            return texts.contains("Later") ? texts : nil
        }
        guard all.filter({ $0 == "Later" }).count == 1, all.filter({ $0 == "Once" }).count == 1 else {
            throw TourFailure("lost or doubled: \(all)")
        }
        return "a.example has it; what was sent while a.example was down waited, and arrived once"
    }

    /// 6
    func sentbox() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        let copy = try await terminal("bob-mobile").hear("arrived", "the sent message") {
            $0.item?.id == message.description && $0.item?.boxes == ["sent"]
        }
        let pda = try page("bob-pda")
        try await pda.run("location.hash = '#/messages'")
        try await pda.until("the sent message", "tour.shows('.conversations a', \(quoted(Self.alice)))")
        return "in Bob's sentbox; his mobile has it \(copy.item?.deliver.map { "\($0)" } ?? "?"), his PDA shows it"
    }

    /// 7
    func decisions() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        let entries = try await client("alice-mobile").decisions(message).devices
        let lines = entries.map { "\($0.label): \($0.deliver) (\($0.because))" }
        guard entries.contains(where: { $0.kind == .mobile && $0.because.contains("pictures") }) else {
            throw TourFailure("no rule decided: \(lines)")
        }
        return lines.joined(separator: "; ")
    }

    /// 8
    func registered() async throws -> String {
        let names = try await eventually("three devices of Alice's connected") {
            let all = try await client("alice-mobile").devices().filter { $0.isConnected && $0.isRegistered }
            return all.count >= 3 ? all.map(\.device.label) : nil
        }
        return "registered and there: \(names.sorted().joined(separator: ", "))"
    }

    /// 9
    func delivery() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        let notice = try await terminal("alice-mobile").hear("arrived", "the notification") {
            $0.item?.id == message.description
        }
        guard let told = notice.item?.notice, notice.item?.message == nil else {
            throw TourFailure("Alice's mobile got it whole, against her rule")
        }
        let laptop = try page("alice-laptop")
        // Nobody opens it before step 11.
        try await laptop.until("Bob's message", "tour.shows('.conversations a', \(quoted(Self.bob)))")
        let given = try await client("alice-mobile").decisions(message).devices.first { $0.kind == .computer }
        guard given?.deliver == .whole else { throw TourFailure("the laptop was not given it whole") }
        _ = try await eventually("the fixed phone shows Bob's message") {
            phoneShows.contains("sip:bob@b.example") && phoneShows.contains("http://") ? true : nil
        }
        // Her business address is for the computer alone.
        let business = try await run(
            "send",
            Self.work,
            "--text",
            "The contract",
            "--device",
            "bob-mobile",
            "--json"
        )
        guard business.status == 0 else { throw TourFailure("not sent: \(business.text)") }
        try await laptop.until("the business message", "document.body.innerText.includes('The contract')")
        let elsewhere = try await eventually("Alice's business message in her storage") {
            try await client("alice-mobile").search("contract").items.first
        }
        guard elsewhere.deliver == .nothing, !phoneShows.contains("The contract") else {
            throw TourFailure("the business message is on more than the computer")
        }
        return
            "laptop: whole, with pictures; mobile: sender, subject '\(told.subject ?? "")' and link; fixed phone: text "
            + "with a link; to the business address: the laptop alone"
    }

    /// 10
    func popups() async throws -> String {
        let laptop = try page("alice-laptop")
        let popped = try await laptop.until(
            "a pop-up",
            "tour.popups.find((one) => one.includes(\(quoted(Self.bob))))"
        )
        let mobile = try await terminal("alice-mobile").hear("arrived", "a notice") {
            $0.item?.notice?.subject == Self.subject
        }
        guard phoneShows.contains("sip:bob@b.example: ") else { throw TourFailure("the fixed phone shows nothing") }
        let words = popped.string?.replacingOccurrences(of: "\n", with: " ") ?? ""
        return "laptop: '\(words)'; mobile: '\(mobile.item?.notice?.subject ?? "")'; fixed phone: a message of bob"
    }
}

extension String {
    var firstLine: String { split(separator: "\n").first.map(String.init) ?? self }
}
