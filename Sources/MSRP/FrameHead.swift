public import NIOCore

/// Everything of a frame before its body: the start line and the headers.
///
/// The parser only finds where each header lies. Values are decoded when they are asked for, so that whoever forwards
/// or refuses a frame does not pay for what it does not read.
public struct FrameHead: Sendable {
    /// What the first line says.
    public enum StartLine: Sendable, Hashable {
        /// `MSRP id METHOD`
        case request(MSRPMethod)
        /// `MSRP id 200 comment`
        case response(MSRPStatus, comment: String)
    }

    /// A part of ``bytes``.
    struct Place: Sendable, Hashable {
        var start: UInt32
        var end: UInt32

        static let none = Self(start: 0, end: 0)
        var isPresent: Bool { self.end != 0 }
        var range: Range<Int> { Int(self.start)..<Int(self.end) }

        init(_ range: Range<Int>) {
            self.start = UInt32(truncatingIfNeeded: range.lowerBound)
            self.end = UInt32(truncatingIfNeeded: range.upperBound)
        }

        private init(start: UInt32, end: UInt32) {
            self.start = start
            self.end = end
        }
    }

    /// Where the headers lie that a chunk is handled by.
    struct Places: Sendable, Hashable {
        var toPath = Place.none
        var fromPath = Place.none
        var messageID = Place.none
        var byteRange = Place.none
        var successReport = Place.none
        var failureReport = Place.none
        var status = Place.none
        var contentType = Place.none
    }

    /// The first line.
    public internal(set) var startLine: StartLine
    /// The id of the request, which its response and its end-line carry too.
    public internal(set) var transactionID: TransactionID
    /// Whether an empty line followed the headers, so that a body (of any length) follows.
    public internal(set) var hasBody: Bool
    /// What is wrong with the head, when the frame could be delimited all the same.
    ///
    /// Such a request must not be acted on; it is answered with 400, when it says whom to answer.
    public internal(set) var defect: MSRPError?
    /// The start line and the headers with their line ends.
    ///
    /// It shares the storage of what was read from the network: copy it before keeping it for long.
    public internal(set) var bytes: ByteBuffer
    var places: Places
    /// Where the first header line starts.
    var headersStart: Int

    /// The method, of a request.
    public var method: MSRPMethod? {
        if case .request(let method) = self.startLine { method } else { nil }
    }

    /// The status, of a response.
    public var status: MSRPStatus? {
        if case .response(let status, _) = self.startLine { status } else { nil }
    }
}

extension FrameHead {
    /// The To-Path: the hops that the frame still has to go, the next one first.
    public func toPath(limits: MSRPLimits = .init()) throws(MSRPError) -> [MSRPURI] {
        try self.path(self.places.toPath, "To-Path", limits)
    }

    /// The From-Path: the hops that the frame has gone, the last one first.
    public func fromPath(limits: MSRPLimits = .init()) throws(MSRPError) -> [MSRPURI] {
        try self.path(self.places.fromPath, "From-Path", limits)
    }

    /// The To-Path as it came: for whoever compares it with the one before, without reading it again.
    public var toPathBytes: ByteBuffer { self.pathBytes(\.toPath) }

