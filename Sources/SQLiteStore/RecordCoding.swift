import MessagingCore
import Store

/// Appends values in the compact form that rows keep: variable-length integers, texts after their length.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func integer(_ value: Int64) {
        // Zigzag, then seven bits at a time, the lowest first.
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func text(_ value: String) {
        integer(Int64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func octets(_ value: [UInt8]) {
        integer(Int64(value.count))
        bytes += value
    }
}

/// Reads what ``RecordWriter`` wrote, where it stands; anything else is ``StoreError`` `corrupt`.
struct RecordReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// The bytes must outlive the reader.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    static let corrupt = StoreError(.corrupt, "a row's record cannot be read")

    mutating func byte() throws -> UInt8 {
        guard offset < bytes.count else { throw Self.corrupt }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func integer() throws -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 64 else { throw Self.corrupt }
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { break }
            shift += 7
        }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func count() throws -> Int {
        let count = try integer()
        guard count >= 0, count <= Int64(bytes.count) else { throw Self.corrupt }
        return Int(count)
    }

    mutating func text() throws -> String {
        let count = try count()
        guard offset + count <= bytes.count else { throw Self.corrupt }
        defer { offset += count }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]), as: UTF8.self)
    }

    mutating func octets() throws -> [UInt8] {
        let count = try count()
        guard offset + count <= bytes.count else { throw Self.corrupt }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }
}

/// The first byte of a record names its shape.
private enum Shape: UInt8 {
    case message = 1
    case document = 2
    case tombstone = 3
    case bonds = 4
    case messageTask = 5
    case reportTask = 6
    case sessionTask = 7
}

extension Item.Body {
    var record: [UInt8] {
        var writer = RecordWriter()
        switch self {
        case .tombstone: writer.byte(Shape.tombstone.rawValue)
        case .document(let bytes):
            writer.byte(Shape.document.rawValue)
            return writer.bytes + bytes
        case .message(let message):
            writer.byte(Shape.message.rawValue)
            writer.message(message)
        }
        return writer.bytes
    }

    init(record: UnsafeRawBufferPointer) throws {
        var reader = RecordReader(record)
        switch Shape(rawValue: try reader.byte()) {
        case .tombstone: self = .tombstone
        case .document: self = .document(Array(record.dropFirst()))
        case .message: self = .message(try reader.message())
        default: throw RecordReader.corrupt
        }
    }
}

extension RecordWriter {
    fileprivate mutating func message(_ message: MessageItem) {
        integer(Int64(message.flags.rawValue))
        integer(message.content.rawValue)
        text(message.conversation.description)
        integer(message.expires?.rawValue ?? 0)
        integer(Int64(message.ownAddresses.count))
        for address in message.ownAddresses { text(address.description) }
        integer(Int64(message.decisions.revision))
        integer(Int64(message.decisions.entries.count))
        for entry in message.decisions.entries {
            integer(Int64(entry.device.rawValue))
            byte(entry.result)
            byte(entry.reason)
        }
        integer(Int64(message.receivers.count))
        for receiver in message.receivers {
            text(receiver.address.description)
            byte(receiver.disposition.rawValue)
            integer(receiver.since.rawValue)
            text(receiver.failure?.rawValue ?? "")
        }
    }
}

extension RecordReader {
    fileprivate mutating func message() throws -> MessageItem {
        let flags = MessageItem.Flags(rawValue: UInt32(truncatingIfNeeded: try integer()))
        let content = ContentID(rawValue: try integer())
        let conversation = ConversationID(stored: try text())
        let expires = try integer()
        var addresses: [Address] = []
        for _ in 0..<(try count()) { addresses.append(Address(stored: try text())) }
        var decisions = PackedDecisions(revision: Int32(truncatingIfNeeded: try integer()))
        let entries = try count()
        decisions.entries.reserveCapacity(entries)
        for _ in 0..<entries {
            decisions.entries.append(
                PackedDecisions.Entry(
                    device: DeviceID(rawValue: Int32(truncatingIfNeeded: try integer())),
                    result: try byte(),
                    reason: try byte()
                )
            )
        }
        var receivers: [ReceiverState] = []
        for _ in 0..<(try count()) {
            let address = Address(stored: try text())
            guard let disposition = Disposition(rawValue: try byte()) else { throw Self.corrupt }
            let since = Timestamp(rawValue: try integer())
            let failure = try text()
            receivers.append(
                ReceiverState(
                    address: address,
                    disposition: disposition,
                    since: since,
                    failure: failure.isEmpty ? nil : Refusal.Code(rawValue: failure)
                )
            )
        }
        return MessageItem(
            flags: flags,
            content: content,
            conversation: conversation,
            ownAddresses: addresses,
            decisions: decisions,
            receivers: receivers,
            expires: expires == 0 ? nil : Timestamp(rawValue: expires)
        )
    }
}

