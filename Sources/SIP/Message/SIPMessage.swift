import ByteGrammar
public import NIOCore

/// A SIP request or response (RFC 3261 section 7).
///
/// A message is the bytes that it was read from plus a table of where its header fields are. Values are decoded when
/// they are asked for. What is added or replaced is written behind the original bytes, so that everything untouched
/// is printed exactly as it was received.
///
/// ```swift
/// var request = SIPMessage(method: .options, uri: "sip:bob@biloxi.example")
/// request.append(.maxForwards, "70")
/// ```
public struct SIPMessage: Sendable {
    /// The bytes of the message, and behind them whatever was added; offsets count from the first readable byte.
    var storage: ByteBuffer
    var start: StartLine
    var fields: [FieldLine]
    var bodyRange: Range<UInt32>

    init(storage: ByteBuffer, start: StartLine, fields: [FieldLine], bodyRange: Range<UInt32>) {
        self.storage = storage
        self.start = start
        self.fields = fields
        self.bodyRange = bodyRange
    }

    /// The first line of a message.
    enum StartLine: Sendable, Equatable {
        case request(SIPMethod, uri: Range<UInt32>)
        case response(SIPStatus, reason: Range<UInt32>)
    }

    /// Where one header field is, folds included.
    struct FieldLine: Sendable, Equatable {
        var start: UInt32
        var end: UInt32
        var valueStart: UInt32
        var valueEnd: UInt32
        var nameLength: UInt16
        var id: UInt8

        var line: Range<Int> { Int(self.start)..<Int(self.end) }
        var name: Range<Int> { Int(self.start)..<(Int(self.start) + Int(self.nameLength)) }
        var value: Range<Int> { Int(self.valueStart)..<Int(self.valueEnd) }
    }
}

extension SIPMessage {
    /// Whether this is a request.
    public var isRequest: Bool { self.method != nil }

    /// The method of a request, nil for a response.
    public var method: SIPMethod? {
        if case .request(let method, _) = self.start { method } else { nil }
    }

    /// The Request-URI of a request as it was written, nil for a response.
    public var uriText: String? {
        guard case .request(_, let uri) = self.start else { return nil }
        return self.text(uri)
    }

    /// Decodes the Request-URI.
    ///
    /// - Throws: ``SIPError/Code/malformedURI``, or ``SIPError/Code/notAllowed`` for a response.
    public func requestURI() throws(SIPError) -> URI {
        guard case .request(_, let uri) = self.start else {
            throw SIPError(.notAllowed, "a response has no Request-URI")
        }
        return try URI.parse(self.storage.readableBytesUInt8Span.extracting(Int(uri.lowerBound)..<Int(uri.upperBound)))
    }

    /// The status of a response, nil for a request.
    public var status: SIPStatus? {
        if case .response(let status, _) = self.start { status } else { nil }
    }

    /// The reason phrase of a response, nil for a request.
    public var reasonPhrase: String? {
        guard case .response(_, let reason) = self.start else { return nil }
        return self.text(reason)
    }

    /// The body.
    public var body: ByteBuffer {
        self.storage.getSlice(
            at: self.storage.readerIndex + Int(self.bodyRange.lowerBound),
            length: self.bodyRange.count
        ) ?? ByteBuffer()
    }

    /// The number of bytes of the body.
    public var bodyLength: Int { self.bodyRange.count }

    /// The number of header fields (lines, not values).
    public var fieldCount: Int { self.fields.count }

    func text(_ range: Range<UInt32>) -> String {
        self.storage.readableBytesUInt8Span.text(Int(range.lowerBound)..<Int(range.upperBound))
    }
}

extension SIPMessage {
    /// The header fields in their order: the name as written, and the value with folds made single spaces.
    public var headerFields: [(name: String, value: String)] {
        self.fields.map { field in
            (self.storage.readableBytesUInt8Span.text(field.name), self.valueText(field))
        }
    }

    /// Whether there is a header field of that name.
    public func contains(_ name: HeaderName) -> Bool { self.index(of: name) != nil }

    /// The value of the first header field of that name, folds made single spaces, or nil when there is none.
    public func text(_ name: HeaderName) -> String? {
        self.index(of: name).map { self.valueText(self.fields[$0]) }
    }

    /// The values of all header fields of that name (one for each line), folds made single spaces.
    public func texts(_ name: HeaderName) -> [String] {
        self.fields.indices.filter { self.matches(self.fields[$0], name) }.map { self.valueText(self.fields[$0]) }
    }

    func index(of name: HeaderName, from start: Int = 0) -> Int? {
        var index = start
        while index < self.fields.count {
            if self.matches(self.fields[index], name) { return index }
            index += 1
        }
        return nil
    }

    @inline(__always)
    func matches(_ field: FieldLine, _ name: HeaderName) -> Bool {
        guard field.id == name.id else { return false }
        guard name.id == HeaderName.otherID else { return true }
        guard Int(field.nameLength) == name.other.utf8.count else { return false }
        let bytes = self.storage.readableBytesUInt8Span
        var offset = Int(field.start)
        for byte in name.other.utf8 {
            guard ASCII.lowercased(bytes[offset]) == byte else { return false }
            offset += 1
        }
        return true
    }

    func valueText(_ field: FieldLine) -> String {
        let bytes = self.storage.readableBytesUInt8Span
        guard
            ByteSearch.firstOffset(of: 0x0A, in: bytes.bytes, from: field.value.lowerBound, to: field.value.upperBound)
                != nil
        else { return bytes.text(field.value) }
        return Unfolding.text(bytes, field.value)
    }
}

/// The text of a folded header field.
enum Unfolding {
    /// The bytes of a range with each fold (a line break and the white space around it) made one space.
    static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            index += 1
            guard byte == 0x0A else {
                result.append(byte)
                continue
            }
            while let last = result.last, last == 0x0D || ByteSet.whitespace.contains(last) { result.removeLast() }
            while index < range.upperBound, ByteSet.whitespace.contains(bytes[index]) { index += 1 }
            result.append(0x20)
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension SIPMessage: Equatable {
    /// Whether two messages print the same bytes.
    public static func == (left: Self, right: Self) -> Bool { left.serialized() == right.serialized() }
}

extension SIPMessage: CustomStringConvertible {
    /// The start line and the Call-ID; never a body.
    public var description: String {
        let callID = self.text(.callID) ?? "-"
        return switch self.start {
        case .request(let method, let uri): "\(method) \(self.text(uri)) (\(callID))"
        case .response(let status, _): "\(status) (\(callID))"
        }
    }
}