    /// The octets of a path as they came.
    func pathBytes(_ path: KeyPath<Places, Place>) -> ByteBuffer {
        let range = self.places[keyPath: path].range
        return self.bytes.getSlice(at: self.bytes.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    private func path(_ place: Place, _ name: String, _ limits: MSRPLimits) throws(MSRPError) -> [MSRPURI] {
        guard place.isPresent else { throw MSRPError(.missingHeader, "\(name) expected") }
        return try MSRPURI.path(bytes: self.bytes.readableBytesUInt8Span.extracting(place.range), limits: limits)
    }

    /// The Message-ID; none when the header is not there.
    public func messageID() throws(MSRPError) -> MessageID? {
        guard self.places.messageID.isPresent else { return nil }
        let span = self.bytes.readableBytesUInt8Span.extracting(self.places.messageID.range)
        guard span.count <= MessageID.maxBytes, Ident.isLiberal(span) else {
            throw MSRPError(.malformedMessageID, "ident expected", offset: self.places.messageID.range.lowerBound)
        }
        return MessageID(unchecked: span.string(0..<span.count))
    }

    /// The Byte-Range; `1-*/*` when the header is not there.
    public func byteRange() throws(MSRPError) -> ByteRange {
        guard self.places.byteRange.isPresent else { return .whole }
        return try ByteRange(
            bytes: self.bytes.readableBytesUInt8Span.extracting(self.places.byteRange.range)
        )
    }

    /// Whether the sender wants to hear that the whole message has arrived; `no` when the header is not there.
    public func wantsSuccessReport() throws(MSRPError) -> Bool {
        guard self.places.successReport.isPresent else { return false }
        let span = self.bytes.readableBytesUInt8Span.extracting(self.places.successReport.range)
        if span.equalsIgnoringCase("yes") { return true }
        if span.equalsIgnoringCase("no") { return false }
        throw MSRPError(.malformedReportRequest, "yes or no expected")
    }

    /// When the sender wants to hear of failures; `yes` when the header is not there.
    public func failureReport() throws(MSRPError) -> FailureReport {
        guard self.places.failureReport.isPresent else { return .yes }
        let span = self.bytes.readableBytesUInt8Span.extracting(self.places.failureReport.range)
        if span.equalsIgnoringCase("yes") { return .yes }
        if span.equalsIgnoringCase("no") { return .no }
        if span.equalsIgnoringCase("partial") { return .partial }
        throw MSRPError(.malformedReportRequest, "yes, no or partial expected")
    }

    /// The Content-Type as it was sent; none when the header is not there.
    public var contentType: String? { self.text(self.places.contentType) }

    /// The Status header of a REPORT; none when the header is not there.
    public func reportStatus() throws(MSRPError) -> ReportStatus? {
        guard self.places.status.isPresent else { return nil }
        let span = self.bytes.readableBytesUInt8Span.extracting(self.places.status.range)
        guard span.count >= 7, span[3] == ASCII.space, span.count == 7 || span[7] == ASCII.space,
            let namespace = span.extracting(0..<3).decimal(as: UInt16.self),
            let code = span.extracting(4..<7).decimal(as: UInt16.self), let status = MSRPStatus(rawValue: code)
        else { throw MSRPError(.malformedStatus, "namespace, code and comment expected") }
        return ReportStatus(status, comment: span.string(min(8, span.count)..<span.count), namespace: namespace)
    }

    /// The value of any header by its name, compared without case; none when it is not there.
    public func header(named name: String) -> String? {
        let wanted = Array(name.utf8)
        let bytes = self.bytes.readableBytesUInt8Span
        var lineStart = self.headersStart
        var position = lineStart
        while let lf = bytes.firstIndex(of: ASCII.lf, in: position..<bytes.count) {
            position = lf + 1
            // As when the head was scanned, only CRLF ends a line.
            guard lf > lineStart, bytes[lf - 1] == ASCII.cr else { continue }
            let line = lineStart..<(lf - 1)
            lineStart = lf + 1
            guard line.count > wanted.count, bytes[line.lowerBound + wanted.count] == ASCII.colon,
                bytes.extracting(line.prefix(wanted.count)).equalsIgnoringCase(wanted.span)
            else { continue }
            return bytes.string(bytes.trimmed((line.lowerBound + wanted.count + 1)..<line.upperBound))
        }
        return nil
    }

    /// A header whose value is a number of seconds.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedNumber``.
    public func seconds(named name: String) throws(MSRPError) -> UInt32? {
        guard let text = self.header(named: name) else { return nil }
        let bytes = Array(text.utf8)
        guard let number = bytes.span.decimal(as: UInt32.self) else {
            throw MSRPError(.malformedNumber, "\(name) is no 32-bit number")
        }
        return number
    }

    private func text(_ place: Place) -> String? {
        guard place.isPresent else { return nil }
        return self.bytes.readableBytesUInt8Span.string(place.range)
    }

    /// Decodes every header that this library knows.
    ///
    /// - Throws: the first ``MSRPError`` met, the ``defect`` first.
    public func validate(limits: MSRPLimits = .init()) throws(MSRPError) {
        if let defect { throw defect }
        _ = try self.toPath(limits: limits)
        _ = try self.fromPath(limits: limits)
        _ = try self.byteRange()
        _ = try self.wantsSuccessReport()
        _ = try self.failureReport()
        let messageID = try self.messageID()
        let status = try self.reportStatus()
        for name in ["Expires", "Min-Expires", "Max-Expires"] { _ = try self.seconds(named: name) }
        guard self.method == .send || self.method == .report else { return }
        guard messageID != nil else { throw MSRPError(.missingHeader, "Message-ID expected") }
        guard self.method == .report, status == nil else { return }
        throw MSRPError(.missingHeader, "Status expected")
    }
}
