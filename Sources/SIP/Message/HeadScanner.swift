import ByteGrammar

/// One pass over the start line and the header fields, which finds where everything is and decodes nothing.
///
/// The scanner goes on after a fault as long as it can, because the sender of a broken request must get an answer, and
/// the answer needs the other header fields. The first fault is kept.
struct HeadScanner {
    private(set) var start: SIPMessage.StartLine?
    private(set) var fields: [SIPMessage.FieldLine] = []
    private(set) var headEnd = 0
    private(set) var contentLength: Int?
    private(set) var fault: SIPError?

    /// Scans from the first byte of a start line.
    ///
    /// - Returns: Whether the empty line that ends the header fields was found.
    mutating func scan(_ bytes: Span<UInt8>, limits: SIPLimits) -> Bool {
        self.fields.reserveCapacity(24)
        let raw = bytes.bytes
        let bound = min(bytes.count, limits.headBytes)
        guard let feed = ByteSearch.firstOffset(of: 0x0A, in: raw, from: 0, to: bound) else {
            return self.incomplete(bytes, limits)
        }
        self.scanStart(bytes, end: self.lineEnd(bytes, start: 0, feed: feed))
        if feed > limits.lineBytes { self.note(.lineTooLong, "the start line exceeds \(limits.lineBytes) bytes", 0) }

        var lineStart = feed + 1
        while true {
            guard lineStart < bound else { return self.incomplete(bytes, limits) }
            if bytes[lineStart] == 0x0D, lineStart + 1 < bound, bytes[lineStart + 1] == 0x0A {
                self.headEnd = lineStart + 2
                return true
            }
            guard var feed = ByteSearch.firstOffset(of: 0x0A, in: raw, from: lineStart, to: bound) else {
                return self.incomplete(bytes, limits)
            }
            // A line that starts with white space belongs to the line before.
            while feed + 1 < bound, ByteSet.whitespace.contains(bytes[feed + 1]) {
                guard let next = ByteSearch.firstOffset(of: 0x0A, in: raw, from: feed + 1, to: bound) else {
                    return self.incomplete(bytes, limits)
                }
                feed = next
            }
            guard self.scanField(bytes, start: lineStart, feed: feed, limits: limits) else { return false }
            lineStart = feed + 1
        }
    }

    private mutating func incomplete(_ bytes: Span<UInt8>, _ limits: SIPLimits) -> Bool {
        if bytes.count >= limits.headBytes {
            self.note(.headTooLarge, "start line and header fields exceed \(limits.headBytes) bytes", limits.headBytes)
        } else {
            self.note(.truncatedHead, "the empty line after the header fields is missing", bytes.count)
        }
        self.headEnd = bytes.count
        return false
    }

    private mutating func note(_ code: SIPError.Code, _ reason: String, _ offset: Int) {
        if self.fault == nil { self.fault = SIPError(code, reason, offset: offset) }
    }

    /// The end of the content of a line, which must end with CRLF.
    private mutating func lineEnd(_ bytes: Span<UInt8>, start: Int, feed: Int) -> Int {
        if feed > start, bytes[feed - 1] == 0x0D { return feed - 1 }
        self.note(.malformedHeader, "a line ends with LF alone", feed)
        return feed
    }

    /// - Returns: false when scanning must stop because of a limit.
    private mutating func scanField(_ bytes: Span<UInt8>, start: Int, feed: Int, limits: SIPLimits) -> Bool {
        let end = self.lineEnd(bytes, start: start, feed: feed)
        guard feed - start < min(limits.lineBytes, Int(UInt16.max)) else {
            self.note(.lineTooLong, "a header field exceeds \(limits.lineBytes) bytes", start)
            return true
        }
        guard self.fields.count < limits.headerFields else {
            self.note(.tooManyHeaderFields, "more than \(limits.headerFields) header fields", start)
            self.headEnd = bytes.count
            return false
        }
        var nameEnd = start
        while nameEnd < end, Self.isNameByte(bytes[nameEnd]) { nameEnd += 1 }
        var colon = nameEnd
        while colon < end, ByteSet.whitespace.contains(bytes[colon]) { colon += 1 }
        guard nameEnd > start, colon < end, bytes[colon] == 0x3A else {
            self.note(.malformedHeader, "a header field without a name and a colon", start)
            return true
        }
        var valueStart = colon + 1
        while valueStart < end, Self.isBlank(bytes[valueStart]) { valueStart += 1 }
        var valueEnd = end
        while valueEnd > valueStart, Self.isBlank(bytes[valueEnd - 1]) { valueEnd -= 1 }
        let id = HeaderName.identify(bytes, start..<nameEnd)
        self.fields.append(
            SIPMessage.FieldLine(
                start: UInt32(truncatingIfNeeded: start),
                end: UInt32(truncatingIfNeeded: feed + 1),
                valueStart: UInt32(truncatingIfNeeded: valueStart),
                valueEnd: UInt32(truncatingIfNeeded: valueEnd),
                nameLength: UInt16(truncatingIfNeeded: nameEnd - start),
                id: id
            )
        )
        if id == HeaderName.contentLength.id { self.scanContentLength(bytes, valueStart..<valueEnd) }
        return true
    }

