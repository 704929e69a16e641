public import NIOCore

/// A whole frame as a value, to be printed.
///
/// Chunks of messages are printed by ``MessageSender`` without going through this type; it is for everything else:
/// responses, reports, AUTH, and tests.
public struct Frame: Sendable, Hashable {
    /// A header apart from To-Path, From-Path and Content-Type.
    public struct Header: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value.
        public var value: String

        /// Makes a header.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The id on the start line and in the end-line.
    public var transactionID: TransactionID
    /// A request or a response.
    public var startLine: FrameHead.StartLine
    /// The first header.
    public var toPath: [MSRPURI]
    /// The second header.
    public var fromPath: [MSRPURI]
    /// The headers after these two, in order.
    public var headers: [Header]
    /// The last header; a frame with a body has one.
    public var contentType: String?
    /// The octets of the body; none for a frame without an empty line after its headers.
    public var body: ByteBuffer?
    /// The flag in the end-line.
    public var continuation: Continuation

    /// Makes a frame.
    public init(
        transactionID: TransactionID,
        startLine: FrameHead.StartLine,
        toPath: [MSRPURI],
        fromPath: [MSRPURI],
        headers: [Header] = [],
        contentType: String? = nil,
        body: ByteBuffer? = nil,
        continuation: Continuation = .complete
    ) {
        self.transactionID = transactionID
        self.startLine = startLine
        self.toPath = toPath
        self.fromPath = fromPath
        self.headers = headers
        self.contentType = contentType
        self.body = body
        self.continuation = continuation
    }

    /// The response to a request (RFC 4975 section 7.2): it goes one hop back for SEND, the whole way for other
    /// methods.
    ///
    /// - Throws: ``MSRPError`` when the request does not say where it comes from; it cannot be answered then.
    public static func response(_ status: MSRPStatus, to request: FrameHead) throws(MSRPError) -> Frame {
        let from = try request.fromPath()
        let to = try request.toPath()
        return Frame(
            transactionID: request.transactionID,
            startLine: .response(status, comment: status.comment),
            toPath: request.method == .send ? Array(from.prefix(1)) : from,
            fromPath: Array(to.prefix(1))
        )
    }
}

extension Frame {
    /// Appends the frame to a buffer, exactly as it goes over the wire.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/unprintable`` when a value holds a line end or the like, or when
    ///   the body holds the end-line, and nothing is written then.
    public func write(into buffer: inout ByteBuffer) throws(MSRPError) {
        try self.checkPrintable()
        Self.writeStartLine(self.startLine, id: self.transactionID, into: &buffer)
        Self.writePaths(to: self.toPath, from: self.fromPath, into: &buffer)
        for header in self.headers { buffer.writeString("\(header.name): \(header.value)\r\n") }
        if let contentType { buffer.writeString("Content-Type: \(contentType)\r\n") }
        if let body {
            buffer.writeStaticString("\r\n")
            buffer.writeImmutableBuffer(body)
            buffer.writeStaticString("\r\n")
        }
        Self.writeEndLine(id: self.transactionID, self.continuation, into: &buffer)
    }

    private func checkPrintable() throws(MSRPError) {
        guard !self.toPath.isEmpty, !self.fromPath.isEmpty else {
            throw MSRPError(.unprintable, "To-Path and From-Path are needed")
        }
        for header in self.headers {
            let name = header.name.utf8.span
            guard name.count > 0 else { throw MSRPError(.unprintable, "a header without a name") }
            for index in 0..<name.count where !ASCII.isToken(name[index]) {
                throw MSRPError(.unprintable, "a header name that is no token", offset: index)
            }
            try Self.checkValue(header.value)
        }
        if let contentType { try Self.checkValue(contentType) }
        switch self.startLine {
        case .request(let method): try Self.checkMethod(method)
        case .response(_, let comment): try Self.checkValue(comment)
        }
        guard let body else { return }
        guard !EndLine.occurs(in: body.readableBytesUInt8Span, id: self.transactionID.text.utf8.span) else {
            throw MSRPError(.unprintable, "the end-line occurs in the body")
        }
    }

    static func checkValue(_ value: String) throws(MSRPError) {
        let bytes = value.utf8.span
        for index in 0..<bytes.count where ASCII.isForbiddenInValue(bytes[index]) {
            throw MSRPError(.unprintable, "a control character in a value", offset: index)
        }
    }

    private static func checkMethod(_ method: MSRPMethod) throws(MSRPError) {
        let name = method.rawValue.utf8.span
        guard name.count > 0 else { throw MSRPError(.unprintable, "a method without a name") }
        for index in 0..<name.count where name[index] &- UInt8(ascii: "A") >= 26 {
            throw MSRPError(.unprintable, "a method that is not upper case", offset: index)
        }
    }

    static func writeStartLine(_ line: FrameHead.StartLine, id: TransactionID, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("MSRP ")
        buffer.writeString(id.text)
        switch line {
        case .request(let method):
            buffer.writeString(" \(method.rawValue)\r\n")
        case .response(let status, let comment):
            buffer.writeString(comment.isEmpty ? " \(status.rawValue)\r\n" : " \(status.rawValue) \(comment)\r\n")
        }
    }

    static func writePaths(to: [MSRPURI], from: [MSRPURI], into buffer: inout ByteBuffer) {
        for (name, path) in [("To-Path:", to), ("From-Path:", from)] {
            buffer.writeString(name)
            for uri in path { buffer.writeString(" \(uri.text)") }
            buffer.writeStaticString("\r\n")
        }
    }

    static func writeEndLine(id: TransactionID, _ flag: Continuation, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("-------")
        buffer.writeString(id.text)
        buffer.writeInteger(flag.rawValue)
        buffer.writeStaticString("\r\n")
    }
}
