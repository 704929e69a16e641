import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// Steps 16 to 33: a conversation is asked for, accepted, and moves.
extension Stage {
    /// 16
    func ask() async throws -> String {
        for name in ["alice-mobile", "bob-mobile"] { try await chat(name) }
        let laptop = try page("alice-laptop")
        try await openThread(laptop)
        try await laptop.until("asking", "tour.press('Talk live')")
        let shown = try await laptop.until("the request", "tour.texts('section.live [role=status]')[0] ?? ''")
        return "'Talk live' on her laptop: \(shown.string ?? "?")"
    }

    /// 17
    func asked() async throws -> String {
        let session = try await eventually("the request at Alice's provider") {
            try await client("alice-mobile").sessions().first { $0.state == .calling || $0.state == .open }
        }
        self.session = session.id
        return "\(session.id) at a.example, as her mobile sees it too: \(session.state)"
    }

    /// A conversation between Alice's laptop and Bob's PDA, whatever was before.
    func talk() async throws {
        try await beginTalk()
        try await accept(on: "bob-pda")
    }

    /// Whatever was before is over, and Alice asks for another conversation.
    func beginTalk() async throws {
        for name in ["alice-mobile", "bob-mobile"] {
            for one in try await client(name).sessions() where one.state != .over {
                _ = try? await client(name).leave(one.id)
            }
        }
        for name in ["alice-laptop", "bob-pda", "bob-laptop"] {
            try await page(name).until("nothing live", "!tour.shows('section.live') && !tour.shows('.requests li')")
        }
        _ = try await ask()
        _ = try await asked()
    }

    func accept(on name: String) async throws {
        let page = try page(name)
        try await page.until("the request", "tour.press('Accept', '.requests li')")
        try await page.until("the live conversation", "tour.shows('section.live', 'Live with')")
        try await self.page("alice-laptop").until("the live conversation", "tour.shows('section.live', 'Live with')")
    }

    var current: SessionID {
        get throws {
            guard let session else { throw TourFailure("there is no conversation") }
            return session
        }
    }

    /// 18
    func requestRights() async throws -> String {
        let lines = try await client("alice-mobile").ledger().lines
        guard let paid = lines.first, paid.amount == -Self.tariff.perRequest else {
            throw TourFailure("not charged for the request: \(lines.first?.amount ?? 0)")
        }
        return "checked and charged: \(-paid.amount) for the request, balance \(paid.balance)"
    }

    /// 19
    func requestForwarded() async throws -> String {
        let id = try current
        let heard = try await terminal("bob-mobile").hear("request", "the request") { $0.session?.id == id }
        return "b.example has the request of \(heard.session.map { shown($0.creator) } ?? "?")"
    }

    /// 20
    func calleePreferences() async throws -> String {
        let rules = try await client("bob-mobile").rules()
        let request = try await client("bob-mobile").session(try current).request
        guard request?.outcome == .waiting else { throw TourFailure("the request does not wait for Bob") }
        return "\(rules.incoming.rules.count) rules of Bob's keep requests from a device; it waits for him"
    }

    /// 21
    func calleeDevices() async throws -> String {
        let id = try current
        let alerting = try await client("bob-mobile").session(id).request?.alerting ?? []
        let all = try await client("bob-mobile").devices().filter { alerting.contains($0.device.id) }
        guard all.count == 3 else { throw TourFailure("\(all.count) of Bob's devices ring") }
        return "registered and to ring: \(all.map(\.device.label).sorted().joined(separator: ", "))"
    }

    /// 22
    func told() async throws -> String {
        let id = try current
        let heard = try await terminal("bob-mobile").hear("request", "the request") { $0.session?.id == id }
        for name in ["bob-pda", "bob-laptop"] {
            try await page(name).until("the request", "tour.shows('.requests li')")
        }
        return "mobile, PDA and laptop have it; it rings until \(heard.session?.request?.until.map { "\($0)" } ?? "?")"
    }

    /// 23
    func alerts() async throws -> String {
        let id = try current
        try await terminal("bob-mobile").hear("request", "the request") { $0.session?.id == id }
        for name in ["bob-pda", "bob-laptop"] {
            try await page(name).until("the request", "tour.shows('.requests li', \(quoted(Self.alice)))")
        }
        return "mobile, PDA and laptop show '\(Self.alice) asks for a conversation'"
    }

    /// 24
    func accepted() async throws -> String {
        try await accept(on: "bob-pda")
        return "accepted on the PDA; Alice's laptop: 'Live with \(Self.bob)'"
    }

    /// 25
    func withdrawn() async throws -> String {
        let id = try current
        try await page("bob-laptop").until("the request gone", "!tour.shows('.requests li')")
        let outcome = try await terminal("bob-mobile").hear("outcome", "the request gone") { $0.session?.id == id }
        try await ensure("bob-tablet", "Bob's tablet")
        let late = try await run("watch", "--once", "--json", "--device", "bob-tablet")
        let item = Self.items(late.text).last { $0.session?.id == id }
        guard let item, item.session?.request?.alerting.isEmpty != false else {
            throw TourFailure("a device that registers now sees the request")
        }
        return "gone from the laptop; the mobile: \(outcome.text ?? "?"); a tablet that registers now sees no request"
    }