    /// Whether a byte belongs to a token; letters and hyphens, which nearly all are, are found first.
    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte == 0x2D || ByteSet.token.contains(byte)
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
    }

    private mutating func scanContentLength(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard let length = ASCII.unsigned(bytes, range, maximum: UInt64(UInt32.max)) else {
            self.note(.malformedContentLength, "Content-Length is not a number", range.lowerBound)
            return
        }
        if let known = self.contentLength, known != Int(length) {
            self.note(.malformedContentLength, "two Content-Length values differ", range.lowerBound)
        } else if self.contentLength != nil {
            self.note(.repeatedHeader, "Content-Length stands twice", range.lowerBound)
        }
        self.contentLength = Int(length)
    }
}

extension HeadScanner {
    private mutating func scanStart(_ bytes: Span<UInt8>, end: Int) {
        var cursor = ByteCursor(bytes.extracting(0..<end))
        if cursor.take("SIP/" as StaticString) {
            self.scanStatusLine(&cursor)
        } else {
            self.scanRequestLine(&cursor, end: end)
        }
    }

    private mutating func scanStatusLine(_ cursor: inout ByteCursor) {
        guard cursor.take("2.0 " as StaticString) else {
            self.note(.unsupportedVersion, "the status line is not of SIP/2.0", 0)
            return
        }
        let digits = cursor.take(while: .digit)
        guard digits.count == 3, let number = ASCII.unsigned(cursor.bytes, digits),
            let status = SIPStatus(rawValue: UInt16(number))
        else {
            self.note(.malformedStatus, "the status code is not in 100...699", digits.lowerBound)
            return
        }
        // The space before an empty reason phrase is often left out; nothing is lost by taking it so.
        guard cursor.take(0x20) || cursor.isAtEnd else {
            self.note(.malformedStartLine, "no space after the status code", cursor.offset)
            return
        }
        let reason = UInt32(cursor.offset)..<UInt32(cursor.bytes.count)
        self.start = .response(status, reason: reason)
    }

    private mutating func scanRequestLine(_ cursor: inout ByteCursor, end: Int) {
        guard let name = cursor.token(), cursor.take(0x20) else {
            self.note(.malformedStartLine, "the request line does not start with a method and a space", 0)
            return
        }
        let uri = cursor.take(until: .whitespace)
        self.start = .request(
            SIPMethod(rawValue: cursor.text(name)),
            uri: UInt32(uri.lowerBound)..<UInt32(uri.upperBound)
        )
        guard !uri.isEmpty, cursor.take(0x20) else {
            self.note(.malformedStartLine, "no Request-URI, or no single space on both of its sides", uri.lowerBound)
            return
        }
        guard cursor.take("SIP/" as StaticString) else {
            self.note(.malformedStartLine, "the request line does not end with a version", cursor.offset)
            return
        }
        let version = cursor.offset
        if cursor.take("2.0" as StaticString), cursor.isAtEnd { return }
        cursor.move(to: version)
        if cursor.unsigned() != nil, cursor.take(0x2E), cursor.unsigned() != nil, cursor.isAtEnd {
            self.note(.unsupportedVersion, "the request is not of SIP/2.0", version)
        } else {
            self.note(.malformedStartLine, "text after the version, or a malformed version", version)
        }
    }
}
