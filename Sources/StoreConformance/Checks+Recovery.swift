import MessagingCore
import Store
import Synchronization

extension StoreConformance {
    /// One row of every kind.
    private static let everything: [Change] = {
        var preferences = Preferences(blocked: [.sample("spam")])
        preferences.rules.revision = 2
        return [
            .account(.sample(1, "alice")), .preferences(.one, preferences),
            .credential(.one, Credential(encoded: "c")), .device(.one, .sample(1)),
            .token(TokenHash(bytes: [1, 2, 3]), DeviceIdentity(account: .one, device: DeviceID(rawValue: 1))),
            .sipCredential(.sample("phone", device: 1)),
            .item(.message(1, 1)), .item(.document(1, 2, .contact, "{}")), .content(.sample(1)),
            .key(.one, MessageID(stored: "m"), SubmissionKey(digest: [9], created: 1, time: Timestamp(rawValue: 1))),
            .ledger(.sample(1, 1)), .setting("s", [1]), .enqueue(.sample("a", 1), due: Timestamp(rawValue: 1)),
            .upload(.sample("u", leaseEnds: 1)), .blob(.sample(1), bytes: 1),
            .refer(.sample(1), by: 1, at: Timestamp(rawValue: 1)),
            .index(ContentID(rawValue: 1), accounts: [.one], text: "word"),
        ]
    }()

    private static func requireEverything(_ view: any ReadView) throws {
        let user = try requireValue(try view.user(.one), "the account")
        try requireEqual(user.account, .sample(1, "alice"), "the account")
        try requireEqual(user.devices, [.sample(1)], "the device")
        try requireEqual(user.preferences.rules.revision, 2, "the rules in force")
        try requireEqual(try view.rules(.one, revision: 2)?.revision, 2, "the rules by revision")
        try requireEqual(try view.account(holding: .sample("alice")), .one, "the address")
        try requireEqual(try view.credential(.one), Credential(encoded: "c"), "the credential")
        try requireEqual(try view.identity(TokenHash(bytes: [1, 2, 3]))?.account, .one, "the token")
        try requireEqual(try view.sipCredential(user: "phone"), .sample("phone", device: 1), "the SIP credential")
        let items = [Item.message(1, 1), .document(1, 2, .contact, "{}")]
        try requireEqual(try view.changes(.one, after: 0, limit: 9), items, "the items")
        try requireEqual(try view.content(ContentID(rawValue: 1)), .sample(1), "the content")
        try requireEqual(try view.key(.one, MessageID(stored: "m"))?.digest, [9], "the key")
        try requireEqual(try view.ledger(.one, before: .max, limit: 9), [.sample(1, 1)], "the ledger")
        try requireEqual(try view.setting("s"), [1], "the setting")
        try requireEqual(try view.entries(lane: "a", limit: 9).map(\.entry), [.sample("a", 1)], "the outbox")
        try requireEqual(try view.upload("u"), .sample("u", leaseEnds: 1), "the upload")
        try requireEqual(try view.blob(.sample(1))?.references, 1, "the blob")
        let found = try view.search(.one, words: ["word"], before: .max, limit: 9)
        try requireEqual(found.map(\.created), [1], "the index")
    }

    static let recoveryChecks = [
        Check("what was written is there after closing and opening again") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for change in Self.everything { try transaction.apply(change) }
            }
            try store.close()
            let again = try await harness.open()
            try await again.read(Self.requireEverything)
            try again.close()
        },
        Check("what was acknowledged is there after a crash, twice over") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for change in Self.everything { try transaction.apply(change) }
            }
            try await harness.crash(store)
            let second = try await harness.open()
            try await second.read(Self.requireEverything)
            try await second.write { try $0.apply(.setting("after", [1])) }
            try await harness.crash(second)
            let third = try await harness.open()
            try await third.read { view in
                try Self.requireEverything(view)
                try requireEqual(try view.setting("after"), [1], "what the recovered store acknowledged")
            }
            try third.close()
        },
        Check("a crash under load keeps each acknowledged job whole and no job in part") { harness in
            for round in 1...3 {
                let store = try await harness.open()
                let acknowledged = Journal<Int>()
                let count = 400
                let before = round * 1000
                Self.submit(before..<before + count, to: store, acknowledged)
                try await store.drain()
                Self.submit(before + count..<before + 2 * count, to: store, acknowledged)
                let known = acknowledged.all
                try await harness.crash(store)
                let again = try await harness.open()
                try await again.read { view in
                    let kept = try (before..<before + 2 * count).map { number -> Bool in
                        let parts = try (0..<3).flatMap { part -> [Bool] in
                            let created = Int64(number * 3 + part)
                            return [
                                try view.item(.one, created: created) != nil,
                                try view.content(ContentID(rawValue: created)) != nil,
                            ]
                        }
                        try require(Set(parts).count == 1, "job \(number) was kept in part: \(parts)")
                        return parts[0]
                    }
                    for number in known {
                        try require(kept[number - before], "job \(number) was acknowledged and is lost")
                    }
                    let end = kept.firstIndex(of: false) ?? kept.count
                    try require(!kept[end...].contains(true), "a job was kept, and one submitted before it was not")
                }
                try again.close()
            }
        },
        Check("what is undone stays undone after a crash, and numbers go on rising") { harness in
            struct Undone: Error {}
            let store = try await harness.open()
            let first = try await store.write { transaction in
                try transaction.apply(.setting("kept", []))
                return try transaction.nextContentID()
            }
            _ = try? await store.write { transaction in
                try transaction.apply(.setting("undone", []))
                throw Undone()
            }
            try await harness.crash(store)
            let again = try await harness.open()
            let second = try await again.write { transaction in
                try requireEqual(try transaction.setting("kept"), [], "what was committed")
                try requireEqual(try transaction.setting("undone"), nil, "what was undone")
                return try transaction.nextContentID()
            }
            try require(second.rawValue > first.rawValue, "a content's number was given twice")
            try again.close()
        },
        Check("a lane's claim and its fence outlive a crash") { harness in
            let store = try await harness.open()
            let claim = try await store.write {
                try $0.claim(lane: "a", node: "one", now: Timestamp(rawValue: 0), leaseMilliseconds: 100)
            }
            let held = try requireValue(claim, "a free lane")
            try await harness.crash(store)
            let again = try await harness.open()
            try await again.write { transaction in
                try require(try transaction.holds(held), "the claim was lost")
                let early = try transaction.claim(
                    lane: "a",
                    node: "two",
                    now: Timestamp(rawValue: 99),
                    leaseMilliseconds: 100
                )
                try requireEqual(early, nil, "another node while the lease runs")
                let late = try transaction.claim(
                    lane: "a",
                    node: "two",
                    now: Timestamp(rawValue: 100),
                    leaseMilliseconds: 100
                )
                try require((late?.fence ?? 0) > held.fence, "the fence began anew")
            }
            try again.close()
        },
    ]
    /// Jobs of several rows each, none of which is waited for.
    private static func submit(_ numbers: Range<Int>, to store: any Store, _ acknowledged: Journal<Int>) {
        for number in numbers {
            store.submit { transaction in
                for part in 0..<3 {
                    let created = Int64(number * 3 + part)
                    try transaction.apply(.item(.message(1, created)))
                    try transaction.apply(.content(.sample(created)))
                }
            } done: { result in
                if case .success = result { acknowledged.note(number) }
            }
        }
    }
}
