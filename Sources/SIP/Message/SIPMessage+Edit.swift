import ByteGrammar
public import NIOCore

extension SIPMessage {
    /// Makes a request without header fields.
    ///
    /// A space or line break in the URI would end it or the start line; it is left out.
    public init(method: SIPMethod, uri: String) {
        var storage = ByteBufferAllocator().buffer(capacity: 512)
        let range = Self.write(Self.withoutBlanks(uri), into: &storage)
        self.init(storage: storage, start: .request(method, uri: range), fields: [], bodyRange: 0..<0)
    }

    /// Makes a response without header fields.
    public init(status: SIPStatus, reason: String? = nil) {
        var storage = ByteBufferAllocator().buffer(capacity: 512)
        let range = Self.write(reason ?? status.reasonPhrase, into: &storage)
        self.init(storage: storage, start: .response(status, reason: range), fields: [], bodyRange: 0..<0)
    }

    /// Writes text without its line breaks, which would let a value add header fields.
    private static func write(_ text: String, into storage: inout ByteBuffer) -> Range<UInt32> {
        let start = UInt32(storage.readableBytes)
        if text.utf8.contains(where: { ByteSet.lineBreak.contains($0) }) {
            storage.writeBytes(text.utf8.filter { !ByteSet.lineBreak.contains($0) })
        } else {
            storage.writeString(text)
        }
        return start..<UInt32(storage.readableBytes)
    }

    private static func withoutBlanks(_ uri: String) -> String {
        guard uri.utf8.contains(where: { $0 <= 0x20 }) else { return uri }
        return String(decoding: uri.utf8.filter { $0 > 0x20 }, as: UTF8.self)
    }

    /// Replaces the Request-URI of a request.
    ///
    /// Does nothing to a response.
    public mutating func setRequestURI(_ uri: String) {
        guard case .request(let method, _) = self.start else { return }
        self.start = .request(method, uri: Self.write(Self.withoutBlanks(uri), into: &self.storage))
    }

    /// Adds a header field behind the others.
    ///
    /// Line breaks in the value are left out.
    public mutating func append(_ name: HeaderName, _ value: String) {
        self.fields.append(self.makeLine(name, value))
    }

    /// Adds a header field before the first one of the same name, or at the top when there is none.
    public mutating func prepend(_ name: HeaderName, _ value: String) {
        let line = self.makeLine(name, value)
        let index = self.index(of: name) ?? 0
        self.fields.insert(line, at: index)
    }

    /// Replaces all header fields of a name by one, in the place of the first; adds it when there was none.
    public mutating func set(_ name: HeaderName, _ value: String) {
        guard let index = self.index(of: name) else { return self.append(name, value) }
        let line = self.makeLine(name, value)
        self.fields[index] = line
        var later = index + 1
        while let found = self.index(of: name, from: later) {
            self.fields.remove(at: found)
            later = found
        }
    }

    /// Removes all header fields of a name.
    public mutating func remove(_ name: HeaderName) {
        while let index = self.index(of: name) { self.fields.remove(at: index) }
    }

    /// Replaces the body, and sets Content-Type (unless nil) and Content-Length.
    public mutating func setBody(_ body: ByteBuffer, contentType: String?) {
        if let contentType { self.set(.contentType, contentType) }
        self.set(.contentLength, "\(body.readableBytes)")
        let start = UInt32(self.storage.readableBytes)
        self.storage.writeImmutableBuffer(body)
        self.bodyRange = start..<UInt32(self.storage.readableBytes)
    }

    /// Removes the body with all header fields that describe it, and sets Content-Length to 0.
    public mutating func removeBody() {
        self.remove(.contentType)
        self.remove(.contentDisposition)
        self.remove(.contentEncoding)
        self.remove(.contentLanguage)
        self.set(.contentLength, "0")
        self.bodyRange = 0..<0
    }

    private mutating func makeLine(_ name: HeaderName, _ value: String) -> FieldLine {
        self.makeLine(name) { _ = Self.write(value, into: &$0) }
    }

