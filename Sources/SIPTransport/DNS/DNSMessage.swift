import ByteGrammar
public import NIOCore

/// The types of resource records that SIP needs (RFC 1035, 2782, 3403, 3596).
public enum DNSRecordType: UInt16, Sendable, Hashable {
    /// IPv4 address.
    case a = 1
    /// Another name of the same thing.
    case cname = 5
    /// The start of a zone, which comes with answers that hold nothing.
    case soa = 6
    /// IPv6 address.
    case aaaa = 28
    /// Host and port of a service.
    case srv = 33
    /// Rules from names to services.
    case naptr = 35
}

/// A resource record.
public struct DNSRecord: Sendable, Hashable {
    /// What a record says.
    public enum Data: Sendable, Hashable {
        /// The 4 or 16 bytes of an address.
        case address([UInt8])
        /// Another name.
        case alias(String)
        /// A zone: for how many seconds it may be believed that something is not in it.
        case authority(minimum: UInt32)
        /// A service: lower priority first, then at random by weight.
        case service(priority: UInt16, weight: UInt16, port: UInt16, target: String)
        /// A rule: lower order first, then lower preference.
        case rule(order: UInt16, preference: UInt16, flags: String, service: String, replacement: String)
    }

    /// The name in lower case, without the dot at its end.
    public var name: String
    /// How long the record may be kept, in seconds.
    public var timeToLive: UInt32
    /// What it says.
    public var data: Data

    /// Whether it says something of the zone and nothing of the name.
    var isAuthority: Bool { if case .authority = self.data { true } else { false } }

    /// Makes a record.
    public init(name: String, timeToLive: UInt32, data: Data) {
        self.name = name
        self.timeToLive = timeToLive
        self.data = data
    }
}

/// What went wrong with a DNS message or query.
public struct DNSError: Error, Sendable, Hashable {
    /// The open set of error codes.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The stable text of the code.
        public let rawValue: String
        /// Makes a code.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// The message does not follow its format.
        public static let malformed = Code(rawValue: "malformed")
        /// The answer is not to our question.
        public static let mismatch = Code(rawValue: "mismatch")
        /// No server answered in time.
        public static let timeout = Code(rawValue: "timeout")
        /// The server failed (SERVFAIL, REFUSED and the like).
        public static let serverFailure = Code(rawValue: "server-failure")
        /// A name is longer than DNS allows.
        public static let badName = Code(rawValue: "bad-name")
        /// More queries wait than ``DNSClient/maximumPending``.
        public static let tooManyQueries = Code(rawValue: "too-many-queries")
        /// Nothing to connect to was found.
        public static let notFound = Code(rawValue: "not-found")
    }

    /// The kind of fault.
    public let code: Code
    /// A sentence for a person.
    public let reason: String

    /// Makes an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Whether the codes are equal.
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
    /// Hashes the code.
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }
}

/// An answer of a DNS server (RFC 1035 section 4).
///
/// Every length and pointer in it is checked: compression pointers must lead backwards, so that reading ends.
public struct DNSMessage: Sendable, Hashable {
    /// The number that ties an answer to its query.
    public var identifier: UInt16
    /// Whether the answer was cut and must be asked for over TCP.
    public var isTruncated: Bool
    /// The response code: 0 is success, 3 says that the name does not exist.
    public var responseCode: UInt8
    /// The question in lower case, without the dot at its end.
    public var questionName: String
    /// The type asked for.
    public var questionType: UInt16
    /// The answers and the additional records that are of a known type.
    public var records: [DNSRecord]

    /// How many records of one message are read.
    public static let maximumRecords = 128

    /// Reads an answer.
    ///
    /// - Throws: ``DNSError/Code/malformed``.
    public init(parsing buffer: ByteBuffer) throws(DNSError) {
        var reader = DNSReader(bytes: Array(buffer.readableBytesView))
        self.identifier = try reader.integer()
        let flags = try reader.integer()
        guard flags & 0x8000 != 0, flags & 0x7800 == 0 else { throw DNSError(.malformed, "not an answer to a query") }
        self.isTruncated = flags & 0x0200 != 0
        self.responseCode = UInt8(flags & 0x0F)
        let questions = try reader.integer()
        let counts = [try reader.integer(), try reader.integer(), try reader.integer()]
        guard questions == 1 else { throw DNSError(.malformed, "not one question") }
        self.questionName = try reader.name()
        self.questionType = try reader.integer()
        guard try reader.integer() == 1 else { throw DNSError(.malformed, "not of class IN") }
        self.records = []
        // A cut answer may end anywhere; whoever asked asks again over TCP.
        guard !self.isTruncated else { return }
        let total = counts.reduce(0) { $0 + Int($1) }
        guard total <= Self.maximumRecords else { throw DNSError(.malformed, "too many records") }
        for _ in 0..<total { if let record = try reader.record() { self.records.append(record) } }
    }

