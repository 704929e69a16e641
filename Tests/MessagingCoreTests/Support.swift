import MessagingCore

/// Short ways to make the core's values in tests.
enum Make {
    static let now = Timestamp(rawValue: 1_770_000_000_000)
    static let epoch = Epoch("e1")

    static func address(_ text: String) -> Address { Address(stored: "sip:\(text)@a.example") }

    static func device(_ id: Int32, _ kind: DeviceKind, capabilities: Capabilities = .everything) -> Device {
        Device(
            id: DeviceID(rawValue: id),
            kind: kind,
            label: kind.rawValue,
            capabilities: capabilities,
            registered: now,
            rulesRevision: 0,
            joinedAt: 0,
            epoch: epoch
        )
    }

    static func user(_ id: Int64, _ names: [String], devices: [Device] = [], balance: Int64 = 100) -> UserState {
        UserState(
            account: Account(
                id: AccountID(rawValue: id),
                name: names[0],
                addresses: names.map(address),
                epoch: epoch,
                balance: balance
            ),
            devices: devices
        )
    }

    static func envelope(
        from: String,
        to: [String],
        subject: String? = "Hello",
        parts: [Part] = [Part(type: "text/plain", text: "hi")]
    ) -> Envelope {
        Envelope(
            id: MessageID(stored: "m1"),
            from: address(from),
            to: to.map(address),
            date: now,
            conversation: ConversationID(stored: "c1"),
            subject: subject,
            parts: parts
        )
    }

    static func pattern(_ text: String) -> MediaPattern {
        guard let pattern = try? MediaPattern(text) else { preconditionFailure("a bad pattern in a test") }
        return pattern
    }
}
