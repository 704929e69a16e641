import MessagingCore
import Store

extension StoreConformance {
    static var accounts: [Check] {
        [
            Check("an account comes back as it was put, by number and by address") { storage in
                let store = try storage.open()
                let account = try Sample.account(1, ["a@a.example", "b@a.example"])
                try await store.put(.account(account))
                let (user, holder, nobody) = try await store.read { view in
                    (
                        try view.user(first), try view.account(holding: try Address("b@a.example")),
                        try view.account(holding: try Address("c@a.example"))
                    )
                }
                try expect(user?.account, is: account)
                try expect(user?.preferences, is: Preferences())
                try expect(user?.devices, is: [])
                try expect(holder, is: first)
                try expect(nobody, is: nil)
                try expect(try await store.read { try $0.user(second) } == nil, "an account that was never put")
            },
            Check("an address moves when its account gives it up and another takes it") { storage in
                let store = try storage.open()
                var one = try Sample.account(1, ["a@a.example", "b@a.example"])
                try await store.put(.account(one), .account(try Sample.account(2, ["c@a.example"])))
                one.addresses = [try Address("a@a.example")]
                var two = try Sample.account(2, ["c@a.example", "b@a.example"])
                two.suspended = true
                try await store.put(.account(one), .account(two))
                try expect(try await store.read { try $0.account(holding: try Address("b@a.example")) }, is: second)
                try expect(try await store.read { try $0.user(second) }?.account, is: two)
            },
            Check("accounts are listed by number, page by page") { storage in
                let store = try storage.open()
                try await store.write { transaction in
                    for number in 1...5 { try transaction.apply(.account(try Sample.account(Int64(number)))) }
                }
                let pages = try await store.read { view in
                    (
                        try view.accounts(after: AccountID(rawValue: 0), limit: 2).map(\.id.rawValue),
                        try view.accounts(after: second, limit: 10).map(\.id.rawValue)
                    )
                }
                try expect(pages.0, is: [1, 2])
                try expect(pages.1, is: [3, 4, 5])
            },
            Check("numbers of accounts and contents rise and are never given twice, not after a crash either") {
                storage in
                let store = try storage.open()
                let given = try await store.write { transaction in
                    (
                        [try transaction.nextAccountID(), try transaction.nextAccountID()].map(\.rawValue),
                        [try transaction.nextContentID(), try transaction.nextContentID()].map(\.rawValue)
                    )
                }
                let again = try storage.open()
                let next = try await again.write { transaction in
                    (try transaction.nextAccountID().rawValue, try transaction.nextContentID().rawValue)
                }
                try expect(given.0[0] < given.0[1] && given.0[1] < next.0, "accounts \(given.0), then \(next.0)")
                try expect(given.1[0] < given.1[1] && given.1[1] < next.1, "contents \(given.1), then \(next.1)")
            },
            Check("devices come back in order, with their progress; removing one takes its tokens along") { storage in
                let store = try storage.open()
                let account = try Sample.account(1)
                var one = Sample.device(1, epoch: account.epoch)
                let two = Sample.device(2, epoch: account.epoch)
                let tokens = [TokenHash(bytes: [1, 1]), TokenHash(bytes: [2, 2])]
                let identities = [one, two].map { DeviceIdentity(account: first, device: $0.id) }
                try await store.put(
                    .account(account),
                    .device(first, two),
                    .device(first, one),
                    .token(tokens[0], identities[0]),
                    .token(tokens[1], identities[1])
                )
                one.cursor = Cursor(epoch: account.epoch, number: 9, level: 8)
                one.lastSeen = Sample.now.advanced(by: 5)
                one.leaseEnds = Sample.now.advanced(by: 50)
                try await store.put(.deviceProgress(first, one))
                try expect(try await store.read { try $0.user(first) }?.devices, is: [one, two])
                try expect(try await store.read { try $0.identity(tokens[0]) }, is: identities[0])
                try await store.put(.removeDevice(first, one.id))
                try expect(try await store.read { try $0.identity(tokens[0]) }, is: nil)
                try expect(try await store.read { try $0.identity(tokens[1]) }, is: identities[1])
                try expect(try await store.read { try $0.user(first) }?.devices, is: [two])
            },
            Check("preferences, past rules, credentials and settings come back") { storage in
                let store = try storage.open()
                try await store.put(.account(try Sample.account(1)))
                var preferences = Preferences()
                preferences.blocked = [try Address("x@b.example")]
                preferences.rules.revision = 1
                preferences.rules.incoming.otherwise = Outcome(.notification)
                try await store.put(.preferences(first, preferences))
                var newer = preferences
                newer.rules.revision = 2
                newer.rules.incoming.otherwise = Outcome(.nothing)
                try await store.put(
                    .preferences(first, newer),
                    .credential(first, Credential(encoded: "hash")),
                    .setting("name", [1, 2, 3])
                )
                try expect(try await store.read { try $0.user(first) }?.preferences, is: newer)
                try expect(try await store.read { try $0.rules(first, revision: 1) }, is: preferences.rules)
                try expect(try await store.read { try $0.credential(first) }, is: Credential(encoded: "hash"))
                try expect(try await store.read { try $0.credential(second) }, is: nil)
                try expect(try await store.read { try $0.setting("name") }, is: [1, 2, 3])
                try expect(try await store.read { try $0.setting("other") }, is: nil)
            },
            Check("the ledger is read newest first, page by page, each line as booked") { storage in
                let store = try storage.open()
                let lines = try (1...5).map { try Sample.line(1, $0) }
                try await store.write { transaction in
                    try transaction.apply(.account(try Sample.account(1)))
                    for line in lines { try transaction.apply(.ledger(line)) }
                }
                let pages = try await store.read { view in
                    (
                        try view.ledger(first, before: .max, limit: 2), try view.ledger(first, before: 4, limit: 9),
                        try view.ledger(second, before: .max, limit: 9)
                    )
                }
                try expect(pages.0, is: [lines[4], lines[3]])
                try expect(pages.1, is: [lines[2], lines[1], lines[0]])
                try expect(pages.2, is: [])
            },
        ]
    }
}
