import MessagingCore
import Testing

@Suite("A message is accepted whole or refused whole (steps 3 to 9)")
struct SubmissionTests {
    let bob = Make.user(1, ["bob"], devices: [Make.device(1, .computer), Make.device(2, .mobile)])
    let alice = Make.user(2, ["alice", "alice.work"], devices: [Make.device(1, .mobile), Make.device(2, .computer)])
    let tariff = Tariff(perReceiver: 10)

    private func submit(
        _ envelope: Envelope,
        users: inout [AccountID: UserState],
        reports: [Report] = [],
        existing: Item? = nil,
        tariff: Tariff? = nil
    ) throws(Refusal) -> Submitted {
        let people = users
        return try MessagingCore.submit(
            Submission(envelope: envelope, device: DeviceID(rawValue: 1), reports: reports),
            content: ContentID(rawValue: 7),
            sender: AccountID(rawValue: 1),
            users: &users,
            resolve: { address in
                if let user = people.values.first(where: { $0.account.addresses.contains(address) }) {
                    return .local(user.account.id)
                }
                return address.domain == "a.example" ? .unknown : .remote
            },
            existing: { _ in existing },
            policy: OperatorPolicy(),
            tariff: tariff ?? self.tariff,
            now: Make.now
        )
    }

    private var users: [AccountID: UserState] { [bob.account.id: bob, alice.account.id: alice] }

    @Test("both mailboxes get an item, every device a decision, the ledger a line")
    func accepted() throws {
        var users = users
        let result = try submit(
            Make.envelope(from: "bob", to: ["alice"]),
            users: &users,
            reports: [.delivered, .displayed]
        )
        #expect(result.items.map(\.account) == [bob.account.id, alice.account.id])
        #expect(result.created == 1)
        #expect(result.references == 2)
        let sent = try #require(result.items[0].message)
        #expect(sent.flags == .sent)
        #expect(sent.receivers.map(\.disposition) == [.pending])
        #expect(sent.decisions[DeviceID(rawValue: 1)]?.because == .sentFromHere)
        #expect(sent.decisions[DeviceID(rawValue: 2)]?.deliver == .whole)
        let received = try #require(result.items[1].message)
        #expect(received.flags == [.received, .wantsDelivered, .wantsDisplayed])
        #expect(received.decisions.entries.count == 2)
        #expect(result.ledger.map(\.amount) == [-10])
        #expect(users[bob.account.id]?.account.balance == 90)
        #expect(users[bob.account.id]?.account.head == 1)
        #expect(users[alice.account.id]?.account.head == 1)
        #expect(users[alice.account.id]?.account.used == 7)
    }

