import NIOCore

/// Goes through the lines of a head as they arrive and notes where things are.
///
/// It keeps its place, so that a head that comes octet by octet is still read once.
struct HeadScanner {
    enum Step: Equatable {
        /// The head is not complete.
        case needsMore
        /// The headers end before `end`; a body starts at `next`.
        case body(end: Int, next: Int)
        /// The headers end before `end`; the frame ends before `next`.
        case noBody(end: Int, next: Int, flag: Continuation)
    }

    private enum StartLine {
        case request(method: Range<Int>)
        case response(MSRPStatus, comment: Range<Int>)
    }

    private var position = 0
    private var lineStart = 0
    private var headers = 0
    private var headersStart = 0
    private var startLine: StartLine?
    private var places = FrameHead.Places()
    private(set) var id = 0..<0
    private(set) var defect: MSRPError?

    /// Reads on; `bytes` start with the frame.
    ///
    /// - Throws: ``MSRPError`` when this is no frame at all, or when its head is too large.
    mutating func scan(_ bytes: Span<UInt8>, limits: MSRPLimits) throws(MSRPError) -> Step {
        if self.startLine == nil { try self.checkMagic(bytes) }
        while let lf = bytes.firstIndex(of: ASCII.lf, in: self.position..<bytes.count) {
            self.position = lf + 1
            guard lf > self.lineStart, bytes[lf - 1] == ASCII.cr else {
                // A lone LF is no line end; it makes the line that it is in a bad one.
                continue
            }
            let line = self.lineStart..<(lf - 1)
            guard line.count <= limits.maxLineBytes else { throw self.lineTooLong(limits) }
            guard lf < limits.maxHeadBytes else { throw self.headTooLong(limits) }
            if self.startLine == nil {
                try self.readStartLine(bytes, line)
                self.headersStart = lf + 1
            } else if line.isEmpty {
                return .body(end: self.lineStart, next: lf + 1)
            } else if let flag = self.endLine(bytes, line) {
                return .noBody(end: self.lineStart, next: lf + 1, flag: flag)
            } else {
                guard self.headers < limits.maxHeaders else {
                    throw MSRPError(.tooManyHeaders, "more than \(limits.maxHeaders)", offset: line.lowerBound)
                }
                self.readHeader(bytes, line)
            }
            self.lineStart = lf + 1
        }
        self.position = bytes.count
        guard bytes.count - self.lineStart <= limits.maxLineBytes + 2 else { throw self.lineTooLong(limits) }
        guard bytes.count < limits.maxHeadBytes else { throw self.headTooLong(limits) }
        return .needsMore
    }

    /// The head, once `scan` has found its end.
    func head(of bytes: ByteBuffer, hasBody: Bool) -> FrameHead? {
        let span = bytes.readableBytesUInt8Span
        let startLine: FrameHead.StartLine
        switch self.startLine {
        case .request(let method):
            startLine = .request(Self.method(span, method))
        case .response(let status, let comment):
            startLine = .response(status, comment: span.string(comment))
        case nil:
            return nil
        }
        return FrameHead(
            startLine: startLine,
            transactionID: TransactionID(unchecked: span.string(self.id)),
            hasBody: hasBody,
            defect: self.defect ?? self.missingPath(),
            bytes: bytes,
            places: self.places,
            headersStart: self.headersStart
        )
    }

    private static func method(_ bytes: Span<UInt8>, _ range: Range<Int>) -> MSRPMethod {
        let name = bytes.extracting(range)
        // The usual ones without making a string.
        if name.equalsIgnoringCase("SEND") { return .send }
        if name.equalsIgnoringCase("REPORT") { return .report }
        return MSRPMethod(rawValue: bytes.string(range))
    }

    private func missingPath() -> MSRPError? {
        if !self.places.toPath.isPresent { return MSRPError(.missingHeader, "To-Path expected") }
        if !self.places.fromPath.isPresent { return MSRPError(.missingHeader, "From-Path expected") }
        return nil
    }

    private func lineTooLong(_ limits: MSRPLimits) -> MSRPError {
        MSRPError(.lineTooLong, "more than \(limits.maxLineBytes) octets", offset: self.lineStart)
    }

    private func headTooLong(_ limits: MSRPLimits) -> MSRPError {
        MSRPError(.headTooLong, "more than \(limits.maxHeadBytes) octets", offset: limits.maxHeadBytes)
    }

    /// Refuses a peer that speaks something else at its first octets, rather than after a whole line.
    private func checkMagic(_ bytes: Span<UInt8>) throws(MSRPError) {
        let magic: StaticString = "MSRP "
        let known = min(bytes.count, magic.utf8CodeUnitCount)
        let differs = magic.withUTF8Buffer { expected in
            (0..<known).first { bytes[$0] != expected[$0] }
        }
        if let differs { throw MSRPError(.malformedStartLine, "\(magic)expected", offset: differs) }
    }