    /// Writes the line of a header field behind what is there; `write` writes its value.
    mutating func makeLine(_ name: HeaderName, _ write: (inout ByteBuffer) -> Void) -> FieldLine {
        let start = UInt32(self.storage.readableBytes)
        let nameLength = name.write(into: &self.storage)
        self.storage.writeStaticString(": ")
        let valueStart = UInt32(self.storage.readableBytes)
        write(&self.storage)
        let valueEnd = UInt32(self.storage.readableBytes)
        self.storage.writeStaticString("\r\n")
        return FieldLine(
            start: start,
            end: UInt32(self.storage.readableBytes),
            valueStart: valueStart,
            valueEnd: valueEnd,
            nameLength: UInt16(truncatingIfNeeded: nameLength),
            id: name.id
        )
    }

    /// Copies a part of the storage behind the rest of it.
    mutating func copyWithin(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let end = self.storage.writerIndex
        let count = try? self.storage.copyBytes(
            at: self.storage.readerIndex + range.lowerBound,
            to: end,
            length: range.count
        )
        self.storage.moveWriterIndex(to: end + (count ?? 0))
    }
}

extension SIPMessage {
    /// Copies header fields from another message, byte for byte, in their order.
    mutating func copy(_ name: HeaderName, from other: SIPMessage) {
        for field in other.fields where other.matches(field, name) { self.copy(field, from: other) }
    }

    mutating func copy(_ field: FieldLine, from other: SIPMessage) {
        guard other.endsEveryLineWell(field) else {
            // Only a broken request has such lines; its answer must not.
            return self.append(other.name(of: field), other.valueText(field))
        }
        let offset = UInt32(self.storage.readableBytes)
        let source = other.storage
        self.storage.writeBytes(source.readableBytesSpan.extracting(field.line))
        self.fields.append(
            FieldLine(
                start: offset,
                end: offset + UInt32(field.line.count),
                valueStart: offset + (field.valueStart - field.start),
                valueEnd: offset + (field.valueEnd - field.start),
                nameLength: field.nameLength,
                id: field.id
            )
        )
    }

    /// Whether every line feed of a field stands behind a carriage return.
    private func endsEveryLineWell(_ field: FieldLine) -> Bool {
        let bytes = self.storage.readableBytesUInt8Span
        var index = field.line.lowerBound
        while let feed = ByteSearch.firstOffset(of: 0x0A, in: bytes.bytes, from: index, to: field.line.upperBound) {
            guard feed > field.line.lowerBound, bytes[feed - 1] == 0x0D else { return false }
            index = feed + 1
        }
        return true
    }

    private func name(of field: FieldLine) -> HeaderName {
        HeaderName(self.storage.readableBytesUInt8Span, field.name)
    }

    /// Removes the first value of a header field that is a list; a line that held only that value goes.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    public mutating func removeFirstValue(_ name: HeaderName) -> Bool {
        guard let index = self.index(of: name) else { return false }
        let field = self.fields[index]
        if let comma = self.firstComma(in: field.value) {
            let text = self.unfolded((comma + 1)..<field.value.upperBound)
            let line = self.makeLine(name, text)
            self.fields[index] = line
        } else {
            self.fields.remove(at: index)
        }
        return true
    }

    /// Replaces the first value of a header field that is a list and leaves the rest of the line as it is.
    public mutating func replaceFirstValue(_ name: HeaderName, _ value: String) {
        guard let index = self.index(of: name) else { return self.append(name, value) }
        let field = self.fields[index]
        if let comma = self.firstComma(in: field.value) {
            let rest = self.unfolded((comma + 1)..<field.value.upperBound)
            let line = self.makeLine(name, "\(value), \(rest)")
            self.fields[index] = line
        } else {
            let line = self.makeLine(name, value)
            self.fields[index] = line
        }
    }

    private func unfolded(_ range: Range<Int>) -> String {
        let bytes = self.storage.readableBytesUInt8Span
        return Unfolding.text(bytes, bytes.trimmed(range))
    }

    /// The offset of the first comma that separates values: not in a quoted string and not between angle brackets.
    private func firstComma(in range: Range<Int>) -> Int? {
        var cursor = ByteCursor(self.storage.readableBytesUInt8Span.extracting(range))
        while let byte = cursor.next {
            switch byte {
            case 0x2C: return range.lowerBound + cursor.offset
            case 0x22:
                if cursor.quotedString() == nil { return nil }
            case 0x3C:
                _ = cursor.take(until: ByteSet([0x3E]))
            default: cursor.skip()
            }
        }
        return nil
    }
}