    @Test("no credit: refused, and nothing has changed")
    func noCredit() {
        var users = users
        users[bob.account.id]?.account.balance = 9
        let before = users.mapValues(\.account)
        #expect(throws: Refusal(.noCredit, "")) {
            try submit(Make.envelope(from: "bob", to: ["alice"]), users: &users)
        }
        #expect(users.mapValues(\.account) == before)
    }

    @Test("rights: suspended, not entitled, somebody else's address, too large, quota")
    func rights() {
        func refusal(_ change: (inout Account) -> Void, from: String = "bob") -> Refusal.Code? {
            var users = users
            if var user = users[bob.account.id] {
                change(&user.account)
                users[bob.account.id] = user
            }
            do throws(Refusal) {
                _ = try submit(Make.envelope(from: from, to: ["alice"]), users: &users)
                return nil
            } catch { return error.code }
        }
        #expect(refusal { $0.suspended = true } == .notEntitled)
        #expect(refusal { $0.entitlement.canSend = false } == .notEntitled)
        #expect(refusal({ _ in }, from: "alice") == .forbidden)
        #expect(refusal { $0.entitlement.maximumMessageBytes = 6 } == .tooLarge)
        #expect(refusal { $0.entitlement.quotaBytes = 6 } == .quotaExceeded)
        #expect(refusal { _ in } == nil)
    }

    @Test("two of Alice's addresses make one item; a rule on either holds, and the decision only rises")
    func twoAddresses() throws {
        var users = users
        var when = Conditions()
        when.to = [Make.address("alice.work")]
        var unless = Conditions()
        unless.deviceKinds = [.computer]
        users[alice.account.id]?.preferences.rules.incoming.rules = [
            Rule(name: "business", when: when, unless: unless, then: Outcome(.nothing))
        ]
        let result = try submit(Make.envelope(from: "bob", to: ["alice.work", "alice"]), users: &users)
        #expect(result.items.count == 2)
        let received = try #require(result.items[1].message)
        #expect(received.ownAddresses == [Make.address("alice.work"), Make.address("alice")])
        #expect(received.decisions[DeviceID(rawValue: 1)]?.deliver == .whole)
        #expect(result.references == 2)
        #expect(result.ledger.count == 2)
    }

    @Test("a message to oneself is one item in both boxes")
    func toSelf() throws {
        var users = users
        let result = try submit(Make.envelope(from: "bob", to: ["bob"]), users: &users, reports: [.displayed])
        #expect(result.items.count == 1)
        #expect(result.items[0].message?.flags == [.sent, .received, .wantsDisplayed])
        #expect(result.items[0].message?.ownAddresses == [Make.address("bob")])
    }

    @Test("an unknown receiver fails alone and is refunded; a full mailbox too")
    func partialFailure() throws {
        var users = users
        users[alice.account.id]?.account.entitlement.quotaBytes = 3
        let result = try submit(Make.envelope(from: "bob", to: ["nobody", "alice"]), users: &users)
        #expect(result.receivers.map(\.disposition) == [.failed, .failed])
        #expect(result.receivers.map(\.failure) == [.notFound, .quotaExceeded])
        #expect(result.ledger.map(\.amount) == [-10, 10, -10, 10])
        #expect(users[bob.account.id]?.account.balance == 100)
        #expect(result.items.count == 1)
        #expect(users[alice.account.id]?.account.head == 0)
    }

    @Test("another provider's receiver goes through the outbox, one lane for domain and conversation")
    func remote() throws {
        var users = users
        var envelope = Make.envelope(from: "bob", to: ["alice"])
        envelope.to = [Address(stored: "sip:carol@c.example")]
        let result = try submit(envelope, users: &users, reports: [.delivered])
        #expect(result.outbox.map(\.lane) == ["c.example|c1"])
        #expect(result.outbox.map(\.price) == [10])
        #expect(result.outbox.map(\.reports) == [[.delivered]])
        #expect(result.receivers.map(\.disposition) == [.pending])
    }

    @Test("receivers beyond the commit's limit wait in the internal outbox")
    func manyReceivers() throws {
        var users = users
        var names: [String] = []
        for index in 0..<(Limits.receiversInCommit + 3) {
            let name = "user\(index)"
            names.append(name)
            users[AccountID(rawValue: Int64(100 + index))] = Make.user(Int64(100 + index), [name])
        }
        let result = try submit(Make.envelope(from: "bob", to: names), users: &users, tariff: Tariff())
        #expect(result.items.count == 1 + Limits.receiversInCommit)
        #expect(result.outbox.map(\.lane) == ["local", "local", "local"])
    }

    @Test("a tombstoned item stays dead; somebody else's message of that id is a conflict")
    func existing() throws {
        var users = users
        let dead = Item(
            account: alice.account.id,
            kind: .message,
            object: "m1",
            created: 4,
            changed: 9,
            body: .tombstone
        )
        let again = try submit(Make.envelope(from: "bob", to: ["alice"]), users: &users, existing: dead)
        #expect(again.items.count == 1)
        #expect(again.receivers.map(\.disposition) == [.pending])
        let foreign = Item(
            account: alice.account.id,
            kind: .message,
            object: "m1",
            created: 4,
            changed: 9,
            body: .message(
                MessageItem(
                    flags: .received,
                    content: ContentID(rawValue: 3),
                    conversation: ConversationID(stored: "x"),
                    decisions: PackedDecisions(revision: 0)
                )
            )
        )
        let clash = try submit(Make.envelope(from: "bob", to: ["alice"]), users: &users, existing: foreign)
        #expect(clash.receivers.map(\.failure) == [.conflict])
    }

    @Test("a receiver who does not tell is not asked to")
    func silentReceiver() throws {
        var users = users
        users[alice.account.id]?.account.settings = AccountSettings(tellDelivered: true, tellDisplayed: false)
        let result = try submit(
            Make.envelope(from: "bob", to: ["alice"]),
            users: &users,
            reports: [.delivered, .displayed]
        )
        #expect(result.items[1].message?.flags == [.received, .wantsDelivered])
    }

    @Test(
        "prices grow with receivers and blocks of 64 KiB",
        arguments: [(1, 10), (65536, 10), (65537, 13), (131_073, 16)] as [(Int64, Int64)]
    )
    func prices(_ bytes: Int64, _ price: Int64) {
        #expect(Tariff(perReceiver: 10, perBlock: 3).price(bytes: bytes) == price)
    }
}

@Suite("Envelopes are checked before anything else")
struct EnvelopeTests {
    private func refusal(_ change: (inout Envelope) -> Void) -> Refusal.Code? {
        var envelope = Make.envelope(from: "bob", to: ["alice"])
        change(&envelope)
        do throws(Refusal) {
            try envelope.validate()
            return nil
        } catch { return error.code }
    }

    @Test("every bound has its refusal")
    func bounds() {
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.to = [] } == .invalidMessage)
        #expect(refusal { $0.to += $0.to } == .invalidMessage)
        #expect(refusal { $0.to = (0...Limits.receivers).map { Make.address("u\($0)") } } == .tooMany)
        #expect(refusal { $0.parts = Array(repeating: $0.parts[0], count: Limits.messageParts + 1) } == .tooMany)
        #expect(refusal { $0.parts[0].type = "text" } == .invalidMessage)
        #expect(refusal { $0.parts[0].type = "text/*" } == .invalidMessage)
        #expect(refusal { $0.parts[0].text = String(repeating: "x", count: Limits.inlineTextBytes + 1) } == .tooLarge)
        #expect(refusal { $0.subject = String(repeating: "x", count: Limits.subjectBytes + 1) } == .tooLarge)
        #expect(refusal { $0.subject = "a\r\nb" } == .invalidMessage)
        #expect(refusal { $0.expires = $0.date } == .invalidMessage)
        #expect(
            refusal {
                $0.subject = nil
                $0.parts = []
            } == .invalidMessage
        )
    }

    @Test(
        "file names are one path component",
        arguments: [
            "../x", "a/b", "a\\b", "..", ".", "", "a\u{0}b", "a\u{202E}gpj.exe", String(repeating: "n", count: 256),
        ]
    )
    func fileNames(_ name: String) {
        #expect(throws: Refusal(.invalidMessage, "")) { try Envelope.validate(fileName: name) }
    }

    @Test("ordinary names pass", arguments: ["photo.jpg", "Ferien – Küste.png", ".hidden", "日本.txt"])
    func goodNames(_ name: String) throws { try Envelope.validate(fileName: name) }
}