    private mutating func readStartLine(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(MSRPError) {
        let idStart = 5
        guard line.upperBound > idStart,
            let space = bytes.firstIndex(of: ASCII.space, in: idStart..<line.upperBound), space > idStart
        else { throw MSRPError(.malformedStartLine, "a transaction id expected", offset: idStart) }
        self.id = idStart..<space
        let id = bytes.extracting(self.id)
        guard Ident.isLiberal(id), id.count <= 2 * Ident.maxBytes else {
            throw MSRPError(.malformedStartLine, "the transaction id is no ident", offset: idStart)
        }
        if !Ident.isStrict(id) {
            self.defect = MSRPError(.malformedTransactionID, "4 to 32 characters expected", offset: idStart)
        }
        let rest = (space + 1)..<line.upperBound
        for index in rest where ASCII.isForbiddenInValue(bytes[index]) {
            throw MSRPError(.malformedStartLine, "a control character", offset: index)
        }
        if rest.count >= 3, rest.count == 3 || bytes[rest.lowerBound + 3] == ASCII.space,
            let code = bytes.extracting(rest.prefix(3)).decimal(as: UInt16.self),
            let status = MSRPStatus(rawValue: code)
        {
            self.startLine = .response(status, comment: min(rest.lowerBound + 4, rest.upperBound)..<rest.upperBound)
            return
        }
        for index in rest where bytes[index] &- UInt8(ascii: "A") >= 26 {
            throw MSRPError(.malformedStartLine, "a method or a status code expected", offset: index)
        }
        guard !rest.isEmpty else {
            throw MSRPError(.malformedStartLine, "a method or a status code expected", offset: rest.lowerBound)
        }
        self.startLine = .request(method: rest)
    }

    private func endLine(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Continuation? {
        guard line.count == EndLine.hyphens + self.id.count + 1, bytes[line.lowerBound] == ASCII.hyphen else {
            return nil
        }
        for index in line.prefix(EndLine.hyphens) where bytes[index] != ASCII.hyphen { return nil }
        guard bytes.matches(bytes.extracting(self.id), at: line.lowerBound + EndLine.hyphens) else { return nil }
        return Continuation(rawValue: bytes[line.upperBound - 1])
    }

    private mutating func readHeader(_ bytes: Span<UInt8>, _ line: Range<Int>) {
        self.headers += 1
        guard let colon = bytes.firstIndex(of: ASCII.colon, in: line), colon > line.lowerBound else {
            self.note(MSRPError(.malformedHeader, "a name and a colon expected", offset: line.lowerBound))
            return
        }
        for index in line.lowerBound..<colon where !ASCII.isToken(bytes[index]) {
            self.note(MSRPError(.malformedHeader, "not a character of a header name", offset: index))
            return
        }
        let value = bytes.trimmed((colon + 1)..<line.upperBound)
        for index in value where ASCII.isForbiddenInValue(bytes[index]) {
            self.note(MSRPError(.malformedHeader, "a control character", offset: index))
            return
        }
        self.place(FrameHead.Place(value), named: bytes.extracting(line.lowerBound..<colon), at: line.lowerBound)
    }

    private mutating func place(_ place: FrameHead.Place, named name: Span<UInt8>, at offset: Int) {
        switch name.count {
        case 7 where name.equalsIgnoringCase("To-Path"):
            if self.headers != 1 { self.note(MSRPError(.headerOrder, "To-Path comes first", offset: offset)) }
            self.set(\.toPath, place, offset)
        case 9 where name.equalsIgnoringCase("From-Path"):
            if self.headers != 2 { self.note(MSRPError(.headerOrder, "From-Path comes second", offset: offset)) }
            self.set(\.fromPath, place, offset)
        case 10 where name.equalsIgnoringCase("Message-ID"): self.set(\.messageID, place, offset)
        case 10 where name.equalsIgnoringCase("Byte-Range"): self.set(\.byteRange, place, offset)
        case 14 where name.equalsIgnoringCase("Success-Report"): self.set(\.successReport, place, offset)
        case 14 where name.equalsIgnoringCase("Failure-Report"): self.set(\.failureReport, place, offset)
        case 6 where name.equalsIgnoringCase("Status"): self.set(\.status, place, offset)
        case 12 where name.equalsIgnoringCase("Content-Type"): self.set(\.contentType, place, offset)
        default: break
        }
    }

    private mutating func set(
        _ path: WritableKeyPath<FrameHead.Places, FrameHead.Place>,
        _ place: FrameHead.Place,
        _ offset: Int
    ) {
        if self.places[keyPath: path].isPresent {
            self.note(MSRPError(.repeatedHeader, "a header that may be there once", offset: offset))
        }
        self.places[keyPath: path] = place
    }

    private mutating func note(_ error: MSRPError) { self.defect = self.defect ?? error }
}