/// What a content's row keeps beside its columns: blobs and accounts.
struct Bonds {
    var blobs: [BlobHash]
    var accounts: [AccountID]

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.byte(Shape.bonds.rawValue)
        writer.integer(Int64(blobs.count))
        for blob in blobs { writer.text(blob.description) }
        writer.integer(Int64(accounts.count))
        for account in accounts { writer.integer(account.rawValue) }
        return writer.bytes
    }

    init(blobs: [BlobHash], accounts: [AccountID]) {
        self.blobs = blobs
        self.accounts = accounts
    }

    init(record: UnsafeRawBufferPointer) throws {
        var reader = RecordReader(record)
        guard try reader.byte() == Shape.bonds.rawValue else { throw RecordReader.corrupt }
        blobs = []
        accounts = []
        for _ in 0..<(try reader.count()) { blobs.append(BlobHash(stored: try reader.text())) }
        for _ in 0..<(try reader.count()) { accounts.append(AccountID(rawValue: try reader.integer())) }
    }
}

extension OutboxEntry {
    var record: [UInt8] {
        var writer = RecordWriter()
        switch task {
        case .message(let receiver):
            writer.byte(Shape.messageTask.rawValue)
            writer.text(receiver.description)
        case .report(let sender, let receiver, let disposition):
            writer.byte(Shape.reportTask.rawValue)
            writer.text(sender.description)
            writer.text(receiver.description)
            writer.byte(disposition.rawValue)
        case .session(let session, let from, let to, let number, let line):
            writer.byte(Shape.sessionTask.rawValue)
            writer.text(session.description)
            writer.text(from.description)
            writer.text(to.description)
            writer.integer(number)
            writer.octets(line)
        }
        writer.integer(account.rawValue)
        writer.text(message.description)
        writer.integer(content.rawValue)
        writer.integer(expires.rawValue)
        writer.integer(price)
        writer.integer(Int64(reports.count))
        for report in reports { writer.text(report.rawValue) }
        return writer.bytes
    }

    init(record: UnsafeRawBufferPointer, lane: String) throws {
        var reader = RecordReader(record)
        let task: Task
        switch Shape(rawValue: try reader.byte()) {
        case .messageTask: task = .message(receiver: Address(stored: try reader.text()))
        case .reportTask:
            let sender = Address(stored: try reader.text())
            let receiver = Address(stored: try reader.text())
            guard let disposition = Disposition(rawValue: try reader.byte()) else { throw RecordReader.corrupt }
            task = .report(to: sender, receiver: receiver, disposition)
        case .sessionTask:
            task = .session(
                SessionID(stored: try reader.text()),
                from: Address(stored: try reader.text()),
                to: Address(stored: try reader.text()),
                number: try reader.integer(),
                line: try reader.octets()
            )
        default: throw RecordReader.corrupt
        }
        self.init(
            account: AccountID(rawValue: try reader.integer()),
            message: MessageID(stored: try reader.text()),
            content: ContentID(rawValue: try reader.integer()),
            lane: lane,
            task: task,
            expires: Timestamp(rawValue: try reader.integer()),
            price: try reader.integer()
        )
        for _ in 0..<(try reader.count()) {
            guard let report = Report(rawValue: try reader.text()) else { throw RecordReader.corrupt }
            reports.append(report)
        }
    }
}
