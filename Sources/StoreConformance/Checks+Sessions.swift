import MessagingCore
import Store

extension SessionRecord {
    fileprivate static func sample(
        _ account: Int64,
        _ session: String,
        _ role: Role = .participant,
        state: UInt8 = 0,
        due: Int64? = nil,
        isOver: Bool = false
    ) -> SessionRecord {
        SessionRecord(
            account: AccountID(rawValue: account),
            session: SessionID(stored: session),
            role: role,
            state: [state],
            due: due.map(Timestamp.init(rawValue:)),
            isOver: isOver
        )
    }
}

extension StoreConformance {
    static let sessionChecks = [
        Check("each side of a session is kept by account, session and role, and replaced as a whole") { harness in
            let store = try await harness.open()
            let one = AccountID(rawValue: 1)
            let session = SessionID(stored: "a")
            try await store.write { transaction in
                try transaction.apply(.session(.sample(1, "a", .owner, state: 1)))
                try transaction.apply(.session(.sample(1, "a", state: 2, due: 5)))
                try transaction.apply(.session(.sample(2, "a", state: 3)))
                try transaction.apply(.session(.sample(1, "a", state: 4, isOver: true)))
            }
            try await store.read { view in
                try requireEqual(
                    try view.session(one, session, .owner),
                    .sample(1, "a", .owner, state: 1),
                    "the owner's"
                )
                let part = try view.session(one, session, .participant)
                try requireEqual(part, .sample(1, "a", state: 4, isOver: true), "the participant's, replaced")
                try requireEqual(try view.session(one, SessionID(stored: "b"), .owner), nil, "one that is not there")
            }
            try store.close()
        },
        Check("a user's sessions are those that are not over; what is due comes the longest ago first") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                let records: [SessionRecord] = [
                    .sample(1, "c", due: 30), .sample(1, "a", due: 10), .sample(1, "b", due: 20, isOver: true),
                    .sample(1, "d", .owner, due: 10), .sample(2, "a"), .sample(2, "b", due: 5),
                ]
                for record in records { try transaction.apply(.session(record)) }
            }
            try await store.read { view in
                func own(_ limit: Int) throws -> [String] {
                    try view.sessions(of: AccountID(rawValue: 1), limit: limit).map(\.session.description)
                }
                try requireEqual(try own(9), ["a", "c"], "a user's own")
                try requireEqual(try own(1), ["a"], "a page of them")
                func due(_ time: Int64, _ limit: Int = 9) throws -> [String] {
                    try view.sessions(dueBy: Timestamp(rawValue: time), limit: limit).map {
                        "\($0.account.rawValue)\($0.session)"
                    }
                }
                try requireEqual(try due(4), [], "before any")
                try requireEqual(try due(20), ["2b", "1a", "1d", "1b"], "at the time itself, also what is over")
                try requireEqual(try due(99, 2), ["2b", "1a"], "some")
            }
            try store.close()
        },
        Check("texts come in order from any ordinal; an ordinal is given once, in a session that is there") { harness in
            let store = try await harness.open()
            let (one, two) = (AccountID(rawValue: 1), AccountID(rawValue: 2))
            let session = SessionID(stored: "a")
            try await store.write { transaction in
                try transaction.apply(.session(.sample(1, "a")))
                try transaction.apply(.session(.sample(2, "a")))
                for ordinal: Ordinal in [2, 1, 3] {
                    let text = SessionText(ordinal: ordinal, created: ordinal * 10)
                    try transaction.apply(.sessionText(one, session, text))
                }
                try transaction.apply(.sessionText(two, session, SessionText(ordinal: 3, created: 7)))
                // A new state of the side leaves them alone.
                try transaction.apply(.session(.sample(1, "a", state: 9)))
            }
            let twice = try await failure("an ordinal twice") {
                try await store.write {
                    try $0.apply(.sessionText(one, session, SessionText(ordinal: 3, created: 50)))
                }
            }
            try requireEqual((twice as? StoreError)?.code, .conflict, "an ordinal twice")
            let absent = try await failure("a session that is not there") {
                try await store.write {
                    try $0.apply(.sessionText(one, SessionID(stored: "b"), SessionText(ordinal: 1, created: 50)))
                }
            }
            try requireEqual((absent as? StoreError)?.code, .missing, "a session that is not there")
            try await store.read { view in
                let texts = try view.texts(one, session, after: 1, limit: 9)
                try requireEqual(texts.map(\.ordinal), [2, 3], "those after the first")
                try requireEqual(texts.map(\.created), [20, 30], "their items")
                try requireEqual(try view.texts(one, session, after: 0, limit: 1).map(\.ordinal), [1], "a page")
                try requireEqual(try view.lastText(one, session), SessionText(ordinal: 3, created: 30), "the last")
                try requireEqual(try view.lastText(two, session)?.created, 7, "another user's")
                try requireEqual(try view.lastText(one, SessionID(stored: "b")), nil, "of none")
            }
            try await store.write { try $0.apply(.removeSession(one, session, .participant)) }
            try await store.read { view in
                try requireEqual(try view.texts(one, session, after: 0, limit: 9), [], "after its removal")
                try requireEqual(try view.texts(two, session, after: 0, limit: 9).count, 1, "the other user's stay")
            }
            try store.close()
        },
        Check("sessions and texts are there after closing and opening again") { harness in
            let store = try await harness.open()
            let one = AccountID(rawValue: 1)
            let session = SessionID(stored: "a")
            try await store.write { transaction in
                try transaction.apply(.session(.sample(1, "a", state: 3, due: 8)))
                try transaction.apply(.sessionText(one, session, SessionText(ordinal: 1, created: 4)))
            }
            try store.close()
            let again = try await harness.open()
            try await again.read { view in
                try requireEqual(
                    try view.session(one, session, .participant),
                    .sample(1, "a", state: 3, due: 8),
                    "the side"
                )
                try requireEqual(try view.lastText(one, session), SessionText(ordinal: 1, created: 4), "its text")
            }
            try again.close()
        },
    ]
}
