import MessagingCore
import Testing

@Suite("A message's state only moves forward")
struct MessageStateTests {
    private func item(_ flags: MessageItem.Flags) -> MessageItem {
        MessageItem(
            flags: flags,
            content: ContentID(rawValue: 1),
            conversation: ConversationID(stored: "c"),
            ownAddresses: [Make.address("alice")],
            decisions: PackedDecisions(revision: 0)
        )
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let before: MessageItem.Flags
        let effects: [MessageItem.Effect]?
        let after: MessageItem.Flags
        var testDescription: String { "\(before.rawValue)" }
    }

    @Test(
        "reading: effects and the state reached",
        arguments: [
            Row(before: .received, effects: [], after: [.received, .read, .delivered]),
            Row(before: .sent, effects: nil, after: .sent),
            Row(before: [.received, .read], effects: nil, after: [.received, .read]),
            Row(
                before: [.received, .wantsDelivered, .wantsDisplayed],
                effects: [.reportDelivered, .reportDisplayed],
                after: [.received, .wantsDelivered, .wantsDisplayed, .read, .delivered]
            ),
            Row(
                before: [.received, .wantsDelivered, .delivered],
                effects: [],
                after: [.received, .wantsDelivered, .delivered, .read]
            ),
        ]
    )
    func reading(_ row: Row) {
        var message = item(row.before)
        let effects = message.markRead()
        #expect(effects == row.effects)
        #expect(message.flags == row.after)
    }

    @Test(
        "delivery: effects and the state reached",
        arguments: [
            Row(before: .received, effects: [], after: [.received, .delivered]),
            Row(
                before: [.received, .wantsDelivered],
                effects: [.reportDelivered],
                after: [.received, .wantsDelivered, .delivered]
            ),
            Row(before: [.received, .delivered], effects: nil, after: [.received, .delivered]),
            Row(before: .sent, effects: nil, after: .sent),
        ]
    )
    func delivery(_ row: Row) {
        var message = item(row.before)
        let effects = message.markDelivered()
        #expect(effects == row.effects)
        #expect(message.flags == row.after)
    }

    @Test("delete here lowers whole to a notification and nothing else; fetching raises again (R7)")
    func here() throws {
        let device = DeviceID(rawValue: 1)
        var message = item(.received)
        let lowered = message.deleteHere(device, current: Decision(.whole, because: .otherwise))
        #expect(lowered)
        #expect(message.decisions[device] == Decision(.notification, because: .deletedHere))
        let again = message.deleteHere(device, current: Decision(.notification, because: .deletedHere))
        #expect(!again)
        let nothing = message.deleteHere(device, current: Decision(.nothing, because: .otherwise))
        #expect(!nothing)
        let raised = try message.fetch(device, current: Decision(.notification, because: .deletedHere))
        #expect(raised)
        #expect(message.decisions[device] == Decision(.whole, silent: true, because: .fetchedHere))
        let twice = try message.fetch(device, current: Decision(.whole, because: .fetchedHere))
        #expect(!twice)
    }

    @Test("released content cannot be fetched")
    func released() {
        var message = item([.received, .transient])
        let first = message.release()
        #expect(first)
        #expect(message.flags == [.received, .released])
        let second = message.release()
        #expect(!second)
        #expect(throws: Refusal(.noLongerStored, "")) {
            try message.fetch(DeviceID(rawValue: 1), current: Decision(.notification, because: .otherwise))
        }
    }

    @Test("the report lattice: every state against every step")
    func lattice() {
        for from in Disposition.allCases {
            for to in Disposition.allCases {
                var state = ReceiverState(address: Make.address("a"), disposition: from, since: Make.now)
                let later = Make.now.advanced(by: 5)
                let raised = state.raise(to: to, at: later, failure: .notFound)
                #expect(raised == (to > from))
                #expect(state.disposition == max(from, to))
                #expect(state.since == (raised ? later : Make.now))
                #expect(state.failure == (raised && to == .failed ? .notFound : nil))
            }
        }
    }
}

@Suite("How a device is brought up to date")
struct CatchUpTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let cursor: Cursor?
        let head: ChangeNumber
        let trim: ChangeNumber
        let expected: CatchUp
        var testDescription: String { name }
    }

    private static func cursor(_ number: Int64, _ level: Int64, _ epoch: Epoch = Make.epoch) -> Cursor {
        Cursor(epoch: epoch, number: number, level: level)
    }

    @Test(
        "cursor against mailbox",
        arguments: [
            Row(name: "new device, empty mailbox", cursor: nil, head: 0, trim: 0, expected: .current),
            Row(name: "new device", cursor: nil, head: 9, trim: 0, expected: .reset(.fresh)),
            Row(name: "at the head", cursor: cursor(9, 9), head: 9, trim: 0, expected: .current),
            Row(name: "behind", cursor: cursor(5, 4), head: 9, trim: 3, expected: .stream(after: 5, level: 4)),
            Row(name: "at the trim", cursor: cursor(3, 3), head: 9, trim: 3, expected: .stream(after: 3, level: 3)),
            Row(name: "below the trim", cursor: cursor(2, 2), head: 9, trim: 3, expected: .reset(.trimmed)),
            Row(name: "beyond the head", cursor: cursor(10, 9), head: 9, trim: 0, expected: .reset(.beyondHead)),
            Row(name: "level beyond number", cursor: cursor(5, 6), head: 9, trim: 0, expected: .reset(.beyondHead)),
            Row(
                name: "other epoch",
                cursor: cursor(5, 5, Epoch("old")),
                head: 9,
                trim: 0,
                expected: .reset(.otherEpoch)
            ),
            Row(
                name: "head reached in mid catch-up",
                cursor: cursor(9, 4),
                head: 9,
                trim: 0,
                expected: .stream(after: 9, level: 4)
            ),
        ]
    )
    func decides(_ row: Row) {
        #expect(
            CatchUp.decide(cursor: row.cursor, epoch: Make.epoch, head: row.head, trim: row.trim) == row.expected
        )
    }
}
