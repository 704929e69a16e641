import ClientWire
public import MessagingCore

/// Writes the contract's most frequent documents, splicing in content that was encoded when it was stored.
///
/// The shapes are fixed by tests that decode what is written here with `ItemDocument` and `SendAnswer` themselves.
struct ItemWriter {
    /// How much of an item to write.
    enum Form: Hashable {
        /// What changed: flags and reports, no content.
        case state
        /// The content itself.
        case whole
        /// A notice with its link.
        case notice
    }

    private(set) var bytes: [UInt8]

    init(reserving count: Int = 512) {
        bytes = []
        bytes.reserveCapacity(count)
    }

    mutating func text(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func raw(_ other: [UInt8]) { bytes.append(contentsOf: other) }

    /// A string that is known to need no escape: ids, addresses and codes are checked on the way in.
    mutating func safe(_ string: String) {
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: string.utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Any string, escaped as JSON asks (RFC 8259, section 7).
    mutating func string(_ string: String) {
        var string = string
        bytes.append(UInt8(ascii: "\""))
        string.withUTF8 { text in
            var start = 0
            for (index, byte) in text.enumerated()
            where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes.append(contentsOf: text[start..<index])
                escape(byte)
                start = index + 1
            }
            bytes.append(contentsOf: text[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\n"): text("\\n")
        case UInt8(ascii: "\r"): text("\\r")
        case UInt8(ascii: "\t"): text("\\t")
        case 0..<0x20:
            text(byte < 0x10 ? "\\u000" : "\\u001")
            let digit = byte & 15
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
        default:
            text("\\")
            bytes.append(byte)
        }
    }

    /// A time as text.
    mutating func time(_ time: Timestamp) {
        bytes.append(UInt8(ascii: "\""))
        time.write(into: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func number(_ value: Int64) {
        guard value != 0 else { return bytes.append(UInt8(ascii: "0")) }
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { buffer in
            var magnitude = value.magnitude
            var index = 20
            while magnitude > 0 {
                index -= 1
                buffer[index] = UInt8(ascii: "0") + UInt8(magnitude % 10)
                magnitude /= 10
            }
            bytes.append(contentsOf: buffer[index..<20])
        }
    }

    /// Writes one item.
    mutating func item(
        _ item: Item,
        decision: Decision?,
        form: Form,
        document: [UInt8]?,
        notice: [UInt8]?,
        reports: Bool = true
    ) {
        text("{\"changed\":")
        number(item.changed)
        text(",\"created\":")
        number(item.created)
        text(",\"kind\":")
        safe(item.kind.name)
        text(",\"id\":")
        safe(item.object)
        switch item.body {
        case .tombstone: text(",\"gone\":true")
        case .document(let value):
            text(",\"value\":")
            raw(value)
        case .message(let message):
            self.message(message, decision: decision, reports: reports)
            if form == .whole, let document {
                text(",\"message\":")
                raw(document)
            } else if form == .notice, let notice {
                text(",\"notice\":")
                raw(notice)
            }
        }
        text("}")
    }

    private mutating func message(_ message: MessageItem, decision: Decision?, reports: Bool) {
        if let decision {
            text(",\"deliver\":")
            safe(decision.deliver.description)
            if decision.silent { text(",\"silent\":true") }
        }
        switch (message.flags.contains(.received), message.flags.contains(.sent)) {
        case (true, true): text(",\"boxes\":[\"inbox\",\"sent\"]")
        case (true, false): text(",\"boxes\":[\"inbox\"]")
        case (false, _): text(",\"boxes\":[\"sent\"]")
        }
        text(message.flags.contains(.read) ? ",\"read\":true" : ",\"read\":false")
        if message.flags.contains(.released) { text(",\"released\":true") }
        text(",\"conversation\":")
        safe(message.conversation.description)
        if !message.ownAddresses.isEmpty {
            text(",\"addressed\":[")
            for (index, address) in message.ownAddresses.enumerated() {
                if index > 0 { text(",") }
                safe(address.description)
            }
            text("]")
        }
        if reports, !message.receivers.isEmpty {
            text(",\"receivers\":")
            receivers(message.receivers.map(ReceiverDocument.init))
        }
    }

    /// Writes the answer to a `send` on the socket.
    mutating func answer(_ answer: SendAnswer, ref: Int) {
        text("{\"ref\":")
        number(Int64(ref))
        text(",\"sent\":{\"id\":")
        safe(answer.id.description)
        text(",\"created\":")
        number(answer.created)
        text(",\"conversation\":")
        safe(answer.conversation.description)
        text(",\"receivers\":")
        receivers(answer.receivers)
        text(",\"balance\":")
        number(answer.balance)
        if let ordinal = answer.ordinal {
            text(",\"ordinal\":")
            number(ordinal)
        }
        text(answer.repeated ? ",\"repeated\":true}}" : ",\"repeated\":false}}")
    }

    private mutating func receivers(_ receivers: [ReceiverDocument]) {
        text("[")
        for (index, receiver) in receivers.enumerated() {
            if index > 0 { text(",") }
            self.receiver(receiver)
        }
        text("]")
    }

    private mutating func receiver(_ receiver: ReceiverDocument) {
        text("{\"address\":")
        safe(receiver.address.description)
        text(",\"state\":")
        safe(receiver.state)
        text(",\"since\":")
        time(receiver.since)
        if let reason = receiver.reason {
            text(",\"reason\":")
            // Another server's word.
            string(reason.rawValue)
        }
        text("}")
    }
}

extension ItemKind {
    /// The kind's name in the contract.
    public var name: String {
        switch self {
        case .message: "message"
        case .device: "device"
        case .contact: "contact"
        case .contactList: "contact-list"
        case .rules: "rules"
        case .availability: "availability"
        case .settings: "settings"
        case .blocked: "blocked"
        case .file: "file"
        case .account: "account"
        case .session: "session"
        }
    }
}
