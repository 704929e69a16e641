import MessagingCore
import Store

extension StoreConformance {
    static let accountChecks = [
        Check("an account is read as it was written, with its default preferences") { harness in
            let store = try await harness.open()
            var account = Account.sample(7, "alice", "alice.work")
            account.suspended = true
            account.settings = AccountSettings(tellDelivered: false, muted: [ConversationID(stored: "talk")])
            account.head = .max
            account.trim = 3
            account.balance = -5
            account.used = 1 << 50
            account.lastDevice = .max
            account.ledgerLines = 12
            let written = account
            try await store.write { try $0.apply(.account(written)) }
            try await store.read { view in
                let user = try requireValue(try view.user(written.id), "the account")
                try requireEqual(user.account, written, "the account")
                try requireEqual(user.devices, [], "devices")
                try requireEqual(user.preferences, Preferences(), "preferences")
                try require(try view.user(.one) == nil, "an account that was never made was found")
                try requireEqual(try view.credential(written.id), nil, "a credential that was never set")
            }
            try store.close()
        },
        Check("an account written again is replaced, whatever part of it changed") { harness in
            let store = try await harness.open()
            let first = Account.sample(1, "alice")
            var counted = first
            counted.head = 9
            counted.balance = 1
            var renamed = counted
            renamed.name = "Alice"
            renamed.epoch = Epoch("another")
            renamed.entitlement.storesSent = false
            for account in [first, counted, renamed, first] {
                try await store.write { try $0.apply(.account(account)) }
                let found = try await store.read { try $0.user(.one)?.account }
                try requireEqual(found, account, "the account")
            }
            try store.close()
        },
        Check("an address leads to its account, moves with it, and goes with it") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice", "shared")))
                try transaction.apply(.account(.sample(2, "bob")))
                try requireEqual(try transaction.account(holding: .sample("shared")), .one, "inside")
            }
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                try transaction.apply(.account(.sample(2, "bob", "shared")))
            }
            try await store.read { view in
                try requireEqual(try view.account(holding: .sample("alice")), .one, "what stayed")
                try requireEqual(try view.account(holding: .sample("shared")), .two, "what moved")
                try requireEqual(try view.account(holding: .sample("nobody")), nil, "what nobody has")
            }
            try await store.write { try $0.apply(.account(.sample(2))) }
            try await store.read { view in
                try requireEqual(try view.account(holding: .sample("shared")), nil, "what was given up")
                try requireEqual(try view.account(holding: .sample("bob")), nil, "what was given up")
            }
            try store.close()
        },
        Check("an address that another account holds is refused as a conflict, and the job with it") { harness in
            let store = try await harness.open()
            try await store.write { try $0.apply(.account(.sample(1, "alice"))) }
            let error = try await failure("taking another's address") {
                try await store.write { try $0.apply(.account(.sample(2, "bob", "alice"))) }
            }
            try requireEqual((error as? StoreError)?.code, .conflict, "the error \(error)")
            try await store.read { view in
                try requireEqual(try view.account(holding: .sample("alice")), .one, "the holder")
                try requireEqual(try view.account(holding: .sample("bob")), nil, "the other address of the job")
                try require(try view.user(.two) == nil, "half of the refused job was kept")
            }
            try store.close()
        },
        Check("accounts come in order of number, page by page") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for id: Int64 in [5, 1, 9, 3, 7] { try transaction.apply(.account(.sample(id, "user-\(id)"))) }
            }
            try await store.read { view in
                var seen: [Int64] = []
                var after = AccountID(rawValue: 0)
                while true {
                    let page = try view.accounts(after: after, limit: 2)
                    seen += page.map(\.id.rawValue)
                    guard let last = page.last else { break }
                    after = last.id
                }
                try requireEqual(seen, [1, 3, 5, 7, 9], "the pages")
            }
            try store.close()
        },
        Check("credentials and preferences belong to their account and outlive its changes") { harness in
            let store = try await harness.open()
            var preferences = Preferences(blocked: [.sample("spam")], lists: ["family": [.sample("mum")]])
            preferences.rules.revision = 4
            preferences.availability = Availability(.busy, until: Timestamp(rawValue: 77))
            let written = preferences
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                try transaction.apply(.account(.sample(2, "bob")))
                try transaction.apply(.credential(.one, Credential(encoded: "first")))
                try transaction.apply(.credential(.one, Credential(encoded: "scrypt$1$€")))
                try transaction.apply(.preferences(.one, written))
                var account = Account.sample(1, "alice")
                account.name = "Another"
                try transaction.apply(.account(account))
            }
            try await store.read { view in
                try requireEqual(try view.credential(.one), Credential(encoded: "scrypt$1$€"), "the credential")
                try requireEqual(try view.credential(.two), nil, "another's credential")
                try requireEqual(try view.user(.one)?.preferences, written, "preferences")
                try requireEqual(try view.user(.two)?.preferences, Preferences(), "another's preferences")
            }
            try store.close()
        },
        Check("past revisions of the rules are kept: the newest ones, and those a device names") { harness in
            let store = try await harness.open()
            let last = Int32(StoreLimits.ruleRevisions) + 20
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                try transaction.apply(.device(.one, .sample(1)))
                for revision in 1...last {
                    var preferences = Preferences()
                    preferences.rules.revision = revision
                    try transaction.apply(.preferences(.one, preferences))
                }
            }
            try await store.read { view in
                let oldest = last - Int32(StoreLimits.ruleRevisions) + 1
                for revision in oldest...last {
                    try requireEqual(try view.rules(.one, revision: revision)?.revision, revision, "a kept revision")
                }
                try requireEqual(try view.rules(.one, revision: 3)?.revision, 3, "the revision a device names")
                try requireEqual(try view.rules(.one, revision: oldest - 1), nil, "a revision past keeping")
                try requireEqual(try view.rules(.two, revision: last), nil, "another's revision")
            }
            try store.close()
        },
        Check("the ledger pages from the newest line down") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for number: Int64 in 1...7 { try transaction.apply(.ledger(.sample(1, number))) }
                try transaction.apply(.ledger(.sample(2, 8)))
            }
            try await store.read { view in
                let first = try view.ledger(.one, before: .max, limit: 3)
                try requireEqual(first, [7, 6, 5].map { LedgerLine.sample(1, $0) }, "the first page")
                let rest = try view.ledger(.one, before: 5, limit: 100)
                try requireEqual(rest, [4, 3, 2, 1].map { LedgerLine.sample(1, $0) }, "the rest")
            }
            try store.close()
        },
        Check("a ledger line is written once: its number again is a conflict") { harness in
            let store = try await harness.open()
            try await store.write { try $0.apply(.ledger(.sample(1, 1))) }
            let error = try await failure("a second line of that number") {
                try await store.write { try $0.apply(.ledger(.sample(1, 1))) }
            }
            try requireEqual((error as? StoreError)?.code, .conflict, "the error \(error)")
            try store.close()
        },
        Check("settings are kept by name, byte for byte") { harness in
            let store = try await harness.open()
            let bytes = (0...255).map { UInt8($0) }
            try await store.write { transaction in
                try transaction.apply(.setting("policy", [1]))
                try transaction.apply(.setting("policy", bytes))
                try transaction.apply(.setting("empty", []))
                try transaction.apply(.setting("", [2]))
            }
            try await store.read { view in
                try requireEqual(try view.setting("policy"), bytes, "replaced")
                try requireEqual(try view.setting("empty"), [], "empty")
                try requireEqual(try view.setting(""), [2], "an empty name")
                try requireEqual(try view.setting("missing"), nil, "missing")
            }
            try store.close()
        },
    ]

    static let deviceChecks = [
        Check("devices come with their account, in order of number, replaced by number") { harness in
            let store = try await harness.open()
            var device = Device.sample(2)
            device.label = "Renamed"
            device.availability = Availability(.doNotDisturb)
            device.synchronises = false
            device.cursor = Cursor(epoch: Epoch("other"), number: 9, level: 8)
            let replaced = device
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                try transaction.apply(.account(.sample(2, "bob")))
                for device in [Device.sample(3), .sample(2), .sample(1), replaced] {
                    try transaction.apply(.device(.one, device))
                }
                try transaction.apply(.device(.two, .sample(1)))
            }
            try await store.read { view in
                try requireEqual(try view.user(.one)?.devices, [.sample(1), replaced, .sample(3)], "one's devices")
                try requireEqual(try view.user(.two)?.devices, [.sample(1)], "the other's devices")
            }
            try store.close()
        },
        Check("a device's progress changes its position, lease and last sight, and nothing else") { harness in
            let store = try await harness.open()
            var moved = Device.sample(1)
            moved.label = "not to be stored"
            moved.cursor = Cursor(epoch: Epoch("epoch-2"), number: 40, level: 30)
            moved.leaseEnds = Timestamp(rawValue: 123)
            moved.lastSeen = Timestamp(rawValue: 122)
            var expected = moved
            expected.label = Device.sample(1).label
            let (progress, result) = (moved, expected)
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                try transaction.apply(.device(.one, .sample(1)))
                try transaction.apply(.deviceProgress(.one, progress))
                try transaction.apply(.deviceProgress(.one, .sample(9)))
            }
            let devices = try await store.read { try $0.user(.one)?.devices }
            try requireEqual(devices, [result], "the devices; progress of one that is gone makes none")
            try store.close()
        },
        Check("tokens lead to their device and go with it") { harness in
            let store = try await harness.open()
            let tokens = (UInt8(0)..<4).map { TokenHash(bytes: [UInt8](repeating: $0, count: 32)) }
            let first = DeviceIdentity(account: .one, device: DeviceID(rawValue: 1))
            let second = DeviceIdentity(account: .one, device: DeviceID(rawValue: 2))
            let other = DeviceIdentity(account: .two, device: DeviceID(rawValue: 1))
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                try transaction.apply(.device(.one, .sample(1)))
                try transaction.apply(.device(.one, .sample(2)))
                try transaction.apply(.token(tokens[0], first))
                try transaction.apply(.token(tokens[1], first))
                try transaction.apply(.token(tokens[2], second))
                try transaction.apply(.token(tokens[3], other))
            }
            try await store.read { view in
                try requireEqual(try view.identity(tokens[1]), first, "a token")
            }
            try await store.write { try $0.apply(.removeDevice(.one, DeviceID(rawValue: 1))) }
            try await store.read { view in
                try requireEqual(
                    try tokens.map { try view.identity($0) },
                    [nil, nil, second, other],
                    "tokens after the device went"
                )
                try requireEqual(try view.user(.one)?.devices, [.sample(2)], "the devices that are left")
            }
            try store.close()
        },
        Check("a SIP credential is found by its user name and goes with its device") { harness in
            let store = try await harness.open()
            let desk = SIPCredential.sample("desk", device: 1)
            let newer = SIPCredential.sample("newer", device: 1)
            let pocket = SIPCredential.sample("pocket", device: 2)
            try await store.write { transaction in
                try transaction.apply(.account(.sample(1, "alice")))
                for number in Int32(1)...2 { try transaction.apply(.device(.one, .sample(number))) }
                for credential in [desk, pocket] { try transaction.apply(.sipCredential(credential)) }
            }
            try await store.read { view in
                try requireEqual(try view.sipCredential(user: "desk"), desk, "a credential")
                try requireEqual(try view.sipCredential(user: "Desk"), nil, "user names in another case")
            }
            try await store.write { try $0.apply(.sipCredential(newer)) }
            try await store.read { view in
                try requireEqual(try view.sipCredential(user: "desk"), nil, "the device's earlier credential")
                try requireEqual(try view.sipCredential(user: "newer"), newer, "its new one")
            }
            try await store.write { try $0.apply(.removeDevice(.one, DeviceID(rawValue: 1))) }
            try await store.read { view in
                try requireEqual(try view.sipCredential(user: "newer"), nil, "that of a device that went")
                try requireEqual(try view.sipCredential(user: "pocket"), pocket, "that of another device")
            }
            try store.close()
        },
    ]
}