    /// Writes a query with recursion desired.
    ///
    /// - Throws: ``DNSError/Code/badName``.
    public static func query(identifier: UInt16, name: String, type: DNSRecordType) throws(DNSError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(identifier)
        buffer.writeInteger(UInt16(0x0100))
        buffer.writeInteger(UInt16(1))
        buffer.writeInteger(UInt16(0))
        buffer.writeInteger(UInt32(0))
        let labels = Self.labels(name)
        guard !labels.isEmpty, labels.allSatisfy({ (1...63).contains($0.utf8.count) }),
            labels.reduce(1, { $0 + $1.utf8.count + 1 }) <= 255
        else { throw DNSError(.badName, "a name that DNS cannot hold") }
        for label in labels {
            buffer.writeInteger(UInt8(label.utf8.count))
            buffer.writeString(label)
        }
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(type.rawValue)
        buffer.writeInteger(UInt16(1))
        return buffer
    }

    static func labels(_ name: String) -> [String] {
        var labels = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if labels.last == "" { labels.removeLast() }
        return labels
    }
}

/// Reads the parts of a DNS message.
private struct DNSReader {
    let bytes: [UInt8]
    var offset = 0

    mutating func byte() throws(DNSError) -> UInt8 {
        guard self.offset < self.bytes.count else { throw DNSError(.malformed, "the message ends early") }
        defer { self.offset += 1 }
        return self.bytes[self.offset]
    }

    mutating func integer() throws(DNSError) -> UInt16 {
        let high = try self.byte()
        return UInt16(high) << 8 | UInt16(try self.byte())
    }

    mutating func take(_ count: Int) throws(DNSError) -> [UInt8] {
        guard count <= self.bytes.count - self.offset else { throw DNSError(.malformed, "the message ends early") }
        defer { self.offset += count }
        return Array(self.bytes[self.offset..<(self.offset + count)])
    }

    /// A name; every pointer must lead to an earlier place than the one before, and a name has at most 255 bytes.
    mutating func name() throws(DNSError) -> String {
        var labels: [String] = []
        var length = 0
        var position = self.offset
        var bound = self.offset
        var end: Int?
        while true {
            guard position < self.bytes.count else { throw DNSError(.malformed, "a name ends early") }
            let count = Int(self.bytes[position])
            if count & 0xC0 == 0xC0 {
                guard position + 1 < self.bytes.count else { throw DNSError(.malformed, "a pointer ends early") }
                let target = (count & 0x3F) << 8 | Int(self.bytes[position + 1])
                if end == nil { end = position + 2 }
                guard target < bound else { throw DNSError(.malformed, "a pointer that does not lead back") }
                bound = target
                position = target
                continue
            }
            guard count & 0xC0 == 0 else { throw DNSError(.malformed, "an unknown kind of label") }
            if count == 0 {
                self.offset = end ?? position + 1
                return labels.joined(separator: ".")
            }
            guard position + 1 + count <= self.bytes.count else { throw DNSError(.malformed, "a label ends early") }
            length += count + 1
            guard length <= 254 else { throw DNSError(.malformed, "a name is too long") }
            let label = self.bytes[(position + 1)..<(position + 1 + count)]
            guard label.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2E }) else {
                throw DNSError(.malformed, "a label that is no host name")
            }
            labels.append(String(decoding: label.map(ASCII.lowercased), as: UTF8.self))
            position += 1 + count
        }
    }

    mutating func text() throws(DNSError) -> String {
        let count = Int(try self.byte())
        return String(decoding: try self.take(count), as: UTF8.self)
    }

    /// A record, nil when it is of another type or class.
    mutating func record() throws(DNSError) -> DNSRecord? {
        let name = try self.name()
        let type = DNSRecordType(rawValue: try self.integer())
        let isInternet = try self.integer() == 1
        let life = UInt32(try self.integer()) << 16 | UInt32(try self.integer())
        let length = Int(try self.integer())
        guard length <= self.bytes.count - self.offset else { throw DNSError(.malformed, "a record ends early") }
        let end = self.offset + length
        defer { self.offset = end }
        guard let type, isInternet, let data = try self.data(type, length) else { return nil }
        guard self.offset <= end else { throw DNSError(.malformed, "a record is longer than it says") }
        return DNSRecord(name: name, timeToLive: life & 0x7FFF_FFFF, data: data)
    }

    private mutating func data(_ type: DNSRecordType, _ length: Int) throws(DNSError) -> DNSRecord.Data? {
        switch type {
        case .a:
            guard length == 4 else { throw DNSError(.malformed, "an address of \(length) bytes") }
            return .address(try self.take(4))
        case .aaaa:
            guard length == 16 else { throw DNSError(.malformed, "an address of \(length) bytes") }
            return .address(try self.take(16))
        case .cname:
            return .alias(try self.name())
        case .soa:
            // Names that nobody asks for stand before five numbers.
            guard length >= 22 else { throw DNSError(.malformed, "the start of a zone of \(length) bytes") }
            _ = try self.take(length - 4)
            return .authority(minimum: UInt32(try self.integer()) << 16 | UInt32(try self.integer()))
        case .srv:
            let priority = try self.integer()
            let weight = try self.integer()
            let port = try self.integer()
            return .service(priority: priority, weight: weight, port: port, target: try self.name())
        case .naptr:
            let order = try self.integer()
            let preference = try self.integer()
            let flags = try self.text()
            let service = try self.text()
            // A rule with a regular expression is of no use to SIP (RFC 3263 section 4.1).
            let expression = try self.text()
            let replacement = try self.name()
            guard expression.isEmpty else { return nil }
            return .rule(
                order: order,
                preference: preference,
                flags: ASCII.lowercased(flags),
                service: ASCII.lowercased(service),
                replacement: replacement
            )
        }
    }
}