    /// Somebody says a text in the open conversation of a page.
    func say(_ text: String, on name: String) async throws {
        try await page(name).until("saying '\(text)'", "tour.say(\(quoted(text)))")
    }

    func sees(_ text: String, on name: String) async throws {
        try await page(name).until("'\(text)'", "tour.find('.bubbles li', \(quoted(text))) !== undefined")
    }

    /// The texts of the conversation as one side's provider has them.
    func order(_ name: String) async throws -> [String] {
        try await client(name).texts(try current).texts.map { item in
            "\(item.message?.session?.ordinal ?? 0) \(item.message?.parts.first?.text ?? "?")"
        }
    }

    /// The order that both providers have, once the last text has its place on both.
    func commonOrder(atLeast count: Int) async throws -> [String] {
        try await eventually("one order of \(count) texts on both sides") {
            let (own, others) = (try await order("alice-mobile"), try await order("bob-mobile"))
            return own == others && own.count >= count ? own : nil
        }
    }

    /// 26
    func exchange() async throws -> String {
        try await say("How was Sydney?", on: "alice-laptop")
        try await sees("How was Sydney?", on: "bob-pda")
        try await say("Warm, and by the sea", on: "bob-pda")
        try await sees("Warm, and by the sea", on: "alice-laptop")
        let own = try await commonOrder(atLeast: 2)
        return "both sides, in the same order: \(own.joined(separator: ", "))"
    }

    /// 27
    func leaving() async throws -> String {
        let legs = try await client("alice-mobile").session(try current).legs.filter { $0.state == .live }
        let labels = try await client("alice-mobile").devices().filter { one in
            legs.contains { $0.device == one.device.id }
        }
        guard labels.map(\.device.label) == ["Alice's laptop"] else {
            throw TourFailure("it is on \(labels.map(\.device.label))")
        }
        return "the conversation is on Alice's laptop, as all her devices see"
    }

    /// 28, 29
    func push() async throws -> String {
        let laptop = try page("alice-laptop")
        try await laptop.until("continuing elsewhere", "tour.press('Continue on another device', 'section.live')")
        let offered = try await laptop.until(
            "the devices",
            "(() => { const all = tour.options('Device'); return all.length > 0 && all; })()"
        )
        try await laptop.until("the mobile", "tour.pick('Device', \"Alice's mobile\")")
        return "the laptop offers \(offered.strings.joined(separator: ", ")); she picks the mobile"
    }

    func pushHistory() async throws -> String {
        let laptop = try page("alice-laptop")
        let offered = try await laptop.until("the history", "tour.options('History').join(', ')")
        try await laptop.until("with all of it", "tour.pick('History', 'Everything')")
        try await laptop.until("moving", "tour.press('Move', 'dialog')")
        return "history: \(offered.string ?? "?"); she takes all, and moves"
    }

    /// 30
    func replayed() async throws -> String {
        let mobile = try terminal("alice-mobile")
        let said = try await eventually("the history on the mobile") {
            let said = mobile.said
            return said.contains("How was Sydney?") && said.contains("Warm, and by the sea") ? said : nil
        }
        return "the mobile shows what was said: \(said.joined(separator: " / "))"
    }

    /// 31
    func oldLegClosed() async throws -> String {
        try await page("alice-laptop").until("moved", "tour.shows('section.live', \"on Alice's mobile\")")
        let legs = try await eventually("one leg, on the mobile") {
            let legs = try await client("alice-mobile").session(try current).legs
            return legs.count == 1 && legs[0].state == .live ? legs : nil
        }
        return
            "the laptop's leg is closed: 'Live with bob, on Alice's mobile'; the live leg is device \(legs[0].device.rawValue)"
    }

    /// 32, 33
    func continued() async throws -> String {
        try terminal("alice-mobile").type("Go on, I am on the bus")
        try await sees("Go on, I am on the bus", on: "bob-pda")
        try await say("Here is the beach", on: "bob-pda")
        _ = try await terminal("alice-mobile").hear("said", "Bob's answer") { $0.text == "Here is the beach" }
        let own = try await commonOrder(atLeast: 4)
        return "texts of the mobile and the PDA, both ways; \(own.count) texts in one order on both sides"
    }

    // MARK: The first alternative: the mobile pulls it

    func pullBegin() async throws -> String {
        try await talk()
        try await say("How was Sydney?", on: "alice-laptop")
        try await say("Warm, and by the sea", on: "bob-pda")
        try await sees("Warm, and by the sea", on: "alice-laptop")
        return "another conversation, on Alice's laptop and Bob's PDA"
    }

    func pullList() async throws -> String {
        let mobile = try terminal("alice-mobile")
        try mobile.type("/sessions")
        let line = try await mobile.hear("info", "the conversations elsewhere") {
            $0.text?.contains("Alice's laptop") == true
        }
        return "the mobile lists: \(line.text ?? "?")"
    }

    func pullPick() async throws -> String {
        let id = try current
        try terminal("alice-mobile").type("/open \(id)")
        return "she picks \(id)"
    }

    func pullHistory() async throws -> String {
        try terminal("alice-mobile").type("/here all")
        return "she asks for it here, with all that was said"
    }
}
